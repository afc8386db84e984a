#!/bin/bash
# sched.sh [BUILD] - what the scheduler costs by itself: nanoseconds, and instructions by callgrind as
# the difference of two runs.
set -u
build=${1:-build}
"$build/bench-sched" || exit 1

collected() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/bench-sched" "$@" 2>&1 |
        sed -n 's/.*Collected : *\([0-9]*\).*/\1/p'
}

# count NAME WHAT ROUNDS [OPTION...]
count() {
    local name=$1 what=$2 rounds=$3 one two
    shift 3
    one=$(collected --count "$what" --rounds "$rounds" "$@")
    two=$(collected --count "$what" --rounds $((2 * rounds)) "$@")
    printf '%-48s %8d instructions\n' "$name" $(((${two:-0} - ${one:-0}) / rounds))
}

if ! command -v valgrind >/dev/null 2>&1; then
    echo "no valgrind: no instructions counted" >&2
    exit 0
fi
count "take+give, segment for 2 workers" take 10000
count "take+give, segment for 64 workers" take 10000 --workers 64
for accounts in 10 100 1000 10000; do
    count "selection among $accounts idle accounts" "select:i$accounts" 200
    count "selection among $accounts busy accounts" "select:b$accounts" 200
    count "selection among $accounts full accounts" "select:f$accounts" 200
done

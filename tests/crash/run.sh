#!/bin/bash
# run.sh [WORD...] - the crash tests (those a WORD is part of), after `make asan` and so on.
#
# CRASH_SIZE=small (default, in `make test`) or full (`make crash`). SEED=n repeats a run's choices;
# without it the small size takes 1 and the full one draws a new one; it is printed. SUB2API, SUB2APICTL, FAKE_PROVIDER name other programs.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${B:-build}
export SUB2API=${SUB2API:-$build/asan/sub2api}
export SUB2APICTL=${SUB2APICTL:-$build/asan/sub2apictl}
export FAKE_PROVIDER=${FAKE_PROVIDER:-$build/fake-provider}
export CRASH_SIZE=${CRASH_SIZE:-small}
# The small size makes the same choices every time, so that a red run can be had again; the full size
# looks for what nobody thought of.
if [ "$CRASH_SIZE" = small ]; then
    export SEED=${SEED:-1}
else
    export SEED=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
fi

echo "note seed $SEED, size $CRASH_SIZE"
"$build/asan/tests/crash/run" "$@" | sed -E 's/^(ok|FAIL) [a-z]+\./\1 crash /'
status=${PIPESTATUS[0]}
[ "$status" = 0 ] || echo "note again with: SEED=$SEED CRASH_SIZE=$CRASH_SIZE tests/crash/run.sh"
exit "$status"

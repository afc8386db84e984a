#!/bin/bash
# run.sh PART... - builds and runs parts of the tests and ends with one line "N passed, N failed".
#
# Parts: tidy unit unit_<folder> vectors fuzz-smoke fuzz scenario clients cli crash model.
# A part that cannot be built, crashes, leaks or runs nothing counts as one failure more.
# Each part prints what failed; its whole output is in build/test/<part>.log. The deadlines are there
# to end what hangs: they are several times what a part needs on two busy cores.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${B:-build}
logs=$build/test
mkdir -p "$logs"
passed=0
failed=0

# Under `make -j` the jobs of the make above cannot be shared: a recipe like this one gets none.
jobs=$(nproc 2>/dev/null || echo 2)
MAKEFLAGS=$(printf '%s' "${MAKEFLAGS:-}" | sed -E 's/ ?(-j[0-9]*|--jobserver-[a-z]*=[^ ]*)//g')
export MAKEFLAGS

say() { printf '%s\n' "$*"; }

# count PART PASSED FAILED
count() {
    passed=$((passed + $2))
    failed=$((failed + $3))
    say "$1: $2 passed, $3 failed"
}

# lose PART WHY [LOG]: the part as a whole failed
lose() {
    failed=$((failed + 1))
    say "FAIL $1: $2"
    [ $# -lt 3 ] || tail -n 40 "$3"
}

# make_targets PART TARGET...
make_targets() {
    local part=$1
    shift
    if ! ${MAKE:-make} --no-print-directory "-j$jobs" "$@" >"$logs/$part.build.log" 2>&1; then
        lose "$part" "does not build" "$logs/$part.build.log"
        return 1
    fi
}

# Sanitizer reports go to files, because a leak alone does not fail a Criterion test.
sanitizers() {
    rm -rf "$logs/$1.asan"
    mkdir -p "$logs/$1.asan"
    export ASAN_OPTIONS="log_path=$PWD/$logs/$1.asan/report:detect_leaks=1:abort_on_error=0"
    export UBSAN_OPTIONS="print_stacktrace=1:log_path=$PWD/$logs/$1.asan/report"
    export LSAN_OPTIONS="exitcode=0" # the report counts, and only if it is about us
    case $logs in /*) ASAN_OPTIONS=${ASAN_OPTIONS//$PWD\//} UBSAN_OPTIONS=${UBSAN_OPTIONS//$PWD\//} ;; esac
}

# Criterion's own runner leaks a little with several jobs; no frame of such a report is ours.
is_foreign() {
    grep -q 'LeakSanitizer' "$1" &&
        ! grep -E '^ *#[0-9]+ ' "$1" | grep -qvE 'libcriterion|libboxfort|libasan|libsanitizer|libc\.so|__interceptor_'
}

reports() {
    local report
    for report in "$logs/$1.asan/"*; do
        [ -e "$report" ] || continue
        is_foreign "$report" && continue
        lose "$1" "a sanitizer complains" "$report"
    done
    unset ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS
}

# Criterion: the last line of its stderr has the numbers, also when tests fail.
run_unit() {
    local folder=$1 log=$logs/unit_$1.log status line tested good
    make_targets "unit_$folder" "$build/asan/tests/unit_$folder" || return
    sanitizers "unit_$folder"
    timeout 900 "$build/asan/tests/unit_$folder" -j"$jobs" --timeout 120 >"$log" 2>&1
    status=$?
    line=$(grep -a 'Synthesis: Tested:' "$log" | tail -n 1 | sed 's/\x1b\[[0-9;]*m//g')
    tested=$(printf '%s' "$line" | sed -n 's/.*Tested: \([0-9]*\).*/\1/p')
    good=$(printf '%s' "$line" | sed -n 's/.*Passing: \([0-9]*\).*/\1/p')
    if [ -z "$tested" ] || [ "$tested" = 0 ]; then
        lose "unit_$folder" "ran no test (status $status)" "$log"
    else
        [ "$good" = "$tested" ] || grep -av '^\[----\] *$' "$log" | grep -a -v PASS | tail -n 60
        count "unit_$folder" "$good" $((tested - good))
        [ "$good" != "$tested" ] || [ "$status" = 0 ] || lose "unit_$folder" "ended with $status" "$log"
    fi
    reports "unit_$folder"
}

units() {
    local folder
    make_targets units -k units
    for folder in base http proto store shm upstream worker admin master; do
        if ls tests/unit/$folder/*.c >/dev/null 2>&1; then
            run_unit $folder
        fi
    done
}

# Anything that ends with "N passed, N failed", or prints a line "ok ..." or "FAIL ..." a test.
run_lines() {
    local part=$1 seconds=$2 log=$logs/$1.log status good bad
    shift 2
    sanitizers "$part"
    timeout --kill-after=20 "$seconds" "$@" >"$log" 2>&1
    status=$?
    read -r good bad < <(awk '
        /^ok /{ ok++ } /^(FAIL|not ok) /{ bad++ }
        /^[0-9]+ passed, [0-9]+ failed$/{ ended = 1; a = $1; b = $3 }
        END{ if (ended) print a, b; else print ok + 0, bad + 0 }' "$log")
    grep -aE '^(FAIL|not ok) ' "$log"
    if [ "$good" = 0 ] && [ "$bad" = 0 ]; then
        lose "$part" "ran no test (status $status)" "$log"
    else
        count "$part" "$good" "$bad"
        [ "$status" = 0 ] || [ "$bad" != 0 ] || lose "$part" "ended with $status" "$log"
    fi
    reports "$part"
}

# run_fuzz PART SECONDS-FOR-EACH
run_fuzz() {
    local part=$1 seconds=$2 source name good=0 bad=0 log runs
    make_targets "$part" fuzzers || return
    for source in tests/fuzz/fuzz_*.c; do
        name=$(basename "$source" .c)
        name=${name#fuzz_}
        log=$logs/fuzz_$name.log
        mkdir -p "$build/fuzz/found/$name" "tests/fuzz/corpus/$name"
        timeout $((seconds + 300)) "$build/fuzz/$name" -max_total_time="$seconds" -timeout=60 \
            -rss_limit_mb=2048 -artifact_prefix="$build/fuzz/$name-" "$build/fuzz/found/$name" \
            "tests/fuzz/corpus/$name" >"$log" 2>&1
        status=$?
        runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log")
        if [ "$status" = 0 ] && [ "${runs:-0}" -gt 0 ]; then
            good=$((good + 1))
            say "ok fuzz $name ($runs runs)"
        else
            bad=$((bad + 1))
            say "FAIL fuzz $name (status $status)"
            grep -a -A 12 -E 'ERROR|SUMMARY|runtime error|Test unit written' "$log" | tail -n 40
        fi
    done
    if [ $((good + bad)) = 0 ]; then
        lose "$part" "ran no test"
    else
        count "$part" $good $bad
    fi
}

tests/deps.sh run test || lose deps "packages are missing and could not be installed"

for part in "$@"; do
    started=$SECONDS
    case $part in
    tidy) run_lines tidy 900 bash tests/tidy/tidy.sh ;;
    unit) units ;;
    unit_*) run_unit "${part#unit_}" ;;
    vectors)
        make_targets vectors "$build/translate-vector" &&
            run_lines vectors 900 bash tests/tools/vectors.sh &&
            run_lines golden 300 bash tests/tools/golden.sh
        ;;
    fuzz-smoke)
        targets=$(find tests/fuzz -maxdepth 1 -name 'fuzz_*.c' | wc -l)
        run_fuzz fuzz-smoke $((targets > 0 && 30 / targets > 1 ? 30 / targets : 2))
        ;;
    fuzz) run_fuzz fuzz "${FUZZ_SECONDS:-600}" ;;
    scenario)
        make_targets scenario asan "$build/fake-provider" "$build/asan/tests/scenario/run" &&
            run_lines scenario 1200 "$build/asan/tests/scenario/run"
        ;;
    clients)
        make_targets clients asan "$build/fake-provider" && run_lines clients 1500 bash tests/clients/run.sh
        ;;
    cli)
        make_targets cli asan "$build/fake-provider" && run_lines cli 2400 bash tests/clients/run.sh cli
        ;;
    crash)
        make_targets crash asan "$build/fake-provider" "$build/asan/tests/crash/run" &&
            run_lines crash 10000 bash tests/crash/run.sh
        grep -a '^note' "$logs/crash.log"
        ;;
    model) run_lines model 10000 bash tests/model/run.sh ;;
    *)
        echo "run.sh: unknown part $part" >&2
        exit 2
        ;;
    esac
    say "time $part: $((SECONDS - started)) s"
done

# Who asked whom, of the parts that have just run.
matrix() {
    local part
    say "matrix client | chat | responses | anthropic | gemini (upstream)"
    for part in "$@"; do
        [ ! -e "$logs/$part.log" ] || grep -a '^matrix' "$logs/$part.log"
    done
}
case " $* " in *" cli "*) matrix clients cli ;; *" clients "*) matrix clients ;; esac

say "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]

#!/bin/bash
# run.sh [all] - checks the models of the shared segment: one line "ok ..." or "FAIL ..." each.
#
# The gate must hold in each size below, and must fail when a step of the protocol is left out (a
# model that cannot fail proves nothing). About a minute and 1 GB; "all" adds the sizes that take
# several minutes and more memory. Needs spin and gcc.
set -u
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v spin >/dev/null 2>&1; then
    echo "FAIL model: spin is not installed (apt-get install spin)"
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

# check HOLDS|FAILS NAME DEFINE...
check() {
    local want=$1 name=$2 got
    shift 2
    spin "$@" -a "$here/gate.pml" >spin.log 2>&1 &&
        gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=8000 -o pan pan.c >gcc.log 2>&1 &&
        ./pan -m1000000 >pan.log 2>&1
    if grep -q 'errors: 0' pan.log && ! grep -qE 'max search depth|out of memory|reached -DMEMLIM' pan.log; then
        got=HOLDS
    elif grep -qE 'pan:1: (invalid end state|assertion violated \(?\(?inside)' pan.log; then
        got=FAILS
    else
        got=BROKEN
    fi
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored$/\1/p' pan.log)
    if [ "$got" = "$want" ]; then
        echo "ok model $name (${*}): $got, $states states"
    else
        echo "FAIL model $name (${*}): $got, wanted $want"
        grep -hE 'pan:|errors|rror' spin.log gcc.log pan.log | head -n 5 | sed 's/^/     /'
        failed=1
    fi
    rm -f pan pan.* pan.log spin.log gcc.log ./*.trail
}

check HOLDS gate-one-place -DREQS=2 -DLIMIT=1
check HOLDS gate-two-places -DREQS=2 -DLIMIT=2
check HOLDS gate-leaving -DREQS=2 -DLIMIT=1 -DLEAVES=1
check HOLDS gate-room-is-used -DREQS=3 -DREQS_0=1 -DLIMIT=2 -DENDS=2
check HOLDS gate-death -DREQS=1 -DLIMIT=1 -DCRASHES=1
check FAILS gate-without-second-try -DNOSECOND -DREQS=1 -DLIMIT=1
check FAILS gate-without-wake-after-backing-off -DNOBACKWAKE -DREQS=2 -DLIMIT=1
check FAILS gate-without-baton -DNOBATON -DREQS=3 -DREQS_0=1 -DLIMIT=2 -DENDS=2
check FAILS gate-without-wake-after-giving -DNOGIVEWAKE -DREQS=1 -DLIMIT=1
check FAILS gate-without-wake-after-leaving -DNOLEAVEWAKE -DREQS=2 -DLIMIT=1 -DLEAVES=1
check FAILS gate-without-wake-after-death -DNOSWEEPWAKE -DREQS=1 -DLIMIT=1 -DCRASHES=1
if [ "${1:-}" = all ]; then
    check HOLDS gate-death-with-queue -DREQS=2 -DREQS_0=1 -DLIMIT=1 -DCRASHES=1
    check HOLDS gate-death-and-leaving -DREQS=2 -DREQS_0=1 -DLIMIT=1 -DCRASHES=1 -DLEAVES=1
    check HOLDS gate-three-workers -DW=3 -DREQS=1 -DLIMIT=1
fi
exit $failed

#!/bin/bash
# run.sh [WORD...] - checks the models of the shared segment (those whose name a WORD is part of): one
# line "ok ..." or "FAIL ..." each, with the states it stored, how deep it went, and how much of the
# model that is.
#
# A model must hold in each size below, and must fail when a step of the protocol is left out (a
# model that cannot fail proves nothing). MODEL_SIZE=small (default, in `make test`): two minutes and
# 1 GB; full (`make model`): also larger sizes, two workers searched in full, three with bitstate
# hashing, 7 GB. Every run has a bound of time; from MODEL_MINUTES (25) on each is cut after one minute,
# and a full search that is cut has failed. Needs spin and gcc.
#
# "complete": every state that can be reached was looked at. "bitstate": those whose three hash bits
# were not all set already; hash factor = bits for each state stored, above 100 hardly one in a
# hundred thousand is missed. "cut after N s": as far as it came by then, which proves nothing about
# the rest.
set -u
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v spin >/dev/null 2>&1; then
    echo "FAIL model: spin is not installed (apt-get install spin)"
    exit 1
fi
size=${MODEL_SIZE:-small}
words=("$@")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

is_wanted() {
    local word
    [ ${#words[@]} -gt 0 ] || return 0
    for word in "${words[@]}"; do
        case $1 in *"$word"*) return 0 ;; esac
    done
    return 1
}

# What a run of pan looked at: states, depth, and which part of all there is.
coverage() { # SECONDS
    local states depth factor part=complete
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored$/\1/p' pan.log)
    depth=$(sed -n 's/.*depth reached \([0-9]*\).*/\1/p' pan.log | tail -n 1)
    factor=$(sed -n 's/^hash factor: \([0-9.e+]*\).*/\1/p' pan.log)
    [ -z "$factor" ] || part="bitstate, hash factor $factor"
    ! is_cut || part="${factor:+$part, }cut after $1 s"
    echo "$states states, depth $depth of $depth_max, $part"
}

is_cut() { grep -qE 'Search not completed|time limit|Interrupted' pan.log && ! grep -q 'pan:1:' pan.log; }

depth_max=2000000

# run HOLDS|FAILS NAME MODEL COMPILER-FLAGS RUN-FLAGS DEFINE...
run() {
    local want=$1 name=$2 model=$3 compiler=$4 runner=$5 got started=$SECONDS
    shift 5
    is_wanted "$name" || return
    # shellcheck disable=SC2086
    spin "$@" -a "$here/$model.pml" >spin.log 2>&1 &&
        gcc -w -DSAFETY $compiler -o pan pan.c >gcc.log 2>&1 &&
        ./pan "-m$depth_max" $runner >pan.log 2>&1
    if grep -q 'errors: 0' pan.log && ! grep -qE 'max search depth|out of memory|reached -DMEMLIM' pan.log; then
        got=HOLDS
    elif grep -qE 'pan:1: (invalid end state|assertion violated)' pan.log; then
        got=FAILS
    else
        got=BROKEN
    fi
    # Only a bitstate search may be cut: it says how much it saw, and claims no more.
    if [ "$got" = HOLDS ] && is_cut && [[ $compiler != *BITSTATE* ]]; then
        got=BROKEN
    fi
    local took=$((SECONDS - started))
    if [ "$got" = "$want" ] && [ "$got" = HOLDS ]; then
        echo "ok model $name (${*}): holds, 0 errors, $(coverage $took), $took s"
    elif [ "$got" = "$want" ]; then
        echo "ok model $name (${*}): fails as it must, $took s"
    else
        echo "FAIL model $name (${*}): $got, wanted $want, $(coverage $took), $took s"
        grep -hE 'pan:|errors|rror' spin.log gcc.log pan.log | head -n 5 | sed 's/^/     /'
        failed=1
    fi
    rm -f pan pan.* pan.log spin.log gcc.log ./*.trail
}

# Minutes that a run may still take: its own bound, and what is left of all. The runs that may be cut
# come last, so that those that must come to their end have the time.
bound() { # MINUTES
    local left=$(((minutes_all * 60 - SECONDS) / 60))
    [ "$left" -ge 1 ] || left=1
    echo $(($1 < left ? $1 : left))
}

minutes_all=${MODEL_MINUTES:-25}

# Every state, kept whole: it has to come to its end.
check() { # HOLDS|FAILS NAME MODEL DEFINE...
    local want=$1 name=$2 model=$3
    shift 3
    local speed=-O2
    [ "$want" = HOLDS ] || speed=-O0 # Found at once: most of the time is the compiler's.
    run "$want" "$name" "$model" "$speed -DCOLLAPSE -DMEMLIM=7000" "-Q$(bound 10)" "$@"
}

# Every state once, known by three bits of 16 G (2 GB): a few may be missed, never invented. It may be
# cut: then it says how far it came.
check_bits() { # NAME MODEL DEFINE...
    local name=$1 model=$2
    shift 2
    run HOLDS "$name" "$model" "-O2 -DBITSTATE" "-w34 -k3 -Q$(bound 1)" "$@"
}

# --- a plain gate ---
check HOLDS gate-one-place gate -DREQS=2
check HOLDS gate-two-places gate -DREQS=2 -DLIMIT=2
check HOLDS gate-leaving gate -DREQS=2 -DLEAVES=1
check HOLDS gate-room-is-used gate -DREQS=3 -DREQS_0=1 -DLIMIT=2 -DENDS=2
check HOLDS gate-deaths-and-comebacks gate -DREQS=1 -DCRASHES=2 -DCOMEBACKS=1
check HOLDS gate-death-with-queue gate -DREQS=2 -DREQS_0=1 -DCRASHES=1 -DCOMEBACKS=1
check FAILS gate-without-second-try gate -DNOSECOND -DREQS=1
check FAILS gate-without-wake-after-backing-off gate -DNOBACKWAKE -DREQS=2
check FAILS gate-without-baton gate -DNOBATON -DREQS=3 -DREQS_0=1 -DLIMIT=2 -DENDS=2
check FAILS gate-without-wake-after-giving gate -DNOGIVEWAKE -DREQS=1
check FAILS gate-without-wake-after-leaving gate -DNOLEAVEWAKE -DREQS=2 -DLEAVES=1
check FAILS gate-without-wake-after-death gate -DNOSWEEPWAKE -DREQS=1 -DCRASHES=1
# --- flag and bell of a wake as two words ---
check HOLDS wake-bells gate -DBELLS -DREQS=2
check HOLDS wake-bells-and-death gate -DBELLS -DREQS=1 -DCRASHES=1 -DCOMEBACKS=1
check FAILS wake-flag-cleared-before-bell gate -DBELLS -DFLAGFIRST -DREQS=1
check FAILS wake-sweep-that-trusts-flags gate -DBELLS -DPOLITE -DREQS=1 -DCRASHES=1
check FAILS wake-newborn-that-does-not-look gate -DBELLS -DNOFIRSTLOOK -DREQS=1 -DCRASHES=1 -DCOMEBACKS=1
# --- an account, sessions bound to it, and pools ---
check HOLDS pool-alone pool -DPOOL_0=2 -DPOOL_1=1
check HOLDS pool-with-bound pool -DBOUND_0=1 -DPOOL_1=1
check HOLDS pool-bound-leaves pool -DREQS=1 -DBOUND_0=1 -DLEAVES=1 -DLOOSE
check HOLDS pool-room-is-used pool -DLIMIT=2 -DPOOL_1=2 -DENDS=2
check HOLDS pool-bound-room-is-used pool -DBOUND_0=2 -DPOOL_0=0 -DPOOL_1=2 -DLIMIT=2 -DENDS=2 -DLOOSE
check HOLDS pool-deaths pool -DREQS=1 -DCRASHES=1
check HOLDS pool-two-groups pool -DREQS=1 -DBOUND_0=1 -DGROUPS
check HOLDS pool-two-classes pool -DPOOL_0=2 -DCLASSES -DLEAVES=1
check HOLDS pool-two-classes-room-is-used pool -DPOOL_0=2 -DPOOL_1=2 -DCLASSES -DENDS=1
check FAILS pool-order-without-check-after-taking pool -DNOCHECK -DPOOL_0=2 -DPOOL_1=1
check FAILS pool-order-without-quiet pool -DNOQUIET -DPOOL_0=2 -DPOOL_1=2
check FAILS pool-order-without-giving pool -DNOGIVING -DPOOL_0=2 -DPOOL_1=2
check FAILS pool-order-new-one-counts-as-tried pool -DNOFRESH -DPOOL_0=2 -DPOOL_1=2
check FAILS pool-order-tried-counts-as-held pool -DNOKEEP -DPOOL_0=2 -DPOOL_1=1
check FAILS pool-not-woken-by-giver pool -DNOPOOLWAKE -DREQS=1
check FAILS pool-not-woken-by-bound-that-leaves pool -DNOLEFTWAKE -DREQS=1 -DBOUND_0=1 -DLEAVES=1 -DLOOSE
check FAILS pool-not-woken-by-bound-that-is-served pool -DNOTURNWAKE -DBOUND_0=2 -DPOOL_0=0 -DPOOL_1=2 \
    -DLIMIT=2 -DENDS=2 -DLOOSE
check FAILS pool-without-passing-on pool -DNOPASS -DPOOL_0=2 -DPOOL_1=2 -DLIMIT=2 -DENDS=2
check FAILS pool-classes-without-passing-on pool -DNOPASS -DPOOL_0=2 -DPOOL_1=2 -DCLASSES -DENDS=1
check FAILS pool-without-baton pool -DNOBATON -DPOOL_0=2 -DPOOL_1=2 -DLIMIT=2 -DENDS=2
check FAILS pool-without-again pool -DNOAGAIN -DREQS=1
check FAILS pool-elder-not-woken pool -DNOELDER -DPOOL_0=2 -DPOOL_1=2 -DCLASSES -DENDS=1
check FAILS pool-without-second-try pool -DNOSECOND -DREQS=1
check FAILS pool-without-wake-after-backing-off pool -DNOBACKWAKE -DREQS=1 -DBOUND_0=1 -DBOUND_1=1
check FAILS pool-without-wake-after-leaving pool -DNOLEAVEWAKE -DPOOL_0=2 -DPOOL_1=1 -DLEAVES=1

if [ "$size" = full ]; then
    # Two workers, to the end.
    check HOLDS pool-full-alone pool -DPOOL_0=2 -DPOOL_1=2
    check HOLDS pool-full-room-is-used pool -DLIMIT=2 -DPOOL_0=2 -DPOOL_1=2 -DENDS=2
    check HOLDS pool-full-with-bound pool -DBOUND_0=1 -DPOOL_1=2
    check HOLDS pool-full-deaths pool -DREQS=1 -DBOUND_0=1 -DCRASHES=1
    check HOLDS pool-full-two-classes pool -DPOOL_0=2 -DPOOL_1=2 -DCLASSES -DLEAVES=1
    check HOLDS gate-full gate -DREQS=3 -DLIMIT=2
    check HOLDS gate-full-deaths gate -DREQS=2 -DLEAVES=1 -DCRASHES=1 -DCOMEBACKS=2
    check HOLDS gate-full-two-deaths gate -DREQS=2 -DREQS_0=1 -DCRASHES=2 -DCOMEBACKS=1
    check HOLDS wake-full-bells gate -DBELLS -DREQS=2 -DREQS_0=1 -DCRASHES=1 -DCOMEBACKS=1 -DLEAVES=1
    # Two workers with more, and three: as far as a minute goes.
    check_bits pool-bits-bound-on-both pool -DREQS=1 -DBOUND_0=1 -DBOUND_1=1
    check_bits pool-bits-leaving pool -DPOOL_0=2 -DBOUND_1=1 -DLEAVES=1 -DLOOSE
    check_bits pool-bits-deaths-and-comebacks pool -DREQS=1 -DBOUND_0=1 -DCRASHES=1 -DCOMEBACKS=1
    check_bits pool-bits-two-groups pool -DREQS=1 -DBOUND_0=1 -DBOUND_1=1 -DGROUPS
    check_bits pool-bits-room-is-used-by-all pool -DBOUND_0=1 -DBOUND_1=1 -DLIMIT=2 -DPOOL_0=2 -DENDS=2 -DLOOSE
    check_bits pool-bits-deaths-with-queue pool -DPOOL_0=2 -DBOUND_0=1 -DCRASHES=1 -DCOMEBACKS=1
    check_bits gate-bits-three-workers gate -DW=3 -DREQS=1
    check_bits gate-bits-three-workers-two-places gate -DW=3 -DREQS=1 -DLIMIT=2
    check_bits gate-bits-three-workers-death gate -DW=3 -DREQS=1 -DCRASHES=1
    check_bits pool-bits-three-workers pool -DW=3 -DREQS=1
fi
exit $failed

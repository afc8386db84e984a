#!/bin/bash
# ledger.sh [BUILD] - what `make bench-ledger` does: the store by itself (bench-ledger), and what
# accounting adds to a request.
#
# Every request leaves a record; that cannot be turned off. Compared are a model without a price for a
# key without limits, and a priced model for a prepaid user's key with quotas and for a subscriber's,
# in interleaved rounds through one gateway: CPU of all its processes. With valgrind also
# instructions of the worker, as the difference of two runs.
#
#   LEDGER_RECORDS=10000000   BENCH_ROUNDS=7   BENCH_SKIP="store instructions"
set -u
build=${1:-build}
rounds=${BENCH_ROUNDS:-7}
skip=" ${BENCH_SKIP:-} "
dir=$(mktemp -d "$build/bench-ledger.XXXXXX") || exit 1
pids=()

cleanup() {
    for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done
    for p in "${pids[@]}"; do wait "$p" 2>/dev/null; done
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

fail() {
    echo "bench-ledger: $*" >&2
    exit 1
}

port=$((20000 + $$ % 20000))
next_port() {
    port=$((port + 1))
    while grep -qi ":$(printf '%04X' "$port") " /proc/net/tcp; do port=$((port + 1)); done
}

key() { echo "sk-bench-$1-0123456789abcdefghijABCDEFGHIJ"; }

# start NAME [COMMAND...]: a gateway, perhaps under another program; sets top and gateway_port
start() {
    local name=$1 n=0
    shift
    next_port
    gateway_port=$port
    mkdir -p "$dir/$name"
    printf '%s\n' '[master]' 'workers = 1' 'log_level = warn' '[http]' \
        "listen = 127.0.0.1:$port" 'requests_per_conn = 10000' '[upstream]' 'allow_http = yes' \
        'allow_private = yes' '[store]' "dir = $dir/$name/data" 'map_bytes = 1g' '[admin]' \
        "socket = $dir/$name/admin.sock" >"$dir/$name.ini"
    "$@" "$build/sub2api" -c "$dir/$name.ini" >"$dir/$name.log" 2>&1 &
    top=$!
    pids+=("$top")
    while [ ! -S "$dir/$name/admin.sock" ]; do
        n=$((n + 1))
        [ $n -lt 600 ] || fail "the gateway does not start: $(tail -n 3 "$dir/$name.log")"
        sleep 0.1
    done
    provision "$build/sub2apictl -s $dir/$name/admin.sock" >"$dir/ctl.out" 2>&1 ||
        fail "$(cat "$dir/ctl.out")"
    n=0
    until ask plain 1; do
        n=$((n + 1))
        [ $n -lt 100 ] || fail "the gateway does not answer: $(tail -n 3 "$dir/$name.log")"
        sleep 0.2
    done
}

provision() {
    local kind
    printf 'none' >"$dir/secret"
    $1 account add --name fake --platform openai --base-url "http://127.0.0.1:$fake_port" \
        --api-key-file "$dir/secret" || return 1
    for kind in plain prepaid subscr; do
        key $kind >"$dir/key"
        $1 user create $kind && $1 key create $kind --user $kind --key-file "$dir/key" || return 1
    done
    $1 user topup prepaid --amount 100000 &&
        $1 key set prepaid --quota 100000 --quota-day 10000 --quota-month 50000 &&
        $1 plan create p --user subscr --group default --day 10000 --month 50000 &&
        $1 price set fake-priced --input 2.5 --output 10 --cache-read 1.25
}

# ask KIND REQUESTS: a line of JSON; the models' names are of one length
ask() {
    local model=fake-priced
    [ "$1" != plain ] || model=fake-nobody
    "$build/bench-load" --port "$gateway_port" --key "$(key "$1")" --model $model --connections 16 \
        --requests "$2" --body 2048 --seconds 120 >"$dir/load.json" &&
        grep -q '"errors":0' "$dir/load.json"
}

family() {
    echo "$top"
    # Through cat: a process that ends meanwhile must not end the list.
    cat /proc/[0-9]*/stat 2>/dev/null | awk -v parent="$top" '{ s = $0; sub(/.*\) /, "", s)
        split(s, f, " "); if (f[2] == parent) print $1 }'
}

cpu_ns() {
    local total=0 ns p
    for p in $processes; do read -r ns _ <"/proc/$p/schedstat" && total=$((total + ns)); done
    echo "$total"
}

cost_in_cpu() {
    local r kind before after processes
    processes=$(family | tr '\n' ' ') # the same ones each time: the keeper has children now and then
    for ((r = 0; r < rounds; r++)); do
        for kind in plain prepaid subscr; do
            before=$(cpu_ns)
            ask $kind 20000 || fail "$kind: $(cat "$dir/load.json")"
            sleep 0.2 # the last commit is its request's too
            after=$(cpu_ns)
            echo "$r $kind $(((after - before) / 20000))" >>"$dir/rounds"
        done
    done
    awk '{ v[$1, $2] = $3; n = $1 + 1 }
        function median(kind, base,   i, j, t, a) {
            for (i = 0; i < n; i++) a[i] = v[i, kind] / (base == "" ? 1000 : v[i, base])
            for (i = 0; i < n; i++) for (j = i + 1; j < n; j++) if (a[j] < a[i]) { t = a[i]; a[i] = a[j]; a[j] = t }
            return a[int(n / 2)]
        }
        END {
            printf "a request, unpriced         %6.1f us CPU of all processes\n", median("plain", "")
            printf "  prepaid with quotas       %6.1f us, %5.3f of that\n", median("prepaid", ""), median("prepaid", "plain")
            printf "  with a plan               %6.1f us, %5.3f of that\n", median("subscr", ""), median("subscr", "plain")
        }' "$dir/rounds"
}

# Instructions of the worker since the last dump.
dump() {
    vgdb --pid="$worker" dump >/dev/null 2>&1
    sed -n 's/^\(totals\|summary\): \([0-9]*\).*/\2/p' \
        "$(find "$dir" -name "cg.$worker.*" -printf '%T@ %p\n' | sort -n | sed -n '$s/.* //p')" |
        tail -n 1
}

instructions() { # KIND: a request
    local one two
    dump >/dev/null
    ask "$1" 300 || fail "$1: $(cat "$dir/load.json")"
    one=$(dump)
    ask "$1" 900 || fail "$1: $(cat "$dir/load.json")"
    two=$(dump)
    echo $(((two - one) / 600))
}

cost_in_instructions() {
    local plain prepaid subscr
    command -v valgrind >/dev/null || {
        echo "no valgrind: no instructions counted" >&2
        return
    }
    start vg valgrind -q --tool=callgrind --trace-children=yes "--callgrind-out-file=$dir/cg.%p"
    ask plain 300 && ask prepaid 300 && ask subscr 300 || fail "warming up"
    worker=$("$build/sub2apictl" -s "$dir/vg/admin.sock" --json status |
        sed -n 's/.*{"kind":"worker"[^}]*"pid":\([0-9]*\).*/\1/p')
    [ -n "$worker" ] || fail "no worker under valgrind"
    plain=$(instructions plain) prepaid=$(instructions prepaid) subscr=$(instructions subscr)
    awk -v a="$plain" -v b="$prepaid" -v c="$subscr" 'BEGIN {
        printf "a request, unpriced         %6d instructions of the worker\n", a
        printf "  prepaid with quotas       %6d, %5.3f of that\n", b, b / a
        printf "  with a plan               %6d, %5.3f of that\n", c, c / a }'
}

case "$skip" in *" store "*) ;; *)
    "$build/bench-ledger" "$dir/store" --records "${LEDGER_RECORDS:-10000000}" || exit 1
    rm -rf "$dir/store"
    ;;
esac
next_port
fake_port=$port
"$build/fake-provider" --listen "127.0.0.1:$fake_port" --no-record --quiet &
pids+=($!)
start gw
for kind in plain prepaid subscr; do ask $kind 2000 || fail "$kind: $(cat "$dir/load.json")"; done
cost_in_cpu
case "$skip" in *" instructions "*) ;; *) cost_in_instructions ;; esac

#!/bin/sh
# run.sh [BUILD] - what `make bench` does: direct, nginx and the gateway side by side in interleaved
# rounds of one run, then exact counts, then one table with ratios to nginx and the aims.
#
# Times on a shared machine move by a third; ratios inside a round hold. System calls and
# instructions are exact. Everything is bounded and everything started here is stopped at the end.
#
#   BENCH_ROUNDS=5  rounds        BENCH_SKIP="counts memory"  parts to leave out
#   BENCH_OUT=FILE  also keep the raw JSON lines of every run
#   BENCH_PROFILE=1 also print where the gateway's instructions go
set -u
build=${1:-build}
rounds=${BENCH_ROUNDS:-5}
skip=${BENCH_SKIP:-}
dir=$(mktemp -d "${TMPDIR:-/tmp}/sub2api-bench.XXXXXX") || exit 1
pids=
result=0
load=$build/bench-load
fake=$build/fake-provider
here=$(dirname "$0")
nginx=$(command -v nginx || echo /usr/sbin/nginx)

cleanup() {
    for p in $pids; do
        kill "$p" 2>/dev/null
    done
    sleep 0.5
    for p in $pids; do
        kill -9 "$p" 2>/dev/null
    done
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

say() { printf '%s\n' "$*"; }
fail() {
    say "bench: $*" >&2
    exit 1
}
skips() { case " $skip " in *" $1 "*) return 0 ;; esac; return 1; }
keep() { [ -z "${BENCH_OUT:-}" ] || printf '%s\n' "$*" >>"$BENCH_OUT"; }

# field NAME: the number of that name in a line of JSON
field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"; }

# A port nobody listens on, different each time.
port=$((20000 + $$ % 20000))
next_port() {
    port=$((port + 1))
    while grep -qi ":$(printf '%04X' "$port") " /proc/net/tcp; do
        port=$((port + 1))
    done
}

wait_port() { # PORT SECONDS
    n=0
    while ! grep -qi "0100007F:$(printf '%04X' "$1") 00000000:0000 0A" /proc/net/tcp; do
        n=$((n + 1))
        [ "$n" -lt $(($2 * 20)) ] || return 1
        sleep 0.05
    done
}

start_fake() {
    next_port
    fake_port=$port
    "$fake" --listen "127.0.0.1:$fake_port" --no-record --quiet &
    fake_pid=$!
    pids="$pids $fake_pid"
    wait_port "$fake_port" 5 || fail "$fake does not start"
}

nginx_conf() { # FILE PORT MASTER
    cat >"$1" <<END
daemon off;
master_process $3;
worker_processes 1;
worker_rlimit_nofile 30000;
$([ "$(id -u)" != 0 ] || echo 'user root;')
pid $dir/nginx-$2.pid;
error_log $dir/nginx.err;
events { worker_connections 20000; }
http {
    access_log off;
    client_body_buffer_size 1m;
    client_max_body_size 64m;
    client_body_temp_path $dir/t1;
    proxy_temp_path $dir/t2;
    fastcgi_temp_path $dir/t3;
    uwsgi_temp_path $dir/t4;
    scgi_temp_path $dir/t5;
    keepalive_requests 100000000;
    upstream provider {
        server 127.0.0.1:$fake_port;
        keepalive 512;
        keepalive_requests 100000000;
    }
    server {
        listen 127.0.0.1:$2;
        location / {
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 120s;
        }
    }
}
END
}

start_nginx() {
    next_port
    nginx_port=$port
    nginx_conf "$dir/nginx.conf" "$nginx_port" on
    "$nginx" -p "$dir" -c "$dir/nginx.conf" 2>>"$dir/nginx.err" &
    nginx_pid=$!
    pids="$pids $nginx_pid"
    wait_port "$nginx_port" 5 || fail "nginx does not start: $(cat "$dir/nginx.err")"
}

gateway_ini() { # FILE PORT DIR
    mkdir -p "$3"
    cat >"$1" <<END
[master]
workers = 1
log_level = warn
[http]
listen = 127.0.0.1:$2
conns_per_address = 4096
requests_per_conn = 10000
[upstream]
allow_http = yes
allow_private = yes
[store]
dir = $3/data
map_bytes = 1g
[admin]
socket = $3/admin.sock
END
}

# Creates the account and the key; the key is the script's own, so every gateway takes it.
provision() { # SOCKET
    ctl="$build/sub2apictl -s $1"
    printf 'none' >"$dir/upstream.key"
    printf '%s' "$gateway_key" >"$dir/gateway.key"
    $ctl account add --name fake --platform openai --base-url "http://127.0.0.1:$fake_port" \
        --api-key-file "$dir/upstream.key" --dialects chat,responses >"$dir/ctl.out" 2>&1 &&
        $ctl user add --name bench >>"$dir/ctl.out" 2>&1 &&
        $ctl key create --user bench --name bench --key-file "$dir/gateway.key" --json \
            >>"$dir/ctl.out" 2>&1 || fail "sub2apictl: $(cat "$dir/ctl.out")"
}

answers() { # PORT: a first request is answered, within some seconds
    n=0
    while ! "$load" --port "$1" --key "$gateway_key" --connections 1 --requests 1 --seconds 3 \
        >/dev/null 2>&1; do
        n=$((n + 1))
        [ "$n" -lt 40 ] || return 1
        sleep 0.25
    done
}

start_gateway() {
    next_port
    gateway_port=$port
    gateway_key=sk-bench-0123456789abcdefghijABCDEFGHIJ01
    gateway_ini "$dir/gateway.ini" "$gateway_port" "$dir/gw"
    "$build/sub2api" -c "$dir/gateway.ini" >"$dir/gateway.log" 2>&1 &
    gateway_pid=$!
    pids="$pids $gateway_pid"
    wait_port "$gateway_port" 20 || fail "the gateway does not start: $(tail -n 5 "$dir/gateway.log")"
    n=0
    while [ ! -S "$dir/gw/admin.sock" ] && [ $n -lt 100 ]; do
        n=$((n + 1))
        sleep 0.1
    done
    provision "$dir/gw/admin.sock"
    answers "$gateway_port" || fail "the gateway does not answer: $(tail -n 5 "$dir/gateway.log")"
}

# family PID: it and its children
family() {
    printf '%s ' "$1"
    # By cat: awk itself stops at the first process that ends meanwhile, and sums come out too small.
    cat /proc/[0-9]*/stat 2>/dev/null | awk -v parent="$1" '{ s = $0; sub(/.*\) /, "", s)
        split(s, f, " "); if (f[2] == parent) printf "%s ", $1 }'
}

# CPU nanoseconds, user and system, of a list of processes
cpu_ns() {
    total=0
    for p in "$@"; do
        read -r ns _ <"/proc/$p/schedstat" 2>/dev/null && total=$((total + ns))
    done
    echo "$total"
}

# The worker: the process of a family that works most while requests are served.
worker_of() { # PID PORT
    family_now=$(family "$1")
    for p in $family_now; do
        printf '%s %s\n' "$p" "$(cpu_ns "$p")"
    done >"$dir/worker.before"
    "$load" --port "$2" --key "$gateway_key" --connections 1 --requests 200 >/dev/null
    while read -r p ns; do
        printf '%s %s\n' "$(($(cpu_ns "$p") - ns))" "$p"
    done <"$dir/worker.before" | sort -n | sed -n '$s/.* //p'
}

target_port() { eval "echo \$${1}_port"; }
target_pid() { eval "echo \$${1}_pid"; }

# measure WORK TARGET UNITS-A-REQUEST OPTION...: one line in rounds.txt
# work target cpu-us-a-unit rps p50 p99 ttfb errors
measure() {
    work=$1 target=$2 units=$3
    shift 3
    family_now=$(family "$(target_pid "$target")")
    # shellcheck disable=SC2086
    before=$(cpu_ns $family_now)
    json=$("$load" --port "$(target_port "$target")" --key "$gateway_key" --seconds 30 "$@")
    # shellcheck disable=SC2086
    after=$(cpu_ns $family_now)
    [ "$(printf '%s' "$json" | field errors)" = 0 ] ||
        say "$work $target: $(printf '%s' "$json" | field errors) errors, the last with status \
$(printf '%s' "$json" | field bad_status); log: $(tail -n 3 "$dir/gateway.log")" >&2
    keep "{\"work\":\"$work\",\"target\":\"$target\",\"cpu_ns\":$((after - before)),\"load\":$json}"
    printf '%s\n' "$json" | sed 's/"[^"]*"://g; s/[^0-9.,]//g; s/,/ /g' | awk -v w="$work" -v t="$target" \
        -v cpu=$((after - before)) -v units="$units" \
        '{ total = $1 + $2; if (total == 0) total = 1;
           print w, t, cpu / 1000 / total / units, $4, $6, $8, $10, $2 }' >>"$dir/rounds.txt"
}

round() { # the order turns, so that nobody is always first
    for target in $1; do
        measure small "$target" 1 --connections 64 --requests 20000 --body 2048
        measure large "$target" 1 --connections 16 --requests 2000 --body 200000
        measure chunk "$target" 100 --connections 32 --requests 200 --stream --model fake-n100
        measure single "$target" 1 --connections 1 --requests 2000 --body 2048
        measure first "$target" 1 --connections 1 --requests 500 --stream --model fake-n3
    done
}

run_rounds() {
    orders='direct nginx gateway|gateway direct nginx|nginx gateway direct'
    direct_port=$fake_port
    direct_pid=$fake_pid
    for target in direct nginx gateway; do # everybody warm, connections made
        "$load" --port "$(target_port $target)" --key "$gateway_key" --requests 2000 >/dev/null
    done
    r=0
    while [ "$r" -lt "$rounds" ]; do
        round "$(echo "$orders" | cut -d'|' -f$((r % 3 + 1)))"
        r=$((r + 1))
        say "round $r of $rounds" >&2
    done
}

pss_kb() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }

# KiB of user memory a stream that is open and silent costs
memory() { # TARGET
    worker=$(worker_of "$(target_pid "$1")" "$(target_port "$1")")
    before=$(pss_kb "$worker")
    "$load" --port "$(target_port "$1")" --key "$gateway_key" --connections 1000 --hold 4 \
        --seconds 20 --model fake-n2-gap60000 >"$dir/hold.out" &
    hold_pid=$!
    pids="$pids $hold_pid"
    n=0
    while [ ! -s "$dir/hold.out" ] && [ $n -lt 150 ]; do
        n=$((n + 1))
        sleep 0.1
    done
    sleep 1
    after=$(pss_kb "$worker")
    wait "$hold_pid"
    opened=$(field open <"$dir/hold.out")
    [ "${opened:-0}" = 1000 ] || say "$1: only ${opened:-0} of 1000 streams opened" >&2
    awk -v a="$before" -v b="$after" -v t="$1" 'BEGIN { print "memory", t, (b - a) / 1000 }' \
        >>"$dir/counts.txt"
}

# System calls of the worker over COUNT units
calls() { # NAME TARGET UNITS OPTION...
    name=$1 target=$2 units=$3
    shift 3
    port_now=$(target_port "$target")
    worker=$(worker_of "$(target_pid "$target")" "$port_now")
    strace -qq -c -f -o "$dir/strace.$target" -p "$worker" &
    strace_pid=$!
    pids="$pids $strace_pid"
    n=0
    while ! grep -q 'TracerPid:[[:space:]]*[1-9]' "/proc/$worker/status" && [ $n -lt 50 ]; do
        n=$((n + 1))
        sleep 0.1
    done
    sleep 0.3
    "$load" --port "$port_now" --key "$gateway_key" --connections 1 --seconds 60 "$@" >/dev/null
    kill -INT "$strace_pid" 2>/dev/null
    wait "$strace_pid" 2>/dev/null
    keep "{\"strace\":\"$name\",\"target\":\"$target\",\"units\":$units}"
    awk -v n="$name" -v t="$target" -v u="$units" \
        '$NF == "total" { print n, t, $4 / u }' "$dir/strace.$target" >>"$dir/counts.txt"
    [ -z "${BENCH_OUT:-}" ] || cat "$dir/strace.$target" >>"$BENCH_OUT"
}

# A target of its own under valgrind; sets valgrind_pid (the worker) and valgrind_port.
start_valgrind() { # TARGET
    next_port
    valgrind_port=$port
    vg="valgrind -q --tool=callgrind --trace-children=yes --callgrind-out-file=$dir/cg.%p"
    if [ "$1" = nginx ]; then
        nginx_conf "$dir/vg-nginx.conf" "$valgrind_port" off
        $vg "$nginx" -p "$dir" -c "$dir/vg-nginx.conf" 2>>"$dir/nginx.err" &
    else
        gateway_ini "$dir/vg.ini" "$valgrind_port" "$dir/vg"
        $vg "$build/sub2api" -c "$dir/vg.ini" >"$dir/vg.log" 2>&1 &
    fi
    top_pid=$!
    pids="$pids $top_pid"
    wait_port "$valgrind_port" 60 || return 1
    if [ "$1" = gateway ]; then
        n=0
        while [ ! -S "$dir/vg/admin.sock" ] && [ $n -lt 300 ]; do
            n=$((n + 1))
            sleep 0.1
        done
        provision "$dir/vg/admin.sock"
    fi
    answers "$valgrind_port" || return 1
    valgrind_pid=$(worker_of "$top_pid" "$valgrind_port")
}

# Instructions of everything since the last dump.
dump() {
    vgdb --pid="$valgrind_pid" dump >/dev/null 2>&1
    last=$(ls -t "$dir/cg.$valgrind_pid".* 2>/dev/null | head -n 1)
    sed -n 's/^\(totals\|summary\): \([0-9]*\).*/\2/p' "$last" | tail -n 1
}

# Instructions a unit: the difference of two runs, the second with twice as many units.
instructions() { # NAME TARGET UNITS-OF-DIFFERENCE FIRST-OPTIONS SECOND-OPTIONS SECOND-UNITS
    dump >/dev/null
    # shellcheck disable=SC2086
    "$load" --port "$valgrind_port" --key "$gateway_key" --connections 1 --seconds 120 $4 >/dev/null
    dump >"$dir/one"
    read -r one <"$dir/one"
    # shellcheck disable=SC2086
    "$load" --port "$valgrind_port" --key "$gateway_key" --connections 1 --seconds 120 $5 >/dev/null
    dump >"$dir/two" # not in a subshell: it sets last
    read -r two <"$dir/two"
    awk -v n="$1" -v t="$2" -v a="${one:-0}" -v b="${two:-0}" -v u="$3" \
        'BEGIN { print n, t, (b - a) / u }' >>"$dir/counts.txt"
    [ -z "${BENCH_PROFILE:-}" ] || [ "$2" = nginx ] || profile "$1" "$6"
}

# Where the instructions of the last run went, function by function.
profile() { # NAME UNITS
    printf '\n%s: own instructions a unit, and share\n' "$1" >>"$dir/profile.txt"
    awk -f "$here/profile.awk" "$last" | sort -rn | head -n 40 |
        awk -v u="$2" '{ $1 = sprintf("%8.0f", $1 / u); print }' >>"$dir/profile.txt"
}

count_instructions() {
    for target in nginx gateway; do
        start_valgrind $target || fail "$target does not run under valgrind: $(tail -n 3 "$dir/vg.log")"
        instructions instr_small $target 300 "--requests 300 --body 2048" \
            "--requests 600 --body 2048" 600
        instructions instr_large $target 50 "--requests 50 --body 200000" \
            "--requests 100 --body 200000" 100
        instructions instr_chunk $target 1000 "--requests 10 --stream --model fake-n50-gap4" \
            "--requests 10 --stream --model fake-n150-gap4" 1500
        kill "$top_pid"
        wait "$top_pid" 2>/dev/null
    done
}

count_calls() {
    for target in nginx gateway; do
        calls calls_small $target 1000 --requests 1000 --body 2048
        calls calls_large $target 200 --requests 200 --body 200000
        calls calls_chunk $target 1000 --requests 10 --stream --model fake-n100-gap2
    done
}

table() {
    touch "$dir/counts.txt"
    awk -v rounds="$rounds" -f "$here/table.awk" "$dir/rounds.txt" "$dir/counts.txt"
}

[ -x "$load" ] && [ -x "$fake" ] && [ -x "$build/sub2api" ] || fail "build first: make programs bench-load"
[ -x "$nginx" ] || fail "nginx is missing: apt-get install nginx-light"
start_fake
start_nginx
start_gateway
run_rounds
skips memory || for target in nginx gateway; do memory $target; done
if ! skips counts; then
    command -v strace >/dev/null && count_calls || say "no strace: no system calls counted" >&2
    command -v valgrind >/dev/null && count_instructions ||
        say "no valgrind: no instructions counted" >&2
fi
table || result=1
[ ! -s "$dir/profile.txt" ] || cat "$dir/profile.txt"
exit $result

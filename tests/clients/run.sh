#!/bin/bash
# run.sh [PART...] - the official SDKs as clients of the gateway, in front of the fake provider.
#
# Parts: openai anthropic genai matrix (all of them unless given), cli (the command line programs, only when
# asked for). SUB2API, SUB2APICTL and FAKE_PROVIDER name other programs than those in build/.
# CLIENTS_KEEP=1 keeps the directory with the gateway's log and store.
#
# Prints "ok clients NAME" or "FAIL clients NAME: why" a test and "N passed, N failed" at the end.
# Everything speaks to loopback, but npm, once, to install what package.json names.
set -u
cd "$(dirname "$0")" || exit 1
here=$PWD
root=$(cd ../.. && pwd)
build=${B:-build}
case $build in /*) ;; *) build=$root/$build ;; esac
umask 077
dir=
fake=
gateway=
main=

say() { printf '%s\n' "$*"; }

# One line for a cause that leaves nothing to run.
die() {
    say "FAIL clients $*"
    say "0 passed, 1 failed"
    exit 1
}

# stop PID: asked first, then not asked; its status
stop() {
    local tries=0
    kill -TERM "$1" 2>/dev/null
    while kill -0 "$1" 2>/dev/null && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

finish() {
    [ -z "$main" ] || stop "$main"
    [ -z "$gateway" ] || stop "$gateway"
    [ -z "$fake" ] || stop "$fake"
    gateway=
    fake=
    [ -z "$dir" ] || [ -n "${CLIENTS_KEEP:-}" ] || rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# program NAME: the one under sanitizers if it is there
program() {
    if [ -x "$build/asan/$1" ]; then say "$build/asan/$1"; else say "$build/$1"; fi
}

# install DIRECTORY: what its package.json names, once
install() {
    local stamp
    stamp=$1/node_modules/.installed-$(cksum <"$1/package.json" | tr ' ' -)
    [ ! -e "$stamp" ] || return 0
    command -v npm >/dev/null 2>&1 || "$root/tests/deps.sh" test || return 1
    local tries=0
    while [ $tries -lt 3 ]; do # the network may have a bad moment
        tries=$((tries + 1))
        rm -rf "$1/node_modules"
        if (cd "$1" && timeout --kill-after=5 240 npm install --no-save) \
            >"$dir/npm.log" 2>&1 </dev/null; then
            : >"$stamp"
            return 0
        fi
    done
    tail -n 20 "$dir/npm.log"
    return 1
}

# await PATTERN FILE PID: true when the line is there, false when the process is gone
await() {
    local tries=0
    until grep -q "$1" "$2"; do
        kill -0 "$3" 2>/dev/null && [ $tries -lt 200 ] || return 1
        tries=$((tries + 1))
        sleep 0.05
    done
}

start_fake() {
    : >"$dir/fake.log"
    say "sk-provider-$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')" >"$dir/provider.key"
    "${FAKE_PROVIDER:-$build/fake-provider}" --listen 127.0.0.1:0 --with-parent \
        --api-key "$(cat "$dir/provider.key")" >"$dir/fake.log" 2>&1 &
    fake=$!
    await '^listening' "$dir/fake.log" "$fake" || die "start: the fake provider does not listen"
    fake_url=$(sed -n 's/^listening on //p' "$dir/fake.log")
}

ctl() { "$ctl_program" -s "$socket" "$@"; }

# try_gateway PORT: true when it serves there
try_gateway() {
    local tries=0
    "$gateway_program" -c "$dir/sub2api.ini" --set "http.listen=127.0.0.1:$1" \
        >"$dir/gateway.log" 2>&1 &
    gateway=$!
    until ctl status >/dev/null 2>&1; do
        kill -0 "$gateway" 2>/dev/null && [ $tries -lt 200 ] || return 1
        tries=$((tries + 1))
        sleep 0.05
    done
}

# The kernel names a port that was free a moment ago; somebody may take it, so a few tries.
start_gateway() {
    local port tries=0
    printf '%s\n' '[master]' 'workers = 2' 'grace = 2s' '[upstream]' 'allow_http = yes' \
        'allow_private = yes' '[store]' "dir = $dir/store" 'map_bytes = 256m' '[admin]' \
        "socket = $socket" >"$dir/sub2api.ini"
    while [ $tries -lt 5 ]; do
        tries=$((tries + 1))
        port=$("$node" -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {
            console.log(s.address().port); s.close(); })')
        url=http://127.0.0.1:$port
        try_gateway "$port" && return 0
        stop "$gateway"
        gateway=
    done
    tail -n 20 "$dir/gateway.log"
    die "start: the gateway does not serve"
}

# make_key NAME GROUP: prints it
make_key() {
    ctl --json key create --user clients --name "$1" --group "$2" | tr -d '\n' |
        sed -n 's/.*"key" *: *"\([^"]*\)".*/\1/p'
}

# What fails on purpose has an account of its own: its cooling must not meet the other tests.
fill() {
    local name
    ctl group add --name errors >/dev/null || return 1
    for name in default errors; do
        ctl account add --name "$name" --platform openai --base-url "$fake_url" --group "$name" \
            --api-key-file "$dir/provider.key" --dialects chat,responses,anthropic,gemini \
            >/dev/null || return 1
    done
    ctl user add --name clients >/dev/null || return 1
    key=$(make_key default default) && key_errors=$(make_key errors errors) &&
        [ -n "$key" ] && [ -n "$key_errors" ] && fill_matrix
}

# For the matrix each dialect has an account that speaks nothing else, in a group of its own, and a
# second one for what fails on purpose. keys_json names the keys by their groups.
fill_matrix() {
    local dialect name made
    keys_json=
    for dialect in chat responses anthropic gemini; do
        for name in $dialect errors-$dialect; do
            ctl group add --name "$name" >/dev/null || return 1
            ctl account add --name "$name" --platform "$(platform_of "$dialect")" \
                --base-url "$fake_url" --group "$name" --api-key-file "$dir/provider.key" \
                --dialects "$dialect" >/dev/null || return 1
            made=$(make_key "$name" "$name")
            [ -n "$made" ] || return 1
            keys_json="$keys_json${keys_json:+,}\"$name\":\"$made\""
        done
    done
    keys_json="{$keys_json}"
}

platform_of() {
    case $1 in anthropic | gemini) say "$1" ;; *) say openai ;; esac
}

parts=${*:-openai anthropic genai matrix}
dir=$(mktemp -d "${TMPDIR:-/tmp}/sub2api-clients-XXXXXX") || exit 1
install "$here" || die "install: npm could not install what tests/clients/package.json names"
case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
node=$here/node_modules/node-linux-$arch/bin/node
"$node" --version >/dev/null 2>&1 || die "install: $node does not run"

case " $parts " in
*" cli "*)
    seconds=1800
    install "$here/cli" || say "note clients cli: npm could not install it, skipped"
    ;;
*) seconds=120 ;;
esac

# In a network of its own nothing can call out, and no port is taken. Where that is not allowed, the
# tests themselves refuse what is not loopback.
if [ -z "${CLIENTS_ALONE:-}" ]; then
    alone=-rn
    [ "$(id -u)" != 0 ] || alone=-n
    # shellcheck disable=SC2086 # words are wanted
    if unshare $alone ip link set lo up 2>/dev/null; then
        rm -rf "$dir"
        export CLIENTS_ALONE=1
        exec unshare $alone sh -c 'ip link set lo up; exec bash run.sh "$@"' sh $parts
    fi
fi

gateway_program=${SUB2API:-$(program sub2api)}
ctl_program=${SUB2APICTL:-$(program sub2apictl)}
socket=$dir/admin.sock
start_fake
start_gateway
fill || die "start: sub2apictl could not add accounts and keys"

export GATEWAY_URL=$url GATEWAY_KEY=$key GATEWAY_KEYS=$keys_json GATEWAY_KEY_ERRORS=$key_errors FAKE_URL=$fake_url
export FAKE_KEY SUB2APICTL=$ctl_program SUB2API_SOCKET=$socket CLIENTS_DIR=$dir
FAKE_KEY=$(cat "$dir/provider.key")
unset OPENAI_API_KEY OPENAI_BASE_URL ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL \
    GEMINI_API_KEY GOOGLE_API_KEY GOOGLE_GEMINI_BASE_URL HTTP_PROXY HTTPS_PROXY ALL_PROXY \
    http_proxy https_proxy all_proxy NODE_OPTIONS
# shellcheck disable=SC2086 # words are wanted
timeout --kill-after=5 $seconds "$node" main.mjs $parts >"$dir/main.log" 2>&1 &
main=$!
wait $main # in the background, so that a signal ends the wait and everything with it
status=$?
main=
grep -v '^[0-9]* passed, [0-9]* failed$' "$dir/main.log"
read -r passed failed < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$dir/main.log")
passed=${passed:-0}
failed=${failed:-0}

# check NAME STATUS WHY [LOG]: one more test
check() {
    if [ "$2" = 0 ]; then
        say "ok clients $1"
        passed=$((passed + 1))
    else
        say "FAIL clients $1: $3"
        [ $# -lt 4 ] || tail -n 30 "$4"
        failed=$((failed + 1))
    fi
}

[ $status -lt 2 ] || check main 1 "ended with status $status"
stop "$gateway"
check "the gateway stops in good order" $? "it ended with status $?" "$dir/gateway.log"
gateway=
! grep -qE 'ERROR: AddressSanitizer|runtime error:|LeakSanitizer' "$dir/gateway.log"
check "no sanitizer complains" $? "see the log" "$dir/gateway.log"
say "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]

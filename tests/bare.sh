#!/bin/bash
# bare.sh [SUITE...] - the README's two commands in a freshly debootstrapped Debian with nothing
# else installed: `make run` must serve a request, `make test` must end with no failure.
#
# Suites: bookworm and trixie by default. BARE_MIRROR names another mirror than debootstrap's own,
# BARE_DIR the folder that holds the roots (default build/bare; the packages fetched are kept there
# for the next time).
# BARE_STEPS="run" leaves out the second command.
set -u
cd "$(dirname "$0")/.." || exit 1
mirror=${BARE_MIRROR:-}
dir=${BARE_DIR:-$PWD/build/bare}
steps=${BARE_STEPS:-run test}
passed=0
failed=0
root=

[ "$(id -u)" = 0 ] || { echo "bare.sh: chroot needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "bare.sh: debootstrap is missing" >&2; exit 1; }

ok() { passed=$((passed + 1)); echo "ok bare $*"; }
bad() { failed=$((failed + 1)); echo "FAIL bare $*"; }

leave() {
    [ -n "$root" ] || return
    local mount
    for mount in dev/shm dev proc; do
        mountpoint -q "$root/$mount" && umount -l "$root/$mount"
    done
    root=
}
trap leave EXIT
trap 'exit 130' INT TERM

# inside SECONDS COMMAND: in the root, as root, with a plain environment
inside() {
    local seconds=$1
    shift
    timeout --kill-after=10 "$seconds" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LANG=C.UTF-8 ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
        ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt} \
        chroot "$root" sh -c "$*"
}

make_root() {
    local suite=$1
    root=$dir/$suite
    mkdir -p "$dir/cache-$suite"
    [ ! -d "$root" ] || rm -rf --one-file-system "$root"
    if ! timeout 900 debootstrap --variant=minbase --cache-dir="$dir/cache-$suite" "$suite" "$root" \
        ${mirror:+"$mirror"} >"$dir/$suite.debootstrap.log" 2>&1; then
        tail -n 5 "$dir/$suite.debootstrap.log"
        return 1
    fi
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    # Where a proxy with a certificate of its own stands before the registries, it must be known.
    cp -r /usr/local/share/ca-certificates "$root/usr/local/share/" 2>/dev/null
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev" && mount --make-rslave "$root/dev"
    mkdir -p "$root/root/sub2api"
    git archive HEAD | tar -x -C "$root/root/sub2api"
}

# The first command serves, and its own curl line (without curl: by bash) gets an answer.
try_run() {
    local suite=$1 log=$dir/$1.run.log pid key tries=0 answer
    : >"$log"
    inside 900 "cd /root/sub2api && exec make run" >"$log" 2>&1 &
    pid=$!
    until key=$(sed -n 's/^ *gateway key *\([^ ]*\)$/\1/p' "$log") && [ -n "$key" ] &&
        grep -q 'Stop: Ctrl-C' "$log"; do
        tries=$((tries + 1))
        if [ $tries -gt 900 ] || ! kill -0 $pid 2>/dev/null; then
            bad "$suite run: no key was printed"
            tail -n 20 "$log"
            kill $pid 2>/dev/null
            wait $pid
            return
        fi
        sleep 1
    done
    ok "$suite run: starts after $tries s and prints a key"
    answer=$(ask "$key")
    case $answer in
    *'200 OK'*'"choices"'*) ok "$suite run: answers a chat request" ;;
    *) bad "$suite run: said ${answer:0:300}" ;;
    esac
    inside 60 "cd /root/sub2api && build/sub2apictl stop" >>"$log" 2>&1
    wait $pid && ok "$suite run: stops in good order" || bad "$suite run: ended with $?"
}

ask() {
    local body='{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'
    timeout 20 bash -c '
        exec 3<>/dev/tcp/127.0.0.1/8080
        printf "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n%s\r\n%s\r\n%s\r\n\r\n%s" \
            "authorization: Bearer $1" "content-type: application/json" "content-length: ${#2}" "$2" >&3
        cat <&3' ask "$1" "$body"
}

try_test() {
    local suite=$1 log=$dir/$1.test.log last status
    inside 3600 "cd /root/sub2api && make test" >"$log" 2>&1
    status=$?
    last=$(grep -aE '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
    case $status-$last in
    0-*' passed, 0 failed') ok "$suite test: $last" ;;
    *)
        bad "$suite test: status $status, ${last:-no last line}"
        grep -aE '^(FAIL|not ok) ' "$log" | head -n 20
        [ -n "$last" ] || tail -n 20 "$log"
        ;;
    esac
}

for suite in ${*:-bookworm trixie}; do
    mkdir -p "$dir"
    if ! make_root "$suite"; then
        # Another suite's packages may not be reachable from here: that is said, not hidden.
        [ "$suite" = bookworm ] && bad "$suite: no root" || echo "skip bare $suite: no root can be made"
        leave
        continue
    fi
    # The README's first line.
    if ! inside 600 "apt-get update -qq && apt-get install -y -qq make git >/dev/null" \
        >"$dir/$suite.first.log" 2>&1; then
        bad "$suite: apt-get install make git"
        tail -n 5 "$dir/$suite.first.log"
    else
        for step in $steps; do "try_$step" "$suite"; done
    fi
    leave
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]

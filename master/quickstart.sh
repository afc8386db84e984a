#!/bin/sh
# quickstart.sh [BUILD [ARGUMENT...]] - what `make run` does once everything is built: the gateway
# in the foreground with its data in ./data, a fresh gateway key, and lines to paste. When the store
# has no account, the bundled fake provider becomes the account "demo". Everything ends together.
#
# Further arguments go to the gateway, for example --set http.listen=127.0.0.1:9000.
set -u
build=${1:-build}
[ $# = 0 ] || shift
umask 077
gateway=
fake=

say() { printf '%s\n' "$*"; }

finish() {
    [ -z "$fake" ] || kill "$fake" 2>/dev/null
}

die() {
    say "make run: $*" >&2
    [ -z "$gateway" ] || kill -TERM "$gateway" 2>/dev/null
    [ -z "$gateway" ] || wait "$gateway"
    finish
    exit 1
}

# setting SECTION KEY: the first effective value, as the gateway itself sees it
setting() {
    printf '%s\n' "$settings" |
        sed -n "/^\[$1\]/,/^\[/s/^$2 *= *//p" | sed -n 1p
}

# field NAME: the text of a JSON member, from standard input
field() {
    tr -d '\n' | sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p"
}

ctl() { "$build/sub2apictl" -s "$socket" "$@"; }

# The demo speaks plain HTTP to a loopback port, which real accounts have no business to do.
set -- --set upstream.allow_http=yes --set upstream.allow_private=yes "$@"
settings=$("$build/sub2api" "$@" --check) || exit 1
socket=$(setting admin socket)
address=$(setting http listen)
dir=$(setting store dir)

"$build/sub2api" "$@" &
gateway=$!
# A terminal's Ctrl-C reaches the gateway as well; it counts the two as one.
trap 'kill -TERM "$gateway" 2>/dev/null' INT TERM HUP

tries=0
until ctl status >/dev/null 2>&1; do
    if ! kill -0 "$gateway" 2>/dev/null; then
        wait "$gateway"
        code=$?
        say "make run: the gateway did not start (its reason stands above)." >&2
        say "If $address is taken: make run RUN='--set http.listen=127.0.0.1:8081'" >&2
        exit $code
    fi
    tries=$((tries + 1))
    [ $tries -lt 300 ] || die "the gateway does not answer on $socket"
    sleep 0.1
done

# start_fake PORT: true when it listens there
start_fake() {
    "$build/fake-provider" --listen "127.0.0.1:$1" --api-key "$(cat "$dir/demo.key")" --no-record \
        --with-parent >"$dir/fake-provider.log" 2>&1 &
    fake=$!
    while kill -0 "$fake" 2>/dev/null; do
        grep -qs '^listening' "$dir/fake-provider.log" && return 0
        sleep 0.05
    done
    wait "$fake"
    fake=
    return 1
}

# start_fake_somewhere FIRST-PORT: sets port
start_fake_somewhere() {
    port=$1
    until start_fake "$port"; do
        port=$((port + 1))
        [ "$port" -lt $(($1 + 100)) ] || die "no free port for the fake provider from $1 on"
    done
}

accounts=$(ctl --json account list) || die "the account list cannot be read"
demo=$(ctl --json account show demo 2>/dev/null)
if [ -n "$demo" ]; then
    stored=$(say "$demo" | field base_url | sed 's/.*:\([0-9]*\).*/\1/')
    start_fake_somewhere "${stored:-18081}"
    [ "$port" = "$stored" ] || ctl account set demo --base-url "http://127.0.0.1:$port" >/dev/null ||
        die "the demo account cannot be moved to port $port"
elif ! say "$accounts" | grep -q '"name"'; then
    head -c 18 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$dir/demo.key"
    start_fake_somewhere 18081
    ctl account add --name demo --platform openai --base-url "http://127.0.0.1:$port" \
        --api-key-file "$dir/demo.key" --dialects chat,responses,anthropic,gemini >/dev/null ||
        die "the demo account cannot be added"
    demo=yes
fi

ctl user show admin >/dev/null 2>&1 || ctl user add --name admin >/dev/null ||
    die "the user admin cannot be added"
key=$(ctl --json key create --user admin --name "quickstart-$(date +%Y%m%d-%H%M%S)-$$" | field key)
[ -n "$key" ] || die "no gateway key could be made"

case $address in
0.0.0.0:* | :*) url=http://127.0.0.1:${address##*:} ;;
*) url=http://$address ;;
esac

# The JSON in the curl line is meant as it stands.
# shellcheck disable=SC2016
cat <<END

sub2api answers at $url

  gateway key   $key
                (the store keeps only its hash: it is shown this once)
END
[ -z "$demo" ] || cat <<END

  NOTE: the account "demo" is a bundled FAKE provider on 127.0.0.1:$port. It answers at once,
  costs nothing, and what it says is made up. Add a real account:

    $build/sub2apictl account add --name openai-1 --platform openai --api-key-file FILE
    $build/sub2apictl account remove demo
END
cat <<END

  curl
    curl $url/v1/chat/completions -H 'authorization: Bearer $key' \\
      -H 'content-type: application/json' \\
      -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'

  OpenAI SDKs, Codex
    export OPENAI_BASE_URL=$url/v1
    export OPENAI_API_KEY=$key

  Anthropic SDKs, Claude Code
    export ANTHROPIC_BASE_URL=$url
    export ANTHROPIC_API_KEY=$key

  Google Gen AI SDKs, Gemini CLI
    export GOOGLE_GEMINI_BASE_URL=$url
    export GEMINI_API_KEY=$key

  What is going on: $build/sub2apictl top        Stop: Ctrl-C

END

while :; do
    wait "$gateway"
    code=$?
    kill -0 "$gateway" 2>/dev/null || break
done
finish
exit $code

#!/bin/bash
# golden.sh [--update] - one request, answer and stream of each dialect, translated into each other
# one by build/translate-vector, must be what tests/golden/<from>_to_<to>/<kind>.out has, byte for
# byte. The files have line breaks where JSON allows them, so that a difference can be read; nothing
# else about the bytes is changed.
#
# --update writes the files anew and shows what changed: a person reads it and commits it.
set -u
cd "$(dirname "$0")/../.." || exit 1
tool=${B:-build}/translate-vector
here=tests/golden
update=${1:-}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

# vector FROM TO KIND - as translate-vector reads it. Requests to Gemini have their model in the path;
# a client of chat's streams asks for usage.
vector() {
    python3 - "$@" "$here/pairs/$1-$3.json" <<'END'
import json, sys
source, target, kind, path = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    given = json.load(file)
if kind == "request" and source == "gemini":
    given = {"method": "POST", "path": "/v1beta/models/m-1:generateContent", "body": given}
client = {"model": "m-1", "max_tokens": 300, "stream_options": {"include_usage": True}}
vector = {"name": "golden", "from": source, "to": target, "kind": kind, "input": given,
          "context": {} if kind == "request" else {"client_request": client}}
print(json.dumps(vector, ensure_ascii=False, separators=(",", ":")))
END
}

# A line break and blanks behind each bracket and comma that stands outside a string.
readable() {
    awk '{
        depth = 0; quoted = 0; n = length($0)
        for (i = 1; i <= n; i++) {
            c = substr($0, i, 1)
            if (quoted) {
                printf "%s", c
                if (c == "\\") { i++; printf "%s", substr($0, i, 1) }
                else if (c == "\"") quoted = 0
                continue
            }
            if (c == "\"") quoted = 1
            if (c == "}" || c == "]") depth--
            is_end = (c == "}" || c == "]") && !empty
            if (is_end) { printf "\n"; for (d = 0; d < depth; d++) printf " " }
            printf "%s", c
            empty = 0
            if (c == "{" || c == "[") { depth++; empty = substr($0, i + 1, 1) ~ /[]}]/ }
            if (c == "," || ((c == "{" || c == "[") && !empty)) {
                printf "\n"; for (d = 0; d < depth; d++) printf " "
            }
        }
        printf "\n"
    }'
}

for from in chat responses anthropic gemini; do
    for to in chat responses anthropic gemini; do
        [ $from != $to ] || continue
        for kind in request response stream; do
            name=${from}_to_$to/$kind
            vector $from $to $kind >"$work/vector.json"
            if ! timeout 60 "$tool" "$work/vector.json" >"$work/raw" 2>"$work/err"; then
                echo "FAIL golden $name: $(head -c 300 "$work/err")"
                failed=1
                continue
            fi
            readable <"$work/raw" >"$work/out"
            if cmp -s "$work/out" "$here/$name.out"; then
                echo "ok golden $name"
            elif [ "$update" = --update ]; then
                mkdir -p "$here/${from}_to_$to"
                diff -u "$here/$name.out" "$work/out"
                cp "$work/out" "$here/$name.out"
            else
                echo "FAIL golden $name: $(diff "$here/$name.out" "$work/out" | head -n 6 | tr '\n' ' ')"
                failed=1
            fi
        done
    done
done
exit $failed

#!/bin/bash
# vectors.sh [PATTERN] - runs the vectors of tests/golden/vectors whose name has PATTERN through
# build/translate-vector and check.py: "ok" or "FAIL" a line. Streams also cut at every byte: the
# output must be the same.
cd "$(dirname "$0")/../.." || exit 1
tool=${B:-build}/translate-vector
here=tests/golden/vectors
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
for file in "$here"/*"${1:-}"*.json; do
    name=$(basename "$file" .json)
    if ! (timeout 60 "$tool" "$file" >"$work/out") 2>"$work/err"; then
        echo "FAIL vector $name: $(head -c 300 "$work/err")"
        failed=1
        continue
    fi
    if ! said=$(timeout 60 python3 "$here/check.py" eval "$file" "$work/out"); then
        echo "FAIL vector $name: $(head -c 600 <<<"$said")"
        failed=1
        continue
    fi
    if grep -q '"kind": "stream"' "$file"; then
        timeout 60 "$tool" --cut 1 "$file" >"$work/cut" 2>"$work/err"
        if ! cmp -s "$work/out" "$work/cut"; then
            echo "FAIL vector $name: another answer when cut at every byte $(head -c 300 "$work/err")"
            failed=1
            continue
        fi
    fi
    echo "ok vector $name"
done
exit $failed

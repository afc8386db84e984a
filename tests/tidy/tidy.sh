#!/bin/bash
# tidy.sh [CHECK...] - the rules of the house, read from the sources. One line a check:
# "ok tidy NAME" or "FAIL tidy NAME: where and what". All checks when none is named.
#
# TIDY_ROOT is the tree to look at (default: this one); tests/tidy/planted.sh plants a violation of
# each rule in a tree of its own and sees that it is found.
set -u
root=${TIDY_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$root" || exit 1
build=${B:-build}
folders="base http proto store shm upstream worker admin master"
failed=0
shopt -s nullglob

product() { for d in $folders; do printf '%s\n' "$d"/*.[ch]; done | sort; }
tests() { printf '%s\n' tests/*/*.[ch] tests/unit/*/*.[ch] | sort -u | sed '/^$/d'; }

# verdict NAME FINDINGS: nothing found is good.
verdict() {
    if [ -z "$2" ]; then
        echo "ok tidy $1"
    else
        failed=1
        printf '%s\n' "$2" | awk 'NR <= 20 { print } END { if (NR > 20) print "and " NR - 20 " more" }' |
            sed "s|^|FAIL tidy $1: |" | sed '2,$s/^FAIL/    /'
    fi
}

# Comments and the insides of strings become blanks; line numbers stay. Prints FILE:LINE:TEXT.
code_lines() {
    awk '
    FNR == 1 { in_comment = 0 }
    {
        text = $0; out = ""
        while (length(text) > 0) {
            if (in_comment) {
                at = index(text, "*/")
                if (at == 0) { text = ""; break }
                text = substr(text, at + 2); in_comment = 0; continue
            }
            if (match(text, /\/\*|\/\/|"([^"\\]|\\.)*"|'"'"'([^'"'"'\\]|\\.)*'"'"'/) == 0) {
                out = out text; break
            }
            found = substr(text, RSTART, RLENGTH)
            out = out substr(text, 1, RSTART - 1)
            text = substr(text, RSTART + RLENGTH)
            if (found == "/*") in_comment = 1
            else if (found == "//") text = ""
            else if (substr($0, 1, 8) == "#include") out = out found
            else out = out "\"\""
        }
        print FILENAME ":" FNR ":" out
    }' "$@" </dev/null
}

# Who may include whom. Of worker/ and admin/ the master sees the entries and the settings only.
check_layers() {
    verdict layers "$(product | xargs -r awk '
    BEGIN {
        split("base 1 http 2 proto 2 store 2 shm 2 upstream 3 worker 4 admin 4 master 5", l, " ")
        for (i = 1; i in l; i += 2) layer[l[i]] = l[i + 1]
        n = split("worker/worker.h worker/workerconf.h admin/recorder.h admin/keeper.h " \
                  "admin/exporter.h admin/adminconf.h", e, " ")
        for (i = 1; i <= n; i++) entry[e[i]] = 1
    }
    /^#include "/ {
        split($2, q, "\""); path = q[2]
        from = FILENAME; sub(/\/.*/, "", from)
        to = path; sub(/\/.*/, "", to)
        if (!(to in layer)) { print FILENAME ":" FNR ": include it from the root: " path; next }
        if (to == from) next
        if (layer[to] >= layer[from]) print FILENAME ":" FNR ": " from " must not include " path
        else if (layer[from] == 5 && layer[to] == 4 && !(path in entry))
            print FILENAME ":" FNR ": master sees only entries, not " path
    }')"
}

check_names() {
    verdict names "$(
        for d in $folders; do
            printf '%s\n' "$d"/*.c "$d"/*.h
        done | sed '/^$/d' | awk -F '[/.]' '
            ($2 in at) && at[$2] != $1 { print $0 ": " at[$2] "/ has a file of this name" }
            { at[$2] = $1 }
            $2 !~ /^[a-z0-9]+$/ { print $0 ": a base name is one word" }'
    )"
}

# What a file exports begins with the file's name.
check_symbols() {
    local archives=() found
    for d in $folders; do archives+=("$build/asan/lib$d.a"); done
    if ! found=$(${MAKE:-make} --no-print-directory -j"$(nproc)" "${archives[@]}" 2>&1); then
        verdict symbols "$(printf '%s\n' "$found" | grep -E 'error|Error' | head -n 5)"
        return
    fi
    verdict symbols "$(nm -A -g --defined-only "${archives[@]}" 2>/dev/null | awk '
        NF >= 3 {
            n = split($1, part, ":"); file = part[2]; sub(/\.o$/, "", file); name = $NF
            if (name ~ /^__/) next
            if (index(name, file "_") != 1) print part[1] ": " file ".c exports " name
        }')"
}

check_lengths() {
    verdict lengths "$( (product; tests) | xargs -r wc -l | awk '$2 != "total" && $1 > 600 {
        print $2 ": " $1 " lines, 600 are the most" }')"
}

check_functions() {
    verdict functions "$( (product; tests) | xargs -r awk '
        FNR == 1 { start = 0 }
        /^\{/ { start = FNR }
        /^\}/ && start { if (FNR - start + 1 > 70)
            print FILENAME ":" start ": a function of " FNR - start + 1 " lines, 70 are the most"
            start = 0 }')"
}

check_headers() {
    local header out
    verdict headers "$(for header in $(product | grep '\.h$'); do
        out=$(echo "#include \"$header\"" | ${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
            -I. -fsyntax-only -x c - 2>&1) || printf '%s: %s\n' "$header" "${out%%$'\n'*}"
    done)"
}

# Calls that hide a bound, a clock, a source of chance, a blocking look-up, a shell or a thread.
check_calls() {
    verdict calls "$(
        code_lines $(product) | awk -F: '
        function ban(pattern, allowed) {
            if (text ~ "(^|[^A-Za-z0-9_.>])(" pattern ")[ ]*\\(" && !(allowed != "" && file ~ allowed))
                print file ":" line ": " pattern_name(pattern)
        }
        function pattern_name(p) { return match(text, "(^|[^A-Za-z0-9_.>])(" p ")[ ]*\\(") ? \
            "banned here: " substr(text, RSTART, RLENGTH) : p }
        {
            file = $1; line = $2; text = $0; sub(/^[^:]*:[^:]*:/, "", text)
            ban("strcpy|stpcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|alloca", "")
            ban("getaddrinfo|gethostbyname", "^admin/")
            ban("time|gettimeofday|clock_gettime", "^base/clock.c$")
            ban("rand|srand|random|getrandom", "^base/rand.c$")
            ban("system|popen|setjmp|longjmp", "")
            ban("pthread_[a-z_]+", "")
        }'
        code_lines $(tests) | grep -E '[^A-Za-z0-9_.>](strcpy|strcat|sprintf|vsprintf|gets) ?\(' |
            cut -d: -f1,2 | sed 's/$/: an unbounded call/'
    )"
}

# Each package behind its one file.
check_seams() {
    verdict seams "$( (product; tests) | xargs -r awk '
        function seam(pattern, allowed) {
            if ($0 ~ "^#[ ]*include[ ]*[<\"]" pattern && FILENAME !~ allowed)
                print FILENAME ":" FNR ": only " allowed " may see " $2
        }
        /^#[ ]*include/ {
            seam("llhttp", "^http/parser.c$")
            seam("mbedtls/ssl|psa/", "^(http/tls.c|tests/)")
            seam("mbedtls", "^(http/(tls|sni|flaw).c|base/digest.c|tests/)")
            seam("lmdb", "^store/kv.c$")
            seam("libpq|postgres", "^store/pg.c$")
            seam("zlib|zstd", "^http/inflate.c$|^tests/")
        }')"
}

check_promises() {
    verdict promises "$( (product; tests) | xargs -r grep -nE '\b(TODO|FIXME|XXX|HACK)\b' /dev/null)"
}

# A certificate goes unchecked in one place, where the operator asked for it.
check_verify() {
    verdict verify "$(product | grep -v '^http/tls\.c$' | xargs -r grep -n 'VERIFY_NONE' /dev/null)"
}

check_readmes() {
    verdict readmes "$(for d in $folders; do
        [ -f "$d/README.md" ] || echo "$d/README.md is missing"
    done)"
}

# Each source has its tests under its own name. Exempt are the mains alone: master/main.c and
# admin/ctl.c read arguments and call the rest, and tests/scenario runs both as a user does.
check_mirror() {
    local file test
    verdict mirror "$(product | grep '\.c$' | while read -r file; do
        case $file in master/main.c | admin/ctl.c) continue ;; esac
        test=tests/unit/${file%/*}/test_${file##*/}
        [ -f "$test" ] || { echo "$file: there is no $test"; continue; }
        file=${file##*/}
        grep -q "^Test(${file%.c}," "$test" || echo "$test: no test of the suite ${file%.c}"
    done)"
}

check_scripts() {
    local script
    verdict scripts "$(for script in $(git ls-files '*.sh' .ci/run 2>/dev/null); do
        [ -f "$script" ] || continue
        bash -n "$script" 2>&1
        case $script in *.sh | .ci/run) [ -x "$script" ] || echo "$script is not executable" ;; esac
    done)"
}

check_ini() {
    local out
    if ! out=$(${MAKE:-make} --no-print-directory -j"$(nproc)" "$build/asan/sub2api" 2>&1); then
        verdict ini "build/asan/sub2api does not build"
        return
    fi
    verdict ini "$("$build/asan/sub2api" --print-ini | diff -u sub2api.ini - 2>&1 | head -n 20)"
}

check_format() {
    local tool=
    command -v clang-format-14 >/dev/null 2>&1 && tool=clang-format-14
    if [ -z "$tool" ]; then
        echo "note: formatting is not checked, clang-format-14 is not here"
        return
    fi
    verdict format "$( (product; tests) | xargs -r "$tool" --dry-run 2>&1 |
        grep 'warning: code should be' | cut -d: -f1 | sort | uniq -c |
        awk '{ print $2 ": " $1 " places are not formatted (make format)" }')"
}

all="layers mirror names lengths functions promises verify seams calls headers readmes scripts format symbols ini"
for check in ${*:-$all}; do
    "check_$check"
done
if [ $# = 0 ] && [ -z "${TIDY_ROOT:-}" ]; then
    bash tests/tidy/planted.sh || failed=1
fi
exit $failed

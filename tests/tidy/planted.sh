#!/bin/bash
# planted.sh - a violation of each rule, planted in a tree of its own, must be found by tidy.sh.
set -u
tidy=$(cd "$(dirname "$0")" && pwd)/tidy.sh
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
failed=0

# planted CHECK WORDS: tidy.sh must fail this check and say these words.
planted() {
    local out
    out=$(TIDY_ROOT=$tree bash "$tidy" "$1" 2>&1)
    case $out in
    "FAIL tidy $1: "*"$2"*) echo "ok tidy planted-$1" ;;
    *)
        echo "FAIL tidy planted-$1: not found: $2; said: ${out:0:200}"
        failed=1
        ;;
    esac
}

# clean CHECK: the same tree without the violation passes.
clean() {
    local out
    out=$(TIDY_ROOT=$tree bash "$tidy" "$1" 2>&1) && return
    echo "FAIL tidy planted-$1: complains of a clean tree: ${out:0:200}"
    failed=1
}

mkdir -p "$tree/base" "$tree/shm" "$tree/http" "$tree/master" "$tree/admin" "$tree/tests/unit/base"
cat >"$tree/base/good.c" <<'END'
/* strcpy(in a comment) is no call, and "time(" in a string is none. */
int
good_text(void)
{
    return sizeof("strcpy(") + my_time(0);
}
END
echo 'Test(good, text_is_long)' >"$tree/tests/unit/base/test_good.c"
touch "$tree/master/main.c" "$tree/admin/ctl.c"
for check in layers names lengths functions promises verify seams calls headers mirror; do clean $check; done

echo '#include "shm/gate.h"' >"$tree/base/upward.c"
planted layers "base must not include shm/gate.h"
rm "$tree/base/upward.c"
echo '#include "shm/gate.h"' >"$tree/http/sibling.c"
planted layers "http must not include shm/gate.h"
rm "$tree/http/sibling.c"
echo '#include "admin/users.h"' >"$tree/master/nosy.c"
planted layers "master sees only entries"
rm "$tree/master/nosy.c"
touch "$tree/shm/good.c"
planted names "has a file of this name"
rm "$tree/shm/good.c"
seq 601 | sed 's|.*|/* & */|' >"$tree/base/long.c"
planted lengths "601 lines"
rm "$tree/base/long.c"
{ echo 'void'; echo 'f(void)'; echo '{'; seq 70 | sed 's/.*/    g();/'; echo '}'; } >"$tree/base/deep.c"
planted functions "a function of 72 lines"
rm "$tree/base/deep.c"
echo "/* ${tidy:+TO}DO later */" >"$tree/base/later.c"
planted promises "later.c:1"
rm "$tree/base/later.c"
echo 'int x = MBEDTLS_SSL_VERIFY_NONE;' >"$tree/http/blind.c"
planted verify "blind.c:1"
rm "$tree/http/blind.c"
echo '#include <lmdb.h>' >"$tree/shm/store.c"
planted seams "only"
rm "$tree/shm/store.c"
printf 'void\nf(char *a)\n{\n    strcpy(a, "b");\n}\n' >"$tree/base/wild.c"
planted calls "wild.c:4"
printf 'void\nf(void)\n{\n    x = time(NULL);\n}\n' >"$tree/base/wild.c"
planted calls "wild.c:4"
rm "$tree/base/wild.c"
echo 'struct needs { size_t bytes; };' >"$tree/base/needy.h"
planted headers "needy.h"
rm "$tree/base/needy.h"
touch "$tree/base/alone.c"
planted mirror "base/alone.c: there is no tests/unit/base/test_alone.c"
echo 'Test(good, is_not_about_alone)' >"$tree/tests/unit/base/test_alone.c"
planted mirror "no test of the suite alone"
rm "$tree/base/alone.c"
touch "$tree/admin/main.c"
planted mirror "admin/main.c: there is no"
exit $failed

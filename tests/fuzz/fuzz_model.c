/*
 * fuzz_model.c - records and an admin's JSON for every kind of object.
 *
 * What decodes is encoded, and that decodes to the same object; what applies leaves an object that
 * can be shown, checked and stored, and no password of a proxy in what is shown.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/limits.h"
#include "store/match.h"
#include "store/model.h"
#include "store/object.h"

static union object object;
static union object back;
static char why[MODEL_WHY_BYTES];

static void
expect_shown(enum model_kind kind)
{
    struct buf buf;
    buf_init(&buf, RECORD_BYTES_MAX);
    CHECK(model_show(kind, &object, &buf) == ERR_OK);
    struct match_url url;
    if (kind == MODEL_ACCOUNT && match_url(str_of(object.account.proxy), &url)) {
        struct str password = url.userinfo;
        struct str user = str_cut(&password, ':');
        struct str shown = buf_str(&buf);
        bool is_starred = memmem(shown.data, shown.len, ":***@", 5) != NULL;
        CHECK(user.len == url.userinfo.len || is_starred);
    }
    buf_fini(&buf);
}

/* Compared as text: bytes behind a string's end are nobody's. */
static void
expect_same_again(enum model_kind kind)
{
    struct buf first;
    struct buf second;
    buf_init(&first, RECORD_BYTES_MAX);
    buf_init(&second, RECORD_BYTES_MAX);
    CHECK(model_encode(kind, &object, &first) == ERR_OK);
    CHECK(model_decode(kind, buf_str(&first), &back) == ERR_OK);
    CHECK(model_encode(kind, &back, &second) == ERR_OK);
    CHECK(str_equal(buf_str(&first), buf_str(&second)));
    buf_fini(&first);
    buf_fini(&second);
}

static void
match_all(void)
{
    const struct account *account = &object.account;
    struct str asked = str_of(account->name);
    (void)match_globs(account->models, asked);
    struct str sent = match_mapped(account->model_map, asked);
    CHECK(sent.len <= LIST_TEXT_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    enum model_kind kind = (enum model_kind)(data[0] % MODEL_KINDS);
    struct str json = str_make((const char *)data + 1, size - 1);
    memset(&object, 0, sizeof(object));
    memset(&back, 0, sizeof(back));
    if (model_decode(kind, json, &object) == ERR_OK) {
        expect_same_again(kind);
        expect_shown(kind);
    }
    memset(&object, 0, sizeof(object));
    model_defaults(kind, &object);
    if (model_apply(kind, &object, json, (data[0] & 0x80) == 0, why) == ERR_OK) {
        expect_same_again(kind);
        expect_shown(kind);
        enum err err = model_check(kind, &object, why);
        CHECK(err == ERR_OK || why[0] != '\0');
        if (kind == MODEL_ACCOUNT) {
            match_all();
        } else if (kind == MODEL_KEY) {
            (void)match_addresses(object.key.addresses, STR("10.1.2.3"));
        }
    } else {
        CHECK(why[0] != '\0');
    }
    return 0;
}

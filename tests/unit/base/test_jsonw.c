/*
 * The writer's commas, escapes and its sticky errors.
 */
#include <criterion/criterion.h>

#include "base/json.h"
#include "base/jsonw.h"

static bool
is_text(const struct buf *buf, const char *text)
{
    return str_equal(buf_str(buf), str_of(text));
}

Test(jsonw, writes_commas_and_nesting)
{
    struct buf buf;
    struct jsonw w;
    buf_init(&buf, 4096);
    jsonw_begin(&w, &buf);
    jsonw_object(&w);
    jsonw_put_text(&w, "a", "x");
    jsonw_put_text(&w, "none", NULL);
    jsonw_name(&w, "list");
    jsonw_array(&w);
    jsonw_i64(&w, INT64_MIN);
    jsonw_u64(&w, UINT64_MAX);
    jsonw_bool(&w, true);
    jsonw_null(&w);
    jsonw_object(&w);
    jsonw_close(&w);
    jsonw_array(&w);
    jsonw_close(&w);
    jsonw_close(&w);
    jsonw_put_i64(&w, "i", -1);
    jsonw_put_u64(&w, "u", 0);
    jsonw_put_bool(&w, "b", false);
    jsonw_put_str(&w, "s", STR("y"));
    jsonw_name(&w, "raw");
    jsonw_raw(&w, STR("[1.0]"));
    jsonw_close(&w);
    cr_assert_eq(jsonw_end(&w), ERR_OK);
    cr_assert(is_text(&buf, "{\"a\":\"x\",\"none\":null,\"list\":[-9223372036854775808,"
                            "18446744073709551615,true,null,{},[]],\"i\":-1,\"u\":0,\"b\":false,"
                            "\"s\":\"y\",\"raw\":[1.0]}"));
    buf_fini(&buf);
}

Test(jsonw, escapes_and_repairs_strings)
{
    static const struct {
        struct str value;
        const char *text;
    } cases[] = {
        { { "", 0 }, "\"\"" },
        { { NULL, 0 }, "\"\"" },
        { { "a\"b\\c/d", 7 }, "\"a\\\"b\\\\c/d\"" },
        { { "\b\f\n\r\t\x01\x1f\0", 8 }, "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u0000\"" },
        { { "\xc3\xa9\xf0\x9f\x98\x80", 6 }, "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
        { { "\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xa7", 9 }, "\"\\u2028\\u2029\xe2\x80\xa7\"" },
        { { "a\xff\xc3", 3 }, "\"a\xef\xbf\xbd\xef\xbf\xbd\"" },
        { { "\xed\xa0\x80", 3 }, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf buf;
        struct jsonw w;
        buf_init(&buf, 256);
        jsonw_begin(&w, &buf);
        jsonw_str(&w, cases[i].value);
        cr_assert_eq(jsonw_end(&w), ERR_OK);
        cr_expect(is_text(&buf, cases[i].text), "case %zu: %.*s", i, STR_ARG(buf_str(&buf)));
        struct json_value value;
        cr_expect_eq(json_read(buf_str(&buf), &value, NULL), ERR_OK, "case %zu", i);
        buf_fini(&buf);
    }
}

Test(jsonw, tells_wrong_nesting_at_the_end)
{
    for (int i = 0; i < 8; i++) {
        struct buf buf;
        struct jsonw w;
        buf_init(&buf, 4096);
        jsonw_begin(&w, &buf);
        switch (i) {
        case 0:
            jsonw_object(&w);
            break;
        case 1:
            jsonw_close(&w);
            break;
        case 2:
            jsonw_name(&w, "a");
            break;
        case 3:
            jsonw_object(&w);
            jsonw_u64(&w, 1);
            jsonw_close(&w);
            break;
        case 4:
            jsonw_object(&w);
            jsonw_name(&w, "a");
            jsonw_close(&w);
            break;
        case 5:
            jsonw_u64(&w, 1);
            jsonw_u64(&w, 2);
            break;
        case 6:
            for (uint32_t level = 0; level <= JSONW_DEPTH_MAX; level++) {
                jsonw_array(&w);
            }
            break;
        default:
            jsonw_raw(&w, STR(""));
            break;
        }
        cr_expect_eq(jsonw_end(&w), ERR_BUG, "case %d", i);
        buf_fini(&buf);
    }
}

Test(jsonw, keeps_the_first_error_of_a_full_buffer)
{
    struct buf buf;
    struct jsonw w;
    buf_init(&buf, 64);
    jsonw_begin(&w, &buf);
    jsonw_array(&w);
    for (int i = 0; i < 20; i++) {
        jsonw_text(&w, "0123456789");
    }
    jsonw_close(&w);
    cr_assert_eq(jsonw_end(&w), ERR_FULL);
    cr_assert_leq(buf_len(&buf), 64);
    buf_fini(&buf);
}

Test(jsonw, fills_its_whole_depth)
{
    struct buf buf;
    struct jsonw w;
    buf_init(&buf, 4096);
    jsonw_begin(&w, &buf);
    for (uint32_t level = 0; level < JSONW_DEPTH_MAX; level++) {
        jsonw_array(&w);
    }
    for (uint32_t level = 0; level < JSONW_DEPTH_MAX; level++) {
        jsonw_close(&w);
    }
    cr_assert_eq(jsonw_end(&w), ERR_OK);
    cr_assert_eq(buf_len(&buf), 2 * JSONW_DEPTH_MAX);
    buf_fini(&buf);
}

/*
 * Model lists in the three shapes, and their pages.
 */
#include <criterion/criterion.h>

#include "proto/listing.h"

static const struct listing_model models[] = {
    { { "claude-x", 8 }, { NULL, 0 }, { "Claude X", 8 }, 1760000000 },
    { { "org/b", 5 }, { "openai", 6 }, { NULL, 0 }, 951782400 },
    { { "c", 1 }, { NULL, 0 }, { NULL, 0 }, 0 },
};

static struct buf buf;

static const char *
list(enum dialect shape, const char *query, uint32_t count)
{
    struct listing_page page;
    listing_page_read(str_of(query), &page);
    buf_init(&buf, 65536);
    cr_assert_eq(listing_write(&buf, shape, models, count, &page), ERR_OK);
    cr_assert_eq(buf_append(&buf, str_make("", 1)), ERR_OK);
    return buf.data + buf.start;
}

Test(listing, writes_openais_shape_unpaged)
{
    cr_assert_str_eq(
        list(DIALECT_CHAT, "limit=1&after_id=c", 2),
        "{\"object\":\"list\",\"data\":[{\"id\":\"claude-x\",\"object\":\"model\","
        "\"created\":1760000000,\"owned_by\":\"sub2api\"},{\"id\":\"org/b\",\"object\":"
        "\"model\",\"created\":951782400,\"owned_by\":\"openai\"}]}");
    buf_fini(&buf);
}

Test(listing, writes_anthropics_shape_and_pages)
{
    cr_assert_str_eq(list(DIALECT_ANTHROPIC, "limit=1", 3),
                     "{\"data\":[{\"type\":\"model\",\"id\":\"claude-x\",\"display_name\":"
                     "\"Claude X\",\"created_at\":\"2025-10-09T08:53:20Z\"}],\"has_more\":true,"
                     "\"first_id\":\"claude-x\",\"last_id\":\"claude-x\"}");
    buf_fini(&buf);
    cr_assert_str_eq(list(DIALECT_ANTHROPIC, "after_id=claude-x&limit=1000", 2),
                     "{\"data\":[{\"type\":\"model\",\"id\":\"org/b\",\"display_name\":\"org/b\","
                     "\"created_at\":\"2000-02-29T00:00:00Z\"}],\"has_more\":false,\"first_id\":"
                     "\"org/b\",\"last_id\":\"org/b\"}");
    buf_fini(&buf);
    const char *got = list(DIALECT_ANTHROPIC, "after_id=org%2Fb", 3);
    cr_assert(strstr(got, "1970-01-01T00:00:00Z") != NULL && strstr(got, "claude") == NULL);
    buf_fini(&buf);
    got = list(DIALECT_ANTHROPIC, "before_id=c&limit=1", 3);
    cr_assert(strstr(got, "org/b") != NULL && strstr(got, "claude") == NULL &&
              strstr(got, "\"has_more\":true") != NULL);
    buf_fini(&buf);
    cr_assert_str_eq(list(DIALECT_ANTHROPIC, "", 0),
                     "{\"data\":[],\"has_more\":false,\"first_id\":null,\"last_id\":null}");
    buf_fini(&buf);
    got = list(DIALECT_ANTHROPIC, "limit=x&after_id=unknown&&=&limit", 3);
    cr_assert_not_null(strstr(got, "\"last_id\":\"c\""));
    buf_fini(&buf);
}

Test(listing, writes_geminis_shape_and_pages)
{
    const char *got = list(DIALECT_GEMINI, "pageSize=2&key=k", 3);
    cr_assert_not_null(strstr(got, "{\"models\":[{\"name\":\"models/claude-x\""), "%s", got);
    cr_assert_not_null(strstr(got, "\"nextPageToken\":\"2\"}"), "%s", got);
    buf_fini(&buf);
    got = list(DIALECT_GEMINI, "pageSize=2&pageToken=2", 3);
    cr_assert(strstr(got, "models/c\"") != NULL && strstr(got, "nextPageToken") == NULL);
    buf_fini(&buf);
    cr_assert_str_eq(list(DIALECT_GEMINI, "pageToken=99", 3), "{\"models\":[]}");
    buf_fini(&buf);
}

Test(listing, writes_one_model)
{
    buf_init(&buf, 4096);
    cr_assert_eq(listing_write_one(&buf, DIALECT_GEMINI, &models[1]), ERR_OK);
    cr_assert(str_starts(buf_str(&buf), STR("{\"name\":\"models/org/b\",")));
    buf_clear(&buf);
    cr_assert_eq(listing_write_one(&buf, DIALECT_RESPONSES, &models[2]), ERR_OK);
    cr_assert(str_equal(buf_str(&buf), STR("{\"id\":\"c\",\"object\":\"model\",\"created\":0,"
                                           "\"owned_by\":\"sub2api\"}")));
    buf_fini(&buf);
    buf_init(&buf, 8);
    cr_assert_eq(listing_write_one(&buf, DIALECT_ANTHROPIC, &models[0]), ERR_FULL);
    buf_fini(&buf);
}

/*
 * Bodies without a socket: any cut gives the same, bounds hold for what comes in and what comes
 * out.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "http/upload.h"

#define POOL_BYTES (16u * 1024 * 1024)

static struct header coding[2] = { { { "Content-Encoding", 16 }, { "gzip", 4 } },
                                   { { "content-encoding", 16 }, { "identity", 8 } } };

/* Feeds in pieces; the status of the refusal, or 0 with the body in `upload`. */
static uint16_t
feed(struct upload *upload, struct body_pool *pool, const struct parser_head *head,
     uint64_t bytes_max, struct str bytes, size_t piece)
{
    struct parser_error error = { 0 };
    enum err err = upload_begin(upload, pool, head, bytes_max, &error);
    while (err == ERR_OK && bytes.len > 0 && !upload->is_whole) {
        size_t used = 0;
        size_t len = bytes.len < piece ? bytes.len : piece;
        err = upload_feed(upload, pool, str_make(bytes.data, len), &used, &error);
        bytes = str_skip(bytes, used);
    }
    return err == ERR_OK ? 0 : error.status;
}

Test(upload, takes_chunks_in_every_cut)
{
    static const char text[] = "3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\nrest";
    struct body_pool pool;
    body_pool_init(&pool, POOL_BYTES);
    struct parser_head head = { .framing = PARSER_CHUNKED };
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        struct upload upload;
        uint16_t status =
            feed(&upload, &pool, &head, 8, STR("3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\nrest"), piece);
        cr_expect(status == 0 && upload.is_whole, "%u", status);
        cr_expect(upload.body.len == 8 && memcmp(upload.body.data, "abcdefgh", 8) == 0);
        cr_expect(upload.wire_bytes == sizeof(text) - 1 - 4);
        upload_end(&upload, &pool);
    }
    body_pool_fini(&pool);
}

Test(upload, holds_its_bounds)
{
    struct body_pool pool;
    body_pool_init(&pool, POOL_BYTES);
    struct upload upload;
    struct parser_head head = { .framing = PARSER_CHUNKED };
    cr_expect(feed(&upload, &pool, &head, 7, STR("3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n"), 100) ==
              413);
    upload_end(&upload, &pool);
    head = (struct parser_head){ .framing = PARSER_LENGTH, .content_length = 8 };
    cr_expect(feed(&upload, &pool, &head, 7, STR("abcdefgh"), 100) == 413);
    cr_expect(upload.body.data == NULL);
    upload_end(&upload, &pool);
    head.content_length = POOL_BYTES + 1;
    cr_expect(feed(&upload, &pool, &head, UINT64_MAX, STR(""), 100) == 503);
    upload_end(&upload, &pool);
    body_pool_fini(&pool);
}

/* One body byte a chunk, each with a long extension: the framing may not cost without end. */
Test(upload, bounds_the_cost_of_framing)
{
    struct body_pool pool;
    body_pool_init(&pool, POOL_BYTES);
    struct upload upload;
    struct parser_head head = { .framing = PARSER_CHUNKED };
    struct parser_error error = { 0 };
    cr_assert(upload_begin(&upload, &pool, &head, 100000, &error) == ERR_OK);
    char chunk[600];
    memset(chunk, 'e', sizeof(chunk));
    memcpy(chunk, "1;", 2);
    memcpy(chunk + sizeof(chunk) - 5, "\r\nx\r\n", 5);
    uint32_t count = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK && count < 100000) {
        size_t used = 0;
        err = upload_feed(&upload, &pool, str_make(chunk, sizeof(chunk)), &used, &error);
        count++;
    }
    cr_expect(err == ERR_BAD && error.status == 413);
    cr_expect(count < 500, "%u", count);
    upload_end(&upload, &pool);
    body_pool_fini(&pool);
}

Test(upload, refuses_codings_it_does_not_know)
{
    struct body_pool pool;
    body_pool_init(&pool, POOL_BYTES);
    struct upload upload;
    struct parser_head head = { .framing = PARSER_LENGTH, .content_length = 3 };
    head.headers = (struct header_list){ .count = 2, .items = coding };
    cr_expect(feed(&upload, &pool, &head, 100, STR("abc"), 100) == 415);
    upload_end(&upload, &pool);
    head.headers.count = 1;
    cr_expect(feed(&upload, &pool, &head, 100, STR("abc"), 100) == 400);
    upload_end(&upload, &pool);
    head.headers.items = coding + 1;
    cr_expect(feed(&upload, &pool, &head, 100, STR("abc"), 100) == 0);
    cr_expect(upload.body.len == 3);
    upload_end(&upload, &pool);
    body_pool_fini(&pool);
}

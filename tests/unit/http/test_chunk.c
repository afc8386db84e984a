/*
 * The chunked coding taken apart, however it is cut: strict, bounded, without a copy.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "http/chunk.h"

struct chunk_row {
    struct str text;
    const char *body; /* NULL = refused */
    size_t left;      /* bytes behind the end */
};

#define CHUNK(bytes, ...)                                         \
    {                                                             \
        .text = { bytes, sizeof(bytes) - 1 }, .body = __VA_ARGS__ \
    }

static void
check_chunked(const struct chunk_row *row, size_t piece)
{
    struct parser_chunked chunked;
    chunk_init(&chunked);
    char body[4096];
    size_t body_len = 0;
    size_t at = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK && at < row->text.len && !chunked.is_done) {
        size_t len = row->text.len - at < piece ? row->text.len - at : piece;
        struct str run;
        size_t used = 0;
        err = chunk_feed(&chunked, str_make(row->text.data + at, len), &run, &used);
        if (err == ERR_OK) {
            cr_assert(used > 0 && used <= len);
            memcpy(body + body_len, run.data == NULL ? "" : run.data, run.len);
            body_len += run.len;
            at += used;
        }
    }
    if (row->body == NULL) {
        cr_expect(err == ERR_BAD, "taken: %s (%zu)", row->text.data, piece);
        return;
    }
    cr_expect(err == ERR_OK && chunked.is_done, "refused: %s (%zu)", row->text.data, piece);
    cr_expect(str_equal(str_make(body, body_len), str_of(row->body)), "%s", row->text.data);
    cr_expect(chunked.total_bytes == body_len);
    cr_expect(row->text.len - at == row->left, "%s", row->text.data);
}

Test(chunk, takes_chunks_apart)
{
    static const struct chunk_row rows[] = {
        CHUNK("0\r\n\r\n", "", 0),
        CHUNK("3\r\nabc\r\n0\r\n\r\nGET", "abc", 3),
        CHUNK("A\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\n", "0123456789x", 0),
        CHUNK("0000000000000000000000000000000000000000000000000003\r\nabc\r\n0\r\n\r\n", "abc", 0),
        CHUNK("3;a;b=c;d=\"e\\\"f;\"\r\nabc\r\n0;x\r\n\r\n", "abc", 0),
        CHUNK("0\r\nX-Trailer: a\r\nb:\r\n\r\n", "", 0),
        CHUNK("\r\n", NULL, 0),
        CHUNK("3\nabc\r\n0\r\n\r\n", NULL, 0),
        CHUNK("3\r\nabc\n0\r\n\r\n", NULL, 0),
        CHUNK("3\r\nabcd\r\n0\r\n\r\n", NULL, 0),
        CHUNK("3\r\nabcXX0\r\n\r\n", NULL, 0),
        CHUNK("1\rZ\r\n", NULL, 0),
        CHUNK("0x3\r\nabc\r\n", NULL, 0),
        CHUNK("+3\r\nabc\r\n", NULL, 0),
        CHUNK("-3\r\nabc\r\n", NULL, 0),
        CHUNK("1_0\r\nabc\r\n", NULL, 0),
        CHUNK(" 3\r\nabc\r\n", NULL, 0),
        CHUNK("3 \r\nabc\r\n", NULL, 0),
        CHUNK("3\t;a\r\nabc\r\n", NULL, 0),
        CHUNK("g\r\n", NULL, 0),
        CHUNK("1000000000000000\r\n", NULL, 0),
        CHUNK("ffffffffffffffff\r\n", NULL, 0),
        CHUNK("fffffffffffffffff\r\n", NULL, 0),
        CHUNK("3;\r\nabc\r\n", NULL, 0),
        CHUNK("3;a=\r\nabc\r\n", NULL, 0),
        CHUNK("3;a b\r\nabc\r\n", NULL, 0),
        CHUNK("3;a\x01\r\nabc\r\n", NULL, 0),
        CHUNK("3;a\nabc\r\n", NULL, 0),
        CHUNK("3;a\rb\r\nabc\r\n", NULL, 0),
        CHUNK("3;a=\"\n\"\r\nabc\r\n", NULL, 0),
        CHUNK("3;a=\"b\"c\r\nabc\r\n", NULL, 0),
        CHUNK("0\r\n x: a\r\n\r\n", NULL, 0),
        CHUNK("0\r\n: a\r\n\r\n", NULL, 0),
        CHUNK("0\r\nx : a\r\n\r\n", NULL, 0),
        CHUNK("0\r\nx: a\n\r\n", NULL, 0),
        CHUNK("0\r\nx: a\x01\r\n\r\n", NULL, 0),
        CHUNK("0\r\nx\r\n\r\n", NULL, 0),
        CHUNK("0\r\n\n", NULL, 0),
        CHUNK("0\r\n\rx", NULL, 0),
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_chunked(&rows[i], rows[i].text.len);
        check_chunked(&rows[i], 1);
        check_chunked(&rows[i], 3);
    }
}

static enum err
feed_all(struct parser_chunked *chunked, struct str bytes)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && bytes.len > 0 && !chunked->is_done) {
        struct str run;
        size_t used = 0;
        err = chunk_feed(chunked, bytes, &run, &used);
        bytes = str_skip(bytes, used);
    }
    return err;
}

Test(chunk, bounds_size_lines_and_trailers)
{
    struct parser_chunked chunked;
    chunk_init(&chunked);
    cr_expect(feed_all(&chunked, STR("0;")) == ERR_OK);
    for (uint32_t i = 0; i < CHUNK_LINE_BYTES_MAX - 2; i++) {
        cr_assert(feed_all(&chunked, STR("a")) == ERR_OK, "%u", i);
    }
    cr_expect(feed_all(&chunked, STR("a")) == ERR_BAD);
    chunk_init(&chunked);
    cr_expect(feed_all(&chunked, STR("0\r\n")) == ERR_OK);
    uint32_t lines = 0;
    while (lines < 10000 && feed_all(&chunked, STR("abcdefg: hijkl\r\n")) == ERR_OK) {
        lines++;
    }
    cr_expect(lines >= TRAILER_BYTES_MAX / 16 && lines <= TRAILER_BYTES_MAX / 16 * 2, "%u", lines);
    cr_expect(feed_all(&chunked, STR("\r\n")) == ERR_BAD, "broken stays broken");
}

/* Exactly the bound passes, one byte more does not; the bytes may come in one piece. */
Test(chunk, bounds_a_trailer_to_the_byte)
{
    static char text[TRAILER_BYTES_MAX + 16];
    for (size_t extra = 0; extra < 2; extra++) {
        /* name, colon, value, CRLF and the empty line's CR are counted. */
        size_t value = TRAILER_BYTES_MAX - 4 + extra;
        char *at = mempcpy(text, "0\r\na:", 5);
        memset(at, 'v', value);
        memcpy(at + value, "\r\n\r\n", 4);
        struct parser_chunked chunked;
        chunk_init(&chunked);
        enum err err = feed_all(&chunked, str_make(text, 5 + value + 4));
        cr_expect_eq(err, extra == 0 ? ERR_OK : ERR_BAD, "%zu more", extra);
        cr_expect_eq(chunked.is_done, extra == 0);
    }
}

/* Its state has no pointers: a copy goes on where the original was. */
Test(chunk, may_be_copied_at_any_byte)
{
    static const char text[] = "4;x=\"y\"\r\nwiki\r\n5\r\npedia\r\n0\r\nt: v\r\n\r\n";
    for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
        struct parser_chunked first;
        chunk_init(&first);
        cr_assert_eq(feed_all(&first, str_make(text, cut)), ERR_OK);
        struct parser_chunked copy = first;
        memset(&first, 0xa5, sizeof(first));
        cr_assert_eq(feed_all(&copy, str_make(text + cut, sizeof(text) - 1 - cut)), ERR_OK);
        cr_expect(copy.is_done && copy.total_bytes == 9, "cut at %zu", cut);
    }
}

/* A chunk larger than anything: its size is kept, its bytes are spans of what came. */
Test(chunk, of_the_largest_size_is_counted_without_overflow)
{
    struct parser_chunked chunked;
    chunk_init(&chunked);
    struct str run;
    size_t used = 0;
    struct str text = STR("fffffffffffffff\r\nabc");
    cr_assert_eq(chunk_feed(&chunked, text, &run, &used), ERR_OK);
    cr_expect(used == text.len && str_equal(run, STR("abc")) && run.data == text.data + 17);
    cr_expect(chunked.total_bytes == 3 && !chunked.is_done);
    cr_assert_eq(chunk_feed(&chunked, STR("\r\n0\r\n\r\n"), &run, &used), ERR_OK);
    cr_expect_eq(run.len, 7, "all of that is body still");
}

Test(chunk, takes_nothing_behind_the_end)
{
    struct parser_chunked chunked;
    struct str run;
    size_t used = 0;
    chunk_init(&chunked);
    cr_assert_eq(chunk_feed(&chunked, STR("0\r\n\r\nGET / HTTP/1.1\r\n"), &run, &used), ERR_OK);
    cr_expect(used == 5 && run.len == 0 && chunked.is_done);
    cr_assert_eq(chunk_feed(&chunked, STR("1\r\n"), &run, &used), ERR_OK);
    cr_expect(used == 0 && chunked.is_done && chunked.total_bytes == 0);
    chunk_init(&chunked);
    cr_assert_eq(chunk_feed(&chunked, STR(""), &run, &used), ERR_OK);
    cr_expect(used == 0 && !chunked.is_done);
}

/*
 * Request and answer heads. The first two bytes choose how the rest is cut; then
 *   - every cut gives what the whole gives,
 *   - an accepted request that is written again from what was understood parses to the same,
 *   - an accepted head holds its own rules: no control bytes, never two lengths.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/limits.h"
#include "http/parser.h"

struct result {
    enum err err;
    size_t head_bytes;
    uint16_t status;
    struct parser_head head;
};

typedef enum err (*find_fn)(struct str bytes, size_t *scanned, size_t *out_bytes,
                            struct parser_error *error);

/* From memory of the exact size, so that a read beyond it is seen. */
static struct result
find_end(find_fn find, const uint8_t *data, size_t size, size_t first_cut, size_t step)
{
    struct result result = { .err = ERR_OK };
    size_t scanned = 0;
    size_t len = first_cut < size ? first_cut : size;
    for (;;) {
        char *copy = malloc(len == 0 ? 1 : len);
        memcpy(copy, data, len);
        struct parser_error error = { 0 };
        result.err = find(str_make(copy, len), &scanned, &result.head_bytes, &error);
        free(copy);
        CHECK(result.head_bytes <= len && scanned <= len);
        CHECK((result.err == ERR_OK) == (error.status == 0));
        result.status = error.status;
        if (result.err != ERR_OK || result.head_bytes > 0 || len == size) {
            return result;
        }
        len = size - len < step ? size : len + step;
    }
}

static void
check_head(const struct parser_head *head)
{
    uint32_t lengths = 0;
    uint32_t codings = 0;
    for (uint32_t i = 0; i < head->headers.count; i++) {
        const struct header *item = &head->headers.items[i];
        CHECK(item->name.len > 0 && header_value_is_good(item->value));
        lengths += str_equal_nocase(item->name, STR("content-length")) ? 1 : 0;
        codings += str_equal_nocase(item->name, STR("transfer-encoding")) ? 1 : 0;
    }
    CHECK(lengths + codings <= 1);
    CHECK(head->headers.count <= HEAD_FIELDS_MAX + 1);
}

static struct str
write_again(const struct parser_head *head, struct arena *arena)
{
    struct str text = arena_printf(arena, "%.*s %.*s HTTP/1.%u\r\n", STR_ARG(head->method),
                                   STR_ARG(head->target), head->minor);
    for (uint32_t i = 0; i < head->headers.count && text.data != NULL; i++) {
        const struct header *item = &head->headers.items[i];
        text = arena_printf(arena, "%.*s%.*s: %.*s\r\n", STR_ARG(text), STR_ARG(item->name),
                            STR_ARG(item->value));
    }
    return text.data == NULL ? text : arena_printf(arena, "%.*s\r\n", STR_ARG(text));
}

static void
check_same(const struct parser_head *a, const struct parser_head *b)
{
    CHECK(str_equal(a->method, b->method) && str_equal(a->target, b->target));
    CHECK(str_equal(a->path, b->path) && str_equal(a->query, b->query));
    CHECK(a->minor == b->minor && a->keep_alive == b->keep_alive && a->framing == b->framing);
    CHECK(a->content_length == b->content_length && a->expects_continue == b->expects_continue);
    CHECK(a->headers.count == b->headers.count);
    for (uint32_t i = 0; i < a->headers.count; i++) {
        CHECK(str_equal(a->headers.items[i].name, b->headers.items[i].name));
        CHECK(str_equal(a->headers.items[i].value, b->headers.items[i].value));
    }
}

static void
check_request(struct str bytes, struct arena *arena)
{
    struct parser_head head;
    struct parser_head again;
    struct parser_error error = { 0 };
    if (parser_request(bytes, arena, &head, &error) != ERR_OK) {
        CHECK(error.status >= 400 && error.code != NULL && error.message != NULL);
        return;
    }
    check_head(&head);
    struct str text = write_again(&head, arena);
    size_t scanned = 0;
    size_t head_bytes = 0;
    /* A head near its bounds may grow over them: "name:value" is written with a blank. */
    if (text.data == NULL || text.len > bytes.len ||
        parser_head_end(text, &scanned, &head_bytes, &error) != ERR_OK) {
        return;
    }
    CHECK(head_bytes == text.len);
    CHECK(parser_request(text, arena, &again, &error) == ERR_OK);
    check_same(&head, &again);
}

static void
check_answer(struct str bytes, bool of_head, struct arena *arena)
{
    struct parser_head answer;
    struct parser_error error;
    if (parser_answer(bytes, of_head, arena, &answer, &error) == ERR_OK) {
        check_head(&answer);
        CHECK(answer.status >= 100 && answer.status <= 599);
    }
}

/* Read in one walk, as far as that goes, a head means what it means in two. */
static void
check_whole(struct str bytes, size_t head_bytes, struct arena *arena)
{
    struct parser_head whole;
    struct parser_head slow;
    struct parser_error error = { 0 };
    struct parser_error slow_error = { 0 };
    size_t whole_bytes = 0;
    char *copy = malloc(bytes.len == 0 ? 1 : bytes.len); /* of the exact size */
    memcpy(copy, bytes.data, bytes.len);
    enum err err =
        parser_request_whole(str_make(copy, bytes.len), arena, &whole, &whole_bytes, &error);
    free(copy); /* nothing points into it any more */
    CHECK(whole_bytes == 0 || whole_bytes == head_bytes);
    if (whole_bytes == 0) {
        CHECK(err == ERR_OK);
        return;
    }
    struct str head = arena_dup(arena, str_make(bytes.data, head_bytes));
    CHECK(parser_request(head, arena, &slow, &slow_error) == err);
    CHECK(error.status == slow_error.status && error.message == slow_error.message);
    if (err == ERR_OK) {
        check_same(&whole, &slow);
    }
}

static void
check_answer_whole(struct str bytes, size_t head_bytes, bool of_head, struct arena *arena)
{
    struct parser_head whole;
    struct parser_head slow;
    struct parser_error error;
    size_t whole_bytes = 0;
    enum err err = parser_answer_whole(bytes, of_head, arena, &whole, &whole_bytes, &error);
    CHECK(whole_bytes == 0 ? err == ERR_OK : whole_bytes == head_bytes);
    if (whole_bytes > 0) {
        struct str head = arena_dup(arena, str_make(bytes.data, head_bytes));
        CHECK(parser_answer(head, of_head, arena, &slow, &error) == err);
        CHECK(err != ERR_OK ||
              (whole.status == slow.status && whole.framing == slow.framing &&
               whole.keep_alive == slow.keep_alive && whole.headers.count == slow.headers.count));
    }
}

/* However it is cut, the head ends at the same place; 0: there is no good one. */
static size_t
find_both(find_fn find, const uint8_t *data, size_t size, size_t first_cut, size_t step)
{
    struct result whole = find_end(find, data, size, size, 1);
    struct result cut = find_end(find, data, size, first_cut, step);
    CHECK(whole.err == cut.err && whole.head_bytes == cut.head_bytes);
    return whole.err == ERR_OK ? whole.head_bytes : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    size_t first_cut = data[0];
    size_t step = (size_t)data[1] + 1;
    data += 2;
    size -= 2;
    struct arena arena;
    arena_init(&arena, 64 * REQUEST_ARENA_BYTES_MAX);
    size_t head_bytes = find_both(parser_head_end, data, size, first_cut, step);
    check_whole(str_make((const char *)data, size), head_bytes, &arena);
    if (head_bytes > 0) {
        check_request(arena_dup(&arena, str_make((const char *)data, head_bytes)), &arena);
    }
    head_bytes = find_both(parser_answer_end, data, size, first_cut, step);
    check_answer_whole(str_make((const char *)data, size), head_bytes, first_cut % 2 == 1, &arena);
    if (head_bytes > 0) {
        check_answer(arena_dup(&arena, str_make((const char *)data, head_bytes)),
                     first_cut % 2 == 1, &arena);
    }
    arena_reset(&arena);
    return 0;
}

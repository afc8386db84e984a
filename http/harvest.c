/*
 * harvest.c - from bytes to a head and a body.
 */
#include "http/harvest.h"

#include "base/check.h"
#include "base/limits.h"

void
harvest_init(struct harvest *answer)
{
    *answer = (struct harvest){ .state = HARVEST_OVER };
    arena_init(&answer->arena, REQUEST_ARENA_BYTES_MAX);
    buf_init(&answer->kept, HEAD_BYTES_MAX);
}

void
harvest_fini(struct harvest *answer)
{
    arena_reset(&answer->arena);
    buf_fini(&answer->kept);
    buf_init(&answer->kept, HEAD_BYTES_MAX);
    answer->state = HARVEST_OVER;
}

void
harvest_begin(struct harvest *answer, bool of_head)
{
    harvest_fini(answer);
    answer->state = HARVEST_IN_HEAD;
    answer->of_head = of_head;
    answer->interims = 0;
    answer->scanned = 0;
    answer->why = "";
}

static enum harvest_event
break_off(struct harvest *answer, const char *why)
{
    answer->why = why;
    answer->state = HARVEST_OVER;
    return HARVEST_BROKEN;
}

/* A whole head, and how it was judged. HARVEST_MORE: it was an interim one. */
static enum harvest_event
take_head(struct harvest *answer, enum err err, const struct parser_error *error)
{
    if (err != ERR_OK) {
        return break_off(answer, error->message);
    }
    if (answer->head.status < 200) {
        if (answer->head.status == 101) {
            return break_off(answer, "switch of protocols without being asked");
        }
        if (++answer->interims > INTERIM_ANSWERS_MAX) {
            return break_off(answer, "too many interim answers");
        }
        arena_reset(&answer->arena);
        return HARVEST_MORE;
    }
    answer->state = HARVEST_IN_BODY;
    answer->body_left = answer->head.content_length;
    parser_chunked_init(&answer->chunked);
    return HARVEST_HEAD;
}

/* The copy is what the head's spans point into. */
static enum err
judge_head(struct harvest *answer, struct str bytes, struct parser_error *error)
{
    struct str head = arena_dup(&answer->arena, bytes);
    if (head.data == NULL) {
        return ERR_FULL;
    }
    return parser_answer(head, answer->of_head, &answer->arena, &answer->head, error);
}

/* The bytes that belong to the head so far: collected and fed ones, or the fed ones in place. */
static bool
gather_head(struct harvest *answer, struct str bytes, struct str *out_head)
{
    if (buf_len(&answer->kept) == 0) {
        *out_head = bytes;
        return true;
    }
    size_t room = buf_room(&answer->kept);
    if (bytes.len > room) {
        bytes.len = room;
    }
    bool is_good = buf_append(&answer->kept, bytes) == ERR_OK;
    *out_head = buf_str(&answer->kept);
    return is_good;
}

/* A head that is not plain, or comes in pieces. */
static enum harvest_event
feed_pieces(struct harvest *answer, struct str *bytes)
{
    struct parser_error error = { .message = "no memory for the answer's head" };
    size_t before = buf_len(&answer->kept);
    struct str head;
    size_t head_bytes = 0;
    if (!gather_head(answer, *bytes, &head) ||
        parser_answer_end(head, &answer->scanned, &head_bytes, &error) != ERR_OK) {
        return break_off(answer, error.message);
    }
    if (head_bytes == 0) {
        if (before == 0 ? buf_append(&answer->kept, *bytes) != ERR_OK
                        : buf_room(&answer->kept) == 0) {
            return break_off(answer, "head of the answer too large");
        }
        *bytes = str_skip(*bytes, bytes->len);
        return HARVEST_MORE;
    }
    CHECK(head_bytes > before);
    *bytes = str_skip(*bytes, head_bytes - before);
    answer->scanned = 0;
    enum err err = judge_head(answer, str_make(head.data, head_bytes), &error);
    enum harvest_event event = take_head(answer, err, &error);
    buf_clear(&answer->kept);
    buf_shrink(&answer->kept);
    return event;
}

static enum harvest_event
feed_head(struct harvest *answer, struct str *bytes)
{
    struct parser_error error;
    size_t head_bytes = 0;
    if (buf_len(&answer->kept) > 0) {
        return feed_pieces(answer, bytes);
    }
    enum err err = parser_answer_whole(*bytes, answer->of_head, &answer->arena, &answer->head,
                                       &head_bytes, &error);
    if (head_bytes == 0) {
        return feed_pieces(answer, bytes);
    }
    *bytes = str_skip(*bytes, head_bytes);
    return take_head(answer, err, &error);
}

static enum harvest_event
end(struct harvest *answer)
{
    answer->state = HARVEST_OVER;
    return HARVEST_END;
}

static enum harvest_event
feed_length(struct harvest *answer, struct str *bytes, struct str *out_body)
{
    if (answer->body_left == 0) {
        return end(answer);
    }
    if (bytes->len == 0) {
        return HARVEST_MORE;
    }
    size_t len = bytes->len < answer->body_left ? bytes->len : (size_t)answer->body_left;
    *out_body = str_make(bytes->data, len);
    *bytes = str_skip(*bytes, len);
    answer->body_left -= len;
    return HARVEST_BODY;
}

static enum harvest_event
feed_chunked(struct harvest *answer, struct str *bytes, struct str *out_body)
{
    while (!answer->chunked.is_done && bytes->len > 0) {
        size_t used = 0;
        if (parser_chunked_feed(&answer->chunked, *bytes, out_body, &used) != ERR_OK) {
            return break_off(answer, "broken chunk in the answer");
        }
        CHECK(used > 0 || answer->chunked.is_done);
        *bytes = str_skip(*bytes, used);
        if (out_body->len > 0) {
            return HARVEST_BODY;
        }
    }
    return answer->chunked.is_done ? end(answer) : HARVEST_MORE;
}

static enum harvest_event
feed_body(struct harvest *answer, struct str *bytes, struct str *out_body)
{
    switch (answer->head.framing) {
    case PARSER_NO_BODY:
        return end(answer);
    case PARSER_LENGTH:
        return feed_length(answer, bytes, out_body);
    case PARSER_CHUNKED:
        return feed_chunked(answer, bytes, out_body);
    case PARSER_UNTIL_CLOSE:
        break;
    }
    if (bytes->len == 0) {
        return HARVEST_MORE;
    }
    *out_body = *bytes;
    *bytes = str_skip(*bytes, bytes->len);
    return HARVEST_BODY;
}

enum harvest_event
harvest_next(struct harvest *answer, struct str *bytes, struct str *out_body)
{
    CHECK(answer->state != HARVEST_OVER);
    *out_body = str_make(NULL, 0);
    while (answer->state == HARVEST_IN_HEAD && bytes->len > 0) {
        enum harvest_event event = feed_head(answer, bytes);
        if (event != HARVEST_MORE) {
            return event;
        }
    }
    return answer->state == HARVEST_IN_BODY ? feed_body(answer, bytes, out_body) : HARVEST_MORE;
}

enum harvest_event
harvest_finish(struct harvest *answer)
{
    CHECK(answer->state != HARVEST_OVER);
    if (answer->state == HARVEST_IN_BODY && answer->head.framing == PARSER_UNTIL_CLOSE) {
        return end(answer);
    }
    return break_off(answer, answer->state == HARVEST_IN_BODY
                                 ? "connection closed before the end of the answer"
                                 : "connection closed in the head of the answer");
}

/*
 * counting.c - see counting.h.
 *
 * Runs in: worker.
 */
#include "worker/counting.h"

#include "base/check.h"
#include "base/limits.h"
#include "proto/translate.h"
#include "worker/relay.h"
#include "worker/reply.h"

/* A number and what a dialect writes around it. */
#define COUNT_BYTES_MAX 256u

bool
counting_is(const struct relay *relay)
{
    enum endpoint endpoint = relay->row->endpoint;
    return endpoint == ENDPOINT_COUNT_TOKENS || endpoint == ENDPOINT_RESPONSES_INPUT_TOKENS ||
           endpoint == ENDPOINT_GEMINI_COUNT;
}

bool
counting_is_blind(const struct relay *relay)
{
    return counting_is(relay) && bridge_row(relay)->endpoint == ENDPOINT_CHAT;
}

bool
counting_is_missing(const struct relay *relay, const struct error_found *found)
{
    uint16_t status = relay->stream.status;
    bool is_no_place = status == 404 || status == 405 || status == 501;
    return counting_is(relay) &&
           (found->kind == ERROR_ENDPOINT || (is_no_place && found->kind != ERROR_MODEL));
}

/* `body` NULL: an estimate is told. */
static void
answer(struct relay *relay, const struct str *body)
{
    CHECK(counting_is(relay) && relay->request != NULL && !relay->stream.is_begun);
    struct buf out;
    buf_init(&out, COUNT_BYTES_MAX);
    bool is_estimate = body == NULL;
    uint64_t estimate = relay->stream.input_tokens;
    enum dialect spoken = bridge_row(relay)->dialect;
    enum err err = translate_count(relay->row->dialect, spoken, body, estimate, &out, &is_estimate);
    if (err != ERR_OK) {
        buf_clear(&out);
        err = translate_count(relay->row->dialect, spoken, NULL, estimate, &out, &is_estimate);
    }
    CHECK(err == ERR_OK);
    if (is_estimate) {
        relay->bridge.row = relay->row; /* nothing was translated */
    }
    struct reply_to to = relay_reply_to(relay);
    if (is_estimate) {
        to.more = arena_printf(&relay->request->arena, "x-sub2api-estimate: true\r\n%.*s",
                               STR_ARG(to.more));
    }
    relay->status = 200;
    relay->request = NULL;
    reply_json(&to, buf_str(&out));
    buf_fini(&out);
    relay_finish(relay, NULL);
}

void
counting_estimate(struct relay *relay)
{
    relay->charge.was_silent = false; /* nobody pays for a count */
    answer(relay, NULL);
}

void
counting_finish(struct relay *relay)
{
    CHECK(bridge_is_on(relay));
    struct str body = buf_str(&relay->stream.tail);
    answer(relay, relay->stream.is_whole ? &body : NULL);
}

/*
 * translate.h - one request of one client, translated for any account, and its answer back.
 *
 * What the worker does, in order (same dialect at both ends: nothing of this, splice.h):
 *
 *  1. Admission stays as it is: peek, limits and gates read the client's body. Then, once, when the
 *     first account is taken that does not speak the client's dialect: translate_open(). ERR_BAD:
 *     400 out of *problem in the client's dialect (param and message are for the client), no
 *     account is to blame. ERR_FULL: 413.
 *  2. For each attempt: translate_encode() into a buf, the body to send. ERR_BAD: the account's
 *     dialect or caps cannot carry the request: 400 as above, or another account that can. Before
 *     that, translate_remote() names media that the target cannot load itself; who can fetch them
 *     calls translate_supply(), who cannot lets encode answer the 400.
 *  3. The head upstream: POST, path = endpoint_upstream_path of translate_endpoint(), the account's
 *     credential, `content-type: application/json`, `accept: text/event-stream` when it streams,
 *     and for anthropic `anthropic-version: 2023-06-01`. Nothing of the client's own dialect
 *     headers (anthropic-*, openai-*, x-goog-*, x-stainless-*) goes along, no query but gemini's
 *     alt=sse. Ask for a stream when the client wants one, or the account only streams. Whether it
 *     did is judged by its content-type, not by what was asked.
 *  4. A status of 400 and above: retry and health as ever, by error_read of the upstream's dialect.
 *     When it is final: blame_body() (blame.h) gives status, code and message for error_write in
 *     the client's dialect. A missing endpoint is learned, and 2. is done again for the other
 *     dialect.
 *  5. A 2xx: translate_begin(); translate_forget() as soon as no other attempt can follow (the
 *     client's body may then go). Then feed translate_answer(): SSE events one by one with
 *     answer_event() (the whole event: ask http/sse for TRANSLATE_EVENT_BYTES_MAX kept bytes; one
 *     that is cut: answer_lose()) and answer_end() when the upstream ended in good order, or the
 *     whole body with answer_body(), whatever was asked for. usage_event() and usage_read_body() go
 *     on reading the upstream's own bytes for billing.
 *  6. After each call look at answer->state:
 *       WAITING  nothing to tell the client yet, not even its head. Head and a held-back beginning
 *                go out when it becomes RUNNING, or at the latest after 10 s by answer_flush();
 *       RUNNING  bytes may lie in answer->out: send and buf_consume them; stop reading upstream
 *                above CONN_OUT_HIGH_BYTES;
 *       DONE     the last bytes lie there: send them and end the body in good order (Codex closes
 *                right after response.completed: no abort);
 *       FAILED   answer->failure tells what the provider said or did. No byte was made
 *                (!has_output): the next account, or a real HTTP error by blame_found(). Otherwise
 *                answer_fail() with the same writes the client's terminal event.
 *     For a client that did not ask for a stream nothing is in out before DONE.
 *  7. Pings while the upstream is silent: as in a same-dialect stream of the client's dialect;
 *     anthropic's ping event only when has_output (message_start is out).
 *  8. Deadlines, resets, a body cut off: answer_fail() with the gateway's own error_info, or,
 *     without output, the next account.
 *  9. translate_close() in every case.
 *
 * The client's answer gets `content-type: text/event-stream` or application/json (gemini's array:
 * application/json), `x-protocol-translation: translate_pair()`, and `x-sub2api-dropped:
 * translate_dropped()`. No header of the upstream's answer but retry-after passes.
 *
 * Memory: the request's side (tree, decoded texts, encoding scratch) up to
 * TRANSLATE_REQUEST_BYTES_MAX until translate_forget(); the answer's side a few kilobytes, and what
 * a dialect must repeat at the end up to TRANSLATE_ANSWER_BYTES_MAX.
 *
 * Runs in: worker, keeper (account tests). Owner: the request. Holds no descriptor, no shared word:
 * nothing to repair when the process dies here.
 */
#ifndef PROTO_TRANSLATE_H
#define PROTO_TRANSLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/answer.h"
#include "proto/carrier.h"
#include "proto/dialect.h"
#include "proto/endpoint.h"
#include "proto/error.h"
#include "proto/hub.h"
#include "proto/plan.h"

struct translate;

struct translate_setup {
    enum dialect client;
    struct str body;  /* decompressed; must stay in place until translate_forget() */
    struct str model; /* gemini: decoded from the path; others: empty, it is in the body */
    bool stream;      /* gemini: streamGenerateContent; others: ignored, it is in the body */
    bool is_array;    /* gemini: streamGenerateContent without alt=sse */
    bool is_count;    /* count_tokens, input_tokens, countTokens */
    bool is_strict; /* the group's translate_mode is strict: hints that cannot cross are refused */
    bool new_anthropic;     /* the client's anthropic-version is 2026-10-21 or later */
    struct str effort_map;  /* of the group: "high=xhigh,..."; may be empty */
    struct carrier carrier; /* key and scope for wrapped signatures */
    uint64_t seed;          /* rand_u64(): for fresh ids */
    uint64_t now_s;         /* since 1970 */
};

/* Is there a translation for this pair? false for the same dialect. */
bool translate_is_possible(enum dialect client, enum dialect upstream);

/* Decodes and orders the request. `arena` keeps the struct and what the answer's side needs, and
 * must live until translate_close(). ERR_BAD: *problem says why (400). ERR_FULL: too large (413).
 */
MUST_CHECK enum err translate_open(struct arena *arena, const struct translate_setup *setup,
                                   struct translate **out, struct hub_problem *problem);
void translate_close(struct translate *translate);

/* The decoded request, for what the gateway decides by it. NULL after translate_forget(). */
const struct hub_request *translate_request(const struct translate *translate);

/* The body for this account. Any number of times, for any accounts, until translate_forget(). */
MUST_CHECK enum err translate_encode(struct translate *translate, const struct hub_target *target,
                                     struct buf *to, struct hub_problem *problem);

/* Media by URL which this target cannot load itself: the address of number `index`; false when
 * there are no more. A supplied one no longer counts. */
bool translate_remote(const struct translate *translate, const struct hub_target *target,
                      uint32_t index, struct str *out_url);
/* What was fetched from it; mime may be empty. Copied. ERR_FULL: the arena. */
MUST_CHECK enum err
translate_supply(struct translate *translate, struct str url, struct str mime, struct str bytes);

/* Which endpoint serves it upstream. */
enum endpoint translate_endpoint(enum dialect upstream, bool stream, bool is_count);

/* "anthropic->chat"; static. */
const char *translate_pair(enum dialect client, enum dialect upstream);
/* Comma list of what was left out by open and the last encode; empty when nothing was, and after
 * translate_forget(). */
struct str translate_dropped(const struct translate *translate, char *out, size_t out_bytes);

/* --- the answer: answer.h --- */

/* After the last encode. ERR_FULL: no memory. May be called again for a later attempt as long as
 * the answer has no output. */
MUST_CHECK enum err translate_begin(struct translate *translate);
/* Frees the request's side: no further encode. The client's body is not needed any more. */
void translate_forget(struct translate *translate);
/* Feed it and look at its state, `out`, `has_output` and `failure`; never NULL. */
struct answer *translate_answer(struct translate *translate);
/* Bytes of memory, of both sides. */
uint64_t translate_held(const struct translate *translate);

/* --- counting --- */

/* The client's answer to a count: out of the upstream's answer (ERR_BAD: it has none), or an
 * estimate when `upstream_body` is NULL (*out_estimated; header x-sub2api-estimate: true). Chat has
 * no counting endpoint: as upstream it is always estimated. */
MUST_CHECK enum err
translate_count(enum dialect client, enum dialect upstream, const struct str *upstream_body,
                uint64_t estimate, struct buf *to, bool *out_estimated);

#endif

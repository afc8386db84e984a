/*
 * translate.h - one request of one client, translated for any account, and its answer back.
 *
 * What the worker does, in order (same dialect at both ends: nothing of this, splice.h):
 *
 *  1. Admission stays as it is: peek, limits and gates read the client's body. Then, once, when the
 *     first account is taken that does not speak the client's dialect: translate_open(). ERR_BAD:
 * 400 out of *problem in the client's dialect (reply; param and message are for the client), no
 *     account is to blame. ERR_FULL: 413.
 *  2. For each attempt: translate_encode() into a buf: the body to send. ERR_BAD: this account's
 *     dialect or caps cannot carry the request: 400 as above, or another account that can.
 *     Before that, translate_remote() names media the target cannot fetch itself; who can fetch
 * them calls translate_supply(), who cannot lets encode answer the 400.
 *  3. The head upstream: POST, path = endpoint_upstream_path of translate_endpoint(), the account's
 *     credential, `content-type: application/json`, `accept: text/event-stream` when it streams,
 * and for anthropic `anthropic-version: 2023-06-01`. Nothing of the client's own dialect headers
 *     (anthropic-*, openai-*, x-goog-*, x-stainless-*) goes along, no query but gemini's alt=sse.
 *     The upstream always streams when the client wants a stream; whether it did is judged by its
 *     content-type, not by what was asked.
 *  4. A status of 400 and above: retry and health as ever, by error_read of the upstream's dialect.
 *     When it is final: translate_error() gives status, code and message for error_write in the
 *     client's dialect. A missing endpoint is learned, and 2. is done again for the other dialect.
 *  5. A 2xx: translate_begin(); translate_forget() as soon as no other attempt can follow (the
 *     client's body may then go). Then feed: SSE events one by one with translate_event() (the
 * whole event: ask http/sse for TRANSLATE_EVENT_BYTES_MAX kept bytes), or the whole body with
 *     translate_body(); then translate_end() when the upstream ended in good order.
 *     usage_event() / usage_read_body() go on reading the upstream's own bytes for billing.
 *  6. After each call look at translate_state():
 *       WAITING  nothing to tell the client yet (not even its head). Head and a held-back beginning
 *                go out when it becomes RUNNING, or at the latest after 10 s by translate_flush();
 *       RUNNING  bytes may lie in translate_out(): send and buf_consume them; stop reading upstream
 *                above CONN_OUT_HIGH_BYTES;
 *       DONE     the last bytes lie there; send, end the body in good order (Codex closes at once
 *                after response.completed: no abort);
 *       FAILED   translate_failure() tells what the provider said or did. Not one byte went out
 *                (translate_is_silent()): the next account, or a real HTTP error by
 *                translate_error_of(). Otherwise translate_fail() writes the client's terminal
 * event. For a client that did not ask for a stream nothing is in out before DONE.
 *  7. Pings while the upstream is silent: as in a same-dialect stream of the client's dialect;
 *     translate_is_silent() says whether anthropic's ping event is allowed (message_start is out).
 *  8. Deadlines, resets, a body cut off: translate_fail() with the gateway's own error_info (or,
 *     silent: the next account).
 *  9. translate_close() in every case.
 *
 * The client's answer gets `content-type: text/event-stream` or application/json (gemini's array:
 * application/json), `x-protocol-translation: translate_pair()`, and in debug mode `x-gw-dropped:
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
#include "proto/carrier.h"
#include "proto/dialect.h"
#include "proto/endpoint.h"
#include "proto/error.h"
#include "proto/hub.h"
#include "proto/plan.h"

struct translate;

struct translate_setup {
    enum dialect client;
    struct str body;    /* decompressed; must stay in place until translate_forget() */
    struct str model;   /* gemini: decoded from the path; others: empty, it is in the body */
    bool stream;        /* gemini: streamGenerateContent; others: ignored, it is in the body */
    bool is_array;      /* gemini: streamGenerateContent without alt=sse */
    bool is_count;      /* count_tokens, input_tokens, countTokens */
    bool is_strict;     /* [proto] translate_mode = strict: hints that cannot cross are refused */
    bool new_anthropic; /* the client's anthropic-version is 2026-10-21 or later */
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
/* Comma list of what was left out by open and encode; empty when nothing was. */
struct str translate_dropped(const struct translate *translate, char *out, size_t out_bytes);

/* --- the answer --- */

enum translate_state { TRANSLATE_WAITING, TRANSLATE_RUNNING, TRANSLATE_DONE, TRANSLATE_FAILED };

/* After the last encode; `is_stream`: by the upstream's content-type. ERR_FULL: the arena. May be
 * called again for a later attempt as long as translate_is_silent(). */
MUST_CHECK enum err translate_begin(struct translate *translate, bool is_stream);
/* Frees the request's side: no further encode. The client's body is not needed any more. */
void translate_forget(struct translate *translate);

/* One SSE event: name and joined data. is_cut events (too long to keep) fail the translation. */
void translate_event(struct translate *translate, struct str name, struct str data);
/* A whole JSON body, also as the answer to a client that wants a stream. */
void translate_body(struct translate *translate, struct str body);
/* The upstream's body ended in good order: the answer is complete, or FAILED. */
void translate_end(struct translate *translate);
/* Something of our own went wrong: the terminal error event goes to out, the state is DONE. Only
 * when !translate_is_silent(). */
void translate_fail(struct translate *translate, const struct error_info *info);
/* Lets a held-back beginning out (WAITING becomes RUNNING). Nothing for a whole answer. */
void translate_flush(struct translate *translate);

enum translate_state translate_state(const struct translate *translate);
bool translate_is_silent(const struct translate *translate); /* no client byte was made yet */
struct buf *translate_out(struct translate *translate);      /* client bytes to send */

/* FAILED: what happened. `status` is the provider's, 0 when it said none. */
struct translate_failure {
    enum error_kind kind;
    uint32_t status;
    struct error_found found; /* as read from the event; kind SERVER and our own words for an answer
                                 that broke off or made no sense */
    bool is_ours;             /* a bound of ours was reached (413-like, do not blame the account) */
};
const struct translate_failure *translate_failure(const struct translate *translate);

/* A provider's error as the client shall see it: status, code and message of the client's dialect,
 * cleaned; account faults masked. `text` holds the message. */
#define TRANSLATE_TEXT_BYTES 512u
void translate_error_of(enum dialect client, const struct error_found *found, uint32_t status,
                        char text[TRANSLATE_TEXT_BYTES], struct error_info *out);
/* The same out of a body with an HTTP status. */
void translate_error(enum dialect client, enum dialect upstream, uint32_t status, struct str body,
                     char text[TRANSLATE_TEXT_BYTES], struct error_info *out);

/* --- counting --- */

/* The client's answer to a count: out of the upstream's answer (ERR_BAD: it has none), or an
 * estimate when `upstream_body` is NULL (*out_estimated; header x-gw-estimated: 1). Chat has no
 * counting endpoint: as upstream it is always estimated. */
MUST_CHECK enum err
translate_count(enum dialect client, enum dialect upstream, const struct str *upstream_body,
                uint64_t estimate, struct buf *to, bool *out_estimated);

#endif

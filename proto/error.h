/*
 * error.h - errors in each dialect: our own written, a provider's read and cleaned.
 *
 * Runs in: worker (write, read), keeper (read: account tests). Pure: nothing to repair.
 */
#ifndef PROTO_ERROR_H
#define PROTO_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/dialect.h"

/* One of our own errors. */
struct error_info {
    uint32_t status;        /* HTTP */
    const char *code;       /* stable: "invalid_api_key", "queue_full", ... */
    struct str message;     /* a sentence for a person */
    const char *param;      /* the field at fault; NULL = none */
    const char *request_id; /* in Anthropic's envelope; NULL = none */
};

/* The JSON body in the dialect's envelope. ERR_FULL: the buffer's bound. */
MUST_CHECK enum err
error_write(struct buf *to, enum dialect dialect, const struct error_info *info);

/* Where in a stream the error is written. */
struct error_place {
    bool is_array;           /* Gemini without alt=sse: the answer is one JSON array */
    bool is_first;           /* nothing of the body was sent yet */
    uint64_t sequence;       /* responses: sequence_number of this event */
    const char *response_id; /* responses: id of the response under way; NULL or "" = not begun */
};

/*
 * The stream's terminal error event in the dialect's framing: chat a data line with `error`, then
 * [DONE]; responses `response.failed`, or `error` when no response has begun; Anthropic
 * `event: error`; Gemini a data line with `error`, in array mode the last element and the bracket.
 * The caller closes the body behind it. ERR_FULL: the buffer's bound.
 */
MUST_CHECK enum err error_event(struct buf *to, enum dialect dialect, const struct error_info *info,
                                const struct error_place *place);

/* What a provider's error means, whatever its dialect (the reference's neutral kinds). */
#define ERROR_KIND_ROWS(X)                                                                  \
    X(BAD_REQUEST, "bad-request")  /* 400: the client's fault */                            \
    X(CONTEXT, "context-too-long") /* the client's fault: input too long for the model */   \
    X(POLICY, "content-policy")    /* the client's fault */                                 \
    X(AUTH, "auth")                /* our account's key is refused */                       \
    X(BILLING, "billing")          /* our account has no money or quota left */             \
    X(PERMISSION, "permission")    /* our account may not */                                \
    X(MODEL, "model-not-found")    /* the account does not have this model */               \
    X(ENDPOINT, "no-endpoint")     /* the provider has nothing at this path */              \
    X(NOT_FOUND, "not-found")      /* another 404 */                                        \
    X(CONFLICT, "conflict")        /* 409 */                                                \
    X(TOO_LARGE, "too-large")      /* 413 */                                                \
    X(RATE_LIMIT, "rate-limit")    /* our account is throttled */                           \
    X(REPLAY, "reasoning-replay")  /* a signature or encrypted reasoning is not accepted */ \
    X(OVERLOADED, "overloaded")    /* 503, 529: the provider has no capacity */             \
    X(TIMEOUT, "timeout")          /* 408, 504 */                                           \
    X(SERVER, "server")            /* other 5xx, and what makes no sense */

enum error_kind {
#define ERROR_KIND_ENUM(name, text) ERROR_##name,
    ERROR_KIND_ROWS(ERROR_KIND_ENUM)
#undef ERROR_KIND_ENUM
};

/* "rate-limit", for logs; static. */
const char *error_kind_name(enum error_kind kind);

struct error_found {
    enum error_kind kind;
    char type[ERROR_CODE_BYTES * 2]; /* as the provider wrote it; "" = none */
    char code[ERROR_CODE_BYTES * 2]; /* same */
    char message[EXCERPT_BYTES + 1]; /* decoded, one line, no tags; not cleaned yet */
    uint32_t retry_after_ms;         /* from the body (Gemini's RetryInfo); 0 = not said */
};

/*
 * Reads a provider's error body or a failed stream event's data. Whatever it is (a relay's HTML, a
 * plain text, an array, nothing), *out is filled; the status decides where the body is silent.
 * `status` 200 stands for an event inside a stream.
 */
void error_read(enum dialect dialect, uint32_t status, struct str body, struct error_found *out);

/*
 * Removes what tells a provider's secrets or identity from a text: keys, bearer tokens,
 * organisation and project ids, request ids, e-mail addresses, URLs and host names are replaced by
 * "[...]". Control bytes become blanks. Cut at out_bytes - 1 on a character's edge; returns the
 * length and writes a NUL behind it.
 */
size_t error_clean(struct str text, char *out, size_t out_bytes);

#endif

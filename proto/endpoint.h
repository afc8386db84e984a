/*
 * endpoint.h - the one table of endpoints: what a client may ask for, and where it goes upstream.
 *
 * endpoint_match() turns method and path into a row of the table, under every alias that users
 * type: with /v1, without, under /openai/v1, Gemini's OpenAI paths under /v1beta/openai, and
 * /backend-api/codex for responses and models. A trailing slash, a doubled leading slash and a
 * doubled version are tolerated: base URLs are typed by people. endpoint_upstream_path() joins an
 * account's base URL and a row.
 *
 * Runs in: worker (every request), keeper (account tests). Pure: nothing to repair.
 */
#ifndef PROTO_ENDPOINT_H
#define PROTO_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/dialect.h"

/* The numbers are written into records: add at the end only. */
enum endpoint {
    ENDPOINT_CHAT,
    ENDPOINT_RESPONSES,
    ENDPOINT_RESPONSES_COMPACT,
    ENDPOINT_RESPONSES_INPUT_TOKENS,
    ENDPOINT_MESSAGES,
    ENDPOINT_COUNT_TOKENS,
    ENDPOINT_GEMINI_GENERATE,
    ENDPOINT_GEMINI_STREAM,
    ENDPOINT_GEMINI_COUNT,
    ENDPOINT_GEMINI_EMBED,
    ENDPOINT_GEMINI_BATCH_EMBED,
    ENDPOINT_EMBEDDINGS,
    ENDPOINT_COMPLETIONS,
    ENDPOINT_IMAGES_GENERATIONS,
    ENDPOINT_IMAGES_EDITS,
    ENDPOINT_IMAGES_VARIATIONS,
    ENDPOINT_AUDIO_SPEECH,
    ENDPOINT_AUDIO_TRANSCRIPTIONS,
    ENDPOINT_AUDIO_TRANSLATIONS,
    ENDPOINT_MODERATIONS,
    ENDPOINT_RERANK,
    ENDPOINT_MODELS_LIST,
    ENDPOINT_MODEL_GET,
    ENDPOINT_HEALTHZ,
    ENDPOINT_READYZ,
    ENDPOINT_ROOT,
    ENDPOINT_RESPONSES_WEBSOCKET, /* GET on responses: 426 with an upgrade, 405 without */
    ENDPOINT_OWN_USAGE,           /* what a key has used and may use: ours */
    ENDPOINT_NUMBER               /* how many there are */
};

enum endpoint_method { ENDPOINT_GET = 1, ENDPOINT_HEAD = 2, ENDPOINT_POST = 4 };

enum endpoint_flag {
    ENDPOINT_JSON = 1,          /* the request has a JSON body */
    ENDPOINT_MULTIPART = 2,     /* the request may be multipart/form-data (JSON too if both) */
    ENDPOINT_STREAM = 4,        /* streams when the body's `stream` is true */
    ENDPOINT_STREAM_ALWAYS = 8, /* always a stream (Gemini's verb says so) */
    ENDPOINT_USAGE = 16,        /* billable: the answer's usage is read and counted */
    ENDPOINT_MODEL_BODY = 32,   /* the model is named in the body */
    ENDPOINT_MODEL_PATH = 64,   /* the model is named in the path */
    ENDPOINT_LOCAL = 128,       /* answered here, nothing goes upstream */
    ENDPOINT_NO_KEY = 256       /* answered without a gateway key */
};

struct endpoint_row {
    enum endpoint endpoint;
    const char *name;          /* for logs: "chat", "gemini-stream" */
    enum dialect dialect;      /* of its errors, and the one an account must speak */
    uint32_t methods;          /* enum endpoint_method bits */
    const char *allow;         /* the same as an Allow field: "POST" */
    const char *path;          /* upstream, with its version: "/v1/messages"; "" when local */
    const char *verb;          /* Gemini: "generateContent"; NULL for the rest */
    const char *model_default; /* for endpoints whose clients may leave the model out; or NULL */
    uint32_t flags;            /* enum endpoint_flag bits */
};

enum endpoint_result { ENDPOINT_FOUND, ENDPOINT_NOT_FOUND, ENDPOINT_WRONG_METHOD };

struct endpoint_hit {
    enum endpoint endpoint; /* FOUND and WRONG_METHOD */
    enum dialect dialect;   /* always set: of the error to answer with, a guess by the path when
                               NOT_FOUND */
    struct str model;       /* Gemini verbs and MODEL_GET: span of the path, still
                               percent-encoded; a leading "models/" is cut off */
    bool is_gemini_path;    /* the path began with /v1beta: lists are asked for in Gemini's shape */
    const char *allow;      /* WRONG_METHOD: the Allow field */
};

/* The endpoint that a dialect is about: a dialogue, whole or as a stream. */
static inline bool
endpoint_is_generation(enum endpoint endpoint)
{
    return endpoint == ENDPOINT_CHAT || endpoint == ENDPOINT_RESPONSES ||
           endpoint == ENDPOINT_MESSAGES || endpoint == ENDPOINT_GEMINI_GENERATE ||
           endpoint == ENDPOINT_GEMINI_STREAM;
}

/* Are its answers images, priced one by one where the provider reports no tokens? */
static inline bool
endpoint_makes_images(enum endpoint endpoint)
{
    return endpoint == ENDPOINT_IMAGES_GENERATIONS || endpoint == ENDPOINT_IMAGES_EDITS ||
           endpoint == ENDPOINT_IMAGES_VARIATIONS;
}

/* The row of an endpoint; static. */
const struct endpoint_row *endpoint_row(enum endpoint endpoint);

/* `path` starts with '/' and has no query; both are the client's bytes. HEAD counts as GET. */
enum endpoint_result endpoint_match(struct str method, struct str path, struct endpoint_hit *out);

/* Decodes %XX into out (at most `model.len` bytes); ERR_BAD: a malformed escape, NUL or other
 * control byte, an empty result, or more than out_bytes - 1. Writes a NUL behind. */
MUST_CHECK enum err
endpoint_model_decode(struct str model, char *out, size_t out_bytes, size_t *out_len);

struct endpoint_target {
    enum endpoint endpoint;
    struct str base_path; /* of the account's base URL: "", "/v1", "/api/paas/v4", ... */
    struct str model;     /* decoded; used by Gemini verbs only; percent-encoded here */
    struct str query; /* to send along without its '?': "beta=true"; may be empty. The caller has
                         taken credentials and alt= out */
    bool wants_sse;   /* GEMINI_STREAM: add alt=sse */
};

/*
 * The request target to send. A base that names a version gets no second one (OpenAI paths: a
 * version anywhere in it, since /v1beta/openai and gateways with /v1/{account}/... mean that;
 * Anthropic and Gemini: at its end); a base that already is a complete endpoint keeps its spelling,
 * and its siblings are found beside it. ERR_FULL: the arena's bound. ERR_BAD: no model, or one with
 * a
 * "." or ".." segment.
 */
MUST_CHECK enum err
endpoint_upstream_path(const struct endpoint_target *target, struct arena *arena, struct str *out);

#endif

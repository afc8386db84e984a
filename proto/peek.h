/*
 * peek.h - what the gateway must know of a request body, read without a tree and without memory.
 *
 * Every JSON body is validated whole, once, while its top-level members are looked at. Names are
 * compared as they are meant (after escapes); a name twice, or a case variant of one, is refused
 * for what decides about access and money, because upstreams disagree which of two counts.
 *
 * Runs in: worker. Owner: the request; spans point into its body, which must stay where it is.
 */
#ifndef PROTO_PEEK_H
#define PROTO_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/endpoint.h"

/* A piece of the body by place; bytes 0 = not there. */
struct peek_span {
    size_t offset;
    size_t bytes;
};

#define PEEK_ANSWERS_MAX 128u /* of one request; providers allow 10 images and 128 choices */

enum peek_session {
    PEEK_SESSION_NONE,
    PEEK_SESSION_CACHE_KEY, /* prompt_cache_key */
    PEEK_SESSION_USER_ID,   /* metadata.user_id, or the session inside it */
    PEEK_SESSION_USER,      /* user */
    PEEK_SESSION_SAFETY_ID  /* safety_identifier */
};

/* How include_usage of stream_options stands. */
enum peek_usage {
    PEEK_USAGE_ABSENT, /* no stream_options member */
    PEEK_USAGE_NULL,   /* stream_options is null */
    PEEK_USAGE_EMPTY,  /* stream_options is {} */
    PEEK_USAGE_UNSAID, /* an object with members, without include_usage */
    PEEK_USAGE_OFF,    /* include_usage is there and not true */
    PEEK_USAGE_ON,     /* include_usage is true: the client wants the usage chunk */
    PEEK_USAGE_ODD     /* stream_options is no object: left to the upstream to refuse */
};

struct peek {
    char model[MODEL_NAME_BYTES]; /* decoded, with a NUL; "" when the model is in the path */
    struct peek_span model_span;  /* JSON: the value with its quotes; multipart: the text alone.
                                     Not there: the default of the endpoint stands in `model` */
    bool stream;                  /* what the body says; false when it says nothing */
    bool has_stream;
    bool is_multipart;
    uint64_t output_tokens_max; /* the largest of the fields that bound the answer; 0 = none */
    uint32_t answers; /* n, candidateCount: answers or images asked for; 1 when it says nothing */

    enum peek_session session_kind;
    char session[SESSION_TEXT_BYTES];           /* longer ones as hex of their SHA-256 */
    char previous_response[SESSION_TEXT_BYTES]; /* previous_response_id; "" = none */
    char service_tier[32]; /* "" = none or longer than any real one; "fast" also when speed says so
                            */

    enum peek_usage usage;
    struct peek_span stream_options; /* its value */
    struct peek_span include_usage;  /* its value */
    struct peek_span system;         /* system, instructions, systemInstruction: how it stands */
    struct peek_span talk;           /* messages, input, contents */
    size_t members_end;              /* where a member can be added: right behind the last value, or
                                        behind the '{' of an empty object */
    bool has_members;

    uint64_t input_tokens; /* estimate_weighed() of the body; of a form: estimate_tokens() of
                              its text fields */
};

/* A refused body: what reply needs. */
struct peek_error {
    uint32_t status;   /* 400 */
    const char *code;  /* "invalid_json", "missing_model", "invalid_request"; static */
    const char *param; /* the field's name; NULL = none; static */
    char message[192]; /* a sentence; with its NUL */
};

/* ERR_BAD with *error filled. `endpoint` says whether a model is needed and where. */
MUST_CHECK enum err
peek_json(enum endpoint endpoint, struct str body, struct peek *out, struct peek_error *error);

/* The `model` and `stream` fields of a multipart/form-data body; `content_type` is the field's
 * whole value (its boundary is checked strictly). ERR_BAD with *error filled. */
MUST_CHECK enum err peek_multipart(enum endpoint endpoint, struct str body, struct str content_type,
                                   struct peek *out, struct peek_error *error);

#endif

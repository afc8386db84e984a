/*
 * hub.h - the neutral form between the dialects: requests, the events of an answer, whole answers.
 *
 * Same dialect at both ends never comes here (splice.h). Otherwise the client's body is decoded
 * into a hub_request and encoded again for the provider, and the provider's answer, streamed or
 * whole, becomes hub_events, which the client's dialect writes. A whole answer is the fold of its
 * events (collect.h), so the two cannot disagree.
 *
 *      client body  -decode-> hub_request -turns,naming-> encode -> provider body
 *      provider's answer -read-> hub_event* -filters-> write (stream) | collect, write_body (whole)
 *
 * Text is decoded (no JSON escapes), valid UTF-8, borrowed: spans of the client's body or of the
 * request's arena. What is not interpreted (schemas, arguments, metadata, numbers) stays raw JSON,
 * byte for byte; those members are named `..._json` and are empty (len 0) when absent. Nothing here
 * owns memory but the arena.
 *
 * Runs in: worker, keeper (account tests). Pure: nothing to repair.
 */
#ifndef PROTO_HUB_H
#define PROTO_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/dialect.h"
#include "proto/error.h"
#include "proto/usage.h"

/* An optional boolean. */
enum hub_tri { HUB_UNSET, HUB_NO, HUB_YES };

/* --- why a request cannot be translated, and what was left out --- */

/* status 0: nothing is wrong. The first problem stays. */
struct hub_problem {
    uint32_t status;   /* 400 */
    const char *code;  /* "invalid_request", "unsupported_parameter", "unsupported_value" */
    char param[96];    /* the field's path in the client's own body: "messages[3].content[1]" */
    char message[192]; /* a sentence for a person */
};

/* Fields that had no counterpart, for the header that lists them and for the counter. */
#define HUB_LOSSES_MAX 32u
struct hub_losses {
    struct str fields[HUB_LOSSES_MAX]; /* static texts or spans of the client's body, no repeats */
    uint32_t count;
    uint32_t uncounted; /* beyond the bound */
    bool is_strict;     /* hub_drop() then refuses instead: *problem is filled */
    struct hub_problem *problem;
};

/* Both return ERR_BAD, so that a caller can `return hub_refuse(...)`. hub_refuse: the body is
 * malformed (code invalid_request); hub_reject: it cannot cross (unsupported_parameter). `path` is
 * a printf format. */
MUST_CHECK enum err hub_refuse(struct hub_problem *problem, const char *message, const char *path,
                               ...) __attribute__((format(printf, 3, 4)));
MUST_CHECK enum err hub_reject(struct hub_problem *problem, const char *message, const char *path,
                               ...) __attribute__((format(printf, 3, 4)));
/* A hint that is left out: cost, latency, bookkeeping or probability only. */
void hub_drop(struct hub_losses *losses, struct str field);

/* --- what is opaque: signatures, encrypted reasoning --- */

/* Whose eyes it is for. */
enum hub_family {
    HUB_FAMILY_NONE,
    HUB_FAMILY_OPENAI,             /* encrypted_content of a reasoning item; id is its rs_... */
    HUB_FAMILY_ANTHROPIC,          /* signature of a thinking block */
    HUB_FAMILY_ANTHROPIC_REDACTED, /* data of a redacted_thinking block */
    HUB_FAMILY_GEMINI,             /* thoughtSignature */
    HUB_FAMILY_GATEWAY /* ours: bytes is the readable summary of an emulated compaction */
};

struct hub_signature {
    enum hub_family family; /* NONE: there is no signature */
    struct str bytes;       /* the opaque text as it stood in its own dialect */
    struct str id;          /* OPENAI: the item's id; else empty */
};

/* --- parts of messages and of answers --- */

enum hub_part_kind {
    HUB_TEXT,
    HUB_REFUSAL,
    HUB_IMAGE,
    HUB_AUDIO,
    HUB_VIDEO,
    HUB_DOCUMENT,      /* PDF, or text with a title */
    HUB_CALL,          /* the model calls one of the client's tools */
    HUB_RESULT,        /* what the tool said */
    HUB_REASONING,     /* thinking, reasoning items, thoughts */
    HUB_SEARCH_RESULT, /* anthropic: a passage with title and source */
    HUB_SERVER_CALL,   /* a tool that ran at the provider; never shown as a call to answer */
    HUB_SERVER_RESULT,
    HUB_COMPACTION /* responses: an earlier conversation, folded */
};

enum hub_media_source { HUB_BASE64, HUB_URL, HUB_FILE_ID, HUB_PLAIN };

struct hub_media {
    enum hub_media_source source;
    struct str mime;      /* lower case, "image/jpeg"; empty when unknown (URL) */
    struct str data;      /* BASE64: standard alphabet, no blanks (media_base64); PLAIN: the text */
    struct str reference; /* URL: the address; FILE_ID: the id */
    struct str filename;  /* or title; may be empty */
    struct str context;   /* anthropic documents; may be empty */
    struct str detail;    /* "low", "high", "auto", "original"; may be empty */
    enum dialect home;    /* FILE_ID: whose file it is */
};

enum hub_call_kind { HUB_FUNCTION, HUB_CUSTOM };

struct hub_part;

struct hub_call {
    struct str id;   /* as the client or provider gave it; empty only before turns_order() */
    struct str name; /* the client's own name, without its namespace */
    struct str space;
    enum hub_call_kind kind;
    /*
     * FUNCTION: the arguments' JSON text, byte for byte; may be empty or no object at all when a
     * history says so (argument_object() makes an object of anything). CUSTOM: the free text.
     */
    struct str arguments;
    struct hub_signature signature; /* gemini: of this very call */
    struct hub_part *answer;        /* requests: its result; set by turns_order() */
};

struct hub_result {
    struct str call_id;
    struct str name; /* of the called tool; filled by turns_order() */
    struct str space;
    enum hub_call_kind kind; /* of the call; filled by turns_order() */
    bool is_error;
    struct hub_part *parts; /* TEXT, IMAGE, DOCUMENT, SEARCH_RESULT; NULL = empty */
    struct str object_json; /* gemini: the response object verbatim; `parts` then has its text */
};

enum hub_visibility { HUB_FULL, HUB_SUMMARY, HUB_OMITTED };

/* A reasoning part's texts: summary entries of responses, one thinking block of Anthropic. */
struct hub_segment {
    struct hub_segment *next;
    struct hub_segment *tail; /* as in hub_part */
    struct str text;
};

struct hub_reasoning {
    struct hub_segment *segments; /* NULL: no text */
    enum hub_visibility visibility;
    struct hub_signature signature;
};

struct hub_server {
    struct str kind; /* "web_search", "code_execution", "file_search", ... */
    struct str id;
    struct str input_json;  /* CALL: what was asked */
    struct str output_json; /* RESULT: the dialect's own value */
    struct str text;        /* RESULT: readable text with links, for dialects without this tool */
    enum dialect home;      /* whose spelling the raw values are */
    struct str whole_json;  /* the whole item or block, for the way back to its own dialect */
};

enum hub_annotation_kind { HUB_CITE_URL, HUB_CITE_FILE, HUB_CITE_OTHER };

/* A citation. Places count characters (code points) of the text part; 0,0 when unknown. */
struct hub_annotation {
    struct hub_annotation *next;
    enum hub_annotation_kind kind;
    struct str url; /* FILE: the file's id */
    struct str title;
    struct str cited; /* the cited source's own words; may be empty */
    uint64_t start;
    uint64_t end;
};

enum hub_cache { HUB_CACHE_NONE, HUB_CACHE_5M, HUB_CACHE_1H, HUB_CACHE_24H };

struct hub_part {
    struct hub_part *next;
    struct hub_part *tail; /* in a list's first part: its last one; kept by hub_part_to() */
    enum hub_part_kind kind;
    enum hub_cache cache;               /* a cache mark behind this part */
    uint32_t index;                     /* requests: its place in the client's content array */
    bool is_incomplete;                 /* answers: cut off (length) */
    struct str item_id;                 /* the provider's id of the item; may be empty */
    struct str title;                   /* SEARCH_RESULT */
    struct str source;                  /* SEARCH_RESULT */
    struct hub_annotation *annotations; /* TEXT */
    struct str logprobs_json;           /* TEXT of answers: chat's array; may be empty */
    /* Only the member that belongs to `kind` is filled. */
    struct str text; /* TEXT, REFUSAL, SEARCH_RESULT; COMPACTION: the opaque or the readable text */
    union {
        struct hub_media media; /* IMAGE, AUDIO, VIDEO, DOCUMENT */
        struct hub_call call;
        struct hub_result result;
        struct hub_reasoning reasoning;
        struct hub_server server;
        struct hub_signature signature; /* TEXT of gemini, COMPACTION */
    };
};

/* --- a request --- */

enum hub_role { HUB_SYSTEM, HUB_DEVELOPER, HUB_USER, HUB_ASSISTANT, HUB_TOOL };

struct hub_message {
    struct hub_message *next;
    enum hub_role role;
    struct str name;        /* chat's participant */
    struct str phase;       /* responses: "commentary", "final_answer" */
    struct hub_part *parts; /* NULL = none */
    uint32_t index;         /* of its source element in the client's array, for paths in problems */
};

enum hub_tool_kind { HUB_TOOL_FUNCTION, HUB_TOOL_CUSTOM, HUB_TOOL_HOSTED };

/* Hosted tools, as far as two dialects have them. */
enum hub_hosted {
    HUB_HOSTED_OTHER,
    HUB_HOSTED_WEB_SEARCH,
    HUB_HOSTED_WEB_FETCH, /* url context */
    HUB_HOSTED_CODE,      /* code execution, code interpreter */
    HUB_HOSTED_FILE_SEARCH,
    HUB_HOSTED_COMPUTER,
    HUB_HOSTED_SHELL, /* local_shell, shell; anthropic bash_* */
    HUB_HOSTED_APPLY_PATCH,
    HUB_HOSTED_TEXT_EDITOR, /* anthropic */
    HUB_HOSTED_MEMORY,      /* anthropic */
    HUB_HOSTED_TOOL_SEARCH,
    HUB_HOSTED_IMAGE,
    HUB_HOSTED_MCP
};

struct hub_tool {
    struct hub_tool *next;
    enum hub_tool_kind kind;
    struct str name;
    struct str space; /* responses' namespace the tool stands in; empty = none */
    struct str space_description;
    struct str description;
    struct str schema_json; /* FUNCTION; empty = the client gave none */
    enum hub_tri strict;
    enum hub_cache cache;
    bool is_deferred;          /* defer_loading */
    struct str examples_json;  /* anthropic's input_examples; an array or empty */
    struct str grammar;        /* CUSTOM: definition; empty = any text */
    struct str grammar_syntax; /* "lark", "regex" */
    enum hub_hosted hosted;    /* HOSTED; FUNCTION: the client-side tool of the dialect that the
                                  decoder made a function of (shell, apply_patch, bash) */
    struct str hosted_type;    /* HOSTED: the type's own word: "web_search_20250305" */
    struct str whole_json;     /* HOSTED: the tool's whole object; chat's web_search_options */
    enum dialect home;         /* HOSTED: whose spelling that is */
};

enum hub_choice_mode {
    HUB_CHOICE_UNSET,
    HUB_CHOICE_AUTO,
    HUB_CHOICE_NONE,
    HUB_CHOICE_ANY,       /* some tool */
    HUB_CHOICE_ONE,       /* names->name */
    HUB_CHOICE_SOME_AUTO, /* allowed_tools, auto */
    HUB_CHOICE_SOME_ANY,  /* allowed_tools, required */
    HUB_CHOICE_VALIDATED, /* gemini */
    HUB_CHOICE_HOSTED     /* a hosted tool is forced: names->name is its type */
};

struct hub_choice_name {
    struct hub_choice_name *next;
    struct hub_choice_name *tail; /* as in hub_part */
    struct str name;
    struct str space;
};

struct hub_choice {
    enum hub_choice_mode mode;
    struct hub_choice_name *names;
    enum hub_tri parallel; /* NO: one call at a time */
};

/* In order: effort.h compares them. */
enum hub_effort {
    HUB_EFFORT_UNSET,
    HUB_EFFORT_OFF,
    HUB_EFFORT_MINIMAL,
    HUB_EFFORT_LOW,
    HUB_EFFORT_MEDIUM,
    HUB_EFFORT_HIGH,
    HUB_EFFORT_XHIGH,
    HUB_EFFORT_MAX,
    HUB_EFFORT_AUTO /* dynamic: the model decides */
};

struct hub_thinking {
    enum hub_effort effort; /* as said, or derived from the budget (effort_of_budget) */
    bool has_budget;
    uint64_t budget_tokens; /* has_budget: as said */
    enum hub_tri show;      /* the client wants to see it */
    struct str summary;     /* responses: "auto", "concise", "detailed" */
};

enum hub_format_kind { HUB_FORMAT_TEXT, HUB_FORMAT_JSON, HUB_FORMAT_SCHEMA, HUB_FORMAT_ENUM };

struct hub_format {
    enum hub_format_kind kind; /* TEXT: nothing asked */
    struct str name;
    struct str description;
    struct str schema_json;
    enum hub_tri strict;
    bool is_strict_source; /* anthropic, gemini: their schemas always bind */
};

/* How the client wants its answer; kept beyond the request (wish copies). */
struct hub_shape {
    enum dialect dialect;
    struct str model; /* as the client named it: answers say this name */
    bool stream;
    bool is_array;         /* gemini: streamGenerateContent without alt=sse */
    bool usage_chunk;      /* chat: stream_options.include_usage */
    bool legacy_functions; /* chat: `functions`: replies use function_call */
    bool compaction;       /* responses: the last item is compaction_trigger: the answer is one
                              compaction item */
    bool encrypted;        /* responses: include has reasoning.encrypted_content */
    bool is_count;         /* count_tokens, input_tokens, countTokens */
    bool new_anthropic;    /* anthropic-version 2026-10-21 or later: nullable members are there */
    struct str echo_json;  /* responses: members of the answer that repeat the request, an object
                              (instructions, tools, metadata, ...); respin makes it */
};

struct hub_request {
    struct arena *arena;           /* for everything below; set before decoding */
    struct hub_losses *losses;     /* set before decoding */
    const struct carrier *carrier; /* opens wrapped signatures; set before decoding */
    struct hub_shape shape;        /* dialect, and for gemini model, stream, is_array: set before */

    struct hub_message
        *messages; /* in order; leading SYSTEM and DEVELOPER ones are the system text */
    struct hub_message *last;
    uint32_t message_count;
    struct hub_tool *tools;
    struct hub_tool *last_tool;
    uint32_t tool_count;
    struct hub_choice choice;

    bool has_output_max;
    uint64_t output_tokens_max;
    struct str temperature_json; /* numbers keep their spelling */
    struct str top_p_json;
    struct str top_k_json;
    struct str seed_json;
    struct str frequency_penalty_json;
    struct str presence_penalty_json;
    struct str logit_bias_json;
    struct str prediction_json;
    uint64_t answers; /* n, candidateCount; 1 when unsaid */
    struct str stops[HUB_STOPS_MAX];
    uint32_t stop_count;
    enum hub_tri logprobs;
    struct str top_logprobs_json;
    struct hub_thinking thinking;
    struct hub_format format;
    struct str verbosity;
    struct str tier; /* the client's own word: "auto", "flex", "standard_only", "priority", ... */
    struct str end_user;   /* user, safety_identifier, metadata.user_id */
    bool end_user_is_safe; /* it came as safety_identifier */
    struct str cache_key;
    enum hub_cache cache; /* whole request: prompt_cache_retention, top-level cache_control */
    struct str metadata_json;
    enum hub_tri store;
    bool wants_audio; /* modalities */
    bool wants_image;
    struct str audio_json; /* chat: audio{voice,format} */
};

/* Appends; NULL when the arena is full (return ERR_FULL). The parts of a message are appended with
 * hub_part_to(&message->parts, kind). */
struct hub_message *
hub_message_add(struct hub_request *request, enum hub_role role, uint32_t index);
struct hub_part *hub_part_to(struct arena *arena, struct hub_part **list, enum hub_part_kind kind);
struct hub_part *hub_text_to(struct arena *arena, struct hub_part **list, struct str text);
struct hub_tool *hub_tool_add(struct hub_request *request, enum hub_tool_kind kind);
bool hub_segment_to(struct arena *arena, struct hub_segment **list, struct str text);
bool hub_choice_to(struct hub_request *request, struct str name, struct str space);
/* The tool of this name and namespace, or NULL. */
const struct hub_tool *
hub_tool_find(const struct hub_request *request, struct str name, struct str space);
/* Where a message stands in the client's own body: "messages[3]", "input[3]", "contents[3]"; for
 * paths of problems found while encoding. Returns out. */
#define HUB_PATH_BYTES 48u
const char *hub_path(const struct hub_request *request, const struct hub_message *message,
                     char out[HUB_PATH_BYTES]);
/* What the client's dialect calls a field that problems and losses name. */
enum hub_field {
    HUB_FIELD_OUTPUT_MAX,
    HUB_FIELD_ANSWERS,
    HUB_FIELD_FORMAT,
    HUB_FIELD_MODALITIES,
    HUB_FIELD_TEMPERATURE,
    HUB_FIELD_TOP_P,
    HUB_FIELD_TOP_K,
    HUB_FIELD_FREQUENCY,
    HUB_FIELD_PRESENCE,
    HUB_FIELD_STOP,
    HUB_FIELD_CHOICE,
    HUB_FIELD_THINKING,
    HUB_FIELD_TIER,
    HUB_FIELD_CACHE,
    HUB_FIELD_END_USER,
    HUB_FIELD_PARALLEL
};
const char *hub_field_name(const struct hub_request *request, enum hub_field field);

/* The same of a part: "messages[3].content[1]", "contents[3].parts[1]". */
const char *hub_part_path(const struct hub_request *request, const struct hub_message *message,
                          const struct hub_part *part, char out[HUB_PATH_BYTES]);
/* The texts of a list of parts, joined; ERR_FULL: the arena. One text is returned as it is. */
MUST_CHECK enum err hub_join_texts(struct arena *arena, const struct hub_part *parts,
                                   struct str between, struct str *out);
MUST_CHECK enum err hub_join_segments(struct arena *arena, const struct hub_segment *segments,
                                      struct str between, struct str *out);

/* --- an answer, as events --- */

enum hub_event_kind {
    HUB_START,   /* once, first: id, model, created_s; usage when known early */
    HUB_OPEN,    /* a part begins: part, choice, part_kind; a CALL has all of `call` but arguments
                    (name and id known: readers wait for them); SERVER_CALL: server */
    HUB_DELTA,   /* text: of TEXT, REFUSAL, REASONING; of a CALL raw argument text, cut anywhere */
    HUB_SEGMENT, /* the next segment of a REASONING part begins (not sent before the first) */
    HUB_SIGNATURE, /* of the open REASONING, CALL or TEXT part: whole, at most once, before CLOSE */
    HUB_ANNOTATION,  /* of an open TEXT part */
    HUB_LOGPROBS,    /* of an open TEXT part: chat's token objects, joined by commas */
    HUB_MEDIA,       /* of an open IMAGE or AUDIO part: whole */
    HUB_SERVER_DONE, /* of an open SERVER_CALL: its input and output, as far as known */
    HUB_CLOSE,       /* is_incomplete: it was cut off */
    HUB_USAGE,       /* everything known so far: overwrites */
    HUB_FINISH,      /* once a choice */
    HUB_ERROR,       /* the provider failed: ends the stream */
    HUB_END          /* the terminal marker was seen: ends the stream */
};

/* X(name, ...): the neutral reasons of protocols 3.1. */
enum hub_finish {
    HUB_FINISH_STOP,
    HUB_FINISH_STOP_SEQUENCE, /* text: the sequence, when known */
    HUB_FINISH_TOOL_CALLS,
    HUB_FINISH_LENGTH,
    HUB_FINISH_CONTEXT_FULL,
    HUB_FINISH_CONTENT_FILTER, /* is_prompt: the prompt was blocked, nothing was produced */
    HUB_FINISH_RECITATION,
    HUB_FINISH_REFUSAL, /* text: the provider's explanation; may be empty */
    HUB_FINISH_PAUSE,
    HUB_FINISH_MALFORMED_TOOL,
    HUB_FINISH_OTHER,
    HUB_FINISH_ERROR,
    HUB_FINISH_CANCELLED
};

/*
 * One event. Texts live only during the call. `part` is a handle the reader counts up from 1 and
 * never uses twice; several parts may be open at once (chat interleaves) and the filters put them
 * in a row for the writers that need that.
 */
struct hub_event {
    enum hub_event_kind kind;
    uint32_t part;
    uint32_t choice;
    enum hub_part_kind part_kind; /* all events of a part */
    struct str text;
    bool is_incomplete; /* CLOSE */
    bool is_prompt;     /* FINISH */
    enum hub_finish finish;
    struct str raw_reason;                   /* FINISH: the provider's word */
    struct str id;                           /* START: response; OPEN: the item's own id */
    struct str model;                        /* START */
    struct str phase;                        /* OPEN of a text */
    uint64_t created_s;                      /* START; 0 = unknown */
    enum hub_visibility visibility;          /* OPEN of REASONING */
    struct hub_call call;                    /* OPEN of a CALL */
    const struct hub_signature *signature;   /* SIGNATURE */
    const struct hub_annotation *annotation; /* ANNOTATION */
    const struct hub_media *media;           /* MEDIA */
    const struct hub_server *server;         /* OPEN of SERVER_CALL, SERVER_DONE */
    const struct usage *usage;               /* USAGE; START or NULL */
    const struct error_found *error;         /* ERROR */
    uint32_t status;                         /* ERROR: HTTP, when the provider said one; else 0 */
};

/* Where events go. ERR_FULL: a bound; ERR_BAD never (events are ours). */
struct hub_sink {
    enum err (*fn)(void *context, const struct hub_event *event);
    void *context;
};

MUST_CHECK static inline enum err
hub_emit(struct hub_sink sink, const struct hub_event *event)
{
    return sink.fn(sink.context, event);
}

/* --- a whole answer: what collect.h folds the events into --- */

struct hub_choice_answer {
    struct hub_choice_answer *next;
    uint32_t index;
    struct hub_part *parts; /* in the order in which they began */
    enum hub_finish finish;
    struct str finish_text; /* stop sequence or refusal text */
    struct str raw_reason;
    bool is_prompt;
};

struct hub_answer {
    struct str id; /* the provider's; writers derive the client's from it (naming_answer_id) */
    struct str model;
    uint64_t created_s; /* 0 = unknown */
    struct hub_choice_answer *choices;
    struct usage usage;
};

#endif

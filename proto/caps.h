/*
 * caps.h - what an upstream account and model can do beyond the dialect's common ground.
 *
 * One flat struct for all dialects; an encoder looks at its own. The defaults are those of the
 * specification. They are set by name, from an account's settings or a test vector.
 *
 * Runs in: worker, keeper, recorder (checks what an admin types). Pure: nothing to repair.
 */
#ifndef PROTO_CAPS_H
#define PROTO_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "proto/dialect.h"
#include "proto/hub.h"

enum caps_thinking { CAPS_MANUAL, CAPS_ADAPTIVE, CAPS_BOTH, CAPS_NO_THINKING };

#define CAPS_DELETE_MAX 8u
#define CAPS_FIELD_BYTES 32u

struct caps {
    bool max_tokens;           /* chat: send max_tokens, not max_completion_tokens */
    bool reasoning_model;      /* chat, responses: developer role, no sampling, no stop */
    uint32_t efforts;          /* bits 1 << enum hub_effort that the model takes; anthropic: of
                                  output_config.effort, 0 = it has none */
    bool custom_tools;         /* chat: custom tools natively */
    bool reasoning_in_history; /* chat: send reasoning_content back */
    bool safety_identifier;    /* chat, responses: else `user` */
    bool cache_breakpoints;    /* chat, responses */
    bool web_search;           /* chat, responses */
    bool top_k;                /* chat: extra_top_k */
    bool inline_think;         /* chat: <think> inside the text is reasoning */
    bool split_args;           /* chat: two objects at one index are two calls */
    bool video;                /* chat: video_url parts */
    bool summary;              /* responses: reasoning.summary may be asked for */
    bool must_stream;          /* responses */
    char deleted[CAPS_DELETE_MAX][CAPS_FIELD_BYTES]; /* responses: members the account rejects */
    enum caps_thinking thinking;                     /* anthropic */
    bool mid_system;                                 /* anthropic: role system inside messages */
    bool prefill;                                    /* anthropic: trailing assistant turn */
    bool structured;                                 /* anthropic: output_config.format */
    bool one_sampler;                                /* anthropic: temperature or top_p */
    bool no_sampling;                                /* anthropic: neither */
    bool strict_tools;                               /* anthropic: strict on tools */
    uint32_t name_max;                               /* anthropic: of tool names: 64 or 128 */
    uint64_t output_max;                             /* tokens: default and clamp; 0 = unknown */
    uint32_t family;                                 /* gemini: 10 times the version: 25, 30 */
    bool budget;         /* gemini: thinkingBudget, else thinkingLevel */
    uint64_t budget_min; /* gemini, tokens */
    uint64_t budget_max;
    bool budget_zero;        /* gemini: thinking may be switched off */
    bool level_minimal;      /* gemini 3: MINIMAL exists (flash) */
    bool sig_required;       /* gemini 3: unsigned first calls need the sentinel */
    bool json_schema;        /* gemini: parametersJsonSchema, responseJsonSchema */
    bool json_with_tools;    /* gemini */
    bool mixed_tools;        /* gemini: googleSearch beside functions */
    bool fr_media;           /* gemini: functionResponse.parts */
    bool fc_id;              /* gemini: functionCall.id */
    bool validated;          /* gemini: mode VALIDATED */
    bool system_instruction; /* gemini: the model has one */
};

/* What the specification assumes of any account of the dialect. */
void caps_default(struct caps *caps, enum dialect dialect);

/* gemini: what goes with the family (10 times its version); the third thinks in levels and signs.
 */
void caps_family(struct caps *caps, uint32_t family);

/* Sets one by its name ("sig_required", "effort": a list, "thinking": a word, "family": "3").
 * ERR_BAD: unknown name or a value of another type. */
MUST_CHECK enum err
caps_set(struct caps *caps, enum dialect dialect, struct str name, struct json_value value);

/*
 * An account's own list, comma separated: "name" or "no-name" for what is or is not so,
 * "name=word", "name=number", "effort=low+high", "delete_fields=a+b". '-' counts as '_' in names.
 * An item that another dialect has is left out: an account may speak several.
 */
void caps_apply(struct caps *caps, enum dialect dialect, struct str list);
/* Is each item one that some dialect has? *out_bad: the first that is not. */
bool caps_list_is_good(struct str list, struct str *out_bad);

#endif

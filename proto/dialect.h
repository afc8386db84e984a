/*
 * dialect.h - the four generation protocols that clients and providers speak.
 *
 * A dialect names a body, stream and error shape, never a vendor: a relay that serves OpenAI's
 * chat endpoint speaks chat. The numbers are written into records: add at the end only.
 *
 * Runs in: every process. Pure functions: nothing to repair when a process dies here.
 */
#ifndef PROTO_DIALECT_H
#define PROTO_DIALECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum dialect {
    DIALECT_CHAT,      /* OpenAI Chat Completions; also the OpenAI endpoints without a dialect */
    DIALECT_RESPONSES, /* OpenAI Responses */
    DIALECT_ANTHROPIC, /* Anthropic Messages */
    DIALECT_GEMINI,    /* Gemini generateContent */
    DIALECT_COUNT
};

/* A set of dialects is a bit mask. */
#define DIALECT_BIT(dialect) (1u << (dialect))
#define DIALECT_MASK_ALL ((1u << DIALECT_COUNT) - 1)

/* "chat,responses,anthropic,gemini" and a NUL, with room to spare. */
#define DIALECT_MASK_TEXT_BYTES 48

/* "chat", "responses", "anthropic", "gemini"; static. */
const char *dialect_name(enum dialect dialect);
/* Where it is spoken, for people: "/v1/responses"; static. */
const char *dialect_endpoint(enum dialect dialect);

/* The exact lower-case name; false for anything else. */
bool dialect_parse(struct str name, enum dialect *out);

/* A comma list as people type it: blanks around names, "all" for every dialect. ERR_BAD: unknown or
 * empty name, or an empty list. */
MUST_CHECK enum err dialect_mask_parse(struct str list, uint32_t *out_mask);

/* The comma list of a mask ("" for 0) with its NUL; returns out. */
const char *dialect_mask_text(uint32_t mask, char out[DIALECT_MASK_TEXT_BYTES]);

#endif

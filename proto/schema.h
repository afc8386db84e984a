/*
 * schema.h - JSON Schemas for Gemini (the way back: revert.h).
 *
 * Works on schema positions only (root, properties.*, items, anyOf, ...): names of properties are
 * data and survive whatever they are called. The rules are numbered in the specification, 4.4.
 *
 * Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_SCHEMA_H
#define PROTO_SCHEMA_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/caps.h"

/* Writes the cleaned schema as a JSON text into the arena. ERR_BAD: no object; ERR_FULL: the arena
 * or SCHEMA_BYTES_MAX (an inlined reference may grow). */
MUST_CHECK enum err schema_to_gemini(struct str schema_json, const struct caps *caps,
                                     struct arena *arena, struct str *out);
/* The same for parametersJsonSchema and responseJsonSchema (cap json_schema). */
MUST_CHECK enum err
schema_to_gemini_json(struct str schema_json, struct arena *arena, struct str *out);
#endif

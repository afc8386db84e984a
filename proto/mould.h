/*
 * mould.h - JSON Schemas as Anthropic wants them, and the question whether a schema is strict.
 *
 * Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_MOULD_H
#define PROTO_MOULD_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* A tool's input_schema: the root is a plain object. Empty in: the empty object schema. ERR_BAD: no
 * object. */
MUST_CHECK enum err mould_root(struct str schema_json, struct arena *arena, struct str *out);
/* output_config.format and strict tools: supported keywords only, the rest as notes. ERR_BAD: it
 * cannot be expressed. */
MUST_CHECK enum err mould_output(struct str schema_json, struct arena *arena, struct str *out);
/* May `strict: true` be set for it (OpenAI's rules: every object closed, every property required)?
 */
bool mould_is_strict(struct str schema_json, struct arena *arena);

#endif

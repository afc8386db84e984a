/*
 * mould.h - JSON Schemas as Anthropic wants them.
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
#endif

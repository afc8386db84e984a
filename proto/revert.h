/*
 * revert.h - Gemini's schemas (upper-case types, nullable, propertyOrdering) as JSON Schemas.
 *
 * Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_REVERT_H
#define PROTO_REVERT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* ERR_BAD: no object; ERR_FULL: the arena or SCHEMA_BYTES_MAX. */
MUST_CHECK enum err revert_schema(struct str schema_json, struct arena *arena, struct str *out);

#endif

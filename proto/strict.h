/*
 * strict.h - may OpenAI be asked to hold an answer to this schema strictly?
 *
 * Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_STRICT_H
#define PROTO_STRICT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

/* Every object in it is closed (additionalProperties false) and requires all its properties. */
bool strict_is(struct str schema_json, struct arena *arena);

#endif

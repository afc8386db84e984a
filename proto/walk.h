/*
 * walk.h - reading a JSON tree member by member: what all decoders and readers use.
 *
 * A cursor is copied by value. Asking a cursor that stands nowhere (a member that is not there) or
 * on another kind gives "not there", never an error, so chains need no checks:
 *     walk_text(walk_get(walk_get(root, STR("a")), STR("b")), arena, &text)
 * Of members of one name the last counts.
 *
 * Runs in: worker, keeper. Pure: the document belongs to the caller.
 */
#ifndef PROTO_WALK_H
#define PROTO_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "proto/hub.h"

struct walk {
    const struct json_doc *doc; /* NULL: nowhere */
    uint32_t node;
    uint32_t end; /* first node behind the container that is walked through */
};

/* ERR_BAD: no JSON; ERR_FULL: the arena or JSON_NODES_MAX. The document lies in the arena. */
MUST_CHECK enum err walk_parse(struct str text, struct arena *arena, struct walk *out);

static inline bool
walk_is_there(struct walk at)
{
    return at.doc != NULL;
}
/* JSON_NULL for nowhere too. */
enum json_kind walk_kind(struct walk at);
/* There, and not null. */
bool walk_is_value(struct walk at);

/* The member of this name; nowhere when there is none or `at` is no object. */
struct walk walk_get(struct walk at, struct str name);
/* The same for Gemini: `name` in lowerCamelCase; its snake_case counts too. */
struct walk walk_get_camel(struct walk at, struct str name);
/* The first element of an array, the next one; nowhere at the end. */
struct walk walk_first(struct walk at);
struct walk walk_next(struct walk at);
/* The same for an object: the value; *name is decoded into the arena when it must be. */
struct walk walk_first_member(struct walk at, struct arena *arena, struct str *name);
struct walk walk_next_member(struct walk at, struct arena *arena, struct str *name);
/* Elements or members. */
uint32_t walk_count(struct walk at);

/* The bytes of the value as they stand; empty for nowhere. walk_raw_value: also for null. */
struct str walk_raw(struct walk at);
struct str walk_raw_value(struct walk at);
struct json_value walk_value(struct walk at);

/* A string decoded (borrowed when it has no escape). false and an empty text for another kind, and
 * when the arena is full. */
bool walk_text(struct walk at, struct arena *arena, struct str *out);
/* The same as a value; empty when there is none. */
struct str walk_string(struct walk at, struct arena *arena);
bool walk_is_text(struct walk at, struct str text);
enum hub_tri walk_tri(struct walk at);
bool walk_is_true(struct walk at);
/* Integers, 12.0, and "12" as relays write them. */
bool walk_u64(struct walk at, uint64_t *out);

#endif

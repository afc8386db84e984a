/*
 * facet.h - one schema with everything that counts for it: references followed, allOf merged, an
 * alternative that is the only one left put in its place.
 *
 * Only schema.c includes this. Runs in: worker. Pure.
 */
#ifndef PROTO_FACET_H
#define PROTO_FACET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "proto/walk.h"

#define FACET_NODES_MAX 16u /* parts of one allOf; more are left out */
#define FACET_TYPES_MAX 8u

/* References that are being followed, so that a cycle is seen. */
struct facet_trail {
    const struct facet_trail *before;
    uint32_t node;
};

struct facet {
    struct walk nodes[FACET_NODES_MAX]; /* the schema and what is merged into it */
    uint32_t node_count;
    struct walk alternatives;          /* anyOf or oneOf with more than one left; nowhere = none */
    struct str types[FACET_TYPES_MAX]; /* as named, without "null" */
    uint32_t type_count;
    bool is_nullable;
    bool is_cycle;                             /* a reference led back to where it came from */
    struct facet_trail trail[FACET_NODES_MAX]; /* for the schemas inside this one */
    const struct facet_trail *inner;
};

/* `trail`: of the schema around it. */
void facet_make(struct facet *facet, struct walk root, struct walk schema,
                const struct facet_trail *trail, struct arena *arena);

/* The first of the merged schemas that has this member; nowhere when none does. */
struct walk facet_get(const struct facet *facet, struct str name);
/* Does one of the merged schemas before `index` have this property? */
bool facet_has_property(const struct facet *facet, uint32_t index, struct str name);
bool facet_is_null(struct walk schema);

#endif

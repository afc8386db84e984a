/*
 * resolve.h - looks host names up, without ever blocking the keeper.
 *
 * getaddrinfo blocks for as long as the resolver likes, so each look-up runs in a short-lived child
 * process that writes its answer into a pipe: a name server that hangs costs one child, which is
 * killed at its deadline, and no other name waits for it (RESOLVE_CHILDREN at a time). Answers go
 * to the segment (shm/names.h). A look-up that fails leaves the last good addresses in place.
 *
 * Runs in: keeper. If it dies, its children end by themselves (they write one answer, or are
 * alone).
 */
#ifndef ADMIN_RESOLVE_H
#define ADMIN_RESOLVE_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct loop;
struct segment;

#define RESOLVE_CHILDREN 4u
#define RESOLVE_DEADLINE_MS 8000u

struct resolve;

MUST_CHECK enum err resolve_make(struct loop *loop, struct segment *segment, uint32_t slot,
                                 uint32_t interval_ms, struct resolve **out);
void resolve_free(struct resolve *resolve);

/* Somebody asks for names (shm's wanted cells): begins with those. */
void resolve_wanted(struct resolve *resolve);

/* A name the catalog mentions; looked up when it is not known or its answer is old. */
void resolve_name(struct resolve *resolve, struct str host);

#endif

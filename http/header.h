/*
 * header.h - the fields of a head, as spans.
 *
 * Names keep their spelling and are compared without case. The spans live as long as the memory of
 * the head they were parsed from.
 *
 * Runs in: worker, recorder, keeper. Pure.
 */
#ifndef HTTP_HEADER_H
#define HTTP_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/str.h"

struct header {
    struct str name;
    struct str value; /* trimmed */
};

struct header_list {
    uint32_t count;
    struct header *items; /* in order of arrival, duplicates included */
    uint64_t names;       /* header_name_bit of every item and maybe more; 0 = not known */
};

/* Most names that are asked for are in no head: length and first letter tell that at once. No name
 * is empty. */
static inline uint64_t
header_name_bit(struct str name)
{
    return 1ull << ((((unsigned char)name.data[0] | 0x20u) + name.len * 5) & 63);
}

/* header_find's walk over the items. */
struct str header_search(const struct header_list *list, struct str name);

/* The first field of this name; empty with NULL data when there is none. */
static inline struct str
header_find(const struct header_list *list, struct str name)
{
    if (list->names != 0 && (list->names & header_name_bit(name)) == 0) {
        return (struct str){ NULL, 0 };
    }
    return header_search(list, name);
}

bool header_has(const struct header_list *list, struct str name);
/* Is `token` in the comma list that all fields of this name make together? Without case. */
bool header_has_token(const struct header_list *list, struct str name, struct str token);
/* Connection, Keep-Alive, TE, Trailer, Transfer-Encoding, Upgrade, Proxy-*, and those that
 * Connection names (never Host, Authorization, Content-Length that way). */
bool header_is_hop(const struct header_list *list, struct str name);
/* Drops the fields with '_' in their names, which others take for those with '-', but for two that
 * real clients send. */
void header_drop_twins(struct header_list *list);
/* A value that may be written into a head: no control bytes. */
bool header_value_is_good(struct str value);

#endif

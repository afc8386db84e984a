/*
 * roster.h - which accounts of a group could serve a model in a dialect, were they all free and
 * well: the part of a choice that only a change of the catalog changes.
 *
 * An account is on the roster when it speaks the dialect, serves the model (its list or its mapping
 * names it), is enabled, and can be used. That is a bit an account, by its place in the group's
 * list, which is by priority. To find it, lists of globs are compared, which for a thousand
 * accounts takes longer than everything else of a choice together; so the rosters of groups of some
 * size are remembered: ROSTERS of them, by snapshot, group, dialect and model, in a table of fixed
 * size, in which the one gives way that was asked for longest ago. A snapshot never changes
 * (store/snapshot.h), so what is remembered of it is never wrong; a changed catalog is another
 * snapshot, and begins anew. A client that asks for ever other models only makes others forget.
 *
 * Runs in: worker. The table is the process's own; dying loses nothing.
 */
#ifndef UPSTREAM_ROSTER_H
#define UPSTREAM_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/catalog.h"
#include "upstream/select.h"

struct roster {
    const uint64_t *bits;      /* [(places + 63) / 64] */
    uint32_t places;           /* accounts of the group */
    uint32_t count;            /* bits that are set */
    enum select_result others; /* the most telling reason of those without; NONE: there are none */
};

/* Of the want's group, dialect and model. Good until the next call. */
void roster_find(const struct select_want *want, struct roster *out);

/* Why the account is not on the roster: DIALECT, MODEL, DISABLED, BROKEN, in this order; OK: it
 * is. */
enum select_result roster_judge(const struct catalog_brief *brief, const struct account *record,
                                enum dialect dialect, struct str model);

/* The first place from `from` on that is on the roster; `places` when there is none. */
static inline uint32_t
roster_next(const struct roster *roster, uint32_t from)
{
    while (from < roster->places) {
        uint64_t word = roster->bits[from / 64] >> (from % 64);
        if (word != 0) {
            return from + (uint32_t)__builtin_ctzll(word);
        }
        from = (from / 64 + 1) * 64;
    }
    return roster->places;
}

#endif

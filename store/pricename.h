/*
 * pricename.h - the names under which a model's price is looked for, in their order.
 *
 * Of the name as it is asked for, in lower case:
 *   1. exact      the name itself
 *   2. prefix     without what stands before a '/', one piece after the other: "models/x",
 *                 "openai/x", "publishers/google/models/x"
 *   3. dated      each of these without a date or a version at its end: -20250929, @20250929,
 *                 -2024-08-06, -08-06, -09-2025, -0613, -001, -latest
 *   4. dotted     each of these with a dash for a dot between digits: claude-sonnet-4.5
 * The first that has a price is the one. Aliases are rows of a list (pricelist.h) and hold under
 * every one of these names. Nothing is guessed beyond that: a wrong price is worse than none.
 *
 * Runs in: worker, recorder. Pure.
 */
#ifndef STORE_PRICENAME_H
#define STORE_PRICENAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/str.h"

enum pricename_rule { PRICENAME_EXACT, PRICENAME_PREFIX, PRICENAME_DATED, PRICENAME_DOTTED };

/* true: it is the one, look no further. `name` is good for the call only. */
typedef bool (*pricename_fn)(void *context, struct str name, enum pricename_rule rule);

/* Whether one of them was. An empty name, or one of MODEL_NAME_BYTES or more, has no forms. */
bool pricename_each(struct str asked, pricename_fn fn, void *context);

/* "exact", "prefix", "dated", "dotted"; static. */
const char *pricename_rule_text(enum pricename_rule rule);

#endif

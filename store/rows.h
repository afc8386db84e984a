/*
 * rows.h - the fields of users, keys, groups and accounts: one row each.
 *
 * The only description of what a record has: codec, admin API, CLI options and help are made from
 * these rows (model.h says how). A new field is a member of its struct and a row here.
 *
 * Runs in: wherever model.h does. Constants.
 */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include "store/model.h"

extern const struct model_table rows_tables[MODEL_KINDS];
/* By enum model_platform; NULL ends it. */
extern const char *const rows_platforms[];
/* By enum model_translate; NULL ends it. */
extern const char *const rows_translate[];

#endif

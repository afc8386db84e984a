/*
 * rules.h - what a user, key, group or account must be like beyond the types of its fields.
 *
 * model_check() is the way in; the rules stand apart because the shapes they ask for (match.h) are
 * those that requests are decided by. A sentence never repeats a URL that may hold a password.
 *
 * Runs in: wherever model.h does. Pure.
 */
#ifndef STORE_RULES_H
#define STORE_RULES_H

#include "base/err.h"
#include "store/model.h"

/* ERR_BAD with a sentence that names the field. */
MUST_CHECK enum err
rules_check(enum model_kind kind, const void *object, char why[MODEL_WHY_BYTES]);

#endif

/*
 * nouns.h - the nouns of sub2apictl, in the order of its help: one line each, and a file that has
 * the `errand_noun` of that name.
 *
 * Runs in: sub2apictl.
 */
#ifndef ADMIN_NOUNS_H
#define ADMIN_NOUNS_H

#include "admin/errand.h"

#define NOUNS_ROWS(X)     \
    X(ctlobjects_user)    \
    X(ctlobjects_key)     \
    X(ctlobjects_group)   \
    X(ctlobjects_account) \
    X(ctlobjects_plan)    \
    X(ctlprice_noun)      \
    X(ctlstatus_noun)     \
    X(ctltop_noun)        \
    X(ctllive_slots)      \
    X(ctllive_explain)    \
    X(ctlsticky_noun)     \
    X(ctlusage_noun)      \
    X(ctlledger_noun)     \
    X(ctllive_kill)       \
    X(ctllive_reload)     \
    X(ctllive_stop)

#define NOUNS_DECLARE(noun) extern const struct errand_noun noun;
NOUNS_ROWS(NOUNS_DECLARE)
#undef NOUNS_DECLARE

#endif

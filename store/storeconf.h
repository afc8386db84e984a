/*
 * storeconf.h - the [store] section of sub2api.ini.
 *
 * Runs in: master (fills it before fork); every child reads its frozen copy.
 */
#ifndef STORE_STORECONF_H
#define STORE_STORECONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"

enum storeconf_budget { STORECONF_STRICT, STORECONF_SOFT };
/* What becomes of requests for models without a price. */
enum storeconf_unpriced {
    STORECONF_UNPRICED_REFUSE,     /* keys with a budget are refused, the others are charged 0 */
    STORECONF_UNPRICED_REFUSE_ALL, /* all are refused */
    STORECONF_UNPRICED_ZERO        /* all are charged 0 */
};

struct storeconf {
    char dir[256];           /* data.mdb, lock.mdb, secret.key live here */
    uint64_t map_bytes;      /* address space of the store; sparse */
    uint32_t commit_ms;      /* group commit of finished requests */
    uint32_t budget;         /* enum storeconf_budget */
    uint32_t keep_days;      /* usage records older than this are removed; totals stay */
    uint32_t unpriced;       /* enum storeconf_unpriced */
    uint32_t idempotency_ms; /* outcomes are kept for retries so long; 0 = the header is ignored */
};

extern const struct setting storeconf_rows[];
extern const size_t storeconf_row_count;

#endif

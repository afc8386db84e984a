/*
 * summary.h - a report: what was used, by whom or when.
 *
 * Roll-ups (rollup.h) of a span of hours, added up by one property. The table grows as rows come
 * and has a bound; what finds no place is counted in `rest`, so that sums stay true.
 *
 * Runs in: a reporting child of the recorder. Owner: the caller.
 */
#ifndef STORE_SUMMARY_H
#define STORE_SUMMARY_H

#include <stdint.h>

#include "base/err.h"
#include "store/kv.h"
#include "store/rollup.h"

/* X(name, text) */
#define SUMMARY_BY_ROWS(X) \
    X(USER, "user")        \
    X(KEY, "key")          \
    X(GROUP, "group")      \
    X(ACCOUNT, "account")  \
    X(MODEL, "model")      \
    X(DAY, "day")          \
    X(HOUR, "hour")

enum summary_by {
#define SUMMARY_ENUM(name, text) SUMMARY_##name,
    SUMMARY_BY_ROWS(SUMMARY_ENUM)
#undef SUMMARY_ENUM
};
#define SUMMARY_BYS 7u

struct summary_line {
    uint64_t id;                    /* of an object; wall ms of an hour's or a day's beginning */
    char model[ROLLUP_MODEL_BYTES]; /* SUMMARY_MODEL only */
    struct rollup_sums sums;
};

struct summary {
    enum summary_by by;
    struct summary_line *lines;
    uint32_t count;
    uint32_t room;
    uint32_t *cells; /* line + 1 by hash */
    uint32_t cell_count;
    struct rollup_sums all;
    struct rollup_sums rest; /* of what found no line */
};

/* "user", ...; false: there is no such property. */
bool summary_by_of(struct str text, enum summary_by *out);
const char *summary_by_text(enum summary_by by);

/* Adds up [from_ms, to_ms), widened to whole hours. ERR_FULL: no memory; ERR_IO, ERR_BAD: the
 * store. Lines come sorted: times rising, others by falling cost. summary_free() in any case. */
MUST_CHECK enum err summary_make(struct kv_txn *txn, enum summary_by by, uint64_t from_ms,
                                 uint64_t to_ms, struct summary *out);
void summary_free(struct summary *summary);

#endif

/*
 * period.h - the windows that money is limited in: 5 hours, day, week, month.
 *
 * All begin at fixed times in UTC, so that which window a record belongs to follows from its time
 * alone: what a window has used can be added up again from the records, and every process agrees
 * without asking. Five hours are counted from 1970 (00:00, 05:00, ... of that day), weeks begin on
 * Monday.
 *
 * Times are wall milliseconds. Pure. Runs in: every process.
 */
#ifndef BASE_PERIOD_H
#define BASE_PERIOD_H

#include <stdint.h>

/* X(name, text) */
#define PERIOD_ROWS(X) \
    X(5H, "5h")        \
    X(DAY, "day")      \
    X(WEEK, "week")    \
    X(MONTH, "month")

enum period {
#define PERIOD_ENUM(name, text) PERIOD_##name,
    PERIOD_ROWS(PERIOD_ENUM)
#undef PERIOD_ENUM
};
#define PERIODS 4u

/* "5h", "day", "week", "month"; static. */
const char *period_text(enum period period);

/* The window that wall_ms lies in: its first millisecond, and the first of the next one. */
uint64_t period_start(enum period period, uint64_t wall_ms);
uint64_t period_end(enum period period, uint64_t wall_ms);

#endif

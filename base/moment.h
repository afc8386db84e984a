/*
 * moment.h - points in time and spans as people write them.
 *
 * A point is a date ("2026-11-21", UTC), an RFC 3339 time, or a span that is counted from now;
 * "never" and empty text are 0. A span is a whole number with s, m, h or d, at most a century.
 *
 * Wall milliseconds. Pure. Runs in: every process.
 */
#ifndef BASE_MOMENT_H
#define BASE_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* A span ("30d") lies ahead of now: when a key expires. false: not a time. */
bool moment_read(struct str text, uint64_t now_ms, uint64_t *out_ms);
/* A span lies behind: since when a report counts. */
bool moment_ago(struct str text, uint64_t now_ms, uint64_t *out_ms);

/* "90s", "45m", "12h", "30d" in milliseconds. */
bool moment_span(struct str text, uint64_t *out_ms);

#endif

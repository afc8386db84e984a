/*
 * hint.h - when a provider says that an account may be asked again.
 *
 * Read from the answer's fields: retry-after-ms, retry-after (seconds or a date), and the limits
 * that providers state beside it (x-ratelimit-*, anthropic-ratelimit-*, x-codex-*). Of these the
 * ones that are used up count, and the latest of their resets; when none says that it is used up,
 * the soonest reset does. A time is read in every form that is in use: seconds, "6m0s", "12ms",
 * RFC 3339, seconds or milliseconds since 1970, an HTTP date.
 *
 * What a provider says is a floor for the account's bench and never longer than `max_ms`: a relay
 * that says "in 18 days" is asked again after the operator's maximum.
 *
 * Runs in: worker, keeper. Pure; all input may be hostile.
 */
#ifndef UPSTREAM_HINT_H
#define UPSTREAM_HINT_H

#include <stdint.h>

#include "base/err.h"
#include "http/header.h"

/* After a refusal: milliseconds until the reset, at most max_ms; 0 = nothing is said. */
uint64_t hint_refused_ms(const struct header_list *headers, uint64_t wall_ms, uint64_t max_ms);

/* After a success: the same when the answer used up the last of a limit, else 0. */
uint64_t hint_used_up_ms(const struct header_list *headers, uint64_t wall_ms, uint64_t max_ms);

/*
 * The same from a refusal's body: resets_in_seconds and resets_at as Codex gets them, "try again in
 * 6m0s" in a message. 0 = nothing is said. (Gemini's RetryInfo is read by proto/error.c.)
 */
uint64_t hint_body_ms(struct str body, uint64_t wall_ms, uint64_t max_ms);

/* One value in any of the forms. A time that is over is 0. ERR_BAD: none of them. */
MUST_CHECK enum err hint_read(struct str value, uint64_t wall_ms, uint64_t *out_ms);

#endif

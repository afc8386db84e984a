/*
 * report.h - one function a dialect that reads its token report into usage.h's disjoint buckets.
 *
 * A count may be an integer, 12.0 or "12"; one that is negative, has a fraction or is above
 * USAGE_TOKENS_MAX is as if it were not there. Each returns false when the object reports nothing.
 *
 * `object` may be the beginning of a longer text whose end nobody knows yet: *rest, unless it is
 * NULL, is then what stands behind the object, and stays as it was when that is cut off.
 *
 * Only usage.c includes this. Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_REPORT_H
#define PROTO_REPORT_H

#include <stdbool.h>

#include "base/json.h"
#include "proto/usage.h"

/* Chat, responses, embeddings, images, audio, and relays' own spellings. The last report counts. */
bool report_openai(struct usage *usage, struct json_value object, struct str *rest);

/*
 * All values are totals so far. Null and absent keep what was known, and so does a zero: relays
 * repeat the input side of message_start as zeros in message_delta. `is_final`: the output count is
 * one, and not the placeholder of message_start.
 */
bool
report_anthropic(struct usage *usage, struct json_value object, bool is_final, struct str *rest);

/* `last` keeps the counts of the chunks before. */
bool report_gemini(struct usage *usage, struct usage_gemini *last, struct json_value object,
                   struct str *rest);

/* The answer's service tier, when it is a plain string. */
void report_tier(struct usage *usage, struct json_value value);

#endif

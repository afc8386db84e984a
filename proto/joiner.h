/*
 * joiner.h - decoded text deltas whose surrogate pairs were cut between two events.
 *
 * JSON may spell one character as two escapes, and some servers send the first at the end of one
 * delta and the second at the beginning of the next. The first is held back until then; what stays
 * alone becomes U+FFFD.
 *
 * Runs in: worker. Owner: the reader, one per text part.
 */
#ifndef PROTO_JOINER_H
#define PROTO_JOINER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

struct joiner {
    uint16_t high; /* a high surrogate that waits for its low one; 0 = none */
};

/* The text of a JSON string that is a delta; borrowed from it or in the arena; may be empty while
 * *joiner holds something. ERR_BAD: no string; ERR_FULL: the arena. */
MUST_CHECK enum err
joiner_text(struct joiner *joiner, struct json_value value, struct arena *arena, struct str *out);
/* At the part's end: U+FFFD when something was held back, else empty; static. */
struct str joiner_flush(struct joiner *joiner);

#endif

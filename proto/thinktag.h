/*
 * thinktag.h - reasoning that a compatible provider writes into its text: <think>...</think>.
 *
 * Only what stands at the beginning of the answer counts, after blanks at most: later on a tag is
 * something the model talks about. Blanks behind the closing tag go with it. Tags may be cut
 * anywhere; what might become one is held back (a few bytes) until it is decided.
 *
 *      LEAD -<think>-> INSIDE -</think>-> AFTER -a letter-> PLAIN
 *         \_________________ anything else ______________/
 *
 * Runs in: worker. Owner: the reader, one per choice. Pure: nothing to repair.
 */
#ifndef PROTO_THINKTAG_H
#define PROTO_THINKTAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define THINKTAG_HELD_BYTES 24u /* blanks and an unfinished tag */

enum thinktag_state { THINKTAG_LEAD, THINKTAG_INSIDE, THINKTAG_AFTER, THINKTAG_PLAIN };

/* All zero: at the beginning. */
struct thinktag {
    enum thinktag_state state;
    uint32_t held_bytes;
    char held[THINKTAG_HELD_BYTES];
};

/* Gets each stretch of text; what it returns ends the feeding. */
typedef enum err (*thinktag_fn)(void *context, bool is_reasoning, struct str text);

MUST_CHECK enum err
thinktag_feed(struct thinktag *tag, struct str text, thinktag_fn on_text, void *context);
/* At the text's end: what was held back. */
MUST_CHECK enum err thinktag_flush(struct thinktag *tag, thinktag_fn on_text, void *context);

#endif

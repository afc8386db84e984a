/*
 * words.h - the few words that make an event of a stream worth reading, found in one pass.
 *
 * Only quotes that begin a word of ours are looked at; it can only be a member's name, because a
 * quote inside a string has a backslash before it. The data may be cut off anywhere and need not be
 * valid JSON: what is found is a reason to read on, except for the texts, whose size is estimated.
 *
 * Only usage.c includes this. Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_WORDS_H
#define PROTO_WORDS_H

#include <stdint.h>

#include "base/str.h"

enum words_bit {
    WORDS_USAGE = 1,  /* a report, not null */
    WORDS_FINISH = 2, /* a reason to be finished, not null and not empty */
    WORDS_ERROR = 4,  /* an error, not null */
    WORDS_CONTENT = 8 /* text or a call */
};

struct words {
    uint32_t seen;          /* enum words_bit bits */
    uint64_t text_quarters; /* quarter tokens of the texts under WORDS_CONTENT, estimated */
};

/* `dialects`: bits of the dialects whose words count. */
struct words words_look(uint32_t dialects, struct str data);

#endif

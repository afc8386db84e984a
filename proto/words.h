/*
 * words.h - the few words that make an event of a stream worth reading, found in one pass.
 *
 * Only quotes that begin a word of ours are looked at; it can only be a member's name, because a
 * quote inside a string has a backslash before it. The data may be cut off anywhere and need not be
 * valid JSON: what is found is a reason to read on, except for the texts, whose size is estimated.
 *
 * The events of one stream are nearly the same text again and again, so a stream may remember what
 * stood around the first word of one: the next with the same bytes there is not walked through.
 *
 * Only usage.c and usage.h include this. Runs in: worker. Pure: nothing to repair.
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

/* More bytes than these around an event's text are not remembered. */
#define WORDS_BEFORE_BYTES 248u
#define WORDS_BEHIND_BYTES 64u

/*
 * What a stream remembers of an event; all zero: nothing yet. It holds for one mask of dialects.
 *
 *      {"id":"c1","choices":[{"delta":{"content":"Hello"},"finish_reason":null}]}
 *      |------------------ before ---------------|       |------- behind -------|
 */
struct words_memory {
    uint16_t before_bytes; /* from the event's begin to the first word that counts, included */
    uint16_t behind_bytes; /* from that word's value to the event's end, where no word counts */
    uint8_t word;          /* index of that word */
    uint8_t misses;        /* events that were walked through and remembered instead */
    char before[WORDS_BEFORE_BYTES];
    char behind[WORDS_BEHIND_BYTES];
};

/* `dialects`: bits of the dialects whose words count. */
struct words words_look(uint32_t dialects, struct str data);
/* The same answer, for the events of one stream with less work. */
struct words words_look_again(struct words_memory *memory, uint32_t dialects, struct str data);

#endif

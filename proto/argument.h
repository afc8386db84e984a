/*
 * argument.h - tool arguments: text that should be one JSON object, and free text wrapped as one.
 *
 * Runs in: worker. Owner: the reader, filter or encoder that embeds the state.
 */
#ifndef PROTO_ARGUMENT_H
#define PROTO_ARGUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Is the argument text complete? Fed as it comes; looks at braces and quotes only. */
struct argument {
    uint32_t depth;
    bool in_string;
    bool after_backslash;
    bool is_begun;
    bool is_complete; /* the first value has ended */
};

/* Returns how many bytes belong to the first value: less than text.len when something that is no
 * blank stands behind its end (a second object begins there). */
size_t argument_feed(struct argument *argument, struct str text);

/*
 * The object to embed where a dialect wants one: the raw bytes when they are an object; `{}` for
 * nothing, blanks and null; else {"_raw_arguments": "<text>"} when `is_history`, otherwise ERR_BAD
 * (fresh model output: the caller decides). ERR_FULL: the arena.
 */
MUST_CHECK enum err
argument_object(struct str text, bool is_history, struct arena *arena, struct str *out);

/* {"input": "<text>"} of a custom tool's free text, and back: false when the shape differs. */
MUST_CHECK enum err argument_wrap(struct str text, struct arena *arena, struct str *out);
bool argument_unwrap(struct str object_json, struct arena *arena, struct str *out);

/* The same while it streams: the decoded text of "input" as it comes. */
struct argument_stream {
    uint8_t state;
    uint8_t escape; /* characters of an escape that have come */
    uint16_t unit;  /* the \u being read */
    uint16_t high;  /* a high surrogate that waits */
    bool is_odd;    /* not the expected shape */
};

/* Appends decoded text to `to`; sets is_odd when the shape differs (nothing more is appended; the
 * caller emits the whole text at the end instead). ERR_FULL: the buffer. */
MUST_CHECK enum err
argument_unwrap_feed(struct argument_stream *stream, struct str text, struct buf *to);

#endif

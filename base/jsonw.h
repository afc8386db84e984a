/*
 * jsonw.h - writes JSON into a bounded buffer.
 *
 * Commas and nesting are kept by the writer; an error (bound reached, wrong nesting) sticks and is
 * told once at the end by jsonw_end. Strings are escaped and made valid UTF-8 (U+FFFD for broken
 * bytes; U+2028/2029 as escapes, since one Gemini client cannot read them raw).
 *
 * Runs in: every process. Owner of the buffer: the caller.
 */
#ifndef BASE_JSONW_H
#define BASE_JSONW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"

struct jsonw {
    struct buf *to;
    enum err err;
    uint32_t depth;
    bool is_first; /* no comma before the next element */
    bool after_name;
    uint64_t objects; /* bit a level: set = object; JSONW_DEPTH_MAX <= 64 */
};

void jsonw_begin(struct jsonw *w, struct buf *to);
/* ERR_FULL: the buffer's bound; ERR_BUG: nesting not closed. */
MUST_CHECK enum err jsonw_end(struct jsonw *w);

void jsonw_object(struct jsonw *w);
void jsonw_array(struct jsonw *w);
void jsonw_close(struct jsonw *w); /* the innermost object or array */
void jsonw_name(struct jsonw *w, const char *name);

void jsonw_str(struct jsonw *w, struct str value);
void jsonw_text(struct jsonw *w, const char *value); /* NULL writes null */
void jsonw_i64(struct jsonw *w, int64_t value);
void jsonw_u64(struct jsonw *w, uint64_t value);
void jsonw_bool(struct jsonw *w, bool value);
void jsonw_null(struct jsonw *w);
void jsonw_raw(struct jsonw *w, struct str json); /* a value already in JSON */

/* name and value in one call. */
void jsonw_put_str(struct jsonw *w, const char *name, struct str value);
void jsonw_put_text(struct jsonw *w, const char *name, const char *value);
void jsonw_put_i64(struct jsonw *w, const char *name, int64_t value);
void jsonw_put_u64(struct jsonw *w, const char *name, uint64_t value);
void jsonw_put_bool(struct jsonw *w, const char *name, bool value);

#endif

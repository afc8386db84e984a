/*
 * buf.h - bounded queue of bytes in one piece of memory: append at the end, consume at the start.
 *
 *      data        start            end          cap       cap_max
 *       |  consumed  |  readable     |  writable   | growable |
 *
 * Grows by doubling up to cap_max and never beyond; gives its memory back when it runs empty and
 * buf_shrink() is called, so that an idle connection holds none. Invariant: start <= end <= cap
 * <= cap_max.
 *
 * Runs in: every process. Owner: the struct that embeds it.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
    char *data;       /* NULL while cap is 0 */
    uint32_t start;   /* first readable byte */
    uint32_t end;     /* first writable byte */
    uint32_t cap;     /* bytes of memory held */
    uint32_t cap_max; /* the bound */
};

void buf_init(struct buf *buf, uint32_t bytes_max);
void buf_fini(struct buf *buf);

static inline struct str
buf_str(const struct buf *buf)
{
    if (buf->data == NULL) {
        return (struct str){ NULL, 0 };
    }
    return (struct str){ buf->data + buf->start, buf->end - buf->start };
}

static inline uint32_t
buf_len(const struct buf *buf)
{
    return buf->end - buf->start;
}

/* Bytes that can still be appended before the bound. */
static inline uint32_t
buf_room(const struct buf *buf)
{
    return buf->cap_max - (buf->end - buf->start);
}

/*
 * Makes at least `bytes` writable behind `end` in one piece, moving or growing as needed.
 * ERR_FULL: the bound does not allow it. ERR_IO: no memory.
 */
MUST_CHECK enum err buf_reserve(struct buf *buf, uint32_t bytes);

/* Writable place after buf_reserve: write there, then buf_added(). */
static inline char *
buf_tail(struct buf *buf)
{
    return buf->data + buf->end;
}

static inline uint32_t
buf_tail_bytes(const struct buf *buf)
{
    return buf->cap - buf->end;
}

void buf_added(struct buf *buf, uint32_t bytes);

/* All or nothing. ERR_FULL when the bound does not allow it. */
MUST_CHECK enum err buf_append(struct buf *buf, struct str bytes);

MUST_CHECK enum err
buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes `bytes` readable bytes off the front; bytes <= buf_len. */
void buf_consume(struct buf *buf, uint32_t bytes);

/* Drops the content, keeps the memory. */
void buf_clear(struct buf *buf);

/* Gives the memory back when nothing is readable; otherwise does nothing. */
void buf_shrink(struct buf *buf);

#endif

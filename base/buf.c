/*
 * buf.c - bounded byte queue. Two standard sizes of memory come from lists of spare pieces, so that
 * a connection that wakes, moves a little and sleeps again costs no malloc.
 *
 * The spare lists belong to the process. A piece of standard size is told by its size alone.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"

#define SMALL_BYTES 4096u
#define LARGE_BYTES 16384u

struct spare {
    struct spare *next;
};

struct spare_list {
    struct spare *first;
    uint32_t count;
    uint32_t bytes; /* of one piece */
};

static struct spare_list spare_lists[] = { { NULL, 0, SMALL_BYTES }, { NULL, 0, LARGE_BYTES } };

static struct spare_list *
spare_list_find(uint32_t bytes)
{
    for (size_t i = 0; i < sizeof(spare_lists) / sizeof(spare_lists[0]); i++) {
        if (spare_lists[i].bytes == bytes) {
            return &spare_lists[i];
        }
    }
    return NULL;
}

static char *
piece_take(uint32_t bytes)
{
    struct spare_list *list = spare_list_find(bytes);
    if (list == NULL || list->first == NULL) {
        return malloc(bytes);
    }
    struct spare *piece = list->first;
    CHECK(list->count > 0);
    list->first = piece->next;
    list->count--;
    CHECK_UNPOISON(piece, bytes);
    return (char *)piece;
}

static void
piece_give(char *data, uint32_t bytes)
{
    struct spare_list *list = spare_list_find(bytes);
    if (data == NULL || list == NULL || list->count >= BUF_SPARES_MAX) {
        free(data);
        return;
    }
    struct spare *piece = (struct spare *)(void *)data;
    piece->next = list->first;
    list->first = piece;
    list->count++;
    CHECK_POISON(piece + 1, bytes - sizeof(*piece));
}

static void
buf_check(const struct buf *buf)
{
    CHECK(buf->start <= buf->end && buf->end <= buf->cap && buf->cap <= buf->cap_max);
}

void
buf_init(struct buf *buf, uint32_t bytes_max)
{
    *buf = (struct buf){ .cap_max = bytes_max };
}

void
buf_fini(struct buf *buf)
{
    buf_check(buf);
    piece_give(buf->data, buf->cap);
    *buf = (struct buf){ .cap_max = buf->cap_max };
}

/* Doubling from the small piece on, cut at the bound. */
static uint32_t
grown_cap(const struct buf *buf, uint32_t want)
{
    uint64_t cap = buf->cap == 0 ? SMALL_BYTES : (uint64_t)buf->cap * 2;
    while (cap < want) {
        cap *= 2;
    }
    return cap > buf->cap_max ? buf->cap_max : (uint32_t)cap;
}

enum err
buf_reserve(struct buf *buf, uint32_t bytes)
{
    buf_check(buf);
    if (buf->cap - buf->end >= bytes) {
        return ERR_OK;
    }
    if (bytes > buf_room(buf)) {
        return ERR_FULL;
    }
    uint32_t len = buf_len(buf);
    if (buf->cap - len >= bytes) {
        memmove(buf->data, buf->data + buf->start, len);
    } else {
        uint32_t cap = grown_cap(buf, len + bytes);
        char *data = piece_take(cap);
        if (data == NULL) {
            return ERR_IO;
        }
        if (len > 0) {
            memcpy(data, buf->data + buf->start, len);
        }
        piece_give(buf->data, buf->cap);
        buf->data = data;
        buf->cap = cap;
    }
    buf->start = 0;
    buf->end = len;
    buf_check(buf);
    return ERR_OK;
}

void
buf_added(struct buf *buf, uint32_t bytes)
{
    CHECK(bytes <= buf->cap - buf->end);
    buf->end += bytes;
}

enum err
buf_append(struct buf *buf, struct str bytes)
{
    if (bytes.len == 0) {
        return ERR_OK;
    }
    if (bytes.len > buf_room(buf)) {
        return ERR_FULL;
    }
    enum err err = buf_reserve(buf, (uint32_t)bytes.len);
    if (err != ERR_OK) {
        return err;
    }
    memcpy(buf_tail(buf), bytes.data, bytes.len);
    buf->end += (uint32_t)bytes.len;
    return ERR_OK;
}

enum err
buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(len >= 0);
    if (len == 0) {
        return ERR_OK;
    }
    /* vsnprintf writes a NUL behind the text: it needs one byte of room that is then not counted.
     * At the very bound there is none, so the last byte is kept aside and put in by hand. */
    if ((uint32_t)len > buf_room(buf)) {
        return ERR_FULL;
    }
    bool has_room_for_nul = (uint32_t)len < buf_room(buf);
    enum err err = buf_reserve(buf, (uint32_t)len + (has_room_for_nul ? 1u : 0u));
    if (err != ERR_OK) {
        return err;
    }
    va_start(args, format);
    if (has_room_for_nul) {
        vsnprintf(buf_tail(buf), (size_t)len + 1, format, args);
    } else {
        char *text = NULL;
        if (vasprintf(&text, format, args) != len) {
            va_end(args);
            return ERR_IO;
        }
        memcpy(buf_tail(buf), text, (size_t)len);
        free(text);
    }
    va_end(args);
    buf->end += (uint32_t)len;
    return ERR_OK;
}

void
buf_consume(struct buf *buf, uint32_t bytes)
{
    CHECK(bytes <= buf_len(buf));
    buf->start += bytes;
    if (buf->start == buf->end) {
        buf->start = 0;
        buf->end = 0;
    }
}

void
buf_clear(struct buf *buf)
{
    buf->start = 0;
    buf->end = 0;
}

void
buf_shrink(struct buf *buf)
{
    buf_check(buf);
    if (buf_len(buf) == 0 && buf->data != NULL) {
        buf_fini(buf);
    }
}

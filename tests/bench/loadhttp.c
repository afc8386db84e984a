/* loadhttp.c - see loadhttp.h. */
#include "tests/bench/loadhttp.h"

#include <stdlib.h>
#include <string.h>

static const char *
field(const struct loadhttp *h, const char *name)
{
    const char *at = strcasestr(h->head, name);
    return at == NULL ? NULL : at + strlen(name);
}

static enum loadhttp_result
read_head(struct loadhttp *h)
{
    if (strncmp(h->head, "HTTP/1.1 ", 9) != 0) {
        return LOADHTTP_BAD;
    }
    h->status = atoi(h->head + 9);
    h->close = field(h, "\r\nconnection: close") != NULL;
    const char *length = field(h, "\r\ncontent-length:");
    if (field(h, "\r\ntransfer-encoding: chunked") != NULL) {
        h->chunked = true;
        h->state = LOADHTTP_SIZE;
        h->left = 0;
        h->head_len = 0;
        return LOADHTTP_MORE;
    }
    if (length == NULL) {
        return LOADHTTP_BAD;
    }
    h->left = strtoull(length, NULL, 10);
    h->state = LOADHTTP_LENGTH;
    return h->left == 0 ? LOADHTTP_DONE : LOADHTTP_MORE;
}

/* Collects the head byte by byte up to the empty line; gives the bytes it took. */
static size_t
take_head(struct loadhttp *h, const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && h->head_len < LOADHTTP_HEAD_BYTES - 1) {
        h->head[h->head_len++] = p[i++];
        if (h->head_len >= 4 && memcmp(h->head + h->head_len - 4, "\r\n\r\n", 4) == 0) {
            break;
        }
    }
    h->head[h->head_len] = '\0';
    return i;
}

/* A line ending in LF, kept in `head`; true when it is whole. */
static bool
take_line(struct loadhttp *h, const char **p, const char *end)
{
    while (*p < end) {
        char c = *(*p)++;
        if (c == '\n') {
            h->head[h->head_len] = '\0';
            h->head_len = 0;
            return true;
        }
        if (h->head_len < 64) {
            h->head[h->head_len++] = c;
        }
    }
    return false;
}

static enum loadhttp_result
take_chunked(struct loadhttp *h, const char *p, const char *end)
{
    while (p < end) {
        if (h->state == LOADHTTP_SIZE) {
            if (!take_line(h, &p, end)) {
                break;
            }
            h->left = strtoull(h->head, NULL, 16);
            h->state = h->left == 0 ? LOADHTTP_TAIL : LOADHTTP_CHUNK;
            h->left += 2;
        } else if (h->state == LOADHTTP_TAIL) {
            if (take_line(h, &p, end)) {
                return LOADHTTP_DONE;
            }
        } else {
            uint64_t n = (uint64_t)(end - p) < h->left ? (uint64_t)(end - p) : h->left;
            p += n;
            h->left -= n;
            h->state = h->left == 0 ? LOADHTTP_SIZE : LOADHTTP_CHUNK;
        }
    }
    return LOADHTTP_MORE;
}

enum loadhttp_result
loadhttp_feed(struct loadhttp *h, const char *p, size_t n)
{
    const char *end = p + n;
    if (h->state == LOADHTTP_HEAD) {
        p += take_head(h, p, n);
        if (strstr(h->head, "\r\n\r\n") == NULL) {
            return h->head_len == LOADHTTP_HEAD_BYTES - 1 ? LOADHTTP_BAD : LOADHTTP_MORE;
        }
        enum loadhttp_result result = read_head(h);
        if (result != LOADHTTP_MORE) {
            return result;
        }
    }
    if (h->chunked) {
        return take_chunked(h, p, end);
    }
    if ((uint64_t)(end - p) > h->left) {
        return LOADHTTP_BAD;
    }
    h->left -= (uint64_t)(end - p);
    return h->left == 0 ? LOADHTTP_DONE : LOADHTTP_MORE;
}

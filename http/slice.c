/*
 * slice.c - in place when the bytes are in one piece, else put together.
 */
#include "http/slice.h"

static char slice_scratch[SLICE_BYTES_MAX];

static size_t
slice_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

struct str
slice_next(const struct iovec *parts, int part_count, size_t skip)
{
    int i = 0;
    while (i < part_count && skip >= parts[i].iov_len) {
        skip -= parts[i++].iov_len;
    }
    if (i == part_count) {
        return str_make(NULL, 0);
    }
    struct str first = { (const char *)parts[i].iov_base + skip, parts[i].iov_len - skip };
    if (first.len >= SLICE_BYTES_MAX || i + 1 == part_count) {
        return str_make(first.data, slice_min(first.len, SLICE_BYTES_MAX));
    }
    size_t len = 0;
    for (; i < part_count && len < SLICE_BYTES_MAX; i++, skip = 0) {
        size_t bytes = slice_min(parts[i].iov_len - skip, SLICE_BYTES_MAX - len);
        if (bytes > 0) {
            memcpy(slice_scratch + len, (const char *)parts[i].iov_base + skip, bytes);
            len += bytes;
        }
    }
    return str_make(slice_scratch, len);
}

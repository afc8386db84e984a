/*
 * loadhttp.h - how much of an answer has come: a small incremental reader of one HTTP answer.
 *
 * Runs in: build/bench-load.
 */
#ifndef TESTS_BENCH_LOADHTTP_H
#define TESTS_BENCH_LOADHTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOADHTTP_HEAD_BYTES 4096u /* a head longer than that is an error here */

enum loadhttp_state {
    LOADHTTP_HEAD,
    LOADHTTP_LENGTH,
    LOADHTTP_SIZE,  /* in a chunk's size line */
    LOADHTTP_CHUNK, /* in a chunk and its CRLF */
    LOADHTTP_TAIL,  /* the line behind the last chunk */
};

enum loadhttp_result { LOADHTTP_MORE, LOADHTTP_DONE, LOADHTTP_BAD };

/* All zero at the start of an answer. */
struct loadhttp {
    enum loadhttp_state state;
    int status;
    bool close;
    bool chunked;
    uint64_t left; /* bytes of body or chunk to come */
    size_t head_len;
    char head[LOADHTTP_HEAD_BYTES];
};

enum loadhttp_result loadhttp_feed(struct loadhttp *h, const char *p, size_t n);

#endif

/*
 * fakehttp.h - a small strict HTTP/1.1 request parser. What is not plainly right is refused, so
 * that a test sees it when the gateway writes something odd.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKEHTTP_H
#define TESTS_FAKE_FAKEHTTP_H

#include "tests/fake/fakebuf.h"

#define FAKEHTTP_HEAD_MAX (256u * 1024)        /* bytes of a request head */
#define FAKEHTTP_FIELDS_MAX 256u               /* fields of a head */
#define FAKEHTTP_BODY_MAX (256u * 1024 * 1024) /* bytes of a request body */

struct fakefield {
    struct fakespan name;
    struct fakespan value;
};

/* Spans point into the head's bytes. */
struct fakehead {
    struct fakespan method;
    struct fakespan target;
    struct fakespan path;  /* target up to '?' */
    struct fakespan query; /* behind '?', or empty */
    size_t head_bytes;
    uint64_t content_length;
    bool has_length;
    bool chunked;
    bool keep_alive;
    bool expects;
    size_t field_count;
    struct fakefield fields[FAKEHTTP_FIELDS_MAX];
};

enum fakehttp_result {
    FAKEHTTP_MORE,
    FAKEHTTP_DONE,
    FAKEHTTP_BAD,
};

enum fakehttp_result fakehttp_head(const char *p, size_t n, struct fakehead *head);

/* The field's value, or an empty span. Names are compared without case. */
struct fakespan fakehttp_field(const struct fakehead *head, const char *name);

/* The value of a query parameter as it stands, or an empty span. */
struct fakespan fakehttp_query(const struct fakehead *head, const char *name);

/* Takes chunks from `in` (from *at) to `body`; DONE leaves *at behind the last chunk's end. */
enum fakehttp_result fakehttp_chunks(const struct fakebuf *in, size_t *at, struct fakebuf *body);

#endif

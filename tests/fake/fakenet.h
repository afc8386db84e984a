/*
 * fakenet.h - the fake's connections: one epoll loop, a heap of due times, bounded reading.
 *
 * A connection does one request at a time. fakeserve.c decides what is answered; this file moves
 * the bytes and calls it back when a time has come.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKENET_H
#define TESTS_FAKE_FAKENET_H

#include "tests/fake/fakebook.h"
#include "tests/fake/fakereply.h"

#define FAKENET_NEVER UINT64_MAX
#define FAKENET_ACCOUNT_BYTES 64u

enum fakephase {
    FAKEPHASE_READ,   /* waiting for a request, or in one */
    FAKEPHASE_WAIT,   /* the answer begins when the time comes */
    FAKEPHASE_STEPS,  /* the answer's steps are being written */
    FAKEPHASE_HANG,   /* nothing more comes */
    FAKEPHASE_FLUSH,  /* the answer is whole, some of it is not sent */
    FAKEPHASE_LINGER, /* closed for writing, waiting for the peer's end */
};

struct fakeconn {
    int fd;
    enum fakephase phase;
    uint32_t heap_index; /* place in the heap; UINT32_MAX = not in it */
    uint64_t due;        /* monotonic microseconds; only fakenet.c writes it */
    uint64_t step_due;   /* when the next step of the answer is due */
    struct fakebuf in;   /* received, not yet used */
    struct fakebuf body; /* of a chunked request, decoded */
    struct fakebuf out;  /* to be sent from out_at on */
    size_t out_at;
    size_t chunk_at;    /* place in `in` while decoding chunks; 0 = not decoding */
    size_t need;        /* `in` must hold so much before parsing makes sense */
    bool wants_out;     /* EPOLLOUT is on */
    bool in_off;        /* EPOLLIN is off: too much pipelined */
    bool close_after;   /* close when this answer is sent */
    bool close_next;    /* close silently at the next request */
    bool continued;     /* 100 Continue was sent */
    bool framed;        /* this answer's body is chunked */
    bool http10;        /* the request was HTTP/1.0 */
    bool array;         /* Gemini's stream without alt=sse: an error is an array of one */
    uint32_t drip;      /* bytes a send may take, 0 = all */
    int64_t idle_close; /* close so many ms after the answer, or unset */
    struct fakereply *reply;
    struct fakestat *stat;
    char account[FAKENET_ACCOUNT_BYTES]; /* the credential of this request, cut when longer */
};

/* Listens; prints nothing. Gives the port, or ends the program with a message. */
uint16_t fakenet_listen(const char *address);
void fakenet_run(void);

uint64_t fakenet_now(void);
void fakenet_wake_at(struct fakeconn *c, uint64_t due);

/* Sends what `out` holds. False: the connection is gone, c must not be touched again. */
bool fakenet_flush(struct fakeconn *c);
bool fakenet_is_flushed(const struct fakeconn *c);

/* Ends the connection; with reset the peer sees RST. */
void fakenet_close(struct fakeconn *c, bool reset);

#endif

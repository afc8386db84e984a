/*
 * fakebook.h - what the fake remembers for the tests: the last requests as they arrived, and
 * counts.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKEBOOK_H
#define TESTS_FAKE_FAKEBOOK_H

#include "tests/fake/fakehttp.h"

#define FAKEBOOK_REQUESTS_MAX 512u /* requests kept for GET /__fake/requests */
#define FAKEBOOK_BODY_BYTES 4096u  /* bytes kept of a request's body */
#define FAKEBOOK_MODELS_MAX 256u   /* models counted one by one; the rest count as "others" */

struct fakestat {
    char model[128];
    uint64_t requests;
    uint64_t finished;
    uint64_t aborted;
    uint64_t in; /* tokens stated in finished answers */
    uint64_t out;
};

struct fakebook {
    bool record; /* keep requests */
    int log_fd;  /* -1: none */
    uint64_t connections;
    uint64_t accepted;
    uint64_t open;   /* answers under way */
    uint64_t bad;    /* requests that the parser refused */
    uint64_t denied; /* wrong API key */
    uint64_t bytes_sent;
    struct fakestat total;
};

extern struct fakebook fakebook_all;

struct fakestat *fakebook_stat(const char *model);
void fakebook_request(const struct fakehead *head, struct fakespan body);
void fakebook_reset(void);
void fakebook_write_stats(struct fakebuf *out);
void fakebook_write_requests(uint64_t last, struct fakebuf *out);

#endif

/*
 * fakebook.h - what the fake remembers for the tests: the last requests as they arrived, counts,
 * and in a file what it served: the provider's own bill.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKEBOOK_H
#define TESTS_FAKE_FAKEBOOK_H

#include "tests/fake/fakehttp.h"

#define FAKEBOOK_REQUESTS_MAX 512u /* requests kept for GET /__fake/requests */
#define FAKEBOOK_BODY_BYTES 4096u  /* bytes kept of a request's body */
#define FAKEBOOK_MODELS_MAX 16384u /* models counted one by one; the rest count as "others" */

struct fakestat {
    char model[128];
    uint64_t requests;
    uint64_t finished;
    uint64_t aborted;
    uint64_t in; /* tokens stated in finished answers */
    uint64_t out;
};

/* How much of its usage an answer has stated by now. */
enum fakestated {
    FAKESTATED_NONE,
    FAKESTATED_INPUT, /* the kinds of input: what Anthropic and Gemini say at the beginning */
    FAKESTATED_ALL,
};

/* What was served of one request. Tokens are disjoint kinds, as far as the dialect names them. */
struct fakeserved {
    const char *account; /* the key it came with */
    const char *model;
    const char *dialect;
    bool stream;
    bool finished; /* all of it was taken by the network; false: the peer or the plan cut it */
    enum fakestated stated;
    uint64_t fresh;
    uint64_t cached;
    uint64_t write;
    uint64_t write1h;
    uint64_t out; /* reasoning included */
    uint64_t reason;
    uint64_t text_bytes; /* of the answer's text that was written */
};

struct fakebook {
    bool record;   /* keep requests */
    int log_fd;    /* -1: none */
    int served_fd; /* -1: none */
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
void fakebook_request(const struct fakehead *head, struct fakespan body, uint64_t images);
/* One line for each request that ended, written at once: it is there whoever dies afterwards. */
void fakebook_served(const struct fakeserved *served);
void fakebook_reset(void);
void fakebook_write_stats(struct fakebuf *out);
void fakebook_write_requests(uint64_t last, struct fakebuf *out);

#endif

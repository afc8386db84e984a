/*
 * fakereply.h - one answer: what it says, in how many pieces, and the state of writing it.
 *
 * A stream is written in steps: step 0 opens it, steps 1..chunks carry one piece each, the last
 * closes it. Ids, times and texts follow from the request alone, so that two answers to the same
 * request are equal byte for byte.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKEREPLY_H
#define TESTS_FAKE_FAKEREPLY_H

#include "tests/fake/fakeask.h"
#include "tests/fake/fakebook.h"
#include "tests/fake/fakeplan.h"

#define FAKEREPLY_CALLS_MAX 2u
#define FAKEREPLY_TIME "1700000000" /* every answer's time, in seconds */
#define FAKEREPLY_SIGNATURE "ZmFrZS1zaWduYXR1cmUtb3BhcXVlLWJ5dGVz"

struct fakecall {
    char name[FAKEASK_NAME_BYTES];
    struct fakebuf args;
};

enum fakepieces {
    FAKEPIECES_EVEN,   /* the text in `chunks` pieces of about one size */
    FAKEPIECES_TOKENS, /* the text, then numbered tokens */
    FAKEPIECES_FILL,   /* pieces of plan.bigchunk bytes */
};

struct fakereply {
    enum fakedialect dialect;
    enum fakeop op;
    bool stream;
    bool array;
    bool include_usage;
    bool compaction;
    bool broken; /* the plan has spoilt it: its usage was not stated */
    struct fakeplan plan;
    char model[FAKEASK_NAME_BYTES];
    uint64_t id;
    struct fakebuf text; /* the answer's text, or the first call's arguments */
    enum fakepieces pieces;
    uint64_t chunks;
    uint32_t call_count;
    struct fakecall calls[FAKEREPLY_CALLS_MAX];
    uint64_t step;       /* the next one to write */
    uint64_t text_bytes; /* of the answer's text that was written so far */
    uint64_t sequence;   /* Responses: the next event's number */
    char token[8];
};

void fakereply_init(struct fakereply *r, const struct fakeask *ask, const struct fakeplan *plan);
void fakereply_free(struct fakereply *r);

/* Piece 1..chunks; valid until the next call. */
struct fakespan fakereply_piece(struct fakereply *r, uint64_t index);

/* All pieces together. */
void fakereply_text(struct fakereply *r, struct fakebuf *out);

/* Input tokens that came neither from a cache nor went into one. */
uint64_t fakereply_fresh(const struct fakereply *r);

/* Writes the next step's events; false when that was the last step. */
bool fakereply_step(struct fakereply *r, struct fakebuf *out);

/* The whole answer as one body. */
void fakereply_whole(struct fakereply *r, struct fakebuf *out);

/* What was written so far has served the peer this; the reply's own part of the line. */
void fakereply_served(const struct fakereply *r, struct fakeserved *served);

/* An error body in the dialect's shape. */
void fakereply_error(enum fakedialect dialect, uint64_t status, const char *code,
                     const char *message, struct fakebuf *out);

/* The dialect's error event inside a stream. */
void fakereply_error_event(struct fakereply *r, struct fakebuf *out);

#endif

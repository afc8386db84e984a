/*
 * fakeresponses.h - OpenAI Responses, whole and as a stream.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKERESPONSES_H
#define TESTS_FAKE_FAKERESPONSES_H

#include "tests/fake/fakereply.h"

/* Step 0 opens, 1..chunks carry the piece, chunks + 1 closes. */
void
fakeresponses_step(struct fakereply *r, uint64_t step, struct fakespan piece, struct fakebuf *out);
void fakeresponses_whole(struct fakereply *r, struct fakebuf *out);

/* The event response.failed with the answer as far as it got. */
void fakeresponses_failed(struct fakereply *r, const char *code, const char *message,
                          struct fakebuf *out);

#endif

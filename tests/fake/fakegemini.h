/*
 * fakegemini.h - Gemini generateContent, whole, as SSE and as a JSON array.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKEGEMINI_H
#define TESTS_FAKE_FAKEGEMINI_H

#include "tests/fake/fakereply.h"

/* Step 0 opens, 1..chunks carry the piece, chunks + 1 closes. */
void
fakegemini_step(struct fakereply *r, uint64_t step, struct fakespan piece, struct fakebuf *out);
void fakegemini_whole(struct fakereply *r, struct fakebuf *out);

#endif

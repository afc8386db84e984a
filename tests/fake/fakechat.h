/*
 * fakechat.h - OpenAI Chat Completions, whole and as a stream.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKECHAT_H
#define TESTS_FAKE_FAKECHAT_H

#include "tests/fake/fakereply.h"

/* Step 0 opens, 1..chunks carry the piece, chunks + 1 closes. */
void fakechat_step(struct fakereply *r, uint64_t step, struct fakespan piece, struct fakebuf *out);
void fakechat_whole(struct fakereply *r, struct fakebuf *out);

#endif

/*
 * fakeother.h - every endpoint that is not a dialogue: counts, embeddings, completions, images,
 * audio, moderation, rerank, model lists.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKEOTHER_H
#define TESTS_FAKE_FAKEOTHER_H

#include "tests/fake/fakereply.h"

/* Step 0 opens, 1..chunks carry the piece, chunks + 1 closes. */
void fakeother_step(struct fakereply *r, uint64_t step, struct fakespan piece, struct fakebuf *out);
void fakeother_whole(struct fakereply *r, struct fakebuf *out);

/* Whether the endpoint can answer as a stream. */
bool fakeother_streams(enum fakeop op);

/* Embeddings need the request's inputs, which no reply keeps. */
void
fakeother_embeddings(const struct fakeask *ask, const struct fakeplan *plan, struct fakebuf *out);
void fakeother_rerank(const struct fakeask *ask, const struct fakeplan *plan, struct fakebuf *out);

void fakeother_models(enum fakedialect dialect, struct fakebuf *out);
/* One model; false when there is no such. Every fake- name exists. */
bool fakeother_model(enum fakedialect dialect, const char *name, struct fakebuf *out);

#endif

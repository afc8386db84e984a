/*
 * fakeserve.h - from a whole request to an answer, step by step.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKESERVE_H
#define TESTS_FAKE_FAKESERVE_H

#include "tests/fake/fakenet.h"

/* Set before the first request. */
void fakeserve_set_api_key(const char *key);
void fakeserve_set_plan(const char *words);

/* False: the connection is gone. */
bool fakeserve_request(struct fakeconn *c, const struct fakehead *head, struct fakespan body);

#endif

/*
 * fakesha.h - SHA-256, so that a test can compare what was forwarded with what it sent.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKESHA_H
#define TESTS_FAKE_FAKESHA_H

#include "tests/fake/fakebuf.h"

/* 64 hex digits and a NUL. */
void fakesha_hex(struct fakespan text, char out[65]);

#endif

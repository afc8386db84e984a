/*
 * fakeshape.h - a value that fits a JSON schema, for tool arguments and structured answers.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKESHAPE_H
#define TESTS_FAKE_FAKESHAPE_H

#include "tests/fake/fakebuf.h"

void fakeshape_value(struct fakespan schema, struct fakebuf *out);

#endif

/*
 * fakeanswer.h - writing an answer: head, body or stream, and whatever the plan breaks on the way.
 *
 * Functions that return bool return false when the connection is gone.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKEANSWER_H
#define TESTS_FAKE_FAKEANSWER_H

#include "tests/fake/fakenet.h"

/* Begins what c->reply says; `ready` is its body when that is made already, else NULL. */
bool fakeanswer_begin(struct fakeconn *c, const struct fakebuf *ready);

/* An answer without a reply: errors of the fake itself, lists, control. */
bool
fakeanswer_body(struct fakeconn *c, uint64_t status, const char *type, const struct fakebuf *body);
bool fakeanswer_error(struct fakeconn *c, enum fakedialect dialect, uint64_t status,
                      const char *code, const char *message);

bool fakeanswer_due(struct fakeconn *c);     /* its time has come */
bool fakeanswer_flushed(struct fakeconn *c); /* all that was written has been sent */
void fakeanswer_bad(struct fakeconn *c);     /* malformed request: the answer is put to out */
void fakeanswer_gone(struct fakeconn *c);    /* counts what is broken off */

#endif

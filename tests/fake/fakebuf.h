/*
 * fakebuf.h - a growing byte buffer and the JSON that the fake provider writes into it.
 *
 * The fake shares no code with the product, so that the two cannot share a mistake. Memory that
 * cannot be had ends the program: a test peer has nothing to save.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKEBUF_H
#define TESTS_FAKE_FAKEBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fakebuf {
    char *data;
    size_t len;
    size_t cap;
};

/* Borrowed bytes; no NUL behind them. */
struct fakespan {
    const char *p;
    size_t n;
};

void fakebuf_room(struct fakebuf *b, size_t more);
void fakebuf_put(struct fakebuf *b, const char *p, size_t n);
void fakebuf_free(struct fakebuf *b);

/* Bytes that are to be dropped from the front. */
void fakebuf_drop(struct fakebuf *b, size_t n);

/* The text as a quoted JSON string; broken UTF-8 becomes '?'. */
void fakebuf_json(struct fakebuf *b, const char *p, size_t n);

/*
 * A template: ' writes ", %s a C string as it is, %u an unsigned 64-bit number, %x 16 hex digits
 * of one, %j (pointer, size_t) a quoted JSON string, %b (struct fakebuf *) raw bytes, %% a percent.
 */
void fakebuf_add(struct fakebuf *b, const char *template, ...);

bool fakebuf_equals(struct fakespan s, const char *text);
bool fakebuf_equals_nocase(struct fakespan s, const char *text);
bool fakebuf_contains(struct fakespan s, const char *text);

#endif

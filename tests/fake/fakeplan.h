/*
 * fakeplan.h - what a test wants the fake to do, written as words in the model's name, the API key,
 * the header x-fake, or the option --plan: `fake-n40-gap50`, `fake-status429-retryafter7`.
 *
 * A word is a name of the table below and digits. README.md explains each.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKEPLAN_H
#define TESTS_FAKE_FAKEPLAN_H

#include "tests/fake/fakebuf.h"

#define FAKEPLAN_UNSET (-1)

/* X(name, value when the word is absent, value when it stands without digits) */
#define FAKEPLAN_WORDS(X)              \
    X(n, FAKEPLAN_UNSET, 7)            \
    X(gap, FAKEPLAN_UNSET, 20)         \
    X(size, FAKEPLAN_UNSET, 1000)      \
    X(bigchunk, FAKEPLAN_UNSET, 16384) \
    X(in, 11, 11)                      \
    X(out, 7, 7)                       \
    X(cached, 0, 4)                    \
    X(write, 0, 2)                     \
    X(write1h, 0, 3)                   \
    X(reason, 0, 3)                    \
    X(usage, 0, 1)                     \
    X(nousage, 0, 1)                   \
    X(tool, 0, 1)                      \
    X(length, 0, 1)                    \
    X(filter, 0, 1)                    \
    X(empty, 0, 1)                     \
    X(comment, 0, 1)                   \
    X(crlf, 0, 1)                      \
    X(headers, 0, 1)                   \
    X(burst, 0, 1)                     \
    X(drip, 0, 1)                      \
    X(first, 0, 1)                     \
    X(chunked, 0, 1)                   \
    X(status, 0, 500)                  \
    X(retryafter, FAKEPLAN_UNSET, 1)   \
    X(html, 0, 502)                    \
    X(quota, 0, 1)                     \
    X(lack, 0, 2)                      \
    X(lackas, 404, 405)                \
    X(lackpage, 0, 1)                  \
    X(named, 0, 1)                     \
    X(hang, FAKEPLAN_UNSET, 0)         \
    X(stream, 0, 1)                    \
    X(slowhead, 0, 1000)               \
    X(cut, FAKEPLAN_UNSET, 0)          \
    X(eof, FAKEPLAN_UNSET, 0)          \
    X(errstream, FAKEPLAN_UNSET, 0)    \
    X(badjson, FAKEPLAN_UNSET, 0)      \
    X(badchunk, FAKEPLAN_UNSET, 0)     \
    X(garbage, 0, 1)                   \
    X(closeafter, 0, 1)                \
    X(idleclose, FAKEPLAN_UNSET, 50)   \
    X(close, 0, 1)                     \
    X(eofbody, 0, 1)                   \
    X(shortbody, 0, 1)                 \
    X(bothlen, 0, 1)                   \
    X(twolen, 0, 1)                    \
    X(extra, 0, 1)                     \
    X(redirect, 0, 302)                \
    X(interim, 0, 1)                   \
    X(gzip, 0, 1)                      \
    X(plain, 0, 1)                     \
    X(hugehead, 0, 100000)

struct fakeplan {
#define FAKEPLAN_FIELD(name, absent, bare) int64_t name;
    FAKEPLAN_WORDS(FAKEPLAN_FIELD)
#undef FAKEPLAN_FIELD
    bool steered; /* a word was found */
};

void fakeplan_init(struct fakeplan *plan);

/* Reads the words of a text that starts with `fake-`; anything else changes nothing. */
void fakeplan_read_name(struct fakeplan *plan, struct fakespan name);

/* Reads words separated by '-', ',' or blanks, with an optional '=' before the digits. */
void fakeplan_read_words(struct fakeplan *plan, struct fakespan words);

/* Takes back all that is wrong with the answer: the word `first` has run out. */
void fakeplan_heal(struct fakeplan *plan);

#endif

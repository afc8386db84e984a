/*
 * rand.h - the only source of chance.
 *
 * getrandom(2) behind a small buffer that is thrown away after fork (a generator seeded before a
 * fork gave two children the same bytes when tried). tests may make it deterministic.
 *
 * Runs in: every process.
 */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* Fills `out` with unpredictable bytes; never fails (a failing getrandom is a CHECK). */
void rand_bytes(void *out, size_t out_bytes);
uint64_t rand_u64(void);

/* Uniform in [0, bound); bound > 0. */
uint64_t rand_below(uint64_t bound);

/* `out_chars` characters from 0-9A-Za-z, then a NUL (out has out_chars + 1 bytes): ids and keys. */
void rand_text(char *out, size_t out_chars);

/* Tests: 0 gives the real source back. */
void rand_set_seed(uint64_t seed);

#endif

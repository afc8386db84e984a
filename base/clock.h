/*
 * clock.h - the only source of time.
 *
 * Monotonic time drives every timeout, order and cool-down; wall time is for records, logs and
 * what a provider or a person reads. Tests may shift either with clock_set_fake().
 *
 * Runs in: every process. One vDSO call each, no system call (about 30 ns).
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_MS 1000000ULL
#define CLOCK_NS_PER_S 1000000000ULL

/* Nanoseconds on CLOCK_MONOTONIC: the same scale in every process of this boot. */
uint64_t clock_now_ns(void);
uint64_t clock_now_ms(void);

/* Milliseconds since 1970 on the wall clock. */
uint64_t clock_wall_ms(void);

/* "2026-11-21T04:08:45.123Z" and the NUL into out (CLOCK_TEXT_BYTES); returns out. */
#define CLOCK_TEXT_BYTES 25
char *clock_text(uint64_t wall_ms, char *out);

/* Tests: from now on both clocks stand at these values; (0, 0) gives the real ones back. */
void clock_set_fake(uint64_t monotonic_ns, uint64_t wall_ms);

#endif

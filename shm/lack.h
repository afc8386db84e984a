/*
 * lack.h - providers that do not have the endpoint of a dialect, though their account speaks it.
 *
 * Many providers that call themselves compatible have chat/completions and no responses. Which one
 * is told by no document but by the answer (404, 405, 501), so it is learned from requests and from
 * account tests, and known to all processes at once: a word for each account and dialect.
 *
 *      0 -note-> PROVEN  another dialect of the account served the same request: not asked
 *                        again until the time is over, or the account is changed or reset
 *      0 -note-> DOUBTED no dialect of the account has its endpoint, as far as was asked: shown
 *                        to people, and asked all the same; the base URL may be wrong
 *      any -clear-> 0    the endpoint answered
 *
 *      bits 0..31 until, seconds (monotonic); 32..41 HTTP status that said so; 42..43 kind
 *
 * An account all of whose dialects are PROVEN away is asked as if nothing were known: refusing what
 * it might well answer would protect nobody.
 *
 * Writers: anyone, one compare-and-swap: a hint about the outside world. If the process dies: the
 * word stands until its time is over. A dialect is its number (proto/dialect.h).
 * Runs in: worker, keeper (note, clear, look), recorder (restore, forget), admin (look).
 */
#ifndef SHM_LACK_H
#define SHM_LACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "shm/segment.h"

#define LACK_DIALECTS 4u

struct lack_row {
    _Atomic uint64_t words[LACK_DIALECTS];
};

struct lack_table {
    _Atomic uint64_t latest_ms; /* nothing holds longer: nothing is looked up after it */
    uint64_t pad[7];
    struct lack_row rows[ACCOUNTS_MAX];
} __attribute__((aligned(64)));

enum lack_kind { LACK_NONE, LACK_PROVEN, LACK_DOUBTED };

/* Not to be asked in this dialect now: PROVEN, and another one of the mask `speaks` is not. */
bool lack_is(const struct segment *segment, uint32_t account, uint32_t dialect, uint32_t speaks,
             uint64_t now_ms);

/* From now_ms on for hold_ms (at most LACK_MS_MAX). What is PROVEN already is not DOUBTED. */
void lack_note(struct segment *segment, uint32_t account, uint32_t dialect, enum lack_kind kind,
               uint32_t status, uint64_t hold_ms, uint64_t now_ms);
#define LACK_MS_MAX 2592000000ull /* 30 days */

/* The endpoint is there. Costs a look when nothing is known. */
void lack_clear(struct segment *segment, uint32_t account, uint32_t dialect);

/* Nothing is known of the account: it was changed, reset, or is another one. */
void lack_forget(struct segment *segment, uint32_t account);

struct lack_view {
    enum lack_kind kind; /* NONE when its time is over */
    uint32_t status;     /* HTTP */
    uint64_t left_ms;
};
void lack_read(const struct segment *segment, uint32_t account, uint32_t dialect, uint64_t now_ms,
               struct lack_view *out);

#endif

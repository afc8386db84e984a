/*
 * money.h - amounts of money as integers, and the one rule by which a cost is rounded.
 *
 *   price       picodollars (1e-12 $) a token, an image or a request; at most MONEY_PICO_MAX
 *   multiplier  parts per million; 1,000,000 = as listed, 0 = free; at most MONEY_PPM_MAX
 *   balance     nanodollars (1e-9 $), signed: about 9.2 thousand million dollars either way
 *
 * A cost is sum(amount * price) over all kinds, times the multiplier, in 128 bits without loss, and
 * then rounded once, half up, to the nanodollar. Nothing between is rounded, so the order of kinds
 * does not matter, and whoever has a usage record can repeat the sum. The operands' bounds make an
 * overflow of the 128 bits impossible (static assert); a cost beyond 63 bits stops at INT64_MAX and
 * is told.
 *
 * Decimal text is read and written exactly; no floating point comes near it.
 *
 * Runs in: every process. Pure.
 */
#ifndef BASE_MONEY_H
#define BASE_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define MONEY_PICO_MAX 1000000000000000ull /* $1,000 for one token or image: more is a slip */
#define MONEY_PPM_ONE 1000000u
#define MONEY_PPM_MAX 1000000000u    /* a thousand times the list */
#define MONEY_COUNT_MAX (1ull << 40) /* tokens of one kind in one request; more is cut */
#define MONEY_TEXT_BYTES 24u         /* "-9223372036.854775807" and its NUL */
#define MONEY_NANO_PER_DOLLAR 1000000000ll

/* X(name, text): what has a price. The numbers are written into records: add at the end only. */
#define MONEY_KIND_ROWS(X)                               \
    X(IN_FRESH, "input")                                 \
    X(IN_CACHE_READ, "cache_read")                       \
    X(IN_CACHE_WRITE_5M, "cache_write")                  \
    X(IN_CACHE_WRITE_1H, "cache_write_1h")               \
    X(OUT_TEXT, "output") /* output without reasoning */ \
    X(OUT_REASONING, "reasoning")                        \
    X(IMAGE, "image")                                    \
    X(REQUEST, "request")                                \
    X(IN_AUDIO, "audio_input")                           \
    X(IN_IMAGE, "image_input")                           \
    X(OUT_AUDIO, "audio_output")

enum money_kind {
#define MONEY_ENUM(name, text) MONEY_##name,
    MONEY_KIND_ROWS(MONEY_ENUM)
#undef MONEY_ENUM
};
#define MONEY_KINDS 11u

/* Tokens of sounds and pictures, the last of the kinds. A record has less room for these: a price
 * is at most MONEY_MEDIA_PICO_MAX. */
#define MONEY_MEDIA MONEY_IN_AUDIO
#define MONEY_MEDIA_KINDS 3u
#define MONEY_MEDIA_PICO_MAX UINT32_MAX /* $4,294 for a million tokens */

/* By enum money_kind. */
struct money_rates {
    uint64_t pico[MONEY_KINDS]; /* picodollars for one */
};

struct money_amounts {
    uint64_t count[MONEY_KINDS];
};

/* "input", "cache_read", ...; static. */
const char *money_kind_text(enum money_kind kind);

/*
 * The cost in nanodollars. false: it does not fit 63 bits, and *out_nano is INT64_MAX. Amounts
 * above MONEY_COUNT_MAX count as that; rates and multiplier are within their bounds (CHECK).
 */
bool money_cost(const struct money_rates *rates, const struct money_amounts *amounts,
                uint32_t multiplier_ppm, int64_t *out_nano);

/* a + b, stopping at the greatest and the least value. */
int64_t money_add(int64_t a, int64_t b);

/*
 * A JSON number ("2.5e-06", "0.0000025", "3") times 10^scale as an integer, exactly.
 * ERR_BAD: no number, or a negative one. ERR_FULL: above `max`. When digits are left below one:
 * *out_is_exact false (NULL: then it is ERR_BAD), and *out is rounded half up.
 */
MUST_CHECK enum err
money_read(struct str text, uint32_t scale, uint64_t max, uint64_t *out, bool *out_is_exact);

/* Dollars with a sign, to the nanodollar at most. ERR_BAD: no number, or finer; ERR_FULL: too much.
 */
MUST_CHECK enum err money_read_nano(struct str dollars, int64_t *out_nano);

/* Decimal text of `value` / 10^scale without zeros at the end ("0.0025", "3"); scale <= 12. Returns
 * its length. */
uint32_t money_text(int64_t value, uint32_t scale, char out[MONEY_TEXT_BYTES]);

#endif

/*
 * jsonskip.h - passes the plain characters of JSON strings, many bytes a step.
 *
 * Strings are where the bytes are, so they are passed 128 and then 16 bytes a step with SSE2, which
 * every x86-64 has (256 with AVX2 when the processor has that and the string is long); elsewhere
 * bytes go one by one. Nothing past the end is ever read.
 *
 * Private to the json files. Runs in: every process. Pure.
 */
#ifndef BASE_JSONSKIP_H
#define BASE_JSONSKIP_H

#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/*
 * What ends a plain run: a control byte, the quote, the backslash, a byte beyond ASCII.
 *
 *      00..1f control | 20 21 | 22 quote | 23 ... 5b | 5c backslash | 5d ... 7f | 80..ff beyond
 *
 * x ^ 2 swaps the blank (20) and the quote (22), 21 and 23, and keeps every other border of a
 * block of four; so all but the backslash are one range: as signed bytes, below 21.
 */
#if defined(__SSE2__)
/* Bit i: byte i of these 16 ends a plain run. */
static inline unsigned
jsonskip_mask(const uint8_t *at)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i range = _mm_cmplt_epi8(_mm_xor_si128(x, _mm_set1_epi8(2)), _mm_set1_epi8(0x21));
    __m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(range, slash));
}

/* The same as jsonskip_plain() once 16 plain bytes before `at` are passed. */
const uint8_t *jsonskip_long(const uint8_t *at, const uint8_t *end);
#endif

/* Bytes of a long plain run that lie in pieces of JSON_DATA_BYTES that are data; a shorter piece at
 * the run's end is so only behind such a one. */
uint64_t jsonskip_data(const uint8_t *at, const uint8_t *end);

/* The first byte at or behind `at` that is no plain ASCII character of a string, or `end`.
 * `start` .. `end` may be read, and `at` lies in it: the last bytes are looked at together with
 * what stands before them, whose bits are shifted out. */
static inline const uint8_t *
jsonskip_plain(const uint8_t *start, const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    if (end - at >= 16) {
        unsigned mask = jsonskip_mask(at);
        return mask != 0 ? at + __builtin_ctz(mask) : jsonskip_long(at + 16, end);
    }
    if (end - start >= 16) {
        unsigned mask = jsonskip_mask(end - 16) >> (16 - (end - at));
        return mask != 0 ? at + __builtin_ctz(mask) : end;
    }
#else
    (void)start;
#endif
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

#endif

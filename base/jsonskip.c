/*
 * jsonskip.c - see jsonskip.h.
 */
#include "base/jsonskip.h"

#include <stdbool.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "base/json.h"

#if defined(__SSE2__)
#define RUN_BYTES 128 /* looked at as one where no string ends soon */

/*
 * Five steps for 16 bytes: x ^ 82 moves the range above to the unsigned bytes 00..a0, so a running
 * minimum keeps what matters; a further - de makes the backslash 00, and a second minimum keeps
 * that.
 */
static inline void
look_at_16(const uint8_t *at, __m128i *range, __m128i *slash)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
    x = _mm_xor_si128(x, _mm_set1_epi8((char)0x82));
    *range = _mm_min_epu8(*range, x);
    x = _mm_sub_epi8(x, _mm_set1_epi8((char)0xde));
    *slash = _mm_min_epu8(*slash, x);
}

/* Does one of these RUN_BYTES end a plain run? */
static inline bool
has_special(const uint8_t *at)
{
    __m128i range = _mm_set1_epi8(-1);
    __m128i slash = range;
    /* Written out, as compilers leave a loop of eight as it is. */
    look_at_16(at, &range, &slash);
    look_at_16(at + 16, &range, &slash);
    look_at_16(at + 32, &range, &slash);
    look_at_16(at + 48, &range, &slash);
    look_at_16(at + 64, &range, &slash);
    look_at_16(at + 80, &range, &slash);
    look_at_16(at + 96, &range, &slash);
    look_at_16(at + 112, &range, &slash);
    __m128i least = _mm_min_epu8(_mm_subs_epu8(range, _mm_set1_epi8((char)0xa0)), slash);
    return _mm_movemask_epi8(_mm_cmpeq_epi8(least, _mm_setzero_si128())) != 0;
}

#define WIDE_RUN_BYTES 256 /* the same with AVX2, for strings that are long */

/* As look_at_16(), twice as wide. */
static inline __attribute__((always_inline, target("avx2"))) void
look_at_32(const uint8_t *at, __m256i *range, __m256i *slash)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)at);
    x = _mm256_xor_si256(x, _mm256_set1_epi8((char)0x82));
    *range = _mm256_min_epu8(*range, x);
    x = _mm256_sub_epi8(x, _mm256_set1_epi8((char)0xde));
    *slash = _mm256_min_epu8(*slash, x);
}

/* Passes whole runs of WIDE_RUN_BYTES that are plain. Only called where the processor has AVX2. */
static __attribute__((noinline, target("avx2"))) const uint8_t *
skip_wide_runs(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= WIDE_RUN_BYTES; at += WIDE_RUN_BYTES) {
        __m256i range = _mm256_set1_epi8(-1);
        __m256i slash = range;
        look_at_32(at, &range, &slash);
        look_at_32(at + 32, &range, &slash);
        look_at_32(at + 64, &range, &slash);
        look_at_32(at + 96, &range, &slash);
        look_at_32(at + 128, &range, &slash);
        look_at_32(at + 160, &range, &slash);
        look_at_32(at + 192, &range, &slash);
        look_at_32(at + 224, &range, &slash);
        __m256i least =
            _mm256_min_epu8(_mm256_subs_epu8(range, _mm256_set1_epi8((char)0xa0)), slash);
        if (_mm256_movemask_epi8(_mm256_cmpeq_epi8(least, _mm256_setzero_si256())) != 0) {
            break;
        }
    }
    return at;
}

const uint8_t *
jsonskip_long(const uint8_t *at, const uint8_t *end)
{
    unsigned mask = end - at >= 16 ? jsonskip_mask(at) : 0;
    if (mask != 0) {
        return at + __builtin_ctz(mask); /* names often have more than 16 characters */
    }
    if (end - at >= 2 * WIDE_RUN_BYTES && __builtin_cpu_supports("avx2")) {
        at = skip_wide_runs(at, end);
    }
    while (end - at >= RUN_BYTES && !has_special(at)) {
        at += RUN_BYTES;
    }
    for (; end - at >= 16; at += 16) {
        mask = jsonskip_mask(at);
        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
    }
    mask = jsonskip_mask(end - 16) >> (16 - (end - at));
    return mask != 0 ? at + __builtin_ctz(mask) : end;
}
#endif

/* Is every byte of the piece at least '+', as all of base64 is? Text has a blank soon. */
static bool
is_data(const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    for (; end - at >= 16; at += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* Plain bytes are ASCII: the sign does not matter. */
        if (_mm_movemask_epi8(_mm_cmplt_epi8(x, _mm_set1_epi8('+'))) != 0) {
            return false;
        }
    }
#endif
    while (at < end && *at >= '+') {
        at++;
    }
    return at == end;
}

uint64_t
jsonskip_data(const uint8_t *at, const uint8_t *end)
{
    uint64_t bytes = 0;
    bool was_data = false;
    for (; end - at >= JSON_DATA_BYTES; at += JSON_DATA_BYTES) {
        was_data = is_data(at, at + JSON_DATA_BYTES);
        bytes += was_data ? JSON_DATA_BYTES : 0;
    }
    return bytes + (was_data && is_data(at, end) ? (uint64_t)(end - at) : 0);
}

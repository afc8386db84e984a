/*
 * estimate.c - tokens by counting characters (see estimate.h).
 */
#include "proto/estimate.h"

#include <stddef.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define BLOCK_BYTES 64     /* what is looked at as one when tokens are estimated */
#define DATA_RUN_BLOCKS 8u /* so many blocks of base64 alphabet in a row are data */

struct block {
    uint32_t high;  /* bytes of characters beyond ASCII */
    uint32_t leads; /* characters beyond ASCII */
    bool is_data;   /* could be base64: no blank, quote, backslash or other low byte, all ASCII */
};

#if defined(__SSE2__)
static inline struct block
look_at_block(const char *at)
{
    struct block block = { 0, 0, false };
    __m128i least = _mm_set1_epi8((char)0xff);
    __m128i any = _mm_setzero_si128();
    __m128i x[4];
    for (int i = 0; i < 4; i++) {
        x[i] = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
        least = _mm_min_epu8(least, x[i]);
        any = _mm_or_si128(any, x[i]);
    }
    if (_mm_movemask_epi8(any) == 0) {
        __m128i low = _mm_cmplt_epi8(least, _mm_set1_epi8('+'));
        block.is_data = _mm_movemask_epi8(low) == 0;
        return block;
    }
    for (int i = 0; i < 4; i++) {
        unsigned high = (unsigned)_mm_movemask_epi8(x[i]);
        unsigned behind = (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(x[i], _mm_set1_epi8(-64)));
        block.high += (uint32_t)__builtin_popcount(high);
        block.leads += (uint32_t)__builtin_popcount(high & ~behind);
    }
    return block;
}
#else
static inline struct block
look_at_block(const char *at)
{
    struct block block = { 0, 0, true };
    for (int i = 0; i < BLOCK_BYTES; i++) {
        unsigned char c = (unsigned char)at[i];
        block.high += c >= 0x80;
        block.leads += c >= 0xc0;
        block.is_data = block.is_data && c >= '+' && c < 0x80;
    }
    return block;
}
#endif

uint64_t
estimate_quarters(struct str text)
{
    uint64_t ascii = 0;
    uint64_t leads = 0;
    uint64_t run = 0; /* blocks that look like data, not counted yet */
    size_t at = 0;
    for (; text.len - at >= BLOCK_BYTES; at += BLOCK_BYTES) {
        struct block block = look_at_block(text.data + at);
        if (block.is_data) {
            run++;
            continue;
        }
        ascii += run < DATA_RUN_BLOCKS ? run * BLOCK_BYTES : 0;
        run = 0;
        ascii += BLOCK_BYTES - block.high;
        leads += block.leads;
    }
    ascii += run < DATA_RUN_BLOCKS ? run * BLOCK_BYTES : 0;
    /* Four bytes at a time as long as they are ASCII; the text of most events ends in here. */
    for (; text.len - at >= 4; at += 4) {
        uint32_t word;
        memcpy(&word, text.data + at, sizeof word);
        if ((word & 0x80808080u) != 0) {
            break;
        }
        ascii += 4;
    }
    if (at < text.len && text.len - at < 4 && text.len >= 4) {
        uint32_t word; /* the last four, of which some are counted already */
        memcpy(&word, text.data + text.len - 4, sizeof word);
        if ((word & 0x80808080u) == 0) {
            return ascii + (text.len - at) + 6 * leads;
        }
    }
    for (; at < text.len; at++) {
        ascii += (unsigned char)text.data[at] < 0x80;
        leads += (unsigned char)text.data[at] >= 0xc0;
    }
    /* A quarter token an ASCII byte, one and a half another character. */
    return ascii + 6 * leads;
}

uint64_t
estimate_tokens(struct str text)
{
    return (estimate_quarters(text) + 3) / 4;
}

uint64_t
estimate_weighed(uint64_t bytes, const struct json_weight *weight)
{
    uint64_t ascii = bytes - weight->wide_bytes - weight->data_bytes;
    return (ascii + 6 * weight->wide_characters + 3) / 4;
}

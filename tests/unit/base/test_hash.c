#include <criterion/criterion.h>

#include "base/hash.h"

/* The key 00 01 .. 0f of the SipHash paper. */
static const struct hash_key paper_key = { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL };

/* Written a second time, plainly, with the rounds as parameters: 2-4 is checked against the value
 * the paper prints, so 1-3 of the same code is what the fast one must agree with. */
static uint64_t
plain_siphash(const struct hash_key *key, const unsigned char *bytes, size_t len, int word_rounds,
              int end_rounds)
{
    uint64_t v[4] = { key->k0 ^ 0x736f6d6570736575ULL, key->k1 ^ 0x646f72616e646f6dULL,
                      key->k0 ^ 0x6c7967656e657261ULL, key->k1 ^ 0x7465646279746573ULL };
#define ROTATE(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
    size_t words = len / 8 + 1;
    for (size_t w = 0; w <= words; w++) {
        uint64_t word = 0;
        for (size_t i = 0; w < words && i < 8; i++) {
            size_t at = w * 8 + i;
            uint64_t byte = at < len ? bytes[at] : (i == 7 ? len & 0xff : 0);
            word |= byte << (8 * i);
        }
        v[w < words ? 3 : 2] ^= w < words ? word : 0xff;
        for (int r = 0; r < (w < words ? word_rounds : end_rounds); r++) {
            v[0] += v[1];
            v[2] += v[3];
            v[1] = ROTATE(v[1], 13) ^ v[0];
            v[3] = ROTATE(v[3], 16) ^ v[2];
            v[0] = ROTATE(v[0], 32);
            v[2] += v[1];
            v[0] += v[3];
            v[1] = ROTATE(v[1], 17) ^ v[2];
            v[3] = ROTATE(v[3], 21) ^ v[0];
            v[2] = ROTATE(v[2], 32);
        }
        v[0] ^= word;
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

Test(hash, is_siphash_1_3)
{
    unsigned char bytes[64];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)i;
    }
    cr_assert_eq(plain_siphash(&paper_key, bytes, 15, 2, 4), 0xa129ca6149be45e5ULL);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        uint64_t want = plain_siphash(&paper_key, bytes, len, 1, 3);
        cr_assert_eq(hash_bytes(&paper_key, str_make((const char *)bytes, len)), want);
    }
}

Test(hash, depends_on_key_and_every_byte)
{
    struct hash_key other = { paper_key.k0 ^ 1, paper_key.k1 };
    cr_assert_neq(hash_bytes(&paper_key, STR("abc")), hash_bytes(&other, STR("abc")));
    cr_assert_neq(hash_bytes(&paper_key, STR("abc")), hash_bytes(&paper_key, STR("abd")));
    cr_assert_neq(hash_bytes(&paper_key, STR("")), hash_bytes(&paper_key, STR("\0")));
    cr_assert_eq(hash_bytes(&paper_key, (struct str){ NULL, 0 }), hash_bytes(&paper_key, STR("")));
}

Test(hash, numbers_hash_as_their_bytes)
{
    for (uint64_t value = 1; value < UINT64_MAX / 7; value *= 7) {
        unsigned char bytes[8];
        for (size_t i = 0; i < 8; i++) {
            bytes[i] = (unsigned char)(value >> (8 * i));
        }
        cr_assert_eq(hash_u64(&paper_key, value),
                     hash_bytes(&paper_key, str_make((const char *)bytes, 8)));
    }
}

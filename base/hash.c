/*
 * hash.c - SipHash-1-3 (one round a word, three at the end), written from the paper's description.
 */
#include "base/hash.h"

#include <endian.h>
#include <string.h>

struct state {
    uint64_t v0;
    uint64_t v1;
    uint64_t v2;
    uint64_t v3;
};

static inline uint64_t
rotate(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

static inline void
mix(struct state *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static inline void
take_word(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s);
    s->v0 ^= word;
}

static inline struct state
begin(const struct hash_key *key)
{
    return (struct state){
        key->k0 ^ 0x736f6d6570736575ULL,
        key->k1 ^ 0x646f72616e646f6dULL,
        key->k0 ^ 0x6c7967656e657261ULL,
        key->k1 ^ 0x7465646279746573ULL,
    };
}

static inline uint64_t
end(struct state *s)
{
    s->v2 ^= 0xff;
    mix(s);
    mix(s);
    mix(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* Little endian whatever the machine. */
static inline uint64_t
load_word(const unsigned char *from, size_t bytes)
{
    uint64_t word = 0;
    for (size_t i = 0; i < bytes; i++) {
        word |= (uint64_t)from[i] << (8 * i);
    }
    return word;
}

uint64_t
hash_bytes(const struct hash_key *key, struct str bytes)
{
    struct state s = begin(key);
    const unsigned char *at = (const unsigned char *)bytes.data;
    size_t left = bytes.len;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        take_word(&s, le64toh(word));
    }
    uint64_t last = (uint64_t)(bytes.len & 0xff) << 56;
    if (left > 0) {
        last |= load_word(at, left);
    }
    take_word(&s, last);
    return end(&s);
}

/* The same value as hash_bytes of the eight bytes, least significant first. */
uint64_t
hash_u64(const struct hash_key *key, uint64_t value)
{
    struct state s = begin(key);
    take_word(&s, value);
    take_word(&s, (uint64_t)8 << 56);
    return end(&s);
}

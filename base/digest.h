/*
 * digest.h - SHA-256, HMAC and AEAD: the one file that knows mbedcrypto's hash and cipher calls.
 *
 * AEAD is ChaCha20-Poly1305 with a random 96-bit nonce: sealed = nonce(12) | ciphertext | tag(16).
 *
 * Runs in: every process.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define DIGEST_BYTES 32
#define DIGEST_KEY_BYTES 32
#define DIGEST_SEAL_EXTRA_BYTES (12 + 16)

struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

/* SHA-256. Never fails. */
void digest_sha256(struct str bytes, struct digest *out);
/* HMAC-SHA-256. Never fails. */
void digest_hmac(struct str key, struct str bytes, struct digest *out);

/* In constant time. */
bool digest_equal(const void *a, const void *b, size_t bytes);

/* Lower-case hex and a NUL: out has 2 * bytes + 1. */
void digest_hex(const void *bytes, size_t count, char *out);

/*
 * Seals `plain` under `key`, bound to `context` (record kind and id: a sealed value moved to
 * another record does not open). `out` has plain.len + DIGEST_SEAL_EXTRA_BYTES bytes.
 */
MUST_CHECK enum err digest_seal(const uint8_t key[DIGEST_KEY_BYTES], struct str context,
                                struct str plain, uint8_t *out);
/* ERR_BAD when anything was changed. `out` has sealed.len - DIGEST_SEAL_EXTRA_BYTES bytes. */
MUST_CHECK enum err digest_open(const uint8_t key[DIGEST_KEY_BYTES], struct str context,
                                struct str sealed, uint8_t *out);

/* Overwrites so that the compiler cannot leave it out. */
void digest_wipe(void *bytes, size_t count);

#endif

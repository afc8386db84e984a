/*
 * digest.c - the seam to mbedcrypto: one source for 2.28 (`_ret` names) and 3.x.
 *
 * The context structs live on the stack and are freed (which wipes them) before return. The calls
 * return codes for hardware engines and for misuse only; for the software hashes a failure would
 * mean that memory is broken, hence CHECK.
 */
#include "base/digest.h"

#include <mbedtls/version.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <mbedtls/build_info.h>
#endif
#include <mbedtls/chachapoly.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>

#include "base/check.h"
#include "base/rand.h"

#define NONCE_BYTES 12
#define TAG_BYTES 16

_Static_assert(DIGEST_SEAL_EXTRA_BYTES == NONCE_BYTES + TAG_BYTES, "what sealing adds");

/* The library wants a pointer also for no bytes. */
static const unsigned char *
bytes_of(struct str s)
{
    return (const unsigned char *)(s.len == 0 ? "" : s.data);
}

void
digest_sha256(struct str bytes, struct digest *out)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    int result = mbedtls_sha256(bytes_of(bytes), bytes.len, out->bytes, 0);
#else
    int result = mbedtls_sha256_ret(bytes_of(bytes), bytes.len, out->bytes, 0);
#endif
    CHECK(result == 0);
}

void
digest_hmac(struct str key, struct str bytes, struct digest *out)
{
    const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    CHECK(sha256 != NULL);
    int result =
        mbedtls_md_hmac(sha256, bytes_of(key), key.len, bytes_of(bytes), bytes.len, out->bytes);
    CHECK(result == 0);
}

bool
digest_equal(const void *a, const void *b, size_t bytes)
{
    const unsigned char *left = a;
    const unsigned char *right = b;
    uint64_t differ = 0;
    size_t at = 0;
    for (; bytes - at >= 8; at += 8) {
        uint64_t words[2];
        memcpy(&words[0], left + at, 8);
        memcpy(&words[1], right + at, 8);
        differ |= words[0] ^ words[1];
        /* The compiler knows nothing of `differ` here, so it cannot stop at the first difference.
         */
        __asm__ volatile("" : "+r"(differ));
    }
    for (; at < bytes; at++) {
        differ |= (uint64_t)(left[at] ^ right[at]);
        __asm__ volatile("" : "+r"(differ));
    }
    return differ == 0;
}

void
digest_hex(const void *bytes, size_t count, char *out)
{
    static const char letters[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    for (size_t i = 0; i < count; i++) {
        *out++ = letters[from[i] >> 4];
        *out++ = letters[from[i] & 15];
    }
    *out = '\0';
}

enum err
digest_seal(const uint8_t key[DIGEST_KEY_BYTES], struct str context, struct str plain, uint8_t *out)
{
    uint8_t *nonce = out;
    uint8_t *cipher = out + NONCE_BYTES;
    uint8_t *tag = cipher + plain.len;
    rand_bytes(nonce, NONCE_BYTES);

    mbedtls_chachapoly_context chacha;
    mbedtls_chachapoly_init(&chacha);
    int result = mbedtls_chachapoly_setkey(&chacha, key);
    if (result == 0) {
        result = mbedtls_chachapoly_encrypt_and_tag(&chacha, plain.len, nonce, bytes_of(context),
                                                    context.len, bytes_of(plain), cipher, tag);
    }
    mbedtls_chachapoly_free(&chacha);
    return result == 0 ? ERR_OK : ERR_IO;
}

enum err
digest_open(const uint8_t key[DIGEST_KEY_BYTES], struct str context, struct str sealed,
            uint8_t *out)
{
    if (sealed.len < DIGEST_SEAL_EXTRA_BYTES) {
        return ERR_BAD;
    }
    size_t plain_bytes = sealed.len - DIGEST_SEAL_EXTRA_BYTES;
    const unsigned char *nonce = bytes_of(sealed);
    const unsigned char *cipher = nonce + NONCE_BYTES;
    const unsigned char *tag = cipher + plain_bytes;

    mbedtls_chachapoly_context chacha;
    mbedtls_chachapoly_init(&chacha);
    int result = mbedtls_chachapoly_setkey(&chacha, key);
    if (result == 0) {
        uint8_t nothing[1]; /* the library wants a place also for an empty plain text */
        result = mbedtls_chachapoly_auth_decrypt(&chacha, plain_bytes, nonce, bytes_of(context),
                                                 context.len, tag, cipher,
                                                 plain_bytes == 0 ? nothing : out);
    }
    mbedtls_chachapoly_free(&chacha);
    if (result == MBEDTLS_ERR_CHACHAPOLY_AUTH_FAILED) {
        return ERR_BAD;
    }
    return result == 0 ? ERR_OK : ERR_IO;
}

void
digest_wipe(void *bytes, size_t count)
{
    mbedtls_platform_zeroize(bytes, count);
}

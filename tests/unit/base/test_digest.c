#include <criterion/criterion.h>
#include <string.h>

#include "base/digest.h"

Test(digest, hashes_as_the_standards_say)
{
    struct digest digest;
    char hex[2 * DIGEST_BYTES + 1];
    digest_sha256(STR("abc"), &digest); /* FIPS 180-2, B.1 */
    digest_hex(digest.bytes, DIGEST_BYTES, hex);
    cr_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256((struct str){ NULL, 0 }, &digest);
    digest_hex(digest.bytes, DIGEST_BYTES, hex);
    cr_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    /* RFC 4231, case 2 */
    digest_hmac(STR("Jefe"), STR("what do ya want for nothing?"), &digest);
    digest_hex(digest.bytes, DIGEST_BYTES, hex);
    cr_assert_str_eq(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    digest_hmac((struct str){ NULL, 0 }, (struct str){ NULL, 0 }, &digest);
    digest_hex(digest.bytes, DIGEST_BYTES, hex);
    cr_assert_str_eq(hex, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

Test(digest, compares_and_wipes)
{
    char a[] = "same bytes";
    char b[] = "same bytes";
    cr_assert(digest_equal(a, b, sizeof(a)));
    b[9] = 'S';
    cr_assert_not(digest_equal(a, b, sizeof(a)));
    cr_assert(digest_equal(a, b, 9));
    cr_assert(digest_equal(a, b, 0));
    digest_wipe(a, sizeof(a));
    for (size_t i = 0; i < sizeof(a); i++) {
        cr_assert_eq(a[i], 0);
    }
}

Test(digest, opens_what_it_sealed_and_nothing_else)
{
    uint8_t key[DIGEST_KEY_BYTES];
    memset(key, 7, sizeof(key));
    struct str plain = STR("sk-secret");
    uint8_t sealed[64];
    uint8_t again[64];
    uint8_t opened[64];
    size_t bytes = plain.len + DIGEST_SEAL_EXTRA_BYTES;
    cr_assert_eq(digest_seal(key, STR("account:1"), plain, sealed), ERR_OK);
    cr_assert_eq(digest_seal(key, STR("account:1"), plain, again), ERR_OK);
    cr_assert_neq(memcmp(sealed, again, bytes), 0, "each sealing has a nonce of its own");
    struct str whole = str_make((const char *)sealed, bytes);
    cr_assert_eq(digest_open(key, STR("account:1"), whole, opened), ERR_OK);
    cr_assert_eq(memcmp(opened, plain.data, plain.len), 0);

    cr_assert_eq(digest_open(key, STR("account:2"), whole, opened), ERR_BAD);
    for (size_t i = 0; i < bytes; i++) {
        sealed[i] ^= 1;
        cr_assert_eq(digest_open(key, STR("account:1"), whole, opened), ERR_BAD);
        sealed[i] ^= 1;
    }
    for (size_t len = 0; len < bytes; len++) {
        struct str part = str_make((const char *)sealed, len);
        cr_assert_eq(digest_open(key, STR("account:1"), part, opened), ERR_BAD);
    }
    key[31] ^= 1;
    cr_assert_eq(digest_open(key, STR("account:1"), whole, opened), ERR_BAD);
}

Test(digest, seals_the_empty_text)
{
    uint8_t key[DIGEST_KEY_BYTES] = { 1 };
    uint8_t sealed[DIGEST_SEAL_EXTRA_BYTES];
    struct str none = { NULL, 0 };
    cr_assert_eq(digest_seal(key, none, none, sealed), ERR_OK);
    struct str whole = str_make((const char *)sealed, sizeof(sealed));
    cr_assert_eq(digest_open(key, none, whole, NULL), ERR_OK);
    sealed[3] ^= 1;
    cr_assert_eq(digest_open(key, none, whole, NULL), ERR_BAD);
}

/* RFC 8439, 2.8.2: the construction, with its nonce in front as our sealed form has it. */
Test(digest, opens_the_rfc_8439_example)
{
    static const uint8_t sealed[] = {
        0x07, 0x00, 0x00, 0x00, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0xd3, 0x1a, 0x8d,
        0x34, 0x64, 0x8e, 0x60, 0xdb, 0x7b, 0x86, 0xaf, 0xbc, 0x53, 0xef, 0x7e, 0xc2, 0xa4, 0xad,
        0xed, 0x51, 0x29, 0x6e, 0x08, 0xfe, 0xa9, 0xe2, 0xb5, 0xa7, 0x36, 0xee, 0x62, 0xd6, 0x3d,
        0xbe, 0xa4, 0x5e, 0x8c, 0xa9, 0x67, 0x12, 0x82, 0xfa, 0xfb, 0x69, 0xda, 0x92, 0x72, 0x8b,
        0x1a, 0x71, 0xde, 0x0a, 0x9e, 0x06, 0x0b, 0x29, 0x05, 0xd6, 0xa5, 0xb6, 0x7e, 0xcd, 0x3b,
        0x36, 0x92, 0xdd, 0xbd, 0x7f, 0x2d, 0x77, 0x8b, 0x8c, 0x98, 0x03, 0xae, 0xe3, 0x28, 0x09,
        0x1b, 0x58, 0xfa, 0xb3, 0x24, 0xe4, 0xfa, 0xd6, 0x75, 0x94, 0x55, 0x85, 0x80, 0x8b, 0x48,
        0x31, 0xd7, 0xbc, 0x3f, 0xf4, 0xde, 0xf0, 0x8e, 0x4b, 0x7a, 0x9d, 0xe5, 0x76, 0xd2, 0x65,
        0x86, 0xce, 0xc6, 0x4b, 0x61, 0x16, 0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e,
        0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91
    };
    static const char context[] = "\x50\x51\x52\x53\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7";
    uint8_t key[DIGEST_KEY_BYTES];
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(0x80 + i);
    }
    uint8_t opened[sizeof(sealed)];
    struct str whole = str_make((const char *)sealed, sizeof(sealed));
    cr_assert_eq(digest_open(key, str_make(context, 12), whole, opened), ERR_OK);
    static const char want[] =
        "Ladies and Gentlemen of the class of '99: If I could offer you only "
        "one tip for the future, sunscreen would be it.";
    cr_assert_eq(sizeof(sealed) - DIGEST_SEAL_EXTRA_BYTES, sizeof(want) - 1);
    cr_assert_eq(memcmp(opened, want, sizeof(want) - 1), 0);
}

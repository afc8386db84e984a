/*
 * Pieces of output become records; hosts become names or addresses; flaws become sentences.
 */
#include <criterion/criterion.h>
#include <mbedtls/x509.h>

#include "http/flaw.h"
#include "http/slice.h"
#include "http/sni.h"

Test(slice, puts_small_pieces_together_and_cuts_large_ones_in_place)
{
    static char head[100];
    static char body[40000];
    memset(head, 'h', sizeof(head));
    memset(body, 'b', sizeof(body));
    const struct iovec parts[] = { { head, sizeof(head) }, { NULL, 0 }, { body, sizeof(body) } };
    struct str first = slice_next(parts, 3, 0);
    cr_assert_eq(first.len, SLICE_BYTES_MAX);
    cr_assert(memcmp(first.data, head, sizeof(head)) == 0);
    cr_assert_eq(first.data[100], 'b');
    struct str second = slice_next(parts, 3, first.len);
    cr_assert(second.data == body + SLICE_BYTES_MAX - 100);
    cr_assert_eq(second.len, SLICE_BYTES_MAX);
    struct str third = slice_next(parts, 3, first.len + second.len);
    cr_assert_eq(third.len, 40100 - 2 * SLICE_BYTES_MAX);
    cr_assert_eq(slice_next(parts, 3, 40100).len, 0);
    cr_assert_eq(slice_next(parts, 2, 50).len, 50, "the rest of a piece");
}

Test(sni, tells_names_from_addresses)
{
    struct sni sni;
    cr_assert(sni_parse(STR("api.test"), &sni) == ERR_OK);
    cr_assert_eq(sni.ip_bytes, 0);
    cr_assert_str_eq(sni.name, "api.test");
    cr_assert(sni_parse(STR("api.test."), &sni) == ERR_OK);
    cr_assert_str_eq(sni.name, "api.test");
    cr_assert(sni_parse(STR("127.0.0.1"), &sni) == ERR_OK);
    cr_assert_eq(sni.ip_bytes, 4);
    cr_assert(sni_parse(STR("[::1]"), &sni) == ERR_OK);
    cr_assert_eq(sni.ip_bytes, 16);
    cr_assert_str_eq(sni.name, "::1");
    cr_assert(sni_parse(STR(""), &sni) == ERR_BAD);
    cr_assert(sni_parse(STR("a\0b"), &sni) == ERR_BAD);
    static char long_name[300];
    memset(long_name, 'a', sizeof(long_name));
    cr_assert(sni_parse(str_make(long_name, sizeof(long_name)), &sni) == ERR_BAD);
}

Test(flaw, names_everything_that_is_wrong)
{
    char text[160];
    flaw_certificate(MBEDTLS_X509_BADCERT_EXPIRED, false, text, sizeof(text));
    cr_assert_str_eq(text, "certificate has expired");
    flaw_certificate(MBEDTLS_X509_BADCERT_FUTURE | MBEDTLS_X509_BADCERT_CN_MISMATCH, true, text,
                     sizeof(text));
    cr_assert_str_eq(text, "certificate is not yet valid, is not for this name");
    flaw_certificate(0, false, text, sizeof(text));
    cr_assert_str_eq(text, "certificate is refused");
    flaw_certificate(UINT32_MAX, true, text, 20);
    cr_assert_eq(strlen(text), 19, "cut at the end of the room");
    flaw_alert(70, text, sizeof(text));
    cr_assert_str_eq(text, "handshake failed: alert 70 (protocol version)");
    flaw_alert(99, text, sizeof(text));
    cr_assert_str_eq(text, "handshake failed: alert 99");
}

/* Whom a certificate must be for: what is a name, what an address, and what is neither. */
#include <criterion/criterion.h>
#include <string.h>

#include <mbedtls/x509_crt.h>

#include "http/sni.h"

static struct sni
parse(const char *host)
{
    struct sni sni;
    cr_assert_eq(sni_parse(str_of(host), &sni), ERR_OK, "%s", host);
    return sni;
}

Test(sni, takes_names_as_they_are_but_for_a_last_dot)
{
    static const char *const names[][2] = {
        { "api.test", "api.test" },
        { "api.test.", "api.test" },
        { "API.Test", "API.Test" },
        { "a", "a" },
        { ".", "." },
        { "127.1", "127.1" },
        { "0x7f000001", "0x7f000001" },
        { "1.2.3.4.5", "1.2.3.4.5" },
        { "[]", "[]" },
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct sni sni = parse(names[i][0]);
        cr_expect_str_eq(sni.name, names[i][1]);
        cr_expect_eq(sni.ip_bytes, 0, "%s", names[i][0]);
    }
}

Test(sni, knows_addresses_with_and_without_brackets)
{
    static const uint8_t four[] = { 192, 0, 2, 7 };
    static const uint8_t six[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 };
    struct sni sni = parse("192.0.2.7");
    cr_expect(sni.ip_bytes == 4 && memcmp(sni.ip, four, 4) == 0);
    sni = parse("192.0.2.7.");
    cr_expect(sni.ip_bytes == 4, "a last dot changes nothing");
    sni = parse("2001:db8::7");
    cr_expect(sni.ip_bytes == 16 && memcmp(sni.ip, six, 16) == 0);
    sni = parse("[2001:db8::7]");
    cr_expect(sni.ip_bytes == 16 && memcmp(sni.ip, six, 16) == 0);
    cr_expect_str_eq(sni.name, "2001:db8::7");
}

Test(sni, refuses_what_no_certificate_can_be_for)
{
    static char longest[SNI_NAME_BYTES + 1];
    struct sni sni;
    memset(longest, 'a', sizeof(longest));
    cr_expect_eq(sni_parse(STR(""), &sni), ERR_BAD);
    cr_expect_eq(sni_parse(str_make("a\0b", 3), &sni), ERR_BAD);
    cr_expect_eq(sni_parse(str_make(longest, SNI_NAME_BYTES - 1), &sni), ERR_OK);
    cr_expect_eq(sni_parse(str_make(longest, SNI_NAME_BYTES), &sni), ERR_BAD);
}

/* One more name of this kind: 2 = dNSName, 6 = URI, 7 = iPAddress. */
static void
put_name(mbedtls_x509_sequence *at, mbedtls_x509_sequence *next, int kind, const void *bytes,
         size_t len)
{
    memset(at, 0, sizeof(*at));
    at->buf.tag = 0x80 | kind; /* context-specific, as in RFC 5280 */
    at->buf.p = (unsigned char *)(uintptr_t)bytes;
    at->buf.len = len;
    at->next = next;
}

Test(sni, finds_an_address_among_a_certificates_names_by_its_bytes)
{
    static const uint8_t four[] = { 192, 0, 2, 7 };
    static const uint8_t six[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 };
    mbedtls_x509_crt certificate;
    mbedtls_x509_crt_init(&certificate);
    mbedtls_x509_sequence more[2];
    put_name(&certificate.subject_alt_names, &more[0], 2, "192.0.2.7", 9);
    put_name(&more[0], &more[1], 6, four, 4);
    put_name(&more[1], NULL, 7, six, 16);
    struct sni sni = parse("192.0.2.7");
    cr_expect_not(sni_has_ip(&sni, &certificate), "neither as text nor as another kind of name");
    sni = parse("2001:db8::7");
    cr_expect(sni_has_ip(&sni, &certificate));
    sni = parse("2001:db8::8");
    cr_expect_not(sni_has_ip(&sni, &certificate));
    put_name(&more[0], &more[1], 7, four, 4);
    sni = parse("192.0.2.7");
    cr_expect(sni_has_ip(&sni, &certificate));
    put_name(&more[0], &more[1], 7, four, 3);
    cr_expect_not(sni_has_ip(&sni, &certificate), "a cut address");
    certificate.subject_alt_names.next = NULL; /* not the library's memory */
}

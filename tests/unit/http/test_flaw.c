/* What is wrong with a certificate or a handshake, as a sentence. */
#include <criterion/criterion.h>
#include <string.h>

#include <mbedtls/x509.h>

#include "http/flaw.h"

static const char *
certificate(uint32_t flags, bool is_self_signed)
{
    static char text[400];
    memset(text, 'x', sizeof(text));
    flaw_certificate(flags, is_self_signed, text, sizeof(text));
    return text;
}

Test(flaw, names_each_flaw_of_a_certificate)
{
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCERT_EXPIRED, false), "certificate has expired");
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCERT_FUTURE, false),
                     "certificate is not yet valid");
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCERT_CN_MISMATCH, false),
                     "certificate is not for this name");
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCERT_REVOKED, false), "certificate is revoked");
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCERT_MISSING, false), "certificate is missing");
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, false),
                     "certificate is not for servers");
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCERT_BAD_MD, false),
                     "certificate has a weak signature");
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCERT_BAD_KEY, false),
                     "certificate has a weak key");
}

Test(flaw, tells_who_signed_and_how_to_trust_it)
{
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCERT_NOT_TRUSTED, true),
                     "certificate is self-signed (trust it with --tls-ca-file)");
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCERT_NOT_TRUSTED, false),
                     "certificate is signed by an unknown authority (trust it with --tls-ca-file)");
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCERT_EXPIRED, true), "certificate has expired",
                     "that it is self-signed is no flaw when it is trusted");
}

Test(flaw, tells_all_flaws_at_once)
{
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_CN_MISMATCH |
                                     MBEDTLS_X509_BADCERT_NOT_TRUSTED,
                                 true),
                     "certificate has expired, is not for this name, is self-signed (trust it with "
                     "--tls-ca-file)");
}

Test(flaw, has_a_word_for_what_it_does_not_know)
{
    cr_expect_str_eq(certificate(0, false), "certificate is refused");
    cr_expect_str_eq(certificate(MBEDTLS_X509_BADCRL_EXPIRED, false), "certificate is refused");
}

Test(flaw, of_an_alert_has_its_number_and_its_name)
{
    char text[100];
    flaw_alert(40, text, sizeof(text));
    cr_expect_str_eq(text, "handshake failed: alert 40 (no version or cipher in common)");
    flaw_alert(112, text, sizeof(text));
    cr_expect_str_eq(text, "handshake failed: alert 112 (unknown name)");
    flaw_alert(199, text, sizeof(text));
    cr_expect_str_eq(text, "handshake failed: alert 199");
}

/* However little room: a whole text or a cut one, always ended, never a byte beyond. */
Test(flaw, keeps_to_its_room)
{
    char whole[400];
    uint32_t all = ~0u;
    flaw_certificate(all, true, whole, sizeof(whole));
    for (size_t room = 1; room <= strlen(whole) + 2; room++) {
        char text[400];
        memset(text, '#', sizeof(text));
        flaw_certificate(all, true, text, room);
        cr_assert_lt(strnlen(text, sizeof(text)), room);
        cr_assert_eq(strncmp(text, whole, strlen(text)), 0, "%s", text);
        cr_assert_eq(text[room], '#');
        memset(text, '#', sizeof(text));
        flaw_alert(40, text, room);
        cr_assert_lt(strnlen(text, sizeof(text)), room);
        cr_assert_eq(text[room], '#');
    }
}

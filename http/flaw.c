/*
 * flaw.c - the texts. The flags are those of the library's X.509 part.
 */
#include "http/flaw.h"

#include <stdio.h>

#include <mbedtls/x509.h>

struct flaw_row {
    uint32_t number;
    const char *text;
};

static const struct flaw_row flaw_flags[] = {
    { MBEDTLS_X509_BADCERT_EXPIRED, "has expired" },
    { MBEDTLS_X509_BADCERT_FUTURE, "is not yet valid" },
    { MBEDTLS_X509_BADCERT_CN_MISMATCH, "is not for this name" },
    { MBEDTLS_X509_BADCERT_REVOKED, "is revoked" },
    { MBEDTLS_X509_BADCERT_MISSING, "is missing" },
    { MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
          MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
      "is not for servers" },
    { MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK, "has a weak signature" },
    { MBEDTLS_X509_BADCERT_BAD_KEY, "has a weak key" },
};

/* RFC 5246 and 8446, section 6; those that servers send to a client that has no certificate. */
static const struct flaw_row flaw_alerts[] = {
    { 10, "unexpected message" },
    { 20, "bad record" },
    { 40, "no version or cipher in common" },
    { 47, "illegal parameter" },
    { 50, "decode error" },
    { 51, "decrypt error" },
    { 70, "protocol version" },
    { 71, "insufficient security" },
    { 80, "internal error" },
    { 86, "inappropriate fallback" },
    { 112, "unknown name" },
    { 116, "wants a client certificate" },
    { 120, "no common application protocol" },
};

#define FLAW_COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

struct flaw_text {
    char *out;
    size_t bytes;
    size_t len;
};

/* Cut at the end of the room; there is always a NUL. */
static void
flaw_add(struct flaw_text *text, const char *separator, const char *words)
{
    if (text->len >= text->bytes) {
        return;
    }
    int wrote = snprintf(text->out + text->len, text->bytes - text->len, "%s%s", separator, words);
    text->len += wrote > 0 ? (size_t)wrote : 0;
}

/* Every flaw in one sentence, so that mending the first does not only show the second. */
void
flaw_certificate(uint32_t flags, bool is_self_signed, char *out, size_t out_bytes)
{
    struct flaw_text text = { out, out_bytes, 0 };
    flaw_add(&text, "", "certificate");
    const char *separator = " ";
    for (size_t i = 0; i < FLAW_COUNT(flaw_flags); i++) {
        if ((flags & flaw_flags[i].number) != 0) {
            flaw_add(&text, separator, flaw_flags[i].text);
            separator = ", ";
        }
    }
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
        flaw_add(&text, separator,
                 is_self_signed
                     ? "is self-signed (trust it with --tls-ca-file)"
                     : "is signed by an unknown authority (trust it with --tls-ca-file)");
    } else if (separator[0] == ' ') {
        flaw_add(&text, separator, "is refused");
    }
}

void
flaw_alert(unsigned alert, char *out, size_t out_bytes)
{
    const char *text = "";
    for (size_t i = 0; i < FLAW_COUNT(flaw_alerts); i++) {
        if (flaw_alerts[i].number == alert) {
            text = flaw_alerts[i].text;
        }
    }
    snprintf(out, out_bytes, "handshake failed: alert %u%s%s%s", alert, text[0] == '\0' ? "" : " (",
             text, text[0] == '\0' ? "" : ")");
}

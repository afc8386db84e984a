/*
 * sni.h - the host that a server's certificate must be for: a name or an address.
 *
 * The TLS library compares names; an address stands in a certificate as its bytes, which only the
 * newer library compares, so that is done here.
 *
 * Runs in: worker, keeper. Pure.
 */
#ifndef HTTP_SNI_H
#define HTTP_SNI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define SNI_NAME_BYTES 256u /* a name has at most 253 characters */

struct mbedtls_x509_crt;

struct sni {
    char name[SNI_NAME_BYTES]; /* without brackets and without a last dot */
    uint8_t ip[16];
    uint8_t ip_bytes; /* 4, 16; 0: it is a name */
};

/* ERR_BAD: empty, too long or with a NUL. */
MUST_CHECK enum err sni_parse(struct str host, struct sni *out);
/* Does the certificate list this address among its names? */
bool sni_has_ip(const struct sni *sni, const struct mbedtls_x509_crt *certificate);

#endif

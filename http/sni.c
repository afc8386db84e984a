/*
 * sni.c - names and addresses of servers.
 */
#include "http/sni.h"

#include <arpa/inet.h>

#include <mbedtls/x509_crt.h>

#include "base/check.h"

#define SNI_SAN_IP 7u /* iPAddress's tag in a subjectAltName, RFC 5280 */
#define SNI_TAG_NUMBER_MASK 0x1fu

enum err
sni_parse(struct str host, struct sni *out)
{
    *out = (struct sni){ .ip_bytes = 0 };
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']') {
        host = str_make(host.data + 1, host.len - 2);
    } else if (host.len > 1 && host.data[host.len - 1] == '.') {
        host.len--;
    }
    if (host.len == 0 || !str_copy(out->name, sizeof(out->name), host)) {
        return ERR_BAD;
    }
    if (inet_pton(AF_INET, out->name, out->ip) == 1) {
        out->ip_bytes = 4;
    } else if (inet_pton(AF_INET6, out->name, out->ip) == 1) {
        out->ip_bytes = 16;
    }
    return ERR_OK;
}

bool
sni_has_ip(const struct sni *sni, const struct mbedtls_x509_crt *certificate)
{
    CHECK(sni->ip_bytes != 0);
    for (const mbedtls_x509_sequence *at = &certificate->subject_alt_names; at != NULL;
         at = at->next) {
        if (((unsigned)at->buf.tag & SNI_TAG_NUMBER_MASK) == SNI_SAN_IP &&
            at->buf.len == sni->ip_bytes && memcmp(at->buf.p, sni->ip, sni->ip_bytes) == 0) {
            return true;
        }
    }
    return false;
}

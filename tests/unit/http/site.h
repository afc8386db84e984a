/*
 * site.h - for tests: a TLS server on the other end of near.h, with certificates made on the spot.
 */
#ifndef TESTS_UNIT_HTTP_SITE_H
#define TESTS_UNIT_HTTP_SITE_H

#include <mbedtls/version.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <mbedtls/build_info.h>
#include <psa/crypto.h>
#else
#include <mbedtls/config.h>
#endif
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/rsa.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>

#include "base/rand.h"
#include "http/tls.h"
#include "tests/unit/http/near.h"

#define SITE_OLD "20200101000000"
#define SITE_PAST "20210101000000"
#define SITE_LATE "20480101000000"
#define SITE_LATER "20490101000000"

/* What a certificate shall be like. */
struct site_want {
    const char *name;       /* subject's CN and dNSName; NULL: "api.test" */
    const char *not_before; /* NULL: long ago */
    const char *not_after;  /* NULL: far away */
    bool is_self_signed;
    bool is_trusted; /* stands in the CA file itself */
    bool has_ip;     /* 127.0.0.1 instead of the name */
    bool has_weak_key;
    uint32_t minor; /* the only version served: 2 = TLS 1.1; 0: all */
};

struct site {
    struct near near;
    mbedtls_pk_context ca_key;
    mbedtls_pk_context key;
    mbedtls_x509_crt certificate;
    mbedtls_ssl_config conf;
    mbedtls_ssl_ticket_context tickets;
    mbedtls_ssl_context ssl;
    int fd;       /* that ssl is bound to */
    bool is_open; /* handshake done */
    bool is_deaf;
    int result;       /* the last failure */
    struct buf plain; /* decrypted */
    char ca_file[64];
    struct tls_roots *roots;
    struct tls_config *config;
};

static inline int
site_random(void *context, unsigned char *out, size_t bytes)
{
    (void)context;
    rand_bytes(out, bytes);
    return 0;
}

static inline int
site_bio_send(void *context, const unsigned char *from, size_t bytes)
{
    struct site *site = context;
    ssize_t sent = send(site->fd, from, bytes, MSG_NOSIGNAL);
    return sent >= 0         ? (int)sent
           : errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE
                             : MBEDTLS_ERR_SSL_CONN_EOF;
}

static inline int
site_bio_recv(void *context, unsigned char *to, size_t bytes)
{
    struct site *site = context;
    ssize_t got = recv(site->fd, to, bytes, 0);
    return got >= 0          ? (int)got
           : errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ
                             : MBEDTLS_ERR_SSL_CONN_EOF;
}

static inline void
site_make_key(mbedtls_pk_context *key, bool is_weak)
{
    mbedtls_pk_init(key);
    if (is_weak) {
        cr_assert(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) == 0);
        cr_assert(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), site_random, NULL, 1024, 65537) == 0);
        return;
    }
    cr_assert(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
    cr_assert(
        mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), site_random, NULL) == 0);
}

/* A subjectAltName by hand: the older library has no call for it. */
static inline void
site_set_san(mbedtls_x509write_cert *write, const struct site_want *want, const char *name)
{
    static const unsigned char ip[] = { 127, 0, 0, 1 };
    size_t len = want->has_ip ? sizeof(ip) : strlen(name);
    unsigned char der[128] = { 0x30, (unsigned char)(len + 2), want->has_ip ? 0x87 : 0x82,
                               (unsigned char)len };
    memcpy(der + 4, want->has_ip ? (const void *)ip : (const void *)name, len);
    cr_assert(mbedtls_x509write_crt_set_extension(write, MBEDTLS_OID_SUBJECT_ALT_NAME,
                                                  MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0,
                                                  der, len + 4) == 0);
}

static inline void
site_set_serial(mbedtls_x509write_cert *write, unsigned char number)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    cr_assert(mbedtls_x509write_crt_set_serial_raw(write, &number, 1) == 0);
#else
    mbedtls_mpi serial;
    mbedtls_mpi_init(&serial);
    cr_assert(mbedtls_mpi_lset(&serial, number) == 0);
    cr_assert(mbedtls_x509write_crt_set_serial(write, &serial) == 0);
    mbedtls_mpi_free(&serial);
#endif
}

/* PEM of one certificate. `want` NULL: the authority's own. */
static inline void
site_sign(struct site *site, const struct site_want *want, unsigned char *pem, size_t pem_bytes)
{
    static const struct site_want plain = { .name = "Test CA" };
    const struct site_want *of = want == NULL ? &plain : want;
    const char *name = of->name == NULL ? "api.test" : of->name;
    char subject[128];
    snprintf(subject, sizeof(subject), "CN=%s", name);
    bool is_own = want == NULL || of->is_self_signed;
    mbedtls_x509write_cert write;
    mbedtls_x509write_crt_init(&write);
    mbedtls_x509write_crt_set_version(&write, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&write, MBEDTLS_MD_SHA256);
    site_set_serial(&write, want == NULL ? 1 : 2);
    mbedtls_x509write_crt_set_subject_key(&write, want == NULL ? &site->ca_key : &site->key);
    mbedtls_x509write_crt_set_issuer_key(&write,
                                         is_own && want != NULL ? &site->key : &site->ca_key);
    cr_assert(mbedtls_x509write_crt_set_subject_name(&write, subject) == 0);
    cr_assert(mbedtls_x509write_crt_set_issuer_name(&write, is_own ? subject : "CN=Test CA") == 0);
    cr_assert(mbedtls_x509write_crt_set_validity(
                  &write, of->not_before == NULL ? SITE_OLD : of->not_before,
                  of->not_after == NULL ? SITE_LATE : of->not_after) == 0);
    cr_assert(mbedtls_x509write_crt_set_basic_constraints(&write, want == NULL, -1) == 0);
    if (want != NULL) {
        site_set_san(&write, of, name);
    }
    cr_assert(mbedtls_x509write_crt_pem(&write, pem, pem_bytes, site_random, NULL) == 0);
    mbedtls_x509write_crt_free(&write);
}

static inline void
site_make_roots(struct site *site, const unsigned char *pem)
{
    snprintf(site->ca_file, sizeof(site->ca_file), "/tmp/test-ca-XXXXXX");
    int fd = mkstemp(site->ca_file);
    size_t len = strlen((const char *)pem);
    cr_assert(fd >= 0 && write(fd, pem, len) == (ssize_t)len);
    close(fd);
    char why[TLS_WHY_BYTES];
    cr_assert(tls_roots_load(site->ca_file, &site->roots, why) == ERR_OK, "%s", why);
    cr_assert_eq(tls_roots_count(site->roots), 1);
}

static inline void
site_make_conf(struct site *site, uint32_t minor)
{
    mbedtls_ssl_config_init(&site->conf);
    cr_assert(mbedtls_ssl_config_defaults(&site->conf, MBEDTLS_SSL_IS_SERVER,
                                          MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_rng(&site->conf, site_random, NULL);
    cr_assert(mbedtls_ssl_conf_own_cert(&site->conf, &site->certificate, &site->key) == 0);
    mbedtls_ssl_ticket_init(&site->tickets);
    cr_assert(mbedtls_ssl_ticket_setup(&site->tickets, site_random, NULL,
                                       MBEDTLS_CIPHER_AES_256_GCM, 86400) == 0);
    mbedtls_ssl_conf_session_tickets_cb(&site->conf, mbedtls_ssl_ticket_write,
                                        mbedtls_ssl_ticket_parse, &site->tickets);
#if MBEDTLS_VERSION_NUMBER < 0x03000000
    if (minor != 0) {
        mbedtls_ssl_conf_min_version(&site->conf, MBEDTLS_SSL_MAJOR_VERSION_3, (int)minor);
        mbedtls_ssl_conf_max_version(&site->conf, MBEDTLS_SSL_MAJOR_VERSION_3, (int)minor);
    }
#else
    (void)minor; /* this library has no old versions to serve */
#endif
}

static inline void
site_make_config(struct site *site, bool is_insecure, uint32_t version_max)
{
    tls_config_free(site->config);
    struct tls_config_want want = { .roots = site->roots,
                                    .is_insecure = is_insecure,
                                    .version_max = version_max };
    cr_assert(tls_config_make(&want, &site->config) == ERR_OK);
}

static inline void
site_begin(struct site *site, const struct site_want *want)
{
    *site = (struct site){ .fd = -1 };
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    cr_assert(psa_crypto_init() == PSA_SUCCESS);
#endif
    near_begin(&site->near);
    site->near.is_deaf = true;
    buf_init(&site->plain, 64u << 20);
    site_make_key(&site->ca_key, false);
    site_make_key(&site->key, want->has_weak_key);
    unsigned char pem[4096];
    site_sign(site, NULL, pem, sizeof(pem));
    if (!want->is_trusted) {
        site_make_roots(site, pem);
    }
    site_sign(site, want, pem, sizeof(pem));
    if (want->is_trusted) {
        site_make_roots(site, pem);
    }
    mbedtls_x509_crt_init(&site->certificate);
    cr_assert(mbedtls_x509_crt_parse(&site->certificate, pem, strlen((char *)pem) + 1) == 0);
    site_make_conf(site, want->minor);
    mbedtls_ssl_init(&site->ssl);
    cr_assert(mbedtls_ssl_setup(&site->ssl, &site->conf) == 0);
    site_make_config(site, false, 0);
}

static inline void
site_finish(struct site *site)
{
    near_finish(&site->near);
    unlink(site->ca_file);
    tls_config_free(site->config);
    tls_roots_free(site->roots);
    mbedtls_ssl_free(&site->ssl);
    mbedtls_ssl_config_free(&site->conf);
    mbedtls_ssl_ticket_free(&site->tickets);
    mbedtls_x509_crt_free(&site->certificate);
    mbedtls_pk_free(&site->key);
    mbedtls_pk_free(&site->ca_key);
    buf_fini(&site->plain);
}

static inline bool
site_is_waiting(int result)
{
    return result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE;
}

static inline void
site_read(struct site *site)
{
    unsigned char bytes[16384];
    int got;
    while ((got = mbedtls_ssl_read(&site->ssl, bytes, sizeof(bytes))) > 0) {
        cr_assert(buf_append(&site->plain, str_make((char *)bytes, (size_t)got)) == ERR_OK);
    }
    if (!site_is_waiting(got)) {
        site->result = got == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : got;
    }
}

/* The server's part of one turn. */
static inline void
site_turn(struct site *site)
{
    near_turn(&site->near);
    if (site->near.fd >= 0 && site->near.fd != site->fd) {
        site->fd = site->near.fd;
        site->is_open = false;
        site->result = 0;
        cr_assert(mbedtls_ssl_session_reset(&site->ssl) == 0);
        mbedtls_ssl_set_bio(&site->ssl, site, site_bio_send, site_bio_recv, NULL);
    }
    if (site->fd < 0 || site->result != 0 || site->is_deaf) {
        return;
    }
    if (!site->is_open) {
        int result = mbedtls_ssl_handshake(&site->ssl);
        site->is_open = result == 0;
        site->result = site_is_waiting(result) ? 0 : result;
    } else {
        site_read(site);
    }
}

#define SITE_UNTIL(site, condition)                                                      \
    do {                                                                                 \
        int turns_left = NEAR_TURNS_MAX;                                                 \
        while (!(condition) && turns_left-- > 0) {                                       \
            site_turn(site);                                                             \
        }                                                                                \
        cr_assert(condition, "waited in vain; state %s, why \"%s\", server -0x%04x",     \
                  client_state_text((site)->near.client.state), (site)->near.client.why, \
                  (unsigned)-(site)->result);                                            \
    } while (0)

static inline void
site_say(struct site *site, struct str bytes)
{
    while (bytes.len > 0) {
        int sent = mbedtls_ssl_write(&site->ssl, (const unsigned char *)bytes.data, bytes.len);
        if (site_is_waiting(sent)) {
            near_turn(&site->near);
            continue;
        }
        cr_assert(sent > 0, "the server cannot write: -0x%04x", (unsigned)-sent);
        bytes = str_skip(bytes, (size_t)sent);
    }
}

static inline bool
site_has_got(const struct site *site, const char *text)
{
    struct str got = buf_str(&site->plain);
    return got.len > 0 && memmem(got.data, got.len, text, strlen(text)) != NULL;
}

static inline void
site_open(struct site *site, const char *host, struct str session)
{
    struct tls *tls = NULL;
    cr_assert(tls_make(site->config, str_of(host), session, &tls) == ERR_OK);
    near_open(&site->near, tls, NULL);
}

#endif

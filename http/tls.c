/*
 * tls.c - mbedTLS 2.28 and 3.6 as a client, driven by a loop.
 *
 * Reading goes through ahead.h; writing puts the pieces of a request together into records. The
 * library's state is looked at in three places that both versions spell alike (MBEDTLS_PRIVATE).
 */
#include "http/tls.h"

#include <stdio.h>
#include <stdlib.h>

#include <mbedtls/version.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <mbedtls/build_info.h>
#include <psa/crypto.h>
#define TLS_ERR_VERSION MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION
#else
#include <mbedtls/config.h>
#define MBEDTLS_PRIVATE(member) member
#define TLS_ERR_VERSION MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION
#endif
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/sys.h"
#include "http/ahead.h"
#include "http/flaw.h"
#include "http/slice.h"
#include "http/sni.h"

#define TLS_STEP_NS 300000u /* cheap steps that may be done together in one turn */

struct tls_roots {
    mbedtls_x509_crt chain;
    uint32_t count;
};

struct tls_config {
    mbedtls_ssl_config conf;
};

struct tls {
    mbedtls_ssl_context ssl;
    struct ahead ahead;
    int fd;          /* during a call */
    bool is_over;    /* the handshake is done */
    bool is_blocked; /* the descriptor would have blocked in this call of the library */
    bool has_seen_certificate;
    bool has_ticket;   /* 1.3: one has arrived */
    uint32_t messages; /* of the protocol itself after the handshake: tickets and the like */
    bool is_self_signed;
    struct sni host;
    size_t write_pending; /* plain bytes of a record that is not sent whole */
    enum err read_err;    /* told by the next read, after the bytes before it */
    char why[TLS_WHY_BYTES];
};

static enum err
tls_roots_parse(const char *file, struct arena *arena, struct tls_roots *roots,
                char why[TLS_WHY_BYTES])
{
    struct str pem;
    enum err err = sys_read_file(file, TLS_ROOTS_BYTES_MAX, arena, &pem);
    if (err != ERR_OK) {
        snprintf(why, TLS_WHY_BYTES, "%s: %s", file,
                 err == ERR_FULL ? "too large for a list of certificates" : sys_why());
        return err;
    }
    /* A positive result counts certificates that this library cannot use: the others do. */
    int result =
        mbedtls_x509_crt_parse(&roots->chain, (const unsigned char *)pem.data, pem.len + 1);
    if (result < 0 || roots->chain.version == 0) {
        snprintf(why, TLS_WHY_BYTES, "%s: no usable certificate in PEM form", file);
        return ERR_BAD;
    }
    for (const mbedtls_x509_crt *at = &roots->chain; at != NULL; at = at->next) {
        roots->count++;
    }
    return ERR_OK;
}

enum err
tls_roots_load(const char *file, struct tls_roots **out, char why[TLS_WHY_BYTES])
{
    *out = NULL;
    snprintf(why, TLS_WHY_BYTES, "no memory for certificates");
    if (file == NULL || file[0] == '\0') {
        file = "/etc/ssl/certs/ca-certificates.crt";
    }
    struct tls_roots *roots = calloc(1, sizeof(*roots));
    if (roots == NULL) {
        return ERR_IO;
    }
    mbedtls_x509_crt_init(&roots->chain);
    struct arena arena;
    arena_init(&arena, TLS_ROOTS_BYTES_MAX + ARENA_BLOCK_BYTES);
    enum err err = tls_roots_parse(file, &arena, roots, why);
    arena_reset(&arena);
    if (err != ERR_OK) {
        tls_roots_free(roots);
        return err;
    }
    *out = roots;
    return ERR_OK;
}

void
tls_roots_free(struct tls_roots *roots)
{
    if (roots != NULL) {
        mbedtls_x509_crt_free(&roots->chain);
        free(roots);
    }
}

uint32_t
tls_roots_count(const struct tls_roots *roots)
{
    return roots->count;
}

static int
tls_random(void *context, unsigned char *out, size_t bytes)
{
    (void)context;
    rand_bytes(out, bytes);
    return 0;
}

/* ChaCha20 first: in this library it is twice as fast as AES-GCM. */
static const int tls_suites[] = {
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0,
};

static const char *tls_alpn[] = { "http/1.1", NULL };

/* P-384 is there because 2.28 takes this list for the curves of certificates, too. */
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
static const uint16_t tls_groups[] = { MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                       MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                       MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
                                       MBEDTLS_SSL_IANA_TLS_GROUP_NONE };

static bool
tls_library_init(void)
{
    return psa_crypto_init() == PSA_SUCCESS;
}

static void
tls_conf_versions(mbedtls_ssl_config *conf, uint32_t version_max)
{
    mbedtls_ssl_conf_groups(conf, tls_groups);
    mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(conf, version_max == 0 ? MBEDTLS_SSL_VERSION_TLS1_2
                                                            : MBEDTLS_SSL_VERSION_TLS1_3);
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
}
#else
static const mbedtls_ecp_group_id tls_groups[] = { MBEDTLS_ECP_DP_CURVE25519,
                                                   MBEDTLS_ECP_DP_SECP256R1,
                                                   MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE };
#define tls_library_init() true

static void
tls_conf_versions(mbedtls_ssl_config *conf, uint32_t version_max)
{
    (void)version_max; /* this library's 1.3 is not usable */
    mbedtls_ssl_conf_curves(conf, tls_groups);
    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
}
#endif

enum err
tls_config_make(const struct tls_config_want *want, struct tls_config **out)
{
    CHECK(want->roots != NULL || want->is_insecure);
    *out = NULL;
    struct tls_config *config = calloc(1, sizeof(*config));
    if (config == NULL) {
        return ERR_IO;
    }
    mbedtls_ssl_config_init(&config->conf);
    mbedtls_ssl_config *conf = &config->conf;
    if (!tls_library_init() ||
        mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0 ||
        mbedtls_ssl_conf_alpn_protocols(conf, tls_alpn) != 0) {
        tls_config_free(config);
        return ERR_IO;
    }
    mbedtls_ssl_conf_rng(conf, tls_random, NULL);
    mbedtls_ssl_conf_ciphersuites(conf, tls_suites);
    tls_conf_versions(conf, want->version_max);
    mbedtls_ssl_conf_session_tickets(conf, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    mbedtls_ssl_conf_authmode(conf, want->is_insecure ? MBEDTLS_SSL_VERIFY_NONE
                                                      : MBEDTLS_SSL_VERIFY_REQUIRED);
    if (want->roots != NULL) {
        /* The library's signature lacks a const; it only reads the chain. */
        mbedtls_ssl_conf_ca_chain(conf, (mbedtls_x509_crt *)(uintptr_t)&want->roots->chain, NULL);
    }
    *out = config;
    return ERR_OK;
}

void
tls_config_free(struct tls_config *config)
{
    if (config != NULL) {
        mbedtls_ssl_config_free(&config->conf);
        free(config);
    }
}

static int
tls_bio_recv(void *context, unsigned char *to, size_t bytes)
{
    struct tls *tls = context;
    size_t got = 0;
    enum err err = ahead_recv(&tls->ahead, tls->fd, to, bytes, &got);
    if (err == ERR_OK) {
        return (int)got;
    }
    tls->is_blocked = err == ERR_AGAIN;
    return err == ERR_AGAIN ? MBEDTLS_ERR_SSL_WANT_READ
           : err == ERR_EOF ? MBEDTLS_ERR_SSL_CONN_EOF
                            : MBEDTLS_ERR_NET_CONN_RESET;
}

static int
tls_bio_send(void *context, const unsigned char *from, size_t bytes)
{
    struct tls *tls = context;
    size_t sent = 0;
    enum err err = sys_send(tls->fd, from, bytes, &sent);
    if (err == ERR_OK) {
        return (int)sent;
    }
    tls->is_blocked = err == ERR_AGAIN;
    return err == ERR_AGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_NET_CONN_RESET;
}

static void
tls_enter(struct tls *tls, int fd)
{
    ahead_enter(&tls->ahead);
    tls->fd = fd;
}

/* It says so also after a message that is no data, with more bytes at hand (a ticket of TLS 1.3):
 * only together with is_blocked does it mean that an event will come. */
static bool
tls_wants_more(int result)
{
    return result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int
tls_on_certificate(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct tls *tls = context;
    if (depth != 0) {
        return 0;
    }
    tls->is_self_signed = certificate->issuer_raw.len == certificate->subject_raw.len &&
                          memcmp(certificate->issuer_raw.p, certificate->subject_raw.p,
                                 certificate->issuer_raw.len) == 0;
    if (tls->host.ip_bytes != 0 && !sni_has_ip(&tls->host, certificate)) {
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    return 0;
}

/* An address gets no SNI; tls_on_certificate compares it. */
static enum err
tls_set_host(struct tls *tls, struct str host)
{
    enum err err = sni_parse(host, &tls->host);
    if (err != ERR_OK) {
        return err;
    }
    const char *name = tls->host.ip_bytes != 0 ? NULL : tls->host.name;
    return mbedtls_ssl_set_hostname(&tls->ssl, name) == 0 ? ERR_OK : ERR_IO;
}

/* A session that does not load (another library version wrote it) costs a full handshake only. */
static void
tls_set_session(struct tls *tls, struct str bytes)
{
    if (bytes.len == 0) {
        return;
    }
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    if (mbedtls_ssl_session_load(&session, (const unsigned char *)bytes.data, bytes.len) == 0) {
        (void)!mbedtls_ssl_set_session(&tls->ssl, &session);
    }
    mbedtls_ssl_session_free(&session);
}

enum err
tls_make(struct tls_config *config, struct str host, struct str session, struct tls **out)
{
    *out = NULL;
    struct tls *tls = calloc(1, sizeof(*tls));
    if (tls == NULL) {
        return ERR_IO;
    }
    mbedtls_ssl_init(&tls->ssl);
    ahead_init(&tls->ahead);
    tls->fd = -1;
    bool is_set_up = mbedtls_ssl_setup(&tls->ssl, &config->conf) == 0;
    enum err err = is_set_up ? tls_set_host(tls, host) : ERR_IO;
    if (err != ERR_OK) {
        tls_free(tls);
        return err;
    }
    mbedtls_ssl_set_bio(&tls->ssl, tls, tls_bio_send, tls_bio_recv, NULL);
    mbedtls_ssl_set_verify(&tls->ssl, tls_on_certificate, tls);
    tls_set_session(tls, session);
    *out = tls;
    return ERR_OK;
}

void
tls_free(struct tls *tls)
{
    if (tls != NULL) {
        mbedtls_ssl_free(&tls->ssl);
        ahead_fini(&tls->ahead);
        free(tls);
    }
}

static void
tls_explain(struct tls *tls, int result)
{
    const char *text;
    switch (result) {
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
        flaw_certificate(mbedtls_ssl_get_verify_result(&tls->ssl), tls->is_self_signed, tls->why,
                         sizeof(tls->why));
        return;
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        flaw_alert(tls->ssl.MBEDTLS_PRIVATE(in_msg)[1], tls->why, sizeof(tls->why));
        return;
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        text = "connection closed in the handshake";
        break;
    case MBEDTLS_ERR_NET_CONN_RESET:
        text = "connection reset in the handshake";
        break;
    case TLS_ERR_VERSION:
        text = "protocol version: the server has no TLS 1.2";
        break;
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
        text = "the server does not speak TLS on this port";
        break;
    default:
        snprintf(tls->why, sizeof(tls->why), "handshake failed: library error -0x%04x",
                 (unsigned)-result);
        return;
    }
    snprintf(tls->why, sizeof(tls->why), "%s", text);
}

/* ERR_OK: one step on. The step before a certificate tells that the handshake is a full one. */
static enum err
tls_step_once(struct tls *tls)
{
    if (tls->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_SERVER_CERTIFICATE) {
        tls->has_seen_certificate = true;
    }
    tls->is_blocked = false;
    int result = mbedtls_ssl_handshake_step(&tls->ssl);
    if (tls_wants_more(result)) {
        return tls->is_blocked ? ERR_AGAIN : ERR_OK;
    }
    if (result != 0) {
        tls_explain(tls, result);
        bool is_cut = result == MBEDTLS_ERR_SSL_CONN_EOF || result == MBEDTLS_ERR_NET_CONN_RESET;
        return is_cut ? ERR_GONE : ERR_BAD;
    }
    tls->is_over = tls->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_HANDSHAKE_OVER;
    return ERR_OK;
}

enum err
tls_step(struct tls *tls, int fd, bool *is_done)
{
    CHECK(!tls->is_over);
    *is_done = false;
    tls_enter(tls, fd);
    uint64_t end_ns = clock_now_ns() + TLS_STEP_NS;
    enum err err = ERR_OK;
    do {
        err = tls_step_once(tls);
    } while (err == ERR_OK && !tls->is_over && clock_now_ns() < end_ns);
    if (ahead_leave(&tls->ahead) != ERR_OK) {
        snprintf(tls->why, sizeof(tls->why), "no memory");
        return ERR_IO;
    }
    /* From now on each read follows an event and reads everything: a short one is the last. */
    tls->ahead.is_lazy = tls->is_over;
    *is_done = tls->is_over;
    return err;
}

const char *
tls_why(const struct tls *tls)
{
    return tls->why;
}

bool
tls_was_resumed(const struct tls *tls)
{
    return tls->is_over && !tls->has_seen_certificate;
}

/* No other version than these two is ever agreed on. */
static bool
tls_is_13(const struct tls *tls)
{
    return strcmp(mbedtls_ssl_get_version(&tls->ssl), "TLSv1.3") == 0;
}

const char *
tls_version_text(const struct tls *tls)
{
    return tls_is_13(tls) ? "TLS 1.3" : "TLS 1.2";
}

static enum err
tls_read_error(struct tls *tls, int result)
{
    if (result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        return ERR_EOF;
    }
    if (result == 0 || result == MBEDTLS_ERR_SSL_CONN_EOF) {
        snprintf(tls->why, sizeof(tls->why), "connection cut without close_notify");
    } else if (result == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        flaw_alert(tls->ssl.MBEDTLS_PRIVATE(in_msg)[1], tls->why, sizeof(tls->why));
    } else {
        snprintf(tls->why, sizeof(tls->why), "TLS: error -0x%04x", (unsigned)-result);
    }
    return ERR_GONE;
}

/* One record's bytes or what is there of them. */
static enum err
tls_read_once(struct tls *tls, uint8_t *to, size_t bytes, size_t *got)
{
    tls->is_blocked = false;
    int result = mbedtls_ssl_read(&tls->ssl, to, bytes);
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
    if (result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
        tls->has_ticket = true;
        return ERR_OK;
    }
#endif
    if (result > 0) {
        *got += (size_t)result;
        return ERR_OK;
    }
    if (tls_wants_more(result) && tls->is_blocked) {
        return ERR_AGAIN;
    }
    if (tls_wants_more(result) && ++tls->messages <= TLS_MESSAGES_MAX) {
        return ERR_OK;
    }
    return tls_read_error(tls, result);
}

enum err
tls_read(struct tls *tls, int fd, void *to, size_t bytes, size_t *out_got)
{
    CHECK(tls->is_over);
    *out_got = 0;
    if (tls->read_err != ERR_OK) {
        return tls->read_err;
    }
    tls_enter(tls, fd);
    enum err err = ERR_OK;
    while (err == ERR_OK && *out_got < bytes) {
        err = tls_read_once(tls, (uint8_t *)to + *out_got, bytes - *out_got, out_got);
    }
    if (ahead_leave(&tls->ahead) != ERR_OK) {
        err = ERR_IO;
    }
    if (err != ERR_OK && err != ERR_AGAIN) {
        tls->read_err = err;
    }
    return *out_got > 0 ? ERR_OK : err;
}

/* The library has encrypted a record before it says WANT_WRITE: it must be called again with the
 * same length. The caller offers the same bytes first, since it was not told that they were sent.
 */
static enum err
tls_send_record(struct tls *tls, struct str record, size_t *sent)
{
    if (tls->write_pending != 0) {
        CHECK(record.len >= tls->write_pending);
        record.len = tls->write_pending;
    }
    int result = mbedtls_ssl_write(&tls->ssl, (const unsigned char *)record.data, record.len);
    if (result > 0) {
        tls->write_pending = 0;
        *sent += (size_t)result;
        return ERR_OK;
    }
    if (result == MBEDTLS_ERR_SSL_WANT_WRITE || result == MBEDTLS_ERR_SSL_WANT_READ) {
        tls->write_pending = record.len;
        return ERR_AGAIN;
    }
    return ERR_GONE;
}

enum err
tls_sendv(struct tls *tls, int fd, const struct iovec *parts, int part_count, size_t *out_sent)
{
    CHECK(tls->is_over);
    *out_sent = 0;
    tls_enter(tls, fd);
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct str record = slice_next(parts, part_count, *out_sent);
        if (record.len == 0) {
            break;
        }
        err = tls_send_record(tls, record, out_sent);
    }
    if (ahead_leave(&tls->ahead) != ERR_OK) {
        return ERR_IO;
    }
    return *out_sent > 0 && err == ERR_AGAIN ? ERR_OK : err;
}

void
tls_note_readable(struct tls *tls, bool ended)
{
    ahead_note(&tls->ahead, ended);
}

bool
tls_has_pending(const struct tls *tls)
{
    return tls->read_err != ERR_OK || buf_len(&tls->ahead.kept) > 0 ||
           mbedtls_ssl_get_bytes_avail(&tls->ssl) > 0;
}

void
tls_end(struct tls *tls, int fd)
{
    if (!tls->is_over || tls->write_pending != 0) {
        return; /* in the middle of a record nothing else can be said */
    }
    tls_enter(tls, fd);
    (void)mbedtls_ssl_close_notify(&tls->ssl);
    (void)!ahead_leave(&tls->ahead);
}

enum err
tls_session_save(struct tls *tls, uint8_t out[TLS_SESSION_BYTES_MAX], size_t *out_bytes)
{
    *out_bytes = 0;
    if (!tls->is_over || (!tls->has_ticket && tls_is_13(tls))) {
        return ERR_AGAIN;
    }
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    enum err err = ERR_AGAIN;
    if (mbedtls_ssl_get_session(&tls->ssl, &session) == 0) {
        int result = mbedtls_ssl_session_save(&session, out, TLS_SESSION_BYTES_MAX, out_bytes);
        err = result == 0 ? ERR_OK : result == MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL ? ERR_FULL : ERR_IO;
    }
    mbedtls_ssl_session_free(&session);
    return err;
}

/*
 * TLS against good and bad servers: what is accepted, what is refused and why, and that not one
 * byte of a request leaves before the server has proved who it is.
 */
#include "tests/unit/http/site.h"

#define REQUEST "POST /v1/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n\r\n"
#define NO_SESSION ((struct str){ NULL, 0 })

static void
begin_ready(struct site *site)
{
    const struct site_want want = { .name = NULL };
    site_begin(site, &want);
    site_open(site, "api.test", NO_SESSION);
    SITE_UNTIL(site, site->near.readies == 1 && site->is_open);
}

static void
finish(struct site *site)
{
    client_close(&site->near.client);
    site_finish(site);
}

Test(tls, exchanges_with_a_server_that_proves_its_name)
{
    struct site site;
    begin_ready(&site);
    cr_assert_str_eq(tls_version_text(site.near.client.conn.tls), "TLS 1.2");
    cr_assert(!site.near.client.tls_was_resumed);
    for (uint32_t i = 1; i <= 3; i++) {
        buf_clear(&site.plain);
        near_ask(&site.near, REQUEST);
        SITE_UNTIL(&site, site_has_got(&site, "secret\r\n\r\n"));
        site_say(&site, STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"));
        site_say(&site, STR("0\r\n\r\n"));
        SITE_UNTIL(&site, site.near.ends == i);
        cr_assert(site.near.can_keep);
    }
    cr_assert(near_body_is(&site.near, "ababab"));
    finish(&site);
}

/* NULL why: the server is accepted. */
static void
expect_verdict(const struct site_want *want, const char *host, bool is_insecure, const char *why)
{
    struct site site;
    site_begin(&site, want);
    site_make_config(&site, is_insecure, 0);
    site_open(&site, host, NO_SESSION);
    SITE_UNTIL(&site, site.near.readies + site.near.fails == 1);
    if (why == NULL) {
        cr_assert_eq(site.near.readies, 1, "%s", site.near.client.why);
    } else {
        cr_assert_eq(site.near.fails, 1, "accepted, but: %s", why);
        cr_assert_eq(site.near.err, ERR_BAD);
        cr_assert_eq(site.near.failed_in, CLIENT_TLS);
        cr_assert_str_eq(site.near.client.why, why);
        for (int i = 0; i < 5; i++) {
            site_turn(&site);
        }
        cr_assert(!site.is_open);
        cr_assert_eq(buf_len(&site.plain), 0);
        cr_assert(site.result != 0, "the server was told");
    }
    finish(&site);
}

Test(tls, checks_names_and_addresses)
{
    const struct site_want name = { .name = "api.test" };
    expect_verdict(&name, "api.test", false, NULL);
    expect_verdict(&name, "API.test.", false, NULL);
    expect_verdict(&name, "other.test", false, "certificate is not for this name");
    expect_verdict(&name, "127.0.0.1", false, "certificate is not for this name");
    const struct site_want wild = { .name = "*.test" };
    expect_verdict(&wild, "api.test", false, NULL);
    expect_verdict(&wild, "a.api.test", false, "certificate is not for this name");
    const struct site_want ip = { .has_ip = true };
    expect_verdict(&ip, "127.0.0.1", false, NULL);
    expect_verdict(&ip, "127.0.0.2", false, "certificate is not for this name");
    expect_verdict(&ip, "[::1]", false, "certificate is not for this name");
}

Test(tls, refuses_certificates_that_are_not_good_and_says_why)
{
    const struct site_want expired = { .not_after = SITE_PAST };
    expect_verdict(&expired, "api.test", false, "certificate has expired");
    const struct site_want future = { .not_before = SITE_LATE, .not_after = SITE_LATER };
    expect_verdict(&future, "api.test", false, "certificate is not yet valid");
    const struct site_want own = { .is_self_signed = true };
    expect_verdict(&own, "api.test", false,
                   "certificate is self-signed (trust it with --tls-ca-file)");
    const struct site_want trusted = { .is_self_signed = true, .is_trusted = true };
    expect_verdict(&trusted, "api.test", false, NULL);
    expect_verdict(&expired, "other.test", false, "certificate has expired, is not for this name");
    const struct site_want weak = { .has_weak_key = true };
    expect_verdict(&weak, "api.test", false, "certificate has a weak key");
}

Test(tls, refuses_an_unknown_authority)
{
    const struct site_want want = { .name = NULL };
    struct site other;
    struct site site;
    site_begin(&other, &want);
    site_begin(&site, &want);
    struct tls *tls = NULL;
    /* The roots hold another authority of the same name. */
    cr_assert(tls_make(other.config, STR("api.test"), NO_SESSION, &tls) == ERR_OK);
    near_open(&site.near, tls, NULL);
    SITE_UNTIL(&site, site.near.fails == 1);
    cr_assert_str_eq(site.near.client.why,
                     "certificate is signed by an unknown authority (trust it "
                     "with --tls-ca-file)");
    cr_assert_eq(buf_len(&site.plain), 0);
    finish(&site);
    site_finish(&other);
}

Test(tls, accepts_everything_only_when_told_to)
{
    const struct site_want bad = { .is_self_signed = true, .not_after = SITE_PAST };
    expect_verdict(&bad, "other.test", true, NULL);
    expect_verdict(&bad, "127.0.0.1", true, NULL);
}

#if MBEDTLS_VERSION_NUMBER < 0x03000000
Test(tls, refuses_old_versions)
{
    struct site site;
    const struct site_want want = { .minor = MBEDTLS_SSL_MINOR_VERSION_2 };
    site_begin(&site, &want);
    site_open(&site, "api.test", NO_SESSION);
    SITE_UNTIL(&site, site.near.fails == 1);
    cr_assert_str_eq(site.near.client.why,
                     "handshake failed: alert 40 (no version or cipher in common)");
    finish(&site);
}
#endif

/* A server that answers the first bytes of a handshake with these. */
static void
expect_raw(struct str answer, enum err err, const char *why)
{
    struct site site;
    const struct site_want want = { .name = NULL };
    site_begin(&site, &want);
    site.near.is_deaf = false;
    site.is_deaf = true;
    site_open(&site, "api.test", NO_SESSION);
    SITE_UNTIL(&site, buf_len(&site.near.got) > 0);
    cr_assert_eq(site.near.client.state, CLIENT_TLS);
    near_say(&site.near, answer);
    near_hang_up(&site.near);
    SITE_UNTIL(&site, site.near.fails == 1);
    cr_assert_eq(site.near.err, err);
    cr_assert_eq(site.near.failed_in, CLIENT_TLS);
    cr_assert_str_eq(site.near.client.why, why);
    finish(&site);
}

Test(tls, says_what_went_wrong_in_the_handshake)
{
    expect_raw(STR("\x15\x03\x03\x00\x02\x02\x28"), ERR_BAD,
               "handshake failed: alert 40 (no version or cipher in common)");
    expect_raw(STR("\x15\x03\x01\x00\x02\x02\x46"), ERR_BAD,
               "handshake failed: alert 70 (protocol version)");
    expect_raw(STR("\x15\x03\x03\x00\x02\x02\x70"), ERR_BAD,
               "handshake failed: alert 112 (unknown name)");
    expect_raw(STR("HTTP/1.1 400 Bad Request\r\n\r\n"), ERR_BAD,
               "the server does not speak TLS on this port");
    expect_raw(STR(""), ERR_GONE, "connection closed in the handshake");
    expect_raw(STR("\x16\x03\x03"), ERR_GONE, "connection closed in the handshake");
}

static size_t
handshake_and_save(struct site *site, struct str session, uint8_t out[TLS_SESSION_BYTES_MAX])
{
    uint32_t before = site->near.readies;
    site_open(site, "api.test", session);
    SITE_UNTIL(site, site->near.readies == before + 1 && site->is_open);
    near_ask(&site->near, REQUEST);
    uint32_t ends = site->near.ends;
    SITE_UNTIL(site, site_has_got(site, "secret"));
    site_say(site, STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    SITE_UNTIL(site, site->near.ends == ends + 1);
    buf_clear(&site->plain);
    size_t bytes = 0;
    cr_assert(tls_session_save(site->near.client.conn.tls, out, &bytes) == ERR_OK);
    cr_assert(bytes > 0);
    return bytes;
}

static void
close_and_clear(struct site *site)
{
    client_close(&site->near.client);
    near_hang_up(&site->near);
    site->fd = -1;
    site->near.readies = 0;
}

static void
expect_resumption(uint32_t version_max)
{
    struct site site;
    const struct site_want want = { .name = NULL };
    static uint8_t session[TLS_SESSION_BYTES_MAX];
    static uint8_t next[TLS_SESSION_BYTES_MAX];
    site_begin(&site, &want);
    site_make_config(&site, false, version_max);
    size_t bytes = handshake_and_save(&site, NO_SESSION, session);
    cr_assert(!site.near.client.tls_was_resumed);
    close_and_clear(&site);

    (void)handshake_and_save(&site, str_make((char *)session, bytes), next);
    cr_assert(site.near.client.tls_was_resumed);
    close_and_clear(&site);

    /* Bytes that mean nothing are no harm. */
    memset(session, 'x', bytes / 2);
    (void)handshake_and_save(&site, str_make((char *)session, bytes), next);
    cr_assert(!site.near.client.tls_was_resumed);
    finish(&site);
}

Test(tls, resumes_a_session_from_its_bytes)
{
    expect_resumption(0);
}

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
Test(tls, resumes_a_session_of_tls_1_3)
{
    expect_resumption(1);
}
#endif

Test(tls, tells_a_good_end_from_a_cut)
{
    struct site site;
    for (int is_good = 0; is_good < 2; is_good++) {
        begin_ready(&site);
        near_ask(&site.near, REQUEST);
        SITE_UNTIL(&site, site_has_got(&site, "secret"));
        site_say(&site, STR("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
        if (is_good) {
            cr_assert(mbedtls_ssl_close_notify(&site.ssl) == 0);
        }
        site.fd = -1;
        near_hang_up(&site.near);
        SITE_UNTIL(&site, site.near.ends + site.near.fails == 1);
        cr_assert(near_body_is(&site.near, "until the end"));
        cr_assert_eq(site.near.ends, is_good ? 1 : 0);
        if (!is_good) {
            cr_assert_eq(site.near.err, ERR_GONE);
            cr_assert_eq(site.near.failed_in, CLIENT_BODY);
        }
        finish(&site);
    }
}

static void
exchange_large(struct site *site)
{
    static char body[1u << 20];
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (char)(i * 7 + i / 253);
    }
    struct str pieces[] = { STR("POST / HTTP/1.1\r\nHost: a\r\n\r\n"),
                            { body, 100 },
                            { body + 100, sizeof(body) - 100 } };
    site->is_deaf = true;
    client_send(&site->near.client, pieces, 3, false);
    for (int i = 0; i < 5; i++) {
        site_turn(site);
    }
    cr_assert(!client_is_sent(&site->near.client), "the server does not read");
    site->is_deaf = false;
    SITE_UNTIL(site, buf_len(&site->plain) == pieces[0].len + sizeof(body));
    cr_assert(client_is_sent(&site->near.client));
    cr_assert(memcmp(buf_str(&site->plain).data + pieces[0].len, body, sizeof(body)) == 0);

    site_say(site, STR("HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n"));
    site_say(site, str_make(body, 500000));
    SITE_UNTIL(site, site->near.ends == 1);
    cr_assert(site->near.can_keep);
    cr_assert_eq(buf_len(&site->near.body), 500000);
    cr_assert(memcmp(buf_str(&site->near.body).data, body, 500000) == 0);
}

Test(tls, sends_and_reads_large_bodies)
{
    struct site site;
    const struct site_want want = { .name = NULL };
    site_begin(&site, &want);
    int bytes = 16384;
    cr_assert(setsockopt(site.near.listen_fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) == 0);
    site_open(&site, "api.test", NO_SESSION);
    SITE_UNTIL(&site, site.near.readies == 1 && site.is_open);
    cr_assert(
        setsockopt(site.near.client.conn.io.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) == 0);
    exchange_large(&site);
    finish(&site);
}

Test(tls, survives_short_transfers)
{
    struct site site;
    sys_short(11);
    begin_ready(&site);
    near_ask(&site.near, REQUEST);
    SITE_UNTIL(&site, site_has_got(&site, "secret\r\n\r\n"));
    static char answer[60000];
    size_t len = (size_t)snprintf(answer, 100, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n");
    memset(answer + len, 'z', 50000);
    site_say(&site, str_make(answer, len + 50000));
    SITE_UNTIL(&site, site.near.ends == 1);
    cr_assert_eq(buf_len(&site.near.body), 50000);
    sys_short(0);
    finish(&site);
}

/* What is decrypted already makes no event: a paused stream must find it by itself. */
Test(tls, goes_on_after_a_pause)
{
    struct site site;
    begin_ready(&site);
    near_ask(&site.near, REQUEST);
    SITE_UNTIL(&site, site_has_got(&site, "secret"));
    site_say(&site, STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"));
    site.near.pause_in_body = true;
    SITE_UNTIL(&site, site.near.bodies == 1);
    site_say(&site, STR("3\r\ntwo\r\n"));
    site_say(&site, STR("0\r\n\r\n"));
    for (int i = 0; i < 5; i++) {
        site_turn(&site);
    }
    cr_assert(near_body_is(&site.near, "one"));
    site.near.pause_in_body = false;
    client_pause(&site.near.client, false);
    SITE_UNTIL(&site, site.near.ends == 1);
    cr_assert(near_body_is(&site.near, "onetwo"));
    cr_assert(site.near.can_keep);
    finish(&site);
}

Test(tls, loads_the_systems_authorities)
{
    struct tls_roots *roots = NULL;
    char why[TLS_WHY_BYTES];
    if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) == 0) {
        cr_assert(tls_roots_load(NULL, &roots, why) == ERR_OK, "%s", why);
        cr_assert(tls_roots_count(roots) > 50);
        tls_roots_free(roots);
    }
    cr_assert(tls_roots_load("/nowhere/ca.pem", &roots, why) != ERR_OK);
    cr_assert_str_eq(why, "/nowhere/ca.pem: No such file or directory");
    cr_assert(tls_roots_load("/etc/passwd", &roots, why) == ERR_BAD);
    cr_assert_str_eq(why, "/etc/passwd: no usable certificate in PEM form");
}

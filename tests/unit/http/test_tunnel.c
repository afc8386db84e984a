/*
 * Both kinds of proxy: what is said to them, what they may answer, and a whole exchange through
 * one.
 */
#include "http/tunnel.h"
#include "tests/unit/http/near.h"

struct talk {
    struct tunnel tunnel;
    struct buf in;
    struct buf out;
    char why[CLIENT_WHY_BYTES];
};

static enum err
begin(struct talk *talk, const struct client_proxy *proxy)
{
    *talk = (struct talk){ .why = "" };
    buf_init(&talk->in, HEAD_BYTES_MAX);
    buf_init(&talk->out, TUNNEL_OUT_BYTES_MAX);
    return tunnel_begin(&talk->tunnel, proxy, &talk->out);
}

static enum err
feed(struct talk *talk, struct str bytes)
{
    buf_clear(&talk->out);
    cr_assert(buf_append(&talk->in, bytes) == ERR_OK);
    return tunnel_feed(&talk->tunnel, &talk->in, &talk->out, talk->why, sizeof(talk->why));
}

static bool
said(const struct talk *talk, struct str bytes)
{
    return str_equal(buf_str(&talk->out), bytes);
}

static void
finish(struct talk *talk)
{
    buf_fini(&talk->in);
    buf_fini(&talk->out);
}

static struct client_proxy
http_proxy(const char *host, const char *user, const char *password)
{
    return (struct client_proxy){ .kind = CLIENT_HTTP_PROXY,
                                  .host = str_of(host),
                                  .port = 443,
                                  .user = str_of(user),
                                  .password = str_of(password) };
}

static struct client_proxy
socks_proxy(const char *host, const char *user, const char *password)
{
    struct client_proxy proxy = http_proxy(host, user, password);
    proxy.kind = CLIENT_SOCKS5_PROXY;
    return proxy;
}

Test(tunnel, asks_an_http_proxy_by_name)
{
    struct talk talk;
    struct client_proxy proxy = http_proxy("api.test", NULL, NULL);
    cr_assert(begin(&talk, &proxy) == ERR_OK);
    cr_assert(said(&talk, STR("CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")));
    const char *answer = "HTTP/1.1 200 Connection established\r\nProxy-Agent: x\r\n\r\n";
    for (size_t i = 0; i + 1 < strlen(answer); i++) {
        cr_assert(feed(&talk, str_make(answer + i, 1)) == ERR_AGAIN);
    }
    cr_assert(feed(&talk, STR("\n")) == ERR_OK);
    cr_assert_eq(buf_len(&talk.in), 0);
    finish(&talk);

    proxy = http_proxy("[2001:db8::1]", "Aladdin", "open sesame");
    cr_assert(begin(&talk, &proxy) == ERR_OK);
    cr_assert(said(&talk, STR("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n"
                              "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n")));
    finish(&talk);
}

static void
expect_http(const char *answer, enum err err, const char *why)
{
    struct talk talk;
    struct client_proxy proxy = http_proxy("api.test", "u", NULL);
    cr_assert(begin(&talk, &proxy) == ERR_OK);
    cr_assert_eq(feed(&talk, str_of(answer)), err, "%s", answer);
    cr_assert(strstr(talk.why, why) != NULL, "%s", talk.why);
    finish(&talk);
}

Test(tunnel, says_what_an_http_proxy_answered)
{
    expect_http("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 5\r\n\r\nsorry",
                ERR_REFUSED, "proxy answered 407");
    expect_http("HTTP/1.0 503 Service Unavailable\r\n\r\n", ERR_REFUSED, "proxy answered 503");
    expect_http("HTTP/1.1 200 OK\r\n\r\nearly", ERR_BAD, "bytes behind");
    expect_http("220 smtp.test ESMTP\r\n\r\n", ERR_BAD, "proxy answered badly");
    expect_http("HTTP/1.1 200 OK\n\n", ERR_BAD, "proxy answered badly");
}

Test(tunnel, asks_a_socks_proxy_for_a_name_an_address_or_with_a_password)
{
    struct talk talk;
    struct client_proxy proxy = socks_proxy("api.test", NULL, NULL);
    cr_assert(begin(&talk, &proxy) == ERR_OK);
    cr_assert(said(&talk, STR("\x05\x01\x00")));
    cr_assert(feed(&talk, STR("\x05")) == ERR_AGAIN);
    cr_assert(feed(&talk, STR("\x00")) == ERR_AGAIN);
    cr_assert(said(&talk, STR("\x05\x01\x00\x03\x08"
                              "api.test\x01\xbb")));
    static const char reply[] = "\x05\x00\x00\x01\x7f\x00\x00\x01\x1f\x90";
    for (size_t i = 0; i < 9; i++) {
        cr_assert(feed(&talk, str_make(reply + i, 1)) == ERR_AGAIN);
    }
    cr_assert(feed(&talk, str_make(reply + 9, 1)) == ERR_OK);
    finish(&talk);

    proxy = socks_proxy("10.1.2.3", "me", "secret");
    cr_assert(begin(&talk, &proxy) == ERR_OK);
    cr_assert(said(&talk, STR("\x05\x02\x00\x02")));
    cr_assert(feed(&talk, STR("\x05\x02")) == ERR_AGAIN);
    cr_assert(said(&talk, STR("\x01\x02me\x06secret")));
    cr_assert(feed(&talk, STR("\x01\x00")) == ERR_AGAIN);
    cr_assert(said(&talk, STR("\x05\x01\x00\x01\x0a\x01\x02\x03\x01\xbb")));
    cr_assert(feed(&talk, STR("\x05\x00\x00\x03\x04host\x00\x50")) == ERR_OK);
    finish(&talk);

    proxy = socks_proxy("[::1]", NULL, NULL);
    cr_assert(begin(&talk, &proxy) == ERR_OK);
    cr_assert(feed(&talk, STR("\x05\x00")) == ERR_AGAIN);
    cr_assert_eq(buf_len(&talk.out), 4 + 16 + 2);
    cr_assert_eq(buf_str(&talk.out).data[3], 4);
    finish(&talk);
}

/* `steps` go in one after the other; the last decides. */
static void
expect_socks(const char *user, struct str first, struct str last, enum err err, const char *why)
{
    struct talk talk;
    struct client_proxy proxy = socks_proxy("api.test", user, user);
    cr_assert(begin(&talk, &proxy) == ERR_OK);
    if (first.len > 0) {
        cr_assert(feed(&talk, first) == ERR_AGAIN);
    }
    cr_assert_eq(feed(&talk, last), err);
    cr_assert_str_eq(talk.why, why);
    finish(&talk);
}

Test(tunnel, says_what_a_socks_proxy_answered)
{
    struct str no = STR("");
    expect_socks(NULL, STR("\x05\x00"), STR("\x05\x04\x00\x01"), ERR_REFUSED,
                 "SOCKS5: host unreachable");
    expect_socks(NULL, STR("\x05\x00"), STR("\x05\x02\x00\x01"), ERR_REFUSED,
                 "SOCKS5: not allowed by its rules");
    expect_socks(NULL, STR("\x05\x00"), STR("\x05\x77\x00\x01"), ERR_REFUSED,
                 "SOCKS5: unknown failure");
    expect_socks(NULL, no, STR("\x05\xff"), ERR_REFUSED, "SOCKS5: wants a user and password");
    expect_socks("u", no, STR("\x05\xff"), ERR_REFUSED,
                 "SOCKS5: wants another authentication than a password");
    expect_socks("u", STR("\x05\x02"), STR("\x01\x01"), ERR_REFUSED,
                 "SOCKS5: user or password refused");
    expect_socks(NULL, no, STR("\x05\x02"), ERR_REFUSED, "SOCKS5: wants a user and password");
    expect_socks(NULL, no, STR("HTTP/1.1 400 Bad Request\r\n\r\n"), ERR_BAD,
                 "SOCKS5: the proxy does not speak it");
    expect_socks(NULL, STR("\x05\x00"), STR("\x05\x00\x00\x09\x00\x00"), ERR_BAD,
                 "SOCKS5: the proxy answered with an unknown address type");
    expect_socks(NULL, STR("\x05\x00"), STR("\x05\x00\x00\x01\x01\x02\x03\x04\x05\x06xx"), ERR_BAD,
                 "proxy sent bytes behind its answer");
}

Test(tunnel, refuses_what_cannot_be_sent)
{
    static char long_text[400];
    memset(long_text, 'x', sizeof(long_text) - 1);
    const struct client_proxy bad[] = {
        http_proxy("", NULL, NULL),
        http_proxy("a b", NULL, NULL),
        http_proxy("a\r\nX: y", NULL, NULL),
        http_proxy(long_text, NULL, NULL),
        http_proxy("a", long_text, long_text),
        socks_proxy("a", long_text, "x"),
        socks_proxy("a", "x", long_text),
        socks_proxy(long_text, NULL, NULL),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct talk talk;
        cr_assert_eq(begin(&talk, &bad[i]), ERR_BAD, "number %zu", i);
        finish(&talk);
    }
}

static void
exchange(struct near *near)
{
    near_ask(near, "GET /through HTTP/1.1\r\nHost: api.test\r\n\r\n");
    NEAR_UNTIL(near, near_has_got(near, "GET /through"));
    near_say(near, STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    NEAR_UNTIL(near, near->ends == 1);
    cr_assert(near->can_keep);
    client_close(&near->client);
    near_finish(near);
}

Test(tunnel, carries_an_exchange)
{
    struct near near;
    near_begin(&near);
    struct client_proxy proxy = http_proxy("api.test", NULL, NULL);
    near_open(&near, NULL, &proxy);
    NEAR_UNTIL(&near, near_has_got(&near, "CONNECT api.test:443"));
    cr_assert_eq(near.client.state, CLIENT_PROXY);
    near_say(&near, STR("HTTP/1.1 200 OK\r\n\r\n"));
    NEAR_UNTIL(&near, near.readies == 1);
    exchange(&near);

    near_begin(&near);
    proxy = socks_proxy("api.test", NULL, NULL);
    near_open(&near, NULL, &proxy);
    NEAR_UNTIL(&near, buf_len(&near.got) == 3);
    near_say(&near, STR("\x05\x00"));
    NEAR_UNTIL(&near, near_has_got(&near, "api.test"));
    near_say(&near, STR("\x05\x00\x00\x01\x7f\x00\x00\x01\x1f\x90"));
    NEAR_UNTIL(&near, near.readies == 1);
    exchange(&near);
}

Test(tunnel, fails_the_client_with_its_reason)
{
    struct near near;
    near_begin(&near);
    struct client_proxy proxy = http_proxy("api.test", NULL, NULL);
    near_open(&near, NULL, &proxy);
    NEAR_UNTIL(&near, near_has_got(&near, "CONNECT"));
    near_say(&near, STR("HTTP/1.1 407 Authenticate\r\n\r\n"));
    NEAR_UNTIL(&near, near.fails == 1);
    cr_assert_eq(near.failed_in, CLIENT_PROXY);
    cr_assert_eq(near.err, ERR_REFUSED);
    cr_assert_str_eq(near.client.why, "proxy answered 407");
    near_finish(&near);

    near_begin(&near);
    near_open(&near, NULL, &proxy);
    NEAR_UNTIL(&near, near_has_got(&near, "CONNECT"));
    near_hang_up(&near);
    NEAR_UNTIL(&near, near.fails == 1);
    cr_assert_eq(near.err, ERR_EOF);
    cr_assert_str_eq(near.client.why, "proxy: connection closed before its answer");
    near_finish(&near);
}

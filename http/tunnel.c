/*
 * tunnel.c - the handshakes of both kinds of proxy.
 */
#include "http/tunnel.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/num.h"
#include "http/client.h"
#include "http/header.h"
#include "http/parser.h"

#define SOCKS_VERSION 5
#define SOCKS_NO_PASSWORD 0
#define SOCKS_WITH_PASSWORD 2
#define SOCKS_PASSWORD_VERSION 1
#define SOCKS_CONNECT 1
#define SOCKS_IPV4 1
#define SOCKS_NAME 3
#define SOCKS_IPV6 4
#define SOCKS_FIELD_BYTES_MAX 255u /* a length is one byte */

/* --- HTTP CONNECT --- */

static void
base64_group(const unsigned char *from, size_t bytes, char to[4])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t word = (uint32_t)from[0] << 16 | (bytes > 1 ? (uint32_t)from[1] << 8 : 0) |
                    (bytes > 2 ? (uint32_t)from[2] : 0);
    to[0] = letters[word >> 18];
    to[1] = letters[(word >> 12) & 63];
    to[2] = bytes > 1 ? letters[(word >> 6) & 63] : '=';
    to[3] = bytes > 2 ? letters[word & 63] : '=';
}

static enum err
append_base64(struct buf *out, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        char group[4];
        base64_group((const unsigned char *)bytes.data + i, bytes.len - i, group);
        enum err err = buf_append(out, str_make(group, sizeof(group)));
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err
append_credentials(struct buf *out, const struct client_proxy *proxy)
{
    char text[2 * SOCKS_FIELD_BYTES_MAX + 1];
    if (proxy->user.len + proxy->password.len + 1 > sizeof(text)) {
        return ERR_BAD;
    }
    size_t len = 0;
    memcpy(text, proxy->user.data, proxy->user.len);
    len += proxy->user.len;
    text[len++] = ':';
    if (proxy->password.len > 0) {
        memcpy(text + len, proxy->password.data, proxy->password.len);
        len += proxy->password.len;
    }
    enum err err = buf_append(out, STR("Proxy-Authorization: Basic "));
    if (err == ERR_OK) {
        err = append_base64(out, str_make(text, len));
    }
    explicit_bzero(text, sizeof(text));
    return err == ERR_OK ? buf_append(out, STR("\r\n")) : err;
}

static bool
host_is_good(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.data[i];
        if (c <= ' ' || c >= 0x7f || c == '/' || c == '@') {
            return false;
        }
    }
    return host.len > 0 && host.len <= SOCKS_FIELD_BYTES_MAX;
}

static enum err
begin_http(const struct client_proxy *proxy, struct str host, struct buf *out)
{
    bool is_v6 = memchr(host.data, ':', host.len) != NULL;
    char target[SOCKS_FIELD_BYTES_MAX + 16];
    snprintf(target, sizeof(target), "%s%.*s%s:%u", is_v6 ? "[" : "", STR_ARG(host),
             is_v6 ? "]" : "", (unsigned)proxy->port);
    enum err err = buf_printf(out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", target, target);
    if (err == ERR_OK && proxy->user.len > 0) {
        err = append_credentials(out, proxy);
    }
    return err == ERR_OK ? buf_append(out, STR("\r\n")) : err;
}

/* A body of an answer that says no is not read: the connection is closed. */
static enum err
judge_http(struct str head, char *why, size_t why_bytes)
{
    struct arena arena;
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    struct parser_head parsed;
    struct parser_error error;
    enum err err = parser_answer(head, true, &arena, &parsed, &error);
    if (err != ERR_OK) {
        snprintf(why, why_bytes, "proxy answered badly: %s", error.message);
    } else if (parsed.status < 200 || parsed.status > 299) {
        snprintf(why, why_bytes, "proxy answered %u", parsed.status);
        err = ERR_REFUSED;
    }
    arena_reset(&arena);
    return err;
}

static enum err
feed_http(struct tunnel *tunnel, struct buf *in, char *why, size_t why_bytes)
{
    size_t head_bytes = 0;
    struct parser_error error;
    enum err err = parser_answer_end(buf_str(in), &tunnel->scanned, &head_bytes, &error);
    if (err != ERR_OK) {
        snprintf(why, why_bytes, "proxy answered badly: %s", error.message);
        return err;
    }
    if (head_bytes == 0) {
        return ERR_AGAIN;
    }
    err = judge_http(str_make(buf_str(in).data, head_bytes), why, why_bytes);
    buf_consume(in, (uint32_t)head_bytes);
    return err;
}

/* --- SOCKS5 --- */

static enum err
append_byte(struct buf *out, unsigned byte)
{
    char c = (char)(unsigned char)byte;
    return buf_append(out, str_make(&c, 1));
}

/* A length in one byte, then the bytes. */
static enum err
append_field(struct buf *out, struct str field)
{
    if (field.len > SOCKS_FIELD_BYTES_MAX) {
        return ERR_BAD;
    }
    enum err err = append_byte(out, (unsigned)field.len);
    return err == ERR_OK ? buf_append(out, field) : err;
}

static enum err
begin_socks(const struct client_proxy *proxy, struct buf *out)
{
    if (proxy->user.len == 0) {
        return buf_append(out, STR("\x05\x01\x00"));
    }
    if (proxy->user.len > SOCKS_FIELD_BYTES_MAX || proxy->password.len > SOCKS_FIELD_BYTES_MAX) {
        return ERR_BAD;
    }
    return buf_append(out, STR("\x05\x02\x00\x02"));
}

static enum err
say_password(struct tunnel *tunnel, struct buf *out)
{
    tunnel->state = TUNNEL_PASSWORD;
    enum err err = append_byte(out, SOCKS_PASSWORD_VERSION);
    if (err == ERR_OK) {
        err = append_field(out, tunnel->proxy->user);
    }
    return err == ERR_OK ? append_field(out, tunnel->proxy->password) : err;
}

static enum err
append_target(struct buf *out, struct str host)
{
    char name[SOCKS_FIELD_BYTES_MAX + 1];
    char ip[16];
    if (!str_copy(name, sizeof(name), host)) {
        return ERR_BAD;
    }
    bool is_v4 = inet_pton(AF_INET, name, ip) == 1;
    if (!is_v4 && inet_pton(AF_INET6, name, ip) != 1) {
        enum err err = append_byte(out, SOCKS_NAME);
        return err == ERR_OK ? append_field(out, host) : err;
    }
    enum err err = append_byte(out, is_v4 ? SOCKS_IPV4 : SOCKS_IPV6);
    return err == ERR_OK ? buf_append(out, str_make(ip, is_v4 ? 4 : 16)) : err;
}

static enum err
say_address(struct tunnel *tunnel, struct buf *out)
{
    tunnel->state = TUNNEL_ADDRESS;
    enum err err = buf_append(out, STR("\x05\x01\x00"));
    if (err == ERR_OK) {
        err = append_target(out, tunnel->host);
    }
    char port[2] = { (char)(unsigned char)(tunnel->proxy->port >> 8),
                     (char)(unsigned char)(tunnel->proxy->port & 0xff) };
    return err == ERR_OK ? buf_append(out, str_make(port, sizeof(port))) : err;
}

static const char *
socks_text(unsigned reply)
{
    static const char *const texts[] = { "granted",
                                         "general failure",
                                         "not allowed by its rules",
                                         "network unreachable",
                                         "host unreachable",
                                         "connection refused",
                                         "time to live expired",
                                         "command not supported",
                                         "address type not supported" };
    return reply < sizeof(texts) / sizeof(texts[0]) ? texts[reply] : "unknown failure";
}

static enum err
feed_method(struct tunnel *tunnel, const unsigned char *bytes, struct buf *out, char *why,
            size_t why_bytes)
{
    if (bytes[1] == SOCKS_NO_PASSWORD) {
        return say_address(tunnel, out);
    }
    if (bytes[1] == SOCKS_WITH_PASSWORD && tunnel->proxy->user.len > 0) {
        return say_password(tunnel, out);
    }
    snprintf(why, why_bytes, "SOCKS5: wants %s",
             tunnel->proxy->user.len == 0 ? "a user and password"
                                          : "another authentication than a password");
    return ERR_REFUSED;
}

static enum err
feed_password(struct tunnel *tunnel, const unsigned char *bytes, struct buf *out, char *why,
              size_t why_bytes)
{
    if (bytes[1] != 0) {
        snprintf(why, why_bytes, "SOCKS5: user or password refused");
        return ERR_REFUSED;
    }
    return say_address(tunnel, out);
}

/* Length of the reply to our request: its address may be a name. 0: cannot be told yet. */
static size_t
address_reply_bytes(const unsigned char *bytes, size_t there)
{
    if (there < 5) {
        return 0;
    }
    switch (bytes[3]) {
    case SOCKS_IPV4:
        return 4 + 4 + 2;
    case SOCKS_IPV6:
        return 4 + 16 + 2;
    case SOCKS_NAME:
        return 4 + 1 + (size_t)bytes[4] + 2;
    default:
        return SIZE_MAX;
    }
}

static enum err
feed_address(struct buf *in, char *why, size_t why_bytes)
{
    const unsigned char *bytes = (const unsigned char *)buf_str(in).data;
    CHECK(bytes != NULL); /* the caller has seen the bytes that are always there */
    if (bytes[1] != 0) {
        snprintf(why, why_bytes, "SOCKS5: %s", socks_text(bytes[1]));
        return ERR_REFUSED;
    }
    size_t wanted = address_reply_bytes(bytes, buf_len(in));
    if (wanted == SIZE_MAX) {
        snprintf(why, why_bytes, "SOCKS5: the proxy answered with an unknown address type");
        return ERR_BAD;
    }
    if (wanted == 0 || buf_len(in) < wanted) {
        return ERR_AGAIN;
    }
    buf_consume(in, (uint32_t)wanted);
    return ERR_OK;
}

/* One message of the proxy. ERR_OK only for the last. */
static enum err
feed_socks(struct tunnel *tunnel, struct buf *in, struct buf *out, char *why, size_t why_bytes)
{
    if (buf_len(in) < 2) {
        return ERR_AGAIN;
    }
    const unsigned char *bytes = (const unsigned char *)buf_str(in).data;
    unsigned version = tunnel->state == TUNNEL_PASSWORD ? SOCKS_PASSWORD_VERSION : SOCKS_VERSION;
    if (bytes[0] != version) {
        snprintf(why, why_bytes, "SOCKS5: the proxy does not speak it");
        return ERR_BAD;
    }
    if (tunnel->state == TUNNEL_ADDRESS) {
        return feed_address(in, why, why_bytes);
    }
    enum err err = tunnel->state == TUNNEL_METHOD
                       ? feed_method(tunnel, bytes, out, why, why_bytes)
                       : feed_password(tunnel, bytes, out, why, why_bytes);
    buf_consume(in, 2);
    return err == ERR_OK ? ERR_AGAIN : err;
}

/* --- both --- */

enum err
tunnel_begin(struct tunnel *tunnel, const struct client_proxy *proxy, struct buf *out)
{
    CHECK(proxy->kind != CLIENT_NO_PROXY);
    bool is_http = proxy->kind == CLIENT_HTTP_PROXY;
    struct str host = proxy->host;
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']') {
        host = str_make(host.data + 1, host.len - 2);
    }
    *tunnel = (struct tunnel){ .proxy = proxy,
                               .host = host,
                               .state = is_http ? TUNNEL_ANSWER : TUNNEL_METHOD };
    if (!host_is_good(host)) {
        return ERR_BAD;
    }
    return is_http ? begin_http(proxy, host, out) : begin_socks(proxy, out);
}

enum err
tunnel_feed(struct tunnel *tunnel, struct buf *in, struct buf *out, char *why, size_t why_bytes)
{
    enum err err;
    uint32_t before;
    do {
        before = buf_len(in);
        err = tunnel->state == TUNNEL_ANSWER ? feed_http(tunnel, in, why, why_bytes)
                                             : feed_socks(tunnel, in, out, why, why_bytes);
    } while (err == ERR_AGAIN && buf_len(in) > 0 && buf_len(in) < before);
    /* A server speaks only after us: what comes along with the proxy's word is not from it. */
    if (err == ERR_OK && buf_len(in) > 0) {
        snprintf(why, why_bytes, "proxy sent bytes behind its answer");
        return ERR_BAD;
    }
    return err;
}

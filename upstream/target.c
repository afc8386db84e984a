#include "upstream/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/num.h"
#include "proto/dialect.h"

static uint16_t
scheme_port(const char *scheme)
{
    if (strcmp(scheme, "https") == 0) {
        return 443;
    }
    return strncmp(scheme, "socks5", 6) == 0 ? 1080 : 80;
}

/* "host", "host:port", "[v6]", "[v6]:port". */
static enum err
parse_authority(struct str text, struct target_url *out)
{
    struct str port = { NULL, 0 };
    struct str host;
    if (text.len > 0 && text.data[0] == '[') {
        struct str rest = str_skip(text, 1);
        host = str_cut(&rest, ']');
        if (rest.data == NULL && host.len + 2 != text.len) {
            return ERR_BAD;
        }
        if (rest.len > 0) {
            if (rest.data[0] != ':') {
                return ERR_BAD;
            }
            port = str_skip(rest, 1);
            out->has_port = true;
        }
        out->is_v6 = true;
    } else {
        struct str rest = text;
        host = str_cut(&rest, ':');
        port = rest;
        out->has_port = host.len < text.len;
    }
    if (host.len == 0 || !str_copy(out->host, sizeof out->host, host)) {
        return ERR_BAD;
    }
    for (char *c = out->host; *c != '\0'; c++) {
        if (*c <= ' ' || *c == 0x7f || *c == '@' || *c == '%') {
            return ERR_BAD;
        }
        *c = str_lower(*c);
    }
    if (!out->has_port) {
        return ERR_OK;
    }
    uint64_t number = 0;
    if (num_u64(port, &number) != ERR_OK || number == 0 || number > UINT16_MAX) {
        return ERR_BAD;
    }
    out->port = (uint16_t)number;
    return ERR_OK;
}

static struct str
find_text(struct str in, struct str what)
{
    const char *at = in.len == 0 ? NULL : memmem(in.data, in.len, what.data, what.len);
    return at == NULL ? (struct str){ NULL, 0 }
                      : (struct str){ at, in.len - (size_t)(at - in.data) };
}

/* Splits "user:password@" off the authority's front. */
static void
parse_userinfo(struct str *authority, struct target_url *out)
{
    const char *at = authority->len == 0 ? NULL : memrchr(authority->data, '@', authority->len);
    if (at == NULL) {
        return;
    }
    struct str info = { authority->data, (size_t)(at - authority->data) };
    *authority = str_skip(*authority, info.len + 1);
    out->user = str_cut(&info, ':');
    out->password = info;
}

enum err
target_parse_url(struct str url, struct target_url *out)
{
    *out = (struct target_url){ 0 };
    struct str behind = find_text(url, STR("://"));
    if (behind.data == NULL) {
        return ERR_BAD;
    }
    struct str scheme = { url.data, url.len - behind.len };
    if (!str_copy(out->scheme, sizeof out->scheme, scheme)) {
        return ERR_BAD;
    }
    for (char *c = out->scheme; *c != '\0'; c++) {
        *c = str_lower(*c);
    }
    struct str rest = str_skip(behind, 3);
    if (rest.len == 0 || memchr(rest.data, '?', rest.len) != NULL ||
        memchr(rest.data, '#', rest.len) != NULL) {
        return ERR_BAD;
    }
    struct str tail = rest;
    struct str authority = str_cut(&tail, '/');
    out->path = str_skip(rest, authority.len);
    while (out->path.len > 0 && out->path.data[out->path.len - 1] == '/') {
        out->path.len--;
    }
    parse_userinfo(&authority, out);
    out->port = scheme_port(out->scheme);
    return parse_authority(authority, out);
}

uint32_t
target_dialects(const struct account *account)
{
    uint32_t mask = 0;
    if (account->dialects[0] != '\0' &&
        dialect_mask_parse(str_of(account->dialects), &mask) == ERR_OK) {
        return mask;
    }
    switch (account->platform) {
    case MODEL_OPENAI:
        return DIALECT_BIT(DIALECT_CHAT) | DIALECT_BIT(DIALECT_RESPONSES);
    case MODEL_ANTHROPIC:
        return DIALECT_BIT(DIALECT_ANTHROPIC);
    case MODEL_GEMINI:
        return DIALECT_BIT(DIALECT_GEMINI);
    }
    return 0;
}

static enum err
fill_base(struct target *target, const struct account *account)
{
    if (!str_copy(target->url, sizeof target->url, str_of(account->base_url))) {
        return ERR_BAD;
    }
    struct target_url url;
    enum err err = target_parse_url(str_of(target->url), &url);
    if (err != ERR_OK) {
        return err;
    }
    target->is_tls = strcmp(url.scheme, "https") == 0;
    if ((!target->is_tls && strcmp(url.scheme, "http") != 0) || url.user.len > 0) {
        return ERR_BAD;
    }
    target->base_path = url.path;
    target->port = url.port;
    memcpy(target->host, url.host, sizeof target->host);

    char number[NUM_TEXT_BYTES];
    bool has_port = url.port != scheme_port(url.scheme);
    num_text(url.port, number);
    size_t length = strlen(url.host) + (url.is_v6 ? 2 : 0) + (has_port ? 1 + strlen(number) : 0);
    if (length >= sizeof target->authority) {
        return ERR_BAD;
    }
    char *to = target->authority;
    to = stpcpy(stpcpy(to, url.is_v6 ? "[" : ""), url.host);
    to = stpcpy(stpcpy(to, url.is_v6 ? "]" : ""), has_port ? ":" : "");
    stpcpy(to, has_port ? number : "");
    return ERR_OK;
}

static enum err
fill_proxy(struct target *target, const struct account *account)
{
    if (account->proxy[0] == '\0') {
        return ERR_OK;
    }
    if (!str_copy(target->proxy_url, sizeof target->proxy_url, str_of(account->proxy))) {
        return ERR_BAD;
    }
    struct target_url url;
    enum err err = target_parse_url(str_of(target->proxy_url), &url);
    if (err != ERR_OK) {
        return err;
    }
    if (strcmp(url.scheme, "http") == 0) {
        target->proxy = TARGET_HTTP_PROXY;
    } else if (strcmp(url.scheme, "socks5") == 0 || strcmp(url.scheme, "socks5h") == 0) {
        target->proxy = TARGET_SOCKS5_PROXY;
    } else {
        return ERR_BAD;
    }
    memcpy(target->proxy_host, url.host, sizeof target->proxy_host);
    target->proxy_port = url.port;
    target->proxy_user = url.user;
    target->proxy_password = url.password;
    return ERR_OK;
}

/* Chains the parts of a key: each is hashed together with what came before. */
static uint64_t
mix(const struct hash_key *hash, uint64_t seed, struct str part)
{
    return hash_u64(hash, seed ^ hash_bytes(hash, part));
}

static void
fill_keys(struct target *target, const struct hash_key *hash, const struct account *account)
{
    uint64_t key = hash_u64(hash, ((uint64_t)target->port << 2) | (target->is_tls ? 2u : 0u) |
                                      (target->is_insecure ? 1u : 0u));
    key = mix(hash, key, str_of(target->host));
    key = mix(hash, key, str_of(target->ca_file));
    target->session_key = key == 0 ? 1 : key;
    key = mix(hash, key, str_of(target->proxy_url));
    key = hash_u64(hash, key ^ hash_u64(hash, account->id));
    target->origin_key = key == 0 ? 1 : key;
}

struct target *
target_make(const struct hash_key *hash, const struct account *account)
{
    struct target *target = calloc(1, sizeof *target);
    if (target == NULL) {
        return NULL;
    }
    if (fill_base(target, account) != ERR_OK || fill_proxy(target, account) != ERR_OK ||
        !str_copy(target->ca_file, sizeof target->ca_file, str_of(account->tls_ca_file))) {
        log_event(LOG_ERROR, "account", "account=%s why=\"base URL or proxy does not parse\"",
                  account->name);
        free(target);
        return NULL;
    }
    target->is_insecure = account->tls_insecure;
    target->dialects = target_dialects(account);
    fill_keys(target, hash, account);
    CHECK(target->host[0] != '\0' && target->port != 0);
    return target;
}

void
target_free(struct target *target)
{
    if (target != NULL) {
        explicit_bzero(target->proxy_url, sizeof target->proxy_url);
        free(target);
    }
}

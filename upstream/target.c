#include "upstream/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/num.h"
#include "proto/dialect.h"
#include "store/match.h"

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

/* Lower-case copy of a host name. */
static bool
copy_host(char out[TARGET_HOST_BYTES], struct str host)
{
    if (!str_copy(out, TARGET_HOST_BYTES, host)) {
        return false;
    }
    for (char *c = out; *c != '\0'; c++) {
        *c = str_lower(*c);
    }
    return true;
}

/* "host", "host:port", "[v6]:port": the port only when it is not the scheme's own. */
static bool
fill_authority(struct target *target, bool has_port)
{
    char number[NUM_TEXT_BYTES];
    num_text(target->port, number);
    bool is_v6 = strchr(target->host, ':') != NULL;
    int length =
        snprintf(target->authority, sizeof target->authority, "%s%s%s%s%s", is_v6 ? "[" : "",
                 target->host, is_v6 ? "]" : "", has_port ? ":" : "", has_port ? number : "");
    return length > 0 && (size_t)length < sizeof target->authority;
}

static struct str
without_slash(struct str path)
{
    while (path.len > 0 && path.data[path.len - 1] == '/') {
        path.len--;
    }
    return path;
}

static bool
fill_base(struct target *target, const struct account *account)
{
    struct match_url url;
    if (!str_copy(target->url, sizeof target->url, str_of(account->base_url)) ||
        !match_url(str_of(target->url), &url) || url.userinfo.data != NULL || url.rest.len > 0) {
        return false;
    }
    target->is_tls = str_equal_nocase(url.scheme, STR("https"));
    if (!target->is_tls && !str_equal_nocase(url.scheme, STR("http"))) {
        return false;
    }
    uint32_t own_port = target->is_tls ? 443 : 80;
    target->base_path = without_slash(url.path);
    target->port = (uint16_t)(url.port == 0 ? own_port : url.port);
    return copy_host(target->host, url.host) && fill_authority(target, target->port != own_port);
}

static bool
fill_proxy(struct target *target, const struct account *account)
{
    if (account->proxy[0] == '\0') {
        return true;
    }
    struct match_url url;
    if (!str_copy(target->proxy_url, sizeof target->proxy_url, str_of(account->proxy)) ||
        !match_url(str_of(target->proxy_url), &url)) {
        return false;
    }
    uint32_t own_port = 1080;
    if (str_equal_nocase(url.scheme, STR("http"))) {
        target->proxy = TARGET_HTTP_PROXY;
        own_port = 80;
    } else if (str_equal_nocase(url.scheme, STR("socks5")) ||
               str_equal_nocase(url.scheme, STR("socks5h"))) {
        target->proxy = TARGET_SOCKS5_PROXY;
    } else {
        return false;
    }
    target->proxy_port = (uint16_t)(url.port == 0 ? own_port : url.port);
    struct str info = url.userinfo;
    target->proxy_user = str_cut(&info, ':');
    return copy_host(target->proxy_host, url.host);
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
    key = mix(hash, key, target->proxy_password);
    key = hash_u64(hash, key ^ hash_u64(hash, account->id));
    target->origin_key = key == 0 ? 1 : key;
}

struct target *
target_make(const struct hash_key *hash, const struct account *account, struct str proxy_password)
{
    struct target *target = calloc(1, sizeof *target);
    if (target == NULL) {
        return NULL;
    }
    target->proxy_password = proxy_password;
    if (!fill_base(target, account) || !fill_proxy(target, account) ||
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
    free(target);
}

static void *
on_make(void *context, const struct catalog_account *account)
{
    return target_make(context, &account->account, account->proxy_password);
}

static void
on_free(void *context, void *extra)
{
    (void)context;
    target_free(extra);
}

uint32_t
target_speaks(const void *extra)
{
    const struct target *target = extra;
    return target->dialects;
}

struct catalog_hooks
target_hooks(const struct hash_key *hash)
{
    return (struct catalog_hooks){ .dialects = dialect_mask_parse,
                                   .extra_make = on_make,
                                   .extra_free = on_free,
                                   .speaks = target_speaks,
                                   .context = (void *)(uintptr_t)hash };
}

/* An account's URLs, proxy and keys. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "proto/dialect.h"
#include "upstream/target.h"

static const struct hash_key hash = { 1, 2 };

static struct account *
account_of(const char *url)
{
    static struct account account;
    model_defaults(MODEL_ACCOUNT, &account);
    account.id = 7;
    snprintf(account.name, sizeof account.name, "it");
    snprintf(account.base_url, sizeof account.base_url, "%s", url);
    return &account;
}

struct form {
    const char *url;
    bool is_tls;
    const char *host;
    uint16_t port;
    const char *authority;
    const char *base;
};

Test(target, reads_base_urls_as_people_write_them)
{
    static const struct form forms[] = {
        { "https://api.openai.com", true, "api.openai.com", 443, "api.openai.com", "" },
        { "https://api.openai.com/", true, "api.openai.com", 443, "api.openai.com", "" },
        { "https://api.openai.com/v1/", true, "api.openai.com", 443, "api.openai.com", "/v1" },
        { "https://api.openai.com/v1///", true, "api.openai.com", 443, "api.openai.com", "/v1" },
        { "HTTPS://API.OpenAI.com:443/V1", true, "api.openai.com", 443, "api.openai.com", "/V1" },
        { "https://x.test:8443/a/b", true, "x.test", 8443, "x.test:8443", "/a/b" },
        { "http://x.test", false, "x.test", 80, "x.test", "" },
        { "http://x.test:80", false, "x.test", 80, "x.test", "" },
        { "http://x.test:443", false, "x.test", 443, "x.test:443", "" },
        { "https://x.test:80", true, "x.test", 80, "x.test:80", "" },
        { "http://127.0.0.1:9000/v1", false, "127.0.0.1", 9000, "127.0.0.1:9000", "/v1" },
        { "http://[::1]", false, "::1", 80, "[::1]", "" },
        { "https://[2001:DB8::1]:8443/v1", true, "2001:db8::1", 8443, "[2001:db8::1]:8443", "/v1" },
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const struct form *form = &forms[i];
        struct target *target = target_make(&hash, account_of(form->url), STR(""));
        cr_assert_not_null(target, "%s", form->url);
        cr_expect_eq(target->is_tls, form->is_tls, "%s", form->url);
        cr_expect_str_eq(target->host, form->host);
        cr_expect_eq(target->port, form->port, "%s", form->url);
        cr_expect_str_eq(target->authority, form->authority);
        cr_expect(str_equal(target->base_path, str_of(form->base)), "%s", form->url);
        cr_expect_eq(target->proxy, TARGET_DIRECT);
        target_free(target);
    }
}

Test(target, refuses_what_is_no_base_url)
{
    static const char *const bad[] = { "",
                                       "api.openai.com",
                                       "https://",
                                       "https:///v1",
                                       "ftp://x.test/",
                                       "ws://x.test/",
                                       "socks5://x.test",
                                       "https://user:pw@x.test/",
                                       "https://x.test/v1?key=1",
                                       "https://x.test/v1#a",
                                       "https://x.test:0/",
                                       "https://x.test:65536/",
                                       "https://x.test:80x/",
                                       "https://x test/",
                                       "https://x.test/\r\nHost: y" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_null(target_make(&hash, account_of(bad[i]), STR("")), "%s", bad[i]);
    }
}

Test(target, takes_the_longest_host_and_refuses_a_longer_one)
{
    char url[URL_BYTES];
    char label[64];
    memset(label, 'a', 63);
    label[63] = '\0';
    /* Four labels of 63 are 255 with their dots: what fits, or is refused, never cut. */
    snprintf(url, sizeof url, "https://%s.%s.%s.%s:65535/", label, label, label, label);
    struct target *target = target_make(&hash, account_of(url), STR(""));
    if (target != NULL) {
        cr_expect_eq(strlen(target->host), 255);
        cr_expect_eq(strlen(target->authority), 255 + 6);
        target_free(target);
    }
    snprintf(url, sizeof url, "https://%s.%s.%s.%s.%s/", label, label, label, label, label);
    cr_expect_null(target_make(&hash, account_of(url), STR("")));
}

static struct target *
proxied_with(const char *proxy, const char *password)
{
    struct account *account = account_of("https://x.test/v1");
    snprintf(account->proxy, sizeof account->proxy, "%s", proxy);
    return target_make(&hash, account, str_of(password));
}

static struct target *
proxied(const char *proxy)
{
    return proxied_with(proxy, "");
}

Test(target, knows_its_proxy)
{
    struct target *target = proxied("http://proxy.test:3128");
    cr_assert_not_null(target);
    cr_expect(target->proxy == TARGET_HTTP_PROXY && target->proxy_port == 3128);
    cr_expect_str_eq(target->proxy_host, "proxy.test");
    cr_expect_eq(target->proxy_user.len + target->proxy_password.len, 0);
    target_free(target);

    target = proxied_with("socks5://Joe:***@Proxy.test", "p:w");
    cr_assert_not_null(target);
    cr_expect(target->proxy == TARGET_SOCKS5_PROXY && target->proxy_port == 1080);
    cr_expect_str_eq(target->proxy_host, "proxy.test");
    cr_expect(str_equal(target->proxy_user, STR("Joe")));
    cr_expect(str_equal(target->proxy_password, STR("p:w")), "the opened one, not the mark");
    target_free(target);

    target = proxied("socks5h://[::1]:1081/");
    cr_assert_not_null(target);
    cr_expect(target->proxy == TARGET_SOCKS5_PROXY && target->proxy_port == 1081);
    cr_expect_str_eq(target->proxy_host, "::1");
    target_free(target);

    target = proxied("http://proxy.test");
    cr_assert_not_null(target);
    cr_expect_eq(target->proxy_port, 80);
    target_free(target);

    cr_expect_null(proxied("https://proxy.test"), "TLS to the proxy is not there");
    cr_expect_null(proxied("socks4://proxy.test"));
    cr_expect_null(proxied("proxy.test:3128"));
}

static const char *password = ""; /* of the next target */

static struct target *
of(void (*change)(struct account *account))
{
    struct account *account = account_of("https://x.test/v1");
    change(account);
    struct target *target = target_make(&hash, account, str_of(password));
    password = "";
    cr_assert_not_null(target);
    return target;
}

static void
nothing(struct account *account)
{
    (void)account;
}
static void
other_path(struct account *account)
{
    snprintf(account->base_url, sizeof account->base_url, "https://x.test/v2");
}
static void
other_id(struct account *account)
{
    account->id = 8;
}
static void
other_port(struct account *account)
{
    snprintf(account->base_url, sizeof account->base_url, "https://x.test:444/v1");
}
static void
other_host(struct account *account)
{
    snprintf(account->base_url, sizeof account->base_url, "https://y.test/v1");
}
static void
insecure(struct account *account)
{
    account->tls_insecure = true;
}
static void
other_ca(struct account *account)
{
    snprintf(account->tls_ca_file, sizeof account->tls_ca_file, "/etc/ca.pem");
}
static void
plain(struct account *account)
{
    snprintf(account->base_url, sizeof account->base_url, "http://x.test:443/v1");
}
static void
with_proxy(struct account *account)
{
    snprintf(account->proxy, sizeof account->proxy, "http://a:***@p.test");
}
static void
with_other_password(struct account *account)
{
    with_proxy(account);
    password = "c";
}

Test(target, shares_connections_only_within_account_address_proxy_and_tls)
{
    static const struct {
        const char *name;
        void (*change)(struct account *account);
        bool same_session;
        bool same_origin;
    } rows[] = {
        { "path", other_path, true, true },
        { "account", other_id, true, false },
        { "port", other_port, false, false },
        { "host", other_host, false, false },
        { "insecure", insecure, false, false },
        { "ca file", other_ca, false, false },
        { "no TLS", plain, false, false },
        { "proxy", with_proxy, true, false },
        { "proxy password", with_other_password, true, false },
    };
    struct target *base = of(nothing);
    cr_expect(base->origin_key != 0 && base->session_key != 0);
    uint64_t seen[9];
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct target *other = of(rows[i].change);
        cr_expect_eq(other->session_key == base->session_key, rows[i].same_session, "%s",
                     rows[i].name);
        cr_expect_eq(other->origin_key == base->origin_key, rows[i].same_origin, "%s",
                     rows[i].name);
        for (uint32_t k = 0; k < count; k++) {
            cr_expect_neq(seen[k], other->origin_key, "%s", rows[i].name);
        }
        seen[count++] = other->origin_key;
        target_free(other);
    }
    target_free(base);
}

Test(target, speaks_what_its_platform_speaks_unless_told)
{
    struct account *account = account_of("https://x.test");
    account->platform = MODEL_OPENAI;
    cr_expect_eq(target_dialects(account),
                 DIALECT_BIT(DIALECT_CHAT) | DIALECT_BIT(DIALECT_RESPONSES));
    account->platform = MODEL_ANTHROPIC;
    cr_expect_eq(target_dialects(account), DIALECT_BIT(DIALECT_ANTHROPIC));
    account->platform = MODEL_GEMINI;
    cr_expect_eq(target_dialects(account), DIALECT_BIT(DIALECT_GEMINI));
    snprintf(account->dialects, sizeof account->dialects, "chat, anthropic");
    cr_expect_eq(target_dialects(account),
                 DIALECT_BIT(DIALECT_CHAT) | DIALECT_BIT(DIALECT_ANTHROPIC));
    snprintf(account->dialects, sizeof account->dialects, "all");
    cr_expect_eq(target_dialects(account), DIALECT_MASK_ALL);
}

#include "store/rules.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "store/object.h"

static char why[MODEL_WHY_BYTES];
static union object object;

/* A good object of each kind. */
static void
make(enum model_kind kind)
{
    model_defaults(kind, &object);
    switch (kind) {
    case MODEL_USER:
        snprintf(object.user.name, NAME_BYTES, "u");
        break;
    case MODEL_KEY:
        snprintf(object.key.name, NAME_BYTES, "k");
        snprintf(object.key.user, NAME_BYTES, "u");
        break;
    case MODEL_GROUP:
        snprintf(object.group.name, NAME_BYTES, "g");
        break;
    case MODEL_ACCOUNT:
        snprintf(object.account.name, NAME_BYTES, "a");
        snprintf(object.account.base_url, URL_BYTES, "https://host/v1");
        break;
    case MODEL_PLAN:
        snprintf(object.plan.name, NAME_BYTES, "p");
        snprintf(object.plan.user, NAME_BYTES, "u");
        snprintf(object.plan.group, NAME_BYTES, "g");
        break;
    }
}

static void
expect_bad(enum model_kind kind, char *field, size_t bytes, const char *value, const char *part)
{
    make(kind);
    cr_assert_eq(rules_check(kind, &object, why), ERR_OK, "%s", why);
    memset(field, 0, bytes);
    snprintf(field, bytes, "%s", value);
    cr_expect_eq(rules_check(kind, &object, why), ERR_BAD, "%s", value);
    cr_expect_not_null(strstr(why, part), "\"%s\": %s", value, why);
}

#define BAD(kind, field, value, part) expect_bad(kind, field, sizeof(field), value, part)

Test(rules, names_are_needed_and_good)
{
    BAD(MODEL_USER, object.user.name, "", "name: is missing");
    BAD(MODEL_USER, object.user.name, "a b", "name: \"a b\" is not");
    BAD(MODEL_KEY, object.key.name, "", "name: is missing");
    BAD(MODEL_KEY, object.key.user, "", "user: is missing");
    BAD(MODEL_KEY, object.key.group, "x/y", "group:");
    BAD(MODEL_GROUP, object.group.name, "a,b", "name:");
    BAD(MODEL_ACCOUNT, object.account.name, "", "name: is missing");
}

Test(rules, lists_hold_what_they_are_for)
{
    BAD(MODEL_KEY, object.key.models, "a b", "models: \"a b\"");
    BAD(MODEL_KEY, object.key.addresses, "10.0.0.0/8, host", "addresses: \"host\"");
    BAD(MODEL_KEY, object.key.addresses, "10.0.0.0/33", "addresses:");
    BAD(MODEL_GROUP, object.group.models, "a b", "models:");
    BAD(MODEL_GROUP, object.group.model_map, "a", "model_map: \"a\"");
    BAD(MODEL_GROUP, object.group.effort_map, "high=xhigh,low", "effort_map: \"low\"");
    BAD(MODEL_GROUP, object.group.effort_map, "high=a b", "effort_map:");
    BAD(MODEL_ACCOUNT, object.account.models, "a b", "models:");
    BAD(MODEL_ACCOUNT, object.account.groups, "a, b c", "group: \"b c\"");
    BAD(MODEL_ACCOUNT, object.account.groups, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "at most 16");
    BAD(MODEL_ACCOUNT, object.account.model_map, "a", "model_map: \"a\"");
    BAD(MODEL_ACCOUNT, object.account.model_map, "a=b, =c", "model_map: \"=c\"");
    BAD(MODEL_ACCOUNT, object.account.model_map, "a=", "model_map:");
    BAD(MODEL_ACCOUNT, object.account.dialects, "chat responses", "dialects:");
    make(MODEL_ACCOUNT);
    object.account.weight = 0;
    cr_expect_eq(rules_check(MODEL_ACCOUNT, &object, why), ERR_BAD);
}

Test(rules, base_url_is_plain)
{
    static const char *const bad[] = {
        "",
        "host",
        "ftp://host",
        "https://",
        "https://host?x=1",
        "https://h#f",
        "https://h:0",
        "https://h:65536",
        "https://h:1x",
        "HTTP s://h",
        "https://h/a b",
        "file:///etc/passwd",
    };
    static const char *const good[] = { "http://127.0.0.1:9", "https://h:65535/a/b/",
                                        "https://[::1]:8443/v1", "https://under_score.example" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        BAD(MODEL_ACCOUNT, object.account.base_url, bad[i], "base_url:");
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        make(MODEL_ACCOUNT);
        snprintf(object.account.base_url, URL_BYTES, "%s", good[i]);
        cr_expect_eq(rules_check(MODEL_ACCOUNT, &object, why), ERR_OK, "%s: %s", good[i], why);
    }
}

Test(rules, passwords_in_urls_are_not_repeated)
{
    BAD(MODEL_ACCOUNT, object.account.base_url, "https://u:hunter2@h", "base_url: a user");
    cr_expect_null(strstr(why, "hunter2"));
    BAD(MODEL_ACCOUNT, object.account.proxy, "ftp://u:hunter2@h:1", "proxy:");
    cr_expect_null(strstr(why, "hunter2"));
}

Test(rules, proxy_needs_scheme_and_port)
{
    static const char *const bad[] = { "host:80",         "http://host",  "https://h:1",
                                       "http://h:1/path", "http://h:1?x", "socks4://h:1",
                                       "http://u:***@h:1" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        BAD(MODEL_ACCOUNT, object.account.proxy, bad[i], "proxy:");
    }
    make(MODEL_ACCOUNT);
    snprintf(object.account.proxy, URL_BYTES, "http://u:***@h:1");
    object.account.proxy_sealed_bytes = 40;
    cr_expect_eq(rules_check(MODEL_ACCOUNT, &object, why), ERR_OK, "the stored password: %s", why);
    static const char *const good[] = { "http://h:1", "http://u:p@h:1/", "socks5://[::1]:1080" };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        make(MODEL_ACCOUNT);
        snprintf(object.account.proxy, URL_BYTES, "%s", good[i]);
        cr_expect_eq(rules_check(MODEL_ACCOUNT, &object, why), ERR_OK, "%s: %s", good[i], why);
    }
}

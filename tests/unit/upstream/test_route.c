/* Where an attempt connects to, and what is refused before anybody connects. */
#include "shm/names.h"
#include "tests/unit/upstream/yard.h"
#include "upstream/route.h"

struct fixture {
    struct yard yard;
    struct route route;
    char why[ROUTE_WHY_BYTES];
};

static void
begin(struct fixture *f)
{
    *f = (struct fixture){ .why = "" };
    yard_begin(&f->yard);
    f->yard.conf.allow_private = false;
}

static enum err
find(struct fixture *f, const char *base_url, const char *proxy, uint32_t index)
{
    snprintf(f->yard.account.base_url, sizeof f->yard.account.base_url, "%s", base_url);
    snprintf(f->yard.account.proxy, sizeof f->yard.account.proxy, "%s", proxy);
    yard_retarget(&f->yard);
    memset(&f->route, 0, sizeof f->route);
    f->why[0] = '\0';
    return route_find(f->yard.reach, f->yard.target, index, &f->route, f->why);
}

static bool
leads_to(const struct fixture *f, const char *address, uint16_t port)
{
    struct sockaddr_in in;
    char text[INET_ADDRSTRLEN];
    if (f->route.address.ss_family != AF_INET || f->route.address_bytes != sizeof in) {
        return false;
    }
    memcpy(&in, &f->route.address, sizeof in);
    return strcmp(inet_ntop(AF_INET, &in.sin_addr, text, sizeof text), address) == 0 &&
           ntohs(in.sin_port) == port;
}

static void
know(struct fixture *f, const char *host, const struct names_address *addresses, uint32_t count)
{
    struct names_answer answer = { .state = NAMES_OK, .count = count, .good_ms = 1 };
    memcpy(answer.addresses, addresses, count * sizeof addresses[0]);
    cr_assert(names_put(&f->yard.test.segment, str_of(host), &answer) == ERR_OK);
}

static const struct names_address both[] = { { .family = 4, .bytes = { 8, 8, 8, 8 } },
                                             { .family = 4, .bytes = { 10, 0, 0, 1 } } };

Test(route, is_the_targets_address_or_its_proxys)
{
    struct fixture f;
    begin(&f);
    cr_expect_eq(find(&f, "https://8.8.4.4/v1", "", 0), ERR_OK);
    cr_expect(leads_to(&f, "8.8.4.4", 443));
    cr_expect_eq(find(&f, "https://8.8.4.4/v1", "http://1.1.1.1:3128", 0), ERR_OK);
    cr_expect(leads_to(&f, "1.1.1.1", 3128));
    know(&f, "proxy.example", both, 1);
    cr_expect_eq(find(&f, "https://nobody-asks.example", "socks5://proxy.example:1080", 0), ERR_OK);
    cr_expect(leads_to(&f, "8.8.8.8", 1080));
    yard_finish(&f.yard);
}

Test(route, of_a_literal_has_one_address)
{
    struct fixture f;
    begin(&f);
    cr_expect_eq(find(&f, "https://8.8.4.4", "", 1), ERR_REFUSED);
    cr_expect_str_eq(f.why, "", "what the first address said stays");
    yard_finish(&f.yard);
}

Test(route, judges_each_address_of_a_name)
{
    struct fixture f;
    begin(&f);
    know(&f, "mixed.example", both, 2);
    cr_expect_eq(find(&f, "https://mixed.example", "", 0), ERR_OK);
    cr_expect_eq(find(&f, "https://mixed.example", "", 1), ERR_DENIED);
    cr_expect(strstr(f.why, "[upstream] allow_private = yes") != NULL, "%s", f.why);
    cr_expect_eq(find(&f, "https://mixed.example", "", 2), ERR_REFUSED);
    f.yard.conf.allow_private = true;
    cr_expect_eq(find(&f, "https://mixed.example", "", 1), ERR_OK);
    cr_expect(leads_to(&f, "10.0.0.1", 443));
    yard_finish(&f.yard);
}

Test(route, asks_the_keeper_for_an_unknown_name)
{
    struct fixture f;
    begin(&f);
    cr_expect_eq(find(&f, "https://unknown.example", "", 0), ERR_AGAIN);
    uint32_t cursor = 0;
    uint32_t cell = 0;
    char host[NAME_HOST_BYTES] = "";
    cr_assert(names_next_wanted(&f.yard.test.segment, &cursor, &cell, host));
    cr_expect_str_eq(host, "unknown.example");
    struct names_answer failed = { .state = NAMES_FAILED, .why = "no such name" };
    cr_assert(names_put(&f.yard.test.segment, STR("unknown.example"), &failed) == ERR_OK);
    cr_expect_eq(find(&f, "https://unknown.example", "", 0), ERR_REFUSED);
    cr_expect_str_eq(f.why, "resolve: no such name");
    yard_finish(&f.yard);
}

/* No public proxy is the way to what is private here: the refusal comes before any look-up. */
Test(route, refuses_a_private_target_behind_a_public_proxy)
{
    static const char *const targets[] = {
        "https://127.0.0.1",
        "https://[::1]",
        "https://169.254.169.254/latest",
        "https://10.1.2.3",
        "https://[fd00::1]",
        "https://[::ffff:192.168.0.1]",
        "https://127.1",
        "https://0x7f000001",
        "https://2852039166",
        "https://0251.254.43518",
        "https://169.254.169.254.",
        "https://localhost",
        "https://db.localhost",
    };
    static const char *const proxies[] = { "http://8.8.8.8:3128", "socks5://8.8.8.8:1080",
                                           "socks5://unknown.example:1080" };
    struct fixture f;
    begin(&f);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        for (size_t k = 0; k < sizeof proxies / sizeof proxies[0]; k++) {
            cr_expect_eq(find(&f, targets[i], proxies[k], 0), ERR_DENIED, "%s through %s",
                         targets[i], proxies[k]);
            cr_expect(strstr(f.why, "behind the proxy") != NULL &&
                          strstr(f.why, "[upstream] allow_private = yes") != NULL,
                      "%s", f.why);
        }
    }
    f.yard.conf.allow_private = true;
    cr_expect_eq(find(&f, targets[0], proxies[0], 0), ERR_OK);
    cr_expect(leads_to(&f, "8.8.8.8", 3128));
    yard_finish(&f.yard);
}

Test(route, refuses_a_private_proxy)
{
    struct fixture f;
    begin(&f);
    cr_expect_eq(find(&f, "https://8.8.8.8", "http://127.0.0.1:3128", 0), ERR_DENIED);
    know(&f, "inside.example", &both[1], 1);
    cr_expect_eq(find(&f, "https://8.8.8.8", "http://inside.example:3128", 0), ERR_DENIED);
    cr_expect(strstr(f.why, "allow_private") != NULL, "%s", f.why);
    yard_finish(&f.yard);
}

Test(route, refuses_http_unless_allowed)
{
    struct fixture f;
    begin(&f);
    f.yard.conf.allow_http = false;
    cr_expect_eq(find(&f, "http://8.8.8.8", "", 0), ERR_DENIED);
    cr_expect(strstr(f.why, "[upstream] allow_http = yes") != NULL, "%s", f.why);
    cr_expect_eq(find(&f, "https://8.8.8.8", "", 0), ERR_OK);
    f.yard.conf.allow_http = true;
    cr_expect_eq(find(&f, "http://8.8.8.8", "", 0), ERR_OK);
    yard_finish(&f.yard);
}

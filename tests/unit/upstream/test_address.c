/* What may be connected to: the table is the specification. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "shm/names.h"
#include "upstream/address.h"

static const struct {
    const char *text;
    bool is_public;
} table[] = {
    { "0.0.0.0", false },
    { "0.255.255.255", false },
    { "1.0.0.0", true },
    { "1.1.1.1", true },
    { "8.8.8.8", true },
    { "9.255.255.255", true },
    { "10.0.0.0", false },
    { "10.255.255.255", false },
    { "11.0.0.0", true },
    { "100.63.255.255", true },
    { "100.64.0.0", false },
    { "100.127.255.255", false },
    { "100.128.0.0", true },
    { "126.255.255.255", true },
    { "127.0.0.1", false },
    { "127.255.255.255", false },
    { "128.0.0.0", true },
    { "169.253.255.255", true },
    { "169.254.169.254", false },
    { "169.255.0.0", true },
    { "172.15.255.255", true },
    { "172.16.0.0", false },
    { "172.31.255.255", false },
    { "172.32.0.0", true },
    { "192.0.0.8", false },
    { "192.0.2.1", false },
    { "192.0.3.1", true },
    { "192.167.255.255", true },
    { "192.168.0.1", false },
    { "192.169.0.0", true },
    { "198.17.255.255", true },
    { "198.18.0.1", false },
    { "198.19.255.255", false },
    { "198.51.100.7", false },
    { "203.0.113.7", false },
    { "223.255.255.255", true },
    { "224.0.0.1", false },
    { "239.255.255.255", false },
    { "240.0.0.1", false },
    { "255.255.255.255", false },
    { "::", false },
    { "::1", false },
    { "::7f00:1", false },
    { "::ffff:127.0.0.1", false },
    { "::ffff:10.1.2.3", false },
    { "::ffff:8.8.8.8", true },
    { "64:ff9b::127.0.0.1", false },
    { "64:ff9b::a9fe:a9fe", false },
    { "64:ff9b::808:808", true },
    { "64:ff9b:1::1", false },
    { "100::1", false },
    { "2002:7f00:1::", false },
    { "2002:a9fe:a9fe::1", false },
    { "2002:808:808::", true },
    { "2001::1", false },
    { "2001:0:7f00:1::", false },
    { "2001:db8::1", false },
    { "2001:4860:4860::8888", true },
    { "2606:4700::1111", true },
    { "3fff:ffff::1", true },
    { "4000::1", false },
    { "fc00::1", false },
    { "fd12:3456::1", false },
    { "fe80::1", false },
    { "fec0::1", false },
    { "ff02::1", false },
};

Test(address, is_public_or_not_by_the_table)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct sockaddr_storage address;
        socklen_t bytes = 0;
        cr_assert(address_literal(str_of(table[i].text), 443, &address, &bytes), "%s",
                  table[i].text);
        cr_expect_eq(address_is_public((struct sockaddr *)&address), table[i].is_public, "%s",
                     table[i].text);
    }
}

Test(address, of_another_family_is_never_public)
{
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    struct sockaddr_storage none = { .ss_family = AF_UNSPEC };
    cr_expect(!address_is_public((struct sockaddr *)&local));
    cr_expect(!address_is_public((struct sockaddr *)&none));
}

Test(address, literals_are_only_the_plain_forms)
{
    static const char *const others[] = {
        "",           "0x7f000001",
        "2130706433", "127.1",
        "0177.0.0.1", "127.0.0.1.",
        " 127.0.0.1", "127.0.0.1 ",
        "256.0.0.1",  "1.2.3",
        "[::1]",      "::1%lo",
        ":::",        "1:2:3:4:5:6:7:8:9",
        "localhost",  "1234567890123456789012345678901234567890123456789"
    };
    struct sockaddr_storage address;
    socklen_t bytes = 0;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        cr_expect(!address_literal(str_of(others[i]), 1, &address, &bytes), "%s", others[i]);
    }
    cr_expect(!address_literal(str_make("1.1.1.1\0.2", 10), 1, &address, &bytes), "a NUL inside");
}

Test(address, a_proxy_is_told_public_addresses_and_names_only)
{
    static const struct {
        const char *host;
        bool may;
    } hosts[] = {
        { "api.openai.com", true },
        { "api.openai.com.", true },
        { "8.8.8.8", true },
        { "2606:4700::1111", true },
        { "134744072", true }, /* 8.8.8.8 */
        { "localhost.example", true },
        { "mylocalhost", true },
        { "1.2.3.4.5", true }, /* no resolver takes it for an address */
        { "127.0.0.1.example", true },
        { "", true },
        { "169.254.169.254", false },
        { "169.254.169.254.", false },
        { "10.0.0.1", false },
        { "127.1", false },
        { "127.1.", false },
        { "0x7f000001", false },
        { "0X7F.1", false },
        { "2130706433", false },
        { "2852039166", false }, /* the metadata service */
        { "0177.0.0.1", false },
        { "0xa9.0xfe.0xa9.0xfe", false },
        { "0", false },
        { "::1", false },
        { "::ffff:127.0.0.1", false },
        { "fe80::1", false },
        { "64:ff9b::a9fe:a9fe", false },
        { "localhost", false },
        { "LocalHost", false },
        { "localhost.", false },
        { "db.localhost", false },
    };
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        cr_expect_eq(address_may_hand_over(str_of(hosts[i].host)), hosts[i].may, "%s",
                     hosts[i].host);
    }
}

Test(address, carries_port_and_length)
{
    struct sockaddr_storage address;
    socklen_t bytes = 0;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    cr_assert(address_literal(STR("192.0.2.9"), 8443, &address, &bytes));
    cr_assert_eq(bytes, sizeof in);
    memcpy(&in, &address, sizeof in);
    cr_expect(in.sin_family == AF_INET && in.sin_port == htons(8443));
    cr_expect_eq(in.sin_addr.s_addr, inet_addr("192.0.2.9"));

    cr_assert(address_literal(STR("2001:db8::9"), 443, &address, &bytes));
    cr_assert_eq(bytes, sizeof in6);
    memcpy(&in6, &address, sizeof in6);
    cr_expect(in6.sin6_family == AF_INET6 && in6.sin6_port == htons(443));
}

Test(address, is_made_from_what_the_keeper_found)
{
    struct names_address four = { .family = 4, .bytes = { 192, 0, 2, 7 } };
    struct names_address six = { .family = 6, .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 } };
    struct sockaddr_storage made;
    struct sockaddr_storage wanted;
    socklen_t bytes = 0;
    cr_assert(address_literal(STR("192.0.2.7"), 81, &wanted, &bytes));
    cr_expect_eq(address_make(&four, 81, &made), bytes);
    cr_expect_arr_eq((char *)&made, (char *)&wanted, sizeof made);
    cr_assert(address_literal(STR("2001:db8::7"), 82, &wanted, &bytes));
    cr_expect_eq(address_make(&six, 82, &made), bytes);
    cr_expect_arr_eq((char *)&made, (char *)&wanted, sizeof made);
}

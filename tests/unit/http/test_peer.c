#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "http/peer.h"

static struct sockaddr_storage
address(const char *text)
{
    struct sockaddr_storage out = { 0 };
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&out;
    if (strchr(text, ':') == NULL) {
        v4->sin_family = AF_INET;
        cr_assert(inet_pton(AF_INET, text, &v4->sin_addr) == 1);
    } else {
        v6->sin6_family = AF_INET6;
        cr_assert(inet_pton(AF_INET6, text, &v6->sin6_addr) == 1);
    }
    return out;
}

static enum err
take(struct peer_table *table, const char *text, uint32_t max, uint32_t *index)
{
    struct sockaddr_storage from = address(text);
    return peer_take(table, &from, max, index);
}

Test(peer, counts_each_address)
{
    struct peer_table *table = NULL;
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = 0;
    cr_assert(peer_table_make(10, &table) == ERR_OK);
    cr_expect(take(table, "10.0.0.1", 2, &a) == ERR_OK);
    cr_expect(take(table, "10.0.0.1", 2, &b) == ERR_OK && a == b);
    cr_expect(take(table, "10.0.0.1", 2, &c) == ERR_FULL && c == PEER_NONE);
    cr_expect(take(table, "::ffff:10.0.0.1", 2, &c) == ERR_FULL);
    cr_expect(take(table, "10.0.0.2", 2, &c) == ERR_OK && c != a);
    peer_give(table, a);
    cr_expect(take(table, "10.0.0.1", 2, &b) == ERR_OK && a == b);
    peer_give(table, PEER_NONE);
    peer_table_free(table);
}

Test(peer, counts_ipv6_by_network)
{
    struct peer_table *table = NULL;
    uint32_t a = 0;
    uint32_t b = 0;
    cr_assert(peer_table_make(10, &table) == ERR_OK);
    cr_expect(take(table, "2001:db8:1:2::1", 1, &a) == ERR_OK);
    cr_expect(take(table, "2001:db8:1:2:ffff::9", 1, &b) == ERR_FULL);
    cr_expect(take(table, "2001:db8:1:3::1", 1, &b) == ERR_OK);
    cr_expect(take(table, "::1", 1, &b) == ERR_OK);
    peer_table_free(table);
}

Test(peer, is_exact_and_bounded_under_churn)
{
    enum { ADDRESSES = 500 };
    static uint32_t held[ADDRESSES];
    struct peer_table *table = NULL;
    cr_assert(peer_table_make(ADDRESSES, &table) == ERR_OK);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < ADDRESSES; i++) {
            char text[32];
            (void)snprintf(text, sizeof(text), "10.%d.%u.%u", round, i / 250, i % 250);
            cr_assert(take(table, text, 1, &held[i]) == ERR_OK, "%s", text);
        }
        uint32_t index = 0;
        cr_expect(take(table, "192.0.2.1", 1, &index) == ERR_FULL);
        for (uint32_t i = 0; i < ADDRESSES; i++) {
            peer_give(table, held[(i * 7 + 3) % ADDRESSES]);
        }
    }
    peer_table_free(table);
}

Test(peer, writes_addresses)
{
    static const char *const rows[][2] = { { "127.0.0.1", "127.0.0.1" },
                                           { "::ffff:127.0.0.1", "127.0.0.1" },
                                           { "2001:db8::1", "2001:db8::1" } };
    char text[PEER_TEXT_BYTES];
    for (size_t i = 0; i < 3; i++) {
        struct sockaddr_storage from = address(rows[i][0]);
        peer_text(&from, text);
        cr_expect(str_equal(str_of(text), str_of(rows[i][1])), "%s", text);
    }
    struct sockaddr_storage local = { .ss_family = AF_UNIX };
    peer_text(&local, text);
    cr_expect(str_equal(str_of(text), STR("unix")));
}

#include "upstream/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/check.h"
#include "shm/names.h"

struct range4 {
    uint32_t network;
    uint8_t bits;
};

/* IANA's special-purpose registry, the rows that are not globally reachable. */
static const struct range4 refused4[] = {
    { 0x00000000, 8 },  /* this network */
    { 0x0a000000, 8 },  /* private */
    { 0x64400000, 10 }, /* shared (carrier) */
    { 0x7f000000, 8 },  /* loopback */
    { 0xa9fe0000, 16 }, /* link-local: cloud metadata lives here */
    { 0xac100000, 12 }, /* private */
    { 0xc0000000, 24 }, /* protocol assignments */
    { 0xc0000200, 24 }, /* documentation */
    { 0xc0a80000, 16 }, /* private */
    { 0xc6120000, 15 }, /* benchmarking */
    { 0xc6336400, 24 }, /* documentation */
    { 0xcb007100, 24 }, /* documentation */
    { 0xe0000000, 4 },  /* multicast */
    { 0xf0000000, 4 },  /* reserved, broadcast */
};

static bool
is_public4(uint32_t address)
{
    for (size_t i = 0; i < sizeof refused4 / sizeof refused4[0]; i++) {
        uint32_t mask = UINT32_MAX << (32 - refused4[i].bits);
        if ((address & mask) == refused4[i].network) {
            return false;
        }
    }
    return true;
}

static uint32_t
read4(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool
is_public6(const uint8_t a[16])
{
    static const uint8_t zeros[12] = { 0 };
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    if (memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0) {
        return is_public4(read4(a + 12));
    }
    if (memcmp(a, zeros, 12) == 0) {
        return false; /* unspecified, loopback, IPv4-compatible */
    }
    if (a[0] == 0x20 && a[1] == 0x02) {
        return is_public4(read4(a + 2)); /* 6to4 */
    }
    if (a[0] == 0x20 && a[1] == 0x01 && ((a[2] == 0x0d && a[3] == 0xb8) || (a[2] | a[3]) == 0)) {
        return false; /* documentation, Teredo */
    }
    return (a[0] & 0xe0) == 0x20; /* 2000::/3 is what is global */
}

bool
address_is_public(const struct sockaddr *address)
{
    CHECK(address != NULL);
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return is_public4(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return is_public6(in6.sin6_addr.s6_addr);
    }
    return false;
}

bool
address_literal(struct str host, uint16_t port, struct sockaddr_storage *out, socklen_t *out_bytes)
{
    char text[INET6_ADDRSTRLEN];
    if (!str_copy(text, sizeof text, host)) {
        return false;
    }
    memset(out, 0, sizeof *out);
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(out, &in, sizeof in);
        *out_bytes = sizeof in;
        return true;
    }
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
        memcpy(out, &in6, sizeof in6);
        *out_bytes = sizeof in6;
        return true;
    }
    return false;
}

/* RFC 6761: never anything but loopback. */
static bool
is_localhost(struct str host)
{
    static const struct str name = { "localhost", 9 };
    if (host.len < name.len) {
        return false;
    }
    size_t before = host.len - name.len;
    return str_equal_nocase(str_skip(host, before), name) &&
           (before == 0 || host.data[before - 1] == '.');
}

bool
address_may_hand_over(struct str host)
{
    struct sockaddr_storage literal;
    socklen_t literal_bytes = 0;
    struct sockaddr_in in = { .sin_family = AF_INET };
    char text[256];
    if (host.len > 0 && host.data[host.len - 1] == '.') {
        host.len--;
    }
    if (is_localhost(host) || !str_copy(text, sizeof text, host)) {
        return false;
    }
    if (address_literal(host, 1, &literal, &literal_bytes)) {
        return address_is_public((const struct sockaddr *)&literal);
    }
    return inet_aton(text, &in.sin_addr) == 0 || is_public4(ntohl(in.sin_addr.s_addr));
}

socklen_t
address_make(const struct names_address *from, uint16_t port, struct sockaddr_storage *out)
{
    CHECK(from->family == 4 || from->family == 6);
    memset(out, 0, sizeof *out);
    if (from->family == 4) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
        memcpy(&in.sin_addr, from->bytes, 4);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    memcpy(&in6.sin6_addr, from->bytes, 16);
    memcpy(out, &in6, sizeof in6);
    return sizeof in6;
}

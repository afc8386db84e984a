/*
 * match.c - names, lists, globs, networks, mappings and URLs as plain functions over bytes.
 */
#include "store/match.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/num.h"

static bool
is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
is_control_or_blank(char c)
{
    return (unsigned char)c <= 0x20 || c == 0x7f;
}

bool
match_name_is_good(struct str name)
{
    if (name.len == 0 || name.len >= NAME_BYTES) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!is_letter_or_digit(c) && c != '.' && c != '_' && c != '-' && c != '@') {
            return false;
        }
    }
    return true;
}

bool
match_next(struct str *rest, struct str *out_item)
{
    while (rest->len > 0) {
        struct str item = str_trim(str_cut(rest, ','));
        if (item.len > 0) {
            *out_item = item;
            return true;
        }
    }
    return false;
}

bool
match_list_has(const char *comma_list, struct str word)
{
    struct str rest = str_of(comma_list);
    struct str item;
    while (match_next(&rest, &item)) {
        if (str_equal(item, word)) {
            return true;
        }
    }
    return false;
}

/* Only the last '*' is ever tried again: a later one can match whatever an earlier one could. */
bool
match_glob(struct str pattern, struct str text)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = SIZE_MAX;
    size_t star_text = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern.len && (pattern.data[p] == '?' || pattern.data[p] == text.data[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

bool
match_globs(const char *comma_list, struct str text)
{
    struct str rest = str_of(comma_list);
    struct str item;
    bool is_empty = true;
    while (match_next(&rest, &item)) {
        if (match_glob(item, text)) {
            return true;
        }
        is_empty = false;
    }
    return is_empty;
}

/* An address in 16 bytes; IPv4 stands as ::ffff:a.b.c.d, so that one comparison serves both. */
struct network {
    uint8_t bytes[16];
    uint32_t bits; /* 0..128 that count */
    bool is_v4;
};

static bool
read_address(struct str text, struct network *out)
{
    static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    char terminated[INET6_ADDRSTRLEN];
    *out = (struct network){ .bits = 128 };
    if (!str_copy(terminated, sizeof(terminated), text)) {
        return false;
    }
    if (inet_pton(AF_INET, terminated, out->bytes + 12) == 1) {
        memcpy(out->bytes, v4_prefix, sizeof(v4_prefix));
        out->is_v4 = true;
        return true;
    }
    return inet_pton(AF_INET6, terminated, out->bytes) == 1;
}

static bool
read_network(struct str item, struct network *out)
{
    struct str rest = item;
    struct str address = str_cut(&rest, '/');
    bool has_bits = address.len < item.len;
    if (!read_address(address, out)) {
        return false;
    }
    if (!has_bits) {
        return true;
    }
    uint64_t bits = 0;
    if (num_u64(rest, &bits) != ERR_OK || bits > (out->is_v4 ? 32u : 128u)) {
        return false;
    }
    out->bits = (uint32_t)bits + (out->is_v4 ? 96u : 0u);
    return true;
}

static bool
network_has(const struct network *network, const struct network *address)
{
    CHECK(network->bits <= 128);
    size_t whole = network->bits / 8;
    uint32_t left = network->bits % 8;
    if (memcmp(network->bytes, address->bytes, whole) != 0) {
        return false;
    }
    if (left == 0) {
        return true;
    }
    uint32_t mask = 0xffu & (0xffu << (8 - left));
    return ((uint32_t)network->bytes[whole] & mask) == ((uint32_t)address->bytes[whole] & mask);
}

bool
match_network_is_good(struct str item)
{
    struct network network;
    return read_network(item, &network);
}

bool
match_addresses(const char *comma_list, struct str address)
{
    struct str rest = str_of(comma_list);
    struct str item;
    if (!match_next(&rest, &item)) {
        return true;
    }
    struct network asked;
    if (!read_address(address, &asked)) {
        return false;
    }
    do {
        struct network network;
        if (read_network(item, &network) && network_has(&network, &asked)) {
            return true;
        }
    } while (match_next(&rest, &item));
    return false;
}

/* Out of line, so that asking an empty map costs nothing. */
static __attribute__((noinline)) struct str
look_up(const char *model_map, struct str asked)
{
    struct str rest = str_of(model_map);
    struct str row;
    struct str best = asked;
    size_t best_len = 0;
    while (match_next(&rest, &row)) {
        struct str sent = row;
        struct str pattern = str_trim(str_cut(&sent, '='));
        sent = str_trim(sent);
        if (sent.len == 0 || pattern.len == 0) {
            continue;
        }
        if (str_equal(pattern, asked)) {
            return sent;
        }
        if (pattern.len > best_len && match_glob(pattern, asked)) {
            best = sent;
            best_len = pattern.len;
        }
    }
    return best;
}

/* A request asks the map of its group and its account again and again; most have none. */
struct str
match_mapped(const char *model_map, struct str asked)
{
    return model_map == NULL || *model_map == '\0' ? asked : look_up(model_map, asked);
}

static bool
host_is_good(struct str host)
{
    if (host.len == 0 || host.len > 253 || host.data[0] == '.' || host.data[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        bool is_dot_pair = c == '.' && i > 0 && host.data[i - 1] == '.';
        if ((!is_letter_or_digit(c) && c != '.' && c != '-' && c != '_') || is_dot_pair) {
            return false;
        }
    }
    return true;
}

/* host, host:port, [v6], [v6]:port */
static bool
read_host(struct str text, struct match_url *out)
{
    struct str port = { NULL, 0 };
    bool has_port = false;
    if (text.len > 0 && text.data[0] == '[') {
        struct str after = str_skip(text, 1);
        out->host = str_cut(&after, ']');
        struct network address;
        bool is_closed = out->host.len + 2 <= text.len;
        if (!is_closed || !read_address(out->host, &address) || address.is_v4) {
            return false;
        }
        if (after.len > 0 && after.data[0] != ':') {
            return false;
        }
        has_port = after.len > 0;
        port = str_skip(after, 1);
    } else {
        port = text;
        out->host = str_cut(&port, ':');
        has_port = out->host.len < text.len;
        if (!host_is_good(out->host)) {
            return false;
        }
    }
    uint64_t number = 0;
    if (has_port && (port.len > 5 || num_u64(port, &number) != ERR_OK || number == 0)) {
        return false;
    }
    out->port = (uint32_t)number;
    return number <= 65535;
}

static size_t
find_any(struct str text, const char *set)
{
    size_t at = 0;
    while (at < text.len && strchr(set, text.data[at]) == NULL) {
        at++;
    }
    return at;
}

bool
match_url(struct str url, struct match_url *out)
{
    *out = (struct match_url){ 0 };
    for (size_t i = 0; i < url.len; i++) {
        if (is_control_or_blank(url.data[i]) || url.data[i] == '\\') {
            return false;
        }
    }
    size_t colon = find_any(url, ":");
    if (colon == 0 || !str_starts(str_skip(url, colon), STR("://"))) {
        return false;
    }
    out->scheme = str_make(url.data, colon);
    struct str rest = str_skip(url, colon + 3);
    struct str authority = str_make(rest.data, find_any(rest, "/?#"));
    rest = str_skip(rest, authority.len);
    out->path = str_make(rest.data, find_any(rest, "?#"));
    out->rest = str_skip(rest, out->path.len);
    /* A password may hold '@': the last one ends the user part. */
    const char *at = authority.len == 0 ? NULL : memrchr(authority.data, '@', authority.len);
    if (at != NULL) {
        out->userinfo = str_make(authority.data, (size_t)(at - authority.data));
        authority = str_skip(authority, out->userinfo.len + 1);
    }
    return read_host(authority, out);
}

/*
 * peer.c - see peer.h. Chains of entries by index, so that giving back is exact and cheap.
 */
#include "http/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/rand.h"

struct entry {
    uint64_t net;   /* IPv4: the address; IPv6: its first half, never below 2^32 */
    uint32_t count; /* 0 = free */
    uint32_t next;  /* index + 1 in the chain or the free list; 0 = last */
};

struct peer_table {
    struct hash_key key;
    uint32_t mask; /* buckets - 1 */
    uint32_t free; /* index + 1 */
    uint32_t entry_count;
    struct entry *entries;
    uint32_t *buckets; /* index + 1 */
};

enum err
peer_table_make(uint32_t addresses_max, struct peer_table **out)
{
    CHECK(addresses_max > 0 && addresses_max < UINT32_MAX / 4);
    uint32_t buckets = 1;
    while (buckets < addresses_max) {
        buckets *= 2;
    }
    *out = NULL;
    struct peer_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return ERR_IO;
    }
    rand_bytes(&table->key, sizeof(table->key));
    table->mask = buckets - 1;
    table->entry_count = addresses_max;
    table->entries = calloc(addresses_max, sizeof(struct entry));
    table->buckets = calloc(buckets, sizeof(uint32_t));
    if (table->entries == NULL || table->buckets == NULL) {
        peer_table_free(table);
        return ERR_IO;
    }
    for (uint32_t i = 0; i < addresses_max; i++) {
        table->entries[i].next = i + 1 < addresses_max ? i + 2 : 0;
    }
    table->free = 1;
    *out = table;
    return ERR_OK;
}

void
peer_table_free(struct peer_table *table)
{
    if (table != NULL) {
        free(table->entries);
        free(table->buckets);
        free(table);
    }
}

/* IPv4 in the low half with a mark that no /64 prefix of a v6 client has; 0: no IP. */
static uint64_t
net_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        return 1ull << 32 | ntohl(v4->sin_addr.s_addr);
    }
    if (address->ss_family != AF_INET6) {
        return 0;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    uint32_t last;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        memcpy(&last, &v6->sin6_addr.s6_addr[12], sizeof(last));
        return 1ull << 32 | ntohl(last);
    }
    uint64_t net;
    memcpy(&net, &v6->sin6_addr, sizeof(net));
    return net == 0 ? 1 : net;
}

enum err
peer_take(struct peer_table *table, const struct sockaddr_storage *address, uint32_t count_max,
          uint32_t *out_index)
{
    *out_index = PEER_NONE;
    uint64_t net = net_of(address);
    if (net == 0) {
        return ERR_OK;
    }
    uint32_t *bucket = &table->buckets[hash_u64(&table->key, net) & table->mask];
    for (uint32_t at = *bucket; at != 0; at = table->entries[at - 1].next) {
        struct entry *entry = &table->entries[at - 1];
        if (entry->net == net) {
            if (entry->count >= count_max) {
                return ERR_FULL;
            }
            entry->count++;
            *out_index = at - 1;
            return ERR_OK;
        }
    }
    if (table->free == 0) {
        return ERR_FULL;
    }
    uint32_t index = table->free - 1;
    struct entry *entry = &table->entries[index];
    CHECK(entry->count == 0);
    table->free = entry->next;
    *entry = (struct entry){ .net = net, .count = 1, .next = *bucket };
    *bucket = index + 1;
    *out_index = index;
    return ERR_OK;
}

void
peer_give(struct peer_table *table, uint32_t index)
{
    if (index == PEER_NONE) {
        return;
    }
    CHECK(index < table->entry_count);
    struct entry *entry = &table->entries[index];
    CHECK(entry->count > 0);
    if (--entry->count > 0) {
        return;
    }
    uint32_t *link = &table->buckets[hash_u64(&table->key, entry->net) & table->mask];
    while (*link != index + 1) {
        CHECK(*link != 0);
        link = &table->entries[*link - 1].next;
    }
    *link = entry->next;
    entry->next = table->free;
    table->free = index + 1;
}

void
peer_text(const struct sockaddr_storage *address, char out[PEER_TEXT_BYTES])
{
    memcpy(out, "unix", 5);
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, out, PEER_TEXT_BYTES);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        bool is_v4 = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        (void)inet_ntop(is_v4 ? AF_INET : AF_INET6, &v6->sin6_addr.s6_addr[is_v4 ? 12 : 0], out,
                        PEER_TEXT_BYTES);
    }
}

/*
 * target.h - where an account is reached: its base URL, proxy and TLS settings, parsed once.
 *
 * Made for each account of a catalog view (catalog_hooks.extra_make) and freed with it.
 *
 * Runs in: worker, keeper. Pure but for malloc; nothing to repair when a process dies here.
 */
#ifndef UPSTREAM_TARGET_H
#define UPSTREAM_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/str.h"
#include "store/catalog.h"
#include "store/model.h"

#define TARGET_HOST_BYTES 256u

enum target_proxy { TARGET_DIRECT, TARGET_HTTP_PROXY, TARGET_SOCKS5_PROXY };

struct target {
    char url[URL_BYTES]; /* base_path points into it */
    struct str base_path;
    bool is_tls;
    bool is_insecure;
    char host[TARGET_HOST_BYTES];
    uint16_t port;
    char authority[TARGET_HOST_BYTES +
                   8]; /* of the Host field: port only when it is not the scheme's */
    char ca_file[256];

    enum target_proxy proxy;
    char proxy_url[URL_BYTES]; /* with *** for a password; proxy_user points into it */
    char proxy_host[TARGET_HOST_BYTES];
    uint16_t proxy_port;
    struct str proxy_user;
    struct str proxy_password; /* in the memory of who made the target; never log */

    uint64_t
        origin_key; /* connections with the same key may be shared: account, address, proxy, TLS */
    uint64_t
        session_key;   /* TLS sessions with the same key may be shared: host, port, verification */
    uint32_t dialects; /* mask of what the account speaks */
};

/* `proxy_password` must live as long as the target; empty = none. NULL when the account's URLs do
 * not parse (the log names the account) or without memory. */
struct target *
target_make(const struct hash_key *hash, const struct account *account, struct str proxy_password);
void target_free(struct target *target);

/* The dialects of the account that this target was made for. */
uint32_t target_speaks(const void *extra);

/* What store/catalog.h needs to make and free targets with its views; `hash` must live as long. */
struct catalog_hooks target_hooks(const struct hash_key *hash);

/* The dialects of an account: its own list, or what its platform speaks. */
uint32_t target_dialects(const struct account *account);

#endif

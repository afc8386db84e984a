/* Keys by digest: found where they were put, up to the bound, whatever their digests are. */
#include "store/keycache.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct catalog_key *
make_key(uint64_t id)
{
    static struct catalog_key key;
    char text[32];
    memset(&key, 0, sizeof(key));
    key.key.id = id;
    snprintf(text, sizeof(text), "key-%llu", (unsigned long long)id);
    digest_sha256(str_of(text), &key.key.digest);
    return &key;
}

Test(keycache, finds_what_was_put_and_nothing_else)
{
    struct keycache cache;
    cr_assert_eq(keycache_init(&cache), ERR_OK);
    struct digest digest = make_key(1)->key.digest;
    cr_expect_null(keycache_find(&cache, &digest));
    const struct catalog_key *put = keycache_add(&cache, make_key(1));
    cr_assert_not_null(put);
    make_key(2);
    cr_expect(put->key.id == 1, "a copy");
    cr_expect_eq(keycache_find(&cache, &digest), put);
    digest.bytes[31] ^= 1;
    cr_expect_null(keycache_find(&cache, &digest), "the whole digest counts");
    keycache_fini(&cache);
    keycache_fini(&cache);
    cr_expect_null(cache.space);
}

Test(keycache, holds_its_bound_and_never_moves_an_entry)
{
    static const struct catalog_key *entries[CATALOG_KEYS_MAX];
    struct keycache cache;
    cr_assert_eq(keycache_init(&cache), ERR_OK);
    uint32_t full_at = 0;
    for (uint32_t i = 0; i < CATALOG_KEYS_MAX; i++) {
        if (full_at == 0 && keycache_is_full(&cache)) {
            full_at = i;
        }
        entries[i] = keycache_add(&cache, make_key(i + 1));
        cr_assert_not_null(entries[i]);
    }
    cr_expect(full_at > CATALOG_KEYS_MAX / 2 && full_at < CATALOG_KEYS_MAX,
              "told before there is no room: %u", full_at);
    cr_expect_null(keycache_add(&cache, make_key(CATALOG_KEYS_MAX + 1)));
    for (uint32_t i = 0; i < CATALOG_KEYS_MAX; i++) {
        const struct catalog_key *found = keycache_find(&cache, &make_key(i + 1)->key.digest);
        cr_assert_eq(found, entries[i]);
        cr_assert_eq(found->key.id, i + 1);
    }
    cr_expect_null(keycache_find(&cache, &make_key(CATALOG_KEYS_MAX + 1)->key.digest));
    keycache_fini(&cache);
}

/* All begin at the same cell, which is the last of the table: the search goes round. */
Test(keycache, finds_keys_whose_digests_collide)
{
    struct keycache cache;
    cr_assert_eq(keycache_init(&cache), ERR_OK);
    struct catalog_key *key = make_key(1);
    for (uint32_t i = 0; i < 200; i++) {
        memset(key->key.digest.bytes, 0xff, sizeof(key->key.digest.bytes));
        key->key.digest.bytes[31] = (uint8_t)i;
        key->key.id = i;
        cr_assert_not_null(keycache_add(&cache, key));
    }
    for (uint32_t i = 0; i < 200; i++) {
        struct digest digest;
        memset(digest.bytes, 0xff, sizeof(digest.bytes));
        digest.bytes[31] = (uint8_t)i;
        const struct catalog_key *found = keycache_find(&cache, &digest);
        cr_assert(found != NULL && found->key.id == i, "%u", i);
    }
    keycache_fini(&cache);
}

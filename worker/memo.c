#include "worker/memo.h"

#include <string.h>

#include "base/check.h"
#include "base/rand.h"

void
memo_init(struct memo *memo)
{
    memset(memo, 0, sizeof *memo);
    rand_bytes(memo->keys, sizeof memo->keys);
}

void
memo_sha256(struct memo *memo, struct str text, struct digest *out)
{
    CHECK((memo->keys[0].k0 | memo->keys[0].k1) != 0);
    uint64_t tag[2] = { hash_bytes(&memo->keys[0], text), hash_bytes(&memo->keys[1], text) };
    struct memo_place *place = &memo->places[tag[0] % MEMO_PLACES];
    bool is_known = place->tag[0] == tag[0] && place->tag[1] == tag[1] && (tag[0] | tag[1]) != 0;
    if (!is_known) {
        digest_sha256(text, &place->digest);
        memcpy(place->tag, tag, sizeof tag);
    }
    *out = place->digest;
}

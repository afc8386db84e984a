/*
 * memo.h - remembers the SHA-256 of keys that were seen lately: hashing one costs more than all the
 * rest of finding it.
 *
 * A place holds a keyed 128-bit tag of the key's text and its digest, never the text. The tag's
 * keys are drawn at start and never leave the process, so nobody can aim at a collision; that one
 * happens by chance is as likely as guessing half a key. What a digest leads to is looked up each
 * time: a revoked key is refused at once.
 *
 * Runs in: worker; each for itself. Dying here forgets.
 */
#ifndef WORKER_MEMO_H
#define WORKER_MEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/hash.h"
#include "base/str.h"

#define MEMO_PLACES 1024u /* a power of two */

struct memo_place {
    uint64_t tag[2]; /* both 0 = free */
    struct digest digest;
};

struct memo {
    struct hash_key keys[2];
    struct memo_place places[MEMO_PLACES];
};

/* Draws the tags' keys. */
void memo_init(struct memo *memo);

/* SHA-256 of this credential. */
void memo_sha256(struct memo *memo, struct str text, struct digest *out);

#endif

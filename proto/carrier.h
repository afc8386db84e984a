/*
 * carrier.h - signatures and encrypted reasoning of one provider, carried through a client of
 * another dialect and back.
 *
 * A thinking signature means something to the provider that made it only. On its way to a client
 * of another dialect it is wrapped into that dialect's opaque field:
 *     gw1.<family>.<kind>.<scope>.<base64url payload>.<8 hex of a keyed hash>
 * The payload rebuilds the original block: the value, the item's id, the lengths of the summary
 * segments. When the client sends it back it is unwrapped; if family, hash and scope fit it is the
 * original again, otherwise it is foreign and dropped by whoever cannot use it.
 *
 * The key is the gateway's own (derived from secret.key), the scope names the account group whose
 * key can decrypt the value.
 *
 * Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_CARRIER_H
#define PROTO_CARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "proto/hub.h"

struct carrier {
    struct hash_key key;
    uint32_t scope;
};

/* The carrier's text; lengths of `segments` are kept in it. ERR_FULL: the arena. */
MUST_CHECK enum err
carrier_wrap(const struct carrier *carrier, const struct hub_signature *signature,
             const struct hub_segment *segments, struct arena *arena, struct str *out);

/* "gem", "oai", "ant", "antr", "gw": the family's short name; and back. */
const char *carrier_family_name(enum hub_family family);
enum hub_family carrier_family_parse(struct str name);

/*
 * What an opaque field of a client's request means: a carrier of ours (also base64 of one, as
 * Gemini's field needs it) is unwrapped; anything else, but not the empty text, is taken as the
 * `native` family's own; a carrier that does not fit is nothing (family NONE).
 */
MUST_CHECK enum err carrier_open(const struct carrier *carrier, enum hub_family native,
                                 struct str text, struct arena *arena, struct hub_signature *out);

/* The same for a reasoning part: also splits its one text back into the original segments. */
MUST_CHECK enum err
carrier_restore(const struct carrier *carrier, enum hub_family native, struct str text,
                struct arena *arena, struct hub_reasoning *reasoning);

/* Is it a carrier of ours, whatever its scope? */
bool carrier_is(struct str text);

#endif

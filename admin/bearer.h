/*
 * bearer.h - credentials in an admin's request: the provider's key of an account ("secret"), and
 * the text of a gateway key ("key"), which is made here unless an existing one is carried over.
 *
 * They are no fields of a record: what is stored is the sealed secret, and the key's digest and
 * prefix. Nothing here logs or answers one.
 *
 * Runs in: recorder. Pure but for the arena of the request: nothing to repair.
 */
#ifndef ADMIN_BEARER_H
#define ADMIN_BEARER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "store/ledger.h"
#include "store/model.h"

struct server_request;

struct bearer {
    struct json_value secret; /* account: the provider's key */
    struct json_value key;    /* key: an existing one to carry over */
    bool has_secret;
    bool has_key;
};

/* The request's body without them goes into `fields`, for model_apply, which knows fields only.
 * Each of these: ERR_BAD with a sentence in why. */
MUST_CHECK enum err
bearer_split(struct server_request *request, enum model_kind kind, struct bearer *bearer,
             struct buf *fields, char why[MODEL_WHY_BYTES]);

/* Seals the secret, if there is one, into the account. */
MUST_CHECK enum err
bearer_seal(const struct bearer *bearer, struct server_request *request, struct ledger *ledger,
            struct account *account, char why[MODEL_WHY_BYTES]);

/* A new key's text, or the one carried over, in `text`, which the caller wipes; its digest and
 * prefix go into the record. */
MUST_CHECK enum err
bearer_key(const struct bearer *bearer, struct server_request *request, struct key *key,
           char text[KEY_BYTES_MAX + 1], char why[MODEL_WHY_BYTES]);

#endif

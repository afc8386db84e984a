/*
 * models.h - GET /v1/models and /v1/models/{id}: what a key can reach, in its client's shape.
 *
 * The names come from the accounts of the key's group: their plain model names and the left sides
 * of their mappings, the usual models of what they speak where they name none; and from the group's
 * mapping: its plain left sides, and the usual names that its wildcards take. A name is listed when
 * a request of the asking client's dialect would be served, translated or not: one that an account
 * of that dialect claims goes nowhere else (bridge.h). The key's and the group's own lists are
 * applied.
 *
 * Runs in: worker. Pure but for the request's arena.
 */
#ifndef WORKER_MODELS_H
#define WORKER_MODELS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/dialect.h"
#include "store/catalog.h"

struct models_want {
    const struct catalog_view *view;
    const struct catalog_key *key;
    enum dialect shape; /* CHAT stands for OpenAI's */
    uint32_t speaks;    /* mask: the dialects that the list's readers speak */
    struct str query;
};

/* ERR_FULL: too long for the buffer. */
MUST_CHECK enum err
models_list(const struct models_want *want, struct arena *arena, struct buf *out);
/* ERR_GONE: not reachable with this key. */
MUST_CHECK enum err
models_one(const struct models_want *want, struct str id, struct arena *arena, struct buf *out);

#endif

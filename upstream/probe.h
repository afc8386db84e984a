/*
 * probe.h - tests an account: one small request in each dialect it speaks, and its list of models.
 *
 * The requests go the same way as a client's (exchange.h), so what works here works there. The
 * result is one JSON object with a line for people:
 *   {"ok":true,"account":"acme","line":"acme: chat ok 210 ms, responses: HTTP 404 no; 57 models",
 *    "dialects":[{"dialect":"chat","ok":true,"status":200,"ms":210,"error":""}],
 *    "model_count":57,"models":["..."]}
 * ok: at least one dialect works. The provider's text is cleaned and bounded; no credential is in
 * it.
 *
 * Runs in: keeper.
 */
#ifndef UPSTREAM_PROBE_H
#define UPSTREAM_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "proto/dialect.h"
#include "store/catalog.h"
#include "upstream/exchange.h"

#define PROBE_WHY_BYTES 400u
/* Model names in the result; the count is of all. */
#define PROBE_MODELS_SHOWN 30u
/* Kept of one answer. */
#define PROBE_ANSWER_BYTES 262144u

struct probe;
/* `json` lives until the call returns. */
typedef void (*probe_fn)(struct probe *probe, struct str json);

struct probe_result {
    bool is_done;
    bool is_ok;
    uint16_t status;
    uint32_t ms;
    char why[PROBE_WHY_BYTES];
};

struct probe {
    struct reach *reach;
    const struct catalog_account
        *account;                 /* must stay until the end: its view is held by the caller */
    char model[MODEL_NAME_BYTES]; /* asked for; "" = picked for each dialect */
    probe_fn on_end;
    void *owner;
    uint32_t step; /* 0..DIALECT_COUNT-1 dialects, then the list */
    struct probe_result results[DIALECT_COUNT];
    struct probe_result list;
    uint16_t status;
    struct exchange exchange;
    struct arena arena; /* of one step */
    struct buf answer;
    struct buf models; /* JSON array of names */
    uint32_t model_count;
    bool has_models_broken;
    struct loop_task done; /* puts the result off to the end of the turn */
};

/* Starts; on_end comes later, never from in here, exactly once unless probe_stop is called. */
void probe_start(struct probe *probe, struct reach *reach, const struct catalog_account *account,
                 struct str model, probe_fn on_end);
/* Ends it without a call. Also after on_end, to free its memory. */
void probe_stop(struct probe *probe);

#endif

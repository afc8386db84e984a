/*
 * probe.h - tests an account: one small request in each dialect it speaks, and its list of models.
 *
 * The requests go the same way as a client's (exchange.h), so what works here works there. The
 * result is one JSON object with a line for people:
 *   {"ok":true,"account":"acme","line":"acme: chat ok 210 ms, responses: HTTP 404 no; 57 models",
 *    "dialects":[{"dialect":"chat","ok":true,"missing":false,"status":200,"ms":210,"error":""}],
 *    "model_count":57,"models":["..."]}
 * ok: at least one dialect works. The provider's text is cleaned and bounded; no credential is in
 * it.
 *
 * A dialect whose endpoint the provider does not have is no failure as long as another one works:
 * "no /v1/responses here; chat/completions works, translating". That is learned (shm/lack.h), and
 * what answers is no longer thought missing. Where no endpoint is there the base URL is doubted.
 *
 * A check-up asks less: whether an account that rests is well again. The list of models comes
 * first, since it costs nothing; only when its answer speaks for the account one small request in
 * the account's first dialect follows. So tokens are spent by the check-up that finds it well, and
 * by no other. Who can only be unreachable is well when it answers at all: then the list decides.
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
#include "upstream/retry.h"

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
    bool is_missing; /* its provider has no such endpoint */
    uint16_t status; /* 0 = no answer */
    uint32_t ms;
    struct retry_decision decision; /* what a worker would make of it */
    enum exchange_phase phase;      /* in which it failed, when no answer came */
    uint64_t retry_after_ms;        /* 0 = not said */
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
    bool is_checkup;
    bool wants_answer; /* a check-up: any answer will do */
    struct probe_result results[DIALECT_COUNT];
    struct probe_result list;
    uint16_t status;
    uint64_t retry_after_ms;
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
/* The same for a check-up; then probe_decided() has more to tell than the JSON. */
void probe_checkup(struct probe *probe, struct reach *reach, const struct catalog_account *account,
                   bool wants_answer, probe_fn on_end);
/* Of a check-up that has ended: the answer (or the failure) that decided. */
const struct probe_result *probe_decided(const struct probe *probe);
/* At least one dialect works. */
bool probe_is_ok(const struct probe *probe);
/* Ends it without a call. Also after on_end, to free its memory. */
void probe_stop(struct probe *probe);

#endif

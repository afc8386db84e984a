#include "worker/gatekeeper.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/clock.h"
#include "http/header.h"
#include "shm/counter.h"
#include "store/match.h"
#include "worker/minute.h"

/* Credentials a head may carry at once (Claude Code sends two). */
#define CREDENTIALS_MAX 5u

struct credentials {
    struct str items[CREDENTIALS_MAX];
    uint32_t count;
};

static void
add(struct credentials *found, struct str value)
{
    if (value.len > 0 && found->count < CREDENTIALS_MAX) {
        found->items[found->count++] = value;
    }
}

static void
add_bearer(struct credentials *found, const struct header_list *headers)
{
    struct str value = header_find(headers, STR("authorization"));
    struct str scheme = STR("bearer ");
    if (value.len > scheme.len && str_equal_nocase(str_make(value.data, scheme.len), scheme)) {
        add(found, str_trim(str_skip(value, scheme.len)));
    }
}

/* ?key= of a Gemini path; keys are plain characters, so nothing is decoded. */
static void
add_query_key(struct credentials *found, struct str query)
{
    while (query.len > 0) {
        struct str value = str_cut(&query, '&');
        if (str_equal(str_cut(&value, '='), STR("key"))) {
            add(found, value);
        }
    }
}

static bool
is_gemini(const struct relay *relay)
{
    return relay->hit.dialect == DIALECT_GEMINI || relay->hit.is_gemini_path;
}

static void
collect(const struct relay *relay, struct credentials *found)
{
    const struct header_list *headers = &relay->request->head.headers;
    if (is_gemini(relay)) {
        add(found, header_find(headers, STR("x-goog-api-key")));
    }
    add_bearer(found, headers);
    add(found, header_find(headers, STR("x-api-key")));
    if (!is_gemini(relay)) {
        add(found, header_find(headers, STR("x-goog-api-key")));
    }
    add(found, header_find(headers, STR("api-key")));
    if (is_gemini(relay)) {
        add_query_key(found, relay->request->head.query);
    }
}

static enum err
refuse(struct relay *relay, struct reply *refusal, uint16_t status, const char *code,
       struct str message, enum counter counter)
{
    *refusal = (struct reply){ .status = status, .code = code, .message = message };
    counter_add(relay->worker->segment, relay->worker->slot, counter, 1);
    return ERR_DENIED;
}

static enum err
refuse_key(struct relay *relay, struct reply *refusal, struct str message)
{
    penalty_add(&relay->worker->penalty, relay->request->address, loop_now_ms(relay->worker->loop));
    return refuse(relay, refusal, 401, "invalid_api_key", message, COUNTER_REFUSED_AUTH);
}

/*
 * What the store says about a digest. ERR_GONE, nothing filled: no such key. ERR_DENIED: the store
 * could not be asked, which is not the client's fault and counts nothing against its address.
 */
static enum err
find_key(struct relay *relay, const struct catalog_key **out, struct reply *refusal)
{
    enum err err = catalog_key(relay->worker->catalog, &relay->digest, out);
    if (err == ERR_OK || err == ERR_GONE) {
        return err;
    }
    return refuse(relay, refusal, 503, "overloaded",
                  STR("The gateway's store cannot be read, please retry later"),
                  COUNTER_REFUSED_OVERLOADED);
}

/* What the records say about this key, its user and its group. */
static enum err
check_key(struct relay *relay, const struct catalog_key *key, struct reply *refusal)
{
    if (key->key.is_disabled) {
        return refuse_key(relay, refusal, STR("This API key is disabled"));
    }
    if (key->key.expires_ms != 0 && clock_wall_ms() >= key->key.expires_ms) {
        return refuse_key(relay, refusal, STR("This API key has expired"));
    }
    if (key->user.is_disabled) {
        return refuse_key(relay, refusal, STR("The user of this API key is disabled"));
    }
    if (!match_addresses(key->key.addresses, relay->request->address)) {
        struct str message =
            arena_printf(&relay->request->arena, "This API key may not be used from %.*s",
                         STR_ARG(relay->request->address));
        return refuse(relay, refusal, 403, "forbidden", message, COUNTER_REFUSED_FORBIDDEN);
    }
    if (key->group >= relay->view->group_count ||
        relay->view->groups[key->group].group.is_disabled) {
        return refuse(relay, refusal, 403, "forbidden",
                      STR("The group of this API key is disabled or gone"),
                      COUNTER_REFUSED_FORBIDDEN);
    }
    relay->key_id = key->key.id;
    relay->user_id = key->user.id;
    relay->group = key->group;
    relay->group_id = relay->view->groups[key->group].group.id;
    return ERR_OK;
}

/* The relay holds the newest view, and only that, from here on. */
static enum err
take_view(struct relay *relay, struct reply *refusal)
{
    struct catalog_view *view = NULL;
    enum err err = worker_view(relay->worker, &view);
    if (view == NULL) {
        return refuse(relay, refusal, 503, "overloaded", STR("The gateway's store cannot be read"),
                      COUNTER_REFUSED_OVERLOADED);
    }
    (void)err; /* an older view is better than none; the log has said why */
    if (relay->view != view) {
        catalog_hold(view);
        if (relay->view != NULL) {
            catalog_drop(relay->worker->catalog, relay->view);
        }
        relay->view = view;
    }
    return ERR_OK;
}

/* A key that leads nowhere. An address that tries many is slowed down; a good key from the same
 * address (a proxy stands in front of many clients) is served all the same. */
static enum err
refuse_unknown(struct relay *relay, struct reply *refusal)
{
    uint64_t retry_after_ms = 0;
    if (!penalty_is_refused(&relay->worker->penalty, relay->request->address,
                            loop_now_ms(relay->worker->loop), &retry_after_ms)) {
        return refuse_key(relay, refusal, STR("This API key is not known"));
    }
    enum err err = refuse(relay, refusal, 429, "rate_limit_exceeded",
                          STR("Too many wrong API keys from this address"), COUNTER_REFUSED_AUTH);
    refusal->retry_after_s = (uint32_t)(retry_after_ms / 1000 + 1);
    return err;
}

enum err
gatekeeper_key(struct relay *relay, const struct catalog_key **out, struct reply *refusal)
{
    struct credentials found = { .count = 0 };
    collect(relay, &found);
    if (found.count == 0) {
        return refuse(relay, refusal, 401, "missing_api_key",
                      STR("No API key: send it as 'Authorization: Bearer KEY', x-api-key or "
                          "x-goog-api-key"),
                      COUNTER_REFUSED_AUTH);
    }
    enum err err = take_view(relay, refusal);
    if (err != ERR_OK) {
        return err;
    }
    for (uint32_t i = 0; i < found.count; i++) {
        if (found.items[i].len > KEY_BYTES_MAX) {
            continue;
        }
        memo_sha256(&relay->worker->memo, found.items[i], &relay->digest);
        err = find_key(relay, out, refusal);
        if (err != ERR_GONE) {
            return err == ERR_OK ? check_key(relay, *out, refusal) : err;
        }
    }
    return refuse_unknown(relay, refusal);
}

void
gatekeeper_renew(struct relay *relay)
{
    struct catalog_view *view = NULL;
    CHECK(relay->view != NULL && !relay->has_choice);
    if (worker_view(relay->worker, &view) != ERR_OK || view == relay->view) {
        return;
    }
    uint32_t group = catalog_find_group(view, relay->group_id);
    if (group != UINT32_MAX) {
        catalog_hold(view);
        catalog_drop(relay->worker->catalog, relay->view);
        relay->view = view;
        relay->group = group;
    }
}

enum err
gatekeeper_again(struct relay *relay, const struct catalog_key **out, struct reply *refusal)
{
    enum err err = take_view(relay, refusal);
    if (err != ERR_OK) {
        return err;
    }
    err = find_key(relay, out, refusal);
    if (err == ERR_GONE) {
        return refuse_key(relay, refusal, STR("This API key has been revoked"));
    }
    return err == ERR_OK ? check_key(relay, *out, refusal) : err;
}

enum err
gatekeeper_rules(struct relay *relay, const struct catalog_key *key, struct reply *refusal)
{
    struct arena *arena = &relay->request->arena;
    const struct group *group = &relay->view->groups[relay->group].group;
    if (relay->model.len > 0 && !match_globs(key->key.models, relay->model)) {
        struct str message =
            arena_printf(arena, "This API key may not use the model '%.*s'", STR_ARG(relay->model));
        return refuse(relay, refusal, 403, "model_not_allowed", message, COUNTER_REFUSED_FORBIDDEN);
    }
    if (relay->model.len > 0 && !match_globs(group->models, relay->model)) {
        struct str message = arena_printf(arena, "The group '%s' may not use the model '%.*s'",
                                          group->name, STR_ARG(relay->model));
        return refuse(relay, refusal, 403, "model_not_allowed", message, COUNTER_REFUSED_FORBIDDEN);
    }
    uint64_t input_max = key->key.input_tokens_max;
    if (input_max != 0 && relay->stream.input_tokens > input_max) {
        struct str message = arena_printf(
            arena, "The input is about %" PRIu64 " tokens, this API key allows %" PRIu64,
            relay->stream.input_tokens, input_max);
        return refuse(relay, refusal, 412, "input_too_large", message, COUNTER_REFUSED_QUOTA);
    }
    return ERR_OK;
}

const char *
gatekeeper_limiter(enum relay_gate gate)
{
    switch (gate) {
    case RELAY_GATE_KEY:
        return "key";
    case RELAY_GATE_USER:
        return "user";
    case RELAY_GATE_GROUP:
        return "group";
    case RELAY_GATES:
        return "account";
    }
    return "account";
}

static enum err
find_gates(struct relay *relay, const struct catalog_key *key)
{
    static const enum gate_kind kinds[RELAY_GATES] = { GATE_KEY, GATE_USER, GATE_GROUP };
    const uint64_t ids[RELAY_GATES] = { relay->key_id, relay->user_id, relay->group_id };
    const uint32_t limits[RELAY_GATES] = { key->key.concurrency, key->user.concurrency,
                                           relay->view->groups[relay->group].group.concurrency };
    for (uint32_t i = 0; i < RELAY_GATES; i++) {
        enum err err = gate_find(relay->worker->segment, kinds[i], ids[i], &relay->holds[i].gate);
        if (err != ERR_OK) {
            return err;
        }
        relay->holds[i].limit = limits[i];
    }
    return ERR_OK;
}

enum err
gatekeeper_limits(struct relay *relay, const struct catalog_key *key, struct reply *refusal)
{
    if (find_gates(relay, key) != ERR_OK) {
        refuse(relay, refusal, 503, "overloaded",
               STR("The gateway's table of limits is full; the operator should raise [shm] gates"),
               COUNTER_REFUSED_OVERLOADED);
        return ERR_FULL;
    }
    minute_begin(relay, key);
    enum err err = minute_take(relay, refusal);
    if (err != ERR_OK) {
        return err;
    }
    err = purse_take(relay, key, refusal);
    if (err != ERR_OK) {
        minute_give(relay);
    }
    return err;
}

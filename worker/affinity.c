/*
 * affinity.c - see affinity.h.
 *
 * Runs in: worker. With an explicit id a request costs a look for each of a few headers, one hash
 * of the id and one cache line of the table.
 */
#include "worker/affinity.h"

#include "base/check.h"
#include "base/json.h"
#include "http/header.h"
#include "proto/opening.h"
#include "shm/health.h"
#include "shm/heritage.h"
#include "shm/sticky.h"
#include "worker/relay.h"
#include "worker/workerconf.h"

/* The headers that name a session: the first that is there and says something. */
static struct str
header_session(const struct header_list *headers)
{
    static const struct str names[] = {
        { "x-claude-code-session-id", 24 },
        { "session-id", 10 },
        { "session_id", 10 },
        { "conversation_id", 15 },
        { "x-session-affinity", 18 },
        { "x-session-id", 12 },
        { "thread-id", 9 },
    };
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct str value = header_find(headers, names[i]);
        if (value.len > 0) {
            return value;
        }
    }
    return STR("");
}

static uint64_t
key_of(const struct relay *relay, enum sticky_kind kind, struct str id)
{
    return sticky_key(relay->worker->segment, relay->group_id, relay->key_id, kind, id);
}

/* Calls that continue a conversation; the others (embeddings, images) have nothing to come back to.
 */
static bool
is_talk(enum endpoint endpoint)
{
    return endpoint == ENDPOINT_CHAT || endpoint == ENDPOINT_RESPONSES ||
           endpoint == ENDPOINT_RESPONSES_COMPACT || endpoint == ENDPOINT_MESSAGES ||
           endpoint == ENDPOINT_GEMINI_GENERATE || endpoint == ENDPOINT_GEMINI_STREAM;
}

/* The key made of what was said first to this model; 0: nothing was. */
static uint64_t
opening_key(const struct relay *relay)
{
    const struct hash_key *key = &relay->worker->segment->hash_key;
    struct hash_key of_model = { key->k0 ^ hash_bytes(key, relay->model), key->k1 };
    uint64_t opening = 0;
    if (!is_talk(relay->row->endpoint) || relay->peek->is_multipart ||
        !opening_hash(&of_model, relay->request->body, relay->peek, &opening)) {
        return 0;
    }
    return key_of(relay, STICKY_OPENING, str_make((const char *)&opening, sizeof opening));
}

/* Id of the account that `key` is bound to; 0 = none. */
static uint64_t
bound_to(const struct relay *relay, uint64_t key)
{
    const struct segment *segment = relay->worker->segment;
    uint32_t index = 0;
    if (sticky_find(segment, key, loop_now_ms(relay->worker->loop), &index) != ERR_OK ||
        index >= segment->accounts) {
        return 0;
    }
    /* An index that is another account's by now binds to that one: as good as any. */
    return atomic_load_explicit(&segment->health_rows[index].account_id, memory_order_relaxed);
}

void
affinity_find(struct relay *relay)
{
    struct affinity *affinity = &relay->affinity;
    const struct peek *peek = relay->peek;
    CHECK(peek != NULL && relay->key_id != 0);
    if (relay->worker->heritage->worker_conf->sticky_ms == 0) {
        return;
    }
    struct str id = header_session(&relay->request->head.headers);
    if (id.len == 0) {
        id = str_of(peek->session);
    }
    if (id.len > 0) {
        affinity->key = key_of(relay, STICKY_EXPLICIT, id);
        affinity->bound = bound_to(relay, affinity->key);
        return;
    }
    affinity->binds_response = relay->row->endpoint == ENDPOINT_RESPONSES;
    if (peek->previous_response[0] != '\0') {
        /* The answer it names lies with one account; what was said first is not in this body. */
        affinity->key = key_of(relay, STICKY_RESPONSE, str_of(peek->previous_response));
    } else if (relay->view->groups[relay->group].account_count > 1) {
        /* Reading how it began costs as much as all the rest: only where there is a choice. */
        affinity->key = opening_key(relay);
    }
    affinity->bound = affinity->key == 0 ? 0 : bound_to(relay, affinity->key);
}

static void
tie(const struct relay *relay, uint64_t key)
{
    uint64_t time_ms = relay->worker->heritage->worker_conf->sticky_ms;
    CHECK(key != 0 && relay->has_choice);
    if (time_ms > 0) {
        sticky_put(relay->worker->segment, key, relay->choice.account->account.index,
                   loop_now_ms(relay->worker->loop), time_ms);
    }
}

void
affinity_bind(struct relay *relay)
{
    if (relay->affinity.key != 0 && relay->has_choice) {
        tie(relay, relay->affinity.key);
    }
}

static bool
on_id(void *context, const struct json_member *member)
{
    struct json_value *id = context;
    if (!json_name_is(member, STR("id"))) {
        return true;
    }
    *id = member->value;
    return false; /* it stands in front; what follows is not read */
}

/* The id of the answer: noted by the stream, or in front of a body that is kept whole. */
static struct str
answer_id(const struct stream *stream)
{
    struct json_value id = { .kind = JSON_NULL };
    if (stream->is_sse) {
        return str_of(stream->usage.response_id);
    }
    if (!stream->is_whole || json_scan(buf_str(&stream->tail), on_id, &id, NULL, NULL) != ERR_OK ||
        id.kind != JSON_STRING) {
        return STR("");
    }
    return str_make(id.raw.data + 1, id.raw.len - 2);
}

void
affinity_end(const struct relay *relay)
{
    if (!relay->affinity.binds_response || !relay->has_choice || relay->code != NULL) {
        return;
    }
    struct str id = answer_id(&relay->stream);
    if (id.len > 0) {
        tie(relay, key_of(relay, STICKY_RESPONSE, id));
    }
}

enum lease_sticky
affinity_judge(const struct affinity *affinity, uint64_t account_id)
{
    if (affinity->key == 0) {
        return LEASE_STICKY_NONE;
    }
    if (affinity->bound == 0) {
        return LEASE_STICKY_MISS;
    }
    return affinity->bound == account_id ? LEASE_STICKY_HIT : LEASE_STICKY_MOVED;
}

#include "worker/repeat.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/header.h"
#include "shm/counter.h"
#include "shm/heritage.h"
#include "shm/parcel.h"
#include "store/ledger.h"
#include "store/storeconf.h"
#include "upstream/bill.h"
#include "worker/admit.h"
#include "worker/carbon.h"
#include "worker/relay.h"
#include "worker/workerconf.h"

#define HEADER "Idempotency-Key"
/* An outcome is in the store some [store] commit_interval after the answer; nobody tells us. */
#define POLL_MS 25u

/* --- what is asked --- */

/* Visible ASCII and spaces, 1 to 255 of them, once. */
static bool
is_good(const struct header_list *headers, struct str value)
{
    uint32_t fields = 0;
    for (uint32_t i = 0; i < headers->count; i++) {
        fields += str_equal_nocase(headers->items[i].name, STR("idempotency-key")) ? 1u : 0u;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < ' ' || value.data[i] > '~') {
            return false;
        }
    }
    return fields == 1 && value.len > 0 && value.len <= IDEMPOTENCY_KEY_BYTES_MAX;
}

static void
make_name(const struct relay *relay, struct str key, struct claim_name *out)
{
    char text[24 + IDEMPOTENCY_KEY_BYTES_MAX];
    struct digest digest;
    memcpy(text, &relay->key_id, sizeof relay->key_id);
    memcpy(text + sizeof relay->key_id, key.data, key.len);
    digest_sha256(str_make(text, sizeof relay->key_id + key.len), &digest);
    memcpy(out->bytes, digest.bytes, sizeof out->bytes);
}

/* False: no memory. */
static bool
make_print(struct relay *relay, struct digest *out)
{
    struct server_request *request = relay->request;
    struct digest body;
    char hex[2 * DIGEST_BYTES + 1];
    digest_sha256(request->body, &body);
    digest_hex(body.bytes, sizeof body.bytes, hex);
    struct str type = header_find(&request->head.headers, STR("content-type"));
    struct str text = arena_printf(&request->arena, "%s\n%.*s\n%d %d\n%.*s\n%s", relay->row->name,
                                   STR_ARG(relay->model), relay->wants_stream, relay->wants_array,
                                   STR_ARG(type), hex);
    digest_sha256(text, out);
    return text.data != NULL;
}

/* --- answers --- */

static bool
refuse(struct relay *relay, const struct reply *reply)
{
    counter_add(relay->worker->segment, relay->worker->slot, COUNTER_REPEATS_REFUSED, 1);
    relay_refuse(relay, reply);
    return false;
}

static bool
refuse_overloaded(struct relay *relay, struct str why)
{
    counter_add(relay->worker->segment, relay->worker->slot, COUNTER_REFUSED_OVERLOADED, 1);
    relay_refuse(
        relay,
        &(struct reply){ .status = 503, .code = "overloaded", .message = why, .retry_after_s = 1 });
    return false;
}

static bool
refuse_malformed(struct relay *relay)
{
    return refuse(relay, &(struct reply){ .status = 400,
                                          .code = "invalid_idempotency_key",
                                          .message = STR("The header " HEADER
                                                         " needs one value of 1 to 255 printable "
                                                         "ASCII characters") });
}

static bool
refuse_other(struct relay *relay)
{
    return refuse(relay,
                  &(struct reply){ .status = 422,
                                   .code = "idempotency_key_reused",
                                   .message = STR("This " HEADER " belongs to a request that asked "
                                                  "something else: use a new one"),
                                   .is_final = true });
}

static bool
refuse_conflict(struct relay *relay)
{
    return refuse(
        relay, &(struct reply){ .status = 409,
                                .code = "idempotency_conflict",
                                .message = STR("A request with this " HEADER " is still under way"),
                                .retry_after_s = 1 });
}

static bool
refuse_served(struct relay *relay, const struct outcome *outcome)
{
    struct str message =
        arena_printf(&relay->request->arena,
                     "The request with this " HEADER
                     " was served and billed (%s); %s. To ask again, use a new one",
                     outcome->request_id, outcome_text(outcome->state));
    return refuse(relay, &(struct reply){ .status = 409,
                                          .code = "idempotency_already_served",
                                          .message = message,
                                          .is_final = true });
}

static bool
replay(struct relay *relay, const struct outcome *outcome)
{
    struct server_request *request = relay->request;
    struct reply_to to = relay_reply_to(relay);
    struct str ids = reply_id_fields(&to);
    bool has_cost = relay->worker->heritage->worker_conf->cost_header;
    struct str fields = arena_printf(&request->arena,
                                     "%.*s%.*sidempotency-replayed: true\r\n"
                                     "original-request-id: %s\r\n%s",
                                     STR_ARG(outcome->fields), STR_ARG(ids), outcome->request_id,
                                     has_cost ? "x-sub2api-cost: 0\r\n" : "");
    if (fields.data == NULL) {
        return refuse_overloaded(relay, STR("Out of memory for this request"));
    }
    counter_add(relay->worker->segment, relay->worker->slot, COUNTER_REPEATS_SERVED, 1);
    relay->status = outcome->status;
    relay->request = NULL;
    server_answer(request, outcome->status, fields, outcome->body);
    relay_finish(relay, NULL);
    return false;
}

/* --- entering --- */

/* The name is free, when it was ours. */
static void
let_go(struct relay *relay)
{
    struct repeat *repeat = relay->repeat;
    if (repeat->is_held) {
        repeat->is_held = false;
        claim_give(relay->worker->segment, relay->worker->slot, repeat->claim);
    }
}

/* Somebody had the name before, or nobody knows. */
static void
tell(struct relay *relay, enum err err, const struct outcome *outcome)
{
    if (err != ERR_OK) {
        refuse_overloaded(relay, STR("The gateway's store cannot be read, please retry later"));
    } else if (!digest_equal(outcome->print.bytes, relay->repeat->print.bytes, DIGEST_BYTES)) {
        refuse_other(relay);
    } else if (outcome->state == OUTCOME_KEPT) {
        replay(relay, outcome);
    } else {
        refuse_served(relay, outcome);
    }
}

/* The name is ours: did somebody have it before? True: nobody, go on. */
static bool
look(struct relay *relay)
{
    struct worker *worker = relay->worker;
    struct outcome outcome;
    struct buf row;
    buf_init(&row, PARCEL_BYTES_MAX);
    enum err err = catalog_outcome(worker->catalog, relay->repeat->name.bytes, &row);
    err = err != ERR_OK ? err : outcome_read(buf_str(&row), &outcome);
    uint64_t keep_ms = worker->heritage->store->idempotency_ms;
    bool goes_on =
        err == ERR_GONE || (err == ERR_OK && outcome.wall_ms + keep_ms < clock_wall_ms());
    if (goes_on) {
        goes_on =
            carbon_begin(relay) || refuse_overloaded(relay, STR("Out of memory for this request"));
    } else {
        let_go(relay);
        tell(relay, err, &outcome);
    }
    buf_fini(&row);
    return goes_on;
}

/* Another one is at work on it, or on its way into the store. Asked less and less often: many twins
 * of one long request must not cost much. */
static bool
wait(struct relay *relay)
{
    struct loop *loop = relay->worker->loop;
    struct repeat *repeat = relay->repeat;
    uint64_t now_ms = loop_now_ms(loop);
    if (now_ms >= repeat->until_ms || worker_is_stopping(relay->worker)) {
        return refuse_conflict(relay);
    }
    uint64_t next_ms = now_ms + POLL_MS + POLL_MS * repeat->waits++ / 4;
    repeat->is_waiting = true;
    loop_timer_set(loop, &relay->deadline, next_ms < repeat->until_ms ? next_ms : repeat->until_ms);
    return false;
}

static bool
take(struct relay *relay)
{
    struct worker *worker = relay->worker;
    struct repeat *repeat = relay->repeat;
    enum err err =
        claim_take(worker->segment, worker->slot, &repeat->name, &repeat->print, &repeat->claim);
    if (err == ERR_AGAIN) {
        return wait(relay);
    }
    if (err == ERR_BAD) {
        return refuse_other(relay);
    }
    if (err != ERR_OK) {
        return refuse_overloaded(relay, STR("Too many requests with an " HEADER " are under way"));
    }
    repeat->is_held = true;
    return look(relay);
}

/* The first time: what the header says. False: refused. */
static bool
begin(struct relay *relay, struct str key)
{
    struct worker *worker = relay->worker;
    if (!is_good(&relay->request->head.headers, key)) {
        return refuse_malformed(relay);
    }
    struct repeat *repeat = pool_take(&worker->repeats);
    relay->repeat = repeat;
    if (repeat == NULL || !make_print(relay, &repeat->print)) {
        return refuse_overloaded(relay, STR("Out of memory for this request"));
    }
    make_name(relay, key, &repeat->name);
    repeat->until_ms =
        loop_now_ms(worker->loop) + worker->heritage->worker_conf->idempotency_wait_ms;
    return true;
}

bool
repeat_enter(struct relay *relay)
{
    if (relay->repeat == NULL) {
        const struct header_list *headers = &relay->request->head.headers;
        if (!header_has(headers, STR("idempotency-key")) ||
            relay->worker->heritage->store->idempotency_ms == 0) {
            return true;
        }
        if (!begin(relay, header_find(headers, STR("idempotency-key")))) {
            return false;
        }
    }
    relay->repeat->is_waiting = false;
    return take(relay);
}

/* --- leaving --- */

/* The answer goes along with the record; OUTCOME_CROWDED when there is no room. */
static enum outcome_state
put_answer(struct relay *relay, uint64_t *out_at, uint64_t *out_bytes)
{
    const struct repeat *repeat = relay->repeat;
    uint8_t head[OUTCOME_HEAD_BYTES];
    struct outcome outcome = { .state = OUTCOME_KEPT,
                               .status = relay->carbon->status,
                               .wall_ms = clock_wall_ms(),
                               .print = repeat->print,
                               .fields = carbon_fields(relay->carbon),
                               .body = carbon_bytes(relay->carbon) };
    memcpy(outcome.request_id, relay->id, sizeof outcome.request_id);
    outcome_head(&outcome, head);
    struct str pieces[] = { str_make((const char *)head, sizeof head), outcome.fields,
                            outcome.body };
    *out_bytes = sizeof head + outcome.fields.len + outcome.body.len;
    enum err err = parcel_put(relay->worker->segment, relay->worker->slot, pieces, 3, out_at);
    return err == ERR_OK ? OUTCOME_KEPT : OUTCOME_CROWDED;
}

void
repeat_close(struct relay *relay, struct ledger_record *record)
{
    struct repeat *repeat = relay->repeat;
    struct worker *worker = relay->worker;
    if (repeat == NULL || !repeat->is_held) {
        return;
    }
    enum outcome_state state = carbon_state(relay);
    bool is_served = relay->code == NULL || state == OUTCOME_KEPT;
    if (!is_served && record->cost_nano <= 0 && bill_tokens(record) == 0) {
        return;
    }
    uint64_t at = 0;
    uint64_t bytes = 0;
    if (state == OUTCOME_KEPT) {
        state = put_answer(relay, &at, &bytes);
    }
    memcpy(record->claim, repeat->name.bytes, sizeof record->claim);
    record->outcome = (uint8_t)state;
    claim_note(worker->segment, worker->slot, repeat->claim,
               ring_next(worker->segment, worker->slot), at, state == OUTCOME_KEPT ? bytes : 0);
    repeat->is_held = false; /* the recorder's, once the record is pushed */
}

void
repeat_end(struct relay *relay)
{
    if (relay->repeat != NULL) {
        let_go(relay);
        pool_give(&relay->worker->repeats, relay->repeat);
        relay->repeat = NULL;
    }
    carbon_fini(relay);
}

bool
repeat_wants_rest(const struct relay *relay)
{
    return relay->repeat != NULL && relay->repeat->is_held && relay->carbon->lost == OUTCOME_NONE &&
           !bridge_is_on(relay);
}

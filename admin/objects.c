#include "admin/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/api.h"
#include "admin/balance.h"
#include "admin/bearer.h"
#include "admin/census.h"
#include "admin/drainer.h"
#include "admin/live.h"
#include "admin/recorder.h"
#include "admin/trial.h"
#include "base/check.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "http/server.h"
#include "proto/caps.h"
#include "proto/dialect.h"
#include "proto/effort.h"
#include "shm/gate.h"
#include "shm/health.h"
#include "shm/lack.h"
#include "shm/spell.h"
#include "store/ledger.h"
#include "store/match.h"
#include "store/object.h"

/* One request's work; the object is too large for the stack of a deep call. */
struct work {
    struct server_request *request;
    struct recorder *recorder;
    enum model_kind kind;
    const struct model_table *table;
    union object object;
    char why[MODEL_WHY_BYTES];
};

static struct ledger *
ledger_of(const struct work *work)
{
    return work->recorder->ledger;
}

static void
answer_failure(const struct work *work, enum err err, const char *why)
{
    struct server_request *request = work->request;
    if (err == ERR_BAD) {
        api_error(request, 400, "invalid_request", why[0] != '\0' ? why : "Not a good value");
    } else if (err == ERR_DENIED) {
        api_error(request, 409, "conflict", why[0] != '\0' ? why : "It is in the way of another");
    } else if (err == ERR_GONE) {
        api_error(request, 404, "not_found", why[0] != '\0' ? why : "It does not exist");
    } else if (err == ERR_FULL) {
        api_error(request, 507, "full", why[0] != '\0' ? why : "There is no room for it");
    } else {
        api_error(request, 500, "internal_error", "The store cannot be used: see the log");
    }
}

/* --- showing --- */

static void
put_totals(struct jsonw *w, struct ledger *ledger, enum model_kind kind, uint64_t id)
{
    struct ledger_total total;
    if (ledger_total(ledger, kind, id, &total) != ERR_OK) {
        return;
    }
    jsonw_name(w, "totals");
    jsonw_object(w);
    jsonw_put_u64(w, "requests", total.requests);
    jsonw_put_u64(w, "failures", total.failures);
    jsonw_put_u64(w, "tokens_in", total.tokens_in);
    jsonw_put_u64(w, "tokens_out", total.tokens_out);
    balance_put(w, "cost", total.cost_nano);
    balance_put(w, "upstream_cost", total.upstream_nano);
    jsonw_put_u64(w, "last_used_ms", total.last_used_ms);
    jsonw_close(w);
}

/* The object's own members, then what is known of it while running. */
static enum err
write_object(const struct work *work, const void *object, struct buf *out)
{
    uint64_t id = ((const union object *)object)->id;
    enum err err = model_show(work->kind, object, out);
    if (err != ERR_OK) {
        return err;
    }
    struct buf more;
    buf_init(&more, 8192);
    struct jsonw w;
    jsonw_begin(&w, &more);
    jsonw_object(&w);
    put_totals(&w, ledger_of(work), work->kind, id);
    live_put_object(&w, work->recorder, work->kind, object);
    jsonw_close(&w);
    err = jsonw_end(&w);
    /* Join the two objects: "{a}" and "{b}" to "{a,b}". */
    struct str tail = buf_str(&more);
    if (err == ERR_OK && tail.len > 2) {
        CHECK(buf_len(out) > 0 && out->data[out->end - 1] == '}');
        out->data[out->end - 1] = ',';
        err = buf_append(out, str_skip(tail, 1));
    }
    buf_fini(&more);
    return err;
}

static void
answer_object(const struct work *work, uint16_t status)
{
    struct buf body;
    buf_init(&body, ADMIN_BODY_BYTES_MAX);
    enum err err = write_object(work, &work->object, &body);
    if (err == ERR_OK && status != 200) {
        api_answer(work->request, status, buf_str(&body));
        buf_fini(&body);
        return;
    }
    api_answer_buf(work->request, err, &body);
}

static void
list(struct work *work)
{
    struct buf body;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    enum err err = buf_append(&body, STR("{\"items\":["));
    uint64_t cursor = 0;
    bool is_first = true;
    while (err == ERR_OK &&
           ledger_next(ledger_of(work), work->kind, &cursor, &work->object) == ERR_OK) {
        if (!is_first) {
            err = buf_append(&body, STR(","));
        }
        is_first = false;
        if (err == ERR_OK) {
            err = write_object(work, &work->object, &body);
        }
    }
    if (err == ERR_OK) {
        err = buf_append(&body, STR("]}"));
    }
    api_answer_buf(work->request, err, &body);
}

/* --- creating and changing --- */

/* The store does not know the dialects: a name that is none would make a broken account. */
static enum err
check_dialects(struct work *work)
{
    uint32_t mask = 0;
    struct str list = str_of(work->object.account.dialects);
    if (work->kind != MODEL_ACCOUNT || list.len == 0 || dialect_mask_parse(list, &mask) == ERR_OK) {
        return ERR_OK;
    }
    str_copy(work->why, sizeof work->why,
             STR("dialects: of chat, responses, anthropic, gemini; or all"));
    return ERR_BAD;
}

/* Nor the words of efforts. */
static enum err
check_efforts(struct work *work)
{
    if (work->kind != MODEL_GROUP || effort_map_is_good(str_of(work->object.group.effort_map))) {
        return ERR_OK;
    }
    str_copy(work->why, sizeof work->why,
             STR("effort_map: of none, minimal, low, medium, high, xhigh, max, like high=xhigh"));
    return ERR_BAD;
}

/* Nor the words of capabilities. */
static enum err
check_caps(struct work *work)
{
    struct str bad;
    if (work->kind != MODEL_ACCOUNT || caps_list_is_good(str_of(work->object.account.caps), &bad)) {
        return ERR_OK;
    }
    snprintf(work->why, sizeof work->why, "caps: \"%.*s\" is none that can be set",
             (int)(bad.len < 64 ? bad.len : 64), bad.data);
    return ERR_BAD;
}

static enum err
apply(struct work *work, bool is_create, struct bearer *extra)
{
    struct buf fields;
    buf_init(&fields, ADMIN_BODY_BYTES_MAX);
    enum err err = bearer_split(work->request, work->kind, extra, &fields, work->why);
    if (err == ERR_OK) {
        err = model_apply(work->kind, &work->object, buf_str(&fields), is_create, work->why);
    }
    buf_fini(&fields);
    if (err == ERR_OK) {
        err = model_check(work->kind, &work->object, work->why);
    }
    err = err == ERR_OK ? check_dialects(work) : err;
    err = err == ERR_OK ? check_efforts(work) : err;
    return err == ERR_OK ? check_caps(work) : err;
}

/* A key that was just made: its text is in this answer and nowhere else. */
static void
answer_new_key(const struct work *work, const char *text)
{
    struct buf body;
    buf_init(&body, ADMIN_BODY_BYTES_MAX);
    struct jsonw w;
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    jsonw_put_text(&w, "key", text);
    jsonw_close(&w);
    enum err err = jsonw_end(&w);
    struct buf shown;
    buf_init(&shown, ADMIN_BODY_BYTES_MAX);
    if (err == ERR_OK) {
        err = write_object(work, &work->object, &shown);
    }
    if (err == ERR_OK) {
        body.data[body.end - 1] = ',';
        err = buf_append(&body, str_skip(buf_str(&shown), 1));
    }
    buf_fini(&shown);
    if (err == ERR_OK) {
        api_answer(work->request, 201, buf_str(&body));
    } else {
        api_error(work->request, 500, "internal_error", "The answer could not be put together");
    }
    digest_wipe(body.data, body.cap);
    buf_fini(&body);
}

/* An account that was made or changed may be asked for every model again, at every endpoint. */
static void
forget_spells(const struct work *work)
{
    struct segment *segment = work->recorder->segment;
    if (work->kind == MODEL_ACCOUNT && work->object.account.index < segment->accounts) {
        spell_forget(segment, work->object.account.index);
        lack_forget(segment, work->object.account.index);
    }
}

static void
forget_failures(const struct work *work)
{
    struct segment *segment = work->recorder->segment;
    if (work->object.account.index < segment->accounts) {
        health_reset(segment, work->object.account.index, loop_now_ms(work->recorder->loop));
    }
}

/* Who waits for an account of its groups tries again: this one may serve it now. */
static void
wake_waiters(const struct work *work)
{
    static struct group group;
    struct segment *segment = work->recorder->segment;
    const char *groups = work->object.account.groups;
    struct str rest = str_of(groups[0] == '\0' ? OBJECT_DEFAULT_GROUP : groups);
    struct str name;
    uint32_t pools[GROUPS_PER_ACCOUNT_MAX];
    uint32_t count = 0;
    while (count < GROUPS_PER_ACCOUNT_MAX && match_next(&rest, &name)) {
        if (ledger_find(ledger_of(work), MODEL_GROUP, name, &group) == ERR_OK &&
            gate_peek(segment, GATE_POOL, group.id, &pools[count]) == ERR_OK) {
            count++;
        }
    }
    gate_wake(segment, GATE_INDEX_NONE, pools, count);
}

/* The record is in the store as it is now, or is gone: whoever uses it reads it again. */
static void
tell(struct work *work, bool is_gone)
{
    switch (work->kind) {
    case MODEL_ACCOUNT:
        census_note(work->recorder, &work->object.account, is_gone);
        recorder_changed(work->recorder);
        wake_waiters(work);
        break;
    case MODEL_GROUP:
        recorder_changed(work->recorder);
        break;
    case MODEL_USER:
    case MODEL_KEY:
    case MODEL_PLAN:
        recorder_changed_key(work->recorder);
        break;
    }
}

static enum err
create_record(struct work *work)
{
    if (work->kind == MODEL_ACCOUNT && !census_has_room(work->recorder)) {
        snprintf(work->why, sizeof work->why, "there are %u accounts: no more fit ([shm] accounts)",
                 work->recorder->segment->accounts);
        return ERR_FULL;
    }
    enum err err = ledger_create(ledger_of(work), work->kind, &work->object);
    if (err != ERR_OK) {
        str_copy(work->why, sizeof work->why, str_of(ledger_why(ledger_of(work))));
    }
    return err;
}

static void
create(struct work *work)
{
    struct bearer extra = { .has_key = false };
    char text[KEY_BYTES_MAX + 1] = "";
    model_defaults(work->kind, &work->object);
    enum err err = apply(work, true, &extra);
    if (err == ERR_OK && work->kind == MODEL_ACCOUNT) {
        err = bearer_seal(&extra, work->request, ledger_of(work), &work->object.account, work->why);
    }
    if (err == ERR_OK && work->kind == MODEL_KEY) {
        err = bearer_key(&extra, work->request, &work->object.key, text, work->why);
    }
    if (err != ERR_OK) {
        answer_failure(work, err, work->why);
        digest_wipe(text, sizeof text);
        return;
    }
    err = create_record(work);
    if (err != ERR_OK) {
        answer_failure(work, err, work->why);
    } else {
        forget_spells(work);
        drainer_know(work->recorder->segment, ledger_of(work), work->kind, &work->object);
        tell(work, false);
        if (work->kind == MODEL_KEY && !extra.has_key) {
            answer_new_key(work, text);
        } else {
            answer_object(work, 201);
        }
    }
    digest_wipe(text, sizeof text);
}

static void
store_change(struct work *work)
{
    enum err err = ledger_update(ledger_of(work), work->kind, &work->object);
    if (err != ERR_OK) {
        answer_failure(work, err, ledger_why(ledger_of(work)));
        return;
    }
    forget_spells(work);
    drainer_know(work->recorder->segment, ledger_of(work), work->kind, &work->object);
    tell(work, false);
    answer_object(work, 200);
}

static void
set(struct work *work)
{
    struct bearer extra = { .has_key = false };
    enum err err = apply(work, false, &extra);
    if (err == ERR_OK && extra.has_key) {
        str_copy(work->why, sizeof work->why, STR("key: cannot be changed; make a new key"));
        err = ERR_BAD;
    }
    if (err == ERR_OK && work->kind == MODEL_ACCOUNT) {
        err = bearer_seal(&extra, work->request, ledger_of(work), &work->object.account, work->why);
    }
    if (err != ERR_OK) {
        answer_failure(work, err, work->why);
        return;
    }
    if (extra.has_secret) {
        forget_failures(work); /* they tell of the credential before */
    }
    store_change(work);
}

static void
set_disabled(struct work *work, bool is_disabled)
{
    switch (work->kind) {
    case MODEL_USER:
        work->object.user.is_disabled = is_disabled;
        break;
    case MODEL_KEY:
        work->object.key.is_disabled = is_disabled;
        break;
    case MODEL_GROUP:
        work->object.group.is_disabled = is_disabled;
        break;
    case MODEL_PLAN:
        work->object.plan.is_disabled = is_disabled;
        break;
    case MODEL_ACCOUNT:
        work->object.account.is_disabled = is_disabled;
        str_copy(work->object.account.disabled_why, sizeof work->object.account.disabled_why,
                 is_disabled ? STR("by the operator") : STR(""));
        if (!is_disabled) {
            forget_failures(work);
        }
        break;
    }
    store_change(work);
}

static void
remove_object(struct work *work)
{
    enum err err = ledger_remove(ledger_of(work), work->kind, work->object.id, work->why);
    if (err != ERR_OK) {
        answer_failure(work, err, work->why);
        return;
    }
    tell(work, true);
    api_answer(work->request, 200, STR("{\"ok\":true}"));
}

/* --- verbs --- */

/* False: a user has no such verb. */
static bool
handle_user_verb(struct work *work, struct str verb)
{
    bool is_post = str_equal(work->request->head.method, STR("POST"));
    if (!is_post && str_equal(verb, STR("balance"))) {
        balance_show(work->recorder, work->request, &work->object.user);
        return true;
    }
    if (is_post && str_equal(verb, STR("topup"))) {
        balance_topup(work->recorder, work->request, &work->object.user);
        return true;
    }
    return false;
}

static void
handle_account_verb(struct work *work, struct str verb)
{
    struct account *account = &work->object.account;
    if (str_equal(verb, STR("test"))) {
        trial_start(work->recorder, work->request, account->id, work->request->body);
    } else if (str_equal(verb, STR("reset"))) {
        forget_failures(work);
        forget_spells(work);
        wake_waiters(work);
        answer_object(work, 200);
    } else {
        api_error(work->request, 404, "not_found", "An account has no such verb");
    }
}

static void
handle_one(struct work *work, struct str verb)
{
    struct str method = work->request->head.method;
    bool is_post = str_equal(method, STR("POST"));
    if (verb.len == 0 && str_equal(method, STR("GET"))) {
        answer_object(work, 200);
    } else if (verb.len == 0 && str_equal(method, STR("PATCH"))) {
        set(work);
    } else if (verb.len == 0 && str_equal(method, STR("DELETE"))) {
        remove_object(work);
    } else if (is_post && str_equal(verb, STR("enable"))) {
        set_disabled(work, false);
    } else if (is_post && str_equal(verb, STR("disable"))) {
        set_disabled(work, true);
    } else if (work->kind == MODEL_USER && handle_user_verb(work, verb)) {
        return;
    } else if (is_post && work->kind == MODEL_ACCOUNT) {
        handle_account_verb(work, verb);
    } else {
        api_error(work->request, 405, "method_not_allowed", "Not done this way: see sub2apictl(1)");
    }
}

void
objects_handle(struct server_request *request, enum model_kind kind, struct str name,
               struct str verb)
{
    struct work *work = arena_alloc(&request->arena, sizeof *work);
    if (work == NULL) {
        api_error(request, 500, "internal_error", "Out of memory");
        return;
    }
    work->request = request;
    work->recorder = server_context(request);
    work->kind = kind;
    work->table = model_table(kind);
    bool is_post = str_equal(request->head.method, STR("POST"));
    if (name.len == 0) {
        if (is_post) {
            create(work);
        } else if (str_equal(request->head.method, STR("GET"))) {
            list(work);
        } else {
            api_error(request, 405, "method_not_allowed", "Use GET or POST");
        }
        return;
    }
    enum err err = ledger_find(ledger_of(work), kind, name, &work->object);
    if (err != ERR_OK) {
        struct str why = arena_printf(&request->arena, "There is no %s named '%.*s'",
                                      work->table->noun, STR_ARG(name));
        answer_failure(work, err, why.data == NULL ? "" : why.data);
        return;
    }
    handle_one(work, verb);
}

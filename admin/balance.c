#include "admin/balance.h"

#include "admin/api.h"
#include "admin/drainer.h"
#include "admin/recorder.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/money.h"
#include "shm/budget.h"
#include "shm/gate.h"
#include "store/ledger.h"

#define CHANGES_SHOWN 20u

void
balance_put(struct jsonw *w, const char *name, int64_t nano)
{
    char text[MONEY_TEXT_BYTES];
    jsonw_name(w, name);
    jsonw_raw(w, str_make(text, money_text(nano, 9, text)));
}

struct sums {
    int64_t credit_nano;
    int64_t used_nano;
    int64_t reserved_nano;
};

static void
read_sums(const struct recorder *recorder, const struct user *user, struct sums *out)
{
    struct ledger_total total;
    uint32_t gate = 0;
    *out = (struct sums){ .credit_nano = user->credit_nano };
    if (ledger_total(recorder->ledger, MODEL_USER, user->id, &total) == ERR_OK) {
        out->used_nano = total.balance_nano;
    }
    if (gate_peek(recorder->segment, GATE_USER, user->id, &gate) == ERR_OK) {
        struct budget_view view;
        budget_read(recorder->segment, gate, clock_wall_ms(), &view);
        out->reserved_nano = (int64_t)view.reserved.nano;
    }
}

static void
put_change(struct jsonw *w, const struct ledger_credit *change)
{
    char time[CLOCK_TEXT_BYTES];
    jsonw_object(w);
    jsonw_put_text(w, "time", clock_text(change->wall_ms, time));
    balance_put(w, "amount", change->amount_nano);
    balance_put(w, "credit", change->credit_nano);
    jsonw_put_text(w, "note", change->note);
    jsonw_close(w);
}

static void
put_line(struct jsonw *w, struct server_request *request, const struct user *user,
         const struct sums *sums)
{
    char balance[MONEY_TEXT_BYTES];
    char used[MONEY_TEXT_BYTES];
    char reserved[MONEY_TEXT_BYTES];
    money_text(money_add(sums->credit_nano, -sums->used_nano), 9, balance);
    money_text(sums->used_nano, 9, used);
    money_text(sums->reserved_nano, 9, reserved);
    struct str line =
        user->is_prepaid
            ? arena_printf(&request->arena,
                           "%s has $%s left; $%s used, $%s reserved by requests under way",
                           user->name, balance, used, reserved)
            : arena_printf(&request->arena, "%s is not prepaid: nothing is taken from a balance",
                           user->name);
    jsonw_name(w, "line");
    jsonw_str(w, line);
}

void
balance_show(struct recorder *recorder, struct server_request *request, const struct user *user)
{
    static struct ledger_credit changes[CHANGES_SHOWN];
    struct sums sums;
    uint32_t count = 0;
    struct buf body;
    struct jsonw w;
    read_sums(recorder, user, &sums);
    enum err err = ledger_credits(recorder->ledger, user->id, changes, CHANGES_SHOWN, &count);
    buf_init(&body, ADMIN_BODY_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    jsonw_put_text(&w, "user", user->name);
    jsonw_put_bool(&w, "prepaid", user->is_prepaid);
    balance_put(&w, "balance", money_add(sums.credit_nano, -sums.used_nano));
    balance_put(&w, "credit", sums.credit_nano);
    balance_put(&w, "used", sums.used_nano);
    balance_put(&w, "reserved", sums.reserved_nano);
    put_line(&w, request, user, &sums);
    jsonw_name(&w, "items");
    jsonw_array(&w);
    for (uint32_t i = 0; i < count; i++) {
        put_change(&w, &changes[i]);
    }
    jsonw_close(&w);
    jsonw_close(&w);
    err = err != ERR_OK ? err : jsonw_end(&w);
    api_answer_buf(request, err, &body);
}

/* A number or a text, with a sign: members of the body. */
static bool
read_topup(struct server_request *request, int64_t *out_nano, struct str *out_note)
{
    struct json_value body;
    struct json_value amount;
    struct json_value note;
    struct json_error error;
    struct str text = { NULL, 0 };
    *out_note = STR("");
    if (json_read(request->body, &body, &error) != ERR_OK || body.kind != JSON_OBJECT ||
        !json_get(body, STR("amount"), &amount)) {
        api_error(request, 400, "invalid_request", "amount: dollars are needed, like 12.5");
        return false;
    }
    if (amount.kind == JSON_NUMBER) {
        text = amount.raw;
    } else if (amount.kind != JSON_STRING ||
               json_string(amount, &request->arena, &text) != ERR_OK) {
        text = STR("");
    }
    if (money_read_nano(text, out_nano) != ERR_OK) {
        api_error(request, 400, "invalid_request",
                  "amount: dollars like 12.5 or -3, with at most 9 decimals");
        return false;
    }
    if (json_get(body, STR("note"), &note) &&
        json_string(note, &request->arena, out_note) != ERR_OK) {
        api_error(request, 400, "invalid_request", "note: a text");
        return false;
    }
    return true;
}

void
balance_topup(struct recorder *recorder, struct server_request *request, struct user *user)
{
    static union object object;
    int64_t nano = 0;
    struct str note;
    if (!read_topup(request, &nano, &note)) {
        return;
    }
    enum err err = ledger_topup(recorder->ledger, str_of(user->name), nano, note, &object.user);
    if (err != ERR_OK) {
        const char *why = ledger_why(recorder->ledger);
        api_error(request, err == ERR_BAD ? 400 : 500,
                  err == ERR_BAD ? "invalid_request" : "internal_error",
                  why[0] != '\0' ? why : "The store cannot be used: see the log");
        return;
    }
    char text[MONEY_TEXT_BYTES];
    money_text(nano, 9, text);
    log_event(LOG_INFO, "topup", "user=%s amount=%s", user->name, text);
    drainer_know(recorder->segment, recorder->ledger, MODEL_USER, &object);
    recorder_changed_key(recorder);
    balance_show(recorder, request, &object.user);
}

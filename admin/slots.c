#include "admin/slots.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/api.h"
#include "admin/recorder.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "http/server.h"
#include "shm/gate.h"
#include "shm/lease.h"
#include "shm/slot.h"
#include "store/ledger.h"
#include "store/object.h"

/* Looks at a gate that does not agree, before it is said so. */
#define LOOKS_MAX 16u
#define READ_TRIES 8u

enum verdict { VERDICT_OK, VERDICT_MOVING, VERDICT_DIFFERS };

/* What all gates together come to. */
struct sum {
    uint32_t gates;
    uint32_t shown;
    uint64_t held;
    uint64_t leases;
    uint32_t differing;
    uint32_t moving;
};

/* --- leases --- */

static bool
read_held(const struct segment *segment, uint32_t slot, uint32_t index, struct lease_data *out)
{
    for (uint32_t i = 0; i < READ_TRIES; i++) {
        struct lease_view view;
        enum err err = lease_read(segment, slot, index, &view);
        if (err == ERR_OK) {
            *out = view.data;
            return view.state == LEASE_HELD;
        }
        if (err == ERR_GONE) {
            return false;
        }
    }
    return false;
}

static void
count_one(const struct segment *segment, const struct lease_data *lease, uint32_t *counts)
{
    const uint32_t gates[] = { lease->gate_user, lease->gate_key, lease->gate_group,
                               lease->gate_account };
    for (size_t i = 0; i < sizeof gates / sizeof gates[0]; i++) {
        if (gates[i] < segment->gates) {
            counts[gates[i]]++;
        }
    }
}

/* Adds every lease to the gates it names. */
static void
count_leases(const struct segment *segment, uint32_t *counts)
{
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        uint32_t left = lease_count(segment, slot);
        for (uint32_t i = 0; i < segment->leases && left > 0; i++) {
            struct lease_data lease;
            if (read_held(segment, slot, i, &lease)) {
                count_one(segment, &lease, counts);
                left--;
            }
        }
    }
}

static uint32_t
leases_of(const struct segment *segment, uint32_t gate)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        uint32_t left = lease_count(segment, slot);
        for (uint32_t i = 0; i < segment->leases && left > 0; i++) {
            struct lease_data lease;
            if (!read_held(segment, slot, i, &lease)) {
                continue;
            }
            left--;
            count += lease.gate_user == gate || lease.gate_key == gate ||
                     lease.gate_group == gate || lease.gate_account == gate;
        }
    }
    return count;
}

/* Looks until gate and leases agree; *counted is the last count of leases. */
static enum verdict
judge(const struct segment *segment, uint32_t gate, struct gate_view *view, uint32_t *counted)
{
    gate_read(segment, gate, view);
    if (view->held == *counted) {
        return VERDICT_OK;
    }
    bool stood_still = false;
    for (uint32_t i = 0; i < LOOKS_MAX; i++) {
        uint32_t before = gate_held(segment, gate);
        *counted = leases_of(segment, gate);
        gate_read(segment, gate, view);
        if (view->held == *counted) {
            return VERDICT_OK;
        }
        stood_still = stood_still || before == view->held;
    }
    return stood_still ? VERDICT_DIFFERS : VERDICT_MOVING;
}

/* --- whose gate --- */

struct owner {
    char name[NAME_BYTES];
    uint32_t limit; /* 0 = none */
};

static bool
kind_of(enum gate_kind gate, enum model_kind *out)
{
    switch (gate) {
    case GATE_USER:
        *out = MODEL_USER;
        return true;
    case GATE_KEY:
        *out = MODEL_KEY;
        return true;
    case GATE_GROUP:
    case GATE_POOL:
        *out = MODEL_GROUP;
        return true;
    case GATE_ACCOUNT:
        *out = MODEL_ACCOUNT;
        return true;
    case GATE_PLAN:
        *out = MODEL_PLAN;
        return true;
    case GATE_NONE:
        return false;
    }
    return false;
}

/* The name stays empty when the object was removed. */
static void
find_owner(struct ledger *ledger, const struct gate_view *gate, struct owner *out)
{
    static union object object;
    enum model_kind kind = MODEL_USER;
    *out = (struct owner){ .limit = 0 };
    uint64_t cursor = gate->id - 1;
    if (gate->id == 0 || !kind_of(gate->kind, &kind) ||
        ledger_next(ledger, kind, &cursor, &object) != ERR_OK || object.id != gate->id) {
        return;
    }
    const char *name = "";
    switch (kind) {
    case MODEL_USER:
        name = object.user.name;
        out->limit = object.user.concurrency;
        break;
    case MODEL_KEY:
        name = object.key.name;
        out->limit = object.key.concurrency;
        break;
    case MODEL_GROUP:
        name = object.group.name;
        out->limit = gate->kind == GATE_POOL ? 0 : object.group.concurrency;
        break;
    case MODEL_ACCOUNT:
        name = object.account.name;
        out->limit = object.account.concurrency;
        break;
    case MODEL_PLAN:
        name = object.plan.name; /* nothing is held there */
        break;
    }
    str_copy(out->name, sizeof out->name, str_of(name));
}

/* --- the answer --- */

/* "worker 0: 2 held, 1 waiting; worker 1: ..." for people, the same as an array for programs. */
static void
put_columns(struct jsonw *w, const struct segment *segment, const struct gate_view *gate)
{
    char text[1024] = "";
    size_t used = 0;
    jsonw_name(w, "columns");
    jsonw_array(w);
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        if (gate->held_by[slot] == 0 && gate->waiting_by[slot] == 0) {
            continue;
        }
        struct slot_view process;
        slot_read(segment, slot, &process);
        jsonw_object(w);
        jsonw_put_u64(w, "slot", slot);
        jsonw_put_u64(w, "worker", process.worker);
        jsonw_put_u64(w, "pid", process.pid);
        jsonw_put_u64(w, "held", gate->held_by[slot]);
        jsonw_put_u64(w, "waiting", gate->waiting_by[slot]);
        jsonw_close(w);
        int length = snprintf(text + used, sizeof text - used, "%s%u:%u+%u", used == 0 ? "" : " ",
                              process.worker, gate->held_by[slot], gate->waiting_by[slot]);
        if (length > 0 && used + (size_t)length < sizeof text) {
            used += (size_t)length;
        }
    }
    jsonw_close(w);
    text[used] = '\0';
    jsonw_put_text(w, "by_worker", text);
}

static void
put_gate(struct jsonw *w, const struct recorder *recorder, const struct gate_view *gate,
         uint32_t leases, enum verdict verdict)
{
    static const char *const texts[] = { "ok", "moving", "differs" };
    static const char *const kinds[GATE_KINDS] = {
        "none", "user", "key", "group", "account", "pool"
    };
    struct owner owner;
    find_owner(recorder->ledger, gate, &owner);
    uint64_t now_ns = clock_now_ns();
    jsonw_object(w);
    jsonw_put_text(w, "kind", kinds[(uint32_t)gate->kind % GATE_KINDS]);
    jsonw_put_u64(w, "id", gate->id);
    jsonw_put_text(w, "name", owner.name);
    jsonw_put_u64(w, "limit", owner.limit);
    jsonw_put_u64(w, "held", gate->held);
    jsonw_put_u64(w, "waiting", gate->waiting);
    bool is_waited = gate->head_ns != 0 && gate->head_ns < now_ns;
    jsonw_put_u64(w, "oldest_ms", is_waited ? (now_ns - gate->head_ns) / 1000000u : 0);
    jsonw_put_u64(w, "leases", leases);
    jsonw_put_text(w, "check", texts[verdict]);
    put_columns(w, recorder->segment, gate);
    jsonw_close(w);
}

static void
put_gates(struct jsonw *w, const struct recorder *recorder, uint32_t *counts, bool wants_all,
          struct sum *sum)
{
    const struct segment *segment = recorder->segment;
    static struct gate_view gate;
    jsonw_name(w, "items");
    jsonw_array(w);
    for (uint32_t i = 0; i < segment->gates; i++) {
        if (atomic_load_explicit(&segment->gate_keys[i].word, memory_order_acquire) == 0) {
            continue;
        }
        enum verdict verdict = judge(segment, i, &gate, &counts[i]);
        sum->gates++;
        sum->held += gate.held;
        sum->leases += counts[i];
        sum->differing += verdict == VERDICT_DIFFERS;
        sum->moving += verdict == VERDICT_MOVING;
        if (wants_all || gate.held != 0 || gate.waiting != 0 || counts[i] != 0) {
            sum->shown++;
            put_gate(w, recorder, &gate, counts[i], verdict);
        }
    }
    jsonw_close(w);
}

static void
put_sum(struct jsonw *w, const struct sum *sum)
{
    char line[160] = "ok";
    if (sum->differing != 0) {
        snprintf(line, sizeof line,
                 "%u gates differ from the leases (%llu held in all, %llu by leases)",
                 sum->differing, (unsigned long long)sum->held, (unsigned long long)sum->leases);
    } else if (sum->moving != 0) {
        snprintf(line, sizeof line, "ok; %u gates moved too fast to be compared", sum->moving);
    }
    jsonw_put_bool(w, "ok", sum->differing == 0);
    jsonw_put_text(w, "line", line);
    jsonw_put_u64(w, "gates", sum->gates);
    jsonw_put_u64(w, "in_use", sum->shown);
    jsonw_put_u64(w, "held", sum->held);
    jsonw_put_u64(w, "leases", sum->leases);
    jsonw_put_u64(w, "differing", sum->differing);
}

void
slots_handle(struct server_request *request)
{
    const struct recorder *recorder = server_context(request);
    uint32_t *counts = calloc(recorder->segment->gates, sizeof *counts);
    if (counts == NULL) {
        api_error(request, 500, "internal_error", "Out of memory");
        return;
    }
    struct sum sum = { .gates = 0 };
    struct buf body;
    struct jsonw w;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    count_leases(recorder->segment, counts);
    put_gates(&w, recorder, counts, str_equal(request->head.query, STR("all=1")), &sum);
    put_sum(&w, &sum);
    jsonw_close(&w);
    free(counts);
    api_answer_buf(request, jsonw_end(&w), &body);
}

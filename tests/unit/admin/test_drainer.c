/* Rings and leases into the store: each record exactly once, whoever dies when. */
#include "admin/drainer.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "shm/budget.h"
#include "shm/claim.h"
#include "shm/counter.h"
#include "shm/gate.h"
#include "shm/lease.h"
#include "shm/ring.h"
#include "store/outcome.h"
#include "tests/unit/shm/testseg.h"
#include "tests/unit/store/tempdir.h"

#define RECORDS_MAX 64u

struct fixture {
    struct testseg test;
    struct segment *segment;
    uint32_t recorder;
    uint32_t worker;
    struct ring_local ring;
    struct lease_local leases;
    struct ledger_record stored[RECORDS_MAX];
    uint32_t stored_count;
};

/* A store without anybody in it: each process opens it for itself. */
static void
begin(struct fixture *f)
{
    *f = (struct fixture){ .segment = NULL };
    tempdir_make();
    ledger_close(tempdir_ledger());
    testseg_make(&f->test, 4, 16, 64, 16);
    f->segment = &f->test.segment;
    f->recorder = testseg_active(&f->test, SLOT_RECORDER);
    f->worker = testseg_active(&f->test, SLOT_WORKER);
    ring_init(&f->ring, f->segment, f->worker);
    cr_assert(lease_init(&f->leases, f->segment, f->worker) == ERR_OK);
}

static void
finish(struct fixture *f)
{
    free(f->leases.free_list); /* lease_fini insists that nothing is held */
    tempdir_remove();
}

static struct ledger *
open_ledger(void)
{
    struct ledger *ledger = NULL;
    cr_assert(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger) == ERR_OK);
    return ledger;
}

static void
push(struct fixture *f, uint64_t number, uint64_t key_id)
{
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .key_id = key_id,
                                    .in_fresh = 10,
                                    .out_total = number,
                                    .is_last = 1 };
    cr_assert(ring_reserve(&f->ring, 1) == ERR_OK);
    ring_push(&f->ring, &record);
}

static void
hold(struct fixture *f, uint64_t account_id, uint64_t out_tokens)
{
    struct lease_data data = { .account_id = account_id,
                               .start_ms = 10,
                               .last_byte_ms = 30,
                               .tokens = { .out = out_tokens } };
    uint32_t index = 0;
    cr_assert(ring_reserve(&f->ring, 1) == ERR_OK);
    cr_assert(lease_take(&f->leases, &data, &index) == ERR_OK);
}

static void
read_stored(struct fixture *f)
{
    struct ledger *ledger = open_ledger();
    uint64_t sequences[RECORDS_MAX];
    cr_assert(ledger_recent(ledger, 0, f->stored, sequences, RECORDS_MAX, &f->stored_count) ==
              ERR_OK);
    ledger_close(ledger);
}

static uint32_t
times_stored(const struct fixture *f, uint64_t number)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->stored_count; i++) {
        count += f->stored[i].out_total == number ? 1 : 0;
    }
    return count;
}

/* A recorder's life in short: load, sweep, commit. */
static void
record(void *context)
{
    struct fixture *f = context;
    struct ledger *ledger = NULL;
    if (ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger) != ERR_OK ||
        drainer_load(f->segment, ledger) != ERR_OK) {
        abort();
    }
    drainer_sweep(f->segment, ledger, f->recorder);
    if (drainer_commit(f->segment, ledger, NULL) != ERR_OK) {
        abort();
    }
    ledger_close(ledger);
}

Test(drainer, commits_what_all_rings_hold_and_frees_it)
{
    struct fixture f;
    begin(&f);
    uint32_t other = testseg_active(&f.test, SLOT_WORKER);
    struct ring_local ring;
    ring_init(&ring, f.segment, other);
    for (uint64_t i = 1; i <= 10; i++) {
        push(&f, i, 0);
    }
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION, .out_total = 99 };
    cr_assert(ring_reserve(&ring, 1) == ERR_OK);
    ring_push(&ring, &record);
    struct ledger *ledger = open_ledger();
    uint64_t count = 0;
    cr_assert(drainer_commit(f.segment, ledger, &count) == ERR_OK);
    cr_expect_eq(count, 11);
    cr_expect(ring_used(f.segment, f.worker) == 0 && ring_used(f.segment, other) == 0);
    cr_assert(drainer_commit(f.segment, ledger, &count) == ERR_OK);
    cr_expect_eq(count, 0);
    /* Around the ring's end. */
    for (uint64_t i = 11; i <= 24; i++) {
        push(&f, i, 0);
    }
    cr_assert(drainer_commit(f.segment, ledger, &count) == ERR_OK);
    cr_expect_eq(count, 14);
    ledger_close(ledger);
    read_stored(&f);
    cr_expect_eq(f.stored_count, 25);
    for (uint64_t i = 1; i <= 24; i++) {
        cr_expect_eq(times_stored(&f, i), 1, "%u", (unsigned)i);
    }
    cr_expect_eq(times_stored(&f, 99), 1);
    finish(&f);
}

/* Waits until the store has the ring's records up to `sequence`; false: it took too long. */
static bool
is_stored(const struct fixture *f, uint64_t sequence)
{
    struct ledger *ledger = open_ledger();
    uint64_t stored = 0;
    for (int i = 0; i < 5000 && stored < sequence; i++) {
        cr_assert(ledger_position(ledger, f->segment->run_id, f->worker, &stored) == ERR_OK);
        usleep(1000);
    }
    ledger_close(ledger);
    return stored >= sequence;
}

/* What comes while a commit is under way waits for the next: 2 = it did not. */
static void
commit_slowly(void *context)
{
    struct fixture *f = context;
    struct ledger *ledger = open_ledger();
    uint64_t count = 0;
    fault_set("drainer.after_commit=sleep1000");
    bool done = drainer_commit(f->segment, ledger, &count) == ERR_OK;
    ledger_close(ledger);
    _exit(done && count == 3 ? 0 : 2);
}

Test(drainer, leaves_what_comes_during_a_commit_to_the_next)
{
    struct fixture f;
    begin(&f);
    for (uint64_t i = 1; i <= 3; i++) {
        push(&f, i, 0);
    }
    cr_expect_eq(drainer_need(f.segment), DRAINER_RECORDS);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        commit_slowly(&f);
    }
    cr_assert(is_stored(&f, 3));
    push(&f, 4, 0);
    int status = 0;
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_expect_eq(ring_used(f.segment, f.worker), 1);
    cr_expect_eq(drainer_need(f.segment), DRAINER_RECORDS);
    struct ledger *ledger = open_ledger();
    cr_assert(drainer_commit(f.segment, ledger, NULL) == ERR_OK);
    ledger_close(ledger);
    cr_expect_eq(drainer_need(f.segment), DRAINER_EMPTY);
    for (uint64_t i = 5; i <= 13; i++) {
        push(&f, i, 0);
    }
    cr_expect_eq(drainer_need(f.segment), DRAINER_PRESSED);
    finish(&f);
}

/* Killed at `fault`, then a second recorder: every record once. */
static void
survives(const char *fault)
{
    struct fixture f;
    begin(&f);
    for (uint64_t i = 1; i <= 8; i++) {
        push(&f, i, 0);
    }
    cr_assert(testseg_dies(fault, record, &f), "%s was not passed", fault);
    push(&f, 9, 0); /* the workers go on meanwhile */
    cr_assert(!testseg_dies(NULL, record, &f));
    read_stored(&f);
    cr_expect_eq(f.stored_count, 9, "%s: %u", fault, f.stored_count);
    for (uint64_t i = 1; i <= 9; i++) {
        cr_expect_eq(times_stored(&f, i), 1, "%s: record %u %u times", fault, (unsigned)i,
                     times_stored(&f, i));
    }
    cr_expect_eq(ring_used(f.segment, f.worker), 0);
    finish(&f);
}

Test(drainer, stores_each_record_once_whenever_the_recorder_dies)
{
    static const char *const faults[] = { "ledger.before_commit=kill", "ledger.after_commit=kill",
                                          "drainer.after_commit=kill", "drainer.before_free=kill",
                                          "ring.before_free=kill" };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        survives(faults[i]);
    }
}

/* A worker with two finished requests, two that reached an account and one that did not. */
static void
kill_worker(struct fixture *f)
{
    push(f, 1, 0);
    push(f, 2, 0);
    hold(f, 7, 1001);
    hold(f, 7, 1002);
    hold(f, 0, 1003);
    cr_assert(!slot_reap(f->segment, f->worker), "it did not leave in good order");
    cr_assert_eq(slot_state(f->segment, f->worker), SLOT_DEAD);
}

static void
expect_billed(struct fixture *f, const char *when)
{
    read_stored(f);
    cr_expect_eq(f->stored_count, 4, "%s: %u records", when, f->stored_count);
    static const uint64_t numbers[] = { 1, 2, 1001, 1002 };
    for (size_t i = 0; i < 4; i++) {
        cr_expect_eq(times_stored(f, numbers[i]), 1, "%s: %u %u times", when, (unsigned)numbers[i],
                     times_stored(f, numbers[i]));
    }
    for (uint32_t i = 0; i < f->stored_count; i++) {
        if (f->stored[i].out_total > 1000) {
            cr_expect_str_eq(f->stored[i].code, "worker_died");
            cr_expect_eq(f->stored[i].source, LEDGER_PARTIAL);
            cr_expect_eq(f->stored[i].duration_ms, 20);
        }
    }
    cr_expect_eq(slot_state(f->segment, f->worker), SLOT_FREE, "%s", when);
    cr_expect_eq(lease_count(f->segment, f->worker), 0, "%s", when);
    cr_expect(gate_is_clean(f->segment, f->worker), "%s", when);
}

static enum err
reserve(struct fixture *f, uint32_t gate, uint64_t tokens)
{
    struct budget_limits limits;
    enum budget_meter meter;
    budget_no_limits(&limits);
    limits.most[BUDGET_TOKENS] = 1000;
    return budget_take(f->segment, f->worker, gate, &limits,
                       (struct budget_amount){ .tokens = tokens }, clock_wall_ms(), &meter);
}

Test(drainer, bills_a_dead_workers_requests_and_clears_what_it_held)
{
    struct fixture f;
    begin(&f);
    uint32_t gate = 0;
    cr_assert(gate_find(f.segment, GATE_KEY, 5, &gate) == ERR_OK);
    cr_assert(gate_take(f.segment, f.worker, gate, 1, 0) == ERR_OK);
    cr_assert(reserve(&f, gate, 600) == ERR_OK);
    kill_worker(&f);
    struct ledger *ledger = open_ledger();
    cr_expect(drainer_sweep(f.segment, ledger, f.recorder));
    cr_expect(!drainer_sweep(f.segment, ledger, f.recorder), "nobody is dead any more");
    ledger_close(ledger);
    expect_billed(&f, "at once");
    struct budget_view budget;
    budget_read(f.segment, gate, clock_wall_ms(), &budget);
    cr_expect(gate_held(f.segment, gate) == 0 && budget.reserved.tokens == 0);
    cr_expect_eq(counter_of(f.segment, f.recorder, COUNTER_SWEEPS), 1);
    cr_expect_eq(counter_of(f.segment, f.recorder, COUNTER_ORPHANS), 3);
    finish(&f);
}

Test(drainer, bills_orphans_once_whenever_the_recorder_dies)
{
    static const char *const faults[] = {
        "lease.after_notes=kill",   "lease.after_note=kill",      "lease.after_note:2=kill",
        "ring.before_publish=kill", "ring.after_publish=kill",    "lease.after_push=kill",
        "lease.after_push:2=kill",  "drainer.after_orphans=kill", "ledger.before_commit=kill",
        "ledger.after_commit=kill", "drainer.after_commit=kill",  "drainer.before_free=kill",
        "gate.mid_sweep=kill",      "slot.between_sweeps=kill",   "slot.before_free=kill",
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct fixture f;
        begin(&f);
        uint32_t gate = 0;
        cr_assert(gate_find(f.segment, GATE_KEY, 5, &gate) == ERR_OK);
        cr_assert(gate_take(f.segment, f.worker, gate, 1, 0) == ERR_OK);
        kill_worker(&f);
        cr_assert(testseg_dies(faults[i], record, &f), "%s was not passed", faults[i]);
        cr_assert(!testseg_dies(NULL, record, &f), "%s", faults[i]);
        expect_billed(&f, faults[i]);
        cr_expect_eq(gate_held(f.segment, gate), 0, "%s", faults[i]);
        finish(&f);
    }
}

Test(drainer, leaves_living_slots_alone)
{
    struct fixture f;
    begin(&f);
    hold(&f, 7, 1001);
    struct ledger *ledger = open_ledger();
    cr_expect(!drainer_sweep(f.segment, ledger, f.recorder));
    ledger_close(ledger);
    cr_expect_eq(lease_count(f.segment, f.worker), 1);
    read_stored(&f);
    cr_expect_eq(f.stored_count, 0);
    finish(&f);
}

static uint64_t
make_key(struct ledger *ledger, uint64_t quota)
{
    static struct key key;
    cr_assert(tempdir_make_user(ledger, "joe") == ERR_OK);
    cr_assert(tempdir_make_group(ledger, "all") == ERR_OK);
    cr_assert(tempdir_make_key(ledger, "k", "joe", "all") == ERR_OK);
    cr_assert(ledger_find(ledger, MODEL_KEY, STR("k"), &key) == ERR_OK);
    key.quota_tokens = quota;
    cr_assert(ledger_update(ledger, MODEL_KEY, &key) == ERR_OK);
    return key.id;
}

Test(drainer, keeps_the_settled_amount_of_a_key_with_the_store)
{
    struct fixture f;
    begin(&f);
    struct ledger *ledger = open_ledger();
    uint64_t key_id = make_key(ledger, 1000);
    cr_assert(drainer_load(f.segment, ledger) == ERR_OK);
    uint32_t gate = 0;
    cr_assert(gate_peek(f.segment, GATE_KEY, key_id, &gate) == ERR_OK, "a quota has its gate");
    push(&f, 100, key_id); /* 10 in, 100 out */
    push(&f, 200, key_id);
    cr_assert(drainer_commit(f.segment, ledger, NULL) == ERR_OK);
    struct budget_view budget;
    budget_read(f.segment, gate, clock_wall_ms(), &budget);
    cr_expect_eq(budget.settled[BUDGET_TOKENS], 320);
    /* A recorder that starts again in a fresh segment reads it from the store. */
    const struct budget_stored nothing = { .total = { 0, 0 } };
    budget_set_settled(f.segment, gate, &nothing);
    cr_assert(drainer_load(f.segment, ledger) == ERR_OK);
    budget_read(f.segment, gate, clock_wall_ms(), &budget);
    cr_expect_eq(budget.settled[BUDGET_TOKENS], 320);
    ledger_close(ledger);
    finish(&f);
}

Test(drainer, never_shows_a_charge_twice_or_not_at_all)
{
    struct fixture f;
    begin(&f);
    struct ledger *ledger = open_ledger();
    uint64_t key_id = make_key(ledger, 1000);
    cr_assert(drainer_load(f.segment, ledger) == ERR_OK);
    uint32_t gate = 0;
    cr_assert(gate_peek(f.segment, GATE_KEY, key_id, &gate) == ERR_OK);
    cr_assert(reserve(&f, gate, 500) == ERR_OK);
    uint64_t sequence = ring_next(f.segment, f.worker);
    push(&f, 100, key_id);
    budget_settle(f.segment, f.worker, gate, (struct budget_amount){ .tokens = 500 },
                  (struct budget_amount){ .tokens = 110 }, sequence);
    struct budget_view budget;
    budget_read(f.segment, gate, clock_wall_ms(), &budget);
    cr_expect(budget.settled[BUDGET_TOKENS] == 0 && budget.charged.tokens == 110 &&
              budget.reserved.tokens == 0);
    cr_assert(drainer_commit(f.segment, ledger, NULL) == ERR_OK);
    budget_read(f.segment, gate, clock_wall_ms(), &budget);
    cr_expect(budget.settled[BUDGET_TOKENS] == 110 && budget.charged.tokens == 0, "%u and %u",
              (unsigned)budget.settled[BUDGET_TOKENS], (unsigned)budget.charged.tokens);
    ledger_close(ledger);
    finish(&f);
}

/* --- requests with an Idempotency-Key --- */

static const uint8_t twin[CLAIM_NAME_BYTES] = { 1, 2, 3 };

static uint32_t
claim(struct fixture *f, uint32_t slot)
{
    struct claim_name name;
    struct digest print = { { 7 } };
    uint32_t index = 0;
    memcpy(name.bytes, twin, sizeof name.bytes);
    cr_assert(claim_take(f->segment, slot, &name, &print, &index) == ERR_OK);
    return index;
}

static bool
has_outcome(enum outcome_state state)
{
    struct ledger *ledger = open_ledger();
    struct kv_txn *txn = NULL;
    struct outcome outcome = { .state = OUTCOME_NONE };
    struct str row;
    cr_assert(kv_begin(ledger_kv(ledger), &txn) == ERR_OK);
    if (outcome_get(txn, twin, &row) == ERR_OK) {
        cr_assert(outcome_read(row, &outcome) == ERR_OK);
    }
    kv_end(txn);
    ledger_close(ledger);
    return outcome.state == state;
}

/* Whoever takes the name finds the outcome, or nobody was billed: at every step of the recorder. */
Test(drainer, a_name_is_free_only_when_its_outcome_is_stored)
{
    static const char *const plans[] = { "ledger.after_commit=kill", "drainer.after_commit=kill",
                                         "drainer.before_free=kill", "claim.releasing=kill",
                                         "claim.before_free=kill",   "ring.before_free=kill" };
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct fixture f;
        begin(&f);
        struct ledger_record bill = { .version = LEDGER_RECORD_VERSION,
                                      .out_total = 5,
                                      .is_last = 1,
                                      .outcome = OUTCOME_STREAM };
        memcpy(bill.claim, twin, sizeof twin);
        claim_note(f.segment, f.worker, claim(&f, f.worker), 0, 0, 0);
        cr_assert(ring_reserve(&f.ring, 1) == ERR_OK);
        ring_push(&f.ring, &bill);
        cr_assert(testseg_dies(plans[i], record, &f), "%s", plans[i]);
        cr_expect(claim_count(f.segment) == 1 || has_outcome(OUTCOME_STREAM), "%s", plans[i]);
        cr_assert(!testseg_dies(NULL, record, &f), "%s", plans[i]);
        cr_expect_eq(claim_count(f.segment), 0, "%s", plans[i]);
        cr_expect(has_outcome(OUTCOME_STREAM), "%s", plans[i]);
        read_stored(&f);
        cr_expect_eq(times_stored(&f, 5), 1, "%s", plans[i]);
        finish(&f);
    }
}

/* A dead worker's: billed means that it can be found; what was not billed is free. */
Test(drainer, a_dead_workers_name_is_billed_or_free)
{
    for (uint64_t tokens = 0; tokens < 10; tokens += 9) {
        struct fixture f;
        begin(&f);
        struct lease_data data = { .account_id = 3,
                                   .start_ms = 10,
                                   .last_byte_ms = 30,
                                   .bytes_out = tokens,
                                   .tokens = { .out = tokens } };
        uint32_t index = 0;
        memcpy(data.claim, twin, sizeof twin);
        claim(&f, f.worker);
        cr_assert(ring_reserve(&f.ring, 1) == ERR_OK);
        cr_assert(lease_take(&f.leases, &data, &index) == ERR_OK);
        cr_assert(!slot_reap(f.segment, f.worker));
        cr_assert(testseg_dies("drainer.after_orphans=kill", record, &f));
        cr_assert(!testseg_dies(NULL, record, &f));
        cr_expect_eq(claim_count(f.segment), 0);
        cr_expect(has_outcome(tokens > 0 ? OUTCOME_DIED : OUTCOME_NONE));
        finish(&f);
    }
}

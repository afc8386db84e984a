/*
 * Limits and queues. The first tests step through the protocol by hand; the last ones run several
 * processes without any tick that could hide a lost wake-up, kill them, and watch limit and
 * progress.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "shm/gate.h"
#include "shm/slot.h"
#include "shm/wake.h"
#include "tests/unit/shm/testseg.h"

static uint32_t
gate_of(struct testseg *test, enum gate_kind kind, uint64_t id)
{
    uint32_t gate = GATE_INDEX_NONE;
    enum err err = gate_find(&test->segment, kind, id, &gate);
    cr_assert(err == ERR_OK);
    return gate;
}

Test(gate, is_found_by_kind_and_id_until_the_table_is_full)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 8, 16);
    struct segment *segment = &test.segment;
    uint32_t found[8];
    for (uint64_t id = 0; id < 8; id++) {
        uint32_t peeked;
        cr_expect(gate_peek(segment, GATE_USER, id, &peeked) == ERR_GONE);
        cr_assert(gate_find(segment, GATE_USER, id, &found[id]) == ERR_OK);
        cr_expect(gate_peek(segment, GATE_USER, id, &peeked) == ERR_OK && peeked == found[id]);
        for (uint64_t other = 0; other < id; other++) {
            cr_expect(found[other] != found[id]);
        }
    }
    uint32_t gate;
    cr_expect(gate_find(segment, GATE_KEY, 0, &gate) == ERR_FULL);
    cr_expect(gate_find(segment, GATE_USER, 5, &gate) == ERR_OK && gate == found[5]);
    struct gate_view view;
    gate_read(segment, gate, &view);
    cr_expect(view.kind == GATE_USER && view.id == 5);
    cr_expect_str_eq(gate_kind_text(view.kind), "user");
}

static void
find_all(void *context)
{
    struct testseg *test = context;
    for (uint64_t id = 1; id <= 200; id++) {
        uint32_t gate;
        if (gate_find(&test->segment, GATE_USER, id, &gate) != ERR_OK) {
            abort();
        }
    }
}

Test(gate, is_made_once_by_processes_that_race_for_it)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 256, 16);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            testseg_child();
            find_all(&test);
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++) {
        int status;
        cr_assert(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
    }
    uint32_t used = 0;
    for (uint32_t gate = 0; gate < test.segment.gates; gate++) {
        struct gate_view view;
        gate_read(&test.segment, gate, &view);
        used += view.kind != GATE_NONE ? 1u : 0u;
    }
    cr_expect(used == 200, "%u", used);
}

Test(gate, counts_over_slots_and_keeps_the_limit)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint32_t gate = gate_of(&test, GATE_KEY, 7);
    cr_expect(gate_take(segment, 0, gate, 3, 0) == ERR_OK);
    cr_expect(gate_take(segment, 1, gate, 3, 0) == ERR_OK);
    cr_expect(gate_take(segment, 2, gate, 3, 0) == ERR_OK);
    cr_expect(gate_take(segment, 2, gate, 3, 0) == ERR_FULL);
    cr_expect(gate_held(segment, gate) == 3);
    cr_expect(gate_take(segment, 3, gate, 0, 0) == ERR_OK, "0 = no limit, still counted");
    cr_expect(gate_held(segment, gate) == 4);
    gate_give(segment, 3, gate, NULL, 0);
    cr_expect(gate_take(segment, 3, gate, 3, 0) == ERR_FULL);
    cr_expect(gate_take(segment, 3, gate, 4, 0) == ERR_OK, "the limit is the caller's");
    struct gate_view view;
    gate_read(segment, gate, &view);
    cr_expect(view.held == 4 && view.held_by[2] == 1 && view.waiting == 0);
}

static void
give_too_much(void *context)
{
    struct testseg *test = context;
    uint32_t gate;
    (void)!gate_find(&test->segment, GATE_KEY, 7, &gate);
    gate_give(&test->segment, 1, gate, NULL, 0);
}

Test(gate, dies_when_more_is_given_than_was_taken)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    uint32_t gate = gate_of(&test, GATE_KEY, 7);
    cr_assert(gate_take(&test.segment, 0, gate, 1, 0) == ERR_OK);
    cr_expect(testseg_dies(NULL, give_too_much, &test));
}

/* --- queues, stepped by hand --- */

struct waiter {
    struct gate_waiter gate;
    uint32_t turns;
};

static void
on_turn(struct gate_waiter *waiter)
{
    LIST_OWNER(waiter, struct waiter, gate)->turns++;
}

static void
waiter_make(struct waiter *waiter, uint32_t limit, uint64_t arrived_ns)
{
    memset(waiter, 0, sizeof *waiter);
    gate_waiter_init(&waiter->gate);
    waiter->gate.limit = limit;
    waiter->gate.arrived_ns = arrived_ns;
    waiter->gate.on_turn = on_turn;
}

static bool
is_poked(struct testseg *test, uint32_t slot)
{
    struct pollfd fd = { test->fds[slot], POLLIN, 0 };
    return poll(&fd, 1, 0) == 1;
}

/* What a loop does when the eventfd is readable. */
static void
turn(struct testseg *test, struct gate_local *local)
{
    wake_clear(&test->segment, local->slot);
    gate_on_wake(local);
}

struct pair {
    struct testseg test;
    struct gate_local a;
    struct gate_local b;
    uint32_t gate;
};

static void
pair_make(struct pair *pair, enum gate_kind kind)
{
    testseg_make(&pair->test, 4, 16, 16, 16);
    uint32_t a = testseg_active(&pair->test, SLOT_WORKER);
    uint32_t b = testseg_active(&pair->test, SLOT_WORKER);
    cr_assert(gate_init(&pair->a, &pair->test.segment, a) == ERR_OK);
    cr_assert(gate_init(&pair->b, &pair->test.segment, b) == ERR_OK);
    pair->gate = gate_of(&pair->test, kind, 1);
}

static void
pair_free(struct pair *pair)
{
    gate_fini(&pair->a);
    gate_fini(&pair->b);
}

Test(gate, is_served_in_order_of_arrival_over_processes)
{
    struct pair pair;
    pair_make(&pair, GATE_USER);
    struct segment *segment = &pair.test.segment;
    struct waiter waiters[4];
    struct gate_local *locals[4] = { &pair.a, &pair.b, &pair.b, &pair.a };
    cr_assert(gate_take(segment, 3, pair.gate, 1, 0) == ERR_OK);
    for (uint64_t i = 0; i < 4; i++) {
        waiter_make(&waiters[i], 1, 100 + i);
        cr_expect(!gate_wait(locals[i], pair.gate, &waiters[i].gate));
    }
    cr_expect(gate_waiting(segment, pair.gate) == 4);
    cr_expect(gate_place(&pair.a, &waiters[0].gate) == 1);
    cr_expect(gate_place(&pair.b, &waiters[2].gate) == 4, "at most; a hint");
    gate_give(segment, 3, pair.gate, NULL, 0);
    for (uint32_t i = 0; i < 4; i++) {
        cr_expect(gate_take(segment, 2, pair.gate, 1, 0) == ERR_FULL, "nobody overtakes");
        cr_expect(is_poked(&pair.test, locals[i]->slot), "waiter %u", i);
        turn(&pair.test, &pair.a);
        turn(&pair.test, &pair.b);
        for (uint32_t k = 0; k < 4; k++) {
            cr_expect(waiters[k].turns == (k <= i ? 1 : 0));
        }
        gate_give(segment, locals[i]->slot, pair.gate, NULL, 0);
    }
    cr_expect(gate_held(segment, pair.gate) == 0 && gate_waiting(segment, pair.gate) == 0);
    cr_expect(gate_take(segment, 2, pair.gate, 1, 0) == ERR_OK);
    pair_free(&pair);
}

Test(gate, is_tried_once_more_after_publishing)
{
    struct pair pair;
    pair_make(&pair, GATE_USER);
    struct segment *segment = &pair.test.segment;
    cr_assert(gate_take(segment, 3, pair.gate, 1, 0) == ERR_OK);
    /* The newcomer sees it full; before it publishes, the holder gives and finds nobody to wake. */
    cr_assert(gate_take(segment, 0, pair.gate, 1, 0) == ERR_FULL);
    gate_give(segment, 3, pair.gate, NULL, 0);
    struct waiter waiter;
    waiter_make(&waiter, 1, 0);
    cr_expect(gate_wait(&pair.a, pair.gate, &waiter.gate), "taken at the second try");
    cr_expect(waiter.turns == 0 && !gate_waiter_waits(&waiter.gate));
    cr_expect(gate_held(segment, pair.gate) == 1);
    pair_free(&pair);
}

struct newcomer {
    struct segment *segment;
    uint32_t gate;
};

static void
take_as_newcomer(void *context)
{
    struct newcomer *it = context;
    (void)!gate_take(it->segment, 2, it->gate, 1, clock_now_ns());
    raise(SIGKILL);
}

static pid_t
start_newcomer(struct newcomer *it, const char *fault)
{
    pid_t pid = fork();
    if (pid == 0) {
        testseg_child();
#ifdef FAULTS_ON
        fault_set(fault);
#endif
        take_as_newcomer(it);
    }
    return pid;
}

Test(gate, backing_off_wakes_whom_it_stood_in_the_way_of, .timeout = 10)
{
    struct pair pair;
    pair_make(&pair, GATE_USER);
    struct segment *segment = &pair.test.segment;
    struct newcomer it = { segment, pair.gate };
    struct waiter waiter;
    waiter_make(&waiter, 1, 100);
    cr_assert(gate_take(segment, 3, pair.gate, 1, 0) == ERR_OK);
    /* It found the gate full, and dawdles before it takes its 1 back. */
    pid_t pid = start_newcomer(&it, "gate.before_back=sleep300");
    while (gate_held(segment, pair.gate) < 2) {
        usleep(100);
    }
    cr_expect(!gate_wait(&pair.a, pair.gate, &waiter.gate));
    gate_give(segment, 3, pair.gate, NULL, 0);
    turn(&pair.test, &pair.a);
    cr_expect(waiter.turns == 0 && gate_held(segment, pair.gate) == 1, "its 1 is in the way");
    waitpid(pid, NULL, 0);
    cr_expect(is_poked(&pair.test, pair.a.slot));
    turn(&pair.test, &pair.a);
    cr_expect(waiter.turns == 1);
    pair_free(&pair);
}

Test(gate, wake_goes_on_while_there_is_room)
{
    struct pair pair;
    pair_make(&pair, GATE_USER);
    struct segment *segment = &pair.test.segment;
    struct waiter waiters[3];
    struct gate_local *locals[3] = { &pair.a, &pair.b, &pair.a };
    for (int i = 0; i < 3; i++) {
        cr_assert(gate_take(segment, 3, pair.gate, 3, 0) == ERR_OK);
    }
    for (uint64_t i = 0; i < 3; i++) {
        waiter_make(&waiters[i], 3, 100 + i);
        cr_expect(!gate_wait(locals[i], pair.gate, &waiters[i].gate));
    }
    /* Three are given at once, and the three pokes all hit the same sleeping process. */
    for (int i = 0; i < 3; i++) {
        gate_give(segment, 3, pair.gate, NULL, 0);
    }
    cr_expect(is_poked(&pair.test, pair.a.slot) && !is_poked(&pair.test, pair.b.slot));
    turn(&pair.test, &pair.a);
    cr_expect(waiters[0].turns == 1 && waiters[2].turns == 0);
    cr_expect(is_poked(&pair.test, pair.b.slot), "the baton");
    turn(&pair.test, &pair.b);
    cr_expect(waiters[1].turns == 1 && is_poked(&pair.test, pair.a.slot));
    turn(&pair.test, &pair.a);
    cr_expect(waiters[2].turns == 1);
    pair_free(&pair);
}

Test(gate, leaving_takes_no_wake_along)
{
    struct pair pair;
    pair_make(&pair, GATE_USER);
    struct segment *segment = &pair.test.segment;
    struct waiter first, second;
    waiter_make(&first, 1, 100);
    waiter_make(&second, 1, 101);
    cr_assert(gate_take(segment, 3, pair.gate, 1, 0) == ERR_OK);
    cr_expect(!gate_wait(&pair.a, pair.gate, &first.gate));
    cr_expect(!gate_wait(&pair.b, pair.gate, &second.gate));
    gate_give(segment, 3, pair.gate, NULL, 0);
    cr_expect(!is_poked(&pair.test, pair.b.slot));
    gate_leave(&pair.a, &first.gate); /* its client left just now */
    gate_leave(&pair.a, &first.gate);
    cr_expect(is_poked(&pair.test, pair.b.slot));
    turn(&pair.test, &pair.a);
    turn(&pair.test, &pair.b);
    cr_expect(first.turns == 0 && second.turns == 1);
    pair_free(&pair);
}

Test(gate, of_a_dead_process_is_free_and_its_waiters_are_nobody)
{
    struct pair pair;
    pair_make(&pair, GATE_USER);
    struct segment *segment = &pair.test.segment;
    struct waiter dead, live;
    waiter_make(&dead, 1, 100);
    waiter_make(&live, 1, 101);
    cr_assert(gate_take(segment, pair.a.slot, pair.gate, 1, 0) == ERR_OK);
    cr_expect(!gate_wait(&pair.a, pair.gate, &dead.gate));
    cr_expect(!gate_wait(&pair.b, pair.gate, &live.gate));
    cr_expect(!slot_reap(segment, pair.a.slot));
    cr_expect(slot_sweep(segment, pair.a.slot) == ERR_OK);
    cr_expect(is_poked(&pair.test, pair.b.slot));
    turn(&pair.test, &pair.b);
    cr_expect(live.turns == 1 && dead.turns == 0);
    cr_expect(gate_held(segment, pair.gate) == 1);
    free(pair.a.queues);
    gate_fini(&pair.b);
}

/* --- pools --- */

#define ACCOUNTS 2u
static struct gate_local *pool_local;
static uint32_t pool_accounts[ACCOUNTS];
static uint32_t pool_tries;

/* Class 0 is served by every account, class 1 only by the last. */
static enum gate_turn
on_try(struct gate_waiter *waiter)
{
    struct segment *segment = pool_local->segment;
    bool is_any_free = false;
    pool_tries++;
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        bool is_ours = waiter->class_hash == 0 || i == ACCOUNTS - 1u;
        if (is_ours && gate_take(segment, pool_local->slot, pool_accounts[i], 1,
                                 waiter->arrived_ns) == ERR_OK) {
            waiter->limit = pool_accounts[i]; /* where we are; unused for pools */
            return GATE_TURN_TAKEN;
        }
        is_any_free = is_any_free || gate_held(segment, pool_accounts[i]) == 0;
    }
    return is_any_free ? GATE_TURN_PASS : GATE_TURN_FULL;
}

Test(gate, pool_lets_nobody_block_those_whom_another_account_serves)
{
    struct pair pair;
    pair_make(&pair, GATE_POOL);
    struct segment *segment = &pair.test.segment;
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        pool_accounts[i] = gate_of(&pair.test, GATE_ACCOUNT, 10 + i);
        cr_assert(gate_take(segment, 3, pool_accounts[i], 1, 0) == ERR_OK);
    }
    struct waiter picky, picky_too, other;
    struct waiter *all[] = { &picky, &picky_too, &other };
    for (uint64_t i = 0; i < 3; i++) {
        waiter_make(all[i], 0, 100 + i);
        all[i]->gate.class_hash = i < 2 ? 1 : 0;
        all[i]->gate.on_try = on_try;
        pool_local = i < 2 ? &pair.a : &pair.b;
        cr_expect(!gate_wait(pool_local, pair.gate, &all[i]->gate));
    }
    turn(&pair.test, pool_local = &pair.a);
    turn(&pair.test, pool_local = &pair.b);
    cr_expect(gate_is_waited(segment, pair.gate, 0));

    gate_give(segment, 3, pool_accounts[0], &pair.gate, 1);
    cr_expect(is_poked(&pair.test, pair.a.slot), "the oldest first");
    pool_tries = 0;
    turn(&pair.test, pool_local = &pair.a);
    cr_expect(pool_tries == 1, "waiters of one class fail alike: %u", pool_tries);
    cr_expect(is_poked(&pair.test, pair.b.slot), "then the next");
    turn(&pair.test, pool_local = &pair.b);
    cr_expect(other.turns == 1 && picky.turns == 0);

    gate_give(segment, 3, pool_accounts[1], &pair.gate, 1);
    turn(&pair.test, pool_local = &pair.a);
    cr_expect(picky.turns == 1 && picky_too.turns == 0);
    gate_leave(&pair.a, &picky_too.gate);
    cr_expect(gate_waiting(segment, pair.gate) == 0);
    pair_free(&pair);
}

Test(gate, give_wakes_the_oldest_of_the_account_and_of_each_pool)
{
    struct pair pair;
    pair_make(&pair, GATE_POOL);
    struct segment *segment = &pair.test.segment;
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        pool_accounts[i] = gate_of(&pair.test, GATE_ACCOUNT, 10 + i);
        cr_assert(gate_take(segment, 3, pool_accounts[i], 1, 0) == ERR_OK);
    }
    struct waiter bound, pooled;
    waiter_make(&bound, 1, 100);
    waiter_make(&pooled, 0, 101);
    pooled.gate.on_try = on_try;
    cr_expect(!gate_wait(&pair.a, pool_accounts[0], &bound.gate));
    pool_local = &pair.b;
    cr_expect(!gate_wait(&pair.b, pair.gate, &pooled.gate));
    uint32_t also[2] = { GATE_INDEX_NONE, pair.gate };
    gate_give(segment, 3, pool_accounts[0], also, 2);
    cr_expect(is_poked(&pair.test, pair.a.slot) && is_poked(&pair.test, pair.b.slot));
    turn(&pair.test, &pair.b);
    cr_expect(pooled.turns == 0, "the bound one came first");
    turn(&pair.test, &pair.a);
    cr_expect(bound.turns == 1);
    gate_leave(&pair.b, &pooled.gate);
    pair_free(&pair);
}

/* --- many processes, killed --- */

#define WORKERS 3u
#define REQUESTS 5u /* at once in a worker */
#define LIMIT 2u
#define RUN_MS 1200u
#define STUCK_MS 3000u

struct arena {
    struct testseg test;
    uint32_t gate;
    uint32_t accounts[ACCOUNTS];
    bool is_pool;
    _Atomic uint32_t inside[SLOTS_MAX][ACCOUNTS]; /* [slot's process, else the parent] */
    _Atomic uint64_t done[SLOTS_MAX];
    _Atomic uint32_t is_stopping;
    _Atomic uint32_t broken;
};

struct request {
    struct gate_waiter waiter;
    enum { IDLE, WAITING, HOLDING } state;
    uint64_t until_ms; /* 0 = no deadline */
    uint32_t account;
};

static struct arena *arena;
static struct gate_local here;
static struct request requests[REQUESTS];
static unsigned seed;

static void
go_in(struct request *request)
{
    uint32_t which = request->account;
    atomic_fetch_add(&arena->inside[here.slot][which], 1);
    uint32_t sum = 0;
    for (uint32_t slot = 0; slot < arena->test.segment.slots; slot++) {
        sum += atomic_load(&arena->inside[slot][which]);
    }
    if (sum > (arena->is_pool ? 1u : LIMIT)) {
        atomic_store(&arena->broken, 1);
    }
    request->state = HOLDING;
    request->until_ms = clock_now_ms() + (uint64_t)(rand_r(&seed) % 2);
}

static void
on_request_turn(struct gate_waiter *waiter)
{
    go_in(LIST_OWNER(waiter, struct request, waiter));
}

static enum gate_turn
on_request_try(struct gate_waiter *waiter)
{
    struct request *request = LIST_OWNER(waiter, struct request, waiter);
    bool is_any_free = false;
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        bool is_ours = waiter->class_hash == 0 || i == ACCOUNTS - 1u;
        if (is_ours && gate_take(here.segment, here.slot, arena->accounts[i], 1,
                                 waiter->arrived_ns) == ERR_OK) {
            request->account = i;
            return GATE_TURN_TAKEN;
        }
        is_any_free = is_any_free || gate_held(here.segment, arena->accounts[i]) == 0;
    }
    return is_any_free ? GATE_TURN_PASS : GATE_TURN_FULL;
}

static void
begin(struct request *request)
{
    gate_waiter_init(&request->waiter);
    request->waiter.limit = LIMIT;
    request->waiter.arrived_ns = clock_now_ns();
    request->waiter.class_hash = (uint64_t)(rand_r(&seed) % 2);
    request->waiter.on_try = arena->is_pool ? on_request_try : NULL;
    request->waiter.on_turn = on_request_turn;
    request->account = 0;
    request->state = WAITING;
    /* Some lose patience, most wait for as long as it takes. */
    request->until_ms = rand_r(&seed) % 4 == 0 ? clock_now_ms() + (uint64_t)(rand_r(&seed) % 3) : 0;
    bool is_taken = !arena->is_pool && gate_take(here.segment, here.slot, arena->gate, LIMIT,
                                                 request->waiter.arrived_ns) == ERR_OK;
    if (is_taken || gate_wait(&here, arena->gate, &request->waiter)) {
        go_in(request);
    }
}

static void
end(struct request *request)
{
    if (request->state == WAITING) {
        gate_leave(&here, &request->waiter);
    } else {
        atomic_fetch_sub(&arena->inside[here.slot][request->account], 1);
        gate_give(here.segment, here.slot,
                  arena->is_pool ? arena->accounts[request->account] : arena->gate, &arena->gate,
                  arena->is_pool ? 1 : 0);
        atomic_fetch_add(&arena->done[here.slot], 1);
    }
    request->state = IDLE;
}

/* One turn of a worker; returns when the next deadline is, -1 = only a poke will help. */
static int
step(bool may_begin)
{
    int wait_ms = -1;
    uint64_t now_ms = clock_now_ms();
    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct request *request = &requests[i];
        if (request->state != IDLE && request->until_ms != 0 && request->until_ms <= now_ms) {
            end(request);
        }
        if (request->state == IDLE && may_begin && rand_r(&seed) % 2 == 0) {
            begin(request);
        }
        bool is_timed = request->state == IDLE ? may_begin : request->until_ms != 0;
        if (is_timed) {
            wait_ms = request->until_ms <= now_ms ? 0 : 1;
        }
    }
    return wait_ms;
}

static void
work(uint32_t slot)
{
    seed = (unsigned)getpid();
    slot_enter(&arena->test.segment, slot, clock_now_ms());
    if (gate_init(&here, &arena->test.segment, slot) != ERR_OK) {
        _exit(1);
    }
    for (bool is_busy = true; is_busy;) {
        bool is_stopping = atomic_load(&arena->is_stopping) != 0;
        int wait_ms = step(!is_stopping);
        struct pollfd fd = { arena->test.fds[slot], POLLIN, 0 };
        is_busy = !is_stopping;
        for (uint32_t i = 0; i < REQUESTS; i++) {
            is_busy = is_busy || requests[i].state != IDLE;
        }
        if (is_busy && poll(&fd, 1, wait_ms) == 1) {
            wake_clear(&arena->test.segment, slot);
            gate_on_wake(&here);
        }
    }
    _exit(slot_leave(&arena->test.segment, slot) ? 0 : 1);
}

static pid_t
start(uint32_t slot, const char *fault)
{
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        testseg_child();
#ifdef FAULTS_ON
        fault_set(fault);
#endif
        work(slot);
    }
    return pid;
}

/* What master and recorder do for a dead worker. */
static void
bury(uint32_t slot)
{
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        atomic_store(&arena->inside[slot][i], 0);
    }
    if (!slot_reap(&arena->test.segment, slot)) {
        cr_assert(slot_sweep(&arena->test.segment, slot) == ERR_OK);
    }
}

static uint64_t
all_done(void)
{
    uint64_t sum = 0;
    for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
        sum += atomic_load(&arena->done[slot]);
    }
    return sum;
}

static const char *const faults[] = {
    "gate.after_add",   "gate.after_back", "gate.after_sub",   "gate.after_publish",
    "gate.after_leave", "gate.after_turn", "wake.before_bell",
};

static void
fault_text(char out[64])
{
    const char *name = faults[(size_t)rand_r(&seed) % (sizeof faults / sizeof faults[0])];
    snprintf(out, 64, "%s:%d=kill", name, rand_r(&seed) % 60 + 1);
}

static void
arena_make(bool is_pool)
{
    arena = mmap(NULL, sizeof *arena, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(arena != MAP_FAILED);
    testseg_make(&arena->test, 8, 16, 16, 16);
    arena->is_pool = is_pool;
    arena->gate = gate_of(&arena->test, is_pool ? GATE_POOL : GATE_USER, 1);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        arena->accounts[i] = gate_of(&arena->test, GATE_ACCOUNT, 10 + i);
    }
    seed = (unsigned)getpid() ^ (unsigned)clock_now_ns();
    fprintf(stderr, "gate: seed %u\n", seed);
}

/* Waits for any child for a moment; buries and replaces the one that died. */
static void
tend(pid_t pids[WORKERS], uint32_t slots[WORKERS], uint32_t *deaths)
{
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    for (uint32_t i = 0; i < WORKERS && pid > 0; i++) {
        if (pids[i] == pid) {
            cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
            bury(slots[i]);
            (*deaths)++;
            char fault[64];
            fault_text(fault);
            slots[i] = testseg_slot(&arena->test, SLOT_WORKER);
            pids[i] = start(slots[i], fault);
        }
    }
    usleep(1000);
}

/* All finish what they have, or die on the way and are buried; whoever waits for ever is stuck. */
static void
finish(const pid_t pids[WORKERS], const uint32_t slots[WORKERS])
{
    uint64_t deadline_ms = clock_now_ms() + STUCK_MS;
    bool is_gone[WORKERS] = { false };
    for (uint32_t left = WORKERS; left > 0;) {
        for (uint32_t i = 0; i < WORKERS; i++) {
            int status = 0;
            if (!is_gone[i] && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
                cr_assert(!WIFEXITED(status) || WEXITSTATUS(status) == 0, "still held something");
                bury(slots[i]);
                is_gone[i] = true;
                left--;
            }
        }
        cr_assert(clock_now_ms() < deadline_ms, "a waiter is stuck");
        usleep(1000);
    }
}

static void
storm(bool is_pool)
{
    arena_make(is_pool);
    pid_t pids[WORKERS];
    uint32_t slots[WORKERS];
    for (uint32_t i = 0; i < WORKERS; i++) {
        slots[i] = testseg_slot(&arena->test, SLOT_WORKER);
        pids[i] = start(slots[i], NULL);
    }
    uint32_t deaths = 0;
    uint64_t last_done = 0, last_ms = clock_now_ms(), until_ms = last_ms + RUN_MS;
    while (clock_now_ms() < until_ms) {
        tend(pids, slots, &deaths);
        if (rand_r(&seed) % 16 == 0) {
            kill(pids[(size_t)rand_r(&seed) % WORKERS], SIGKILL);
        }
        if (all_done() != last_done) {
            last_done = all_done();
            last_ms = clock_now_ms();
        }
        cr_assert(clock_now_ms() < last_ms + STUCK_MS, "nobody is served any more");
        cr_assert(atomic_load(&arena->broken) == 0, "more inside than the limit");
    }
    atomic_store(&arena->is_stopping, 1);
    wake_all(&arena->test.segment);
    finish(pids, slots);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        cr_expect(gate_held(&arena->test.segment, arena->accounts[i]) == 0);
    }
    cr_expect(gate_held(&arena->test.segment, arena->gate) == 0);
    cr_expect(gate_waiting(&arena->test.segment, arena->gate) == 0);
    cr_expect(atomic_load(&arena->broken) == 0);
    fprintf(stderr, "gate: %lu requests, %u deaths\n", (unsigned long)all_done(), deaths);
    cr_expect(all_done() > 100 && deaths > 5);
}

Test(gate, keeps_limit_and_progress_while_workers_are_killed, .timeout = 30)
{
    storm(false);
}

Test(gate, pool_keeps_limit_and_progress_while_workers_are_killed, .timeout = 30)
{
    storm(true);
}

/*
 * Limits and queues. The first tests step through the protocol by hand; the last ones run several
 * processes without any tick that could hide a lost wake-up, kill them, and watch limit and
 * progress.
 */
#include <criterion/criterion.h>
#include <poll.h>

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
    cr_expect(view.kind == GATE_USER);
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

/* Until some process has added its 1 and has neither kept it nor taken it back. */
static void
wait_for_try(const struct segment *segment, uint32_t gate)
{
    for (bool tries = false; !tries;) {
        for (uint32_t slot = 0; slot < segment->slots; slot++) {
            const struct gate_cell *cell =
                &segment->gate_cells[(size_t)gate * segment->stride + slot];
            tries = tries || atomic_load(&cell->held) >= GATE_TRYING;
        }
        usleep(100);
    }
}

Test(gate, backing_off_wakes_whom_it_stood_in_the_way_of, .timeout = 90)
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
    wait_for_try(segment, pair.gate);
    cr_expect(!gate_wait(&pair.a, pair.gate, &waiter.gate));
    gate_give(segment, 3, pair.gate, NULL, 0);
    turn(&pair.test, &pair.a);
    cr_expect(waiter.turns == 0 && gate_held(segment, pair.gate) == 0, "its 1 is in the way");
    waitpid(pid, NULL, 0);
    cr_expect(is_poked(&pair.test, pair.a.slot));
    turn(&pair.test, &pair.a);
    cr_expect(waiter.turns == 1);
    pair_free(&pair);
}

Test(gate, what_another_only_tries_does_not_make_it_full, .timeout = 90)
{
    struct pair pair;
    pair_make(&pair, GATE_ACCOUNT);
    struct segment *segment = &pair.test.segment;
    struct newcomer it = { segment, pair.gate };
    pid_t pid = start_newcomer(&it, "gate.after_add=kill");
    waitpid(pid, NULL, 0);
    cr_expect(gate_held(segment, pair.gate) == 0 && gate_load(segment, pair.gate).held == 0);
    struct gate_view view;
    gate_read(segment, pair.gate, &view);
    cr_expect(view.held == 0);
    cr_expect(gate_take(segment, pair.a.slot, pair.gate, 1, 100) == ERR_FULL, "it may keep its 1");
    cr_expect(is_poked(&pair.test, pair.a.slot), "and may not: we look again");
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
    pool_tries++;
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        bool is_ours = waiter->class_hash == 0 || i == ACCOUNTS - 1u;
        if (is_ours && gate_take(segment, pool_local->slot, pool_accounts[i], 1,
                                 waiter->arrived_ns) == ERR_OK) {
            waiter->limit = pool_accounts[i]; /* where we are; unused for pools */
            return GATE_TURN_TAKEN;
        }
    }
    return GATE_TURN_FULL; /* of its own accounts; it does not know of others */
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

static enum gate_turn
on_try_by_class(struct gate_waiter *waiter)
{
    pool_tries++;
    return waiter->class_hash == 29 ? GATE_TURN_TAKEN : GATE_TURN_FULL;
}

Test(gate, pool_with_many_classes_tries_them_all)
{
    struct pair pair;
    pair_make(&pair, GATE_POOL);
    struct waiter waiters[30];
    for (uint64_t i = 0; i < 30; i++) {
        waiter_make(&waiters[i], 0, 100 + i);
        waiters[i].gate.class_hash = i / 3 * 3 + 2;
        waiters[i].gate.on_try = on_try_by_class;
        cr_expect(!gate_wait(&pair.a, pair.gate, &waiters[i].gate));
    }
    pool_tries = 0;
    gate_on_wake(&pair.a);
    cr_expect(waiters[26].turns == 0 && waiters[27].turns == 1 && waiters[29].turns == 1);
    cr_expect(pool_tries == 9 + 3, "nine classes once, and who is served: %u", pool_tries);
    for (uint64_t i = 0; i < 27; i++) {
        gate_leave(&pair.a, &waiters[i].gate);
    }
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

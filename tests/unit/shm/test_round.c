/*
 * Whose turn it is at a pool: moments that are rare, made by hand; and a storm in which several
 * processes hand one place on, thousands of times, exactly in the order of arrival.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "shm/gate.h"
#include "shm/round.h"
#include "shm/slot.h"
#include "shm/wake.h"
#include "tests/unit/shm/testseg.h"

#define GIVER 7u /* a slot without a process: what it holds and gives the test does for it */

struct waiter {
    struct gate_waiter gate;
    uint32_t tries;
    uint32_t turns;
};

static struct {
    struct testseg test;
    struct segment *segment;
    struct gate_local elder;
    struct gate_local later;
    struct gate_local *who; /* whose turn it is */
    uint32_t account;
    uint32_t pool;
    bool comes_free; /* while somebody tries, before he does */
} it;

static enum gate_turn
on_try(struct gate_waiter *waiter)
{
    LIST_OWNER(waiter, struct waiter, gate)->tries++;
    if (it.comes_free) {
        it.comes_free = false;
        gate_give(it.segment, GIVER, it.account, &it.pool, 1);
    }
    bool is_taken =
        gate_take(it.segment, it.who->slot, it.account, 1, waiter->arrived_ns) == ERR_OK;
    return is_taken ? GATE_TURN_TAKEN : GATE_TURN_FULL;
}

static void
on_undo(struct gate_waiter *waiter)
{
    (void)waiter;
    gate_give(it.segment, it.who->slot, it.account, &it.pool, 1);
}

static void
on_turn(struct gate_waiter *waiter)
{
    LIST_OWNER(waiter, struct waiter, gate)->turns++;
}

static bool
is_poked(const struct gate_local *local)
{
    struct pollfd fd = { it.test.fds[local->slot], POLLIN, 0 };
    return poll(&fd, 1, 0) == 1;
}

static void
turn(struct gate_local *local)
{
    it.who = local;
    wake_clear(it.segment, local->slot);
    gate_on_wake(local);
}

static void
come(struct gate_local *local, struct waiter *waiter, uint64_t arrived_ns)
{
    *waiter = (struct waiter){ .gate = { .arrived_ns = arrived_ns,
                                         .on_try = on_try,
                                         .on_undo = on_undo,
                                         .on_turn = on_turn } };
    gate_waiter_init(&waiter->gate);
    it.who = local;
    cr_assert(!gate_wait(local, it.pool, &waiter->gate), "the account is held");
}

/* The account's only place is held by GIVER. */
static void
make_with(uint32_t slots)
{
    testseg_make(&it.test, slots, 16, 16, 16);
    it.segment = &it.test.segment;
    uint32_t elder = testseg_active(&it.test, SLOT_WORKER);
    uint32_t later = testseg_active(&it.test, SLOT_WORKER);
    cr_assert(gate_init(&it.elder, it.segment, elder) == ERR_OK);
    cr_assert(gate_init(&it.later, it.segment, later) == ERR_OK);
    cr_assert(gate_find(it.segment, GATE_ACCOUNT, 1, &it.account) == ERR_OK);
    cr_assert(gate_find(it.segment, GATE_POOL, 1, &it.pool) == ERR_OK);
    cr_assert(gate_take(it.segment, GIVER, it.account, 1, 0) == ERR_OK);
}

static void
make(void)
{
    make_with(8);
}

Test(round, what_comes_free_behind_the_look_for_elders_is_theirs)
{
    struct waiter first, second;
    make();
    come(&it.elder, &first, 100);
    come(&it.later, &second, 101);
    turn(&it.elder); /* in vain, and the wake goes on to the later one */
    it.comes_free = true;
    turn(&it.later);
    cr_expect(second.turns == 0 && second.tries == 1, "it had it, and gave it back");
    cr_expect(is_poked(&it.elder) && gate_held(it.segment, it.account) == 0);
    turn(&it.elder);
    cr_expect(first.turns == 1);
    gate_leave(&it.later, &second.gate);
}

Test(round, what_comes_free_stays_with_him_before_whom_nobody_came)
{
    struct waiter first, second;
    make();
    come(&it.elder, &first, 100);
    come(&it.later, &second, 101);
    it.comes_free = true;
    turn(&it.elder);
    cr_expect(first.turns == 1 && first.tries == 2, "once when it came");
    gate_leave(&it.later, &second.gate);
}

Test(round, nobody_tries_while_somebody_gives)
{
    struct waiter first;
    make();
    come(&it.elder, &first, 100);
    uint32_t before = round_now(it.segment, it.pool);
    round_begin(it.segment, GIVER, &it.pool, 1);
    cr_expect(round_now(it.segment, it.pool) != before, "somebody waits: a round begins");
    cr_expect(!round_is_quiet(it.segment, it.pool, it.elder.slot));
    cr_expect(round_is_quiet(it.segment, it.pool, GIVER), "to himself");
    turn(&it.elder);
    cr_expect(first.tries == 1, "only when it came");
    round_end(it.segment, GIVER, &it.pool, 1);
    turn(&it.elder);
    cr_expect(first.tries == 2);
    gate_leave(&it.elder, &first.gate);
}

Test(round, giver_who_dies_is_in_nobodys_way)
{
    struct waiter first;
    make();
    come(&it.later, &first, 100);
    uint32_t before = round_now(it.segment, it.pool);
    round_begin(it.segment, it.elder.slot, &it.pool, 1);
    cr_expect(!slot_reap(it.segment, it.elder.slot));
    cr_expect(slot_sweep(it.segment, it.elder.slot) == ERR_OK);
    cr_expect(round_is_quiet(it.segment, it.pool, it.later.slot));
    cr_expect(round_now(it.segment, it.pool) != before, "what it held came free");
    gate_leave(&it.later, &first.gate);
}

Test(round, who_is_new_was_not_tried)
{
    struct waiter first, second;
    make();
    come(&it.elder, &first, 100);
    turn(&it.elder); /* tried in this round */
    gate_leave(&it.elder, &first.gate);
    come(&it.elder, &first, 101);
    come(&it.later, &second, 102);
    gate_give(it.segment, GIVER, it.account, NULL, 0); /* of which the pool was not told yet */
    turn(&it.later);
    cr_expect(second.tries == 0 && is_poked(&it.elder));
    turn(&it.elder);
    cr_expect(first.turns == 1);
    gate_leave(&it.later, &second.gate);
}

/* Nobody waited when the giver looked. Who comes then and is asked before the slot is free must not
 * count as tried: a younger one would take it. */
Test(round, who_comes_while_somebody_gives_was_not_tried)
{
    struct waiter first;
    make();
    uint32_t before = round_now(it.segment, it.pool);
    round_begin(it.segment, GIVER, &it.pool, 1);
    cr_expect(round_now(it.segment, it.pool) == before, "nobody waits");
    come(&it.elder, &first, 100);
    turn(&it.elder);
    cr_expect(first.tries == 1, "only when it came");
    cr_expect(round_elder(it.segment, it.pool, it.later.slot, 101, before) == it.elder.slot);
    round_end(it.segment, GIVER, &it.pool, 1);
    turn(&it.elder);
    cr_expect(first.tries == 2);
    cr_expect(round_elder(it.segment, it.pool, it.later.slot, 101, before) == SLOT_NONE);
    const uint32_t pools[] = { GATE_INDEX_NONE, it.pool };
    round_add(it.segment, pools, 2);
    cr_expect(round_now(it.segment, it.pool) != before);
    gate_leave(&it.elder, &first.gate);
}

/* --- a storm --- */

#define PROCESSES 3u
#define EACH 1500u /* waiters of a process */
#define ALL (PROCESSES * EACH)
#define NOISE_US 50u /* stray wakes: they look when there is nothing to be had */

struct storm {
    _Atomic uint32_t ready;
    _Atomic uint32_t served;
    uint64_t order[ALL]; /* [who holds the place] */
};

static struct storm *storm;
static struct waiter mine[EACH];
static uint32_t to_give;
static unsigned seed;

/* Whoever is not alone on his processor loses it anywhere, also here. */
static enum gate_turn
on_storm_try(struct gate_waiter *waiter)
{
    if (rand_r(&seed) % 4 == 0) {
        sched_yield();
    }
    return on_try(waiter);
}

static void
on_storm_turn(struct gate_waiter *waiter)
{
    storm->order[atomic_fetch_add(&storm->served, 1)] = waiter->arrived_ns;
    to_give++;
}

/* Waiters are numbered over all processes, and each takes its own in their order. */
static void
work(uint32_t number, uint32_t slot)
{
    struct gate_local here;
    seed = number;
    slot_enter(it.segment, slot, clock_now_ms());
    if (gate_init(&here, it.segment, slot) != ERR_OK) {
        _exit(1);
    }
    it.who = &here;
    for (uint32_t i = 0; i < EACH; i++) {
        come(&here, &mine[i], 1 + i * PROCESSES + (i + number) % PROCESSES);
        mine[i].gate.on_try = on_storm_try;
        mine[i].gate.on_turn = on_storm_turn;
        mine[i].gate.class_hash = i % 2;
    }
    atomic_fetch_add(&storm->ready, 1);
    while (here.waiting > 0 || to_give > 0) {
        struct pollfd fd = { it.test.fds[slot], POLLIN, 0 };
        if (poll(&fd, 1, to_give > 0 ? 0 : -1) == 1) {
            turn(&here);
        }
        if (to_give > 0) {
            to_give--;
            gate_give(it.segment, slot, it.account, &it.pool, 1);
        }
    }
    _exit(0);
}

static uint32_t
inversions(void)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i < ALL; i++) {
        count += storm->order[i] < storm->order[i - 1] ? 1 : 0;
    }
    return count;
}

/* Stray wakes until all are served, or nobody is any more. */
static void
stir(const uint32_t slots[PROCESSES])
{
    uint32_t last = 0;
    uint64_t last_ms = clock_now_ms();
    while (last < ALL && clock_now_ms() < last_ms + 5000) {
        wake_poke(it.segment, slots[(uint32_t)rand_r(&seed) % PROCESSES]);
        usleep(NOISE_US);
        if (atomic_load(&storm->served) != last) {
            last = atomic_load(&storm->served);
            last_ms = clock_now_ms();
        }
    }
    cr_assert(last == ALL, "%u of %u were served", last, ALL);
}

Test(round, one_place_goes_from_hand_to_hand_in_order_of_arrival, .timeout = 90)
{
    storm = mmap(NULL, sizeof *storm, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(storm != MAP_FAILED);
    make_with(2 * PROCESSES + 2);
    pid_t pids[PROCESSES];
    uint32_t slots[PROCESSES];
    for (uint32_t i = 0; i < PROCESSES; i++) {
        slots[i] = testseg_slot(&it.test, SLOT_WORKER);
        pids[i] = fork();
        if (pids[i] == 0) {
            testseg_child();
            work(i, slots[i]);
        }
    }
    while (atomic_load(&storm->ready) < PROCESSES) {
        usleep(1000);
    }
    gate_give(it.segment, GIVER, it.account, &it.pool, 1);
    stir(slots);
    for (uint32_t i = 0; i < PROCESSES; i++) {
        int status = 0;
        cr_expect(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
    }
    cr_expect(inversions() == 0, "%u were served before an earlier one", inversions());
    cr_expect(gate_held(it.segment, it.account) == 0 && gate_waiting(it.segment, it.pool) == 0);
}

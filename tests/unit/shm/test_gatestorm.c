/*
 * Limits and queues under kill -9: several processes without any tick that could hide a lost
 * wake-up are killed at random and at named points, while limit and progress are watched.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "shm/gate.h"
#include "shm/slot.h"
#include "shm/wake.h"
#include "tests/unit/shm/testseg.h"

#define ACCOUNTS 2u
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
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        bool is_ours = waiter->class_hash == 0 || i == ACCOUNTS - 1u;
        if (is_ours && gate_take(here.segment, here.slot, arena->accounts[i], 1,
                                 waiter->arrived_ns) == ERR_OK) {
            request->account = i;
            return GATE_TURN_TAKEN;
        }
    }
    return GATE_TURN_PASS;
}

static void
on_request_undo(struct gate_waiter *waiter)
{
    struct request *request = LIST_OWNER(waiter, struct request, waiter);
    gate_give(here.segment, here.slot, arena->accounts[request->account], &arena->gate, 1);
}

static void
begin(struct request *request)
{
    gate_waiter_init(&request->waiter);
    request->waiter.limit = LIMIT;
    request->waiter.arrived_ns = clock_now_ns();
    request->waiter.class_hash = (uint64_t)(rand_r(&seed) % 2);
    request->waiter.on_try = arena->is_pool ? on_request_try : NULL;
    request->waiter.on_undo = arena->is_pool ? on_request_undo : NULL;
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
    "gate.after_add",     "gate.after_back",  "gate.after_sub",   "gate.after_publish",
    "gate.after_leave",   "gate.after_turn",  "wake.before_bell", "gate.after_sum",
    "gate.before_baton",  "gate.before_pass", "gate.before_try",  "gate.before_check",
    "round.after_giving",
};

static void
fault_text(char out[64])
{
    const char *name = faults[(size_t)rand_r(&seed) % (sizeof faults / sizeof faults[0])];
    snprintf(out, 64, "%s:%d=kill", name, rand_r(&seed) % 60 + 1);
}

static uint32_t
gate_of(enum gate_kind kind, uint64_t id)
{
    uint32_t gate = GATE_INDEX_NONE;
    enum err err = gate_find(&arena->test.segment, kind, id, &gate);
    cr_assert(err == ERR_OK);
    return gate;
}

static void
arena_make(bool is_pool)
{
    arena = mmap(NULL, sizeof *arena, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(arena != MAP_FAILED);
    testseg_make(&arena->test, 8, 16, 16, 16);
    arena->is_pool = is_pool;
    arena->gate = gate_of(is_pool ? GATE_POOL : GATE_USER, 1);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        arena->accounts[i] = gate_of(GATE_ACCOUNT, 10 + i);
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
    cr_expect(is_pool || gate_held(&arena->test.segment, arena->gate) == 0);
    cr_expect(gate_waiting(&arena->test.segment, arena->gate) == 0);
    cr_expect(atomic_load(&arena->broken) == 0);
    fprintf(stderr, "gate: %lu requests, %u deaths\n", (unsigned long)all_done(), deaths);
    cr_expect(all_done() > 100 && deaths > 5);
}

Test(gatestorm, keeps_limit_and_progress_while_workers_are_killed, .timeout = 30)
{
    storm(false);
}

Test(gatestorm, pool_keeps_limit_and_progress_while_workers_are_killed, .timeout = 30)
{
    storm(true);
}

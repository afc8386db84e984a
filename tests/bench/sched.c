/*
 * sched.c - build/bench-sched: what the scheduler costs by itself, without a network.
 *
 *      bench-sched [--gates] [--select] [--wake] [--workers N] [--millis N]
 *      bench-sched --count take|select:i100|select:b100|select:f100 --rounds N    for callgrind
 *
 *   take + give   one process alone; then processes that all work on one gate, with room for all
 *                 (only the cache line is fought for) and with room for one
 *   selection     select_take + select_give among so many accounts, all of one priority, in a
 *                 group: idle ones, ones that hold one request each, and full ones (nothing is
 *                 chosen then, and that is said)
 *   wake          one process gives a slot back for which another sleeps in epoll_wait: from before
 *                 gate_give to the waiter's on_turn. No timer runs in either
 *
 * A time is the median of several runs of some milliseconds each, so that what else the machine
 * does falls out. Everything runs over a real segment of its own and against the real code.
 *
 * Runs in: itself and its children.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "shm/gate.h"
#include "shm/health.h"
#include "shm/segment.h"
#include "shm/slot.h"
#include "shm/wake.h"
#include "upstream/select.h"
#include "upstream/target.h"

#define RUNS 15u       /* of which the median is taken */
#define PROCESSES 8u   /* at most on one gate */
#define WAKES 20000u   /* hand-overs that are timed */
#define WAKE_SECONDS 8 /* at most */
#define BATCH 64u      /* operations between two looks at the clock */

static struct segment segment;
static int wake_fds[SLOTS_MAX];
static uint64_t run_ns = 20u * 1000000u;
static uint32_t other_slot; /* of a process that holds one slot of each account of a busy pool */

static void
fail(const char *what)
{
    fprintf(stderr, "bench-sched: %s\n", what);
    exit(1);
}

static void
need(bool is_fine, const char *what)
{
    if (!is_fine) {
        fail(what);
    }
}

/* --- the world --- */

static void
make_segment(uint32_t workers, uint32_t accounts)
{
    char path[64];
    char why[SEGMENT_WHY_BYTES] = "";
    snprintf(path, sizeof path, "/dev/shm/sub2api-bench-%d", (int)getpid());
    struct segment_want want = { .slots = 2 * workers + 8,
                                 .workers = workers,
                                 .leases = 16,
                                 .gates = 4 * accounts + 64,
                                 .ring_cells = 16,
                                 .accounts = accounts,
                                 .sticky = 1024,
                                 .build = "bench" };
    if (segment_create(path, &want, &segment, why) != ERR_OK) {
        fail(why);
    }
    segment_remove(path);
    for (uint32_t i = 0; i < want.slots; i++) {
        wake_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        need(wake_fds[i] >= 0, "no eventfd");
    }
    segment.wake_fds = wake_fds;
}

static void
drop_segment(void)
{
    for (uint32_t i = 0; i < segment.slots; i++) {
        close(wake_fds[i]);
    }
    segment_close(&segment);
}

static uint32_t
enter_slot(uint32_t worker)
{
    uint32_t slot = SLOT_NONE;
    need(slot_assign(&segment, SLOT_WORKER, worker, 1, &slot) == ERR_OK, "no slot");
    slot_enter(&segment, slot, clock_now_ms());
    return slot;
}

static uint32_t
make_gate(enum gate_kind kind, uint64_t id)
{
    uint32_t gate = GATE_INDEX_NONE;
    need(gate_find(&segment, kind, id, &gate) == ERR_OK, "no gate");
    return gate;
}

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double
median(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

/* Of this process alone: what else the machine does is not in it, but for the caches. */
static uint64_t
cpu_ns(void)
{
    struct timespec time;
    need(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0, "no clock");
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* --- take and give --- */

/* True when it took (and gave back) one. */
static bool
take_and_give(uint32_t slot, uint32_t gate, uint32_t limit)
{
    if (gate_take(&segment, slot, gate, limit, 1) != ERR_OK) {
        return false;
    }
    gate_give(&segment, slot, gate, NULL, 0);
    return true;
}

/* Nanoseconds a take that succeeded, with its give. */
static double
run_takes(uint32_t slot, uint32_t gate, uint32_t limit, uint64_t (*clock)(void))
{
    uint64_t start_ns = clock();
    uint64_t now_ns = start_ns;
    uint64_t taken = 0;
    while (now_ns - start_ns < run_ns) {
        for (uint32_t i = 0; i < BATCH; i++) {
            taken += take_and_give(slot, gate, limit);
        }
        now_ns = clock();
    }
    return taken == 0 ? 0 : (double)(now_ns - start_ns) / (double)taken;
}

struct race {
    _Atomic uint32_t ready;
    _Atomic uint32_t go;
    double ns[PROCESSES];
};

static void
race_child(struct race *race, uint32_t who, uint32_t slot, uint32_t gate, uint32_t limit)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    atomic_fetch_add(&race->ready, 1);
    while (atomic_load(&race->go) == 0) {
        sched_yield();
    }
    race->ns[who] = run_takes(slot, gate, limit, clock_now_ns);
    _exit(0);
}

/* Nanoseconds a take and give as the gate sees it: all processes' together. */
static double
run_race(struct race *race, const uint32_t *slots, uint32_t count, uint32_t gate, uint32_t limit)
{
    memset(race, 0, sizeof *race);
    for (uint32_t i = 0; i < count; i++) {
        pid_t pid = fork();
        need(pid >= 0, "fork");
        if (pid == 0) {
            race_child(race, i, slots[i], gate, limit);
        }
    }
    while (atomic_load(&race->ready) < count) {
        sched_yield();
    }
    atomic_store(&race->go, 1);
    while (wait(NULL) > 0) {
    }
    need(gate_held(&segment, gate) == 0, "a slot is left behind");
    double per_ns = 0;
    for (uint32_t i = 0; i < count; i++) {
        per_ns += race->ns[i] > 0 ? 1 / race->ns[i] : 0;
    }
    return per_ns == 0 ? 0 : 1 / per_ns;
}

static void
race_all(const uint32_t *slots, uint32_t count, uint32_t gate, uint32_t limit, const char *what)
{
    struct race *race =
        mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(race != MAP_FAILED, "no memory");
    double runs[RUNS];
    for (uint32_t i = 0; i < RUNS; i++) {
        runs[i] = run_race(race, slots, count, gate, limit);
    }
    printf("take+give, %u processes on one gate, %-13s %8.0f ns\n", count, what,
           median(runs, RUNS));
    munmap(race, sizeof *race);
}

static void
bench_gates(uint32_t workers)
{
    make_segment(workers, 16);
    uint32_t gate = make_gate(GATE_USER, 1);
    uint32_t slots[PROCESSES];
    for (uint32_t i = 0; i < PROCESSES && i < workers; i++) {
        slots[i] = enter_slot(i);
    }
    double runs[RUNS];
    for (uint32_t i = 0; i < RUNS; i++) {
        runs[i] = run_takes(slots[0], gate, 100, cpu_ns);
    }
    printf("take+give, alone, segment for %2u workers         %8.1f ns\n", workers,
           median(runs, RUNS));
    for (uint32_t count = 2; count <= PROCESSES && count <= workers; count *= 2) {
        race_all(slots, count, gate, 100, "room for all:");
        race_all(slots, count, gate, 1, "room for one:");
    }
    drop_segment();
}

/* --- selection --- */

struct pool {
    enum select_result expected; /* of a choice */
    struct catalog_account *accounts;
    struct catalog_brief *briefs;
    uint32_t *order;
    struct catalog_group group;
    struct catalog_view view;
    struct hash_key hash;
};

/* Alike in everything that select looks at first, so that all are looked at to the end. */
static void
make_pool(struct pool *pool, uint32_t count, char state)
{
    need(state == 'i' || state == 'b' || state == 'f', "idle, busy or full?");
    *pool = (struct pool){ .hash = { 3, 4 }, .expected = state == 'f' ? SELECT_FULL : SELECT_OK };
    struct catalog_hooks hooks = target_hooks(&pool->hash);
    pool->accounts = calloc(count, sizeof *pool->accounts);
    pool->briefs = aligned_alloc(sizeof *pool->briefs, count * sizeof *pool->briefs);
    pool->order = calloc(count, sizeof *pool->order);
    need(pool->accounts != NULL && pool->briefs != NULL && pool->order != NULL, "no memory");
    for (uint32_t i = 0; i < count; i++) {
        struct catalog_account *account = &pool->accounts[i];
        model_defaults(MODEL_ACCOUNT, &account->account);
        account->account.id = 100 + i;
        account->account.index = i;
        account->account.concurrency = state == 'f' ? 1 : 10;
        snprintf(account->account.base_url, sizeof account->account.base_url, "https://x.test");
        snprintf(account->account.models, sizeof account->account.models, "gpt-4o,gpt-5*,o?-*");
        account->extra = target_make(&pool->hash, &account->account, STR(""));
        need(account->extra != NULL, "no target");
        account->group_count = 1;
        catalog_brief(account, hooks.speaks, &pool->briefs[i]);
        pool->order[i] = i;
        health_assign(&segment, i, account->account.id);
        uint32_t gate = make_gate(GATE_ACCOUNT, account->account.id);
        if (state != 'i') {
            need(gate_take(&segment, other_slot, gate, 10, 1) == ERR_OK, "an account is full");
        }
    }
    pool->group = (struct catalog_group){ .accounts = pool->order, .account_count = count };
    pool->group.group.id = 11;
    pool->view = (struct catalog_view){ .version = 1,
                                        .serial = 1,
                                        .accounts = pool->accounts,
                                        .briefs = pool->briefs,
                                        .account_count = count,
                                        .groups = &pool->group,
                                        .group_count = 1 };
}

static void
drop_pool(struct pool *pool)
{
    for (uint32_t i = 0; i < pool->view.account_count; i++) {
        target_free(pool->accounts[i].extra);
    }
    free(pool->accounts);
    free(pool->briefs);
    free(pool->order);
}

static void
choose(struct pool *pool, uint32_t slot, uint64_t turn)
{
    struct select_want want = { .segment = &segment,
                                .slot = slot,
                                .view = &pool->view,
                                .dialect = DIALECT_CHAT,
                                .model = STR("gpt-5.1-mini"),
                                .now_ms = 1000000 + turn,
                                .arrived_ns = 1000 + turn };
    struct select_choice choice;
    need(select_take(&want, &choice) == pool->expected, "not what was expected");
    if (pool->expected == SELECT_OK) {
        select_give(&segment, slot, &pool->view, &choice);
    }
}

static double
run_choices(struct pool *pool, uint32_t slot)
{
    uint64_t start_ns = cpu_ns();
    uint64_t now_ns = start_ns;
    uint64_t turns = 0;
    while (now_ns - start_ns < run_ns) {
        choose(pool, slot, turns++);
        now_ns = cpu_ns();
    }
    return (double)(now_ns - start_ns) / (double)turns;
}

/* In a process of its own: who chooses remembers gates for as long as it lives. */
static void
bench_selection(uint32_t workers, uint32_t count, char state)
{
    pid_t pid = fork();
    need(pid >= 0, "fork");
    if (pid > 0) {
        int status = 0;
        need(waitpid(pid, &status, 0) == pid && status == 0, "a selection failed");
        return;
    }
    struct pool pool;
    make_segment(workers, count);
    uint32_t slot = enter_slot(0);
    other_slot = enter_slot(1);
    make_pool(&pool, count, state);
    double runs[RUNS];
    for (uint32_t i = 0; i < RUNS; i++) {
        runs[i] = run_choices(&pool, slot);
    }
    double ns = median(runs, RUNS);
    printf("selection among %5u %s accounts %12.2f us %8.1f ns an account\n", count,
           state == 'i'   ? "idle"
           : state == 'b' ? "busy"
                          : "full",
           ns / 1000, ns / count);
    drop_pool(&pool);
    drop_segment();
    exit(0);
}

/* --- wake --- */

struct relay_race {
    _Atomic uint64_t given_ns;
    _Atomic uint32_t held; /* times the giver took the slot */
    _Atomic uint32_t done; /* times it was handed over */
    uint32_t ns[WAKES];
};

struct sleeper {
    struct gate_waiter waiter;
    uint64_t served_ns;
};

static void
on_turn(struct gate_waiter *waiter)
{
    LIST_OWNER(waiter, struct sleeper, waiter)->served_ns = clock_now_ns();
}

/* Sleeps for the slot again and again; the time of each hand-over goes into the table. */
static void
sleep_for_slot(struct relay_race *race, uint32_t slot, uint32_t gate)
{
    static struct gate_local local;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    need(gate_init(&local, &segment, slot) == ERR_OK, "no memory");
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN };
    need(epoll_ctl(poll_fd, EPOLL_CTL_ADD, wake_fds[slot], &event) == 0, "epoll");
    for (uint32_t i = 0; i < WAKES; i++) {
        while (atomic_load(&race->held) == i) {
            usleep(20);
        }
        struct sleeper sleeper = { .served_ns = 0 };
        gate_waiter_init(&sleeper.waiter);
        sleeper.waiter.limit = 1;
        sleeper.waiter.on_turn = on_turn;
        need(!gate_wait(&local, gate, &sleeper.waiter), "it did not have to wait");
        while (sleeper.served_ns == 0) {
            (void)epoll_wait(poll_fd, &event, 1, -1);
            wake_clear(&segment, slot);
            gate_on_wake(&local);
        }
        race->ns[i] = (uint32_t)(sleeper.served_ns - atomic_load(&race->given_ns));
        gate_give(&segment, slot, gate, NULL, 0);
        atomic_store(&race->done, i + 1);
    }
    _exit(0);
}

static int
compare_ns(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Gives the slot back while the other one sleeps: a tenth of a millisecond is enough to fall
 * asleep. */
static uint32_t
hand_over(struct relay_race *race, uint32_t slot, uint32_t gate)
{
    uint64_t end_ns = clock_now_ns() + (uint64_t)WAKE_SECONDS * 1000000000u;
    for (uint32_t i = 0; i < WAKES && clock_now_ns() < end_ns; i++) {
        need(gate_take(&segment, slot, gate, 1, 1) == ERR_OK, "the slot is not free");
        atomic_store(&race->held, i + 1);
        while (gate_waiting(&segment, gate) == 0) {
            usleep(20);
        }
        usleep(100);
        atomic_store(&race->given_ns, clock_now_ns());
        gate_give(&segment, slot, gate, NULL, 0);
        while (atomic_load(&race->done) == i) {
            usleep(20);
        }
    }
    return atomic_load(&race->done);
}

static void
bench_wake(void)
{
    make_segment(2, 16);
    uint32_t gate = make_gate(GATE_USER, 1);
    uint32_t giver = enter_slot(0);
    uint32_t waiter = enter_slot(1);
    struct relay_race *race =
        mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(race != MAP_FAILED, "no memory");
    pid_t pid = fork();
    need(pid >= 0, "fork");
    if (pid == 0) {
        sleep_for_slot(race, waiter, gate);
    }
    uint32_t count = hand_over(race, giver, gate);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    qsort(race->ns, count, sizeof race->ns[0], compare_ns);
    uint32_t late = 0;
    while (late < count && race->ns[count - 1 - late] > 1000000) {
        late++;
    }
    printf(
        "hand-over to a process that sleeps, %u times: p50 %.1f us, p99 %.1f us, longest %.1f us; "
        "%u later than 1 ms\n",
        count, race->ns[count / 2] / 1000.0, race->ns[(uint64_t)count * 99 / 100] / 1000.0,
        race->ns[count - 1] / 1000.0, late);
    munmap(race, sizeof *race);
    drop_segment();
}

/* --- for callgrind --- */

static void
count(const char *what, uint32_t workers, uint64_t rounds)
{
    if (strcmp(what, "take") == 0) {
        make_segment(workers, 16);
        uint32_t gate = make_gate(GATE_USER, 1);
        uint32_t slot = enter_slot(0);
        for (uint64_t i = 0; i < rounds; i++) {
            (void)take_and_give(slot, gate, 100);
        }
        return;
    }
    need(strncmp(what, "select:", 7) == 0 && strlen(what) > 8, "count what?");
    uint32_t accounts = (uint32_t)strtoul(what + 8, NULL, 10);
    struct pool pool;
    need(accounts > 0 && accounts <= ACCOUNTS_MAX, "so many accounts do not fit");
    make_segment(workers, accounts);
    uint32_t slot = enter_slot(0);
    other_slot = enter_slot(1);
    make_pool(&pool, accounts, what[7]);
    for (uint64_t i = 0; i < rounds; i++) {
        choose(&pool, slot, i);
    }
    drop_pool(&pool);
}

struct options {
    bool gates;
    bool selection;
    bool wake;
    const char *count;
    uint64_t rounds;
    uint32_t workers;
};

static struct options
read_options(int argc, char **argv)
{
    struct options o = { .rounds = 1, .workers = 2 };
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--gates") == 0) {
            o.gates = true;
        } else if (strcmp(argv[i], "--select") == 0) {
            o.selection = true;
        } else if (strcmp(argv[i], "--wake") == 0) {
            o.wake = true;
        } else if (strcmp(argv[i], "--count") == 0) {
            o.count = argv[++i];
        } else if (strcmp(argv[i], "--rounds") == 0) {
            o.rounds = strtoull(value, NULL, 10);
            i++;
        } else if (strcmp(argv[i], "--workers") == 0) {
            o.workers = (uint32_t)strtoul(value, NULL, 10);
            i++;
        } else if (strcmp(argv[i], "--millis") == 0) {
            run_ns = strtoull(value, NULL, 10) * 1000000u;
            i++;
        } else {
            fail("see the head of tests/bench/sched.c");
        }
    }
    need(o.workers >= 1 && o.workers <= WORKERS_MAX, "workers are out of bounds");
    return o;
}

int
main(int argc, char **argv)
{
    static const uint32_t sizes[] = { 10, 100, 1000, 10000 };
    struct options o = read_options(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (o.count != NULL) {
        count(o.count, o.workers, o.rounds);
        return 0;
    }
    bool all = !o.gates && !o.selection && !o.wake;
    if (all || o.gates) {
        bench_gates(o.workers);
        bench_gates(WORKERS_MAX);
    }
    for (size_t i = 0; (all || o.selection) && i < sizeof sizes / sizeof sizes[0]; i++) {
        uint32_t size = sizes[i] <= ACCOUNTS_MAX ? sizes[i] : ACCOUNTS_MAX;
        bench_selection(o.workers, size, 'i');
        bench_selection(o.workers, size, 'b');
        bench_selection(o.workers, size, 'f');
    }
    if (all || o.wake) {
        bench_wake();
    }
    return 0;
}

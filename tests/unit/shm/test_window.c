/* Requests and tokens per minute, exact over processes. */
#include <criterion/criterion.h>

#include "shm/gate.h"
#include "shm/window.h"
#include "tests/unit/shm/testseg.h"

#define MINUTE(n) ((uint64_t)(n)*WINDOW_MS)

static enum err
take(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t requests, uint64_t now_ms)
{
    uint64_t retry_ms;
    struct window_want want = { .limit_requests = requests };
    return window_take(segment, slot, gate, &want, now_ms, &retry_ms);
}

/* One request that may use so many of 1,000 tokens a minute, at gate 3. */
static enum err
reserve(struct segment *segment, uint32_t slot, uint64_t tokens, uint64_t now_ms)
{
    uint64_t retry_ms;
    struct window_want want = { .limit_tokens = 1000, .tokens = tokens };
    return window_take(segment, slot, 3, &want, now_ms, &retry_ms);
}

static struct window_view
view_of(const struct segment *segment, uint64_t now_ms)
{
    struct window_view view;
    window_read(segment, 3, now_ms, &view);
    return view;
}

Test(window, refuses_without_counting_and_says_for_how_long)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint64_t retry_ms = 1;
    uint64_t now_ms = MINUTE(100) + 15000;
    struct window_want want = { .limit_requests = 2 };
    cr_expect(window_take(segment, 0, 3, &want, now_ms, &retry_ms) == ERR_OK && retry_ms == 0);
    cr_expect(window_take(segment, 1, 3, &want, now_ms, &retry_ms) == ERR_OK);
    cr_expect(window_take(segment, 2, 3, &want, now_ms, &retry_ms) == ERR_FULL);
    cr_expect(retry_ms == 45000);
    cr_expect(view_of(segment, now_ms).requests == 2);
    cr_expect(take(segment, 2, 4, 2, now_ms) == ERR_OK, "another gate");
    cr_expect(take(segment, 2, 3, 2, MINUTE(101)) == ERR_OK, "a new minute");
    cr_expect(take(segment, 2, 3, 0, MINUTE(101)) == ERR_OK, "no limit");
    cr_expect(view_of(segment, MINUTE(101)).requests == 2);
}

Test(window, lets_in_what_fits_beside_the_reserved)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint64_t now_ms = MINUTE(1u << 25); /* more minutes than the token word keeps */
    cr_expect(reserve(segment, 0, 600, now_ms) == ERR_OK);
    cr_expect(reserve(segment, 1, 401, now_ms) == ERR_FULL, "600 may be used by the first");
    struct window_view view = view_of(segment, now_ms);
    cr_expect(view.requests == 1 && view.reserved == 600 && view.tokens == 0,
              "the refused one counts nothing");
    cr_expect(reserve(segment, 1, 400, now_ms) == ERR_OK);
    cr_expect(reserve(segment, 2, 1, now_ms) == ERR_FULL &&
              reserve(segment, 2, 0, now_ms) == ERR_FULL);
    window_settle(segment, 0, 3, 600, now_ms, 100, now_ms + 5);
    view = view_of(segment, now_ms);
    cr_expect(view.reserved == 400 && view.tokens == 100);
    cr_expect(reserve(segment, 2, 500, now_ms) == ERR_OK, "what the first did not use is free");
    window_give(segment, 2, 3, 500, now_ms);
    view = view_of(segment, now_ms);
    cr_expect(view.requests == 2 && view.reserved == 400, "as if it had never been");
    cr_expect(reserve(segment, 3, 5000, now_ms) == ERR_FULL, "more than a minute's, in a used one");
    cr_expect(reserve(segment, 3, 5000, now_ms + WINDOW_MS) == ERR_OK, "in an unused one");
    cr_expect(view_of(segment, now_ms + WINDOW_MS).reserved == 1000);
}

Test(window, counts_every_token_in_one_minute)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint64_t now_ms = MINUTE(9);
    cr_assert(reserve(segment, 0, 300, now_ms) == ERR_OK);
    uint64_t later_ms = now_ms + WINDOW_MS;
    cr_expect(view_of(segment, later_ms).reserved == 0);
    window_settle(segment, 0, 3, 300, now_ms, 250, later_ms);
    cr_expect(view_of(segment, later_ms).tokens == 0, "its own minute has counted it");
    window_settle(segment, 0, 3, 300, now_ms, 450, later_ms);
    cr_expect(view_of(segment, later_ms).tokens == 150, "more than was thought");
    window_settle(segment, 1, 3, 0, now_ms, 40, later_ms);
    cr_expect(view_of(segment, later_ms).tokens == 190, "nothing was reserved");
    window_settle(segment, 0, 3, 0, later_ms, UINT64_MAX, later_ms);
    cr_expect(view_of(segment, later_ms).tokens > 1000000000000u, "stays at the most");
}

Test(window, gives_back_only_in_the_same_minute)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    cr_assert(take(segment, 0, 3, 1, MINUTE(5)) == ERR_OK);
    window_give(segment, 0, 3, 0, MINUTE(5));
    cr_expect(view_of(segment, MINUTE(5)).requests == 0);
    cr_assert(take(segment, 0, 3, 1, MINUTE(6)) == ERR_OK);
    window_give(segment, 0, 3, 0, MINUTE(5));
    cr_expect(view_of(segment, MINUTE(6)).requests == 1);
}

static struct segment *shared;
static uint32_t my_slot;

/* Dies holding 300 tokens for good, and 200 more in the middle of taking or settling them. */
static void
hold_and_die(void *context)
{
    (void)context;
    slot_enter(shared, my_slot, clock_now_ms());
    cr_assert(reserve(shared, my_slot, 300, MINUTE(3)) == ERR_OK);
    cr_assert(reserve(shared, my_slot, 200, MINUTE(3)) == ERR_OK);
    window_settle(shared, my_slot, 3, 200, MINUTE(3), 50, MINUTE(3));
    abort();
}

Test(window, frees_what_the_dead_had_reserved, .timeout = 60)
{
    static const char *const deaths[] = { NULL, "window.mid_take:2=kill",
                                          "window.mid_settle=kill" };
    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
        struct testseg test;
        testseg_make(&test, 4, 16, 16, 16);
        shared = &test.segment;
        uint32_t gate = 0;
        while (gate != 3) { /* rows of gates that nobody asked for are not looked at */
            static uint64_t id = 1;
            cr_assert(gate_find(shared, GATE_KEY, id++, &gate) == ERR_OK);
        }
        my_slot = testseg_slot(&test, SLOT_WORKER);
        uint32_t other = my_slot + 1;
        cr_assert(reserve(shared, other, 100, MINUTE(3)) == ERR_OK);
        cr_expect(testseg_dies(deaths[i], hold_and_die, NULL));
        cr_expect(view_of(shared, MINUTE(3)).reserved >= 400);
        cr_expect(!slot_reap(shared, my_slot) && slot_sweep(shared, my_slot) == ERR_OK);
        struct window_view view = view_of(shared, MINUTE(3));
        cr_expect(view.reserved == 100 && view.tokens <= 50, "%zu: %lu reserved", i,
                  (unsigned long)view.reserved);
    }
}

static void
take_many(void *context)
{
    (void)context;
    int taken = 0;
    for (int i = 0; i < 300; i++) {
        uint64_t retry_ms;
        struct window_want want = { .limit_requests = 110, .limit_tokens = 1000, .tokens = 10 };
        taken += window_take(shared, my_slot, 3, &want, MINUTE(7), &retry_ms) == ERR_OK ? 1 : 0;
    }
    _exit(taken);
}

Test(window, lets_exactly_the_limit_in_when_processes_race, .timeout = 90)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    shared = &test.segment;
    pid_t pids[4];
    for (my_slot = 0; my_slot < 4; my_slot++) {
        pids[my_slot] = fork();
        if (pids[my_slot] == 0) {
            testseg_child();
            take_many(NULL);
        }
    }
    int taken = 0;
    for (int i = 0; i < 4; i++) {
        int status;
        cr_assert(waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status));
        taken += WEXITSTATUS(status);
    }
    cr_expect(taken == 100, "%d", taken);
}

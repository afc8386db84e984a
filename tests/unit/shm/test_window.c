/* Requests and tokens per minute, exact over processes. */
#include <criterion/criterion.h>

#include "shm/window.h"
#include "tests/unit/shm/testseg.h"

#define MINUTE(n) ((uint64_t)(n)*WINDOW_MS)

Test(window, refuses_without_counting_and_says_for_how_long)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint64_t retry_ms = 1;
    uint64_t now_ms = MINUTE(100) + 15000;
    cr_expect(window_take(segment, 0, 3, 2, 0, now_ms, &retry_ms) == ERR_OK && retry_ms == 0);
    cr_expect(window_take(segment, 1, 3, 2, 0, now_ms, &retry_ms) == ERR_OK);
    cr_expect(window_take(segment, 2, 3, 2, 0, now_ms, &retry_ms) == ERR_FULL);
    cr_expect(retry_ms == 45000);
    struct window_view view;
    window_read(segment, 3, now_ms, &view);
    cr_expect(view.requests == 2);
    cr_expect(window_take(segment, 2, 4, 2, 0, now_ms, &retry_ms) == ERR_OK, "another gate");
    cr_expect(window_take(segment, 2, 3, 2, 0, MINUTE(101), &retry_ms) == ERR_OK, "a new minute");
    cr_expect(window_take(segment, 2, 3, 0, 0, MINUTE(101), &retry_ms) == ERR_OK, "no limit");
    window_read(segment, 3, MINUTE(101), &view);
    cr_expect(view.requests == 2);
}

Test(window, counts_tokens_when_they_are_known)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint64_t retry_ms;
    uint64_t now_ms = MINUTE(1u << 25); /* more minutes than the token word keeps */
    window_add_tokens(segment, 0, 3, 600, now_ms);
    window_add_tokens(segment, 1, 3, 399, now_ms);
    cr_expect(window_take(segment, 2, 3, 0, 1000, now_ms, &retry_ms) == ERR_OK);
    window_add_tokens(segment, 0, 3, 1, now_ms);
    cr_expect(window_take(segment, 2, 3, 0, 1000, now_ms, &retry_ms) == ERR_FULL);
    cr_expect(window_take(segment, 2, 3, 0, 1000, now_ms + WINDOW_MS, &retry_ms) == ERR_OK);
    window_add_tokens(segment, 0, 3, UINT64_MAX, now_ms);
    struct window_view view;
    window_read(segment, 3, now_ms, &view);
    cr_expect(view.tokens > 1000000000000u, "stays at the most");
}

Test(window, gives_back_only_in_the_same_minute)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint64_t retry_ms;
    struct window_view view;
    cr_assert(window_take(segment, 0, 3, 1, 0, MINUTE(5), &retry_ms) == ERR_OK);
    window_give(segment, 0, 3, MINUTE(5));
    window_read(segment, 3, MINUTE(5), &view);
    cr_expect(view.requests == 0);
    cr_assert(window_take(segment, 0, 3, 1, 0, MINUTE(6), &retry_ms) == ERR_OK);
    window_give(segment, 0, 3, MINUTE(5));
    window_read(segment, 3, MINUTE(6), &view);
    cr_expect(view.requests == 1);
}

static struct segment *shared;
static uint32_t my_slot;

static void
take_many(void *context)
{
    (void)context;
    int taken = 0;
    for (int i = 0; i < 300; i++) {
        uint64_t retry_ms;
        taken += window_take(shared, my_slot, 3, 100, 0, MINUTE(7), &retry_ms) == ERR_OK ? 1 : 0;
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

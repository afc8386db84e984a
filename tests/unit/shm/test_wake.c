/* Pokes: free when one is under way, never lost for good. */
#include <criterion/criterion.h>
#include <poll.h>

#include "shm/wake.h"
#include "tests/unit/shm/testseg.h"

static int
bells(struct testseg *test, uint32_t slot)
{
    struct pollfd fd = { test->fds[slot], POLLIN, 0 };
    return poll(&fd, 1, 0);
}

Test(wake, rings_once_until_cleared)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    wake_poke(segment, 1);
    wake_poke(segment, 1);
    uint64_t count = 0;
    cr_assert(read(test.fds[1], &count, sizeof count) == (ssize_t)sizeof count);
    cr_expect(count == 1, "a second poke costs no system call");
    wake_clear(segment, 1);
    wake_poke(segment, 1);
    cr_expect(bells(&test, 1) == 1);
    wake_clear(segment, 1);
    cr_expect(bells(&test, 1) == 0);
    wake_poke(segment, SLOT_NONE);
}

static void
poke_slot(void *context)
{
    struct testseg *test = context;
    wake_poke(&test->segment, 0);
}

Test(wake, that_died_before_the_bell_is_made_good_by_the_sweep)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    uint32_t live = testseg_active(&test, SLOT_WORKER);
    uint32_t dead = testseg_active(&test, SLOT_WORKER);
    cr_assert(testseg_dies("wake.before_bell=kill", poke_slot, &test));
    wake_poke(&test.segment, live);
    cr_expect(bells(&test, live) == 0, "the flag silences the next poke");
    cr_expect(!slot_reap(&test.segment, dead));
    cr_expect(slot_sweep(&test.segment, dead) == ERR_OK);
    cr_expect(bells(&test, live) == 1);
}

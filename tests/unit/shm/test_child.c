/* What every child of the master does alike: signals, wakes, the master's death, last words. */
#include "shm/child.h"

#include <sys/eventfd.h>

#include "base/check.h"
#include "shm/counter.h"
#include "shm/heritage.h"
#include "tests/unit/shm/testseg.h"

struct house {
    struct testseg test;
    struct heritage heritage;
    struct loop *loop;
    struct child child;
    int life[2];
    uint32_t drains;
    uint32_t wakes;
};

static struct house *
house_of(struct child *child)
{
    return LIST_OWNER(child, struct house, child);
}

static void
on_drain(struct child *child)
{
    house_of(child)->drains++;
}

static void
on_wake(struct child *child)
{
    house_of(child)->wakes++;
}

static const struct child_hooks hooks = { .on_drain = on_drain, .on_wake = on_wake };

static void
prepare(struct house *house)
{
    *house = (struct house){ .drains = 0 };
    testseg_make(&house->test, 4, 4, 16, 4);
    cr_assert_eq(pipe(house->life), 0);
    house->heritage = (struct heritage){ .segment = &house->test.segment,
                                         .slot = testseg_slot(&house->test, SLOT_WORKER),
                                         .wake_fds = house->test.fds,
                                         .life_fd = house->life[0],
                                         .master_fd = -1 };
}

static void
begin(struct house *house)
{
    prepare(house);
    child_enter(&house->heritage);
    cr_assert_eq(loop_make(16, 16, &house->loop), ERR_OK);
    cr_assert_eq(child_open(&house->child, house->loop, &house->heritage, &hooks), ERR_OK);
}

static void
turns(struct house *house)
{
    for (int i = 0; i < 5; i++) {
        loop_turn(house->loop, 10);
    }
}

Test(child, enters_its_slot)
{
    struct house house;
    begin(&house);
    struct slot_view view;
    slot_read(&house.test.segment, house.heritage.slot, &view);
    cr_expect_eq(view.state, SLOT_ACTIVE);
    cr_expect_eq(view.pid, (uint32_t)getpid());
    loop_free(house.loop);
}

Test(child, drains_when_it_is_told_to)
{
    struct house house;
    begin(&house);
    turns(&house);
    cr_expect(house.drains == 0 && house.wakes == 0);
    kill(getpid(), SIGTERM);
    turns(&house);
    cr_expect_eq(house.drains, 1);
    kill(getpid(), SIGTERM);
    turns(&house);
    cr_expect_eq(house.drains, 2, "each time; the owner knows what it has begun");
    loop_free(house.loop);
}

/* However often it was woken: one look. */
Test(child, hears_wakes_once_for_many)
{
    struct house house;
    begin(&house);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(eventfd_write(house.test.fds[house.heritage.slot], 1), 0);
    }
    turns(&house);
    cr_expect_eq(house.wakes, 1);
    cr_assert_eq(eventfd_write(house.test.fds[house.heritage.slot], 1), 0);
    turns(&house);
    cr_expect_eq(house.wakes, 2);
    cr_expect_eq(house.drains, 0);
    loop_free(house.loop);
}

/* The other end of the life pipe closes with the master, however it ended. */
Test(child, drains_once_when_the_master_is_gone)
{
    struct house house;
    begin(&house);
    close(house.life[1]);
    turns(&house);
    turns(&house);
    cr_expect_eq(house.drains, 1, "and does not spin on the closed pipe");
    loop_free(house.loop);
}

/* A firm signal ends it at once, with good status: its work is repaired by others. */
Test(child, quits_at_once_on_the_firm_signal)
{
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        testseg_child();
        static struct house house;
        begin(&house);
        kill(getpid(), SIGQUIT);
        turns(&house);
        _exit(9);
    }
    int status = 0;
    cr_assert(waitpid(pid, &status, 0) == pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

static void
fail_a_check(void *context)
{
    struct house *house = context;
    child_enter(&house->heritage);
    CHECK(house->heritage.slot == 12345);
}

Test(child, leaves_its_last_words_when_a_check_fails)
{
    struct house house;
    prepare(&house);
    cr_expect(testseg_dies(NULL, fail_a_check, &house));
    struct slot_view view;
    slot_read(&house.test.segment, house.heritage.slot, &view);
    cr_expect(strstr(view.crash, "12345") != NULL, "%s", view.crash);
    cr_expect_eq(counter_of(&house.test.segment, house.heritage.slot, COUNTER_CHECKS_FAILED), 1);
}

#include <criterion/criterion.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/master/house.h"

static void
pause_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

Test(supervise, starts_everybody_and_ends_in_good_order, .timeout = 30)
{
    static struct supervise supervise;
    house_build(&supervise, 2);
    pid_t master = house_open(&supervise);
    house_wait_kind(&supervise, SLOT_RECORDER, 0);
    house_wait_kind(&supervise, SLOT_KEEPER, 0);
    house_wait_worker(&supervise, 0, 0);
    house_wait_worker(&supervise, 1, 0);
    kill(master, SIGTERM);
    cr_assert_eq(house_close(master), 0);
}

Test(supervise, replaces_whoever_is_killed, .timeout = 30)
{
    static struct supervise supervise;
    house_build(&supervise, 2);
    pid_t master = house_open(&supervise);
    pid_t first = house_wait_worker(&supervise, 1, 0);
    pid_t other = house_wait_worker(&supervise, 0, 0);
    kill(first, SIGKILL);
    house_wait_worker(&supervise, 1, first);
    pid_t recorder = house_wait_kind(&supervise, SLOT_RECORDER, 0);
    kill(recorder, SIGKILL);
    house_wait_kind(&supervise, SLOT_RECORDER, recorder);
    pid_t keeper = house_wait_kind(&supervise, SLOT_KEEPER, 0);
    kill(keeper, SIGKILL);
    house_wait_kind(&supervise, SLOT_KEEPER, keeper);
    cr_assert_eq(house_wait_worker(&supervise, 0, 0), other, "the other worker never noticed");
    kill(master, SIGINT);
    cr_assert_eq(house_close(master), 0);
}

Test(supervise, gives_up_when_a_child_cannot_start, .timeout = 30)
{
    static struct supervise supervise;
    house_recorder_mood = HOUSE_NO_START;
    house_build(&supervise, 1);
    cr_assert_eq(house_close(house_open(&supervise)), 1);
}

Test(supervise, does_not_start_a_dying_child_without_end, .timeout = 30)
{
    static struct supervise supervise;
    house_worker_mood = HOUSE_QUICK;
    house_build(&supervise, 1);
    pid_t master = house_open(&supervise);
    house_wait_kind(&supervise, SLOT_RECORDER, 0);
    pause_ms(1500);
    uint32_t lives = 0;
    for (uint32_t i = 0; i < supervise.ground.segment.slots; i++) {
        lives += supervise.ground.segment.slot_rows[i].life;
    }
    /* At once, then after 100, 200, 400, 800 ms: a handful, with recorder and keeper. */
    cr_assert(lives >= 4 && lives <= 9, "%u starts", lives);
    kill(master, SIGTERM);
    cr_assert_neq(house_close(master), -1);
}

Test(supervise, cuts_off_what_outlives_its_grace, .timeout = 30)
{
    static struct supervise supervise;
    house_worker_mood = HOUSE_STUBBORN;
    house_build(&supervise, 1);
    pid_t master = house_open(&supervise);
    house_wait_worker(&supervise, 0, 0);
    uint64_t before = clock_now_ms();
    kill(master, SIGTERM);
    cr_assert_eq(house_close(master), 0);
    uint64_t took = clock_now_ms() - before;
    cr_assert(took >= 250 && took < 5000, "took %lu ms", took);
}

Test(supervise, kills_what_obeys_nothing, .timeout = 30)
{
    static struct supervise supervise;
    house_worker_mood = HOUSE_DEAF;
    house_build(&supervise, 1);
    pid_t master = house_open(&supervise);
    house_wait_worker(&supervise, 0, 0);
    kill(master, SIGTERM);
    cr_assert_eq(house_close(master), 0, "the recorder has swept what the killed one held");
}

Test(supervise, ends_at_once_when_told_twice, .timeout = 30)
{
    static struct supervise supervise;
    house_worker_mood = HOUSE_STUBBORN;
    house_build(&supervise, 1);
    supervise.ground.config->master.grace_ms = 20000;
    pid_t master = house_open(&supervise);
    house_wait_worker(&supervise, 0, 0);
    kill(master, SIGTERM);
    pause_ms(700);
    kill(master, SIGTERM);
    cr_assert_eq(house_close(master), 0);
}

Test(supervise, takes_wishes_of_its_children, .timeout = 30)
{
    static struct supervise supervise;
    house_build(&supervise, 1);
    pid_t master = house_open(&supervise);
    house_wait_worker(&supervise, 0, 0);
    char wish = HERITAGE_WISH_STOP;
    cr_assert_eq(write(supervise.ground.wish_fds[1], &wish, 1), 1);
    cr_assert_eq(house_close(master), 0);
}

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/master/house.h"

Test(process, keeps_what_the_heritage_names_and_nothing_twice)
{
    static struct supervise supervise;
    house_build(&supervise, 2);
    struct heritage heritage;
    process_heritage(&supervise.ground, (struct process_post){ SLOT_WORKER, 1 }, 3, &heritage);
    int kept[PROCESS_KEPT_MAX];
    uint32_t count = process_kept(&supervise.ground, &heritage, kept);
    bool own = false;
    for (uint32_t i = 0; i < count; i++) {
        cr_assert(kept[i] > 2);
        cr_assert(i == 0 || kept[i] > kept[i - 1]);
        cr_assert_neq(kept[i], supervise.ground.sockets.fds[0][0], "another worker's socket");
        cr_assert_neq(kept[i], supervise.ground.life_fds[1], "our own end would hide our death");
        own = own || kept[i] == supervise.ground.sockets.fds[1][0];
    }
    cr_assert(own);
    segment_remove(house_path);
}

Test(process, gives_each_kind_its_own)
{
    static struct supervise supervise;
    house_build(&supervise, 2);
    supervise.ground.admin_fd = 77;
    struct heritage heritage;
    process_heritage(&supervise.ground, (struct process_post){ SLOT_WORKER, 1 }, 3, &heritage);
    cr_assert_eq(heritage.worker, 1);
    cr_assert_eq(heritage.slot, 3);
    cr_assert_eq(heritage.listen_count, 1);
    cr_assert_eq(heritage.admin_fd, -1);
    process_heritage(&supervise.ground, (struct process_post){ SLOT_RECORDER, 0 }, 4, &heritage);
    cr_assert_eq(heritage.listen_count, 0);
    cr_assert_eq(heritage.admin_fd, 77);
    cr_assert_eq(heritage.generation, 1);
    segment_remove(house_path);
}

Test(process, closes_everything_else_in_the_child, .timeout = 30)
{
    static struct supervise supervise;
    house_build(&supervise, 1);
    int stray = open("/dev/null", O_RDONLY);
    cr_assert(stray > 2);
    pid_t master = house_open(&supervise);
    pid_t worker = house_wait_worker(&supervise, 0, 0);
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)worker, stray);
    cr_assert_neq(access(path, F_OK), 0, "%s is open", path);
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)worker, supervise.ground.life_fds[0]);
    cr_assert_eq(access(path, F_OK), 0, "%s is not open", path);
    kill(master, SIGTERM);
    cr_assert_eq(house_close(master), 0);
}

Test(process, shows_its_kind_in_the_title, .timeout = 30)
{
    static struct supervise supervise;
    house_build(&supervise, 1);
    pid_t master = house_open(&supervise);
    pid_t worker = house_wait_worker(&supervise, 0, 0);
    char path[64];
    char name[32] = "";
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)worker);
    int fd = open(path, O_RDONLY);
    cr_assert(read(fd, name, sizeof(name) - 1) > 0);
    close(fd);
    cr_assert_str_eq(name, "worker0\n");
    kill(master, SIGTERM);
    cr_assert_eq(house_close(master), 0);
}

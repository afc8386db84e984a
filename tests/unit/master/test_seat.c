#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/seat.h"

Test(seat, is_held_by_one_living_master_and_not_by_its_children, .timeout = 90)
{
    char dir[] = "/tmp/sub2api-test-XXXXXX";
    char why[SEAT_WHY_BYTES] = "";
    char path[64];
    int ready[2];
    char byte = 0;
    cr_assert(mkdtemp(dir) != NULL);
    cr_assert_eq(pipe(ready), 0);
    cr_assert_eq(seat_check(dir, why), ERR_OK, "nobody has been here");

    pid_t master = fork();
    if (master == 0) {
        bool taken = seat_take(dir, why) == ERR_OK;
        /* A child that outlives its master must not look like one. */
        pid_t child = fork();
        if (child == 0) {
            sleep(3);
            _exit(0);
        }
        byte = taken ? 'y' : 'n';
        _exit(write(ready[1], &byte, 1) == 1 && pause() == 0 ? 0 : 1);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    cr_assert_eq(byte, 'y');
    cr_assert_eq(seat_check(dir, why), ERR_DENIED);
    char pid[32];
    snprintf(pid, sizeof(pid), "pid %d", (int)master);
    cr_assert(strstr(why, pid) != NULL, "%s", why);
    cr_assert_eq(seat_take(dir, why), ERR_DENIED);
    kill(master, SIGKILL);
    waitpid(master, NULL, 0);
    cr_assert_eq(seat_check(dir, why), ERR_OK);
    cr_assert_eq(seat_take(dir, why), ERR_OK, "%s", why);
    snprintf(path, sizeof(path), "%s/master.lock", dir);
    unlink(path);
    rmdir(dir);
}

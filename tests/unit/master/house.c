#include "tests/unit/master/house.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "admin/keeper.h"
#include "admin/recorder.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sys.h"
#include "master/signals.h"
#include "shm/heritage.h"
#include "shm/wake.h"
#include "worker/worker.h"

enum house_mood house_worker_mood;
enum house_mood house_recorder_mood;
char house_path[64];

static void
pause_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static void
sweep(const struct heritage *heritage)
{
    for (uint32_t i = 0; i < heritage->segment->slots; i++) {
        if (slot_state(heritage->segment, i) == SLOT_DEAD) {
            enum err err = slot_sweep(heritage->segment, i);
            cr_assert_eq(err, ERR_OK);
        }
    }
}

/* What every child has in common: beat until told, then leave. */
static int
live(const struct heritage *heritage, enum house_mood mood, bool is_recorder)
{
    if (mood == HOUSE_NO_START) {
        _exit(2);
    }
    slot_enter(heritage->segment, heritage->slot, clock_now_ms());
    if (mood == HOUSE_QUICK) {
        abort();
    }
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGQUIT);
    int fd = signalfd(-1, &mask, SFD_NONBLOCK);
    for (;;) {
        struct pollfd polls[2] = { { fd, POLLIN, 0 }, { heritage->life_fd, POLLIN, 0 } };
        poll(polls, 2, 20);
        slot_beat(heritage->segment, heritage->slot, clock_now_ms());
        if (is_recorder) {
            sweep(heritage);
        }
        int number = signals_next(fd);
        bool is_told = (number == SIGTERM && mood == HOUSE_GOOD) ||
                       (number == SIGQUIT && mood != HOUSE_DEAF) || polls[1].revents != 0;
        if (is_told) {
            slot_drain(heritage->segment, heritage->slot);
            /* Not exit(): a leak check in a process forked off a test has nothing to say. */
            _exit(slot_leave(heritage->segment, heritage->slot) ? 0 : 3);
        }
    }
}

int
worker_main(const struct heritage *heritage)
{
    return live(heritage, house_worker_mood, false);
}

int
recorder_main(const struct heritage *heritage)
{
    return live(heritage, house_recorder_mood, true);
}

int
keeper_main(const struct heritage *heritage)
{
    return live(heritage, HOUSE_GOOD, false);
}

void
house_build(struct supervise *supervise, uint32_t workers)
{
    *supervise = (struct supervise){ 0 };
    struct process_ground *ground = &supervise->ground;
    ground->config = calloc(1, sizeof(*ground->config));
    ground->config->master.workers = workers;
    ground->config->master.grace_ms = 300;
    ground->config->master.log_level = LOG_ERROR;
    ground->config->http.listen.count = 1;
    ground->config->http.backlog = 16;
    str_copy(ground->config->http.listen.items[0], SETTING_LIST_ITEM_BYTES, STR("127.0.0.1:0"));
    ground->worker_count = workers;
    ground->generation = 1;
    ground->admin_fd = -1;
    log_init("master", LOG_ERROR);
    struct segment_want want = { .slots = 2 * workers + 8,
                                 .workers = workers,
                                 .leases = 16,
                                 .gates = 16,
                                 .ring_cells = 16,
                                 .accounts = 16 };
    char why[256];
    snprintf(house_path, sizeof(house_path), "/dev/shm/sub2api-test-%d", (int)getpid());
    segment_remove(house_path);
    cr_assert_eq(segment_create(house_path, &want, &ground->segment, why), ERR_OK, "%s", why);
    cr_assert_eq(sockets_open(&ground->sockets, &ground->config->http, workers, NULL, why), ERR_OK,
                 "%s", why);
    cr_assert_eq(process_prepare(ground), ERR_OK);
}

pid_t
house_open(struct supervise *supervise)
{
    pid_t pid = fork();
    if (pid == 0) {
        int fd = -1;
        enum err err = signals_open(&fd);
        int code = err != ERR_OK ? 8 : supervise_run(supervise, fd);
        _exit(code == 0 && !supervise_is_clean(supervise) ? 9 : code);
    }
    return pid;
}

static pid_t
wait_slot(struct supervise *supervise, enum slot_kind kind, uint32_t worker, pid_t not_this)
{
    for (int i = 0; i < 1000; i++) {
        for (uint32_t s = 0; s < supervise->ground.segment.slots; s++) {
            struct slot_view view;
            slot_read(&supervise->ground.segment, s, &view);
            if (view.state == SLOT_ACTIVE && view.kind == kind && view.worker == worker &&
                (pid_t)view.pid != not_this) {
                return (pid_t)view.pid;
            }
        }
        pause_ms(10);
    }
    cr_assert(false, "no %s %u came", slot_kind_text(kind), worker);
    return 0;
}

pid_t
house_wait_worker(struct supervise *supervise, uint32_t worker, pid_t not_this)
{
    return wait_slot(supervise, SLOT_WORKER, worker, not_this);
}

pid_t
house_wait_kind(struct supervise *supervise, enum slot_kind kind, pid_t not_this)
{
    return wait_slot(supervise, kind, 0, not_this);
}

int
house_close(pid_t pid)
{
    int code = -1;
    for (int i = 0; i < 1000; i++) {
        int status = 0;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            break;
        }
        pause_ms(10);
    }
    segment_remove(house_path);
    return code;
}

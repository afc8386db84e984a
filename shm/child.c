#include "shm/child.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "shm/counter.h"
#include "shm/heritage.h"
#include "shm/slot.h"

/* For the panic hook, which gets no context. */
static const struct heritage *ours;

static void
on_panic(const char *text)
{
    counter_add(ours->segment, ours->slot, COUNTER_CHECKS_FAILED, 1);
    slot_crash(ours->segment, ours->slot, text);
    log_flush();
}

void
child_enter(const struct heritage *heritage)
{
    CHECK(heritage->segment != NULL && ours == NULL);
    ours = heritage;
    slot_enter(heritage->segment, heritage->slot, clock_now_ms());
    check_set_hook(on_panic);
}

static void
on_signal(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct child *child = LIST_OWNER(io, struct child, signal_io);
    struct signalfd_siginfo info;
    while (read(io->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGQUIT) {
            log_flush();
            _exit(0);
        }
        child->hooks->on_drain(child);
    }
}

static void
on_wake(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct child *child = LIST_OWNER(io, struct child, wake_io);
    eventfd_t value;
    while (eventfd_read(io->fd, &value) == 0) {
    }
    child->hooks->on_wake(child);
}

static void
on_life(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct child *child = LIST_OWNER(io, struct child, life_io);
    loop_remove(child->loop, io);
    log_event(LOG_ERROR, "master", "why=\"the master is gone\"");
    child->hooks->on_drain(child);
}

bool
child_has_master(const struct child *child)
{
    return child->life_io.fd >= 0;
}

enum err
child_open(struct child *child, struct loop *loop, const struct heritage *heritage,
           const struct child_hooks *hooks)
{
    CHECK(ours == heritage);
    *child = (struct child){ .heritage = heritage,
                             .hooks = hooks,
                             .loop = loop,
                             .signal_io = { .fd = -1, .on_ready = on_signal },
                             .wake_io = { .fd = -1, .on_ready = on_wake },
                             .life_io = { .fd = -1, .on_ready = on_life } };
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    enum err err = fd < 0 ? ERR_IO : loop_add_level(loop, &child->signal_io, fd);
    if (err == ERR_OK) {
        err = loop_add_level(loop, &child->wake_io, heritage->wake_fds[heritage->slot]);
    }
    if (err == ERR_OK) {
        err = loop_add_level(loop, &child->life_io, heritage->life_fd);
    }
    return err;
}

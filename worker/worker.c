#include "worker/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "http/httpconf.h"
#include "http/server.h"
#include "proto/dialect.h"
#include "shm/counter.h"
#include "shm/heritage.h"
#include "shm/shmconf.h"
#include "shm/slot.h"
#include "shm/version.h"
#include "shm/wake.h"
#include "store/storeconf.h"
#include "upstream/reach.h"
#include "worker/relay.h"
#include "worker/workerconf.h"

/* Heartbeat, log flush, and a look at the queues. */
#define BEAT_MS 200u
/* Descriptors besides clients and providers: epoll, signals, wake, life, listeners, store. */
#define SPARE_IOS 64u
/* Timers of one request: relay's deadline and ping, exchange's, the connection's. */
#define TIMERS_PER_REQUEST 4u

struct process {
    struct worker worker;
    struct loop_io signal_io;
    struct loop_io wake_io;
    struct loop_io life_io;
    struct loop_timer beat;
    struct loop_timer grace;
};

static struct process *process; /* one a process; the panic hook needs it */

enum err
worker_view(struct worker *worker, struct catalog_view **out)
{
    return catalog_view(worker->catalog, version_catalog(worker->segment), out);
}

/* --- leaving --- */

static void
maybe_stop(struct worker *worker)
{
    if (worker->is_draining && worker->relays.taken_count == 0) {
        loop_stop(worker->loop);
    }
}

/* No new work; what is under way gets [master] grace. */
static void
drain(struct worker *worker)
{
    if (worker->is_draining) {
        return;
    }
    worker->is_draining = true;
    slot_drain(worker->segment, worker->slot);
    server_drain(worker->server);
    log_event(LOG_INFO, "drain", "requests=%u", worker->relays.taken_count);
    loop_timer_set(worker->loop, &process->grace,
                   loop_now_ms(worker->loop) + worker->heritage->grace_ms);
    maybe_stop(worker);
}

static void
on_grace(struct loop_timer *timer)
{
    (void)timer;
    log_event(LOG_WARN, "drain", "why=\"grace is over\" requests=%u",
              process->worker.relays.taken_count);
    loop_stop(process->worker.loop);
}

static void
on_signal(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct signalfd_siginfo info;
    while (read(io->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGQUIT) {
            log_flush();
            _exit(0);
        }
        drain(&process->worker);
    }
}

/* The master is dead: finish and go; the service manager starts a new one. */
static void
on_life(struct loop_io *io, uint32_t events)
{
    (void)events;
    loop_remove(process->worker.loop, io);
    log_event(LOG_ERROR, "master", "why=\"the master is gone\"");
    drain(&process->worker);
}

/* --- wakes and beats --- */

static void
on_end_wanted(uint32_t lease, void *context)
{
    struct worker *worker = context;
    struct relay *relay = worker->by_lease[lease];
    if (relay != NULL) {
        relay_kill(relay);
    }
}

static void
on_wake(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct worker *worker = &process->worker;
    eventfd_t value;
    while (eventfd_read(io->fd, &value) == 0) {
    }
    wake_clear(worker->segment, worker->slot);
    gate_on_wake(&worker->gates);
    lease_ends(&worker->leases, on_end_wanted, worker);
}

static void
on_beat(struct loop_timer *timer)
{
    struct worker *worker = &process->worker;
    uint64_t now_ms = loop_now_ms(worker->loop);
    slot_beat(worker->segment, worker->slot, now_ms);
    if (worker->gates.waiting > 0) {
        gate_on_wake(&worker->gates);
    }
    counter_set(worker->segment, worker->slot, COUNTER_LOG_DROPS, log_dropped());
    log_flush();
    maybe_stop(worker);
    loop_timer_set(worker->loop, timer, now_ms + BEAT_MS);
}

static void
on_panic(const char *text)
{
    struct worker *worker = &process->worker;
    counter_add(worker->segment, worker->slot, COUNTER_CHECKS_FAILED, 1);
    slot_crash(worker->segment, worker->slot, text);
    log_flush();
}

/* --- making --- */

static void *
make_target(void *context, const struct account *account)
{
    const struct worker *worker = context;
    return target_make(&worker->segment->hash_key, account);
}

static void
free_target(void *context, void *extra)
{
    (void)context;
    target_free(extra);
}

static enum err
open_catalog(struct worker *worker)
{
    struct catalog_hooks hooks = { .dialects = dialect_mask_parse,
                                   .extra_make = make_target,
                                   .extra_free = free_target,
                                   .context = worker };
    const struct storeconf *conf = worker->heritage->store;
    return catalog_open(conf->dir, conf->map_bytes, &hooks, &worker->catalog);
}

static enum err
open_server(struct worker *worker)
{
    const struct heritage *heritage = worker->heritage;
    struct server_want want = { .loop = worker->loop,
                                .conf = heritage->http,
                                .hooks = &relay_server_hooks,
                                .context = worker,
                                .conns_max = heritage->http->conns_max };
    enum err err = server_make(&want, &worker->server);
    for (uint32_t i = 0; err == ERR_OK && i < heritage->listen_count; i++) {
        err = server_listen(worker->server, heritage->listen_fds[i]);
    }
    return err;
}

static enum err
open_shared(struct worker *worker)
{
    struct segment *segment = worker->segment;
    enum err err = gate_init(&worker->gates, segment, worker->slot);
    if (err == ERR_OK) {
        err = lease_init(&worker->leases, segment, worker->slot);
    }
    ring_init(&worker->ring, segment, worker->slot);
    worker->by_lease = calloc(segment->leases, sizeof *worker->by_lease);
    return err == ERR_OK && worker->by_lease == NULL ? ERR_FULL : err;
}

static enum err
open_signals(struct process *its)
{
    struct loop *loop = its->worker.loop;
    const struct heritage *heritage = its->worker.heritage;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    its->signal_io.on_ready = on_signal;
    its->wake_io.on_ready = on_wake;
    its->life_io.on_ready = on_life;
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    enum err err = fd < 0 ? ERR_IO : loop_add_level(loop, &its->signal_io, fd);
    if (err == ERR_OK) {
        err = loop_add_level(loop, &its->wake_io, heritage->wake_fds[heritage->slot]);
    }
    if (err == ERR_OK) {
        err = loop_add_level(loop, &its->life_io, heritage->life_fd);
    }
    return err;
}

static enum err
open_all(struct process *its)
{
    struct worker *worker = &its->worker;
    uint32_t clients = worker->heritage->http->conns_max;
    uint32_t leases = worker->segment->leases;
    enum err err =
        loop_make(clients + leases + ORIGIN_IDLE_MAX + SPARE_IOS,
                  clients + TIMERS_PER_REQUEST * (leases + clients) + SPARE_IOS, &worker->loop);
    if (err != ERR_OK) {
        return err;
    }
    pool_init(&worker->relays, sizeof(struct relay), clients);
    memo_init(&worker->memo);
    penalty_init(&worker->penalty, &worker->segment->hash_key,
                 worker->heritage->worker_conf->auth_failures,
                 worker->heritage->worker_conf->auth_window_ms);
    enum err (*const steps[])(struct worker *) = { open_shared, open_catalog, open_server };
    err = open_signals(its);
    if (err == ERR_OK) {
        err = reach_make(worker->loop, worker->heritage, leases + ORIGIN_IDLE_MAX, &worker->reach);
    }
    for (size_t i = 0; err == ERR_OK && i < sizeof steps / sizeof steps[0]; i++) {
        err = steps[i](worker);
    }
    return err;
}

/* Streams that outlived their grace end with the dialect's error event. */
static void
end_all(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->segment->leases; i++) {
        if (worker->by_lease[i] != NULL) {
            relay_refuse(worker->by_lease[i],
                         &(struct reply){ .status = 503,
                                          .code = "draining",
                                          .message = STR("The gateway is stopping") });
        }
    }
}

int
worker_main(const struct heritage *heritage)
{
    CHECK(heritage->segment != NULL && process == NULL);
    process = calloc(1, sizeof *process);
    if (process == NULL) {
        return 2;
    }
    struct worker *worker = &process->worker;
    worker->heritage = heritage;
    worker->segment = heritage->segment;
    worker->slot = heritage->slot;
    slot_enter(worker->segment, worker->slot, clock_now_ms());
    check_set_hook(on_panic);
    enum err err = open_all(process);
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "start", "why=\"worker cannot start\" err=%s", err_name(err));
        log_flush();
        return 2;
    }
    process->beat.on_due = on_beat;
    process->grace.on_due = on_grace;
    wake_clear(worker->segment, worker->slot);
    on_beat(&process->beat);
    loop_run(worker->loop);

    end_all(worker);
    loop_turn(worker->loop, 0);
    catalog_close(worker->catalog);
    slot_leave(worker->segment, worker->slot);
    log_event(LOG_INFO, "stop", "requests=%llu", (unsigned long long)worker->requests);
    log_flush();
    return 0;
}

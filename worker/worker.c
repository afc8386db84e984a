#include "worker/worker.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/loop.h"
#include "http/httpconf.h"
#include "http/server.h"
#include "shm/child.h"
#include "shm/counter.h"
#include "shm/heritage.h"
#include "shm/shmconf.h"
#include "shm/slot.h"
#include "shm/version.h"
#include "shm/wake.h"
#include "store/storeconf.h"
#include "upstream/reach.h"
#include "worker/admit.h"
#include "worker/carbon.h"
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
    struct child child;
    struct loop_timer beat;
    struct loop_timer grace;
    bool is_over; /* the grace is: what is left was refused */
};

static struct process *process; /* one a process */

enum err
worker_view(struct worker *worker, struct catalog_view **out)
{
    return catalog_view(worker->catalog, version_catalog(worker->segment), out);
}

/* --- leaving --- */

bool
worker_is_stopping(const struct worker *worker)
{
    return worker->is_draining &&
           (version_is_draining(worker->segment) ||
            version_generation(worker->segment) == worker->heritage->generation);
}

static void
maybe_stop(struct worker *worker)
{
    /* An answer may be on its way out after its relay is gone. */
    if (worker->is_draining && worker->relays.taken_count == 0 &&
        server_conns(worker->server) == 0) {
        loop_stop(worker->loop);
    }
}

/*
 * No new work; what is under way gets [master] grace. After a reload the next generation takes the
 * new connections; when all stops they are told so here. Without a master they are the next one's.
 */
static void
drain(struct worker *worker, bool has_master)
{
    if (has_master && version_is_draining(worker->segment)) {
        server_turn_away(worker->server);
    } else {
        server_drain(worker->server);
    }
    if (worker->is_draining) {
        return;
    }
    worker->is_draining = true;
    slot_drain(worker->segment, worker->slot);
    log_event(LOG_INFO, "drain", "requests=%u", worker->relays.taken_count);
    loop_timer_set(worker->loop, &process->grace,
                   loop_now_ms(worker->loop) + worker->heritage->grace_ms);
    maybe_stop(worker);
}

/* Everybody who still waits for an answer is told: streams by the dialect's error event, those who
 * have not sent all of their request by an answer to what came. */
static void
end_all(struct worker *worker)
{
    static const struct parser_error draining = { 503, "draining", "The gateway is stopping" };
    for (uint32_t i = 0; i < worker->segment->leases; i++) {
        if (worker->by_lease[i] != NULL) {
            relay_refuse(worker->by_lease[i],
                         &(struct reply){ .status = draining.status,
                                          .code = draining.code,
                                          .message = str_of(draining.message) });
        }
    }
    server_refuse_input(worker->server, &draining);
}

_Static_assert(DRAIN_TAIL_MS > LINGER_MS_MAX + BEAT_MS, "a refusal can be read before the end");

/* The first time, what is left is refused; the second time, nobody is waited for any more. */
static void
on_grace(struct loop_timer *timer)
{
    struct worker *worker = &process->worker;
    if (process->is_over) {
        loop_stop(worker->loop);
        return;
    }
    process->is_over = true;
    log_event(LOG_WARN, "drain", "why=\"grace is over\" requests=%u", worker->relays.taken_count);
    end_all(worker);
    /* The master's firm signal comes at DRAIN_TAIL_MS. */
    loop_timer_set(worker->loop, timer, loop_now_ms(worker->loop) + DRAIN_TAIL_MS - BEAT_MS);
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
on_wake(struct child *child)
{
    struct worker *worker = &LIST_OWNER(child, struct process, child)->worker;
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
        admit_review(worker);
    }
    counter_set(worker->segment, worker->slot, COUNTER_LOG_DROPS, log_dropped());
    log_flush();
    maybe_stop(worker);
    loop_timer_set(worker->loop, timer, now_ms + BEAT_MS);
}

/* --- making --- */

static enum err
open_catalog(struct worker *worker)
{
    struct catalog_hooks hooks = target_hooks(&worker->segment->hash_key);
    hooks.accounts = worker->segment->accounts;
    const struct storeconf *conf = worker->heritage->store;
    enum err err = catalog_open(conf->dir, conf->map_bytes, &hooks, &worker->catalog);
    if (err == ERR_OK) {
        /* Not the segment's key, which is another one after each start: conversations go on. */
        struct digest key;
        catalog_derive(worker->catalog, STR("sub2api carrier 1"), &key);
        memcpy(&worker->carrier_key, key.bytes, sizeof worker->carrier_key);
        digest_wipe(&key, sizeof key);
    }
    return err;
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
    list_init(&worker->bound);
    enum err err = gate_init(&worker->gates, segment, worker->slot);
    if (err == ERR_OK) {
        err = lease_init(&worker->leases, segment, worker->slot);
    }
    ring_init(&worker->ring, segment, worker->slot);
    worker->by_lease = calloc(segment->leases, sizeof *worker->by_lease);
    return err == ERR_OK && worker->by_lease == NULL ? ERR_FULL : err;
}

static void
on_drain(struct child *child)
{
    drain(&LIST_OWNER(child, struct process, child)->worker, child_has_master(child));
}

static const struct child_hooks child_hooks = { .on_drain = on_drain, .on_wake = on_wake };

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
    pool_init(&worker->relays, sizeof(struct relay), RELAY_ZEROED_BYTES, clients);
    pool_init(&worker->repeats, sizeof(struct repeat), sizeof(struct repeat), clients);
    pool_init(&worker->carbons, sizeof(struct carbon), sizeof(struct carbon), clients);
    memo_init(&worker->memo);
    penalty_init(&worker->penalty, &worker->segment->hash_key,
                 worker->heritage->worker_conf->auth_failures,
                 worker->heritage->worker_conf->auth_window_ms);
    enum err (*const steps[])(struct worker *) = { open_shared, open_catalog, open_server };
    err = child_open(&its->child, worker->loop, worker->heritage, &child_hooks);
    if (err == ERR_OK) {
        err = reach_make(worker->loop, worker->heritage, leases + ORIGIN_IDLE_MAX, &worker->reach);
    }
    for (size_t i = 0; err == ERR_OK && i < sizeof steps / sizeof steps[0]; i++) {
        err = steps[i](worker);
    }
    return err;
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
    child_enter(heritage);
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

    end_all(worker); /* what began in the last moment */
    loop_turn(worker->loop, 0);
    catalog_close(worker->catalog);
    slot_leave(worker->segment, worker->slot);
    log_event(LOG_INFO, "stop", "requests=%llu", (unsigned long long)worker->requests);
    log_flush();
    return 0;
}

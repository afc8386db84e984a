#include "master/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "master/notify.h"
#include "master/signals.h"
#include "shm/ring.h"
#include "shm/version.h"
#include "shm/wake.h"

#define TICK_MS 1000u      /* heartbeats are judged this often */
#define TICK_BUSY_MS 50u   /* while children start, end or wait for a retry */
#define STOP_TWICE_MS 500u /* a second wish to stop counts only after this */
#define EXIT_NO_START 2    /* heritage.h: a child that could not start */
#define LOOP_IOS 4u
#define LOOP_TIMERS 2u

/* --- who is there --- */

static bool
is_same_post(struct process_post a, struct process_post b)
{
    return a.kind == b.kind && (a.kind != SLOT_WORKER || a.worker == b.worker);
}

/* A retired recorder or keeper still counts: there is never a second one beside it. */
static bool
is_filled(const struct supervise *supervise, struct process_post post)
{
    for (uint32_t i = 0; i < SUPERVISE_CHILDREN; i++) {
        const struct supervise_child *child = &supervise->children[i];
        if (child->pid != 0 && is_same_post(child->post, post) &&
            (!child->is_retired || post.kind != SLOT_WORKER)) {
            return true;
        }
    }
    return false;
}

static uint32_t
count_kind(const struct supervise *supervise, bool workers)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < SUPERVISE_CHILDREN; i++) {
        const struct supervise_child *child = &supervise->children[i];
        if (child->pid != 0 && (child->post.kind == SLOT_WORKER) == workers) {
            count++;
        }
    }
    return count;
}

static struct supervise_child *
find_child(struct supervise *supervise, pid_t pid)
{
    for (uint32_t i = 0; i < SUPERVISE_CHILDREN; i++) {
        if (supervise->children[i].pid == pid) {
            return &supervise->children[i];
        }
    }
    return NULL;
}

static struct care_post *
post_care(struct supervise *supervise, struct process_post post)
{
    switch (post.kind) {
    case SLOT_WORKER:
        return &supervise->worker_posts[post.worker];
    case SLOT_RECORDER:
        return &supervise->recorder_post;
    case SLOT_KEEPER:
    case SLOT_EXPORTER:
        break;
    }
    return &supervise->keeper_post;
}

/* --- starting what is missing --- */

static void
start_child(struct supervise *supervise, struct process_post post)
{
    uint64_t now_ms = clock_now_ms();
    struct care_post *care = post_care(supervise, post);
    if (is_filled(supervise, post) || now_ms < care->retry_ms) {
        return;
    }
    struct supervise_child *child = find_child(supervise, 0);
    CHECK(child != NULL); /* as many entries as slots */
    pid_t pid = 0;
    uint32_t slot = SLOT_NONE;
    enum err err = process_fork(&supervise->ground, post, &pid, &slot);
    if (err != ERR_OK) {
        care_died(care, now_ms, 0);
        log_event(LOG_ERROR, "fork", "kind=%s worker=%u err=%s", slot_kind_text(post.kind),
                  post.worker, err_name(err));
        return;
    }
    CHECK(pid > 0 && slot != SLOT_NONE);
    *child = (struct supervise_child){
        .pid = pid,
        .post = post,
        .generation = supervise->ground.generation,
        .slot = slot,
        .care = { .born_ms = now_ms },
    };
}

static void
start_missing(struct supervise *supervise)
{
    if (supervise->stage == SUPERVISE_CLOSING) {
        return;
    }
    start_child(supervise, (struct process_post){ .kind = SLOT_RECORDER });
    if (supervise->stage == SUPERVISE_DRAINING) {
        return; /* Only the recorder is still needed: somebody must take the last records. */
    }
    start_child(supervise, (struct process_post){ .kind = SLOT_KEEPER });
    for (uint32_t w = 0; w < supervise->ground.worker_count; w++) {
        start_child(supervise, (struct process_post){ .kind = SLOT_WORKER, .worker = w });
    }
}

/* --- ending --- */

static void
send_signal(const struct supervise_child *child, int number)
{
    CHECK(child->pid > 1);
    /* ESRCH is no news: it is dead already and will be reaped. */
    int result = kill(child->pid, number);
    (void)result;
}

/* Told to end in good order, within wait_ms; then care_judge goes on. */
static void
retire(struct supervise_child *child, uint32_t wait_ms)
{
    if (child->is_retired) {
        return;
    }
    child->is_retired = true;
    child->care.quit_ms = clock_now_ms() + wait_ms;
    send_signal(child, SIGTERM);
}

static void
retire_kind(struct supervise *supervise, bool workers, uint32_t wait_ms)
{
    for (uint32_t i = 0; i < SUPERVISE_CHILDREN; i++) {
        struct supervise_child *child = &supervise->children[i];
        if (child->pid != 0 && (child->post.kind == SLOT_WORKER) == workers) {
            retire(child, wait_ms);
        }
    }
}

/* The second time it is meant: streams are cut off. */
static void
hurry(struct supervise *supervise)
{
    for (uint32_t i = 0; i < SUPERVISE_CHILDREN; i++) {
        struct supervise_child *child = &supervise->children[i];
        if (child->pid != 0 && child->post.kind == SLOT_WORKER) {
            child->care.quit_ms = 1;
        }
    }
}

static void
begin_stop(struct supervise *supervise, const char *why)
{
    if (supervise->stage == SUPERVISE_DRAINING || supervise->stage == SUPERVISE_CLOSING) {
        /* A terminal's Ctrl-C comes to us and to who started us, who passes it on: one wish. */
        if (clock_now_ms() - supervise->stop_ms >= STOP_TWICE_MS) {
            log_event(LOG_WARN, "stop", "why=%s how=at-once", why);
            hurry(supervise);
        }
        return;
    }
    supervise->stage = SUPERVISE_DRAINING;
    supervise->stop_ms = clock_now_ms();
    log_event(LOG_INFO, "stop", "why=%s grace_ms=%u", why,
              supervise->ground.config->master.grace_ms);
    notify_stopping();
    version_set_draining(&supervise->ground.segment, true);
    /* The workers' own copies go with them: who connects is answered or refused, never left to wait
     * in a queue that nobody reads. */
    sockets_close(&supervise->ground.sockets, NULL);
    retire_kind(supervise, true, supervise->ground.config->master.grace_ms + DRAIN_TAIL_MS);
}

/* --- reload --- */

static void
retire_generation(struct supervise *supervise, uint32_t generation)
{
    for (uint32_t i = 0; i < SUPERVISE_CHILDREN; i++) {
        struct supervise_child *child = &supervise->children[i];
        if (child->pid == 0 || child->generation != generation) {
            continue;
        }
        retire(child, child->post.kind == SLOT_WORKER
                          ? supervise->ground.config->master.grace_ms + DRAIN_TAIL_MS
                          : RECORDER_STOP_MS);
    }
}

static bool
has_retired_worker(const struct supervise *supervise)
{
    for (uint32_t i = 0; i < SUPERVISE_CHILDREN; i++) {
        const struct supervise_child *child = &supervise->children[i];
        if (child->pid != 0 && child->is_retired && child->post.kind == SLOT_WORKER) {
            return true;
        }
    }
    return false;
}

static void
reload(struct supervise *supervise)
{
    if (supervise->stage == SUPERVISE_DRAINING || supervise->stage == SUPERVISE_CLOSING) {
        return;
    }
    /* There are slots for two generations, not for three. */
    if (has_retired_worker(supervise)) {
        supervise->is_reload_pending = true;
        log_event(LOG_INFO, "reload", "state=waits why=\"the last generation still drains\"");
        return;
    }
    supervise->is_reload_pending = false;
    notify_reloading();
    struct reload next;
    char why[RELOAD_WHY_BYTES] = "";
    enum err err = reload_prepare(&supervise->ground, &supervise->source, &next, why);
    if (err != ERR_OK) {
        struct log_line line;
        log_begin(&line, LOG_ERROR, "reload");
        log_text(&line, "state", "refused");
        log_text(&line, "why", why);
        log_text(&line, "still", "the old configuration");
        log_end(&line);
        version_set_reload(&supervise->ground.segment, why);
        notify_ready();
        notify_status(why);
        return;
    }
    uint32_t old = supervise->ground.generation;
    reload_commit(&supervise->ground, &next);
    log_init("master", (enum log_level)supervise->ground.config->master.log_level);
    memset(supervise->worker_posts, 0, sizeof(supervise->worker_posts));
    /* The new workers first: they share the old ones' sockets from their first moment on. */
    version_set_generation(&supervise->ground.segment, supervise->ground.generation);
    start_missing(supervise);
    retire_generation(supervise, old);
    log_event(LOG_INFO, "reload", "state=done generation=%u workers=%u",
              supervise->ground.generation, supervise->ground.worker_count);
    version_set_reload(&supervise->ground.segment, "");
    notify_ready();
    notify_status("serving");
}

/* --- deaths --- */

static void
log_death(const struct supervise_child *child, int status, bool is_clean,
          const struct slot_view *view)
{
    struct log_line line;
    bool is_expected = is_clean && (child->is_retired || status == 0);
    log_begin(&line, is_expected ? LOG_INFO : LOG_ERROR, "exit");
    log_text(&line, "kind", slot_kind_text(child->post.kind));
    log_u64(&line, "worker", child->post.worker);
    log_u64(&line, "generation", child->generation);
    log_i64(&line, "child", child->pid);
    if (WIFSIGNALED(status)) {
        log_text(&line, "signal", sigabbrev_np(WTERMSIG(status)));
    } else {
        log_i64(&line, "code", WEXITSTATUS(status));
    }
    if (view->crash[0] != '\0') {
        log_text(&line, "last_words", view->crash);
    }
    log_end(&line);
}

static void
bury(struct supervise *supervise, struct supervise_child *child, int status)
{
    struct slot_view view;
    slot_read(&supervise->ground.segment, child->slot, &view);
    bool is_clean = slot_reap(&supervise->ground.segment, child->slot);
    log_death(child, status, is_clean, &view);
    if (!is_clean) {
        /* What it held is the recorder's to bill and to clear. If the dead one is the recorder
         * itself, its successor looks over all slots when it starts. */
        wake_poke(&supervise->ground.segment,
                  slot_of_kind(&supervise->ground.segment, SLOT_RECORDER));
    }
    uint64_t now_ms = clock_now_ms();
    if (!child->is_retired) {
        care_died(post_care(supervise, child->post), now_ms, now_ms - child->care.born_ms);
    }
    bool could_not_start = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_START;
    struct process_post post = child->post;
    *child = (struct supervise_child){ 0 };
    if (could_not_start && supervise->stage == SUPERVISE_STARTING) {
        supervise->has_failed = true;
        log_event(LOG_ERROR, "start", "state=failed kind=%s worker=%u", slot_kind_text(post.kind),
                  post.worker);
        begin_stop(supervise, "failed-start");
    }
}

static void
reap_all(struct supervise *supervise)
{
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno == EINTR) {
            continue;
        }
        if (pid <= 0) {
            return;
        }
        struct supervise_child *child = find_child(supervise, pid);
        if (child != NULL) { /* Else: left to us by whoever became us by exec. */
            bury(supervise, child, status);
        }
    }
}

/* --- health --- */

static void
judge(struct supervise *supervise, struct supervise_child *child, uint64_t now_ms)
{
    struct slot_view view;
    slot_read(&supervise->ground.segment, child->slot, &view);
    child->care.heartbeat_ms = view.heartbeat_ms;
    int number = 0;
    switch (care_judge(&child->care, now_ms)) {
    case CARE_NOTHING:
        return;
    case CARE_QUIT:
        number = SIGQUIT;
        break;
    case CARE_ABORT:
        number = SIGABRT;
        break;
    case CARE_KILL:
        number = SIGKILL;
        break;
    }
    child->care.kill_ms = now_ms + CHILD_KILL_MS;
    log_event(LOG_WARN, "signal", "to=%s worker=%u child=%d signal=%s silent_ms=%llu",
              slot_kind_text(child->post.kind), child->post.worker, (int)child->pid,
              sigabbrev_np(number),
              (unsigned long long)(view.heartbeat_ms == 0 ? 0 : now_ms - view.heartbeat_ms));
    send_signal(child, number);
}

static bool
are_all_active(const struct supervise *supervise)
{
    uint32_t active = 0;
    for (uint32_t i = 0; i < SUPERVISE_CHILDREN; i++) {
        const struct supervise_child *child = &supervise->children[i];
        if (child->pid != 0 && slot_state(&supervise->ground.segment, child->slot) == SLOT_ACTIVE) {
            active++;
        }
    }
    return active == supervise->ground.worker_count + 2;
}

/* --- the loop --- */

/* What has been reached moves the stage on. */
static void
advance(struct supervise *supervise)
{
    if (supervise->stage == SUPERVISE_STARTING && are_all_active(supervise)) {
        supervise->stage = SUPERVISE_RUNNING;
        log_event(LOG_INFO, "ready", "workers=%u", supervise->ground.worker_count);
        log_flush();
        notify_ready();
        notify_status("serving");
    }
    if (supervise->stage == SUPERVISE_DRAINING && count_kind(supervise, true) == 0) {
        supervise->stage = SUPERVISE_CLOSING;
        retire_kind(supervise, false, RECORDER_STOP_MS);
    }
    if (supervise->stage == SUPERVISE_CLOSING && count_kind(supervise, false) == 0) {
        loop_stop(supervise->loop);
    }
}

static bool
is_busy(const struct supervise *supervise)
{
    if (supervise->stage != SUPERVISE_RUNNING) {
        return true;
    }
    for (uint32_t i = 0; i < SUPERVISE_CHILDREN; i++) {
        const struct supervise_child *child = &supervise->children[i];
        if (child->pid != 0 && (child->is_retired || child->care.kill_ms != 0)) {
            return true;
        }
    }
    return count_kind(supervise, true) < supervise->ground.worker_count ||
           count_kind(supervise, false) < 2;
}

static void
compare(struct supervise *supervise)
{
    if (supervise->is_reload_pending && !has_retired_worker(supervise)) {
        reload(supervise);
    }
    start_missing(supervise);
    advance(supervise);
    loop_timer_set(supervise->loop, &supervise->tick,
                   clock_now_ms() + (is_busy(supervise) ? TICK_BUSY_MS : TICK_MS));
    log_flush();
}

static void
on_tick(struct loop_timer *timer)
{
    struct supervise *supervise = LIST_OWNER(timer, struct supervise, tick);
    uint64_t now_ms = clock_now_ms();
    for (uint32_t i = 0; i < SUPERVISE_CHILDREN; i++) {
        if (supervise->children[i].pid != 0) {
            judge(supervise, &supervise->children[i], now_ms);
        }
    }
    compare(supervise);
}

static void
on_signal(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct supervise *supervise = LIST_OWNER(io, struct supervise, signal_io);
    for (int number = signals_next(io->fd); number != 0; number = signals_next(io->fd)) {
        switch (number) {
        case SIGTERM:
        case SIGINT:
            begin_stop(supervise, sigabbrev_np(number));
            break;
        case SIGHUP:
            reload(supervise);
            break;
        case SIGCHLD:
            reap_all(supervise);
            break;
        default: /* No other is in the mask. */
            break;
        }
    }
    compare(supervise);
}

static void
on_wish(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct supervise *supervise = LIST_OWNER(io, struct supervise, wish_io);
    char wish = 0;
    while (read(io->fd, &wish, 1) == 1) {
        if (wish == HERITAGE_WISH_RELOAD) {
            reload(supervise);
        } else if (wish == HERITAGE_WISH_STOP) {
            begin_stop(supervise, "wish");
        } else {
            log_event(LOG_ERROR, "wish", "unknown=%d", wish);
        }
    }
    compare(supervise);
}

static enum err
make_loop(struct supervise *supervise, int signal_fd)
{
    enum err err = loop_make(LOOP_IOS, LOOP_TIMERS, &supervise->loop);
    if (err != ERR_OK) {
        return err;
    }
    supervise->signal_io.on_ready = on_signal;
    supervise->wish_io.on_ready = on_wish;
    supervise->tick.on_due = on_tick;
    err = loop_add_level(supervise->loop, &supervise->signal_io, signal_fd);
    if (err == ERR_OK) {
        err = loop_add_level(supervise->loop, &supervise->wish_io, supervise->ground.wish_fds[0]);
    }
    return err;
}

int
supervise_run(struct supervise *supervise, int signal_fd)
{
    CHECK(supervise->ground.worker_count > 0);
    CHECK(supervise->ground.config != NULL);
    supervise->stage = SUPERVISE_STARTING;
    enum err err = make_loop(supervise, signal_fd);
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "start", "what=loop err=%s", err_name(err));
        return 1;
    }
    version_set_generation(&supervise->ground.segment, supervise->ground.generation);
    compare(supervise);
    loop_run(supervise->loop);
    loop_free(supervise->loop);
    return supervise->has_failed ? 1 : 0;
}

bool
supervise_is_clean(const struct supervise *supervise)
{
    const struct segment *segment = &supervise->ground.segment;
    for (uint32_t i = 0; i < segment->slots; i++) {
        if (slot_state(segment, i) != SLOT_FREE || ring_used(segment, i) != 0) {
            return false;
        }
    }
    return true;
}

#include "master/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/keeper.h"
#include "admin/recorder.h"
#include "base/check.h"
#include "base/log.h"
#include "base/sys.h"
#include "master/signals.h"
#include "worker/worker.h"

enum err
process_prepare(struct process_ground *ground)
{
    CHECK(ground->segment.slots > 0 && ground->segment.slots <= SLOTS_MAX);
    memset(ground->wake_fds, 0xff, sizeof(ground->wake_fds)); /* -1 everywhere */
    for (uint32_t i = 0; i < ground->segment.slots; i++) {
        ground->wake_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (ground->wake_fds[i] < 0) {
            return ERR_IO;
        }
    }
    ground->segment.wake_fds = ground->wake_fds;
    if (pipe2(ground->life_fds, O_CLOEXEC | O_NONBLOCK) != 0 ||
        pipe2(ground->wish_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return ERR_IO;
    }
    return ERR_OK;
}

void
process_heritage(struct process_ground *ground, struct process_post post, uint32_t slot,
                 struct heritage *out)
{
    CHECK(post.kind != SLOT_WORKER || post.worker < ground->sockets.worker_count);
    bool is_worker = post.kind == SLOT_WORKER;
    *out = (struct heritage){
        .segment = &ground->segment,
        .slot = slot,
        .worker = post.worker,
        .generation = ground->generation,
        .grace_ms = ground->config->master.grace_ms,
        .http = &ground->config->http,
        .worker_conf = &ground->config->worker,
        .upstream = &ground->config->upstream,
        .store = &ground->config->store,
        .admin = &ground->config->admin,
        .roots = ground->roots,
        .listen_fds = is_worker ? ground->sockets.fds[post.worker] : NULL,
        .listen_count = is_worker ? ground->sockets.listen_count : 0,
        .admin_fd = post.kind == SLOT_RECORDER ? ground->admin_fd : -1,
        .wake_fds = ground->wake_fds,
        .life_fd = ground->life_fds[0],
        .master_fd = ground->wish_fds[1],
    };
}

static int
compare_fds(const void *a, const void *b)
{
    int left = *(const int *)a;
    int right = *(const int *)b;
    return (left > right) - (left < right);
}

uint32_t
process_kept(const struct process_ground *ground, const struct heritage *heritage,
             int out[PROCESS_KEPT_MAX])
{
    uint32_t count = 0;
    out[count++] = ground->segment.fd;
    out[count++] = heritage->admin_fd;
    out[count++] = heritage->life_fd;
    out[count++] = heritage->master_fd;
    for (uint32_t i = 0; i < heritage->listen_count; i++) {
        out[count++] = heritage->listen_fds[i];
    }
    for (uint32_t i = 0; i < ground->segment.slots; i++) {
        out[count++] = ground->wake_fds[i];
    }
    CHECK(count <= PROCESS_KEPT_MAX);
    qsort(out, count, sizeof(*out), compare_fds);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (out[i] > STDERR_FILENO && (kept == 0 || out[kept - 1] != out[i])) {
            out[kept++] = out[i];
        }
    }
    return kept;
}

/* Everything between two kept descriptors goes, whoever opened it. */
static void
close_others(const struct process_ground *ground, const struct heritage *heritage)
{
    int kept[PROCESS_KEPT_MAX];
    uint32_t count = process_kept(ground, heritage, kept);
    unsigned int next = STDERR_FILENO + 1;
    for (uint32_t i = 0; i < count; i++) {
        unsigned int fd = (unsigned int)kept[i];
        if (fd > next) {
            int result = close_range(next, fd - 1, 0);
            CHECK(result == 0);
        }
        next = fd + 1;
    }
    int result = close_range(next, ~0u, 0);
    CHECK(result == 0);
}

/*
 * A child holds credentials: no core file, no ptrace by the same user. Sanitizers and debuggers
 * need both, so builds with dear checks and runs at level debug leave them.
 */
static void
protect(const struct process_ground *ground)
{
    int result = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    CHECK(result == 0);
#ifndef DCHECK_ON
    if (ground->config->master.log_level != LOG_DEBUG) {
        struct rlimit none = { 0, 0 };
        result = setrlimit(RLIMIT_CORE, &none);
        CHECK(result == 0);
        result = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        CHECK(result == 0);
    }
#else
    (void)ground;
#endif
}

static void
name_process(const struct process_ground *ground, struct process_post post)
{
    char name[32];
    if (post.kind == SLOT_WORKER) {
        sys_title("sub2api: worker %u", post.worker);
        snprintf(name, sizeof(name), "worker%u", post.worker);
    } else {
        sys_title("sub2api: %s", slot_kind_text(post.kind));
        snprintf(name, sizeof(name), "%s", slot_kind_text(post.kind));
    }
    /* What top and ps -o comm show: 15 characters. */
    int result = prctl(PR_SET_NAME, name, 0, 0, 0);
    CHECK(result == 0);
    log_init(name, (enum log_level)ground->config->master.log_level);
}

static int
enter(enum slot_kind kind, const struct heritage *heritage)
{
    switch (kind) {
    case SLOT_WORKER:
        return worker_main(heritage);
    case SLOT_RECORDER:
        return recorder_main(heritage);
    case SLOT_KEEPER:
        return keeper_main(heritage);
    case SLOT_EXPORTER:
        break; /* Nobody asks for one: it comes with [postgres]. */
    }
    CHECK(!"a kind that has an entry");
    return 2;
}

__attribute__((noreturn)) static void
become(struct process_ground *ground, struct process_post post, uint32_t slot)
{
    struct heritage heritage;
    process_heritage(ground, post, slot, &heritage);
    close_others(ground, &heritage);
    signals_reset();
    name_process(ground, post);
    protect(ground);
    exit(enter(post.kind, &heritage));
}

enum err
process_fork(struct process_ground *ground, struct process_post post, pid_t *out_pid,
             uint32_t *out_slot)
{
    uint32_t slot = SLOT_NONE;
    enum err err = slot_assign(&ground->segment, post.kind, post.worker, ground->generation, &slot);
    if (err != ERR_OK) {
        return err;
    }
    CHECK(slot < ground->segment.slots);
    /* What waits in a buffer would be written once more by the child. */
    fflush(NULL);
    log_flush();
    pid_t pid = fork();
    if (pid == 0) {
        become(ground, post, slot);
    }
    if (pid < 0) {
        bool is_free = slot_reap(&ground->segment, slot);
        CHECK(!is_free); /* ASSIGNED becomes DEAD; the recorder frees it. */
        return ERR_IO;
    }
    *out_pid = pid;
    *out_slot = slot;
    return ERR_OK;
}

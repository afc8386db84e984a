#include "admin/reporter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/api.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/sys.h"
#include "http/server.h"
#include "shm/heritage.h"
#include "store/storeconf.h"

#define CHILD_FD 3
#define PIECE_BYTES 65536u

/* One report under way. Lives in its request's arena. */
struct report {
    struct api_owner owner;
    struct list link; /* recorder->reports */
    struct recorder *recorder;
    struct server_request *request;
    struct str fields;
    pid_t pid;
    int fd;
    struct loop_io io;
    struct loop_timer deadline;
    bool is_paused;
};

_Static_assert(CONN_OUT_HIGH_BYTES + PIECE_BYTES < CONN_OUT_BYTES_MAX,
               "a piece more does not pass the bound");

/* --- in the child --- */

static void
flush(struct reporter_out *out)
{
    struct str rest = buf_str(&out->buf);
    while (rest.len > 0 && !out->is_broken) {
        ssize_t sent = write(out->fd, rest.data, rest.len);
        if (sent > 0) {
            rest = str_skip(rest, (size_t)sent);
        } else if (sent < 0 && errno != EINTR) {
            out->is_broken = true;
        }
    }
    buf_consume(&out->buf, buf_len(&out->buf));
}

void
reporter_put(struct reporter_out *out, struct str bytes)
{
    while (bytes.len > 0 && !out->is_broken) {
        size_t piece = bytes.len < PIECE_BYTES ? bytes.len : PIECE_BYTES;
        if (buf_len(&out->buf) + piece > PIECE_BYTES) {
            flush(out);
        }
        if (buf_append(&out->buf, str_make(bytes.data, piece)) != ERR_OK) {
            out->is_broken = true;
        }
        bytes = str_skip(bytes, piece);
    }
}

__attribute__((noreturn)) static void
work(const struct storeconf *conf, reporter_fn run, const void *job)
{
    struct reporter_out out = { .fd = CHILD_FD };
    struct kv *kv = NULL;
    struct kv_txn *txn = NULL;
    buf_init(&out.buf, 2 * PIECE_BYTES);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    enum err err = kv_open(conf->dir, conf->map_bytes, KV_READ, &kv);
    err = err != ERR_OK ? err : kv_begin(kv, &txn);
    if (err == ERR_OK) {
        err = run(txn, job, &out);
        kv_end(txn);
        flush(&out);
    }
    /* Nothing that the recorder opened may be closed or flushed here. */
    _exit(err == ERR_OK && !out.is_broken ? 0 : 1);
}

/* --- in the recorder --- */

static void
end_child(struct report *report)
{
    struct loop *loop = report->recorder->loop;
    loop_timer_clear(loop, &report->deadline);
    loop_remove(loop, &report->io);
    sys_close(&report->fd);
    list_remove(&report->link);
    report->recorder->report_count--;
    report->request->owner = NULL;
}

/* True: it ended by itself and had all it needed. */
static bool
reap(struct report *report)
{
    int status = 0;
    kill(report->pid, SIGKILL); /* does nothing to one that ended */
    return waitpid(report->pid, &status, 0) == report->pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static void
finish(struct report *report)
{
    struct server_request *request = report->request;
    int status = 0;
    /* Its end of the pipe is closed: it is leaving. */
    bool is_whole = waitpid(report->pid, &status, 0) == report->pid && WIFEXITED(status) &&
                    WEXITSTATUS(status) == 0;
    end_child(report);
    if (!request->is_begun && !is_whole) {
        api_error(request, 500, "internal_error", "The report could not be made: see the log");
        return;
    }
    if (!request->is_begun) {
        server_begin(request, 200, report->fields, 0);
    }
    server_end(request, is_whole);
}

static void
on_gone(struct server_request *request)
{
    struct report *report = request->owner;
    (void)reap(report);
    end_child(report);
    server_end(request, false);
}

static void
on_deadline(struct loop_timer *timer)
{
    struct report *report = LIST_OWNER(timer, struct report, deadline);
    struct server_request *request = report->request;
    (void)reap(report);
    end_child(report);
    if (request->is_begun) {
        server_end(request, false);
    } else {
        api_error(request, 504, "timeout", "The report took too long: ask for a shorter time");
    }
}

static void
on_room(struct server_request *request)
{
    struct report *report = request->owner;
    if (report->is_paused) {
        report->is_paused = false;
        loop_pause(report->recorder->loop, &report->io, false);
    }
}

static void
on_bytes(struct loop_io *io, uint32_t events)
{
    (void)events;
    static char piece[PIECE_BYTES];
    struct report *report = LIST_OWNER(io, struct report, io);
    struct server_request *request = report->request;
    ssize_t got = read(report->fd, piece, sizeof piece);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        finish(report);
        return;
    }
    if (!request->is_begun) {
        server_begin(request, 200, report->fields, SERVER_CHUNKED);
    }
    enum err err = server_write(request, str_make(piece, (size_t)got));
    if (err != ERR_OK) {
        (void)reap(report);
        end_child(report);
        server_end(request, false);
        return;
    }
    server_flush(request);
    if (server_pending(request) >= CONN_OUT_HIGH_BYTES) {
        report->is_paused = true;
        loop_pause(report->recorder->loop, &report->io, true);
    }
}

static pid_t
fork_child(const struct recorder *recorder, reporter_fn run, const void *job, int *out_fd)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    log_flush(); /* not once more by the child */
    pid_t pid = fork();
    if (pid == 0) {
        if (dup2(ends[1], CHILD_FD) != CHILD_FD) {
            _exit(1);
        }
        close_range(CHILD_FD + 1, ~0u, 0);
        work(recorder->heritage->store, run, job);
    }
    close(ends[1]);
    if (pid < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        close(ends[0]);
        return -1;
    }
    *out_fd = ends[0];
    return pid;
}

void
reporter_start(struct recorder *recorder, struct server_request *request, struct str fields,
               reporter_fn run, const void *job)
{
    CHECK(request->owner == NULL);
    if (recorder->report_count >= REPORTS_MAX) {
        api_error(request, 503, "busy", "Too many reports are being made: try again later");
        return;
    }
    struct report *report = arena_alloc(&request->arena, sizeof *report);
    int fd = -1;
    pid_t pid = report == NULL ? -1 : fork_child(recorder, run, job, &fd);
    if (pid < 0) {
        api_error(request, 500, "internal_error", "No process could be made for the report");
        return;
    }
    *report = (struct report){ .owner = { .on_gone = on_gone, .on_room = on_room },
                               .recorder = recorder,
                               .request = request,
                               .fields = fields,
                               .pid = pid,
                               .fd = fd,
                               .io = { .fd = -1, .on_ready = on_bytes },
                               .deadline = { .on_due = on_deadline } };
    request->owner = report;
    list_push_tail(&recorder->reports, &report->link);
    recorder->report_count++;
    enum err err = loop_add_level(recorder->loop, &report->io, fd);
    CHECK(err == ERR_OK); /* recorder.c makes the loop large enough */
    loop_timer_set(recorder->loop, &report->deadline, loop_now_ms(recorder->loop) + REPORT_MS_MAX);
}

void
reporter_stop(struct recorder *recorder)
{
    while (!list_is_empty(&recorder->reports)) {
        struct report *report = LIST_OWNER(recorder->reports.next, struct report, link);
        on_gone(report->request);
    }
}

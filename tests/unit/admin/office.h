/*
 * office.h - for tests: a real recorder in a child process, over a segment and a store of its own,
 * and what an admin asks of it.
 */
#ifndef TESTS_UNIT_ADMIN_OFFICE_H
#define TESTS_UNIT_ADMIN_OFFICE_H

#include <sys/socket.h>
#include <sys/un.h>

#include "admin/adminconf.h"
#include "admin/call.h"
#include "admin/recorder.h"
#include "base/json.h"
#include "http/httpconf.h"
#include "shm/heritage.h"
#include "shm/lease.h"
#include "shm/ring.h"
#include "shm/version.h"
#include "store/storeconf.h"
#include "tests/unit/shm/testseg.h"
#include "tests/unit/store/tempdir.h"
#include "upstream/upconf.h"

struct office_confs {
    struct httpconf http;
    struct upconf upstream;
    struct storeconf store;
    struct adminconf admin;
};

struct office {
    struct testseg test;
    struct segment *segment;
    struct office_confs confs;
    struct heritage heritage;
    pid_t pid;
    int life[2];
    int master[2];
    char path[300];
    uint16_t status;
    char body[ADMIN_BODY_BYTES_MAX];
};

static inline void
office_set_confs(struct office_confs *confs)
{
    const struct setting_section sections[] = {
        { "http", httpconf_rows, httpconf_row_count, offsetof(struct office_confs, http), "" },
        { "upstream", upconf_rows, upconf_row_count, offsetof(struct office_confs, upstream), "" },
        { "store", storeconf_rows, storeconf_row_count, offsetof(struct office_confs, store), "" },
        { "admin", adminconf_rows, adminconf_row_count, offsetof(struct office_confs, admin), "" },
    };
    setting_defaults(sections, 4, confs);
    confs->store.map_bytes = TEMPDIR_MAP_BYTES;
    cr_assert(str_copy(confs->store.dir, sizeof confs->store.dir, str_of(tempdir)));
}

static inline int
office_listen(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    cr_assert(str_copy(address.sun_path, sizeof address.sun_path, str_of(path)));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0);
    return fd;
}

/* The recorder, in a child; under a fault plan (NULL: none). */
static inline void
office_fork(struct office *office, const char *fault)
{
    office->pid = fork();
    cr_assert(office->pid >= 0);
    if (office->pid == 0) {
        testseg_child();
        signal(SIGPIPE, SIG_IGN); /* as the master has it */
#ifdef FAULTS_ON
        fault_set(fault);
#endif
        close(office->life[1]);
        close(office->master[0]);
        _exit(recorder_main(&office->heritage));
    }
}

static inline struct office *
office_furnish_for(uint32_t accounts)
{
    struct office *office = calloc(1, sizeof *office);
    cr_assert_not_null(office);
    tempdir_make();
    ledger_close(tempdir_ledger());
    office_set_confs(&office->confs);
    testseg_make_for(&office->test, 6, 16, 64, 16, accounts);
    office->segment = &office->test.segment;
    cr_assert(pipe(office->life) == 0 && pipe(office->master) == 0);
    cr_assert(str_copy(office->path, sizeof office->path, str_of(tempdir_path("admin.sock"))));
    office->heritage = (struct heritage){ .segment = office->segment,
                                          .slot = testseg_slot(&office->test, SLOT_RECORDER),
                                          .generation = 1,
                                          .grace_ms = 1000,
                                          .http = &office->confs.http,
                                          .upstream = &office->confs.upstream,
                                          .store = &office->confs.store,
                                          .admin = &office->confs.admin,
                                          .admin_fd = office_listen(office->path),
                                          .wake_fds = office->test.fds,
                                          .life_fd = office->life[0],
                                          .master_fd = office->master[1] };
    return office;
}

/* Settings may be changed in `confs`, before the fork. */
static inline struct office *
office_furnish(void)
{
    return office_furnish_for(16);
}

static inline struct office *
office_open(void)
{
    struct office *office = office_furnish();
    office_fork(office, NULL);
    return office;
}

/* What the master does when the recorder has died: its slot is found DEAD, and another is forked.
 */
static inline void
office_replace(struct office *office)
{
    cr_assert(!slot_reap(office->segment, office->heritage.slot));
    office->heritage.slot = testseg_slot(&office->test, SLOT_RECORDER);
    office_fork(office, NULL);
}

static inline void
office_clear(struct office *office)
{
    close(office->heritage.admin_fd);
    tempdir_remove();
    free(office);
}

static inline void
office_close(struct office *office)
{
    cr_assert(kill(office->pid, SIGTERM) == 0);
    cr_assert_eq(tempdir_wait(office->pid), 0, "the recorder's exit");
    cr_expect_eq(slot_state(office->segment, office->heritage.slot), SLOT_LEFT);
    office_clear(office);
}

/* The status; the body, always JSON, is in office->body. */
static inline uint16_t
office_ask(struct office *office, const char *method, const char *path, const char *json)
{
    char why[CALL_WHY_BYTES] = "";
    struct buf body;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    enum err err =
        call_admin(office->path, method, path, str_of(json), &office->status, &body, why);
    cr_assert(err == ERR_OK, "%s %s: %s", method, path, why);
    cr_assert(str_copy(office->body, sizeof office->body, buf_str(&body)));
    buf_fini(&body);
    struct json_value root;
    cr_assert(json_read(str_of(office->body), &root, NULL) == ERR_OK, "%s", office->body);
    return office->status;
}

static inline bool
office_says(const struct office *office, const char *what)
{
    return strstr(office->body, what) != NULL;
}

/* A member's number in the last answer ("id", "session.kept"); UINT64_MAX when it is not there. */
static inline uint64_t
office_number(const struct office *office, const char *path)
{
    struct json_value root;
    struct json_value value;
    uint64_t number = 0;
    cr_assert(json_read(str_of(office->body), &root, NULL) == ERR_OK);
    bool is_there = json_get_path(root, str_of(path), &value);
    return is_there && json_u64(value, &number) == ERR_OK ? number : UINT64_MAX;
}

/* The id of an object: its path is "/v1/keys/k". */
static inline uint64_t
office_id(struct office *office, const char *path)
{
    cr_assert_eq(office_ask(office, "GET", path, ""), 200, "%s: %s", path, office->body);
    return office_number(office, "id");
}

/* A request of another admin, who waits in a child: "STATUS body" comes through a pipe. */
struct office_call {
    pid_t pid;
    int fd;
};

static inline struct office_call
office_call(struct office *office, const char *method, const char *path, const char *json)
{
    int ends[2];
    cr_assert(pipe(ends) == 0);
    struct office_call call = { .pid = fork(), .fd = ends[0] };
    cr_assert(call.pid >= 0);
    if (call.pid == 0) {
        testseg_child();
        alarm(60);
        char text[8192];
        char why[CALL_WHY_BYTES];
        struct buf body;
        buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
        if (call_admin(office->path, method, path, str_of(json), &office->status, &body, why) !=
            ERR_OK) {
            _exit(1);
        }
        int length =
            snprintf(text, sizeof text, "%u %.*s", office->status, STR_ARG(buf_str(&body)));
        _exit(length > 0 && write(ends[1], text, (size_t)length) == length ? 0 : 1);
    }
    close(ends[1]);
    return call;
}

/* Its status; the body is in office->body. */
static inline uint16_t
office_hear(struct office *office, struct office_call *call)
{
    char text[8192];
    size_t used = 0;
    ssize_t got;
    while ((got = read(call->fd, text + used, sizeof text - 1 - used)) > 0) {
        used += (size_t)got;
    }
    text[used] = '\0';
    close(call->fd);
    cr_assert_eq(tempdir_wait(call->pid), 0, "no answer came");
    const char *body = strchr(text, ' ');
    cr_assert_not_null(body);
    cr_assert(str_copy(office->body, sizeof office->body, str_of(body + 1)));
    office->status = (uint16_t)strtoul(text, NULL, 10);
    return office->status;
}

#define EXPECT(office, want, method, path, json)                                                   \
    cr_expect_eq(office_ask(office, method, path, json), want, "%s %s %s: %s", method, path, json, \
                 (office)->body)
#define SAYS(office, what) cr_expect(office_says(office, what), "no %s in %s", what, (office)->body)

/* A worker with requests in flight, in this very process. */
struct office_worker {
    uint32_t slot;
    struct lease_local leases;
    struct ring_local ring;
};

static inline void
office_hire(struct office *office, struct office_worker *worker)
{
    worker->slot = testseg_active(&office->test, SLOT_WORKER);
    cr_assert(lease_init(&worker->leases, office->segment, worker->slot) == ERR_OK);
    ring_init(&worker->ring, office->segment, worker->slot);
}

/* It holds nothing any more. */
static inline void
office_dismiss(struct office *office, struct office_worker *worker)
{
    lease_fini(&worker->leases);
    cr_assert(slot_leave(office->segment, worker->slot));
}

static inline uint32_t
office_begin(struct office_worker *worker, const struct lease_data *data)
{
    uint32_t lease = 0;
    cr_assert(ring_reserve(&worker->ring, 1) == ERR_OK);
    cr_assert(lease_take(&worker->leases, data, &lease) == ERR_OK);
    return lease;
}

/* Asks until the answer has this in it. */
static inline bool
office_await(struct office *office, const char *path, const char *what)
{
    for (int i = 0; i < 500; i++) {
        if (office_ask(office, "GET", path, "") == 200 && office_says(office, what)) {
            return true;
        }
        usleep(10000);
    }
    return false;
}

#define OFFICE_ACCOUNT \
    "{\"name\":\"%s\",\"platform\":\"openai\",\"secret\":\"sk-very-secret-1234\"%s}"

/* `more`: ",\"priority\":1" and the like. */
static inline void
office_account(struct office *office, const char *name, const char *more)
{
    char json[1024];
    snprintf(json, sizeof json, OFFICE_ACCOUNT, name, more);
    cr_assert_eq(office_ask(office, "POST", "/v1/accounts", json), 201, "%s", office->body);
}

#endif

#include "tests/unit/worker/mill.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/tls.h"
#include "shm/budget.h"
#include "shm/gate.h"
#include "shm/health.h"
#include "shm/lease.h"
#include "shm/ring.h"
#include "shm/version.h"
#include "tests/unit/store/tempdir.h"
#include "tests/unit/upstream/yard.h"
#include "worker/worker.h"

static int
listen_somewhere(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert(fd >= 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    cr_assert(listen(fd, 64) == 0);
    mill_send_at_once(fd); /* what is accepted inherits it, as from http/listen.c's sockets */
    return fd;
}

static uint16_t
port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t bytes = sizeof address;
    cr_assert(getsockname(fd, (struct sockaddr *)&address, &bytes) == 0);
    return ntohs(address.sin_port);
}

static void
set_confs(struct mill_confs *confs)
{
    const struct setting_section sections[] = {
        { "http", httpconf_rows, httpconf_row_count, offsetof(struct mill_confs, http), "" },
        { "worker", workerconf_rows, workerconf_row_count, offsetof(struct mill_confs, worker),
          "" },
        { "upstream", upconf_rows, upconf_row_count, offsetof(struct mill_confs, upstream), "" },
        { "store", storeconf_rows, storeconf_row_count, offsetof(struct mill_confs, store), "" },
    };
    setting_defaults(sections, 4, confs);
    confs->http.conns_max = 64;
    confs->upstream.allow_http = true;
    confs->upstream.allow_private = true;
    confs->worker.log_requests = WORKERCONF_LOG_NONE;
    confs->store.map_bytes = TEMPDIR_MAP_BYTES;
    cr_assert(str_copy(confs->store.dir, sizeof confs->store.dir, str_of(tempdir)));
}

struct mill *
mill_make(void)
{
    struct mill *mill = calloc(1, sizeof *mill);
    cr_assert_not_null(mill);
    tempdir_make();
    struct ledger *ledger = tempdir_ledger();
    cr_assert(tempdir_make_user(ledger, "joe") == ERR_OK);
    cr_assert(tempdir_make_group(ledger, "all") == ERR_OK);
    ledger_close(ledger);
    set_confs(&mill->confs);
    testseg_make(&mill->test, 4, 16, 64, 64);
    mill->roots = yard_make_roots();
    mill->listen_fd = listen_somewhere();
    mill->port = port_of(mill->listen_fd);
    mill->provider_fd = listen_somewhere();
    mill->provider = -1;
    mill->log_fd = -1;
    mill->grace_ms = 1000;
    return mill;
}

static struct ledger *
open_ledger(void)
{
    struct ledger *ledger = NULL;
    cr_assert(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger) == ERR_OK);
    return ledger;
}

void
mill_account(struct mill *mill, const char *name, void (*change)(struct account *account))
{
    static struct account account;
    struct ledger *ledger = open_ledger();
    model_defaults(MODEL_ACCOUNT, &account);
    snprintf(account.name, sizeof account.name, "%s", name);
    snprintf(account.groups, sizeof account.groups, "all");
    snprintf(account.dialects, sizeof account.dialects, "all");
    snprintf(account.base_url, sizeof account.base_url, "http://127.0.0.1:%u",
             (unsigned)port_of(mill->provider_fd));
    if (change != NULL) {
        change(&account);
    }
    cr_assert(ledger_seal(ledger, &account, STR("sk-provider")) == ERR_OK);
    cr_assert(ledger_create(ledger, MODEL_ACCOUNT, &account) == ERR_OK, "%s", ledger_why(ledger));
    health_assign(&mill->test.segment, account.index, account.id);
    ledger_close(ledger);
}

void
mill_key(struct mill *mill, const char *name, void (*change)(struct key *key))
{
    (void)mill;
    static struct key key;
    struct ledger *ledger = open_ledger();
    cr_assert(tempdir_make_key(ledger, name, "joe", "all") == ERR_OK);
    if (change != NULL) {
        cr_assert(ledger_find(ledger, MODEL_KEY, str_of(name), &key) == ERR_OK);
        change(&key);
        cr_assert(ledger_update(ledger, MODEL_KEY, &key) == ERR_OK, "%s", ledger_why(ledger));
    }
    ledger_close(ledger);
}

void
mill_plan(struct mill *mill, void (*change)(struct plan *plan))
{
    (void)mill;
    static struct plan plan;
    struct ledger *ledger = open_ledger();
    model_defaults(MODEL_PLAN, &plan);
    snprintf(plan.name, sizeof plan.name, "pro");
    snprintf(plan.user, sizeof plan.user, "joe");
    snprintf(plan.group, sizeof plan.group, "all");
    change(&plan);
    cr_assert(ledger_create(ledger, MODEL_PLAN, &plan) == ERR_OK, "%s", ledger_why(ledger));
    ledger_close(ledger);
}

void
mill_change_key(struct mill *mill, const char *name, void (*change)(struct key *key))
{
    static struct key key;
    struct ledger *ledger = open_ledger();
    cr_assert(ledger_find(ledger, MODEL_KEY, str_of(name), &key) == ERR_OK);
    change(&key);
    cr_assert(ledger_update(ledger, MODEL_KEY, &key) == ERR_OK, "%s", ledger_why(ledger));
    ledger_close(ledger);
    version_bump_catalog(&mill->test.segment);
}

void
mill_user(struct mill *mill, void (*change)(struct user *user))
{
    struct user user;
    struct ledger *ledger = open_ledger();
    cr_assert(ledger_find(ledger, MODEL_USER, STR("joe"), &user) == ERR_OK);
    change(&user);
    cr_assert(ledger_update(ledger, MODEL_USER, &user) == ERR_OK);
    ledger_close(ledger);
    version_bump_catalog(&mill->test.segment);
}

void
mill_group(struct mill *mill, void (*change)(struct group *group))
{
    struct group group;
    struct ledger *ledger = open_ledger();
    cr_assert(ledger_find(ledger, MODEL_GROUP, STR("all"), &group) == ERR_OK);
    change(&group);
    cr_assert(ledger_update(ledger, MODEL_GROUP, &group) == ERR_OK);
    ledger_close(ledger);
    version_bump_catalog(&mill->test.segment);
}

void
mill_keep_log(struct mill *mill)
{
    mill->log_fd = memfd_create("log", MFD_CLOEXEC);
    cr_assert(mill->log_fd >= 0);
}

void
mill_run(struct mill *mill)
{
    struct segment *segment = &mill->test.segment;
    version_set_loaded(segment, true);
    version_set_writable(segment, true);
    version_set_usable_accounts(segment, 1);
    version_bump_catalog(segment);
    cr_assert(pipe(mill->life) == 0 && pipe(mill->master) == 0);
    mill->slot = testseg_slot(&mill->test, SLOT_WORKER);
    mill->other = testseg_active(&mill->test, SLOT_WORKER);
    mill->heritage = (struct heritage){ .segment = segment,
                                        .slot = mill->slot,
                                        .generation = 1,
                                        .grace_ms = mill->grace_ms,
                                        .http = &mill->confs.http,
                                        .worker_conf = &mill->confs.worker,
                                        .upstream = &mill->confs.upstream,
                                        .store = &mill->confs.store,
                                        .roots = mill->roots,
                                        .listen_fds = &mill->listen_fd,
                                        .listen_count = 1,
                                        .admin_fd = -1,
                                        .wake_fds = mill->test.fds,
                                        .life_fd = mill->life[0],
                                        .master_fd = mill->master[1] };
    mill->pid = fork();
    cr_assert(mill->pid >= 0);
    if (mill->pid == 0) {
        testseg_child();
        close(mill->life[1]);
#ifdef FAULTS_ON
        fault_set(mill->fault);
#endif
        if (mill->log_fd >= 0) {
            dup2(mill->log_fd, STDERR_FILENO);
            log_init("worker0", LOG_INFO);
        }
        _exit(worker_main(&mill->heritage));
    }
}

void
mill_stop(struct mill *mill)
{
    mill_hang_up(mill);
    cr_assert(kill(mill->pid, SIGTERM) == 0);
    cr_assert_eq(tempdir_wait(mill->pid), 0, "the worker's exit");
    const struct segment *segment = &mill->test.segment;
    cr_expect_eq(slot_state(segment, mill->slot), SLOT_LEFT, "it held something when it left");
    cr_expect_eq(lease_count(segment, mill->slot), 0);
    cr_expect(gate_is_clean(segment, mill->slot));
    mill_free(mill);
}

void
mill_free(struct mill *mill)
{
    mill_hang_up(mill);
    free(mill->store);
    if (mill->log_fd >= 0) {
        close(mill->log_fd);
    }
    close(mill->listen_fd);
    close(mill->provider_fd);
    tls_roots_free(mill->roots);
    tempdir_remove();
    free(mill);
}

/* Is anything reserved of any key's quota? */
static bool
is_reserved(const struct segment *segment)
{
    for (uint32_t gate = 0; gate < segment->gates; gate++) {
        struct budget_view budget;
        budget_read(segment, gate, clock_wall_ms(), &budget);
        if (budget.reserved.tokens != 0) {
            return true;
        }
    }
    return false;
}

void
mill_settled(struct mill *mill)
{
    const struct segment *segment = &mill->test.segment;
    for (int i = 0; i < MILL_WAIT_MS; i++) {
        if (lease_count(segment, mill->slot) == 0 && gate_is_clean(segment, mill->slot) &&
            !is_reserved(segment)) {
            return;
        }
        usleep(1000);
    }
    cr_assert(false, "the worker holds %u leases, gates %s, tokens %s",
              lease_count(segment, mill->slot),
              gate_is_clean(segment, mill->slot) ? "free" : "taken",
              is_reserved(segment) ? "reserved" : "free");
}

const char *
mill_log(struct mill *mill, const char *mark)
{
    for (int i = 0; i < MILL_WAIT_MS; i++) {
        ssize_t got = pread(mill->log_fd, mill->log, sizeof mill->log - 1, 0);
        cr_assert(got >= 0);
        mill->log[got] = '\0';
        if (strstr(mill->log, mark) != NULL) {
            return mill->log;
        }
        usleep(1000);
    }
    cr_assert(false, "no \"%s\" in the log: %s", mark, mill->log);
    return mill->log;
}

void
mill_counts(struct mill *mill, enum counter counter, uint64_t value)
{
    const struct segment *segment = &mill->test.segment;
    for (int i = 0; i < MILL_WAIT_MS && counter_of(segment, mill->slot, counter) != value; i++) {
        usleep(1000);
    }
    cr_assert_eq(counter_of(segment, mill->slot, counter), value, "%s", counter_text(counter));
}

/* --- another worker --- */

uint32_t
mill_gate(struct mill *mill, enum gate_kind kind, const char *name)
{
    static const enum model_kind models[GATE_KINDS] = { [GATE_USER] = MODEL_USER,
                                                        [GATE_KEY] = MODEL_KEY,
                                                        [GATE_GROUP] = MODEL_GROUP,
                                                        [GATE_POOL] = MODEL_GROUP,
                                                        [GATE_ACCOUNT] = MODEL_ACCOUNT };
    static union object object;
    struct ledger *ledger = open_ledger();
    cr_assert(ledger_find(ledger, models[kind], str_of(name), &object) == ERR_OK, "%s", name);
    ledger_close(ledger);
    uint32_t gate = GATE_INDEX_NONE;
    cr_assert(gate_find(&mill->test.segment, kind, object.id, &gate) == ERR_OK);
    return gate;
}

void
mill_occupy(struct mill *mill, uint32_t gate)
{
    cr_assert(gate_take(&mill->test.segment, mill->other, gate, 0, 0) == ERR_OK);
}

void
mill_vacate(struct mill *mill, uint32_t gate)
{
    struct segment *segment = &mill->test.segment;
    uint32_t pool = mill_gate(mill, GATE_POOL, "all");
    gate_give(segment, mill->other, gate, &pool, 1);
}

void
mill_waits(struct mill *mill, uint32_t gate, uint32_t count)
{
    const struct segment *segment = &mill->test.segment;
    for (int i = 0; i < MILL_WAIT_MS && gate_waiting(segment, gate) != count; i++) {
        usleep(1000);
    }
    cr_assert_eq(gate_waiting(segment, gate), count);
}

/* All of LMDB's file but its two meta pages, which say that there is something to read. */
static void
write_store(const char *bytes, size_t count)
{
    size_t metas = 2 * (size_t)sysconf(_SC_PAGESIZE);
    int fd = open(tempdir_path("data.mdb"), O_WRONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && count > metas);
    cr_assert(pwrite(fd, bytes + metas, count - metas, (off_t)metas) == (ssize_t)(count - metas));
    close(fd);
}

void
mill_break_store(struct mill *mill)
{
    int fd = open(tempdir_path("data.mdb"), O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && mill->store == NULL);
    mill->store_bytes = (size_t)lseek(fd, 0, SEEK_END);
    mill->store = malloc(mill->store_bytes);
    cr_assert(pread(fd, mill->store, mill->store_bytes, 0) == (ssize_t)mill->store_bytes);
    close(fd);
    char *nothing = calloc(1, mill->store_bytes);
    cr_assert_not_null(nothing);
    write_store(nothing, mill->store_bytes);
    free(nothing);
}

void
mill_mend_store(struct mill *mill)
{
    write_store(mill->store, mill->store_bytes);
    free(mill->store);
    mill->store = NULL;
}

/* --- the recorder --- */

uint32_t
mill_records(struct mill *mill, struct ledger_record *out, uint32_t max)
{
    uint32_t taken = 0;
    for (;;) {
        const void *cells = NULL;
        uint32_t count = 0;
        uint64_t sequence = 0;
        ring_peek(&mill->test.segment, mill->slot, &cells, &count, &sequence);
        if (count == 0) {
            return taken;
        }
        for (uint32_t i = 0; i < count; i++) {
            cr_assert_lt(taken, max);
            memcpy(&out[taken++], (const char *)cells + i * sizeof *out, sizeof *out);
        }
        ring_free_to(&mill->test.segment, mill->slot, sequence + count);
    }
}

void
mill_record(struct mill *mill, struct ledger_record *out)
{
    /* The client may have its answer before the worker has settled. */
    for (int i = 0; i < MILL_WAIT_MS; i++) {
        if (mill_records(mill, out, 1) == 1) {
            return;
        }
        usleep(1000);
    }
    cr_assert(false, "no record came");
}

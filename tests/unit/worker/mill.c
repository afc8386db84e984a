#include "tests/unit/worker/mill.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

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

#define WAIT_MS 5000

/* Small pieces leave at once, as they are written. */
static void
set_nodelay(int fd)
{
    int one = 1;
    cr_assert(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
}

static int
listen_somewhere(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert(fd >= 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    cr_assert(listen(fd, 64) == 0);
    set_nodelay(fd); /* what is accepted inherits it, as from http/listen.c's sockets */
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
    mill->provider_fd = listen_somewhere();
    mill->provider = -1;
    mill->log_fd = -1;
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
    mill->heritage = (struct heritage){ .segment = segment,
                                        .slot = mill->slot,
                                        .generation = 1,
                                        .grace_ms = 1000,
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
        budget_read(segment, gate, &budget);
        if (budget.reserved != 0) {
            return true;
        }
    }
    return false;
}

void
mill_settled(struct mill *mill)
{
    const struct segment *segment = &mill->test.segment;
    for (int i = 0; i < WAIT_MS; i++) {
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
    for (int i = 0; i < WAIT_MS; i++) {
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
    for (int i = 0; i < WAIT_MS && counter_of(segment, mill->slot, counter) != value; i++) {
        usleep(1000);
    }
    cr_assert_eq(counter_of(segment, mill->slot, counter), value, "%s", counter_text(counter));
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

/* --- a client --- */

int
mill_connect(struct mill *mill)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port_of(mill->listen_fd)),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval limit = { .tv_sec = WAIT_MS / 1000 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    set_nodelay(fd);
    return fd;
}

static void
send_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        cr_assert(sent > 0, "send: %d", errno);
        bytes += sent;
        count -= (size_t)sent;
    }
}

void
mill_send(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

void
mill_post(int fd, const char *path, const char *key, const char *body)
{
    char head[1024];
    snprintf(head, sizeof head,
             "POST %s HTTP/1.1\r\nHost: x\r\n%s%s%sContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n",
             path, key[0] == '\0' ? "" : "Authorization: Bearer ", key,
             key[0] == '\0' ? "" : "\r\n", strlen(body));
    mill_send(fd, head);
    mill_send(fd, body);
}

const char *
mill_read(struct mill *mill, int fd, const char *mark)
{
    size_t used = 0;
    mill->answer[0] = '\0';
    while (mark == NULL || strstr(mill->answer, mark) == NULL) {
        cr_assert(used + 1 < sizeof mill->answer);
        ssize_t got = recv(fd, mill->answer + used, sizeof mill->answer - used - 1, 0);
        cr_assert(got >= 0, "no \"%s\" came, only \"%s\"", mark == NULL ? "end" : mark,
                  mill->answer);
        if (got == 0) {
            break;
        }
        used += (size_t)got;
        mill->answer[used] = '\0';
    }
    return mill->answer;
}

const char *
mill_talk(struct mill *mill, const char *path, const char *key, const char *body)
{
    int fd = mill_connect(mill);
    mill_post(fd, path, key, body);
    shutdown(fd, SHUT_WR);
    mill_read(mill, fd, NULL);
    close(fd);
    return mill->answer;
}

const char *
mill_ask(struct mill *mill, const char *method, const char *path, const char *fields)
{
    char head[1024];
    int fd = mill_connect(mill);
    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: x\r\n%sConnection: close\r\n\r\n", method,
             path, fields);
    mill_send(fd, head);
    mill_read(mill, fd, NULL);
    close(fd);
    return mill->answer;
}

bool
mill_is(const char *answer, int status, const char *code)
{
    char line[32];
    char named[80];
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    snprintf(named, sizeof named, "\"%s\"", code == NULL ? "" : code);
    return strncmp(answer, line, strlen(line)) == 0 && (code == NULL || strstr(answer, named));
}

/* --- the provider --- */

void
mill_hang_up(struct mill *mill)
{
    if (mill->provider >= 0) {
        close(mill->provider);
        mill->provider = -1;
    }
}

int
mill_put_aside(struct mill *mill)
{
    int fd = mill->provider;
    cr_assert(fd >= 0);
    mill->provider = -1;
    return fd;
}

/* Is the request in mill->asked whole? */
static bool
is_whole(const char *asked, size_t used)
{
    const char *end = strstr(asked, "\r\n\r\n");
    const char *length = strcasestr(asked, "\r\nContent-Length: ");
    if (end == NULL) {
        return false;
    }
    size_t body_bytes = length != NULL && length < end ? strtoul(length + 18, NULL, 10) : 0;
    return used == (size_t)(end + 4 - asked) + body_bytes;
}

void
mill_take(struct mill *mill)
{
    size_t used = 0;
    mill->asked[0] = '\0';
    while (!is_whole(mill->asked, used)) {
        struct pollfd fds[2] = { { mill->provider_fd, POLLIN, 0 }, { mill->provider, POLLIN, 0 } };
        cr_assert(poll(fds, mill->provider >= 0 ? 2 : 1, WAIT_MS) > 0, "no request came, only %s",
                  mill->asked);
        if (fds[0].revents != 0) {
            mill_hang_up(mill);
            mill->provider = accept(mill->provider_fd, NULL, NULL);
            cr_assert(mill->provider >= 0);
            set_nodelay(mill->provider);
            used = 0;
            continue;
        }
        ssize_t got = recv(mill->provider, mill->asked + used, sizeof mill->asked - used - 1, 0);
        if (got <= 0) {
            mill_hang_up(mill);
            continue;
        }
        used += (size_t)got;
        mill->asked[used] = '\0';
    }
}

void
mill_say(struct mill *mill, const void *bytes, size_t count)
{
    send_all(mill->provider, bytes, count);
}

void
mill_answer(struct mill *mill, const char *status, const char *type, const char *body)
{
    char head[512];
    snprintf(
        head, sizeof head,
        "HTTP/1.1 %s\r\nContent-Type: %s\r\nX-Secret-Header: no\r\nContent-Length: %zu\r\n\r\n",
        status, type, strlen(body));
    mill_say(mill, head, strlen(head));
    mill_say(mill, body, strlen(body));
}

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
    for (int i = 0; i < WAIT_MS; i++) {
        if (mill_records(mill, out, 1) == 1) {
            return;
        }
        usleep(1000);
    }
    cr_assert(false, "no record came");
}

/* The process: tests, names and probes while it lives; what it leaves when it stops or dies. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "admin/keeper.h"
#include "http/tls.h"
#include "shm/health.h"
#include "shm/job.h"
#include "shm/names.h"
#include "tests/unit/admin/office.h"

/* No recorder here: the segment, a store with one account, and a provider in a child. */
struct house {
    struct office *office;
    struct segment *segment;
    struct tls_roots *roots;
    uint64_t account_id;
    uint32_t index;
    uint16_t port;
    pid_t provider;
    pid_t keeper;
};

/* One whole request, head and body. */
static bool
read_request(int fd)
{
    char text[16384];
    size_t used = 0;
    size_t wanted = SIZE_MAX;
    while (used < wanted && used < sizeof text - 1) {
        ssize_t got = recv(fd, text + used, sizeof text - 1 - used, 0);
        if (got <= 0) {
            return false;
        }
        used += (size_t)got;
        text[used] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strcasestr(text, "\r\ncontent-length: ");
        if (end != NULL) {
            size_t body = length != NULL && length < end ? strtoul(length + 18, NULL, 10) : 0;
            wanted = (size_t)(end - text) + 4 + body;
        }
    }
    return used >= wanted;
}

/* Answers each request so, each on a connection of its own; NULL: never. */
static void
provide(struct house *house, const char *answer)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&address, &bytes) == 0);
    house->port = ntohs(address.sin_port);
    house->provider = fork();
    cr_assert(house->provider >= 0);
    if (house->provider == 0) {
        testseg_child();
        close(house->office->life[1]); /* the master's end is the test's alone */
        int conn;
        while ((conn = accept(fd, NULL, NULL)) >= 0) {
            if (answer == NULL || !read_request(conn)) {
                continue; /* it stays open, and nothing is said */
            }
            char text[1024];
            int length =
                snprintf(text, sizeof text,
                         "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", answer);
            if (write(conn, text, (size_t)length) != length) {
                _exit(1);
            }
            shutdown(conn, SHUT_WR);
            while (read(conn, text, sizeof text) > 0) {
            }
            close(conn);
        }
        _exit(0);
    }
    close(fd);
}

static void
make_account(struct house *house)
{
    static struct account account;
    struct ledger *ledger = NULL;
    cr_assert(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger) == ERR_OK);
    model_defaults(MODEL_ACCOUNT, &account);
    snprintf(account.name, sizeof account.name, "acme");
    snprintf(account.base_url, sizeof account.base_url, "http://127.0.0.1:%u", house->port);
    snprintf(account.dialects, sizeof account.dialects, "chat");
    cr_assert(ledger_seal(ledger, &account, STR("sk-very-secret")) == ERR_OK);
    cr_assert(ledger_create(ledger, MODEL_ACCOUNT, &account) == ERR_OK);
    ledger_close(ledger);
    house->account_id = account.id;
    house->index = account.index;
    health_assign(house->segment, account.index, account.id);
}

static void
fork_keeper(struct house *house)
{
    struct heritage *heritage = &house->office->heritage;
    heritage->slot = testseg_slot(&house->office->test, SLOT_KEEPER);
    heritage->roots = house->roots;
    house->keeper = fork();
    cr_assert(house->keeper >= 0);
    if (house->keeper == 0) {
        testseg_child();
        signal(SIGPIPE, SIG_IGN);
        close(house->office->life[1]);
        _exit(keeper_main(heritage));
    }
}

static void
open_house(struct house *house, const char *answer)
{
    char why[TLS_WHY_BYTES];
    *house = (struct house){ .office = office_furnish() };
    house->segment = house->office->segment;
    house->office->confs.upstream.allow_http = true;
    house->office->confs.upstream.allow_private = true;
    cr_assert(tls_roots_load("/etc/ssl/certs/ca-certificates.crt", &house->roots, why) == ERR_OK,
              "%s", why);
    provide(house, answer);
    make_account(house);
}

static void
close_house(struct house *house)
{
    if (house->keeper != 0) {
        cr_assert(kill(house->keeper, SIGTERM) == 0);
        cr_assert_eq(tempdir_wait(house->keeper), 0, "the keeper's exit");
        cr_expect_eq(slot_state(house->segment, house->office->heritage.slot), SLOT_LEFT);
    }
    kill(house->provider, SIGKILL);
    (void)tempdir_wait(house->provider);
    tls_roots_free(house->roots);
    office_clear(house->office);
}

static uint32_t
ask_test(struct house *house, uint64_t account_id, const char *options, uint32_t time_ms)
{
    uint32_t job = 0;
    cr_assert(job_ask(house->segment, account_id, str_of(options), clock_now_ms() + time_ms,
                      &job) == ERR_OK);
    return job;
}

static const char *
await_test(struct house *house, uint32_t job)
{
    static char result[JOB_TEXT_BYTES];
    for (int i = 0; i < 1000; i++) {
        if (job_take(house->segment, job, result) == ERR_OK) {
            return result;
        }
        usleep(10000);
    }
    cr_assert(false, "the test has no end");
    return "";
}

#define RESULT_HAS(result, what)                                                  \
    do {                                                                          \
        const char *is = result;                                                  \
        cr_expect(strstr(is, what) != NULL, "no %s in %s", what, is);             \
        cr_expect(strstr(is, "very-secret") == NULL, "a secret is told: %s", is); \
    } while (false)

Test(keeper, tests_an_account)
{
    struct house house;
    open_house(&house, "200 OK");
    /* Asked before it is there, it is done when it comes. */
    uint32_t job = ask_test(&house, house.account_id, "{\"model\":\"m\"}", 10000);
    fork_keeper(&house);
    const char *result = await_test(&house, job);
    RESULT_HAS(result, "\"ok\":true");
    RESULT_HAS(result, "acme: chat ok ");
    job = ask_test(&house, 4711, "{}", 10000);
    RESULT_HAS(await_test(&house, job), "the account is not there");
    /* Options of any kind do no harm. */
    job = ask_test(&house, house.account_id, "[\"model\"", 10000);
    RESULT_HAS(await_test(&house, job), "\"ok\":true");
    job = ask_test(&house, house.account_id, "{\"model\":7}", 10000);
    RESULT_HAS(await_test(&house, job), "\"ok\":true");
    cr_expect(version_is_resolving(house.segment));
    close_house(&house);
}

Test(keeper, brings_a_benched_account_back)
{
    struct house house;
    open_house(&house, "200 OK");
    house.office->confs.admin.probe_interval_ms = 500;
    health_failure(house.segment, 0, house.index, HEALTH_REASON_RATE_LIMITED, 3600000, 429,
                   STR("no"), clock_now_ms());
    fork_keeper(&house);
    struct health_view view = { .state = HEALTH_COOLING };
    for (int i = 0; i < 500 && view.state != HEALTH_OK; i++) {
        usleep(10000);
        health_read(house.segment, house.index, &view);
    }
    cr_expect(view.state == HEALTH_OK && view.probe_found == HEALTH_FOUND_WELL);
    close_house(&house);
}

Test(keeper, brings_it_back_after_a_good_test)
{
    struct house house;
    open_house(&house, "200 OK");
    house.office->confs.admin.probe_interval_ms = 0;
    health_failure(house.segment, 0, house.index, HEALTH_REASON_RATE_LIMITED, 3600000, 429,
                   STR("no"), clock_now_ms());
    fork_keeper(&house);
    RESULT_HAS(await_test(&house, ask_test(&house, house.account_id, "{}", 10000)), "\"ok\":true");
    cr_expect(health_ok(house.segment, house.index, clock_now_ms()));
    close_house(&house);
}

Test(keeper, leaves_it_benched_after_a_bad_test)
{
    struct house house;
    open_house(&house, "429 Too Many");
    house.office->confs.admin.probe_interval_ms = 0;
    health_failure(house.segment, 0, house.index, HEALTH_REASON_RATE_LIMITED, 3600000, 429,
                   STR("no"), clock_now_ms());
    fork_keeper(&house);
    const char *result = await_test(&house, ask_test(&house, house.account_id, "{}", 10000));
    RESULT_HAS(result, "\"ok\":false");
    RESULT_HAS(result, "HTTP 429");
    cr_expect(!health_ok(house.segment, house.index, clock_now_ms()));
    close_house(&house);
}

Test(keeper, ends_a_test_at_its_deadline)
{
    struct house house;
    open_house(&house, NULL);
    fork_keeper(&house);
    uint64_t began_ms = clock_now_ms();
    uint32_t job = ask_test(&house, house.account_id, "{}", 400);
    RESULT_HAS(await_test(&house, job), "the provider did not answer in time");
    cr_expect_lt(clock_now_ms() - began_ms, 5000);
    /* The place is free again: as many as before may follow. */
    job = ask_test(&house, house.account_id, "{}", 100);
    RESULT_HAS(await_test(&house, job), "in time");
    close_house(&house);
}

Test(keeper, tells_that_it_stops)
{
    struct house house;
    open_house(&house, NULL);
    fork_keeper(&house);
    uint32_t job = ask_test(&house, house.account_id, "{}", 60000);
    for (int i = 0; i < 500 && job_state(house.segment, job) != JOB_RUNNING; i++) {
        usleep(10000);
    }
    usleep(100000);
    cr_assert(kill(house.keeper, SIGTERM) == 0);
    cr_assert_eq(tempdir_wait(house.keeper), 0);
    house.keeper = 0;
    RESULT_HAS(await_test(&house, job), "the keeper stops");
    close_house(&house);
}

Test(keeper, stops_when_the_master_is_dead)
{
    struct house house;
    open_house(&house, "200 OK");
    fork_keeper(&house);
    for (int i = 0; i < 500 && !version_is_resolving(house.segment); i++) {
        usleep(10000);
    }
    close(house.office->life[1]);
    cr_assert_eq(tempdir_wait(house.keeper), 0);
    house.keeper = 0;
    close_house(&house);
}

/* A probe's claim and a running test of a keeper that was killed: both end, and the next keeper
 * goes on. */
Test(keeper, that_is_killed_blocks_nothing)
{
    struct house house;
    open_house(&house, NULL);
    fork_keeper(&house);
    uint32_t job = ask_test(&house, house.account_id, "{}", 60000);
    for (int i = 0; i < 500 && job_state(house.segment, job) != JOB_RUNNING; i++) {
        usleep(10000);
    }
    uint32_t slot = house.office->heritage.slot;
    cr_assert(kill(house.keeper, SIGKILL) == 0);
    cr_assert_eq(tempdir_wait(house.keeper), 128 + SIGKILL);
    cr_assert(!slot_reap(house.segment, slot));
    job_keeper_died(house.segment, slot); /* as the recorder's sweep does */
    RESULT_HAS(await_test(&house, job), "the keeper died during this test");
    fork_keeper(&house);
    job = ask_test(&house, house.account_id, "{}", 300);
    RESULT_HAS(await_test(&house, job), "in time");
    close_house(&house);
}

Test(keeper, looks_up_the_names_that_are_wanted)
{
    struct house house;
    open_house(&house, "200 OK");
    uint32_t worker = testseg_active(&house.office->test, SLOT_WORKER);
    fork_keeper(&house);
    cr_assert(names_want(house.segment, worker, STR("localhost")) == ERR_OK);
    struct names_answer answer = { .state = NAMES_UNKNOWN };
    for (int i = 0; i < 500 && answer.state == NAMES_UNKNOWN; i++) {
        usleep(10000);
        if (names_find(house.segment, STR("localhost"), &answer) != ERR_OK) {
            answer.state = NAMES_UNKNOWN;
        }
    }
    cr_expect_eq(answer.state, NAMES_OK);
    cr_assert(slot_leave(house.segment, worker));
    close_house(&house);
}

Test(keeper, does_not_start_without_a_store)
{
    struct house house;
    open_house(&house, "200 OK");
    cr_assert(str_copy(house.office->confs.store.dir, sizeof house.office->confs.store.dir,
                       STR("/nowhere")));
    fork_keeper(&house);
    cr_assert_eq(tempdir_wait(house.keeper), 2);
    house.keeper = 0;
    close_house(&house);
}

/* The admin socket through a real recorder: objects, status, what is refused, what comes back. */
#include "admin/adminconf.h"
#include "admin/call.h"
#include "admin/recorder.h"
#include "base/json.h"
#include "http/httpconf.h"
#include "shm/heritage.h"
#include "shm/lease.h"
#include "shm/ring.h"
#include "shm/sticky.h"
#include "shm/version.h"
#include "store/storeconf.h"
#include "tests/unit/shm/testseg.h"
#include "tests/unit/store/tempdir.h"

#include <sys/socket.h>
#include <sys/un.h>

struct confs {
    struct httpconf http;
    struct storeconf store;
    struct adminconf admin;
};

struct office {
    struct testseg test;
    struct confs confs;
    struct heritage heritage;
    pid_t pid;
    int life[2];
    int master[2];
    char path[300];
    uint16_t status;
    char body[ADMIN_BODY_BYTES_MAX];
};

static void
set_confs(struct confs *confs)
{
    const struct setting_section sections[] = {
        { "http", httpconf_rows, httpconf_row_count, offsetof(struct confs, http), "" },
        { "store", storeconf_rows, storeconf_row_count, offsetof(struct confs, store), "" },
        { "admin", adminconf_rows, adminconf_row_count, offsetof(struct confs, admin), "" },
    };
    setting_defaults(sections, 3, confs);
    confs->store.map_bytes = TEMPDIR_MAP_BYTES;
    cr_assert(str_copy(confs->store.dir, sizeof confs->store.dir, str_of(tempdir)));
}

static int
listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    cr_assert(str_copy(address.sun_path, sizeof address.sun_path, str_of(path)));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0);
    return fd;
}

static struct office *
open_office(void)
{
    struct office *office = calloc(1, sizeof *office);
    cr_assert_not_null(office);
    tempdir_make();
    ledger_close(tempdir_ledger());
    set_confs(&office->confs);
    testseg_make(&office->test, 6, 16, 64, 16);
    cr_assert(pipe(office->life) == 0 && pipe(office->master) == 0);
    cr_assert(str_copy(office->path, sizeof office->path, str_of(tempdir_path("admin.sock"))));
    office->heritage = (struct heritage){ .segment = &office->test.segment,
                                          .slot = testseg_slot(&office->test, SLOT_RECORDER),
                                          .generation = 1,
                                          .grace_ms = 1000,
                                          .http = &office->confs.http,
                                          .store = &office->confs.store,
                                          .admin = &office->confs.admin,
                                          .admin_fd = listen_at(office->path),
                                          .wake_fds = office->test.fds,
                                          .life_fd = office->life[0],
                                          .master_fd = office->master[1] };
    office->pid = fork();
    cr_assert(office->pid >= 0);
    if (office->pid == 0) {
        testseg_child();
        close(office->life[1]);
        _exit(recorder_main(&office->heritage));
    }
    return office;
}

static void
close_office(struct office *office)
{
    cr_assert(kill(office->pid, SIGTERM) == 0);
    cr_assert_eq(tempdir_wait(office->pid), 0, "the recorder's exit");
    cr_expect_eq(slot_state(&office->test.segment, office->heritage.slot), SLOT_LEFT);
    close(office->heritage.admin_fd);
    tempdir_remove();
    free(office);
}

/* The status; the body is in office->body. */
static uint16_t
ask(struct office *office, const char *method, const char *path, const char *json)
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

static bool
says(const struct office *office, const char *what)
{
    return strstr(office->body, what) != NULL;
}

#define EXPECT(office, want, method, path, json)                                            \
    cr_expect_eq(ask(office, method, path, json), want, "%s %s %s: %s", method, path, json, \
                 (office)->body)

Test(objects, live_from_creation_to_removal)
{
    struct office *office = open_office();
    uint64_t version = version_catalog(&office->test.segment);
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\",\"concurrency\":3}");
    cr_expect(says(office, "\"name\":\"joe\"") && says(office, "\"concurrency\":3"));
    cr_expect_gt(version_catalog(&office->test.segment), version, "workers look again");
    EXPECT(office, 409, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 200, "GET", "/v1/users/joe", "");
    EXPECT(office, 200, "PATCH", "/v1/users/joe", "{\"rpm\":9,\"note\":\"x\"}");
    cr_expect(says(office, "\"rpm\":9") && says(office, "\"concurrency\":3"), "%s", office->body);
    EXPECT(office, 200, "POST", "/v1/users/joe/disable", "");
    cr_expect(says(office, "\"disabled\":true"), "%s", office->body);
    EXPECT(office, 200, "POST", "/v1/users/joe/enable", "");
    cr_expect(says(office, "\"disabled\":false"), "%s", office->body);
    EXPECT(office, 200, "GET", "/v1/users", "");
    cr_expect(says(office, "{\"items\":[{") && says(office, "\"in_flight\":0"), "%s", office->body);
    EXPECT(office, 200, "DELETE", "/v1/users/joe", "");
    EXPECT(office, 404, "GET", "/v1/users/joe", "");
    EXPECT(office, 404, "DELETE", "/v1/users/joe", "");
    close_office(office);
}

Test(objects, show_a_key_once_and_never_its_digest)
{
    struct office *office = open_office();
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 201, "POST", "/v1/keys", "{\"name\":\"k\",\"user\":\"joe\"}");
    struct json_value root;
    struct json_value value;
    cr_assert(json_read(str_of(office->body), &root, NULL) == ERR_OK);
    cr_assert(json_get(root, STR("key"), &value) && value.raw.len > 22, "%s", office->body);
    char key[300];
    cr_assert(str_copy(key, sizeof key, str_make(value.raw.data + 1, value.raw.len - 2)));
    EXPECT(office, 200, "GET", "/v1/keys/k", "");
    cr_expect(!says(office, key) && !says(office, "digest"), "%s", office->body);
    EXPECT(office, 200, "GET", "/v1/keys", "");
    cr_expect(!says(office, key));
    EXPECT(office, 400, "PATCH", "/v1/keys/k", "{\"key\":\"sk-mine-and-long-enough-to-be-one\"}");
    EXPECT(office, 409, "DELETE", "/v1/users/joe", "");
    cr_expect(says(office, "\"message\":"), "it says what refers to it: %s", office->body);
    close_office(office);
}

Test(objects, never_show_a_credential)
{
    struct office *office = open_office();
    EXPECT(office, 201, "POST", "/v1/accounts",
           "{\"name\":\"a\",\"platform\":\"openai\",\"secret\":\"sk-very-secret-1234\","
           "\"proxy\":\"http://u:hidden@p.test:1\"}");
    cr_expect(!says(office, "very-secret") && !says(office, "hidden"), "%s", office->body);
    EXPECT(office, 200, "GET", "/v1/accounts/a", "");
    cr_expect(!says(office, "very-secret") && !says(office, "sealed\"") && !says(office, "hidden"),
              "%s", office->body);
    cr_expect(says(office, "1234"), "the hint: %s", office->body);
    EXPECT(office, 200, "PATCH", "/v1/accounts/a", "{\"secret\":\"sk-another-5678\"}");
    cr_expect(!says(office, "another") && says(office, "5678"), "%s", office->body);
    EXPECT(office, 200, "POST", "/v1/accounts/a/reset", "");
    close_office(office);
}

Test(objects, say_what_is_wrong_with_a_record)
{
    struct office *office = open_office();
    static const char *const bad[][2] = {
        { "/v1/users", "{\"name\":\"a b\"}" },
        { "/v1/users", "{\"name\":\"joe\",\"concurrency\":\"many\"}" },
        { "/v1/users", "{\"name\":\"joe\",\"concurrency\":-1}" },
        { "/v1/users", "{\"name\":\"joe\",\"nonsense\":1}" },
        { "/v1/users", "{\"name\":\"joe\",\"id\":7}" },
        { "/v1/users", "{}" },
        { "/v1/users", "[]" },
        { "/v1/users", "" },
        { "/v1/users", "{\"name\":\"joe\"" },
        { "/v1/accounts", "{\"name\":\"a\",\"platform\":\"pigeon\"}" },
        { "/v1/accounts", "{\"name\":\"a\",\"base_url\":\"ftp://x\"}" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT(office, 400, "POST", bad[i][0], bad[i][1]);
        cr_expect(says(office, "\"error\":{\"code\":") && says(office, "\"message\":"), "%s",
                  office->body);
    }
    uint16_t status = ask(office, "POST", "/v1/keys", "{\"name\":\"k\",\"user\":\"nobody\"}");
    cr_expect(status >= 400 && status < 500, "%u", status);
    EXPECT(office, 200, "GET", "/v1/users", "");
    cr_expect(says(office, "\"items\":[]"), "nothing was made: %s", office->body);
    close_office(office);
}

Test(api, knows_its_resources_and_methods)
{
    struct office *office = open_office();
    EXPECT(office, 404, "GET", "/", "");
    EXPECT(office, 404, "GET", "/v2/status", "");
    EXPECT(office, 404, "GET", "/v1/nonsense", "");
    EXPECT(office, 404, "GET", "/v1/users/a/b/c", "");
    EXPECT(office, 404, "POST", "/v1/status", "{}");
    EXPECT(office, 405, "DELETE", "/v1/users", "");
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 405, "PUT", "/v1/users/joe", "{}");
    EXPECT(office, 405, "POST", "/v1/users/joe/test", "");
    close_office(office);
}

Test(live, tells_what_is_happening)
{
    struct office *office = open_office();
    EXPECT(office, 200, "GET", "/v1/status", "");
    cr_expect(says(office, "\"processes\":[") && says(office, "recorder"), "%s", office->body);
    EXPECT(office, 200, "GET", "/v1/top", "");
    cr_expect(says(office, "\"items\":[]"), "%s", office->body);
    /* A worker with one request under way. */
    uint32_t worker = testseg_active(&office->test, SLOT_WORKER);
    struct lease_local leases;
    struct ring_local ring;
    cr_assert(lease_init(&leases, &office->test.segment, worker) == ERR_OK);
    ring_init(&ring, &office->test.segment, worker);
    struct lease_data data = { .start_ms = clock_now_ms(),
                               .account_id = 1,
                               .request_id = "req_test",
                               .key_name = "k",
                               .model = "gpt-4o" };
    uint32_t lease = 0;
    cr_assert(ring_reserve(&ring, 1) == ERR_OK && lease_take(&leases, &data, &lease) == ERR_OK);
    EXPECT(office, 200, "GET", "/v1/top", "");
    cr_expect(says(office, "req_test") && says(office, "gpt-4o"), "%s", office->body);
    EXPECT(office, 404, "POST", "/v1/requests/req_other/kill", "");
    EXPECT(office, 202, "POST", "/v1/requests/req_test/kill", "");
    struct lease_view view;
    cr_assert(lease_read(&office->test.segment, worker, lease, &view) == ERR_OK);
    cr_expect(view.is_ending);
    /* It ends, and stands in the list of finished ones. */
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .start_wall_ms = clock_wall_ms(),
                                    .request_id = "req_test",
                                    .out_total = 77 };
    lease_settle(&leases, lease, &ring, &record, NULL);
    lease_fini(&leases);
    bool is_there = false;
    for (int i = 0; i < 300 && !is_there; i++) {
        usleep(10000);
        is_there =
            ask(office, "GET", "/v1/usage/recent?count=5", "") == 200 && says(office, "req_test");
    }
    cr_expect(is_there && says(office, "77"), "%s", office->body);
    cr_assert(slot_leave(&office->test.segment, worker));
    close_office(office);
}

Test(live, counts_a_dead_workers_request)
{
    struct office *office = open_office();
    uint32_t worker = testseg_active(&office->test, SLOT_WORKER);
    struct lease_local leases;
    struct ring_local ring;
    cr_assert(lease_init(&leases, &office->test.segment, worker) == ERR_OK);
    ring_init(&ring, &office->test.segment, worker);
    struct lease_data data = { .start_ms = 1,
                               .start_wall_ms = clock_wall_ms(), /* or it would be pruned as old */
                               .account_id = 1,
                               .request_id = "req_dead" };
    uint32_t lease = 0;
    cr_assert(ring_reserve(&ring, 1) == ERR_OK && lease_take(&leases, &data, &lease) == ERR_OK);
    free(leases.free_list);
    cr_assert(!slot_reap(&office->test.segment, worker));
    bool is_there = false;
    for (int i = 0; i < 300 && !is_there; i++) {
        usleep(10000);
        is_there = ask(office, "GET", "/v1/usage/recent", "") == 200 && says(office, "req_dead");
    }
    cr_expect(is_there && says(office, "worker_died"), "%s", office->body);
    cr_expect_eq(slot_state(&office->test.segment, worker), SLOT_FREE);
    close_office(office);
}

Test(recorder, takes_up_what_another_left)
{
    struct office *office = open_office();
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    cr_assert(kill(office->pid, SIGKILL) == 0);
    cr_assert_eq(tempdir_wait(office->pid), 128 + SIGKILL);
    cr_assert(!slot_reap(&office->test.segment, office->heritage.slot));
    office->heritage.slot = testseg_slot(&office->test, SLOT_RECORDER);
    office->pid = fork();
    if (office->pid == 0) {
        testseg_child();
        close(office->life[1]);
        _exit(recorder_main(&office->heritage));
    }
    EXPECT(office, 200, "GET", "/v1/users/joe", "");
    close_office(office);
}

Test(bindings, are_listed_and_cleared)
{
    struct office *office = open_office();
    struct segment *segment = &office->test.segment;
    EXPECT(office, 201, "POST", "/v1/accounts",
           "{\"name\":\"a\",\"platform\":\"openai\",\"secret\":\"sk-very-secret-1234\"}");
    EXPECT(office, 201, "POST", "/v1/accounts",
           "{\"name\":\"b\",\"platform\":\"openai\",\"secret\":\"sk-very-secret-5678\"}");
    EXPECT(office, 200, "GET", "/v1/sticky", "");
    cr_expect(says(office, "\"items\":[]") && says(office, "\"total\":0"), "%s", office->body);
    for (uint32_t i = 0; i < 3; i++) {
        char text[16];
        snprintf(text, sizeof text, "session %u", i);
        uint64_t key = sticky_key(segment, 1, 2, 0, str_of(text));
        sticky_put(segment, key, i == 2 ? 1 : 0, clock_now_ms(), 3600000);
    }
    EXPECT(office, 200, "GET", "/v1/sticky", "");
    cr_expect(says(office, "\"total\":3") && says(office, "\"account\":\"a\"") &&
                  says(office, "\"account\":\"b\"") && says(office, "\"expires_s\":36"),
              "%s", office->body);
    EXPECT(office, 404, "DELETE", "/v1/sticky?account=nobody", "");
    EXPECT(office, 400, "DELETE", "/v1/sticky?account=", "");
    EXPECT(office, 400, "DELETE", "/v1/sticky?accounts=a", "");
    EXPECT(office, 200, "DELETE", "/v1/sticky?account=a", "");
    cr_expect(says(office, "\"dropped\":2"), "%s", office->body);
    EXPECT(office, 200, "GET", "/v1/sticky", "");
    cr_expect(says(office, "\"total\":1") && !says(office, "\"account\":\"a\""), "%s",
              office->body);
    EXPECT(office, 200, "DELETE", "/v1/sticky", "");
    cr_expect(says(office, "\"dropped\":1"), "%s", office->body);
    close_office(office);
}

/* --- money --- */

Test(objects, keep_payments_and_what_is_left)
{
    struct office *office = open_office();
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 200, "GET", "/v1/users/joe/balance", "");
    cr_expect(says(office, "\"prepaid\":false"), "%s", office->body);
    EXPECT(office, 200, "POST", "/v1/users/joe/topup", "{\"amount\":\"12.5\",\"note\":\"cash\"}");
    cr_expect(says(office, "\"balance\":12.5") && says(office, "\"note\":\"cash\""), "%s",
              office->body);
    EXPECT(office, 200, "POST", "/v1/users/joe/topup", "{\"amount\":-2.500000001}");
    EXPECT(office, 200, "GET", "/v1/users/joe/balance", "");
    cr_expect(says(office, "\"balance\":9.999999999") && says(office, "\"prepaid\":true"), "%s",
              office->body);
    EXPECT(office, 200, "GET", "/v1/users/joe", "");
    cr_expect(says(office, "\"balance\":9.999999999") && !says(office, "credit_nano"), "%s",
              office->body);
    static const char *const bad[] = { "{}",
                                       "{\"amount\":0}",
                                       "{\"amount\":\"much\"}",
                                       "{\"amount\":-10}",
                                       "{\"amount\":1e300}",
                                       "{\"amount\":0.0000000001}",
                                       "{\"amount\":[1]}",
                                       "{\"amount\":1,\"note\":7}" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT(office, 400, "POST", "/v1/users/joe/topup", bad[i]);
    }
    EXPECT(office, 404, "POST", "/v1/users/ann/topup", "{\"amount\":1}");
    EXPECT(office, 200, "GET", "/v1/users/joe/balance", "");
    cr_expect(says(office, "\"balance\":9.999999999"), "%s", office->body);
    close_office(office);
}

Test(objects, have_plans_that_name_a_user_and_a_group)
{
    struct office *office = open_office();
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 201, "POST", "/v1/plans",
           "{\"name\":\"pro\",\"user\":\"joe\",\"day\":\"5\",\"month\":60.25}");
    cr_expect(says(office, "\"group\":\"default\"") && says(office, "\"day\":5") &&
                  says(office, "\"month\":60.25"),
              "%s", office->body);
    cr_expect(says(office, "\"used\":{\"tokens\":0,\"money\":0,\"5h\":0,\"day\":0"), "%s",
              office->body);
    EXPECT(office, 409, "POST", "/v1/plans", "{\"name\":\"two\",\"user\":\"joe\"}");
    EXPECT(office, 400, "PATCH", "/v1/plans/pro", "{\"user\":\"ann\"}");
    EXPECT(office, 200, "PATCH", "/v1/plans/pro", "{\"week\":20,\"expires\":\"30d\"}");
    EXPECT(office, 409, "DELETE", "/v1/users/joe", "");
    EXPECT(office, 200, "POST", "/v1/plans/pro/disable", "");
    EXPECT(office, 200, "DELETE", "/v1/plans/pro", "");
    EXPECT(office, 200, "DELETE", "/v1/users/joe", "");
    close_office(office);
}

/* An account's way from OK to the bench and back, with one probe at a time. */
#include <criterion/criterion.h>

#include "shm/health.h"
#include "tests/unit/shm/testseg.h"

static struct segment *
make(struct testseg *test)
{
    testseg_make(test, 4, 16, 16, 16);
    health_assign(&test->segment, 1, 77);
    return &test->segment;
}

static void
fail(struct segment *segment, enum health_reason reason, uint64_t retry_ms, uint64_t now_ms)
{
    health_failure(segment, 0, 1, reason, retry_ms, 500, STR("boom"), now_ms);
}

Test(health, benches_after_some_failures_and_doubles)
{
    struct testseg test;
    struct segment *segment = make(&test);
    fail(segment, HEALTH_REASON_SERVER_ERROR, 0, 1000);
    fail(segment, HEALTH_REASON_SERVER_ERROR, 0, 1000);
    cr_expect(health_ok(segment, 1, 1000));
    fail(segment, HEALTH_REASON_SERVER_ERROR, 0, 1000);
    cr_expect(!health_ok(segment, 1, 1000));
    struct health_view view;
    health_read(segment, 1, &view);
    cr_expect(view.state == HEALTH_COOLING && view.until_ms == 6000 && view.streak == 3);
    cr_expect(view.reason == HEALTH_REASON_SERVER_ERROR && view.last_status == 500);
    cr_expect_str_eq(view.excerpt, "boom");
    cr_expect_str_eq(health_state_text(view.state), "cooling");
    cr_expect_str_eq(health_reason_text(view.reason), "server errors");
    /* A hundred that were under way change nothing. */
    for (int i = 0; i < 100; i++) {
        fail(segment, HEALTH_REASON_SERVER_ERROR, 0, 2000);
    }
    health_read(segment, 1, &view);
    cr_expect(view.until_ms == 6000 && view.streak == 3);

    bool is_probe;
    cr_expect(!health_enter(segment, 1, 5999, &is_probe));
    cr_expect(health_ok(segment, 1, 6000));
    cr_expect(health_enter(segment, 1, 6000, &is_probe) && is_probe);
    cr_expect(!health_ok(segment, 1, 6000) && !health_enter(segment, 1, 6001, &is_probe));
    fail(segment, HEALTH_REASON_SERVER_ERROR, 0, 7000);
    health_read(segment, 1, &view);
    cr_expect(view.state == HEALTH_COOLING && view.until_ms == 17000, "twice as long");
    uint64_t now_ms = 17000;
    for (int i = 0; i < 20; i++) {
        cr_expect(health_enter(segment, 1, now_ms, &is_probe) && is_probe);
        fail(segment, HEALTH_REASON_SERVER_ERROR, 0, now_ms);
        health_read(segment, 1, &view);
        cr_expect(view.until_ms - now_ms <= 300000);
        now_ms = view.until_ms;
    }
    cr_expect(health_enter(segment, 1, now_ms, &is_probe) && is_probe);
    health_success(segment, 1, now_ms, 120);
    health_read(segment, 1, &view);
    cr_expect(view.state == HEALTH_OK && view.streak == 0 && view.first_byte_ms == 120);
    cr_expect(health_enter(segment, 1, now_ms, &is_probe) && !is_probe);
}

Test(health, obeys_retry_after_within_bounds)
{
    struct testseg test;
    struct segment *segment = make(&test);
    struct health_view view;
    fail(segment, HEALTH_REASON_RATE_LIMITED, 30000, 1000);
    health_read(segment, 1, &view);
    cr_expect(view.state == HEALTH_COOLING && view.until_ms == 31000);
    fail(segment, HEALTH_REASON_RATE_LIMITED, 10000, 2000);
    health_read(segment, 1, &view);
    cr_expect(view.until_ms == 31000, "never shorter");
    fail(segment, HEALTH_REASON_RATE_LIMITED, UINT64_MAX / 2, 2000);
    health_read(segment, 1, &view);
    cr_expect(view.until_ms == 2000 + HEALTH_RETRY_AFTER_MS_MAX);
    /* An answer to a request from before does not lift the bench. */
    health_success(segment, 1, 2500, 10);
    cr_expect(!health_ok(segment, 1, 2500));
    health_reset(segment, 1, 3000);
    cr_expect(health_ok(segment, 1, 3000));
    fail(segment, HEALTH_REASON_RATE_LIMITED, 1, 3000);
    health_read(segment, 1, &view);
    cr_expect(view.until_ms == 4000);
}

Test(health, probe_of_a_dead_process_expires_and_one_that_says_nothing_is_given_back)
{
    struct testseg test;
    struct segment *segment = make(&test);
    bool is_probe;
    fail(segment, HEALTH_REASON_OVERLOADED, 0, 0);
    cr_expect(health_enter(segment, 1, 5000, &is_probe) && is_probe);
    cr_expect(!health_ok(segment, 1, 5000 + HEALTH_PROBE_MS - 1));
    cr_expect(health_enter(segment, 1, 5000 + HEALTH_PROBE_MS, &is_probe) && is_probe);
    health_abandon(segment, 1, 200000);
    cr_expect(health_enter(segment, 1, 200000, &is_probe) && is_probe);
}

Test(health, disabled_stays_until_reset)
{
    struct testseg test;
    struct segment *segment = make(&test);
    bool is_probe;
    health_disable(segment, 0, 1, HEALTH_REASON_AUTH, 401, STR("bad\nkey\x7f"), 5);
    health_success(segment, 1, 6, 10);
    fail(segment, HEALTH_REASON_CONNECT, 0, 7);
    cr_expect(!health_ok(segment, 1, UINT64_MAX >> 20));
    cr_expect(!health_enter(segment, 1, UINT64_MAX >> 20, &is_probe));
    struct health_view view;
    health_read(segment, 1, &view);
    cr_expect(view.state == HEALTH_DISABLED && view.reason == HEALTH_REASON_AUTH);
    health_reset(segment, 1, 10);
    cr_expect(health_ok(segment, 1, 10));
    health_disable(segment, 0, 1, HEALTH_REASON_AUTH, 401, STR("bad\nkey\x7f"), 5);
    health_read(segment, 1, &view);
    cr_expect_str_eq(view.excerpt, "bad key ");
}

Test(health, of_another_account_at_the_same_index_starts_fresh)
{
    struct testseg test;
    struct segment *segment = make(&test);
    fail(segment, HEALTH_REASON_AUTH, 0, 1);
    health_assign(segment, 1, 77);
    cr_expect(!health_ok(segment, 1, 2), "the same account stays as it is");
    health_assign(segment, 1, 78);
    cr_expect(health_ok(segment, 1, 2));
    struct health_view view;
    health_read(segment, 1, &view);
    cr_expect(view.account_id == 78 && view.excerpt[0] == '\0' && view.failure_ppm == 0);
}

Test(health, averages_move_towards_what_happens)
{
    struct testseg test;
    struct segment *segment = make(&test);
    struct health_view view;
    for (int i = 0; i < 200; i++) {
        health_success(segment, 1, 1, i < 100 ? 1000 : 10);
    }
    health_read(segment, 1, &view);
    cr_expect(view.first_byte_ms == 10 && view.failure_ppm == 0);
    for (int i = 0; i < 200; i++) {
        fail(segment, HEALTH_REASON_TIMEOUT, 0, 1);
    }
    health_read(segment, 1, &view);
    cr_expect(view.failure_ppm > 990000 && view.failure_ppm <= 1000000, "%u", view.failure_ppm);
}

Test(health, excerpt_is_cut_between_characters)
{
    struct testseg test;
    struct segment *segment = make(&test);
    char text[EXCERPT_BYTES + 50];
    memset(text, 'x', sizeof text);
    memcpy(text + EXCERPT_BYTES - 1, "\xc3\xa4", 2); /* would be cut in two */
    health_failure(segment, 0, 1, HEALTH_REASON_PROTOCOL, 0, 200, str_make(text, sizeof text), 1);
    struct health_view view;
    health_read(segment, 1, &view);
    cr_expect(strlen(view.excerpt) == EXCERPT_BYTES - 1, "%zu", strlen(view.excerpt));
}

static void
probe(void *context)
{
    bool is_probe = false;
    bool is_in = health_enter(context, 1, 100000, &is_probe);
    _exit(is_in && is_probe ? 1 : 0);
}

Test(health, lets_one_probe_in_when_processes_race)
{
    struct testseg test;
    struct segment *segment = make(&test);
    fail(segment, HEALTH_REASON_OVERLOADED, 0, 1);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            testseg_child();
            probe(segment);
        }
    }
    int probes = 0;
    for (int i = 0; i < 4; i++) {
        int status;
        cr_assert(waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status));
        probes += WEXITSTATUS(status);
    }
    cr_expect(probes == 1, "%d", probes);
}

Test(health, a_success_that_used_up_the_last_rests_the_account)
{
    struct testseg test;
    struct segment *segment = make(&test);
    struct health_view view;
    health_success(segment, 1, 1000, 10);
    health_rest(segment, 1, 2000, 1000);
    health_read(segment, 1, &view);
    cr_expect(view.state == HEALTH_COOLING && view.until_ms == 3000 && view.streak == 0);
    cr_expect(view.reason == HEALTH_REASON_RATE_LIMITED && view.failure_ppm == 0);
    health_success(segment, 1, 1500, 10);
    cr_expect(!health_ok(segment, 1, 1500), "answers under way do not lift it");
    health_rest(segment, 1, 90000, 1500);
    cr_expect(health_ok(segment, 1, 3000), "nor is it longer for being said twice");
    health_reset(segment, 1, 3000);
    fail(segment, HEALTH_REASON_RATE_LIMITED, 5000, 3000);
    health_rest(segment, 1, 1, 3000);
    health_read(segment, 1, &view);
    cr_expect(view.until_ms == 8000, "a bench stays as it is");
    health_reset(segment, 1, 9000);
    health_rest(segment, 1, UINT64_MAX / 2, 9000);
    health_read(segment, 1, &view);
    cr_expect(view.until_ms == 9000 + HEALTH_RETRY_AFTER_MS_MAX);
}

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

static struct health_view
look(const struct segment *segment)
{
    struct health_view view;
    health_read(segment, 1, &view);
    return view;
}

static struct health_finding
finding(enum health_found found, uint64_t until_ms)
{
    return (struct health_finding){ .found = found,
                                    .account_id = 77,
                                    .until_ms = until_ms,
                                    .reason = HEALTH_REASON_AUTH,
                                    .status = 401,
                                    .excerpt = STR("no") };
}

Test(health, recalled_before_its_time_lets_nobody_else_in)
{
    struct testseg test;
    struct segment *segment = make(&test);
    uint64_t until_ms = 0;
    bool is_probe;
    cr_expect(!health_recall(segment, 1, 1000, &until_ms), "it does not rest");
    fail(segment, HEALTH_REASON_RATE_LIMITED, 600000, 1000);
    cr_expect(health_recall(segment, 1, 50000, &until_ms) && until_ms == 601000);
    cr_expect(!health_recall(segment, 1, 50000, &until_ms), "one at a time");
    cr_expect(!health_enter(segment, 1, 50000, &is_probe) && !health_ok(segment, 1, 50000));
    struct health_finding well = finding(HEALTH_FOUND_WELL, until_ms);
    health_recalled(segment, 2, 1, &well, 51000);
    cr_expect(health_enter(segment, 1, 51000, &is_probe) && !is_probe);
    struct health_view view = look(segment);
    cr_expect(view.state == HEALTH_OK && view.streak == 0 && view.reason == HEALTH_REASON_NONE);
    cr_expect(view.probed_ms == 51000 && view.probe_found == HEALTH_FOUND_WELL);
    cr_expect(view.probe_status == 401 && view.probe_misses == 0);
    /* A second verdict of the same probe changes nothing. */
    struct health_finding ill = finding(HEALTH_FOUND_ILL, until_ms);
    health_recalled(segment, 2, 1, &ill, 51001);
    cr_expect(health_ok(segment, 1, 51001));
}

Test(health, recalled_in_vain_never_rests_shorter)
{
    struct testseg test;
    struct segment *segment = make(&test);
    uint64_t until_ms = 0;
    fail(segment, HEALTH_REASON_RATE_LIMITED, 600000, 1000);
    cr_assert(health_recall(segment, 1, 31000, &until_ms));
    struct health_finding ill = finding(HEALTH_FOUND_ILL, until_ms);
    health_recalled(segment, 2, 1, &ill, 32000);
    struct health_view view = look(segment);
    cr_expect(view.state == HEALTH_COOLING && view.until_ms == 601000, "the longer one stands");
    cr_expect(view.reason == HEALTH_REASON_AUTH && view.last_status == 401 && view.streak == 1);
    cr_expect_str_eq(view.excerpt, "no");
    cr_expect(view.probe_misses == 1 && view.since_ms == 32000);

    cr_assert(health_recall(segment, 1, 600000, &until_ms));
    ill = finding(HEALTH_FOUND_ILL, until_ms);
    ill.retry_after_ms = 700000;
    health_recalled(segment, 2, 1, &ill, 600500);
    view = look(segment);
    cr_expect(view.until_ms == 1300500 && view.probe_misses == 2, "the provider says longer");

    cr_assert(health_recall(segment, 1, 700000, &until_ms));
    struct health_finding nothing = finding(HEALTH_FOUND_NOTHING, until_ms);
    nothing.status = 404;
    health_recalled(segment, 2, 1, &nothing, 700100);
    view = look(segment);
    cr_expect(view.state == HEALTH_COOLING && view.until_ms == 1300500 && view.streak == 2);
    cr_expect(view.last_status == 401 && view.probe_status == 404 && view.probe_misses == 3);
    /* Whoever ends the bench ends the count. */
    health_reset(segment, 1, 700200);
    cr_expect(look(segment).probe_misses == 0 && look(segment).probed_ms == 700100);
}

Test(health, recalled_by_one_who_dies_is_tried_by_a_request)
{
    struct testseg test;
    struct segment *segment = make(&test);
    uint64_t until_ms = 0;
    bool is_probe;
    fail(segment, HEALTH_REASON_RATE_LIMITED, 3600000, 1000);
    cr_assert(health_recall(segment, 1, 31000, &until_ms));
    cr_expect(!health_ok(segment, 1, 31000 + HEALTH_PROBE_MS - 1));
    cr_expect(health_enter(segment, 1, 31000 + HEALTH_PROBE_MS, &is_probe) && is_probe);
    /* The account was removed, and its index is another's: an old verdict is not its. */
    health_assign(segment, 1, 78);
    fail(segment, HEALTH_REASON_RATE_LIMITED, 3600000, 200000);
    cr_assert(health_recall(segment, 1, 300000, &until_ms));
    struct health_finding well = finding(HEALTH_FOUND_WELL, until_ms);
    health_recalled(segment, 2, 1, &well, 300001);
    cr_expect(!health_ok(segment, 1, 300001) && look(segment).probed_ms == 0);
}

Test(health, of_a_request_from_before_ends_a_recall)
{
    struct testseg test;
    struct segment *segment = make(&test);
    uint64_t until_ms = 0;
    fail(segment, HEALTH_REASON_TIMEOUT, 600000, 1000);
    fail(segment, HEALTH_REASON_TIMEOUT, 600000, 1000);
    fail(segment, HEALTH_REASON_TIMEOUT, 600000, 1000);
    cr_assert(health_recall(segment, 1, 31000, &until_ms));
    health_success(segment, 1, 31500, 10);
    cr_expect(health_ok(segment, 1, 31500), "it answers: that is proof as well");
    struct health_finding ill = finding(HEALTH_FOUND_ILL, until_ms);
    health_recalled(segment, 2, 1, &ill, 32000);
    cr_expect(health_ok(segment, 1, 32000));
}

/* Lets each bench end and the next request fail for this reason. */
static struct health_view
fail_again(struct segment *segment, enum health_reason reason, uint64_t retry_ms)
{
    struct health_view view = look(segment);
    bool is_probe;
    cr_assert(health_enter(segment, 1, view.until_ms, &is_probe));
    fail(segment, reason, retry_ms, view.until_ms);
    return look(segment);
}

Test(health, a_credential_refused_again_and_again_is_not_asked_any_more)
{
    struct testseg test;
    struct segment *segment = make(&test);
    fail(segment, HEALTH_REASON_SERVER_ERROR, 0, 1000);
    fail(segment, HEALTH_REASON_SERVER_ERROR, 0, 1000);
    fail(segment, HEALTH_REASON_AUTH, 0, 1000);
    cr_expect(look(segment).state == HEALTH_COOLING && look(segment).streak == 1, "its first");
    fail(segment, HEALTH_REASON_AUTH, 0, 1000);
    cr_expect(look(segment).streak == 1, "from before the bench");
    cr_expect(fail_again(segment, HEALTH_REASON_AUTH, 0).state == HEALTH_COOLING);
    cr_expect(!health_is_disabled(segment, 1));
    struct health_view view = fail_again(segment, HEALTH_REASON_AUTH, 0);
    cr_expect(view.state == HEALTH_DISABLED && view.reason == HEALTH_REASON_AUTH);
    cr_expect(health_is_disabled(segment, 1) && !health_ok(segment, 1, UINT64_MAX >> 20));
    /* Any success between them makes the next one the first. */
    health_reset(segment, 1, 1);
    fail(segment, HEALTH_REASON_AUTH, 0, 1000);
    fail_again(segment, HEALTH_REASON_AUTH, 0);
    uint64_t end_ms = look(segment).until_ms;
    bool is_probe;
    cr_assert(health_enter(segment, 1, end_ms, &is_probe));
    health_success(segment, 1, end_ms, 10);
    fail(segment, HEALTH_REASON_AUTH, 0, end_ms);
    cr_expect(look(segment).state == HEALTH_COOLING && look(segment).streak == 1);
    /* What is no refusal of the credential heals by itself, however often it comes. */
    health_reset(segment, 1, 1);
    fail(segment, HEALTH_REASON_BILLING, 0, 1000);
    for (int i = 0; i < 20; i++) {
        cr_expect(fail_again(segment, HEALTH_REASON_BILLING, 0).state == HEALTH_COOLING);
    }
}

Test(health, what_a_provider_says_is_the_least_from_the_second_time_on)
{
    struct testseg test;
    struct segment *segment = make(&test);
    fail(segment, HEALTH_REASON_RATE_LIMITED, 1000, 1000);
    cr_expect(look(segment).until_ms == 2000, "the first time it is obeyed");
    struct health_view view = fail_again(segment, HEALTH_REASON_RATE_LIMITED, 1000);
    cr_expect(view.until_ms == 12000, "again in a second? %lu", (unsigned long)view.until_ms);
    view = fail_again(segment, HEALTH_REASON_RATE_LIMITED, 90000);
    cr_expect(view.until_ms == 12000 + 90000);
}

Test(health, tells_uses_within_a_millisecond_apart)
{
    struct testseg test;
    struct segment *segment = make(&test);
    bool is_probe;
    cr_expect(health_idle(segment, 0, 1000) == health_idle(segment, 1, 5000), "never used");
    cr_assert(health_enter(segment, 1, 1000, &is_probe) &&
              health_enter(segment, 0, 1000, &is_probe));
    cr_expect(health_idle(segment, 1, 1000) > health_idle(segment, 0, 1000));
    cr_expect(health_idle(segment, 2, 1000) > health_idle(segment, 1, 1000));
    cr_expect(look(segment).last_used_ms == 1000);
}

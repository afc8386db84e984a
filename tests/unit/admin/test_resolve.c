/* Names into the segment, by children. */
#include "admin/resolve.h"
#include "base/loop.h"
#include "shm/counter.h"
#include "shm/names.h"
#include "tests/unit/shm/testseg.h"

struct fixture {
    struct testseg test;
    struct segment *segment;
    struct loop *loop;
    uint32_t keeper;
    uint32_t worker;
    struct resolve *resolve;
};

static void
begin(struct fixture *f, uint32_t interval_ms)
{
    testseg_make(&f->test, 4, 16, 64, 16);
    f->segment = &f->test.segment;
    f->keeper = testseg_active(&f->test, SLOT_KEEPER);
    f->worker = testseg_active(&f->test, SLOT_WORKER);
    cr_assert(loop_make(64, 64, &f->loop) == ERR_OK);
    cr_assert(resolve_make(f->loop, f->segment, f->keeper, interval_ms, &f->resolve) == ERR_OK);
}

static void
finish(struct fixture *f)
{
    resolve_free(f->resolve);
    loop_free(f->loop);
}

/* Turns until the segment knows the name, good or bad. */
static struct names_answer
await(struct fixture *f, const char *host)
{
    struct names_answer answer = { .state = NAMES_UNKNOWN };
    uint64_t until_ms = clock_now_ms() + RESOLVE_DEADLINE_MS + 2000;
    while (clock_now_ms() < until_ms) {
        loop_turn(f->loop, 10);
        if (names_find(f->segment, str_of(host), &answer) == ERR_OK &&
            answer.state != NAMES_UNKNOWN) {
            return answer;
        }
    }
    cr_assert(false, "no answer for %s", host);
    return answer;
}

Test(resolve, finds_localhost)
{
    struct fixture f;
    begin(&f, 60000);
    resolve_name(f.resolve, STR("localhost"));
    struct names_answer answer = await(&f, "localhost");
    cr_expect(answer.state == NAMES_OK && answer.count >= 1);
    static const uint8_t four[] = { 127, 0, 0, 1 };
    static const uint8_t six[16] = { [15] = 1 };
    const struct names_address *address = &answer.addresses[0];
    cr_expect((address->family == 4 && memcmp(address->bytes, four, 4) == 0) ||
              (address->family == 6 && memcmp(address->bytes, six, 16) == 0));
    cr_expect(answer.good_ms != 0 && answer.good_ms == answer.resolved_ms);
    cr_expect_eq(counter_of(f.segment, f.keeper, COUNTER_NAMES_RESOLVED), 1);
    finish(&f);
}

Test(resolve, says_why_a_name_has_no_address)
{
    struct fixture f;
    begin(&f, 60000);
    resolve_name(f.resolve, STR("no-such-host.invalid"));
    struct names_answer answer = await(&f, "no-such-host.invalid");
    cr_expect(answer.state == NAMES_FAILED && answer.count == 0 && answer.why[0] != '\0');
    cr_expect_eq(counter_of(f.segment, f.keeper, COUNTER_NAMES_FAILED), 1);
    finish(&f);
}

Test(resolve, keeps_the_last_good_addresses)
{
    struct fixture f;
    begin(&f, 1);
    struct names_answer good = { .state = NAMES_OK,
                                 .count = 1,
                                 .addresses = { { 4, { 192, 0, 2, 1 } } },
                                 .resolved_ms = 1,
                                 .good_ms = 1 };
    cr_assert(names_put(f.segment, STR("no-such-host.invalid"), &good) == ERR_OK);
    resolve_name(f.resolve, STR("no-such-host.invalid"));
    struct names_answer answer = good;
    for (int i = 0; i < 1000 && answer.resolved_ms == 1; i++) {
        loop_turn(f.loop, 10);
        cr_assert(names_find(f.segment, STR("no-such-host.invalid"), &answer) == ERR_OK);
    }
    cr_expect(answer.state == NAMES_OK && answer.count == 1 && answer.addresses[0].bytes[3] == 1);
    cr_expect(answer.good_ms == 1 && answer.resolved_ms > 1 && answer.why[0] != '\0');
    finish(&f);
}

Test(resolve, answers_a_worker_and_wakes_it)
{
    struct fixture f;
    begin(&f, 60000);
    cr_assert(names_want(f.segment, f.worker, STR("localhost")) == ERR_OK);
    resolve_wanted(f.resolve);
    resolve_wanted(f.resolve); /* a second look starts nothing more */
    await(&f, "localhost");
    uint32_t cursor = 0;
    uint32_t cell = 0;
    char host[NAME_HOST_BYTES];
    cr_expect(!names_next_wanted(f.segment, &cursor, &cell, host), "the cell is handed back");
    uint64_t count = 0;
    cr_expect_eq(read(f.test.fds[f.worker], &count, sizeof count), (ssize_t)sizeof count);
    cr_expect_eq(counter_of(f.segment, f.keeper, COUNTER_NAMES_RESOLVED), 1);
    finish(&f);
}

Test(resolve, does_not_ask_again_before_its_time)
{
    struct fixture f;
    begin(&f, 60000);
    resolve_name(f.resolve, STR("localhost"));
    await(&f, "localhost");
    resolve_name(f.resolve, STR("localhost"));
    resolve_name(f.resolve, STR("127.0.0.1"));
    resolve_name(f.resolve, STR("::1"));
    for (int i = 0; i < 20; i++) {
        loop_turn(f.loop, 5);
    }
    cr_expect_eq(counter_of(f.segment, f.keeper, COUNTER_NAMES_RESOLVED), 1);
    finish(&f);
}

Test(resolve, asks_again_soon_after_a_failure)
{
    struct fixture f;
    begin(&f, 60000);
    loop_turn(f.loop, 0);
    uint64_t now_ms = loop_now_ms(f.loop);
    struct names_answer failed = { .state = NAMES_FAILED, .resolved_ms = now_ms - 6000 };
    cr_assert(names_put(f.segment, STR("localhost"), &failed) == ERR_OK);
    resolve_name(f.resolve, STR("localhost"));
    for (int i = 0; i < 400 && counter_of(f.segment, f.keeper, COUNTER_NAMES_RESOLVED) == 0; i++) {
        loop_turn(f.loop, 5);
    }
    cr_expect_eq(counter_of(f.segment, f.keeper, COUNTER_NAMES_RESOLVED), 1);
    finish(&f);
}

Test(resolve, looks_up_more_names_than_it_has_children)
{
    struct fixture f;
    begin(&f, 60000);
    char host[64];
    for (int i = 0; i < 12; i++) {
        snprintf(host, sizeof host, "no-such-host-%d.invalid", i);
        resolve_name(f.resolve, str_of(host));
    }
    for (int i = 0; i < 12; i++) {
        snprintf(host, sizeof host, "no-such-host-%d.invalid", i);
        cr_expect_eq(await(&f, host).state, NAMES_FAILED);
    }
    finish(&f);
}

/* Host names: asked by workers, answered by the keeper, through any death. */
#include <criterion/criterion.h>
#include <poll.h>

#include "shm/names.h"
#include "shm/wake.h"
#include "tests/unit/shm/testseg.h"

static struct names_answer
answer_of(uint8_t last, uint64_t now_ms)
{
    struct names_answer answer = { .state = NAMES_OK, .count = 1, .resolved_ms = now_ms };
    answer.addresses[0] = (struct names_address){ 4, { 10, 0, 0, last } };
    answer.good_ms = now_ms;
    return answer;
}

Test(names, are_put_and_found_without_regard_to_case)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    struct names_answer out;
    cr_expect(names_find(segment, STR("api.example.com"), &out) == ERR_GONE);
    cr_expect(out.state == NAMES_UNKNOWN);
    struct names_answer answer = answer_of(1, 5);
    cr_expect(names_put(segment, STR("API.example.com."), &answer) == ERR_OK);
    cr_assert(names_find(segment, STR("api.Example.com"), &out) == ERR_OK);
    cr_expect(out.state == NAMES_OK && out.count == 1 && out.addresses[0].bytes[3] == 1);
    answer.state = NAMES_FAILED;
    answer.count = 0;
    snprintf(answer.why, sizeof answer.why, "no such host");
    cr_expect(names_put(segment, STR("api.example.com"), &answer) == ERR_OK);
    cr_assert(names_find(segment, STR("api.example.com"), &out) == ERR_OK);
    cr_expect(out.state == NAMES_FAILED);
    cr_expect_str_eq(out.why, "no such host");
    char host[NAME_HOST_BYTES];
    uint32_t cursor = 0;
    cr_expect(names_next(segment, &cursor, host, &out));
    cr_expect_str_eq(host, "api.example.com");
    cr_expect(!names_next(segment, &cursor, host, &out));
}

Test(names, that_are_none_are_refused)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    struct names_answer out = answer_of(1, 1);
    char longest[300];
    memset(longest, 'a', sizeof longest);
    cr_expect(names_find(segment, STR(""), &out) == ERR_BAD);
    cr_expect(names_find(segment, STR("a b"), &out) == ERR_BAD);
    cr_expect(names_want(segment, 0, STR("a\0b")) == ERR_BAD);
    cr_expect(names_want(segment, 0, STR("../x")) == ERR_BAD);
    out = answer_of(1, 1);
    cr_expect(names_put(segment, str_make(longest, 254), &out) == ERR_BAD);
    cr_expect(names_put(segment, str_make(longest, 253), &out) == ERR_OK);
    cr_expect(names_find(segment, str_make(longest, 253), &out) == ERR_OK);
}

Test(names, wanted_reach_the_keeper_and_the_answer_wakes_the_slot)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint32_t worker = testseg_active(&test, SLOT_WORKER);
    uint32_t keeper = testseg_active(&test, SLOT_KEEPER);
    char name[] = "h0.test";
    for (uint32_t i = 0; i < NAME_WANTS; i++) {
        name[1] = (char)('0' + i);
        cr_expect(names_want(segment, worker, str_of(name)) == ERR_OK);
        cr_expect(names_want(segment, worker, str_of(name)) == ERR_OK, "once is enough");
    }
    cr_expect(names_want(segment, worker, STR("one.more")) == ERR_FULL);
    struct pollfd fd = { test.fds[keeper], POLLIN, 0 };
    cr_expect(poll(&fd, 1, 0) == 1);
    uint32_t cursor = 0, cell, count = 0;
    char host[NAME_HOST_BYTES];
    while (names_next_wanted(segment, &cursor, &cell, host)) {
        struct names_answer answer = answer_of((uint8_t)count, 7);
        cr_expect(host[1] == (char)('0' + count));
        cr_expect(names_put(segment, str_of(host), &answer) == ERR_OK);
        names_answered(segment, cell);
        count++;
    }
    cr_expect(count == NAME_WANTS);
    fd.fd = test.fds[worker];
    cr_expect(poll(&fd, 1, 0) == 1);
    struct names_answer out;
    cr_expect(names_find(segment, STR("h2.test"), &out) == ERR_OK &&
              out.addresses[0].bytes[3] == 2);
    cr_expect(names_want(segment, worker, STR("one.more")) == ERR_OK);
    cr_expect(!slot_reap(segment, worker));
    cr_expect(slot_sweep(segment, worker) == ERR_OK);
    cursor = 0;
    cr_expect(!names_next_wanted(segment, &cursor, &cell, host), "the dead want nothing");
}

static void
put(void *context)
{
    struct names_answer answer = answer_of(9, 9);
    (void)!names_put(context, STR("api.example.com"), &answer);
}

Test(names, half_written_by_a_dead_keeper_are_unknown_until_the_next_one_writes)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    struct names_answer out, answer = answer_of(1, 5);
    cr_assert(names_put(segment, STR("api.example.com"), &answer) == ERR_OK);
    cr_assert(testseg_dies("names.mid_put=kill", put, segment));
    cr_expect(names_find(segment, STR("api.example.com"), &out) == ERR_GONE);
    cr_expect(names_put(segment, STR("api.example.com"), &answer) == ERR_OK);
    cr_expect(names_find(segment, STR("api.example.com"), &out) == ERR_OK && out.count == 1);
}

static void
answer_first(void *context)
{
    uint32_t cursor = 0, cell = 0;
    char host[NAME_HOST_BYTES];
    if (names_next_wanted(context, &cursor, &cell, host)) {
        names_answered(context, cell);
    }
}

Test(names, question_that_a_keeper_died_of_is_found_by_the_next)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint32_t worker = testseg_active(&test, SLOT_WORKER);
    cr_assert(names_want(segment, worker, STR("h0.test")) == ERR_OK);
    cr_assert(testseg_dies("names.before_answered=kill", answer_first, segment));
    uint32_t cursor = 0, cell = 0;
    char host[NAME_HOST_BYTES];
    cr_assert(names_next_wanted(segment, &cursor, &cell, host) && strcmp(host, "h0.test") == 0);
    names_answered(segment, cell);
    cursor = 0;
    cr_expect(!names_next_wanted(segment, &cursor, &cell, host), "once");
}

Test(names, beyond_the_table_push_out_the_oldest)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct names_answer out;
    for (uint32_t i = 0; i < 2 * NAMES_MAX; i++) {
        char host[32];
        struct names_answer answer = answer_of((uint8_t)i, i);
        snprintf(host, sizeof host, "h%u.test", i);
        cr_assert(names_put(&test.segment, str_of(host), &answer) == ERR_OK);
        cr_assert(names_find(&test.segment, str_of(host), &out) == ERR_OK);
        cr_assert(out.addresses[0].bytes[3] == (uint8_t)i);
    }
}

/* Sessions and their accounts: one word each, whoever writes, whoever dies. */
#include <criterion/criterion.h>

#include "shm/sticky.h"
#include "tests/unit/shm/testseg.h"

#define HOUR_MS 3600000u
#define TICK_MS 4096u

static uint32_t
bound(struct segment *segment, uint64_t key, uint64_t now_ms)
{
    uint32_t index = 0;
    return sticky_find(segment, key, now_ms, &index) == ERR_OK ? index : UINT32_MAX;
}

static uint32_t
alive(struct segment *segment, uint64_t now_ms)
{
    struct sticky_view view;
    uint64_t cursor = 0;
    uint32_t count = 0;
    while (sticky_next(segment, &cursor, now_ms, &view)) {
        count++;
    }
    return count;
}

static uint64_t
key_of(struct segment *segment, uint64_t number)
{
    char text[32];
    int length = snprintf(text, sizeof text, "session %llu", (unsigned long long)number);
    return sticky_key(segment, 1, 2, STICKY_EXPLICIT, str_make(text, (size_t)length));
}

Test(sticky, remembers_until_the_time_is_over)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint64_t key = key_of(segment, 1);
    uint64_t now_ms = 1234567;
    cr_expect_eq(bound(segment, key, now_ms), UINT32_MAX);
    sticky_put(segment, key, 7, now_ms, HOUR_MS);
    cr_expect_eq(bound(segment, key, now_ms), 7);
    cr_expect_eq(bound(segment, key, now_ms + HOUR_MS), 7);
    cr_expect_eq(bound(segment, key, now_ms + HOUR_MS + 3 * TICK_MS), UINT32_MAX);
    cr_expect_eq(bound(segment, key_of(segment, 2), now_ms), UINT32_MAX);
    /* Used again: a new hour. Bound elsewhere: one entry still. */
    sticky_put(segment, key, 7, now_ms + HOUR_MS / 2, HOUR_MS);
    cr_expect_eq(bound(segment, key, now_ms + HOUR_MS + HOUR_MS / 2), 7);
    sticky_put(segment, key, 4095, now_ms, HOUR_MS);
    cr_expect_eq(bound(segment, key, now_ms), 4095);
    cr_expect_eq(alive(segment, now_ms), 1);
    sticky_drop(segment, key);
    cr_expect_eq(bound(segment, key, now_ms), UINT32_MAX);
    cr_expect_eq(alive(segment, now_ms), 0);
}

Test(sticky, quick_turns_do_not_write)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint64_t key = key_of(segment, 1);
    sticky_put(segment, key, 7, 5000, HOUR_MS);
    struct sticky_view before, after;
    uint64_t cursor = 0;
    cr_assert(sticky_next(segment, &cursor, 5000, &before));
    sticky_put(segment, key, 7, 5000 + 20 * TICK_MS, HOUR_MS);
    cursor = 0;
    cr_assert(sticky_next(segment, &cursor, 5000, &after));
    cr_expect_eq(before.left_ms, after.left_ms, "a sixteenth of the time is not worth a write");
    sticky_put(segment, key, 7, 5000 + 100 * TICK_MS, HOUR_MS);
    cursor = 0;
    cr_assert(sticky_next(segment, &cursor, 5000, &after));
    cr_expect_gt(after.left_ms, before.left_ms);
    cr_expect_eq(after.account_index, 7);
}

Test(sticky, keeps_scopes_apart)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    struct str text = STR("the same id");
    uint64_t keys[4] = { sticky_key(segment, 1, 2, STICKY_EXPLICIT, text),
                         sticky_key(segment, 2, 2, STICKY_EXPLICIT, text),
                         sticky_key(segment, 1, 3, STICKY_EXPLICIT, text),
                         sticky_key(segment, 1, 2, STICKY_RESPONSE, text) };
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t j = i + 1; j < 4; j++) {
            cr_expect_neq(keys[i], keys[j], "%u %u", i, j);
        }
        sticky_put(segment, keys[i], i, 1000, HOUR_MS);
    }
    for (uint32_t i = 0; i < 4; i++) {
        cr_expect_eq(bound(segment, keys[i], 1000), i);
    }
    cr_expect_eq(sticky_key(segment, 1, 2, STICKY_EXPLICIT, text), keys[0]);
}

Test(sticky, makes_room_by_forgetting_who_would_go_first)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    /* Three times what fits, each later than the one before. */
    uint64_t now_ms = 1000000;
    for (uint64_t i = 0; i < 3ull * segment->sticky; i++) {
        sticky_put(segment, key_of(segment, i), (uint32_t)i % 16, now_ms + i * TICK_MS, HOUR_MS);
        cr_assert_eq(bound(segment, key_of(segment, i), now_ms + i * TICK_MS), i % 16);
    }
    now_ms += 3ull * segment->sticky * TICK_MS;
    cr_expect_leq(alive(segment, now_ms), segment->sticky);
    uint32_t kept = 0;
    for (uint64_t i = 3ull * segment->sticky - 256; i < 3ull * segment->sticky; i++) {
        kept += bound(segment, key_of(segment, i), now_ms) == i % 16 ? 1u : 0u;
    }
    /* Keys are drawn anew each time: a few may have crowded into one place. */
    cr_expect_geq(kept, 240, "the youngest stay");
}

Test(sticky, drops_what_is_bound_to_one_account)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    for (uint64_t i = 0; i < 64; i++) {
        sticky_put(segment, key_of(segment, i), (uint32_t)i % 4, 1000, HOUR_MS);
    }
    uint32_t before = alive(segment, 1000);
    cr_expect_gt(before, 60);
    uint32_t dropped = sticky_drop_account(segment, 2, 1000);
    cr_expect_eq(alive(segment, 1000), before - dropped);
    for (uint64_t i = 0; i < 64; i++) {
        uint32_t index = bound(segment, key_of(segment, i), 1000);
        cr_expect(index == UINT32_MAX || (index == i % 4 && index != 2));
    }
    cr_expect_eq(sticky_drop_account(segment, UINT32_MAX, 1000), before - dropped);
    cr_expect_eq(alive(segment, 1000), 0);
    cr_expect_eq(sticky_drop_account(segment, UINT32_MAX, 1000), 0);
}

Test(sticky, ticks_wrap_without_harm)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint64_t key = key_of(segment, 1);
    uint64_t now_ms = ((1ull << 20) - 10) * TICK_MS; /* the last ticks before the wrap */
    sticky_put(segment, key, 3, now_ms, HOUR_MS);
    cr_expect_eq(bound(segment, key, now_ms), 3);
    cr_expect_eq(bound(segment, key, now_ms + 20 * TICK_MS), 3);
    cr_expect_eq(bound(segment, key, now_ms + HOUR_MS + 3 * TICK_MS), UINT32_MAX);
    sticky_put(segment, key, 3, now_ms, STICKY_TIME_MS_MAX);
    cr_expect_eq(bound(segment, key, now_ms + STICKY_TIME_MS_MAX), 3, "the longest time fits");
}

Test(sticky, a_table_of_no_rows_binds_nothing)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment none = test.segment;
    none.sticky = 0;
    sticky_put(&none, 42, 3, 1000, HOUR_MS);
    sticky_drop(&none, 42);
    cr_expect_eq(bound(&none, 42, 1000), UINT32_MAX);
    cr_expect_eq(alive(&none, 1000), 0);
    cr_expect_eq(sticky_drop_account(&none, 3, 1000), 0);
    cr_expect_eq(alive(&test.segment, 1000), 0);
}

/* A child binds and moves the same sessions as its siblings, thousands of times. */
static void
churn(void *context)
{
    struct segment *segment = context;
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t session = (i * 7) % 512;
        sticky_put(segment, key_of(segment, session), (uint32_t)(session % 16), 1000 + i, HOUR_MS);
        if (i % 64 == 0) {
            sticky_drop(segment, key_of(segment, (i * 13) % 512));
        }
    }
}

Test(sticky, many_writers_never_bind_a_session_to_a_stranger)
{
    struct testseg test;
    testseg_make(&test, 8, 16, 16, 16);
    struct segment *segment = &test.segment;
    pid_t children[4];
    for (uint32_t i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            testseg_child();
            churn(segment);
            _exit(0);
        }
    }
    for (uint32_t i = 0; i < 4; i++) {
        int status = 0;
        cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    uint32_t kept = 0;
    for (uint64_t i = 0; i < 512; i++) {
        uint32_t index = bound(segment, key_of(segment, i), 1000);
        cr_expect(index == UINT32_MAX || index == i % 16, "%llu: %u", (unsigned long long)i, index);
        kept += index != UINT32_MAX ? 1u : 0u;
    }
    cr_expect_gt(kept, 300);
}

static void
put_and_die(void *context)
{
    struct segment *segment = context;
    sticky_put(segment, key_of(segment, 1), 9, 1000, HOUR_MS);
}

Test(sticky, a_writer_that_dies_leaves_the_old_word_or_the_new_one)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    sticky_put(segment, key_of(segment, 1), 5, 1000, HOUR_MS);
    cr_assert(testseg_dies("sticky.before_put=kill", put_and_die, segment));
    cr_expect_eq(bound(segment, key_of(segment, 1), 1000), 5);
    sticky_put(segment, key_of(segment, 1), 6, 1000, HOUR_MS);
    cr_expect_eq(bound(segment, key_of(segment, 1), 1000), 6);
}

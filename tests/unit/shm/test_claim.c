/* One request at a time works on an Idempotency-Key, whoever races, whoever dies. */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "shm/claim.h"
#include "shm/parcel.h"
#include "tests/unit/shm/testseg.h"

static struct claim_name
name_of(uint64_t number)
{
    struct claim_name name = { { 0 } };
    memcpy(name.bytes, &number, sizeof number);
    return name;
}

static enum err
take(struct testseg *test, uint32_t slot, uint64_t number, uint8_t asked, uint32_t *index)
{
    struct claim_name name = name_of(number);
    struct digest print;
    memset(&print, asked, sizeof print);
    return claim_take(&test->segment, slot, &name, &print, index);
}

static void
release(struct testseg *test, uint32_t slot, uint64_t number, uint64_t sequence)
{
    struct claim_name name = name_of(number);
    claim_release(&test->segment, slot, &name, sequence);
}

Test(claim, has_one_holder)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    uint32_t index = 0;
    uint32_t other = 0;
    cr_assert_eq(take(&test, 0, 1, 7, &index), ERR_OK);
    cr_expect_eq(take(&test, 0, 1, 7, &other), ERR_AGAIN, "the same worker");
    cr_expect_eq(take(&test, 1, 1, 7, &other), ERR_AGAIN, "another worker");
    cr_expect_eq(take(&test, 1, 1, 8, &other), ERR_BAD, "it asks something else");
    cr_expect_eq(take(&test, 1, 2, 7, &other), ERR_OK, "another name");
    cr_expect_eq(claim_count(&test.segment), 2);
    claim_give(&test.segment, 0, index);
    cr_expect_eq(take(&test, 1, 1, 8, &index), ERR_OK);
    claim_give(&test.segment, 1, index);
    claim_give(&test.segment, 1, other);
    cr_expect_eq(claim_count(&test.segment), 0);
}

Test(claim, a_full_set_refuses)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    static uint32_t indexes[CLAIMS_MAX];
    uint64_t number = 0;
    uint32_t taken = 0;
    enum err err = ERR_OK;
    while (taken < CLAIMS_MAX && (err = take(&test, 0, ++number, 1, &indexes[taken])) == ERR_OK) {
        taken++;
    }
    cr_assert_eq(err, ERR_FULL);
    cr_expect_gt(taken, CLAIMS_MAX / 8, "%u", taken);
    cr_expect_eq(claim_count(&test.segment), taken);
    cr_expect_eq(claim_sweep(&test.segment, 1), 0);
    cr_expect_eq(claim_sweep(&test.segment, 0), taken);
    cr_expect_eq(take(&test, 0, number, 1, &indexes[0]), ERR_OK);
}

Test(claim, is_released_by_its_own_record_alone)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    struct claim_name name = name_of(5);
    struct claim_view view;
    struct str piece = STR("answer");
    uint32_t index = 0;
    uint64_t at = 0;
    cr_assert_eq(take(&test, 2, 5, 9, &index), ERR_OK);
    cr_assert_eq(claim_find(&test.segment, 2, &name, &view), ERR_OK);
    cr_expect(view.note == 0 && view.index == index && view.print.bytes[31] == 9);
    cr_expect_eq(claim_find(&test.segment, 1, &name, &view), ERR_GONE, "another slot's");
    release(&test, 2, 5, UINT64_MAX);
    cr_expect_eq(claim_count(&test.segment), 1, "under way: no record can end it");

    cr_assert_eq(parcel_put(&test.segment, 2, &piece, 1, &at), ERR_OK);
    claim_note(&test.segment, 2, index, 41, at, piece.len);
    cr_assert_eq(claim_find(&test.segment, 2, &name, &view), ERR_OK);
    cr_expect(view.note == 42 && view.parcel_at == at && view.parcel_bytes == piece.len);
    cr_expect_eq(claim_sweep(&test.segment, 2), 0, "its record will end it");
    release(&test, 2, 5, 40);
    release(&test, 1, 5, 41);
    cr_expect_eq(claim_count(&test.segment), 1);
    cr_expect_eq(parcel_get(&test.segment, 2, at, piece.len).len, piece.len);
    release(&test, 2, 5, 41);
    cr_expect_eq(claim_count(&test.segment), 0);
    cr_expect_eq(parcel_get(&test.segment, 2, at, piece.len).len, 0, "its parcel is free too");

    /* Repeated after the next holder took the name: nothing happens to that one. */
    cr_assert_eq(take(&test, 2, 5, 9, &index), ERR_OK);
    release(&test, 2, 5, 41);
    cr_expect_eq(claim_count(&test.segment), 1);
}

/* --- a race --- */

#define RACERS 4u
#define ROUNDS 3000u

struct race {
    struct testseg test;
    _Atomic uint32_t inside[4]; /* by name */
    _Atomic uint32_t taken;
    _Atomic uint32_t met;
};

static void
run(struct race *race, uint32_t slot)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t index = 0;
        uint32_t name = (i * 7 + slot) % 4;
        if (take(&race->test, slot, name, 1, &index) != ERR_OK) {
            continue;
        }
        if (atomic_fetch_add(&race->inside[name], 1) != 0) {
            atomic_fetch_add(&race->met, 1);
        }
        atomic_fetch_add(&race->taken, 1);
        sched_yield();
        atomic_fetch_sub(&race->inside[name], 1);
        claim_give(&race->test.segment, slot, index);
    }
}

Test(claim, two_never_hold_one_name_however_they_race)
{
    struct race *race =
        mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(race != MAP_FAILED);
    testseg_make(&race->test, 8, 16, 16, 8);
    pid_t pids[RACERS];
    for (uint32_t i = 0; i < RACERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            testseg_child();
            run(race, i);
            _exit(0);
        }
    }
    for (uint32_t i = 0; i < RACERS; i++) {
        int status = -1;
        cr_expect(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
    }
    cr_expect_eq(race->met, 0);
    cr_expect_gt(race->taken, ROUNDS / 2);
    cr_expect_eq(claim_count(&race->test.segment), 0);
}

/* --- deaths --- */

#ifdef FAULTS_ON
static void
take_and_give(void *context)
{
    struct testseg *test = context;
    uint32_t index = 0;
    if (take(test, 2, 5, 9, &index) == ERR_OK) {
        claim_give(&test->segment, 2, index);
    }
}

static void
take_and_note(void *context)
{
    struct testseg *test = context;
    uint32_t index = 0;
    if (take(test, 2, 5, 9, &index) == ERR_OK) {
        claim_note(&test->segment, 2, index, 0, 0, 0);
    }
}

static void
release_it(void *context)
{
    release(context, 2, 5, 0);
}

Test(claim, of_the_dead_is_freed)
{
    static const char *const plans[] = { "claim.after_take=kill", "claim.before_free=kill" };
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        uint32_t index = 0;
        cr_assert(testseg_dies(plans[i], take_and_give, &test), "%s", plans[i]);
        cr_expect_eq(take(&test, 1, 5, 9, &index), ERR_AGAIN);
        cr_expect_eq(claim_sweep(&test.segment, 2), 1);
        cr_expect_eq(take(&test, 1, 5, 9, &index), ERR_OK);
        claim_give(&test.segment, 1, index);
    }
}

Test(claim, release_ends_what_a_dead_recorder_began)
{
    static const char *const plans[] = { "claim.releasing=kill", "claim.before_free=kill" };
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        cr_assert(!testseg_dies(NULL, take_and_note, &test));
        cr_assert(testseg_dies(plans[i], release_it, &test), "%s", plans[i]);
        uint32_t index = 0;
        cr_expect_eq(take(&test, 1, 5, 9, &index), ERR_AGAIN);
        release(&test, 2, 5, 0);
        cr_expect_eq(claim_count(&test.segment), 0, "%s", plans[i]);
    }
}
#endif

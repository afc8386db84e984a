/* From claim, record and parcel to a row of the store, and back to free. */
#include <criterion/criterion.h>

#include "shm/claim.h"
#include "shm/parcel.h"
#include "shm/ring.h"
#include "store/outcome.h"
#include "tests/unit/shm/testseg.h"
#include "upstream/handover.h"

#define SLOT 1u
static const uint8_t name_bytes[CLAIM_NAME_BYTES] = { 1, 2, 3 };

static uint32_t
take(struct testseg *test)
{
    struct claim_name name;
    struct digest print = { { 7 } };
    uint32_t index = 0;
    memcpy(name.bytes, name_bytes, sizeof name.bytes);
    cr_assert_eq(claim_take(&test->segment, SLOT, &name, &print, &index), ERR_OK);
    return index;
}

static struct ledger_record
record_of(enum outcome_state state)
{
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .status = 200,
                                    .out_total = 9,
                                    .is_last = 1,
                                    .outcome = (uint8_t)state,
                                    .request_id = "req_a" };
    if (state != OUTCOME_NONE) {
        memcpy(record.claim, name_bytes, sizeof record.claim);
    }
    return record;
}

static void
push(struct testseg *test, const struct ledger_record *record)
{
    struct ring_local ring;
    ring_init(&ring, &test->segment, SLOT);
    cr_assert_eq(ring_reserve(&ring, 1), ERR_OK);
    ring_push(&ring, record);
}

Test(handover, a_kept_answer_is_the_row)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    uint32_t index = take(&test);
    uint8_t head[OUTCOME_HEAD_BYTES];
    struct outcome outcome = {
        .state = OUTCOME_KEPT, .status = 201, .wall_ms = 5, .body = STR("body")
    };
    outcome_head(&outcome, head);
    struct str pieces[] = { str_make((const char *)head, sizeof head), outcome.body };
    uint64_t at = 0;
    cr_assert_eq(parcel_put(&test.segment, SLOT, pieces, 2, &at), ERR_OK);
    claim_note(&test.segment, SLOT, index, 0, at, sizeof head + 4);

    struct ledger_record record = record_of(OUTCOME_KEPT);
    struct outcome found;
    struct str row;
    cr_assert_eq(handover_row(&test.segment, SLOT, 0, &record, &row), ERR_OK);
    cr_assert_eq(outcome_read(row, &found), ERR_OK);
    cr_expect(found.state == OUTCOME_KEPT && found.status == 201 && found.body.len == 4);
    cr_expect_eq(handover_row(&test.segment, SLOT, 1, &record, &row), ERR_GONE, "not its record");

    push(&test, &record);
    handover_release(&test.segment, SLOT, 0, &record, 1);
    cr_expect_eq(claim_count(&test.segment), 0);
    cr_expect_eq(parcel_get(&test.segment, SLOT, at, 1).len, 0);
    cr_expect_eq(handover_row(&test.segment, SLOT, 0, &record, &row), ERR_GONE);
}

Test(handover, what_is_not_kept_says_why)
{
    static const enum outcome_state states[][2] = {
        { OUTCOME_STREAM, OUTCOME_STREAM },
        { OUTCOME_LARGE, OUTCOME_LARGE },
        { OUTCOME_KEPT, OUTCOME_CROWDED }, /* its parcel is not there */
    };
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        uint32_t index = take(&test);
        claim_note(&test.segment, SLOT, index, i, 12345, 678);
        struct ledger_record record = record_of(states[i][0]);
        struct outcome found;
        struct str row;
        cr_assert_eq(handover_row(&test.segment, SLOT, i, &record, &row), ERR_OK);
        cr_assert_eq(outcome_read(row, &found), ERR_OK);
        cr_expect_eq(found.state, states[i][1]);
        cr_expect(found.print.bytes[0] == 7 && strcmp(found.request_id, "req_a") == 0);
        claim_give(&test.segment, SLOT, index);
    }
}

Test(handover, what_was_committed_before_a_death_is_released)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    struct ledger_record plain = record_of(OUTCOME_NONE);
    struct ledger_record named = record_of(OUTCOME_STREAM);
    push(&test, &plain);
    claim_note(&test.segment, SLOT, take(&test), 1, 0, 0);
    push(&test, &named);
    handover_release_to(&test.segment, SLOT, 1);
    cr_expect_eq(claim_count(&test.segment), 1, "its record is not committed");
    cr_expect_eq(ring_head(&test.segment, SLOT), 1);
    handover_release_to(&test.segment, SLOT, 2);
    cr_expect_eq(claim_count(&test.segment), 0);
    cr_expect_eq(ring_head(&test.segment, SLOT), 2);
}

Test(handover, a_dead_workers_bill_says_so_and_what_cost_nothing_frees_the_name)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    struct lease_view lease = { .state = LEASE_ORPHAN };
    struct ledger_record record = record_of(OUTCOME_NONE);
    handover_orphan(&test.segment, SLOT, &lease, &record);
    cr_expect_eq(record.outcome, OUTCOME_NONE, "a request without a key");

    memcpy(lease.data.claim, name_bytes, sizeof name_bytes);
    uint32_t index = take(&test);
    /* The worker noted it and died before the push: another one's record would get that number. */
    claim_note(&test.segment, SLOT, index, 0, 0, 0);
    push(&test, &record);
    handover_orphan(&test.segment, SLOT, &lease, &record);
    cr_expect_eq(record.outcome, OUTCOME_DIED);
    push(&test, &record);
    struct str row;
    cr_expect_eq(handover_row(&test.segment, SLOT, 1, &record, &row), ERR_OK);
    claim_give(&test.segment, SLOT, index);

    take(&test);
    record = record_of(OUTCOME_NONE);
    record.out_total = 0;
    handover_orphan(&test.segment, SLOT, &lease, &record);
    cr_expect_eq(record.outcome, OUTCOME_NONE);
    cr_expect_eq(claim_count(&test.segment), 0);
}

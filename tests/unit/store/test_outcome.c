/* What became of requests with an Idempotency-Key: found again, replaced, removed by age. */
#include "store/outcome.h"

#include <string.h>

#include "tests/unit/store/tempdir.h"

TestSuite(outcome, .init = tempdir_make, .fini = tempdir_remove);

#define WALL_MS 1700000000000ull

static struct kv *
open_kv(void)
{
    struct kv *kv = NULL;
    char why[256];
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
    return kv;
}

static struct str
row_of(uint64_t wall_ms, const char *body)
{
    static uint8_t row[4096];
    struct outcome outcome = { .state = OUTCOME_KEPT,
                               .status = 200,
                               .wall_ms = wall_ms,
                               .print = { { 1, 2, 3 } },
                               .request_id = "req_x",
                               .fields = STR("a: b\r\n"),
                               .body = str_of(body) };
    outcome_head(&outcome, row);
    memcpy(row + OUTCOME_HEAD_BYTES, outcome.fields.data, outcome.fields.len);
    memcpy(row + OUTCOME_HEAD_BYTES + outcome.fields.len, body, outcome.body.len);
    return str_make((const char *)row, OUTCOME_HEAD_BYTES + outcome.fields.len + outcome.body.len);
}

struct put {
    uint8_t name[CLAIM_NAME_BYTES];
    struct str row;
    uint64_t room;
};

static enum err
put_in_txn(struct kv_txn *txn, void *context)
{
    struct put *put = context;
    struct outcome_room room = { put->room };
    return outcome_put(txn, put->name, put->row, &room);
}

static enum err
put(struct kv *kv, uint8_t name, struct str row, uint64_t room)
{
    struct put put = { { name }, row, room };
    return kv_write(kv, put_in_txn, &put);
}

static enum err
get(struct kv *kv, uint8_t name, struct outcome *out, char body[64])
{
    uint8_t key[CLAIM_NAME_BYTES] = { name };
    struct kv_txn *txn = NULL;
    struct str row;
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    enum err err = outcome_get(txn, key, &row);
    err = err != ERR_OK ? err : outcome_read(row, out);
    if (err == ERR_OK) {
        snprintf(body, 64, "%.*s", STR_ARG(out->body));
    }
    kv_end(txn);
    return err;
}

Test(outcome, is_found_as_it_was_and_the_younger_one_counts)
{
    struct kv *kv = open_kv();
    struct outcome found;
    char body[64];
    uint32_t removed = 0;
    cr_expect_eq(get(kv, 1, &found, body), ERR_GONE);
    cr_assert_eq(put(kv, 1, row_of(WALL_MS, "first"), 4096), ERR_OK);
    cr_assert_eq(get(kv, 1, &found, body), ERR_OK);
    cr_expect(found.state == OUTCOME_KEPT && found.status == 200 && found.wall_ms == WALL_MS);
    cr_expect(found.print.bytes[1] == 2 && strcmp(found.request_id, "req_x") == 0);
    cr_expect_str_eq(body, "first");
    cr_expect_eq(get(kv, 2, &found, body), ERR_GONE);
    cr_assert_eq(put(kv, 1, row_of(WALL_MS + 50, "second"), 4096), ERR_OK);
    cr_assert_eq(get(kv, 1, &found, body), ERR_OK);
    cr_expect_str_eq(body, "second");
    /* The older one's place by age went with it. */
    cr_expect_eq(outcome_sweep(kv, WALL_MS + 50, 10, &removed), ERR_OK);
    cr_expect_eq(removed, 0);
    cr_expect_eq(get(kv, 1, &found, body), ERR_OK);
    kv_close(kv);
}

Test(outcome, the_old_ones_go_a_few_at_a_time)
{
    struct kv *kv = open_kv();
    struct outcome found;
    char body[64];
    uint32_t removed = 0;
    for (uint8_t i = 0; i < 10; i++) {
        cr_assert_eq(put(kv, i, row_of(WALL_MS + i, "x"), 4096), ERR_OK);
    }
    cr_expect_eq(outcome_sweep(kv, WALL_MS + 7, 5, &removed), ERR_OK);
    cr_expect_eq(removed, 5);
    cr_expect_eq(outcome_sweep(kv, WALL_MS + 7, 5, &removed), ERR_OK);
    cr_expect_eq(removed, 2);
    cr_expect_eq(outcome_sweep(kv, WALL_MS + 7, 5, &removed), ERR_OK);
    cr_expect_eq(removed, 0);
    cr_expect_eq(get(kv, 6, &found, body), ERR_GONE);
    cr_expect_eq(get(kv, 7, &found, body), ERR_OK);
    kv_close(kv);
}

Test(outcome, without_room_the_answer_is_left_out)
{
    struct kv *kv = open_kv();
    struct outcome found;
    char body[64];
    cr_assert_eq(put(kv, 1, row_of(WALL_MS, "answer"), 10), ERR_OK);
    cr_assert_eq(get(kv, 1, &found, body), ERR_OK);
    cr_expect(found.state == OUTCOME_CROWDED && found.body.len == 0 && found.print.bytes[2] == 3);
    cr_expect(outcome_text(found.state)[0] != '\0');
    kv_close(kv);
}

Test(outcome, what_is_no_row_is_not_taken)
{
    struct kv *kv = open_kv();
    struct outcome found;
    struct str row = row_of(WALL_MS, "answer");
    cr_expect_eq(outcome_read(str_make(row.data, row.len - 1), &found), ERR_BAD, "cut");
    cr_expect_eq(outcome_read(STR("short"), &found), ERR_BAD);
    static char odd[OUTCOME_HEAD_BYTES];
    memset(odd, 0xff, sizeof odd);
    cr_expect_eq(outcome_read(str_make(odd, sizeof odd), &found), ERR_BAD);
    cr_expect_eq(put(kv, 1, STR("short"), 4096), ERR_BAD);
    char body[64];
    cr_expect_eq(get(kv, 1, &found, body), ERR_GONE, "nothing was written");
    kv_close(kv);
}

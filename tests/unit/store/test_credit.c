/* What is paid in is written down with its sum, and nothing else changes it. */
#include "store/credit.h"

#include "base/money.h"
#include "tests/unit/store/tempdir.h"

TestSuite(credit, .init = tempdir_make, .fini = tempdir_remove);

#define DOLLAR MONEY_NANO_PER_DOLLAR

static struct user user;

static enum err
topup(struct ledger *ledger, const char *name, int64_t nano, const char *note)
{
    return ledger_topup(ledger, str_of(name), nano, str_of(note), &user);
}

Test(credit, makes_a_user_prepaid_and_is_summed_up)
{
    struct ledger *ledger = tempdir_ledger();
    cr_assert(tempdir_make_user(ledger, "joe") == ERR_OK);
    cr_assert(tempdir_make_user(ledger, "ann") == ERR_OK);
    cr_assert(ledger_find(ledger, MODEL_USER, STR("joe"), &user) == ERR_OK);
    cr_expect(!user.is_prepaid && user.credit_nano == 0);
    cr_expect(topup(ledger, "joe", 10 * DOLLAR, "first") == ERR_OK, "%s", ledger_why(ledger));
    cr_expect(user.is_prepaid && user.credit_nano == 10 * DOLLAR);
    cr_expect(topup(ledger, "ann", 3, "") == ERR_OK);
    cr_expect(topup(ledger, "joe", -4 * DOLLAR, "taken back") == ERR_OK);
    cr_assert(ledger_find(ledger, MODEL_USER, STR("joe"), &user) == ERR_OK);
    cr_expect_eq(user.credit_nano, 6 * DOLLAR);

    struct ledger_credit rows[8];
    uint32_t count = 0;
    cr_assert(ledger_credits(ledger, user.id, rows, 8, &count) == ERR_OK);
    cr_assert_eq(count, 2);
    cr_expect(rows[0].amount_nano == -4 * DOLLAR && rows[0].credit_nano == 6 * DOLLAR);
    cr_expect_str_eq(rows[0].note, "taken back");
    cr_expect(rows[1].amount_nano == 10 * DOLLAR && rows[1].user_id == user.id);
    cr_assert(ledger_credits(ledger, user.id, rows, 1, &count) == ERR_OK && count == 1);
    cr_expect_eq(rows[0].amount_nano, -4 * DOLLAR, "the newest first");
    cr_assert(ledger_find(ledger, MODEL_USER, STR("ann"), &user) == ERR_OK);
    cr_assert(ledger_credits(ledger, user.id, rows, 8, &count) == ERR_OK && count == 1);
    cr_assert(ledger_credits(ledger, user.id + 1, rows, 8, &count) == ERR_OK && count == 0);
    ledger_close(ledger);
}

Test(credit, is_not_changed_by_what_cannot_be)
{
    struct ledger *ledger = tempdir_ledger();
    char note[LEDGER_NOTE_BYTES + 1];
    memset(note, 'n', sizeof note - 1);
    note[sizeof note - 1] = '\0';
    cr_assert(tempdir_make_user(ledger, "joe") == ERR_OK);
    cr_assert(topup(ledger, "joe", 5 * DOLLAR, "") == ERR_OK);
    cr_expect(topup(ledger, "joe", 0, "") == ERR_BAD);
    cr_expect(topup(ledger, "joe", -5 * DOLLAR - 1, "") == ERR_BAD);
    cr_expect(strstr(ledger_why(ledger), "only $5") != NULL, "%s", ledger_why(ledger));
    cr_expect(topup(ledger, "joe", INT64_MAX, "") == ERR_BAD);
    cr_expect(topup(ledger, "joe", 1, note) == ERR_BAD);
    cr_expect(strncmp(ledger_why(ledger), "note: ", 6) == 0, "%s", ledger_why(ledger));
    cr_expect(topup(ledger, "nobody", 1, "") == ERR_GONE);
    cr_assert(ledger_find(ledger, MODEL_USER, STR("joe"), &user) == ERR_OK);
    cr_expect_eq(user.credit_nano, 5 * DOLLAR);
    struct ledger_credit rows[8];
    uint32_t count = 0;
    cr_assert(ledger_credits(ledger, user.id, rows, 8, &count) == ERR_OK);
    cr_expect_eq(count, 1);
    ledger_close(ledger);
}

/* Setting other fields of a user keeps the sum: it is not theirs to change. */
Test(credit, stays_when_the_user_is_changed)
{
    struct ledger *ledger = tempdir_ledger();
    char why[MODEL_WHY_BYTES];
    cr_assert(tempdir_make_user(ledger, "joe") == ERR_OK);
    cr_assert(topup(ledger, "joe", 5, "") == ERR_OK);
    cr_assert(ledger_find(ledger, MODEL_USER, STR("joe"), &user) == ERR_OK);
    cr_expect(model_apply(MODEL_USER, &user, STR("{\"credit_nano\":7}"), false, why) == ERR_BAD);
    cr_expect(model_apply(MODEL_USER, &user, STR("{\"rpm\":7}"), false, why) == ERR_OK);
    cr_assert(ledger_update(ledger, MODEL_USER, &user) == ERR_OK);
    cr_assert(ledger_find(ledger, MODEL_USER, STR("joe"), &user) == ERR_OK);
    cr_expect(user.credit_nano == 5 && user.rpm == 7);
    ledger_close(ledger);
}

struct sum {
    int64_t nano;
    uint32_t count;
};

static enum err
add(void *context, const struct ledger_credit *credit)
{
    struct sum *sum = context;
    sum->nano += credit->amount_nano;
    sum->count++;
    return ERR_OK;
}

Test(credit, changes_can_be_walked)
{
    struct ledger *ledger = tempdir_ledger();
    struct sum sum = { 0, 0 };
    cr_assert(tempdir_make_user(ledger, "joe") == ERR_OK);
    cr_assert(tempdir_make_user(ledger, "ann") == ERR_OK);
    for (int i = 1; i <= 20; i++) {
        cr_assert(topup(ledger, i % 3 == 0 ? "joe" : "ann", i, "") == ERR_OK);
    }
    ledger_close(ledger);
    struct kv *kv = NULL;
    struct kv_txn *txn = NULL;
    cr_assert(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_READ, &kv) == ERR_OK);
    cr_assert(kv_begin(kv, &txn) == ERR_OK);
    cr_expect(credit_each(txn, add, &sum) == ERR_OK);
    cr_expect(sum.nano == 210 && sum.count == 20);
    kv_end(txn);
    kv_close(kv);
}

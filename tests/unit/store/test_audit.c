/* A true ledger passes; every way of being wrong is found and named. */
#include "store/audit.h"

#include <signal.h>

#include "store/record.h"
#include "store/rollup.h"
#include "tests/unit/store/tempdir.h"

TestSuite(audit, .init = tempdir_make, .fini = tempdir_remove);

#define START (498000ull * ROLLUP_HOUR_MS)

static struct audit audit;

static struct ledger_record
make(uint64_t i)
{
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .status = 200,
                                    .source = LEDGER_UPSTREAM,
                                    .key_id = 1 + i % 3,
                                    .user_id = 1,
                                    .group_id = 1,
                                    .account_id = 1 + i % 2,
                                    .start_wall_ms = START + i * 600000,
                                    .in_fresh = 1000 + i,
                                    .out_total = 10,
                                    .multiplier_ppm = 1500000,
                                    .account_ppm = 1000000,
                                    .charged = LEDGER_BALANCE,
                                    .is_last = 1 };
    record.rates.pico[MONEY_IN_FRESH] = 2500000;
    record.rates.pico[MONEY_OUT_TEXT] = 10000000;
    record.cost_nano = record_cost(&record);
    return record;
}

static void
fill(uint32_t count)
{
    static struct ledger_record records[64];
    static struct user user;
    struct ledger *ledger = tempdir_ledger();
    for (uint32_t i = 0; i < count; i++) {
        records[i] = make(i);
    }
    struct ledger_batch batch = { 1, 77, 0, records, count, NULL, NULL };
    cr_assert_eq(ledger_commit(ledger, &batch, 1), ERR_OK);
    cr_assert_eq(tempdir_make_user(ledger, "joe"), ERR_OK);
    cr_assert_eq(ledger_topup(ledger, STR("joe"), 1000, STR(""), &user), ERR_OK);
    cr_assert_eq(ledger_topup(ledger, STR("joe"), -300, STR(""), &user), ERR_OK);
    ledger_close(ledger);
}

static void
verify(void)
{
    struct kv *kv = NULL;
    struct kv_txn *txn = NULL;
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_READ, &kv), ERR_OK);
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    cr_assert_eq(audit_run(txn, &audit), ERR_OK);
    kv_end(txn);
    kv_close(kv);
}

/* Changes the store behind the ledger's back. */
static void
tamper(kv_work_fn work)
{
    struct kv *kv = NULL;
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
    cr_assert_eq(kv_write(kv, work, NULL), ERR_OK);
    kv_close(kv);
}

Test(audit, a_true_ledger_passes)
{
    fill(50);
    verify();
    cr_expect_eq(audit.problem_count, 0, "%s", audit.problems[0]);
    cr_expect(audit.records == 50 && audit.first_sequence == 1 && audit.last_sequence == 50);
    cr_expect(audit.hours == 9 && audit.payments == 2 && audit.credit_nano == 700);
    int64_t cost = 0;
    for (uint32_t i = 0; i < 50; i++) {
        cost += make(i).cost_nano;
    }
    cr_expect(audit.cost_nano == cost && audit.balance_nano == cost && cost > 0);
}

Test(audit, an_empty_ledger_passes)
{
    ledger_close(tempdir_ledger());
    verify();
    cr_expect(audit.problem_count == 0 && audit.records == 0);
}

Test(audit, a_pruned_ledger_passes)
{
    uint32_t removed = 0;
    fill(50);
    struct ledger *ledger = NULL;
    cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger), ERR_OK);
    cr_assert_eq(ledger_prune(ledger, START + 20 * 600000, 1000, &removed), ERR_OK);
    ledger_close(ledger);
    verify();
    cr_expect_eq(audit.problem_count, 0, "%s", audit.problems[0]);
    cr_expect(removed == 20 && audit.records == 30 && audit.first_sequence == 21);
}

static enum err
lose_record(struct kv_txn *txn, void *context)
{
    struct kv_id id;
    (void)context;
    return kv_del(txn, KV_USAGE, kv_id(&id, 7));
}

static enum err
lose_last(struct kv_txn *txn, void *context)
{
    struct kv_id id;
    (void)context;
    return kv_del(txn, KV_USAGE, kv_id(&id, 50));
}

static enum err
change_cost(struct kv_txn *txn, void *context)
{
    struct kv_id id;
    struct ledger_record record = make(6);
    (void)context;
    record.cost_nano++;
    return kv_put(txn, KV_USAGE, kv_id(&id, 7), str_make((const char *)&record, sizeof record));
}

static enum err
change_tokens(struct kv_txn *txn, void *context)
{
    struct kv_id id;
    struct ledger_record record = make(6);
    (void)context;
    record.in_fresh += 1000;
    record.cost_nano = record_cost(&record);
    return kv_put(txn, KV_USAGE, kv_id(&id, 7), str_make((const char *)&record, sizeof record));
}

static enum err
change_total(struct kv_txn *txn, void *context)
{
    uint8_t key[9] = { MODEL_KEY };
    uint8_t value[48] = { 0 };
    (void)context;
    kv_pack64(key + 1, 2);
    return kv_put(txn, KV_TOTAL, str_make((const char *)key, sizeof key),
                  str_make((const char *)value, sizeof value));
}

static enum err
lose_payment(struct kv_txn *txn, void *context)
{
    uint8_t key[16];
    (void)context;
    kv_pack64(key, 1);
    kv_pack64(key + 8, 1);
    return kv_del(txn, KV_CREDIT, str_make((const char *)key, sizeof key));
}

Test(audit, finds_what_is_wrong)
{
    static const struct {
        kv_work_fn work;
        const char *told;
    } rows[] = {
        { lose_record, "record 8 follows record 6" },
        { lose_last, "the last record is 49, the next one shall be 51" },
        { change_cost, "record 7 " },
        { change_tokens, "hour 498001" },
        { change_total, "key 2: total of 0 requests" },
        { lose_payment, "user 1: " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_told = false;
        fill(50);
        tamper(rows[i].work);
        verify();
        cr_expect_gt(audit.problem_count, 0, "%s", rows[i].told);
        for (uint32_t k = 0; k < audit.problem_count && k < AUDIT_PROBLEMS_MAX; k++) {
            is_told = is_told || strstr(audit.problems[k], rows[i].told) != NULL;
        }
        cr_expect(is_told, "%s: %s", rows[i].told, audit.problems[0]);
        tempdir_remove();
        tempdir_make();
    }
}

/* --- torn writes --- */

/* Commits until it is killed. */
__attribute__((noreturn)) static void
write_on(void)
{
    static struct ledger_record records[5];
    struct ledger *ledger = NULL;
    uint64_t sequence = 0;
    if (ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger) != ERR_OK ||
        ledger_position(ledger, 77, 1, &sequence) != ERR_OK) {
        _exit(1);
    }
    for (;;) {
        uint32_t count = 1 + (uint32_t)(sequence % 5);
        for (uint32_t i = 0; i < count; i++) {
            records[i] = make(sequence + i);
        }
        struct ledger_batch batch = { 1, 77, sequence, records, count, NULL, NULL };
        if (ledger_commit(ledger, &batch, 1) != ERR_OK) {
            _exit(2);
        }
        sequence += count;
    }
}

Test(audit, passes_however_often_the_writer_is_killed, .timeout = 120)
{
    struct ledger *ledger = NULL;
    uint64_t position = 0;
    ledger_close(tempdir_ledger());
    for (uint32_t i = 0; i < 200; i++) {
        pid_t pid = fork();
        cr_assert_geq(pid, 0);
        if (pid == 0) {
            write_on();
        }
        usleep(1000 + i * 7919u % 9000);
        cr_assert_eq(kill(pid, SIGKILL), 0);
        cr_assert_eq(tempdir_wait(pid), 128 + SIGKILL, "it wrote until it was killed");
        if (i % 20 == 19) {
            verify();
            cr_assert_eq(audit.problem_count, 0, "%s", audit.problems[0]);
        }
    }
    cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger), ERR_OK);
    cr_assert_eq(ledger_position(ledger, 77, 1, &position), ERR_OK);
    ledger_close(ledger);
    cr_expect(audit.records == position && position > 0, "%lu records, position %lu",
              (unsigned long)audit.records, (unsigned long)position);
}

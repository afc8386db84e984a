/* Records and ring positions in one transaction: each record once, whatever comes again. */
#include "store/journal.h"

#include <string.h>

#include "tests/unit/store/tempdir.h"

TestSuite(journal, .init = tempdir_make, .fini = tempdir_remove);

#define RUN 77u
#define WALL_MS 1700000000000ull /* long ago: positions are written now */

static struct tally tally;

static struct kv *
open_kv(void)
{
    struct kv *kv = NULL;
    char why[256];
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
    return kv;
}

struct commit {
    const struct ledger_batch *batches;
    uint32_t count;
    enum err end; /* what the transaction ends with after the work */
};

static enum err
commit_in_txn(struct kv_txn *txn, void *context)
{
    const struct commit *commit = context;
    enum err err = journal_commit(txn, &tally, commit->batches, commit->count);
    return err != ERR_OK ? err : commit->end;
}

/* Records whose out_total is their number in the ring. */
static struct ledger_batch
make_batch(uint32_t slot, uint64_t sequence, uint32_t count)
{
    static struct ledger_record records[64];
    cr_assert_leq(count, 64);
    for (uint32_t i = 0; i < count; i++) {
        records[i] = (struct ledger_record){ .version = LEDGER_RECORD_VERSION,
                                             .status = 200,
                                             .key_id = slot,
                                             .user_id = 1,
                                             .group_id = 1,
                                             .start_wall_ms = WALL_MS + sequence + i,
                                             .out_total = sequence + i,
                                             .is_last = 1,
                                             .model = "m" };
    }
    return (struct ledger_batch){ slot, RUN, sequence, records, count, NULL, NULL };
}

static enum err
try_commit(struct kv *kv, uint32_t slot, uint64_t sequence, uint32_t count, enum err end)
{
    struct ledger_batch batch = make_batch(slot, sequence, count);
    struct commit commit = { &batch, 1, end };
    return kv_write(kv, commit_in_txn, &commit);
}

static void
commit(struct kv *kv, uint32_t slot, uint64_t sequence, uint32_t count)
{
    cr_assert_eq(try_commit(kv, slot, sequence, count, ERR_OK), ERR_OK);
}

static uint64_t
position(struct kv *kv, uint64_t run, uint32_t slot)
{
    struct kv_txn *txn = NULL;
    uint64_t at = 0;
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    cr_assert_eq(journal_position(txn, run, slot, &at), ERR_OK);
    kv_end(txn);
    return at;
}

/* The newest first, as "slot.number slot.number ". */
static const char *
recent(struct kv *kv, uint64_t before, uint32_t count)
{
    static char text[1024];
    static struct ledger_record records[64];
    uint64_t sequences[64];
    struct kv_txn *txn = NULL;
    uint32_t found = 0;
    size_t len = 0;
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    cr_assert_eq(journal_recent(txn, before, records, sequences, count, &found), ERR_OK);
    kv_end(txn);
    cr_assert_leq(found, count);
    text[0] = '\0';
    for (uint32_t i = 0; i < found; i++) {
        cr_assert(i == 0 || sequences[i] < sequences[i - 1]);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%u.%u ",
                                (unsigned)records[i].key_id, (unsigned)records[i].out_total);
    }
    return text;
}

Test(journal, a_batch_that_comes_again_is_skipped_to_the_record)
{
    struct kv *kv = open_kv();
    cr_expect_eq(position(kv, RUN, 1), 0, "a ring never seen");
    commit(kv, 1, 0, 3);
    cr_expect_eq(position(kv, RUN, 1), 3);
    commit(kv, 1, 0, 3); /* all of it */
    cr_expect_eq(position(kv, RUN, 1), 3);
    commit(kv, 1, 1, 4); /* the last two are new */
    cr_expect_eq(position(kv, RUN, 1), 5);
    commit(kv, 1, 2, 1); /* an old one alone */
    commit(kv, 1, 5, 0); /* nothing */
    cr_expect_str_eq(recent(kv, 0, 64), "1.4 1.3 1.2 1.1 1.0 ");
    kv_close(kv);
}

Test(journal, a_gap_is_accepted)
{
    struct kv *kv = open_kv();
    commit(kv, 1, 0, 1);
    commit(kv, 1, 10, 2);
    cr_expect_eq(position(kv, RUN, 1), 12);
    cr_expect_str_eq(recent(kv, 0, 64), "1.11 1.10 1.0 ");
    kv_close(kv);
}

Test(journal, each_ring_has_a_position_of_its_own)
{
    struct kv *kv = open_kv();
    commit(kv, 1, 0, 2);
    commit(kv, 2, 0, 1);
    cr_expect(position(kv, RUN, 1) == 2 && position(kv, RUN, 2) == 1);
    cr_expect_eq(position(kv, RUN + 1, 1), 0, "the same slot of another run");
    cr_expect_str_eq(recent(kv, 0, 64), "2.0 1.1 1.0 ");
    kv_close(kv);
}

/* A transaction that fails at its very end has stored nothing, and the next one may do it all. */
Test(journal, nothing_is_there_of_a_transaction_that_failed)
{
    struct kv *kv = open_kv();
    cr_assert_eq(try_commit(kv, 1, 0, 3, ERR_IO), ERR_IO);
    cr_expect_eq(position(kv, RUN, 1), 0);
    cr_expect_str_eq(recent(kv, 0, 64), "");
    commit(kv, 1, 0, 3);
    struct kv_txn *txn = NULL;
    struct ledger_total sum;
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    cr_assert_eq(tally_read(txn, MODEL_KEY, 1, &sum), ERR_OK);
    kv_end(txn);
    cr_expect_eq(sum.requests, 3, "counted once");
    kv_close(kv);
}

Test(journal, recent_goes_back_in_pages)
{
    struct kv *kv = open_kv();
    cr_expect_str_eq(recent(kv, 0, 5), "", "an empty store");
    commit(kv, 1, 0, 5);
    cr_expect_str_eq(recent(kv, 0, 2), "1.4 1.3 ");
    static struct ledger_record records[2];
    uint64_t sequences[2];
    uint32_t found = 0;
    struct kv_txn *txn = NULL;
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    cr_assert_eq(journal_recent(txn, 0, records, sequences, 2, &found), ERR_OK);
    kv_end(txn);
    cr_expect_str_eq(recent(kv, sequences[1], 2), "1.2 1.1 ");
    cr_expect_str_eq(recent(kv, UINT64_MAX, 2), "1.4 1.3 ", "beyond the end is the end");
    cr_expect_str_eq(recent(kv, 1, 2), recent(kv, 1, 2));
    cr_expect_str_eq(recent(kv, 0, 0), "");
    kv_close(kv);
}

struct prune {
    uint64_t wall_ms;
    uint32_t count;
    uint32_t removed;
};

static enum err
prune_in_txn(struct kv_txn *txn, void *context)
{
    struct prune *prune = context;
    return journal_prune(txn, prune->wall_ms, prune->count, &prune->removed);
}

static uint32_t
prune(struct kv *kv, uint64_t wall_ms, uint32_t count)
{
    struct prune want = { wall_ms, count, 99 };
    cr_assert_eq(kv_write(kv, prune_in_txn, &want), ERR_OK);
    return want.removed;
}

Test(journal, prunes_the_old_end_a_bounded_number_at_a_time)
{
    struct kv *kv = open_kv();
    commit(kv, 1, 0, 10);
    cr_expect_eq(prune(kv, WALL_MS, 100), 0, "none is so old");
    cr_expect_eq(prune(kv, WALL_MS + 7, 3), 3);
    cr_expect_eq(prune(kv, WALL_MS + 7, 100), 4);
    cr_expect_eq(prune(kv, WALL_MS + 7, 100), 0);
    cr_expect_str_eq(recent(kv, 0, 64), "1.9 1.8 1.7 ");
    /* The position is younger than that (it was written now): what was stored is still known. */
    cr_expect_eq(position(kv, RUN, 1), 10);
    commit(kv, 1, 0, 10);
    cr_expect_str_eq(recent(kv, 0, 64), "1.9 1.8 1.7 ");
    cr_expect_eq(prune(kv, UINT64_MAX, 100), 3);
    cr_expect_eq(position(kv, RUN, 1), 0, "a ring not heard of since then is forgotten");
    cr_expect_str_eq(recent(kv, 0, 64), "");
    kv_close(kv);
}

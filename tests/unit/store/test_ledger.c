#include "store/ledger.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/rand.h"
#include "base/sys.h"
#include "tests/unit/store/tempdir.h"

TestSuite(ledger, .init = tempdir_make, .fini = tempdir_remove);

static char why[256];

static struct ledger_record
make_record(uint64_t tokens)
{
    struct ledger_record record = {
        .version = LEDGER_RECORD_VERSION,
        .status = 200,
        .key_id = 1,
        .user_id = 2,
        .group_id = 3,
        .account_id = 4,
        .start_wall_ms = 1000 + tokens,
        .in_fresh = tokens,
        .in_cache_read = 1,
        .in_cache_write_5m = 2,
        .in_cache_write_1h = 3,
        .out_total = 10,
        .cost_nano = 5,
        .is_last = 1,
    };
    return record;
}

static enum err
commit(struct ledger *ledger, uint32_t slot, uint64_t sequence, uint32_t count)
{
    static struct ledger_record records[512];
    for (uint32_t i = 0; i < count; i++) {
        records[i] = make_record(sequence + i);
    }
    struct ledger_batch batch = { slot, 77, sequence, records, count, NULL, NULL };
    return ledger_commit(ledger, &batch, 1);
}

static uint64_t
position(struct ledger *ledger, uint64_t run_id, uint32_t slot)
{
    uint64_t at = 0;
    cr_assert_eq(ledger_position(ledger, run_id, slot, &at), ERR_OK);
    return at;
}

static struct ledger_total
total(struct ledger *ledger, enum model_kind kind, uint64_t id)
{
    struct ledger_total sum;
    cr_assert_eq(ledger_total(ledger, kind, id, &sum), ERR_OK);
    return sum;
}

/* --- preparation --- */

Test(ledger, first_start_makes_everything_for_us_alone)
{
    char inner[300];
    struct stat stat_;
    snprintf(inner, sizeof(inner), "%s/data", tempdir);
    cr_assert_eq(ledger_prepare(inner, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_assert_eq(stat(inner, &stat_), 0);
    cr_expect_eq(stat_.st_mode & 0777u, 0700);
    cr_assert_eq(stat(tempdir_path("data/data.mdb"), &stat_), 0);
    cr_expect_eq(stat_.st_mode & 0777u, 0600);
    cr_assert_eq(stat(tempdir_path("data/secret.key"), &stat_), 0);
    struct ledger *ledger = NULL;
    struct group group;
    cr_assert_eq(ledger_open(inner, TEMPDIR_MAP_BYTES, &ledger), ERR_OK);
    cr_expect_eq(ledger_find(ledger, MODEL_GROUP, STR("default"), &group), ERR_OK);
    cr_expect_eq(group.id, 1);
    ledger_close(ledger);
    cr_assert_eq(ledger_prepare(inner, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
}

Test(ledger, a_start_that_cannot_be_says_why)
{
    char inner[300];
    cr_assert_eq(sys_write_new_file(tempdir_path("file"), 0600, STR("x")), ERR_OK);
    snprintf(inner, sizeof(inner), "%s/file", tempdir);
    cr_expect_eq(ledger_prepare(inner, TEMPDIR_MAP_BYTES, why), ERR_IO);
    cr_expect_not_null(strstr(why, "is not a directory"), "%s", why);
    snprintf(inner, sizeof(inner), "%s/no/where", tempdir);
    cr_expect_eq(ledger_prepare(inner, TEMPDIR_MAP_BYTES, why), ERR_IO);
    cr_expect_not_null(strstr(why, "No such file"), "%s", why);
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_assert_eq(chmod(tempdir_path("secret.key"), 0644), 0);
    cr_expect_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_DENIED);
    cr_expect_not_null(strstr(why, "chmod 600"), "%s", why);
}

Test(ledger, a_lost_or_wrong_key_is_noticed_at_start)
{
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_assert_eq(unlink(tempdir_path("secret.key")), 0);
    cr_expect_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_GONE);
    cr_expect_not_null(strstr(why, "secret.key"), "%s", why);
    cr_expect_neq(access(tempdir_path("secret.key"), F_OK), 0);
    cr_assert_eq(sys_write_new_file(tempdir_path("secret.key"), 0600,
                                    STR("0123456789abcdef0123456789abcdef")),
                 ERR_OK);
    cr_expect_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_BAD);
    cr_expect_not_null(strstr(why, "not the key that sealed"), "%s", why);
}

/* --- usage --- */

Test(ledger, records_are_counted_once_whatever_comes_again)
{
    struct ledger *ledger = tempdir_ledger();
    cr_expect_eq(position(ledger, 77, 5), 0);
    cr_assert_eq(commit(ledger, 5, 0, 10), ERR_OK);
    cr_expect_eq(position(ledger, 77, 5), 10);
    cr_assert_eq(commit(ledger, 5, 0, 10), ERR_OK);
    cr_assert_eq(commit(ledger, 5, 5, 10), ERR_OK);
    cr_expect_eq(position(ledger, 77, 5), 15);
    cr_assert_eq(commit(ledger, 5, 3, 2), ERR_OK);
    cr_expect_eq(position(ledger, 77, 5), 15);
    cr_expect_eq(position(ledger, 77, 6), 0);
    cr_expect_eq(position(ledger, 78, 5), 0);
    struct ledger_total sum = total(ledger, MODEL_KEY, 1);
    cr_expect_eq(sum.requests, 15);
    cr_expect_eq(sum.failures, 0);
    cr_expect_eq(sum.tokens_in, 15 * 14 / 2 + 15 * 6);
    cr_expect_eq(sum.tokens_out, 150);
    cr_expect_eq(sum.cost_nano, 75);
    cr_expect_eq(sum.last_used_ms, 1014);
    cr_expect_eq(total(ledger, MODEL_USER, 2).requests, 15);
    cr_expect_eq(total(ledger, MODEL_GROUP, 3).requests, 15);
    cr_expect_eq(total(ledger, MODEL_ACCOUNT, 4).requests, 15);
    cr_expect_eq(total(ledger, MODEL_ACCOUNT, 5).requests, 0);
    ledger_close(ledger);
}

Test(ledger, a_gap_is_lived_with)
{
    struct ledger *ledger = tempdir_ledger();
    cr_assert_eq(commit(ledger, 0, 0, 2), ERR_OK);
    cr_assert_eq(commit(ledger, 0, 5, 2), ERR_OK);
    cr_expect_eq(position(ledger, 77, 0), 7);
    cr_expect_eq(total(ledger, MODEL_KEY, 1).requests, 4);
    ledger_close(ledger);
}

Test(ledger, several_rings_are_one_commit)
{
    struct ledger *ledger = tempdir_ledger();
    struct ledger_record records[3] = { make_record(1), make_record(2), make_record(3) };
    records[1].key_id = 9;
    records[1].account_id = 0;
    records[2].status = 429;
    struct ledger_batch batches[3] = {
        { 1, 77, 0, records, 2, NULL, NULL },
        { 2, 77, 0, NULL, 0, NULL, NULL },
        { 3, 77, 0, records + 2, 1, NULL, NULL },
    };
    cr_assert_eq(ledger_commit(ledger, batches, 3), ERR_OK);
    cr_expect_eq(position(ledger, 77, 1), 2);
    cr_expect_eq(position(ledger, 77, 2), 0);
    cr_expect_eq(position(ledger, 77, 3), 1);
    cr_expect_eq(total(ledger, MODEL_KEY, 1).requests, 2);
    cr_expect_eq(total(ledger, MODEL_KEY, 1).failures, 1);
    cr_expect_eq(total(ledger, MODEL_KEY, 9).requests, 1);
    cr_expect_eq(total(ledger, MODEL_ACCOUNT, 4).requests, 2);
    cr_expect_eq(ledger_commit(ledger, batches, 0), ERR_OK);
    ledger_close(ledger);
}

Test(ledger, attempts_are_one_request_of_the_key_and_one_of_each_account)
{
    struct ledger *ledger = tempdir_ledger();
    struct ledger_record records[2] = { make_record(1), make_record(2) };
    records[0].is_last = 0;
    records[0].status = 500;
    records[0].account_id = 40;
    struct ledger_batch batch = { 1, 77, 0, records, 2, NULL, NULL };
    cr_assert_eq(ledger_commit(ledger, &batch, 1), ERR_OK);
    cr_expect_eq(total(ledger, MODEL_KEY, 1).requests, 1);
    cr_expect_eq(total(ledger, MODEL_KEY, 1).failures, 0);
    cr_expect_eq(total(ledger, MODEL_KEY, 1).tokens_out, 10);
    cr_expect_eq(total(ledger, MODEL_ACCOUNT, 40).tokens_out, 10);
    cr_expect_eq(total(ledger, MODEL_ACCOUNT, 40).failures, 1);
    cr_expect_eq(total(ledger, MODEL_ACCOUNT, 4).requests, 1);
    ledger_close(ledger);
}

/* More objects than the tally has cells: those that share one are written in between. */
Test(ledger, totals_of_many_objects_in_one_commit_are_exact)
{
    struct ledger *ledger = tempdir_ledger();
    static struct ledger_record records[3000];
    for (uint32_t i = 0; i < 3000; i++) {
        records[i] = make_record(1);
        records[i].key_id = 1 + i % 1000;
    }
    struct ledger_batch batch = { 1, 77, 0, records, 3000, NULL, NULL };
    cr_assert_eq(ledger_commit(ledger, &batch, 1), ERR_OK);
    for (uint64_t id = 1; id <= 1000; id++) {
        cr_assert_eq(total(ledger, MODEL_KEY, id).requests, 3);
    }
    cr_expect_eq(total(ledger, MODEL_USER, 2).requests, 3000);
    ledger_close(ledger);
}

Test(ledger, sums_stop_at_their_end)
{
    struct ledger *ledger = tempdir_ledger();
    struct ledger_record records[2] = { make_record(1), make_record(1) };
    for (int i = 0; i < 2; i++) {
        records[i].in_fresh = UINT64_MAX - 1;
        records[i].out_total = UINT64_MAX;
        records[i].cost_nano = INT64_MAX;
    }
    struct ledger_batch batch = { 1, 77, 0, records, 2, NULL, NULL };
    cr_assert_eq(ledger_commit(ledger, &batch, 1), ERR_OK);
    struct ledger_total sum = total(ledger, MODEL_KEY, 1);
    cr_expect_eq(sum.tokens_in, UINT64_MAX);
    cr_expect_eq(sum.tokens_out, UINT64_MAX);
    cr_expect_eq(sum.cost_nano, INT64_MAX);
    ledger_close(ledger);
}

Test(ledger, recent_goes_back_page_by_page)
{
    struct ledger *ledger = tempdir_ledger();
    struct ledger_record records[4];
    uint64_t sequences[4];
    uint32_t count = 9;
    cr_expect_eq(ledger_recent(ledger, 0, records, sequences, 4, &count), ERR_OK);
    cr_expect_eq(count, 0);
    cr_assert_eq(commit(ledger, 0, 0, 6), ERR_OK);
    cr_assert_eq(ledger_recent(ledger, 0, records, sequences, 4, &count), ERR_OK);
    cr_assert_eq(count, 4);
    cr_expect_eq(records[0].in_fresh, 5);
    cr_expect_eq(records[3].in_fresh, 2);
    cr_assert_eq(ledger_recent(ledger, sequences[3], records, sequences, 4, &count), ERR_OK);
    cr_assert_eq(count, 2);
    cr_expect_eq(records[0].in_fresh, 1);
    cr_expect_eq(records[1].in_fresh, 0);
    cr_assert_eq(ledger_recent(ledger, sequences[1], records, sequences, 4, &count), ERR_OK);
    cr_expect_eq(count, 0);
    cr_assert_eq(ledger_recent(ledger, UINT64_MAX, records, sequences, 4, &count), ERR_OK);
    cr_expect_eq(count, 4);
    ledger_close(ledger);
}

Test(ledger, prune_takes_the_old_and_leaves_totals_and_order)
{
    struct ledger *ledger = tempdir_ledger();
    struct ledger_record record;
    uint64_t sequence = 0;
    uint32_t count = 0;
    clock_set_fake(1, 1000);
    cr_assert_eq(commit(ledger, 0, 0, 10), ERR_OK);
    clock_set_fake(1, 900000);
    cr_assert_eq(ledger_prune(ledger, 1005, 3, &count), ERR_OK);
    cr_expect_eq(count, 3);
    cr_assert_eq(ledger_prune(ledger, 1005, 100, &count), ERR_OK);
    cr_expect_eq(count, 2);
    cr_assert_eq(ledger_prune(ledger, 1005, 100, &count), ERR_OK);
    cr_expect_eq(count, 0);
    cr_expect_eq(total(ledger, MODEL_KEY, 1).requests, 10);
    cr_expect_eq(position(ledger, 77, 0), 0, "not heard of since");
    cr_assert_eq(ledger_prune(ledger, 2000, 100, &count), ERR_OK);
    cr_expect_eq(count, 5);
    cr_assert_eq(commit(ledger, 1, 0, 1), ERR_OK);
    cr_expect_eq(position(ledger, 77, 1), 1);
    cr_assert_eq(ledger_recent(ledger, 0, &record, &sequence, 1, &count), ERR_OK);
    cr_expect_eq(count, 1);
    cr_expect_eq(sequence, 11);
    ledger_close(ledger);
}

Test(ledger, a_full_disk_writes_nothing_and_later_everything)
{
    struct ledger *ledger = tempdir_ledger();
    cr_assert_eq(commit(ledger, 0, 0, 10), ERR_OK);
    struct rlimit old;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit tight = { 128 * 1024, old.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    enum err err = commit(ledger, 0, 10, 500);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    cr_expect_eq(err, ERR_FULL);
    cr_expect_eq(position(ledger, 77, 0), 10);
    cr_expect_eq(total(ledger, MODEL_KEY, 1).requests, 10);
    cr_assert_eq(commit(ledger, 0, 10, 500), ERR_OK);
    cr_expect_eq(total(ledger, MODEL_KEY, 1).requests, 510);
    ledger_close(ledger);
}

/* --- the writer is killed --- */

/* Commits batches of 1 to 40 from where the store stands until it is killed. */
static void
write_until_killed(void)
{
    struct ledger *ledger = NULL;
    if (ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger) != ERR_OK) {
        _exit(1);
    }
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t slot = i % 3;
        uint64_t at = 0;
        if (ledger_position(ledger, 77, slot, &at) != ERR_OK ||
            commit(ledger, slot, at, 1 + i % 40) != ERR_OK) {
            _exit(2);
        }
    }
    _exit(3);
}

static uint64_t
count_usage(struct ledger *ledger)
{
    static struct ledger_record records[512];
    static uint64_t sequences[512];
    uint64_t before = 0;
    uint64_t all = 0;
    uint32_t count = 0;
    do {
        cr_assert_eq(ledger_recent(ledger, before, records, sequences, 512, &count), ERR_OK);
        for (uint32_t i = 0; i < count; i++) {
            cr_assert(before == 0 || sequences[i] == before - 1, "a hole in the sequence");
            before = sequences[i];
        }
        all += count;
    } while (count > 0 && before > 1);
    return all;
}

static void
expect_agreement(void)
{
    struct ledger *ledger = NULL;
    cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger), ERR_OK);
    uint64_t sum = position(ledger, 77, 0) + position(ledger, 77, 1) + position(ledger, 77, 2);
    cr_expect_eq(count_usage(ledger), sum);
    cr_expect_eq(total(ledger, MODEL_KEY, 1).requests, sum);
    cr_expect_eq(total(ledger, MODEL_ACCOUNT, 4).tokens_out, 10 * sum);
    ledger_close(ledger);
}

Test(ledger, killed_writer_leaves_records_positions_and_totals_in_agreement, .timeout = 60)
{
    ledger_close(tempdir_ledger());
    for (int i = 0; i < 15; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            write_until_killed();
        }
        usleep((useconds_t)(2000 + rand_below(40000)));
        kill(pid, SIGKILL);
        cr_assert_eq(tempdir_wait(pid), 128 + SIGKILL);
        expect_agreement();
    }
}

#ifdef FAULTS_ON
/* Before the commit nothing of it is there; after it everything is, and comes again in vain. */
Test(ledger, killed_around_the_commit_it_is_there_wholly_or_not_at_all)
{
    static const char *const faults[] = { "ledger.before_commit=kill", "ledger.after_commit=kill" };
    static const uint64_t expected[] = { 0, 7 };
    ledger_close(tempdir_ledger());
    for (size_t i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct ledger *ledger = NULL;
            fault_set(faults[i]);
            if (ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger) != ERR_OK) {
                _exit(1);
            }
            _exit(commit(ledger, 0, 0, 7) == ERR_OK ? 2 : 3);
        }
        cr_assert_eq(tempdir_wait(pid), 128 + SIGKILL);
        struct ledger *ledger = NULL;
        cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger), ERR_OK);
        cr_expect_eq(position(ledger, 77, 0), expected[i]);
        cr_expect_eq(total(ledger, MODEL_KEY, 1).requests, expected[i]);
        ledger_close(ledger);
    }
    struct ledger *ledger = NULL;
    cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger), ERR_OK);
    cr_assert_eq(commit(ledger, 0, 0, 7), ERR_OK);
    cr_expect_eq(total(ledger, MODEL_KEY, 1).requests, 7);
    ledger_close(ledger);
}
#endif

/* --- credentials --- */

Test(ledger, a_sealed_credential_is_bound_to_its_account)
{
    struct ledger *ledger = tempdir_ledger();
    static struct account account;
    static char longest[SECRET_BYTES_MAX + 1];
    memset(longest, 's', sizeof(longest));
    model_defaults(MODEL_ACCOUNT, &account);
    cr_expect_eq(ledger_seal(ledger, &account, STR("")), ERR_BAD);
    cr_expect_eq(ledger_seal(ledger, &account, str_make(longest, sizeof(longest))), ERR_BAD);
    cr_expect_eq(ledger_seal(ledger, &account, str_make(longest, SECRET_BYTES_MAX)), ERR_OK);
    cr_expect_eq(account.sealed_bytes, sizeof(account.sealed));
    cr_assert_eq(ledger_seal(ledger, &account, STR("sk-secret-x7Qd")), ERR_OK);
    cr_expect_str_eq(account.secret_hint, "...x7Qd");
    cr_expect_eq(account.id, 1);
    cr_expect_null(memmem(account.sealed, account.sealed_bytes, "secret", 6));
    snprintf(account.name, sizeof(account.name), "a");
    cr_assert_eq(ledger_create(ledger, MODEL_ACCOUNT, &account), ERR_OK, "%s", ledger_why(ledger));
    cr_expect_eq(account.id, 1);
    static struct account other;
    model_defaults(MODEL_ACCOUNT, &other);
    cr_assert_eq(ledger_seal(ledger, &other, STR("short")), ERR_OK);
    cr_expect_eq(other.id, 2);
    cr_expect_str_eq(other.secret_hint, "...");
    ledger_close(ledger);
}

/* --- windows --- */

static void
commit_cost(struct ledger *ledger, uint64_t sequence, uint64_t wall_ms, int64_t nano,
            uint8_t charged, uint64_t plan)
{
    struct ledger_record record = make_record(1);
    record.start_wall_ms = wall_ms;
    record.cost_nano = nano;
    record.charged = charged;
    record.subscription_id = plan;
    struct ledger_batch batch = { 1, 77, sequence, &record, 1, NULL, NULL };
    cr_assert_eq(ledger_commit(ledger, &batch, 1), ERR_OK);
}

Test(ledger, totals_know_what_the_current_windows_have_cost)
{
    const uint64_t noon = 1795262400000ull; /* 2026-11-21, a Saturday, 12:00 UTC */
    const uint64_t day = 86400000ull;
    struct ledger *ledger = tempdir_ledger();
    commit_cost(ledger, 0, noon - day, 100, 0, 0);
    commit_cost(ledger, 1, noon, 20, LEDGER_BALANCE, 0);
    commit_cost(ledger, 2, noon - day, 3, 0, 0); /* late: its day is over, its week is not */
    struct ledger_total sum = total(ledger, MODEL_KEY, 1);
    cr_expect_eq(sum.window_nano[PERIOD_DAY], 20);
    cr_expect_eq(sum.window_start_ms[PERIOD_DAY], noon - day / 2);
    cr_expect_eq(sum.window_nano[PERIOD_WEEK], 123);
    cr_expect_eq(sum.window_nano[PERIOD_MONTH], 123);
    cr_expect_eq(sum.cost_nano, 123);
    cr_expect_eq(total(ledger, MODEL_USER, 2).balance_nano, 20, "only what the balance paid");
    commit_cost(ledger, 3, noon + 2 * day, 1, 0, 9); /* Monday */
    sum = total(ledger, MODEL_KEY, 1);
    cr_expect(sum.window_nano[PERIOD_WEEK] == 1 && sum.window_nano[PERIOD_MONTH] == 124);
    sum = total(ledger, MODEL_PLAN, 9);
    cr_expect(sum.requests == 1 && sum.window_nano[PERIOD_MONTH] == 1);
    ledger_close(ledger);
}

/* Does the data file hold these bytes anywhere? */
static bool
file_has(const char *text)
{
    static char bytes[TEMPDIR_MAP_BYTES];
    FILE *file = fopen(tempdir_path("data.mdb"), "r");
    cr_assert_not_null(file);
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

Test(ledger, a_proxys_password_is_never_in_the_file_as_it_was_written)
{
    struct ledger *ledger = tempdir_ledger();
    static struct account account;
    model_defaults(MODEL_ACCOUNT, &account);
    snprintf(account.name, sizeof(account.name), "a");
    snprintf(account.base_url, sizeof(account.base_url), "https://a.test");
    snprintf(account.proxy, sizeof(account.proxy), "http://joe:first-hunter@p.test:1");
    cr_assert_eq(ledger_create(ledger, MODEL_ACCOUNT, &account), ERR_OK, "%s", ledger_why(ledger));
    cr_expect_str_eq(account.proxy, "http://joe:***@p.test:1");
    cr_assert_eq(ledger_find(ledger, MODEL_ACCOUNT, STR("a"), &account), ERR_OK);
    snprintf(account.proxy, sizeof(account.proxy), "http://joe:second-hunter@p.test:1");
    cr_assert_eq(ledger_update(ledger, MODEL_ACCOUNT, &account), ERR_OK, "%s", ledger_why(ledger));
    cr_assert_eq(ledger_find(ledger, MODEL_ACCOUNT, STR("a"), &account), ERR_OK);
    cr_expect_str_eq(account.proxy, "http://joe:***@p.test:1");
    cr_expect_gt(account.proxy_sealed_bytes, 0);
    /* Something else is changed: the password stays. */
    uint32_t before = account.proxy_sealed_bytes;
    account.priority = 3;
    cr_assert_eq(ledger_update(ledger, MODEL_ACCOUNT, &account), ERR_OK, "%s", ledger_why(ledger));
    cr_assert_eq(ledger_find(ledger, MODEL_ACCOUNT, STR("a"), &account), ERR_OK);
    cr_expect(account.priority == 3 && account.proxy_sealed_bytes == before);
    ledger_close(ledger);
    cr_expect(file_has("p.test"));
    cr_expect_not(file_has("hunter"));
}

Test(ledger, two_accounts_with_proxies_get_ids_of_their_own)
{
    struct ledger *ledger = tempdir_ledger();
    static struct account accounts[3];
    for (int i = 0; i < 3; i++) {
        model_defaults(MODEL_ACCOUNT, &accounts[i]);
        snprintf(accounts[i].name, sizeof(accounts[i].name), "a%d", i);
        snprintf(accounts[i].base_url, sizeof(accounts[i].base_url), "https://a.test");
        snprintf(accounts[i].proxy, sizeof(accounts[i].proxy), "http://joe:pass%d@p.test:1", i);
    }
    for (int i = 0; i < 3; i++) {
        /* One has a credential too: both are sealed for the id that the first of them drew. */
        if (i == 1) {
            cr_assert_eq(ledger_seal(ledger, &accounts[1], STR("sk-secret")), ERR_OK);
        }
        cr_assert_eq(ledger_create(ledger, MODEL_ACCOUNT, &accounts[i]), ERR_OK, "%s",
                     ledger_why(ledger));
        for (int k = 0; k < i; k++) {
            cr_expect_neq(accounts[i].id, accounts[k].id);
        }
    }
    ledger_close(ledger);
}

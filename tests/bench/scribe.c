/*
 * scribe.c - build/bench-ledger: what keeping the books costs by itself, in a store of its own.
 *
 *      bench-ledger DIR [--records N] [--skip-commits]
 *
 *   commits   records a second with group commit, by how many share one flush to the disk
 *   fill      N records (10,000,000) of 100 keys over 30 days, in groups of 1,000
 *   size      bytes of the store, in all and a record
 *   reports   `usage --by ...` from the roll-ups and `ledger verify` over all records, as the
 *             recorder's children make them
 *
 * DIR is made, and left to the caller to remove; it should be on the disk in question.
 *
 * Runs in: itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "store/audit.h"
#include "store/kv.h"
#include "store/ledger.h"
#include "store/record.h"
#include "store/summary.h"

#define KEYS 100u
#define KEYS_PER_USER 5u
#define GROUPS 5u
#define ACCOUNTS 10u
#define MODELS 20u
#define DAYS 30u
#define GROUP_MAX 10000u /* records in one commit */
#define FILL_GROUP 1000u
#define COMMIT_MS 2000u /* each size is tried so long */
#define MAP_BYTES (1ull << 36)
#define DAY_MS (24ull * 3600 * 1000)

static struct ledger *ledger;
static const char *dir;
static uint64_t sequence; /* of the one ring that all come from */
static uint64_t random_state = 1;
static struct ledger_record batch[GROUP_MAX];

static void
fail(const char *what)
{
    fprintf(stderr, "bench-ledger: %s\n", what);
    exit(1);
}

static void
must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        fprintf(stderr, "bench-ledger: %s: %s\n", what, err_text(err));
        exit(1);
    }
}

static uint32_t
dice(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

static double
cpu_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* A key has one group, two accounts and three models: what a roll-up of an hour is made of. */
static void
make_record(struct ledger_record *record, uint64_t wall_ms)
{
    uint32_t key = dice(KEYS);
    uint32_t model = (key + dice(3)) % MODELS;
    *record = (struct ledger_record){
        .version = LEDGER_RECORD_VERSION,
        .status = 200,
        .source = LEDGER_UPSTREAM,
        .key_id = 1000 + key,
        .user_id = 1 + key / KEYS_PER_USER,
        .group_id = 1 + key % GROUPS,
        .account_id = 1 + (key + dice(2)) % ACCOUNTS,
        .start_wall_ms = wall_ms,
        .first_byte_ms = 100 + dice(900),
        .duration_ms = 1000 + dice(20000),
        .in_fresh = dice(20000),
        .in_cache_read = dice(100000),
        .out_total = dice(4000),
        .bytes_in = dice(400000),
        .bytes_out = dice(40000),
        .rates = { .pico = { [MONEY_IN_FRESH] = 3000000,
                             [MONEY_IN_CACHE_READ] = 300000,
                             [MONEY_OUT_TEXT] = 15000000,
                             [MONEY_OUT_REASONING] = 15000000 } },
        .multiplier_ppm = MONEY_PPM_ONE,
        .account_ppm = MONEY_PPM_ONE,
        .is_last = 1,
        .charged = LEDGER_BALANCE,
        .price_source = 1,
        .requests = 1,
    };
    snprintf(record->request_id, sizeof record->request_id, "req_%08x%08x%08x", dice(UINT32_MAX),
             dice(UINT32_MAX), dice(UINT32_MAX));
    snprintf(record->model, sizeof record->model, "vendor-model-%u-large", model);
    memcpy(record->model_sent, record->model, sizeof record->model_sent);
    snprintf(record->address, sizeof record->address, "192.0.2.%u", dice(250));
    record->cost_nano = record_cost(record);
    record->upstream_nano = record->cost_nano;
}

static void
commit(uint32_t count)
{
    struct ledger_batch one = {
        .run_id = 1, .sequence = sequence, .records = batch, .count = count
    };
    must(ledger_commit(ledger, &one, 1), "commit");
    sequence += count;
}

/* --- commits --- */

static void
time_commits(uint32_t count)
{
    uint64_t start_ms = clock_now_ms();
    double cpu = cpu_us();
    uint64_t commits = 0;
    uint64_t wall_ms = clock_wall_ms() - (DAYS + 1) * DAY_MS;
    for (uint32_t i = 0; i < count; i++) {
        make_record(&batch[i], wall_ms);
    }
    while (clock_now_ms() - start_ms < COMMIT_MS) {
        commit(count);
        commits++;
    }
    double seconds = (double)(clock_now_ms() - start_ms) / 1000;
    printf("commit of %5u records   %8.0f commits/s  %9.0f records/s  %7.2f us CPU a record\n",
           count, (double)commits / seconds, (double)(commits * count) / seconds,
           (cpu_us() - cpu) / (double)(commits * count));
    fflush(stdout);
}

/* --- ten million --- */

static void
fill(uint64_t records)
{
    uint64_t from_ms = (clock_wall_ms() / DAY_MS - DAYS) * DAY_MS;
    uint64_t start_ms = clock_now_ms();
    double cpu = 0;
    for (uint64_t done = 0; done < records; done += FILL_GROUP) {
        for (uint32_t i = 0; i < FILL_GROUP; i++) {
            make_record(&batch[i], from_ms + DAYS * DAY_MS / records * (done + i));
        }
        double before = cpu_us();
        commit(FILL_GROUP);
        cpu += cpu_us() - before;
    }
    double seconds = (double)(clock_now_ms() - start_ms) / 1000;
    printf("fill with %llu records      %8.1f s  %9.0f records/s  %7.2f us CPU a record\n",
           (unsigned long long)records, seconds, (double)records / seconds, cpu / (double)records);
    fflush(stdout);
}

static void
print_size(void)
{
    char path[512];
    struct stat file;
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    if (stat(path, &file) != 0) {
        fail(path);
    }
    printf("store                        %8.2f GB  %9.0f bytes a record\n",
           (double)file.st_size / 1e9, (double)file.st_size / (double)sequence);
}

static void
time_report(struct kv_txn *txn, enum summary_by by, uint32_t days)
{
    uint64_t now_ms = clock_wall_ms();
    struct summary summary;
    uint64_t start_ns = clock_now_ns();
    must(summary_make(txn, by, now_ms - days * DAY_MS, now_ms, &summary), "summary");
    double ms = (double)(clock_now_ns() - start_ns) / 1e6;
    printf("usage --by %-7s %2u days   %8.1f ms  %9u lines, %llu requests\n", summary_by_text(by),
           days, ms, summary.count, (unsigned long long)summary.all.requests);
    summary_free(&summary);
}

static void
time_audit(struct kv_txn *txn)
{
    static struct audit audit;
    uint64_t start_ns = clock_now_ns();
    must(audit_run(txn, &audit), "audit");
    double seconds = (double)(clock_now_ns() - start_ns) / 1e9;
    printf("ledger verify                %8.2f s   %9.0f records/s, %llu roll-ups, %llu problems\n",
           seconds, (double)audit.records / seconds, (unsigned long long)audit.rollups,
           (unsigned long long)audit.problem_count);
    if (audit.problem_count > 0) {
        fail(audit.problems[0]);
    }
}

static void
time_reports(void)
{
    static const enum summary_by bys[] = { SUMMARY_USER, SUMMARY_KEY, SUMMARY_MODEL, SUMMARY_DAY };
    struct kv_txn *txn = NULL;
    must(kv_begin(ledger_kv(ledger), &txn), "begin");
    for (size_t i = 0; i < sizeof bys / sizeof bys[0]; i++) {
        time_report(txn, bys[i], DAYS + 2);
    }
    time_report(txn, SUMMARY_USER, 1);
    time_audit(txn);
    kv_end(txn);
}

int
main(int argc, char **argv)
{
    static const uint32_t sizes[] = { 1, 10, 100, 1000, 10000 };
    uint64_t records = 10000000;
    bool has_commits = true;
    char why[256];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--records") == 0 && i + 1 < argc) {
            records = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--skip-commits") == 0) {
            has_commits = false;
        } else {
            dir = argv[i];
        }
    }
    if (dir == NULL || records < FILL_GROUP || records % FILL_GROUP != 0) {
        fail("usage: bench-ledger DIR [--records N, by the thousand] [--skip-commits]");
    }
    must(ledger_prepare(dir, MAP_BYTES, why), why);
    must(ledger_open(dir, MAP_BYTES, &ledger), "open");
    for (size_t i = 0; has_commits && i < sizeof sizes / sizeof sizes[0]; i++) {
        time_commits(sizes[i]);
    }
    fill(records);
    print_size();
    time_reports();
    ledger_close(ledger);
    return 0;
}

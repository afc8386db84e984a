#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/config.h"
#include "master/recover.h"
#include "shm/lease.h"
#include "shm/ring.h"
#include "shm/segment.h"
#include "shm/slot.h"
#include "store/ledger.h"

static struct config config;
static char dir[] = "/tmp/sub2api-test-XXXXXX";
static char path[64];

static void
prepare(struct segment *segment)
{
    struct setting_error error;
    char why[256] = "";
    cr_assert_eq(config_load(NULL, NULL, 0, &config, &error), ERR_OK, "%s", error.text);
    cr_assert(mkdtemp(dir) != NULL);
    cr_assert(str_copy(config.store.dir, sizeof(config.store.dir), str_of(dir)));
    config.store.map_bytes = 16u << 20;
    config.master.grace_ms = 0;
    cr_assert_eq(ledger_prepare(dir, config.store.map_bytes, why), ERR_OK, "%s", why);
    snprintf(path, sizeof(path), "/dev/shm/sub2api-test-%d", (int)getpid());
    struct segment_want want = {
        .slots = 8, .workers = 1, .leases = 8, .gates = 16, .ring_cells = 8, .accounts = 8
    };
    cr_assert_eq(segment_create(path, &want, segment, why), ERR_OK, "%s", why);
}

static void
remove_all(void)
{
    char command[128];
    static const char *const names[] = { "data.mdb", "lock.mdb", "secret.key" };
    for (size_t i = 0; i < 3; i++) {
        snprintf(command, sizeof(command), "%s/%s", dir, names[i]);
        unlink(command);
    }
    rmdir(dir);
}

static uint32_t
count_records(struct ledger_record *out, uint32_t max)
{
    struct ledger *ledger = NULL;
    uint64_t sequences[16];
    uint32_t count = 0;
    cr_assert_eq(ledger_open(dir, config.store.map_bytes, &ledger), ERR_OK);
    cr_assert_eq(ledger_recent(ledger, 0, out, sequences, max, &count), ERR_OK);
    ledger_close(ledger);
    return count;
}

static void
push(struct ring_local *ring, uint64_t tokens)
{
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION, .out_total = tokens };
    cr_assert_eq(ring_reserve(ring, 1), ERR_OK);
    ring_push(ring, &record);
}

Test(recover, has_nothing_to_do_after_a_stop_in_good_order)
{
    struct segment segment;
    prepare(&segment);
    segment_close(&segment);
    segment_remove(path);
    uint64_t records = 9;
    uint64_t orphans = 9;
    char why[RECOVER_WHY_BYTES];
    cr_assert_eq(recover_run(path, &config, &records, &orphans, why), ERR_OK);
    cr_assert_eq(records + orphans, 0);
    remove_all();
}

Test(recover, keeps_what_only_another_version_can_read)
{
    struct segment segment;
    prepare(&segment);
    uint32_t other = SEGMENT_LAYOUT - 1;
    memcpy(segment.base + offsetof(struct segment_head, layout), &other, sizeof other);
    segment_close(&segment); /* killed here, and then upgraded */
    uint64_t records = 9;
    uint64_t orphans = 9;
    char why[RECOVER_WHY_BYTES];
    char aside[80];
    cr_assert_eq(recover_run(path, &config, &records, &orphans, why), ERR_OK);
    cr_expect_eq(records + orphans, 0);
    cr_expect_neq(access(path, F_OK), 0, "its place is free");
    snprintf(aside, sizeof aside, "%s" SEGMENT_ASIDE, path);
    /* The version that made it comes back with the file in its place. */
    cr_assert_eq(rename(aside, path), 0);
    uint32_t ours = SEGMENT_LAYOUT;
    FILE *file = fopen(path, "r+");
    cr_assert(file != NULL && fseek(file, offsetof(struct segment_head, layout), SEEK_SET) == 0);
    cr_assert_eq(fwrite(&ours, sizeof ours, 1, file), 1);
    fclose(file);
    cr_expect_eq(recover_run(path, &config, &records, &orphans, why), ERR_OK, "%s", why);
    cr_expect_neq(access(path, F_OK), 0, "it was read");
    remove_all();
}

Test(recover, brings_records_and_requests_under_way_into_the_store_once)
{
    struct segment segment;
    prepare(&segment);
    uint32_t slot = SLOT_NONE;
    cr_assert_eq(slot_assign(&segment, SLOT_WORKER, 0, 1, &slot), ERR_OK);
    slot_enter(&segment, slot, clock_now_ms());
    struct ring_local ring;
    ring_init(&ring, &segment, slot);
    push(&ring, 11);
    push(&ring, 22);
    struct lease_local leases;
    cr_assert_eq(lease_init(&leases, &segment, slot), ERR_OK);
    struct lease_data data = {
        .key_id = 7, .account_id = 3, .start_ms = 1000, .start_wall_ms = 5, .status = 200
    };
    data.tokens.out = 33;
    uint32_t index = 0;
    cr_assert_eq(ring_reserve(&ring, 1), ERR_OK);
    cr_assert_eq(lease_take(&leases, &data, &index), ERR_OK);
    free(leases.free_list);  /* lease_fini would insist that nothing is held */
    segment_close(&segment); /* killed here */

    uint64_t records = 0;
    uint64_t orphans = 0;
    char why[RECOVER_WHY_BYTES] = "";
    cr_assert_eq(recover_run(path, &config, &records, &orphans, why), ERR_OK, "%s", why);
    cr_assert_eq(orphans, 1);
    cr_assert_eq(records, 3);
    cr_assert_neq(access(path, F_OK), 0, "the file is gone");
    struct ledger_record stored[16];
    cr_assert_eq(count_records(stored, 16), 3);
    cr_assert_eq(stored[0].out_total, 33);
    cr_assert_eq(stored[0].key_id, 7);
    cr_assert_eq(stored[0].source, LEDGER_PARTIAL);
    cr_assert_eq(stored[2].out_total, 11);
    remove_all();
}

Test(recover, does_not_count_twice_what_was_committed_before_the_kill)
{
    struct segment segment;
    prepare(&segment);
    uint32_t slot = SLOT_NONE;
    cr_assert_eq(slot_assign(&segment, SLOT_WORKER, 0, 1, &slot), ERR_OK);
    slot_enter(&segment, slot, clock_now_ms());
    struct ring_local ring;
    ring_init(&ring, &segment, slot);
    push(&ring, 11);
    push(&ring, 22);
    /* The recorder commits the first and dies before it frees the cell. */
    struct ledger *ledger = NULL;
    struct ledger_batch batch = { .slot = slot, .run_id = segment.run_id, .count = 1 };
    const void *cells = NULL;
    uint32_t count = 0;
    ring_peek(&segment, slot, &cells, &count, &batch.sequence);
    cr_assert_eq(count, 2);
    batch.records = cells;
    cr_assert_eq(ledger_open(dir, config.store.map_bytes, &ledger), ERR_OK);
    cr_assert_eq(ledger_commit(ledger, &batch, 1), ERR_OK);
    ledger_close(ledger);
    segment_close(&segment);

    uint64_t records = 0;
    uint64_t orphans = 0;
    char why[RECOVER_WHY_BYTES] = "";
    cr_assert_eq(recover_run(path, &config, &records, &orphans, why), ERR_OK, "%s", why);
    cr_assert_eq(records, 1);
    struct ledger_record stored[16];
    cr_assert_eq(count_records(stored, 16), 2);
    remove_all();
}

Test(recover, names_one_segment_for_one_directory)
{
    char first[RECOVER_PATH_BYTES];
    char second[RECOVER_PATH_BYTES];
    str_copy(config.store.dir, sizeof(config.store.dir), STR("/tmp"));
    recover_path(&config, first);
    str_copy(config.store.dir, sizeof(config.store.dir), STR("/tmp/../tmp/."));
    recover_path(&config, second);
    cr_assert_str_eq(first, second);
    str_copy(config.store.dir, sizeof(config.store.dir), STR("/"));
    recover_path(&config, second);
    cr_assert_str_neq(first, second);
    str_copy(config.shm.file, sizeof(config.shm.file), STR("/dev/shm/mine"));
    recover_path(&config, second);
    cr_assert_str_eq(second, "/dev/shm/mine");
}

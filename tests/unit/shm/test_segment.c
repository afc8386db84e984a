/* Making, finding again and refusing the shared file. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <sys/stat.h>

#include "shm/ring.h"
#include "tests/unit/shm/testseg.h"

static struct segment_want want = { 8, 2, 64, 128, 64, 16, 64, "1.2.3" };

static void
path_of(char path[64])
{
    snprintf(path, 64, "/dev/shm/sub2api-test-seg-%d", (int)getpid());
    segment_remove(path);
}

Test(segment, has_the_sizes_asked_for_and_is_private)
{
    char path[64], why[SEGMENT_WHY_BYTES];
    path_of(path);
    struct segment segment;
    cr_assert(segment_create(path, &want, &segment, why) == ERR_OK, "%s", why);
    struct stat stat_buf;
    cr_assert(stat(path, &stat_buf) == 0);
    cr_expect((stat_buf.st_mode & 07777) == 0600);
    cr_expect((uint64_t)stat_buf.st_size == segment_bytes(&want));
    cr_expect((uint64_t)stat_buf.st_blocks * 512u < segment_bytes(&want) / 4u,
              "unused tables must cost nothing, %ld blocks", (long)stat_buf.st_blocks);
    cr_expect(segment.run_id != 0 && segment.head->run_id == segment.run_id);
    cr_expect_str_eq(segment.head->build, "1.2.3");
    cr_expect(((uintptr_t)segment.gate_cells & 63u) == 0 &&
              ((uintptr_t)segment.lease_rows & 63u) == 0);
    cr_expect(segment_bytes_used(&want) < segment_bytes(&want));
    segment_close(&segment);
    segment_remove(path);
}

Test(segment, rounds_gates_and_cells_up_and_refuses_sizes_out_of_bounds)
{
    struct segment_want odd = want;
    odd.gates = 100;
    odd.ring_cells = 33;
    odd.sticky = 33;
    cr_expect(segment_bytes(&odd) == segment_bytes(&want));
    struct segment_want bad[] = { want, want, want, want, want, want, want };
    bad[0].slots = 0;
    bad[1].slots = SLOTS_MAX + 1;
    bad[2].leases = LEASES_PER_SLOT_MAX + 1;
    bad[3].gates = GATES_MAX + 1;
    bad[4].ring_cells = 0;
    bad[5].accounts = ACCOUNTS_MAX + 1;
    bad[6].sticky = STICKY_MAX + 1;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char path[64], why[SEGMENT_WHY_BYTES] = "";
        path_of(path);
        struct segment segment;
        cr_expect(segment_bytes(&bad[i]) == 0);
        cr_expect(segment_create(path, &bad[i], &segment, why) == ERR_BAD);
        cr_expect(why[0] != '\0' && access(path, F_OK) != 0);
    }
}

Test(segment, is_not_made_over_an_old_one)
{
    char path[64], why[SEGMENT_WHY_BYTES];
    path_of(path);
    struct segment first, second;
    cr_assert(segment_create(path, &want, &first, why) == ERR_OK);
    cr_expect(segment_create(path, &want, &second, why) == ERR_DENIED);
    cr_expect(access(path, F_OK) == 0);
    segment_close(&first);
    segment_remove(path);
    cr_expect(segment_create("/dev/shm/no/such/dir/x", &want, &second, why) == ERR_IO);
}

Test(segment, is_adopted_with_its_contents_when_all_are_gone)
{
    char path[64], why[SEGMENT_WHY_BYTES];
    path_of(path);
    struct segment old, adopted;
    cr_expect(segment_adopt(path, &adopted, why) == ERR_GONE);
    cr_assert(segment_create(path, &want, &old, why) == ERR_OK);
    uint64_t run_id = old.run_id;
    struct ring_local ring;
    ring_init(&ring, &old, 3);
    cr_assert(ring_reserve(&ring, 1) == ERR_OK);
    unsigned char record[RING_PAYLOAD_BYTES];
    memset(record, 7, sizeof record);
    ring_push(&ring, record);
    cr_expect(segment_adopt(path, &adopted, why) == ERR_AGAIN, "somebody still uses it");
    segment_close(&old);

    cr_assert(segment_adopt(path, &adopted, why) == ERR_OK, "%s", why);
    cr_expect(adopted.run_id == run_id && adopted.is_adopted);
    const void *records;
    uint32_t count;
    uint64_t sequence;
    ring_peek(&adopted, 3, &records, &count, &sequence);
    cr_expect(count == 1 && sequence == 0 && memcmp(records, record, sizeof record) == 0);
    segment_close(&adopted);
    segment_remove(path);
}

Test(segment, of_another_shape_is_refused)
{
    char path[64], why[SEGMENT_WHY_BYTES];
    path_of(path);
    struct segment segment;
    struct {
        size_t offset;
        uint32_t value;
    } spoil[] = { { offsetof(struct segment_head, magic), 1 },
                  { offsetof(struct segment_head, layout), SEGMENT_LAYOUT + 1 },
                  { offsetof(struct segment_head, slots), 9 },
                  { offsetof(struct segment_head, gates), UINT32_MAX },
                  { offsetof(struct segment_head, bytes), 4096 } };
    for (size_t i = 0; i < sizeof spoil / sizeof spoil[0]; i++) {
        cr_assert(segment_create(path, &want, &segment, why) == ERR_OK);
        memcpy(segment.base + spoil[i].offset, &spoil[i].value, sizeof spoil[i].value);
        segment_close(&segment);
        cr_expect(segment_adopt(path, &segment, why) == ERR_BAD, "case %zu", i);
        segment_remove(path);
    }
    cr_assert(segment_create(path, &want, &segment, why) == ERR_OK);
    segment_close(&segment);
    cr_assert(truncate(path, 8192) == 0);
    cr_expect(segment_adopt(path, &segment, why) == ERR_BAD);
    cr_assert(truncate(path, 10) == 0);
    cr_expect(segment_adopt(path, &segment, why) == ERR_BAD);
    segment_remove(path);
}

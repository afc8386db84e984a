/* Records from worker to store: nothing lost, nothing twice, whoever is killed when. */
#include <criterion/criterion.h>

#include "shm/ring.h"
#include "shm/wake.h"
#include "tests/unit/shm/testseg.h"

static void
fill(unsigned char record[RING_PAYLOAD_BYTES], uint64_t number)
{
    memset(record, (int)(number & 0xff), RING_PAYLOAD_BYTES);
    memcpy(record, &number, sizeof number);
}

static uint64_t
number_at(const void *records, uint32_t index)
{
    const unsigned char *at = (const unsigned char *)records + (size_t)index * RING_PAYLOAD_BYTES;
    uint64_t number;
    memcpy(&number, at, sizeof number);
    for (size_t i = sizeof number; i < RING_PAYLOAD_BYTES; i++) {
        cr_assert(at[i] == (unsigned char)(number & 0xff));
    }
    return number;
}

Test(ring, promises_only_the_room_it_has)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    struct ring_local ring;
    ring_init(&ring, &test.segment, 1);
    unsigned char record[RING_PAYLOAD_BYTES];
    cr_expect(ring_reserve(&ring, 9) == ERR_FULL);
    cr_expect(ring_reserve(&ring, 8) == ERR_OK);
    cr_expect(ring_reserve(&ring, 1) == ERR_FULL);
    ring_unreserve(&ring, 1);
    cr_expect(ring_reserve(&ring, 1) == ERR_OK);
    for (uint64_t i = 0; i < 8; i++) {
        fill(record, i);
        cr_expect(ring_push(&ring, record) == i);
    }
    cr_expect(ring_reserve(&ring, 1) == ERR_FULL);
    ring_free_to(&test.segment, 1, 3);
    ring_free_to(&test.segment, 1, 2);
    cr_expect(ring_head(&test.segment, 1) == 3);
    cr_expect(ring_used(&test.segment, 1) == 5);
    cr_expect(ring_reserve(&ring, 3) == ERR_OK);
    cr_expect(ring_reserve(&ring, 1) == ERR_FULL);
}

/* The eventfd of the recorder has been rung since the last call. */
static bool
was_woken(struct segment *segment, uint32_t recorder)
{
    bool woken = atomic_load(&segment->wake_cells[recorder].is_pending) != 0;
    wake_clear(segment, recorder);
    return woken;
}

Test(ring, wakes_the_recorder_for_the_first_record_and_when_it_is_half_full)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    uint32_t recorder = testseg_active(&test, SLOT_RECORDER);
    uint32_t worker = testseg_active(&test, SLOT_WORKER);
    struct ring_local ring;
    ring_init(&ring, &test.segment, worker);
    unsigned char record[RING_PAYLOAD_BYTES];
    cr_assert(ring_reserve(&ring, 8) == ERR_OK);
    for (uint64_t i = 0; i < 8; i++) {
        fill(record, i);
        ring_push(&ring, record);
        cr_expect(was_woken(&test.segment, recorder) == (i == 0 || i == 4), "%u", (unsigned)i);
        cr_expect(ring_is_pressed(&test.segment, worker) == (i >= 4), "%u", (unsigned)i);
    }
    ring_free_to(&test.segment, worker, 4);
    cr_expect(!ring_is_pressed(&test.segment, worker));
}

Test(ring, is_read_in_rows_that_end_where_it_wraps)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    struct ring_local ring;
    ring_init(&ring, &test.segment, 0);
    unsigned char record[RING_PAYLOAD_BYTES];
    uint64_t expected = 0;
    for (uint64_t i = 0; i < 100; i++) {
        cr_assert(ring_reserve(&ring, 1) == ERR_OK);
        fill(record, i);
        ring_push(&ring, record);
        if (i % 5 != 4) {
            continue;
        }
        for (uint32_t rows = 0; ring_used(&test.segment, 0) > 0; rows++) {
            const void *records;
            uint32_t count;
            uint64_t sequence;
            ring_peek(&test.segment, 0, &records, &count, &sequence);
            cr_assert(count > 0 && rows < 2 && sequence == expected);
            for (uint32_t k = 0; k < count; k++) {
                cr_assert(number_at(records, k) == expected++);
            }
            ring_free_to(&test.segment, 0, sequence + count);
        }
    }
    cr_expect(expected == 100);
}

/* A producer that numbers its records by their sequence, until it is killed. */
static void
produce(void *context)
{
    struct testseg *test = context;
    struct ring_local ring;
    ring_init(&ring, &test->segment, 0);
    for (;;) {
        unsigned char record[RING_PAYLOAD_BYTES];
        if (ring_reserve(&ring, 1) != ERR_OK) {
            continue;
        }
        fill(record, ring_next(&test->segment, 0));
        ring_push(&ring, record);
    }
}

Test(ring, loses_nothing_published_when_the_producer_is_killed, .timeout = 90)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 32);
    unsigned seed = (unsigned)getpid();
    fprintf(stderr, "ring: seed %u\n", seed);
    uint64_t expected = 0;
    for (int life = 0; life < 40; life++) {
        char fault[64] = "";
        if (life % 2 == 0) {
            snprintf(fault, sizeof fault, "ring.%s:%d=kill",
                     life % 4 == 0 ? "before_publish" : "after_publish", rand_r(&seed) % 200 + 1);
        }
        pid_t pid = fork();
        cr_assert(pid >= 0);
        if (pid == 0) {
            testseg_child();
#ifdef FAULTS_ON
            fault_set(fault);
#endif
            produce(&test);
            _exit(0);
        }
        uint64_t until_ms = clock_now_ms() + (uint64_t)(rand_r(&seed) % 8);
        int status;
        pid_t gone = 0;
        while (gone == 0 || ring_used(&test.segment, 0) > 0) {
            const void *records;
            uint32_t count;
            uint64_t sequence;
            ring_peek(&test.segment, 0, &records, &count, &sequence);
            cr_assert(sequence == expected);
            for (uint32_t i = 0; i < count; i++) {
                cr_assert(number_at(records, i) == expected++);
            }
            ring_free_to(&test.segment, 0, sequence + count);
            if (gone == 0 && (fault[0] == '\0' || clock_now_ms() > until_ms + 500) &&
                clock_now_ms() >= until_ms) {
                kill(pid, SIGKILL);
            }
            if (gone == 0) {
                gone = waitpid(pid, &status, WNOHANG);
            }
        }
    }
    cr_expect(expected > 100, "%lu records", (unsigned long)expected);
    cr_expect(ring_next(&test.segment, 0) == expected);
}

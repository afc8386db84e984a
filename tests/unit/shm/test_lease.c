/* The request's record: torn reads are noticed, a dead worker's requests are billed exactly once.
 */
#include <criterion/criterion.h>

#include "shm/lease.h"
#include "shm/slot.h"
#include "tests/unit/shm/testseg.h"

struct worker {
    struct testseg *test;
    struct lease_local leases;
    struct ring_local ring;
    uint32_t slot;
};

static void
worker_make(struct worker *worker, struct testseg *test, uint32_t slot)
{
    worker->test = test;
    worker->slot = slot;
    cr_assert(lease_init(&worker->leases, &test->segment, slot) == ERR_OK);
    ring_init(&worker->ring, &test->segment, slot);
}

static uint32_t
take(struct worker *worker, uint64_t key_id)
{
    struct lease_data data = { .key_id = key_id, .start_ms = 5 };
    uint32_t index = LEASE_NONE;
    snprintf(data.model, sizeof data.model, "model-%lu", (unsigned long)key_id);
    cr_assert(ring_reserve(&worker->ring, 1) == ERR_OK);
    cr_assert(lease_take(&worker->leases, &data, &index) == ERR_OK);
    return index;
}

Test(lease, is_taken_seen_and_settled)
{
    struct testseg test;
    testseg_make(&test, 4, 2, 16, 16);
    uint32_t slot = testseg_active(&test, SLOT_WORKER);
    struct worker worker;
    worker_make(&worker, &test, slot);
    uint32_t first = take(&worker, 1);
    uint32_t second = take(&worker, 2);
    struct lease_data data = { .key_id = 3 };
    uint32_t third;
    cr_expect(lease_take(&worker.leases, &data, &third) == ERR_FULL);
    cr_expect(lease_count(&test.segment, slot) == 2);

    lease_set_action(&worker.leases, first, LEASE_STREAMING);
    lease_add_bytes(&worker.leases, first, 10, 20, 77);
    struct lease_tokens tokens = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 0 };
    lease_set_tokens(&worker.leases, first, &tokens);
    struct lease_data *edit = lease_edit(&worker.leases, first);
    snprintf(edit->account_name, sizeof edit->account_name, "acc");
    struct lease_view view;
    cr_expect(lease_read(&test.segment, slot, first, &view) == ERR_AGAIN, "half written");
    lease_done(&worker.leases, first);
    cr_assert(lease_read(&test.segment, slot, first, &view) == ERR_OK);
    cr_expect(view.action == LEASE_STREAMING && view.data.bytes_in == 10 &&
              view.data.bytes_out == 20 && view.data.last_byte_ms == 77 &&
              view.data.tokens.out == 5);
    cr_expect_str_eq(view.data.account_name, "acc");
    cr_expect_str_eq(view.data.model, "model-1");
    cr_expect_str_eq(lease_action_text(view.action), "streaming");

    unsigned char record[RING_PAYLOAD_BYTES] = { 0 };
    uint64_t sequence = 99;
    lease_settle(&worker.leases, first, &worker.ring, record, &sequence);
    cr_expect(sequence == 0 && ring_used(&test.segment, slot) == 1);
    lease_settle(&worker.leases, second, &worker.ring, NULL, NULL);
    cr_expect(ring_used(&test.segment, slot) == 1 && worker.ring.promised == 0);
    cr_expect(lease_read(&test.segment, slot, first, &view) == ERR_GONE);
    cr_expect(lease_count(&test.segment, slot) == 0);
    lease_fini(&worker.leases);
}

static void
count_end(uint32_t index, void *context)
{
    uint32_t *ends = context;
    ends[index]++;
}

Test(lease, is_ended_from_outside_by_its_number_only)
{
    struct testseg test;
    testseg_make(&test, 4, 4, 16, 16);
    uint32_t slot = testseg_active(&test, SLOT_WORKER);
    struct worker worker;
    worker_make(&worker, &test, slot);
    uint32_t first = take(&worker, 1);
    uint32_t second = take(&worker, 2);
    struct lease_view view;
    cr_assert(lease_read(&test.segment, slot, second, &view) == ERR_OK);
    cr_expect(!view.is_ending);
    uint32_t ends[4] = { 0 };
    lease_ends(&worker.leases, count_end, ends);
    cr_expect(lease_want_end(&test.segment, view.number) == ERR_OK);
    lease_ends(&worker.leases, count_end, ends);
    lease_ends(&worker.leases, count_end, ends);
    cr_expect(ends[first] == 0 && ends[second] == 1);
    lease_settle(&worker.leases, second, &worker.ring, NULL, NULL);
    cr_expect(lease_want_end(&test.segment, view.number) == ERR_GONE);
    uint32_t again = take(&worker, 3);
    cr_expect(again == second);
    cr_expect(lease_want_end(&test.segment, view.number) == ERR_GONE, "another request by now");
    cr_expect(lease_want_end(&test.segment, UINT64_MAX) == ERR_GONE);
    lease_settle(&worker.leases, first, &worker.ring, NULL, NULL);
    lease_settle(&worker.leases, again, &worker.ring, NULL, NULL);
    lease_fini(&worker.leases);
}

/* --- a writer and a reader at the same time --- */

static void
write_forever(void *context)
{
    struct testseg *test = context;
    struct worker worker;
    worker_make(&worker, test, 0);
    slot_enter(&test->segment, 0, 0);
    for (uint64_t round = 1;; round++) {
        uint32_t index = take(&worker, round);
        for (int i = 0; i < 20; i++) {
            struct lease_data *data = lease_edit(&worker.leases, index);
            memset(data->model, 'a' + (int)((round + (uint64_t)i) % 26), sizeof data->model - 1u);
            memset(data->address, data->model[0], sizeof data->address - 1u);
            data->user_id = (uint64_t)data->model[0];
            lease_done(&worker.leases, index);
        }
        lease_settle(&worker.leases, index, &worker.ring, NULL, NULL);
    }
}

Test(lease, is_never_read_half_written, .timeout = 90)
{
    struct testseg test;
    testseg_make(&test, 4, 4, 16, 16);
    testseg_slot(&test, SLOT_WORKER);
    pid_t pid = fork();
    if (pid == 0) {
        testseg_child();
        write_forever(&test);
    }
    uint32_t good = 0;
    uint64_t start_ms = clock_now_ms();
    /* On a busy machine the writer may hold it for many turns. */
    while (clock_now_ms() - start_ms < (good > 100 ? 300 : 60000)) {
        struct lease_view view;
        if (lease_read(&test.segment, 0, 0, &view) != ERR_OK || view.data.user_id == 0) {
            continue;
        }
        good++;
        char c = (char)view.data.user_id;
        for (size_t i = 0; i < sizeof view.data.model - 1u; i++) {
            cr_assert(view.data.model[i] == c, "torn at %zu", i);
        }
        cr_assert(view.data.address[LEASE_ADDRESS_BYTES - 2u] == c);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cr_expect(good > 100, "%u reads", good);
}

/* --- exactly one record a request --- */

#define REQUESTS 6u

/* Requests 1..REQUESTS; settles every second one, in an order that mixes indexes. */
static void
serve_some(void *context)
{
    struct testseg *test = context;
    struct worker worker;
    slot_enter(&test->segment, 1, 0);
    worker_make(&worker, test, 1);
    uint32_t index[REQUESTS];
    for (uint32_t i = 0; i < REQUESTS; i++) {
        index[i] = take(&worker, i + 1u);
    }
    for (uint32_t i = REQUESTS; i-- > 0;) {
        if (i % 2 == 0) {
            unsigned char record[RING_PAYLOAD_BYTES] = { (unsigned char)(i + 1u) };
            struct lease_data *data = lease_edit(&worker.leases, index[i]);
            data->status = 200;
            lease_done(&worker.leases, index[i]);
            lease_settle(&worker.leases, index[i], &worker.ring, record, NULL);
        }
    }
    raise(SIGKILL);
}

static bool
bill(const struct lease_view *lease, void *record, void *context)
{
    (void)context;
    *(unsigned char *)record = (unsigned char)lease->data.key_id;
    return true;
}

static void
sweep_orphans(void *context)
{
    struct testseg *test = context;
    lease_orphans(&test->segment, 1, bill, NULL);
}

Test(lease, of_the_dead_is_billed_exactly_once_whoever_dies_where)
{
    static const struct {
        const char *text;
        uint32_t begun; /* requests that had a lease by then */
    } worker_faults[] = {
        { NULL, REQUESTS },
        { "lease.before_held:4=kill", 3 },
        { "lease.after_held:4=kill", 4 },
        { "lease.mid_edit:2=kill", REQUESTS },
        { "lease.after_note:1=kill", REQUESTS },
        { "lease.after_note:2=kill", REQUESTS },
        { "ring.before_publish:2=kill", REQUESTS },
        { "ring.after_publish:2=kill", REQUESTS },
        { "lease.after_push:3=kill", REQUESTS },
    };
    static const char *const recorder_faults[] = {
        NULL,
        "lease.after_notes=kill",
        "lease.after_note:1=kill",
        "lease.after_note:2=kill",
        "ring.before_publish:1=kill",
        "ring.after_publish:2=kill",
        "lease.after_push:1=kill",
    };
    for (size_t w = 0; w < sizeof worker_faults / sizeof worker_faults[0]; w++) {
        for (size_t r = 0; r < sizeof recorder_faults / sizeof recorder_faults[0]; r++) {
            struct testseg test;
            testseg_make(&test, 4, 8, 16, 8);
            testseg_slot(&test, SLOT_RECORDER);
            cr_assert(testseg_slot(&test, SLOT_WORKER) == 1);
            cr_assert(testseg_dies(worker_faults[w].text, serve_some, &test));
            cr_assert(!slot_reap(&test.segment, 1));
            (void)testseg_dies(recorder_faults[r], sweep_orphans, &test);
            lease_orphans(&test.segment, 1, bill, NULL);
            cr_expect(lease_count(&test.segment, 1) == 0);
            cr_expect(slot_sweep(&test.segment, 1) == ERR_OK);
            const unsigned char *records;
            const void *row;
            uint32_t count;
            uint64_t sequence;
            ring_peek(&test.segment, 1, &row, &count, &sequence);
            records = row;
            uint32_t seen[REQUESTS + 1u] = { 0 };
            for (uint32_t i = 0; i < count; i++) {
                unsigned char who = records[(size_t)i * RING_PAYLOAD_BYTES];
                cr_assert(who >= 1 && who <= REQUESTS);
                cr_expect(++seen[who] == 1, "request %u twice (worker %s, recorder %s)", who,
                          worker_faults[w].text, recorder_faults[r]);
            }
            cr_expect(count == worker_faults[w].begun, "%u records (worker %s, recorder %s)", count,
                      worker_faults[w].text, recorder_faults[r]);
            segment_close(&test.segment);
        }
    }
}

Test(lease, orphans_wait_until_the_ring_has_room)
{
    struct testseg test;
    testseg_make(&test, 4, 8, 16, 4);
    testseg_slot(&test, SLOT_RECORDER);
    uint32_t slot = testseg_active(&test, SLOT_WORKER);
    struct worker worker;
    worker_make(&worker, &test, slot);
    for (uint64_t i = 1; i <= 4; i++) {
        take(&worker, i);
    }
    /* Somebody broke the promise: three cells are gone. */
    struct ring_local other;
    ring_init(&other, &test.segment, slot);
    unsigned char record[RING_PAYLOAD_BYTES] = { 0 };
    for (int i = 0; i < 3; i++) {
        cr_assert(ring_reserve(&other, 1) == ERR_OK);
        ring_push(&other, record);
    }
    cr_expect(!slot_reap(&test.segment, slot));
    cr_expect(lease_orphans(&test.segment, slot, bill, NULL) == 1);
    cr_expect(slot_sweep(&test.segment, slot) == ERR_AGAIN);
    ring_free_to(&test.segment, slot, 4);
    cr_expect(lease_orphans(&test.segment, slot, bill, NULL) == 3);
    cr_expect(slot_sweep(&test.segment, slot) == ERR_OK);
    free(worker.leases.free_list); /* the dead do not call lease_fini */
}

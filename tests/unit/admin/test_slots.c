/* The gates, and the check that they hold what the leases say. */
#include "shm/gate.h"
#include "tests/unit/admin/office.h"

struct fixture {
    struct office *office;
    struct segment *segment;
    struct office_worker worker;
    uint64_t user_id;
    uint32_t gate;
};

static void
begin(struct fixture *f)
{
    f->office = office_open();
    f->segment = f->office->segment;
    cr_assert_eq(office_ask(f->office, "POST", "/v1/users", "{\"name\":\"joe\",\"concurrency\":2}"),
                 201);
    f->user_id = office_number(f->office, "id");
    office_hire(f->office, &f->worker);
    cr_assert(gate_find(f->segment, GATE_USER, f->user_id, &f->gate) == ERR_OK);
}

static void
finish(struct fixture *f)
{
    office_dismiss(f->office, &f->worker);
    office_close(f->office);
}

static uint32_t
hold(struct fixture *f)
{
    struct lease_data data = { .start_ms = clock_now_ms(),
                               .user_id = f->user_id,
                               .gate_user = f->gate,
                               .gate_key = GATE_INDEX_NONE,
                               .gate_group = GATE_INDEX_NONE,
                               .gate_account = GATE_INDEX_NONE };
    cr_assert(gate_take(f->segment, f->worker.slot, f->gate, 2, clock_now_ns()) == ERR_OK);
    return office_begin(&f->worker, &data);
}

static void
release(struct fixture *f, uint32_t lease)
{
    lease_settle(&f->worker.leases, lease, &f->worker.ring, NULL, NULL);
    gate_give(f->segment, f->worker.slot, f->gate, NULL, 0);
}

Test(slots, agree_with_the_leases)
{
    struct fixture f;
    begin(&f);
    EXPECT(f.office, 200, "GET", "/v1/slots", "");
    SAYS(f.office, "\"items\":[]");
    SAYS(f.office, "\"ok\":true,\"line\":\"ok\"");
    uint32_t first = hold(&f);
    uint32_t second = hold(&f);
    EXPECT(f.office, 200, "GET", "/v1/slots", "");
    SAYS(f.office, "\"kind\":\"user\"");
    SAYS(f.office, "\"name\":\"joe\",\"limit\":2,\"held\":2,\"waiting\":0");
    SAYS(f.office, "\"leases\":2,\"check\":\"ok\"");
    SAYS(f.office, "\"by_worker\":\"0:2+0\"");
    cr_expect_eq(office_number(f.office, "held"), 2);
    cr_expect_eq(office_number(f.office, "leases"), 2);
    cr_expect_eq(office_number(f.office, "in_use"), 1);
    release(&f, first);
    release(&f, second);
    EXPECT(f.office, 200, "GET", "/v1/slots", "");
    SAYS(f.office, "\"items\":[]");
    EXPECT(f.office, 200, "GET", "/v1/slots?all=1", "");
    SAYS(f.office, "\"name\":\"joe\",\"limit\":2,\"held\":0");
    finish(&f);
}

Test(slots, that_no_lease_holds_are_told)
{
    struct fixture f;
    begin(&f);
    cr_assert(gate_take(f.segment, f.worker.slot, f.gate, 2, clock_now_ns()) == ERR_OK);
    EXPECT(f.office, 200, "GET", "/v1/slots", "");
    SAYS(f.office, "\"held\":1,\"waiting\":0");
    SAYS(f.office, "\"leases\":0,\"check\":\"differs\"");
    SAYS(f.office, "\"ok\":false");
    SAYS(f.office, "1 gates differ from the leases (1 held in all, 0 by leases)");
    gate_give(f.segment, f.worker.slot, f.gate, NULL, 0);
    /* And a lease that names a gate it does not hold. */
    uint32_t lease = hold(&f);
    gate_give(f.segment, f.worker.slot, f.gate, NULL, 0);
    EXPECT(f.office, 200, "GET", "/v1/slots", "");
    SAYS(f.office, "\"check\":\"differs\"");
    lease_settle(&f.worker.leases, lease, &f.worker.ring, NULL, NULL);
    EXPECT(f.office, 200, "GET", "/v1/slots", "");
    SAYS(f.office, "\"ok\":true");
    finish(&f);
}

Test(slots, of_a_removed_object_have_no_name)
{
    struct fixture f;
    begin(&f);
    uint32_t lease = hold(&f);
    EXPECT(f.office, 200, "DELETE", "/v1/users/joe", "");
    EXPECT(f.office, 200, "GET", "/v1/slots", "");
    SAYS(f.office, "\"name\":\"\",\"limit\":0,\"held\":1");
    release(&f, lease);
    finish(&f);
}

/* A worker dies with two requests in flight: its columns are cleared with its leases. */
Test(slots, of_a_dead_worker_are_drained)
{
    struct fixture f;
    begin(&f);
    (void)hold(&f);
    (void)hold(&f);
    free(f.worker.leases.free_list); /* the process is no more */
    cr_assert(!slot_reap(f.segment, f.worker.slot));
    cr_expect(office_await(f.office, "/v1/slots", "\"held\":0"), "%s", f.office->body);
    SAYS(f.office, "\"items\":[]");
    SAYS(f.office, "\"ok\":true");
    cr_expect_eq(slot_state(f.segment, f.worker.slot), SLOT_FREE);
    cr_expect_eq(gate_held(f.segment, f.gate), 0);
    office_close(f.office);
}

/* The columns of sub2apictl: each names a member that the gateway really tells. */
#include "admin/columns.h"
#include "shm/gate.h"
#include "shm/sticky.h"
#include "tests/unit/admin/office.h"

/* Members that an answer has only now and then. */
static bool
is_optional(const char *member)
{
    static const char *const names[] = { "why", "cooling_ms", "probed", "expires", "balance" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], member) == 0) {
            return true;
        }
    }
    return false;
}

static bool
first_item(void *context, const struct json_member *element)
{
    *(struct json_value *)context = element->value;
    return false;
}

/* The first item of this list has every column's member. */
static void
check(struct office *office, const char *path, const char *list,
      const struct table_columns *columns)
{
    struct json_value root;
    struct json_value items;
    struct json_value item = { .kind = JSON_NULL };
    struct json_value value;
    cr_assert_eq(office_ask(office, "GET", path, ""), 200, "%s: %s", path, office->body);
    cr_assert(json_read(str_of(office->body), &root, NULL) == ERR_OK);
    cr_assert(json_get(root, str_of(list), &items), "%s", path);
    cr_assert(json_scan_array(items, first_item, &item) == ERR_OK);
    cr_assert_eq(item.kind, JSON_OBJECT, "%s is empty: %s", path, office->body);
    for (uint32_t i = 0; i < columns->count; i++) {
        const char *member = columns->items[i].member;
        cr_expect(is_optional(member) || json_get_path(item, str_of(member), &value),
                  "%s has no %s: %.*s", path, member, STR_ARG(item.raw));
    }
}

Test(columns, of_objects_are_members_of_theirs)
{
    struct office *office = office_open();
    office_account(office, "a", "");
    cr_assert_eq(office_ask(office, "POST", "/v1/users", "{\"name\":\"joe\"}"), 201);
    cr_assert_eq(office_ask(office, "POST", "/v1/keys", "{\"name\":\"k\",\"user\":\"joe\"}"), 201);
    check(office, "/v1/users", "items", &columns_of_kind[MODEL_USER]);
    check(office, "/v1/keys", "items", &columns_of_kind[MODEL_KEY]);
    check(office, "/v1/groups", "items", &columns_of_kind[MODEL_GROUP]);
    check(office, "/v1/accounts", "items", &columns_of_kind[MODEL_ACCOUNT]);
    check(office, "/v1/explain?key=k&model=m", "items", &columns_explain);
    check(office, "/v1/status", "processes", &columns_processes);
    office_close(office);
}

Test(columns, of_what_runs_are_members_of_it)
{
    struct office *office = office_open();
    struct office_worker worker;
    uint32_t gate = 0;
    office_hire(office, &worker);
    struct lease_data data = { .start_ms = 1, .account_id = 1 };
    uint32_t lease = office_begin(&worker, &data);
    check(office, "/v1/top", "items", &columns_top);
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .start_wall_ms = clock_wall_ms(),
                                    .request_id = "req_1" };
    lease_settle(&worker.leases, lease, &worker.ring, &record, NULL);
    cr_assert(office_await(office, "/v1/usage/recent", "req_1"));
    check(office, "/v1/usage/recent", "items", &columns_usage);
    cr_assert(gate_find(office->segment, GATE_USER, 5, &gate) == ERR_OK);
    check(office, "/v1/slots?all=1", "items", &columns_slots);
    sticky_put(office->segment, sticky_key(office->segment, 1, 1, STICKY_EXPLICIT, STR("s")), 0,
               clock_now_ms(), 3600000);
    check(office, "/v1/sticky", "items", &columns_sticky);
    office_dismiss(office, &worker);
    office_close(office);
}

Test(columns, of_every_kind_fit_a_table)
{
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        cr_expect(columns_of_kind[kind].count > 0 &&
                  columns_of_kind[kind].count <= TABLE_COLUMNS_MAX);
    }
    cr_expect(columns_top.count <= TABLE_COLUMNS_MAX && columns_usage.count <= TABLE_COLUMNS_MAX &&
              columns_processes.count <= TABLE_COLUMNS_MAX);
}

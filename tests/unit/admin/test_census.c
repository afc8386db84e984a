/* Which accounts there are, and how many may be used. */
#include "admin/census.h"

#include "shm/health.h"
#include "shm/version.h"
#include "tests/unit/admin/office.h"

#define ROWS 16u /* of the office's segment */

static void
name_of(char name[16], uint32_t i)
{
    snprintf(name, 16, "a%u", i);
}

static void
fill(struct office *office)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        char name[16];
        name_of(name, i);
        office_account(office, name, "");
    }
}

Test(census, refuses_one_more_than_the_segment_has_rows)
{
    struct office *office = office_open();
    cr_expect_eq(version_accounts(office->segment), 0, "nothing is walked over for nobody");
    fill(office);
    cr_expect_eq(version_usable_accounts(office->segment), ROWS);
    cr_expect_eq(version_accounts(office->segment), ROWS);
    EXPECT(office, 507, "POST", "/v1/accounts", "{\"name\":\"more\",\"platform\":\"openai\"}");
    cr_expect(office_says(office, "there are 16 accounts: no more fit"), "%s", office->body);
    EXPECT(office, 200, "DELETE", "/v1/accounts/a3", "");
    cr_expect_eq(version_usable_accounts(office->segment), ROWS - 1);
    office_account(office, "more", ",\"priority\":3");
    cr_expect_eq(version_usable_accounts(office->segment), ROWS);
    cr_expect_eq(atomic_load(&office->segment->health_rows[3].account_id), ROWS + 1,
                 "the row that came free is the new one's");
    office_close(office);
}

Test(census, counts_those_that_are_enabled)
{
    struct office *office = office_open();
    fill(office);
    EXPECT(office, 200, "POST", "/v1/accounts/a5/disable", "");
    EXPECT(office, 200, "POST", "/v1/accounts/a5/disable", "");
    EXPECT(office, 200, "PATCH", "/v1/accounts/a6", "{\"priority\":7}");
    cr_expect_eq(version_usable_accounts(office->segment), ROWS - 1);
    EXPECT(office, 200, "DELETE", "/v1/accounts/a5", "");
    cr_expect_eq(version_usable_accounts(office->segment), ROWS - 1);
    EXPECT(office, 200, "DELETE", "/v1/accounts/a6", "");
    cr_expect_eq(version_usable_accounts(office->segment), ROWS - 2);
    office_close(office);
}

/* What belongs to keys is not a reason to read all accounts again. */
Test(census, tells_changes_of_keys_from_those_of_accounts)
{
    struct office *office = office_open();
    office_account(office, "a", "");
    uint64_t version = version_catalog(office->segment);
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 201, "POST", "/v1/keys", "{\"name\":\"k\",\"user\":\"joe\"}");
    EXPECT(office, 200, "POST", "/v1/keys/k/disable", "");
    cr_expect_eq((uint32_t)version_catalog(office->segment), (uint32_t)version);
    cr_expect_gt(version_catalog(office->segment), version);
    EXPECT(office, 201, "POST", "/v1/groups", "{\"name\":\"g\"}");
    cr_expect_gt((uint32_t)version_catalog(office->segment), (uint32_t)version);
    office_close(office);
}

/* [shm] accounts was lowered: the others are served all the same. */
Test(census, leaves_out_accounts_beyond_the_rows)
{
    struct office *office = office_open();
    fill(office);
    cr_assert(kill(office->pid, SIGKILL) == 0);
    (void)tempdir_wait(office->pid);
    /* A new segment, as far as accounts go. */
    office->segment->accounts = ROWS / 2;
    atomic_store(&office->segment->version->accounts, 0);
    office_replace(office);
    EXPECT(office, 200, "GET", "/v1/accounts", "");
    cr_expect_eq(version_usable_accounts(office->segment), ROWS / 2);
    cr_expect(office_says(office, "\"a15\""), "it is listed, to be removed");
    EXPECT(office, 507, "POST", "/v1/accounts", "{\"name\":\"more\",\"platform\":\"openai\"}");
    EXPECT(office, 200, "POST", "/v1/accounts/a15/disable", "");
    EXPECT(office, 200, "DELETE", "/v1/accounts/a15", "");
    cr_expect_eq(version_usable_accounts(office->segment), ROWS / 2);
    office_close(office);
}

#define MANY 10000u

static enum err
make_many(struct kv_txn *txn, void *context)
{
    static struct account account;
    static char why[MODEL_WHY_BYTES];
    enum err err = ERR_OK;
    (void)context;
    for (uint32_t i = 0; i < MANY && err == ERR_OK; i++) {
        model_defaults(MODEL_ACCOUNT, &account);
        name_of(account.name, i);
        snprintf(account.base_url, sizeof account.base_url, "https://provider-%u.test/v1", i);
        snprintf(account.models, sizeof account.models, "gpt-*,o?-*");
        err = object_create(txn, MODEL_ACCOUNT, &account, why);
    }
    return err;
}

static bool
count_one(void *context, const struct json_member *member)
{
    (void)member;
    *(uint32_t *)context += 1;
    return true;
}

/* Members of the array `items` of the answer, which is whole JSON. */
static uint32_t
count_items(struct office *office, const char *path)
{
    char why[CALL_WHY_BYTES] = "";
    struct buf body;
    struct json_value root;
    struct json_value items;
    uint32_t many = 0;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    cr_assert_eq(call_admin(office->path, "GET", path, STR(""), &office->status, &body, why),
                 ERR_OK, "%s", why);
    cr_assert_eq(office->status, 200);
    cr_assert_eq(json_read(buf_str(&body), &root, NULL), ERR_OK, "%s is cut", path);
    cr_assert(json_get_path(root, STR("items"), &items));
    cr_assert_eq(json_scan_array(items, count_one, &many), ERR_OK);
    buf_fini(&body);
    return many;
}

Test(census, ten_thousand_accounts_are_listed_and_explained, .timeout = 120)
{
    struct office *office = office_furnish_for(ACCOUNTS_MAX);
    struct kv *kv = NULL;
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
    cr_assert_eq(kv_write(kv, make_many, NULL), ERR_OK);
    kv_close(kv);
    office_fork(office, NULL);
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 201, "POST", "/v1/keys", "{\"name\":\"k\",\"user\":\"joe\"}");
    cr_expect_eq(version_usable_accounts(office->segment), MANY);
    cr_expect_eq(version_accounts(office->segment), MANY);
    cr_expect_eq(count_items(office, "/v1/accounts"), MANY);
    cr_expect_eq(count_items(office, "/v1/explain?key=k&model=gpt-5"), MANY);
    EXPECT(office, 200, "DELETE", "/v1/accounts/a77", "");
    office_account(office, "one-more", "");
    cr_expect_eq(atomic_load(&office->segment->health_rows[77].account_id), MANY + 1);
    office_account(office, "two-more", "");
    cr_expect_eq(atomic_load(&office->segment->health_rows[MANY].account_id), MANY + 2);
    office_close(office);
}

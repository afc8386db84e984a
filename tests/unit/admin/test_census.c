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

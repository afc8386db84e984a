/* The words that everybody reads. */
#include <criterion/criterion.h>

#include "shm/version.h"
#include "tests/unit/shm/testseg.h"

Test(version, says_why_the_service_is_not_ready)
{
    struct testseg test;
    testseg_make(&test, 8, 16, 16, 16);
    struct segment *segment = &test.segment;
    cr_expect_str_eq(version_why_not_ready(segment), "loading");
    version_set_loaded(segment, true);
    version_set_resolving(segment, true);
    cr_expect_str_eq(version_why_not_ready(segment), "store_not_writable");
    version_set_writable(segment, true);
    cr_expect_str_eq(version_why_not_ready(segment), "no_account");
    version_set_usable_accounts(segment, 1);
    cr_expect(version_why_not_ready(segment) == NULL);
    version_set_draining(segment, true);
    cr_expect_str_eq(version_why_not_ready(segment), "draining");
    uint64_t before = version_catalog(segment);
    version_bump_catalog(segment);
    cr_expect(version_catalog(segment) == before + 1);
    version_bump_keys(segment);
    cr_expect(version_catalog(segment) == before + 1 + (1ull << 32), "the other half");
}

Test(version, says_how_far_the_rows_of_accounts_go)
{
    struct testseg test;
    testseg_make(&test, 8, 16, 16, 16);
    cr_expect_eq(version_accounts(&test.segment), 0);
    version_raise_accounts(&test.segment, 5);
    version_raise_accounts(&test.segment, 3);
    cr_expect_eq(version_accounts(&test.segment), 5);
}

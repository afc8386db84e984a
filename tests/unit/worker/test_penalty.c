/* Wrong keys make an address wait. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "worker/penalty.h"

static const struct hash_key hash = { 1, 2 };
static struct penalty penalty;

static bool
is_refused(const char *address, uint64_t now_ms)
{
    uint64_t retry_ms = 0;
    bool is = penalty_is_refused(&penalty, str_of(address), now_ms, &retry_ms);
    cr_expect(!is || (retry_ms > 0 && retry_ms <= 1000));
    return is;
}

static void
fail(const char *address, uint64_t now_ms, int times)
{
    for (int i = 0; i < times; i++) {
        penalty_add(&penalty, str_of(address), now_ms);
    }
}

Test(penalty, refuses_after_so_many_failures_for_one_window)
{
    penalty_init(&penalty, &hash, 3, 1000);
    fail("192.0.2.1", 5000, 2);
    cr_expect(!is_refused("192.0.2.1", 5000));
    fail("192.0.2.1", 5500, 1);
    cr_expect(is_refused("192.0.2.1", 5500));
    cr_expect(is_refused("192.0.2.1", 6499), "a whole window from the last one");
    cr_expect(!is_refused("192.0.2.1", 6500));
    cr_expect(!is_refused("192.0.2.2", 5500), "others are not concerned");
}

Test(penalty, forgets_failures_that_are_a_window_old)
{
    penalty_init(&penalty, &hash, 3, 1000);
    fail("192.0.2.1", 5000, 2);
    fail("192.0.2.1", 6000, 2);
    cr_expect(!is_refused("192.0.2.1", 6000));
    fail("192.0.2.1", 6100, 1);
    cr_expect(is_refused("192.0.2.1", 6100));
}

Test(penalty, counts_a_whole_ipv6_network_as_one)
{
    penalty_init(&penalty, &hash, 2, 1000);
    fail("2001:db8:1:2::1", 5000, 1);
    fail("2001:db8:1:2:ffff::9", 5000, 1);
    cr_expect(is_refused("2001:db8:1:2::77", 5000));
    cr_expect(!is_refused("2001:db8:1:3::1", 5000));
    fail("::ffff:192.0.2.1", 5000, 2);
    cr_expect(!is_refused("::ffff:192.0.2.2", 5000), "mapped addresses are IPv4");
}

Test(penalty, of_zero_refuses_nobody)
{
    penalty_init(&penalty, &hash, 0, 1000);
    fail("192.0.2.1", 5000, 100);
    cr_expect(!is_refused("192.0.2.1", 5000));
}

Test(penalty, table_full_of_others_never_refuses_the_innocent)
{
    penalty_init(&penalty, &hash, 1, 1000);
    char address[32];
    for (unsigned i = 0; i < 3 * PENALTY_PLACES; i++) {
        snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        fail(address, 5000, 1);
    }
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(address, sizeof address, "192.168.%u.%u", i >> 8, i & 255);
        cr_expect(!is_refused(address, 5000), "%s", address);
    }
}

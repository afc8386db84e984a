#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "master/memory.h"
#include "master/reload.h"

Test(memory, grows_with_the_workers_and_the_settings)
{
    static struct config config;
    struct setting_error error;
    cr_assert_eq(config_load(NULL, NULL, 0, &config, &error), ERR_OK, "%s", error.text);
    struct memory one = memory_of(&config, 1);
    struct memory four = memory_of(&config, 4);
    cr_assert(one.shared_bytes > 0 && one.shared_used_bytes > 0);
    cr_assert(one.shared_used_bytes <= one.shared_bytes);
    cr_assert(four.shared_bytes > one.shared_bytes);
    cr_assert_eq(four.bodies_bytes, 4 * one.bodies_bytes);
    cr_assert(one.files_per_worker > 2ull * config.http.conns_max);
}

Test(memory, has_slots_for_two_generations_and_never_too_many)
{
    static struct config config;
    cr_assert(memory_segment(&config, 3).slots >= 2 * 3 + 4);
    cr_assert_eq(memory_segment(&config, WORKERS_MAX).slots, SLOTS_MAX);
}

Test(memory, counts_a_worker_for_each_core_when_none_is_set)
{
    static struct config config;
    uint32_t count = reload_worker_count(&config);
    cr_assert(count >= 1 && count <= WORKERS_MAX);
    config.master.workers = 5;
    cr_assert_eq(reload_worker_count(&config), 5);
}

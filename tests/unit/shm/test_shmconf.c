/* The [shm] section: defaults that fit the bounds and each other. */
#include <criterion/criterion.h>

#include "base/limits.h"
#include "shm/segment.h"
#include "shm/shmconf.h"

Test(shmconf, defaults_make_a_segment_of_reasonable_size)
{
    struct setting_section section = { "shm", shmconf_rows, shmconf_row_count, 0, "" };
    struct shmconf conf;
    memset(&conf, 0xff, sizeof conf);
    setting_defaults(&section, 1, &conf);
    cr_expect(conf.file[0] == '\0');
    cr_expect(conf.ring_cells >= conf.leases, "every request may end at once");
    struct segment_want want = { .slots = 12,
                                 .workers = 2,
                                 .leases = conf.leases,
                                 .gates = conf.gates,
                                 .ring_cells = conf.ring_cells,
                                 .accounts = conf.accounts,
                                 .sticky = conf.sticky };
    cr_expect(segment_bytes(&want) != 0);
    cr_expect(segment_bytes_used(&want) < 64u << 20, "fits the 64 MB that containers give");
    for (size_t i = 0; i < shmconf_row_count; i++) {
        cr_expect(shmconf_rows[i].help[0] != '\0' && shmconf_rows[i].min <= shmconf_rows[i].max);
    }
}

/* Sessions, listed and forgotten, as an admin types it. */
#include "shm/sticky.h"
#include "tests/unit/admin/desk.h"
#include "tests/unit/admin/office.h"

Test(ctlsticky, lists_and_clears)
{
    struct office *office = office_open();
    office_account(office, "a", "");
    office_account(office, "b@x", "");
    for (uint32_t i = 0; i < 5; i++) {
        uint64_t key = sticky_key(office->segment, 1, i + 1, STICKY_EXPLICIT, STR("s"));
        sticky_put(office->segment, key, i < 3 ? 0 : 1, clock_now_ms(), 3600000);
    }
    DESK(office->path, 0, "sticky list");
    PRINTED("SESSION");
    PRINTED("b@x");
    PRINTED("\n5 sessions are bound\n");
    DESK(office->path, 0, "sticky clear --account b@x");
    cr_expect_str_eq(desk_out, "2 sessions forgotten\n");
    DESK(office->path, 1, "sticky clear --account nobody");
    COMPLAINED("no account of this name");
    DESK(office->path, 1, "sticky clear --account ../x?y");
    DESK(office->path, 2, "sticky clear a");
    DESK(office->path, 2, "sticky clear --account");
    DESK(office->path, 2, "sticky");
    cr_expect_eq(desk_run(office->path, true, "sticky clear"), 0);
    PRINTED("\"dropped\":3");
    DESK(office->path, 0, "sticky list");
    PRINTED("0 sessions are bound");
    office_close(office);
}

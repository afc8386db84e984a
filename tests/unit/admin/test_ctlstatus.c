/* Processes, readiness and counters, as an admin sees them. */
#include "tests/unit/admin/desk.h"
#include "tests/unit/admin/office.h"

Test(ctlstatus, shows_members_and_processes)
{
    struct office *office = office_open();
    DESK(office->path, 0, "status");
    PRINTED("ready");
    PRINTED("PROCESS");
    PRINTED("recorder");
    PRINTED("writable");
    cr_expect_eq(desk_run(office->path, true, "status"), 0);
    PRINTED("\"processes\":[{");
    DESK(office->path, 2, "status now");
    COMPLAINED("unexpected argument: now");
    office_close(office);
}

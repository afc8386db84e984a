/* Reload and stop, passed on to the master, and what it says of them. */
#include <sys/ioctl.h>

#include "tests/unit/admin/office.h"

/* What the master reads: one byte a wish. */
static char
heard(struct office *office)
{
    char what = 0;
    cr_assert_eq(read(office->master[0], &what, 1), 1);
    return what;
}

Test(wish, of_a_reload_is_answered_when_it_has_ended)
{
    struct office *office = office_open();
    struct office_call call = office_call(office, "POST", "/v1/reload", "");
    cr_expect_eq(heard(office), HERITAGE_WISH_RELOAD);
    usleep(200000);
    int waiting = 0;
    cr_expect(ioctl(call.fd, FIONREAD, &waiting) == 0 && waiting == 0, "it is answered too early");
    version_set_reload(office->segment, "");
    cr_expect_eq(office_hear(office, &call), 200);
    SAYS(office, "\"ok\":true");
    /* What an earlier one said is not taken for the answer. */
    call = office_call(office, "POST", "/v1/reload", "");
    cr_expect_eq(heard(office), HERITAGE_WISH_RELOAD);
    version_set_reload(office->segment, "sub2api.ini:3: \"head_timeout\" is no time");
    cr_expect_eq(office_hear(office, &call), 422);
    SAYS(office, "\"code\":\"reload_refused\"");
    SAYS(office, "sub2api.ini:3: \\\"head_timeout\\\" is no time");
    office_close(office);
}

Test(wish, of_an_admin_who_hangs_up_is_forgotten)
{
    struct office *office = office_open();
    struct office_call call = office_call(office, "POST", "/v1/reload", "");
    cr_expect_eq(heard(office), HERITAGE_WISH_RELOAD);
    cr_assert(kill(call.pid, SIGKILL) == 0);
    cr_assert_eq(tempdir_wait(call.pid), 128 + SIGKILL);
    close(call.fd);
    EXPECT(office, 200, "GET", "/v1/status", "");
    version_set_reload(office->segment, "");
    usleep(150000); /* the recorder looks: nobody is there to be told */
    EXPECT(office, 200, "GET", "/v1/status", "");
    office_close(office);
}

Test(wish, to_stop_is_passed_on)
{
    struct office *office = office_open();
    EXPECT(office, 202, "POST", "/v1/stop", "");
    cr_expect_eq(heard(office), HERITAGE_WISH_STOP);
    EXPECT(office, 404, "GET", "/v1/stop", "");
    EXPECT(office, 404, "GET", "/v1/reload", "");
    office_close(office);
}

Test(wish, without_a_master_is_refused)
{
    struct office *office = office_open();
    EXPECT(office, 200, "GET", "/v1/status", "");
    close(office->master[0]);
    EXPECT(office, 503, "POST", "/v1/stop", "");
    EXPECT(office, 503, "POST", "/v1/reload", "");
    SAYS(office, "The master does not listen");
    office_close(office);
}

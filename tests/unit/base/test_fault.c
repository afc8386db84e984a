/* Named points: only where and when they are asked for. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"

Test(fault, does_nothing_unless_asked)
{
    fault_set(NULL);
    FAULT("here.now");
    fault_set("there.now=abort");
    FAULT("here.now");
}

Test(fault, aborts_at_the_nth_passage, .signal = SIGABRT)
{
    fault_set("a.b=sleep1,here.now:3=abort");
    FAULT("here.now");
    FAULT("here.now");
    fault_set("here.now:2=abort");
    FAULT("here.now");
    FAULT("here.now");
}

Test(fault, kills_and_reads_the_environment_once, .signal = SIGKILL)
{
    setenv("SUB2API_FAULT", "here.now=kill", 1);
    FAULT("there.now");
    setenv("SUB2API_FAULT", "", 1);
    FAULT("here.now");
}

Test(fault, sleeps_once)
{
    fault_set("here.now=sleep300");
    uint64_t start_ms = clock_now_ms();
    FAULT("here.now");
    cr_expect(clock_now_ms() - start_ms >= 299);
    start_ms = clock_now_ms();
    FAULT("here.now");
    cr_expect(clock_now_ms() - start_ms < 299);
}

Test(fault, fails_at_the_nth_passage_and_only_there)
{
    fault_set("here.now:2=fail,there.now=sleep1");
    cr_expect(!FAULT_FAILS("here.now"));
    cr_expect(!FAULT_FAILS("there.now"));
    cr_expect(FAULT_FAILS("here.now"));
    cr_expect(!FAULT_FAILS("here.now"));
}

Test(fault, fails_as_long_as_a_file_exists)
{
    char path[] = "/tmp/test_fault.XXXXXX";
    char spec[64];
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    snprintf(spec, sizeof spec, "here.now=fail@%s", path);
    fault_set(spec);
    cr_expect(FAULT_FAILS("here.now"));
    cr_expect(FAULT_FAILS("here.now"));
    cr_expect(!FAULT_FAILS("there.now"));
    unlink(path);
    cr_expect(!FAULT_FAILS("here.now"));
}

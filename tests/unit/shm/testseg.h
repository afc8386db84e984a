/*
 * testseg.h - a small segment with eventfds for a test, and children that end for sure.
 *
 * Runs in: unit tests of shm.
 */
#ifndef TESTS_UNIT_SHM_TESTSEG_H
#define TESTS_UNIT_SHM_TESTSEG_H

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/limits.h"
#include "shm/segment.h"
#include "shm/slot.h"

struct testseg {
    struct segment segment;
    char path[64];
    int fds[SLOTS_MAX];
};

static inline void
testseg_make_for(struct testseg *test, uint32_t slots, uint32_t leases, uint32_t gates,
                 uint32_t cells, uint32_t accounts)
{
    snprintf(test->path, sizeof test->path, "/dev/shm/sub2api-test-%d", (int)getpid());
    struct segment_want want = { slots, slots / 2, leases, gates, cells, accounts, 1024, "test" };
    char why[SEGMENT_WHY_BYTES] = "";
    segment_remove(test->path);
    enum err err = segment_create(test->path, &want, &test->segment, why);
    cr_assert(err == ERR_OK, "%s", why);
    /* The mapping stays; a test that dies leaves no file behind. */
    segment_remove(test->path);
    for (uint32_t i = 0; i < slots; i++) {
        test->fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        cr_assert(test->fds[i] >= 0);
    }
    test->segment.wake_fds = test->fds;
}

static inline void
testseg_make(struct testseg *test, uint32_t slots, uint32_t leases, uint32_t gates, uint32_t cells)
{
    testseg_make_for(test, slots, leases, gates, cells, 16);
}

static inline uint32_t
testseg_slot(struct testseg *test, enum slot_kind kind)
{
    uint32_t slot = SLOT_NONE;
    enum err err = slot_assign(&test->segment, kind, 0, 1, &slot);
    cr_assert(err == ERR_OK);
    return slot;
}

/* A slot that this very process has entered. */
static inline uint32_t
testseg_active(struct testseg *test, enum slot_kind kind)
{
    uint32_t slot = testseg_slot(test, kind);
    slot_enter(&test->segment, slot, clock_now_ms());
    return slot;
}

/* In the child: dies with the test, leaves no core. */
static inline void
testseg_child(void)
{
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGABRT, SIG_DFL);
}

/* Runs `fn` in a child under a fault plan (NULL: none); true when it was killed by a signal. */
static inline bool
testseg_dies(const char *fault, void (*fn)(void *context), void *context)
{
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        testseg_child();
#ifdef FAULTS_ON
        fault_set(fault);
#endif
        fn(context);
        _exit(0);
    }
    int status;
    cr_assert(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status);
}

#endif

/*
 * fault.c - see fault.h. Empty unless the build asks for faults.
 *
 * Runs in: every process of a test build.
 */
#include "base/fault.h"

/* A translation unit must declare something, also in a release. */
extern int fault_unused;

#ifdef FAULTS_ON

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FAULT_SPEC_BYTES 1024u
#define FAULT_POINTS_MAX 16u
#define FAULT_NAME_BYTES 64u
#define FAULT_FILE_BYTES 256u

enum fault_act { FAULT_ABORT, FAULT_KILL, FAULT_SLEEP, FAULT_FAIL };

struct fault_plan {
    char name[FAULT_NAME_BYTES];
    enum fault_act act;
    unsigned long left; /* passages until it acts; 0 = done */
    unsigned long sleep_ms;
    char file[FAULT_FILE_BYTES]; /* not empty: at every passage while it exists */
};

static struct fault_plan fault_plans[FAULT_POINTS_MAX];
static uint32_t fault_count;
static bool fault_is_read;

/* "name[:nth]=act"; a part that says nothing sensible ends the test run loudly. */
static void
plan_parse(struct fault_plan *plan, char *part)
{
    char *act = strchr(part, '=');
    if (act == NULL || act == part) {
        abort();
    }
    *act++ = '\0';
    plan->left = 1;
    plan->file[0] = '\0';
    char *file = strchr(act, '@');
    if (file != NULL) {
        *file++ = '\0';
        if (strlen(file) >= FAULT_FILE_BYTES) {
            abort();
        }
        memcpy(plan->file, file, strlen(file) + 1u);
    }
    char *nth = strchr(part, ':');
    if (nth != NULL) {
        *nth++ = '\0';
        plan->left = strtoul(nth, NULL, 10);
    }
    if (strlen(part) >= FAULT_NAME_BYTES) {
        abort();
    }
    memcpy(plan->name, part, strlen(part) + 1u);
    if (strcmp(act, "abort") == 0) {
        plan->act = FAULT_ABORT;
    } else if (strcmp(act, "kill") == 0) {
        plan->act = FAULT_KILL;
    } else if (strcmp(act, "fail") == 0) {
        plan->act = FAULT_FAIL;
    } else if (strncmp(act, "sleep", 5) == 0) {
        plan->act = FAULT_SLEEP;
        plan->sleep_ms = strtoul(act + 5, NULL, 10);
    } else {
        abort();
    }
}

void
fault_set(const char *spec)
{
    fault_is_read = true;
    fault_count = 0;
    if (spec == NULL) {
        return;
    }
    char copy[FAULT_SPEC_BYTES];
    if (strlen(spec) >= sizeof copy) {
        abort();
    }
    memcpy(copy, spec, strlen(spec) + 1u);
    char *rest = NULL;
    for (char *part = strtok_r(copy, ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest)) {
        if (fault_count == FAULT_POINTS_MAX) {
            abort();
        }
        plan_parse(&fault_plans[fault_count++], part);
    }
}

static void
plan_act(const struct fault_plan *plan)
{
    switch (plan->act) {
    case FAULT_ABORT:
        abort();
    case FAULT_KILL:
        kill(getpid(), SIGKILL);
        break;
    case FAULT_SLEEP: {
        struct timespec time = { (time_t)(plan->sleep_ms / 1000u),
                                 (long)(plan->sleep_ms % 1000u) * 1000000L };
        nanosleep(&time, NULL);
        break;
    }
    case FAULT_FAIL:
        break; /* the caller's to do */
    }
}

static bool
is_time(struct fault_plan *plan, const char *name)
{
    if (strcmp(plan->name, name) != 0) {
        return false;
    }
    if (plan->file[0] != '\0') {
        return access(plan->file, F_OK) == 0;
    }
    return plan->left > 0 && --plan->left == 0;
}

bool
fault_fails(const char *name)
{
    bool fails = false;
    if (!fault_is_read) {
        fault_set(getenv("SUB2API_FAULT"));
    }
    for (uint32_t i = 0; i < fault_count; i++) {
        struct fault_plan *plan = &fault_plans[i];
        if (is_time(plan, name)) {
            plan_act(plan);
            fails = fails || plan->act == FAULT_FAIL;
        }
    }
    return fails;
}

#endif

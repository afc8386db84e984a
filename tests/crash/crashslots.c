/*
 * crashslots.c - see crash.h: how long a dead process's slots stay held.
 *
 * The admin socket compares every gate's columns with the leases that name it. From the kill on it
 * is asked again and again, while the clients go on: at the first answer that has no column of the
 * dead and no gate that differs, what is held is what the living hold.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crash/crash.h"

#define AIM_MS 100u     /* what is promised on an idle machine */
#define MEDIAN_MS 1000u /* ten times that: sanitizers, 96 clients, and whatever else runs here */
#define KILLS_MAX 2048u

struct times {
    const char *what;
    unsigned ms[KILLS_MAX];
    unsigned count;
};

/* Without the recorder nobody sweeps: then its own replacement is part of the time. */
static struct times swept = { .what = "a worker died" };
static struct times reborn = { .what = "the recorder died too" };

void
crashslots_begin(void)
{
    swept.count = 0;
    reborn.count = 0;
}

/* NULL when the gates hold what the leases of the living say. */
static const char *
what_differs(const pid_t *dead, unsigned count)
{
    const char *text = crashproc_admin("/v1/slots");
    if (text == NULL) {
        return "the admin socket does not answer";
    }
    for (unsigned i = 0; i < count; i++) {
        if (strstr(text, play_text("\"pid\":%d,", (int)dead[i])) != NULL) {
            return play_text("process %d, which is dead, holds slots", (int)dead[i]);
        }
    }
    if (strstr(text, "\"line\":\"ok\"") == NULL) {
        return play_text("the gates differ from the leases: %.1500s", text);
    }
    return NULL;
}

void
crashslots_watch(const pid_t *dead, unsigned count, bool has_recorder)
{
    struct times *times = has_recorder ? &swept : &reborn;
    uint64_t killed_ms = play_now_ms();
    const char *why = what_differs(dead, count);
    while (why != NULL && play_now_ms() - killed_ms < CRASH_BACK_MS) {
        crashload_run(0);
        why = what_differs(dead, count);
    }
    PLAY_CHECK(why == NULL, "%u ms after a kill: %s", CRASH_BACK_MS, why);
    if (times->count < KILLS_MAX) {
        times->ms[times->count++] = (unsigned)(play_now_ms() - killed_ms);
    }
}

static int
compare(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a;
    unsigned y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

/* So many percent of the sorted times are not longer. */
static unsigned
share_of(const struct times *times, unsigned percent)
{
    return times->ms[(times->count * percent + 99) / 100 - 1];
}

static unsigned
report(struct times *times)
{
    if (times->count == 0) {
        return 0;
    }
    qsort(times->ms, times->count, sizeof(times->ms[0]), compare);
    unsigned median = share_of(times, 50);
    unsigned in_time = 0;
    while (in_time < times->count && times->ms[in_time] <= AIM_MS) {
        in_time++;
    }
    fprintf(stderr,
            "note slots == leases after %s, %u times: p50 %u ms, p99 %u ms, longest %u ms; %u "
            "within %u ms\n",
            times->what, times->count, median, share_of(times, 99), share_of(times, 100), in_time,
            AIM_MS);
    return median;
}

void
crashslots_check(void)
{
    unsigned median = report(&swept);
    (void)report(&reborn);
    PLAY_CHECK(median <= MEDIAN_MS, "a dead worker's slots stay held for %u ms: the aim is %u",
               median, AIM_MS);
}

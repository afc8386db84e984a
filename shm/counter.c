/*
 * counter.c - see counter.h.
 *
 * Runs in: every process with a slot; admin.
 */
#include "shm/counter.h"

#include "base/check.h"
#include "base/str.h"

#define COUNTER_NAME_BYTES 32u

static const struct {
    char name[COUNTER_NAME_BYTES];
    const char *text;
} counter_rows[] = {
#define COUNTER_ROW(name, text) { #name, text },
    COUNTER_ROWS(COUNTER_ROW)
#undef COUNTER_ROW
};

_Static_assert(sizeof counter_rows / sizeof counter_rows[0] == COUNTERS, "one row a counter");

void
counter_set(struct segment *segment, uint32_t slot, enum counter counter, uint64_t count)
{
    CHECK(slot < segment->slots);
    CHECK((uint32_t)counter < COUNTERS);
    atomic_store_explicit(&segment->counter_rows[slot].counts[counter], count,
                          memory_order_relaxed);
}

uint64_t
counter_of(const struct segment *segment, uint32_t slot, enum counter counter)
{
    CHECK(slot < segment->slots);
    CHECK((uint32_t)counter < COUNTERS);
    return atomic_load_explicit(&segment->counter_rows[slot].counts[counter], memory_order_relaxed);
}

uint64_t
counter_sum(const struct segment *segment, enum counter counter)
{
    uint64_t sum = 0;
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        sum += counter_of(segment, slot, counter);
    }
    return sum;
}

const char *
counter_text(enum counter counter)
{
    CHECK((uint32_t)counter < COUNTERS);
    return counter_rows[counter].text;
}

const char *
counter_name(enum counter counter)
{
    static char names[COUNTERS][COUNTER_NAME_BYTES];
    CHECK((uint32_t)counter < COUNTERS);
    char *name = names[counter];
    for (uint32_t i = 0; i < COUNTER_NAME_BYTES; i++) {
        name[i] = str_lower(counter_rows[counter].name[i]);
    }
    return name;
}

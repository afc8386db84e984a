/*
 * slot.c - see slot.h; set_state() is the only door between states.
 *
 * Runs in: master, every child, recorder, admin.
 */
#include "shm/slot.h"

#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "shm/budget.h"
#include "shm/gate.h"
#include "shm/job.h"
#include "shm/lease.h"
#include "shm/names.h"
#include "shm/wake.h"
#include "shm/window.h"

static const struct {
    const char *text;
    uint32_t next;
} state_rows[SLOT_STATES] = {
#define SLOT_ROW(name, text, next) { text, next },
    SLOT_STATE_ROWS(SLOT_ROW)
#undef SLOT_ROW
};

static const char *const kind_texts[SLOT_KINDS] = { "worker", "recorder", "keeper", "exporter" };

static struct slot *
row(const struct segment *segment, uint32_t slot)
{
    CHECK(slot < segment->slots);
    return &segment->slot_rows[slot];
}

bool
slot_may_go(enum slot_state from, enum slot_state to)
{
    CHECK((uint32_t)from < SLOT_STATES && (uint32_t)to < SLOT_STATES);
    return (state_rows[from].next & (1u << to)) != 0;
}

enum slot_state
slot_state(const struct segment *segment, uint32_t slot)
{
    uint32_t state = atomic_load(&row(segment, slot)->state);
    CHECK(state < SLOT_STATES);
    return (enum slot_state)state;
}

static void
set_state(struct segment *segment, uint32_t slot, enum slot_state to)
{
    enum slot_state from = slot_state(segment, slot);
    CHECK(slot_may_go(from, to));
    atomic_store(&row(segment, slot)->state, (uint32_t)to);
}

/* A slot that nobody has; SLOT_NONE: there is none. */
static uint32_t
find_free(const struct segment *segment)
{
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        if (slot_state(segment, slot) == SLOT_FREE) {
            return slot;
        }
    }
    return SLOT_NONE;
}

/*
 * When the dead have all slots, only a recorder can free them, and it needs one itself: that of the
 * recorder before it. With no recorder alive nobody else sweeps, so the caller may.
 */
static uint32_t
take_over(struct segment *segment)
{
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        if (slot_state(segment, slot) == SLOT_DEAD &&
            atomic_load(&row(segment, slot)->kind) == SLOT_RECORDER &&
            slot_of_kind(segment, SLOT_RECORDER) == SLOT_NONE &&
            slot_sweep(segment, slot) == ERR_OK) {
            return slot;
        }
    }
    return SLOT_NONE;
}

enum err
slot_assign(struct segment *segment, enum slot_kind kind, uint32_t worker, uint32_t generation,
            uint32_t *out_slot)
{
    CHECK((uint32_t)kind < SLOT_KINDS);
    uint32_t slot = find_free(segment);
    if (slot == SLOT_NONE && kind == SLOT_RECORDER) {
        slot = take_over(segment);
    }
    if (slot != SLOT_NONE) {
        struct slot *it = row(segment, slot);
        atomic_store(&it->kind, (uint32_t)kind);
        atomic_store(&it->worker, worker);
        atomic_store(&it->generation, generation);
        atomic_store(&it->life, atomic_load(&it->life) + 1u);
        atomic_store(&it->pid, 0);
        atomic_store(&it->heartbeat_ms, 0);
        atomic_store(&it->started_ms, 0);
        memset(it->crash, 0, sizeof it->crash);
        set_state(segment, slot, SLOT_ASSIGNED);
        *out_slot = slot;
        return ERR_OK;
    }
    return ERR_FULL;
}

void
slot_enter(struct segment *segment, uint32_t slot, uint64_t now_ms)
{
    struct slot *it = row(segment, slot);
    atomic_store(&it->pid, (uint32_t)getpid());
    atomic_store(&it->started_ms, clock_wall_ms());
    atomic_store(&it->heartbeat_ms, now_ms);
    FAULT("slot.before_active");
    set_state(segment, slot, SLOT_ACTIVE);
    /* A poke meant for our predecessor in this slot must not silence those meant for us. */
    wake_clear(segment, slot);
}

void
slot_beat(struct segment *segment, uint32_t slot, uint64_t now_ms)
{
    atomic_store_explicit(&row(segment, slot)->heartbeat_ms, now_ms, memory_order_relaxed);
}

void
slot_drain(struct segment *segment, uint32_t slot)
{
    set_state(segment, slot, SLOT_DRAINING);
}

bool
slot_leave(struct segment *segment, uint32_t slot)
{
    enum slot_state state = slot_state(segment, slot);
    CHECK(state == SLOT_ACTIVE || state == SLOT_DRAINING);
    if (lease_count(segment, slot) > 0 || !gate_is_clean(segment, slot)) {
        return false;
    }
    FAULT("slot.before_left");
    set_state(segment, slot, SLOT_LEFT);
    return true;
}

void
slot_crash(struct segment *segment, uint32_t slot, const char *text)
{
    /* Called while everything is wrong already: no CHECK may fail in here. */
    if (slot >= segment->slots || text == NULL) {
        return;
    }
    char *to = segment->slot_rows[slot].crash;
    size_t bytes = strnlen(text, CRASH_TEXT_BYTES - 1u);
    memcpy(to, text, bytes);
    to[bytes] = '\0';
}

bool
slot_reap(struct segment *segment, uint32_t slot)
{
    enum slot_state state = slot_state(segment, slot);
    CHECK(state != SLOT_FREE && state != SLOT_DEAD);
    if (state == SLOT_LEFT) {
        set_state(segment, slot, SLOT_FREE);
        return true;
    }
    set_state(segment, slot, SLOT_DEAD);
    return false;
}

enum err
slot_sweep(struct segment *segment, uint32_t slot)
{
    CHECK(slot_state(segment, slot) == SLOT_DEAD);
    if (lease_count(segment, slot) > 0) {
        return ERR_AGAIN;
    }
    /* Each step may be done twice; only the last one says that all are done. */
    gate_sweep(segment, slot);
    FAULT("slot.between_sweeps");
    budget_sweep(segment, slot);
    window_sweep(segment, slot);
    names_sweep(segment, slot);
    struct slot *it = row(segment, slot);
    if (atomic_load(&it->kind) == SLOT_KEEPER) {
        job_keeper_died(segment, slot);
    }
    atomic_store(&it->ends_wanted, 0);
    /* It may have died between setting somebody's flag and ringing the bell. */
    wake_all(segment);
    FAULT("slot.before_free");
    set_state(segment, slot, SLOT_FREE);
    return ERR_OK;
}

void
slot_read(const struct segment *segment, uint32_t slot, struct slot_view *out)
{
    const struct slot *it = row(segment, slot);
    out->state = slot_state(segment, slot);
    out->kind = (enum slot_kind)(atomic_load(&it->kind) % SLOT_KINDS);
    out->worker = atomic_load(&it->worker);
    out->generation = atomic_load(&it->generation);
    out->pid = atomic_load(&it->pid);
    out->life = atomic_load(&it->life);
    out->started_ms = atomic_load(&it->started_ms);
    out->heartbeat_ms = atomic_load(&it->heartbeat_ms);
    memcpy(out->crash, it->crash, sizeof out->crash);
    out->crash[sizeof out->crash - 1u] = '\0';
}

uint32_t
slot_of_kind(const struct segment *segment, enum slot_kind kind)
{
    uint32_t best = SLOT_NONE;
    uint32_t best_rank = 0;
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        const struct slot *it = row(segment, slot);
        if (atomic_load_explicit(&it->kind, memory_order_relaxed) != (uint32_t)kind) {
            continue;
        }
        enum slot_state state = slot_state(segment, slot);
        /* One that works before one that is about to, before one that is about to go. */
        uint32_t rank = state == SLOT_ACTIVE     ? 3u
                        : state == SLOT_ASSIGNED ? 2u
                        : state == SLOT_DRAINING ? 1u
                                                 : 0u;
        uint32_t generation = atomic_load_explicit(&it->generation, memory_order_relaxed);
        if (rank > best_rank || (rank != 0 && rank == best_rank &&
                                 generation > atomic_load_explicit(&row(segment, best)->generation,
                                                                   memory_order_relaxed))) {
            best = slot;
            best_rank = rank;
        }
    }
    return best;
}

const char *
slot_state_text(enum slot_state state)
{
    CHECK((uint32_t)state < SLOT_STATES);
    return state_rows[state].text;
}

const char *
slot_kind_text(enum slot_kind kind)
{
    CHECK((uint32_t)kind < SLOT_KINDS);
    return kind_texts[kind];
}

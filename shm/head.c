/*
 * head.c - see head.h.
 *
 * Runs in: worker, keeper, recorder (sweep).
 */
#include "shm/head.h"

#include "base/check.h"
#include "base/limits.h"
#include "shm/gate.h"
#include "shm/slot.h"
#include "shm/wake.h"

static const struct gate_cell *
row_of(const struct segment *segment, uint32_t gate)
{
    CHECK(gate < segment->gates);
    return &segment->gate_cells[(size_t)gate * segment->stride];
}

uint32_t
head_after(const struct segment *segment, uint32_t gate, uint64_t after_ns, uint32_t after_slot,
           uint64_t *out_head_ns)
{
    const struct gate_cell *row = row_of(segment, gate);
    uint32_t slots = segment->slots;
    uint32_t best = UINT32_MAX;
    uint64_t best_ns = UINT64_MAX;
    for (uint32_t slot = 0; slot < slots; slot++) {
        uint64_t head_ns = atomic_load(&row[slot].head_ns);
        if (head_ns == 0) {
            continue; /* nearly always: nobody of that slot waits here */
        }
        bool is_behind = head_ns > after_ns || (head_ns == after_ns && slot > after_slot);
        if (is_behind && head_ns < best_ns) {
            best = slot;
            best_ns = head_ns;
        }
    }
    *out_head_ns = best_ns;
    return best;
}

void
head_wake(struct segment *segment, uint32_t gate)
{
    uint64_t head_ns;
    uint32_t slot = head_after(segment, gate, 0, 0, &head_ns);
    wake_poke(segment, slot);
}

bool
head_is_older(const struct segment *segment, uint32_t gate, uint64_t arrived_ns, uint32_t except)
{
    const struct gate_cell *row = row_of(segment, gate);
    uint32_t slots = segment->slots;
    for (uint32_t slot = 0; slot < slots; slot++) {
        uint64_t head_ns = atomic_load(&row[slot].head_ns);
        if (head_ns != 0 && slot != except && (arrived_ns == 0 || head_ns < arrived_ns)) {
            return true;
        }
    }
    return false;
}

/* The oldest of all first. Sorting by insertion: there are few. */
void
head_wake_each(struct segment *segment, uint32_t gate, const uint32_t *also, uint32_t also_count)
{
    CHECK(also_count <= GROUPS_PER_ACCOUNT_MAX);
    uint64_t heads[GROUPS_PER_ACCOUNT_MAX + 1u];
    uint32_t slots[GROUPS_PER_ACCOUNT_MAX + 1u];
    uint32_t count = 0;
    for (uint32_t i = 0; i <= also_count; i++) {
        uint32_t which = i == 0 ? gate : also[i - 1u];
        if (which == GATE_INDEX_NONE) {
            continue;
        }
        uint64_t head_ns;
        uint32_t slot = head_after(segment, which, 0, 0, &head_ns);
        if (slot == UINT32_MAX) {
            continue;
        }
        uint32_t at = count++;
        for (; at > 0 && heads[at - 1u] > head_ns; at--) {
            heads[at] = heads[at - 1u];
            slots[at] = slots[at - 1u];
        }
        heads[at] = head_ns;
        slots[at] = slot;
    }
    for (uint32_t i = 0; i < count; i++) {
        wake_poke(segment, slots[i]);
    }
}

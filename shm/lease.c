/*
 * lease.c - see lease.h.
 *
 * Runs in: worker, recorder (orphans), admin (read).
 */
#include "shm/lease.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "shm/slot.h"
#include "shm/wake.h"

#define LEASE_READ_TRIES 16u
/* A request's number: slot, life of the slot, count within that life. Unique in a run. */
#define LEASE_SLOT_SHIFT 56u
#define LEASE_LIFE_SHIFT 32u
#define LEASE_LIFE_MASK 0xffffffu

static const char *const action_texts[] = {
#define LEASE_TEXT(name, text) text,
    LEASE_ACTION_ROWS(LEASE_TEXT)
#undef LEASE_TEXT
};

_Static_assert(sizeof action_texts / sizeof action_texts[0] == LEASE_ACTIONS, "one text each");
_Static_assert(SLOTS_MAX <= 256, "a slot fits a number's top byte");

/* Single words of a plain struct that others may read meanwhile: whole or not at all. */
#define LEASE_STORE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

static struct lease *
row(const struct segment *segment, uint32_t slot, uint32_t index)
{
    CHECK(slot < segment->slots && index < segment->leases);
    return &segment->lease_rows[(size_t)slot * segment->leases + index];
}

static enum lease_state
state_of(const struct lease *lease)
{
    return (enum lease_state)atomic_load(&lease->state);
}

/* Ours and held: every function of the owner begins with it. */
static struct lease *
own(const struct lease_local *local, uint32_t index)
{
    CHECK(index < local->row_count);
    struct lease *lease = &local->rows[index];
    CHECK(atomic_load_explicit(&lease->state, memory_order_relaxed) == LEASE_HELD);
    return lease;
}

static uint32_t
high_of(const struct segment *segment, uint32_t slot)
{
    CHECK(slot < segment->slots);
    uint32_t high = atomic_load(&segment->slot_rows[slot].lease_high);
    return high < segment->leases ? high : segment->leases;
}

enum err
lease_init(struct lease_local *local, struct segment *segment, uint32_t slot)
{
    CHECK(slot < segment->slots);
    memset(local, 0, sizeof *local);
    local->segment = segment;
    local->slot = slot;
    local->rows = row(segment, slot, 0);
    local->row_count = segment->leases;
    local->free_list = malloc(segment->leases * sizeof *local->free_list);
    if (local->free_list == NULL) {
        return ERR_FULL;
    }
    /* The lowest is on top, so that only as many records are ever touched as were out at once. */
    for (uint32_t i = 0; i < segment->leases; i++) {
        local->free_list[i] = segment->leases - 1u - i;
    }
    local->free_count = segment->leases;
    uint64_t life = atomic_load(&segment->slot_rows[slot].life) & LEASE_LIFE_MASK;
    local->last_number = ((uint64_t)slot << LEASE_SLOT_SHIFT) | (life << LEASE_LIFE_SHIFT);
    return ERR_OK;
}

void
lease_fini(struct lease_local *local)
{
    CHECK(local->held == 0);
    free(local->free_list);
    local->free_list = NULL;
}

enum err
lease_take(struct lease_local *local, const struct lease_data *data, uint32_t *out_index)
{
    if (local->free_count == 0) {
        return ERR_FULL;
    }
    uint32_t index = local->free_list[--local->free_count];
    struct lease *lease = row(local->segment, local->slot, index);
    CHECK(state_of(lease) == LEASE_FREE);
    struct slot *slot = &local->segment->slot_rows[local->slot];
    if (index >= atomic_load_explicit(&slot->lease_high, memory_order_relaxed)) {
        atomic_store(&slot->lease_high, index + 1u);
    }
    guard_write_begin(&lease->guard);
    lease->data = *data;
    guard_write_end(&lease->guard);
    atomic_store(&lease->action, LEASE_BODY);
    atomic_store(&lease->ring_sequence, 0);
    atomic_store(&lease->wanted_end, 0);
    atomic_store(&lease->number, ++local->last_number);
    FAULT("lease.before_held");
    atomic_store(&lease->state, LEASE_HELD);
    FAULT("lease.after_held");
    local->held++;
    *out_index = index;
    return ERR_OK;
}

struct lease_data *
lease_edit(struct lease_local *local, uint32_t index)
{
    struct lease *lease = own(local, index);
    CHECK((atomic_load_explicit(&lease->guard.word, memory_order_relaxed) & 1u) == 0);
    guard_write_begin(&lease->guard);
    FAULT("lease.mid_edit");
    return &lease->data;
}

void
lease_done(struct lease_local *local, uint32_t index)
{
    struct lease *lease = own(local, index);
    CHECK((atomic_load_explicit(&lease->guard.word, memory_order_relaxed) & 1u) == 1);
    guard_write_end(&lease->guard);
}

const struct lease_data *
lease_mine(const struct lease_local *local, uint32_t index)
{
    return &own(local, index)->data;
}

void
lease_set_action(struct lease_local *local, uint32_t index, enum lease_action action)
{
    CHECK((uint32_t)action < LEASE_ACTIONS);
    atomic_store_explicit(&own(local, index)->action, (uint32_t)action, memory_order_relaxed);
}

void
lease_add_bytes(struct lease_local *local, uint32_t index, uint64_t in, uint64_t out,
                uint64_t now_ms)
{
    struct lease_data *data = &own(local, index)->data;
    if (in != 0) {
        LEASE_STORE(data->bytes_in, data->bytes_in + in);
    }
    if (out != 0) {
        LEASE_STORE(data->bytes_out, data->bytes_out + out);
        LEASE_STORE(data->last_byte_ms, now_ms);
    }
}

void
lease_set_tokens(struct lease_local *local, uint32_t index, const struct lease_tokens *tokens)
{
    struct lease *lease = own(local, index);
    guard_write_begin(&lease->guard);
    lease->data.tokens = *tokens;
    guard_write_end(&lease->guard);
}

/* Note, push, free: in this order, so that at any death the record is there once. */
static uint64_t
record_and_free(struct lease *lease, struct ring_local *ring, const void *record)
{
    uint64_t sequence = ring_next(ring->segment, ring->slot);
    atomic_store(&lease->ring_sequence, sequence + 1u);
    FAULT("lease.after_note");
    uint64_t pushed = ring_push(ring, record);
    CHECK(pushed == sequence);
    FAULT("lease.after_push");
    atomic_store(&lease->state, LEASE_FREE);
    return sequence;
}

void
lease_settle(struct lease_local *local, uint32_t index, struct ring_local *ring, const void *record,
             uint64_t *out_sequence)
{
    struct lease *lease = own(local, index);
    CHECK(ring->segment == local->segment && ring->slot == local->slot);
    CHECK(local->held > 0 && local->free_count < local->segment->leases);
    atomic_store_explicit(&lease->action, LEASE_SETTLING, memory_order_relaxed);
    uint64_t sequence = 0;
    if (record != NULL) {
        sequence = record_and_free(lease, ring, record);
    } else {
        ring_unreserve(ring, 1);
        atomic_store(&lease->state, LEASE_FREE);
    }
    local->held--;
    local->free_list[local->free_count++] = index;
    if (out_sequence != NULL) {
        *out_sequence = sequence;
    }
}

/* --- readers --- */

/* Texts may be torn when their writer died or was too quick; they end all the same. */
static void
end_texts(struct lease_data *data)
{
    data->request_id[sizeof data->request_id - 1u] = '\0';
    data->key_name[sizeof data->key_name - 1u] = '\0';
    data->account_name[sizeof data->account_name - 1u] = '\0';
    data->model[sizeof data->model - 1u] = '\0';
    data->model_sent[sizeof data->model_sent - 1u] = '\0';
    data->address[sizeof data->address - 1u] = '\0';
}

static void
copy_out(const struct lease *lease, struct lease_view *out)
{
    out->state = state_of(lease);
    out->action = (enum lease_action)(atomic_load(&lease->action) % LEASE_ACTIONS);
    out->number = atomic_load(&lease->number);
    out->is_ending = atomic_load(&lease->wanted_end) == out->number;
    memcpy(&out->data, &lease->data, sizeof out->data);
    end_texts(&out->data);
}

enum err
lease_read(const struct segment *segment, uint32_t slot, uint32_t index, struct lease_view *out)
{
    if (index >= high_of(segment, slot)) {
        return ERR_GONE;
    }
    const struct lease *lease = row(segment, slot, index);
    for (uint32_t i = 0; i < LEASE_READ_TRIES; i++) {
        if (state_of(lease) == LEASE_FREE) {
            return ERR_GONE;
        }
        uint64_t word = guard_read_begin(&lease->guard);
        uint64_t number = atomic_load(&lease->number);
        copy_out(lease, out);
        bool is_same = out->number == number && atomic_load(&lease->number) == number &&
                       out->state != LEASE_FREE;
        if (is_same && guard_read_ok(&lease->guard, word)) {
            return ERR_OK;
        }
    }
    /* The dead write no more: what is there is all there will be. */
    bool is_dead = segment->is_adopted || slot_state(segment, slot) == SLOT_DEAD;
    return is_dead ? ERR_OK : ERR_AGAIN;
}

uint32_t
lease_count(const struct segment *segment, uint32_t slot)
{
    uint32_t count = 0;
    uint32_t high = high_of(segment, slot);
    for (uint32_t index = 0; index < high; index++) {
        count += state_of(row(segment, slot, index)) != LEASE_FREE ? 1u : 0u;
    }
    return count;
}

/* --- ending from outside --- */

enum err
lease_want_end(struct segment *segment, uint64_t number)
{
    uint32_t slot = (uint32_t)(number >> LEASE_SLOT_SHIFT);
    if (slot >= segment->slots) {
        return ERR_GONE;
    }
    uint32_t high = high_of(segment, slot);
    for (uint32_t index = 0; index < high; index++) {
        struct lease *lease = row(segment, slot, index);
        if (state_of(lease) == LEASE_HELD && atomic_load(&lease->number) == number) {
            atomic_store(&lease->wanted_end, number);
            atomic_store(&segment->slot_rows[slot].ends_wanted, 1);
            wake_poke(segment, slot);
            return ERR_OK;
        }
    }
    return ERR_GONE;
}

void
lease_ends(struct lease_local *local, lease_end_fn fn, void *context)
{
    _Atomic uint32_t *wanted = &local->segment->slot_rows[local->slot].ends_wanted;
    if (atomic_load_explicit(wanted, memory_order_relaxed) == 0) {
        return;
    }
    atomic_exchange(wanted, 0); /* then look: a later wish sets it again */
    uint32_t high = high_of(local->segment, local->slot);
    for (uint32_t index = 0; index < high; index++) {
        struct lease *lease = row(local->segment, local->slot, index);
        if (state_of(lease) == LEASE_HELD &&
            atomic_load(&lease->wanted_end) == atomic_load(&lease->number)) {
            fn(index, context);
        }
    }
}

/* --- the dead --- */

/* Was the record that this lease noted published? Then only the freeing is missing. */
static bool
was_recorded(const struct segment *segment, uint32_t slot, const struct lease *lease)
{
    uint64_t noted = atomic_load(&lease->ring_sequence);
    return noted != 0 && ring_next(segment, slot) >= noted;
}

/*
 * First all notes, then any push: a note that was not followed by its push names the sequence that
 * our first push will get, and must not be taken for it afterwards.
 */
static uint32_t
clear_notes(struct segment *segment, uint32_t slot)
{
    uint32_t freed = 0;
    uint32_t high = high_of(segment, slot);
    for (uint32_t index = 0; index < high; index++) {
        struct lease *lease = row(segment, slot, index);
        if (state_of(lease) == LEASE_FREE) {
            continue;
        }
        if (was_recorded(segment, slot, lease)) {
            atomic_store(&lease->state, LEASE_FREE);
            freed++;
        } else {
            atomic_store(&lease->ring_sequence, 0);
            atomic_store(&lease->state, LEASE_ORPHAN);
        }
    }
    return freed;
}

uint32_t
lease_orphans(struct segment *segment, uint32_t slot, lease_orphan_fn fn, void *context)
{
    CHECK(segment->is_adopted || slot_state(segment, slot) == SLOT_DEAD);
    uint32_t freed = clear_notes(segment, slot);
    FAULT("lease.after_notes");
    struct ring_local ring;
    ring_init(&ring, segment, slot);
    uint32_t high = high_of(segment, slot);
    for (uint32_t index = 0; index < high; index++) {
        struct lease *lease = row(segment, slot, index);
        if (state_of(lease) == LEASE_FREE) {
            continue;
        }
        if (ring_reserve(&ring, 1) != ERR_OK) {
            break;
        }
        struct lease_view view;
        unsigned char record[RING_PAYLOAD_BYTES] = { 0 };
        copy_out(lease, &view);
        if (fn(&view, record, context)) {
            (void)record_and_free(lease, &ring, record);
        } else {
            ring_unreserve(&ring, 1);
            atomic_store(&lease->state, LEASE_FREE);
        }
        freed++;
    }
    return freed;
}

const char *
lease_action_text(enum lease_action action)
{
    CHECK((uint32_t)action < LEASE_ACTIONS);
    return action_texts[action];
}

const char *
lease_sticky_text(uint8_t sticky)
{
    static const char *const texts[LEASE_STICKIES] = {
#define LEASE_STICKY_TEXT(name, text) text,
        LEASE_STICKY_ROWS(LEASE_STICKY_TEXT)
#undef LEASE_STICKY_TEXT
    };
    return sticky < LEASE_STICKIES ? texts[sticky] : "";
}

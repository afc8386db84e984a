/*
 * session.c - see session.h. A table of short rows: a key may lie in any of the SESSION_WAYS
 * entries of its row.
 *
 * Runs in: worker, keeper.
 */
#include "shm/session.h"

#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/hash.h"

#define SESSION_WAYS 4u
_Static_assert(TLS_SESSIONS_MAX % SESSION_WAYS == 0, "whole rows");

static struct session_entry *
row_of(const struct segment *segment, uint64_t key)
{
    CHECK(key != 0);
    uint64_t row = hash_u64(&segment->hash_key, key) % (TLS_SESSIONS_MAX / SESSION_WAYS);
    return &segment->session_entries[row * SESSION_WAYS];
}

/* Of the words and the bytes: two writers at once (one of them stopped too long) are found out. */
static uint64_t
checksum_of(const struct segment *segment, uint64_t key, uint64_t stored_ms, uint64_t expires_ms,
            const void *data, size_t bytes)
{
    uint64_t words[3] = { key ^ (uint64_t)bytes, stored_ms, expires_ms };
    uint64_t sum = hash_bytes(&segment->hash_key, str_make((const char *)words, sizeof words));
    struct hash_key chained = { sum ^ segment->hash_key.k0, segment->hash_key.k1 };
    return hash_bytes(&chained, str_make(data, bytes));
}

static enum err
copy_out(const struct segment *segment, const struct session_entry *entry, uint64_t key,
         uint64_t now_ms, void *to, size_t to_bytes, size_t *out_bytes, uint64_t *out_stored_ms)
{
    uint64_t word = guard_read_begin(&entry->guard);
    uint64_t stored_ms = atomic_load(&entry->stored_ms);
    uint64_t expires_ms = atomic_load(&entry->expires_ms);
    size_t bytes = entry->bytes;
    uint64_t checksum = entry->checksum;
    if (expires_ms <= now_ms || bytes > to_bytes || bytes > sizeof entry->data) {
        return ERR_GONE;
    }
    memcpy(to, entry->data, bytes);
    bool is_same = atomic_load(&entry->key) == key && guard_read_ok(&entry->guard, word);
    if (!is_same || checksum_of(segment, key, stored_ms, expires_ms, to, bytes) != checksum) {
        return ERR_GONE;
    }
    *out_bytes = bytes;
    if (out_stored_ms != NULL) {
        *out_stored_ms = stored_ms;
    }
    return ERR_OK;
}

enum err
session_find(const struct segment *segment, uint64_t key, uint64_t now_ms, void *to,
             size_t to_bytes, size_t *out_bytes, uint64_t *out_stored_ms)
{
    const struct session_entry *row = row_of(segment, key);
    for (uint32_t way = 0; way < SESSION_WAYS; way++) {
        if (atomic_load(&row[way].key) == key) {
            return copy_out(segment, &row[way], key, now_ms, to, to_bytes, out_bytes,
                            out_stored_ms);
        }
    }
    return ERR_GONE;
}

/* The key's entry, else a free one, else an expired one, else the oldest. */
static struct session_entry *
choose(const struct segment *segment, uint64_t key, uint64_t now_ms)
{
    struct session_entry *row = row_of(segment, key);
    struct session_entry *best = &row[0];
    uint64_t best_ms = UINT64_MAX;
    for (uint32_t way = 0; way < SESSION_WAYS; way++) {
        uint64_t there = atomic_load(&row[way].key);
        if (there == key) {
            return &row[way];
        }
        bool is_free = there == 0 || atomic_load(&row[way].expires_ms) <= now_ms;
        uint64_t age_ms = is_free ? 0 : atomic_load(&row[way].stored_ms);
        if (age_ms < best_ms) {
            best = &row[way];
            best_ms = age_ms;
        }
    }
    return best;
}

enum err
session_put(struct segment *segment, uint32_t slot, uint64_t key, const void *data, size_t bytes,
            uint64_t now_ms, uint64_t expires_ms)
{
    CHECK(slot < segment->slots);
    if (bytes > TLS_SESSION_BYTES_MAX) {
        return ERR_FULL;
    }
    struct session_entry *entry = choose(segment, key, now_ms);
    if (!guard_claim(&entry->claim, slot, now_ms)) {
        return ERR_AGAIN;
    }
    guard_write_begin(&entry->guard);
    atomic_store(&entry->key, key);
    atomic_store(&entry->stored_ms, now_ms);
    atomic_store(&entry->expires_ms, expires_ms);
    entry->bytes = (uint32_t)bytes;
    FAULT("session.mid_put");
    memcpy(entry->data, data, bytes);
    entry->checksum = checksum_of(segment, key, now_ms, expires_ms, data, bytes);
    guard_write_end(&entry->guard);
    guard_leave(&entry->claim);
    return ERR_OK;
}

void
session_drop(struct segment *segment, uint32_t slot, uint64_t key, uint64_t now_ms)
{
    CHECK(slot < segment->slots);
    struct session_entry *row = row_of(segment, key);
    for (uint32_t way = 0; way < SESSION_WAYS; way++) {
        struct session_entry *entry = &row[way];
        if (atomic_load(&entry->key) != key || !guard_claim(&entry->claim, slot, now_ms)) {
            continue;
        }
        guard_write_begin(&entry->guard);
        atomic_store(&entry->key, 0);
        /* Keys to somebody's traffic: not kept longer than they are of use. */
        memset(entry->data, 0, sizeof entry->data);
        guard_write_end(&entry->guard);
        guard_leave(&entry->claim);
    }
}

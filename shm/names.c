/*
 * names.c - see names.h. A table of short rows: a host may lie in any of the NAMES_WAYS entries of
 * its row; when all are taken, the one that was resolved longest ago gives way.
 *
 * Runs in: worker, keeper, recorder (sweep), admin.
 */
#include "shm/names.h"

#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/hash.h"
#include "shm/slot.h"
#include "shm/wake.h"

#define NAMES_WAYS 8u
#define NAMES_READ_TRIES 16u
_Static_assert(NAMES_MAX % NAMES_WAYS == 0, "whole rows");

/* Lower case without the final dot, as all are kept. */
static bool
normalize(struct str host, char out[NAME_HOST_BYTES])
{
    if (host.len > 1 && host.data[host.len - 1u] == '.') {
        host.len--;
    }
    memset(out, 0, NAME_HOST_BYTES);
    if (host.len == 0 || host.len > 253u) {
        return false;
    }
    for (size_t i = 0; i < host.len; i++) {
        char c = str_lower(host.data[i]);
        bool is_good =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
        if (!is_good) {
            return false;
        }
        out[i] = c;
    }
    return true;
}

static struct name_entry *
row_of(const struct segment *segment, const char *host)
{
    uint64_t row = hash_bytes(&segment->hash_key, str_of(host)) % (NAMES_MAX / NAMES_WAYS);
    return &segment->name_entries[row * NAMES_WAYS];
}

/* False: free, or being written for longer than we look (its writer died there). */
static bool
copy_out(const struct name_entry *entry, char host[NAME_HOST_BYTES], struct names_answer *out)
{
    for (uint32_t i = 0; i < NAMES_READ_TRIES; i++) {
        uint64_t word = guard_read_begin(&entry->guard);
        memcpy(host, entry->host, NAME_HOST_BYTES);
        *out = entry->answer;
        if (guard_read_ok(&entry->guard, word)) {
            CHECK(out->count <= NAME_ADDRESSES_MAX && host[NAME_HOST_BYTES - 1u] == '\0');
            return host[0] != '\0';
        }
    }
    return false;
}

enum err
names_find(const struct segment *segment, struct str host, struct names_answer *out)
{
    char wanted[NAME_HOST_BYTES];
    if (!normalize(host, wanted)) {
        return ERR_BAD;
    }
    const struct name_entry *row = row_of(segment, wanted);
    for (uint32_t way = 0; way < NAMES_WAYS; way++) {
        char there[NAME_HOST_BYTES];
        if (copy_out(&row[way], there, out) && strcmp(there, wanted) == 0) {
            return ERR_OK;
        }
    }
    memset(out, 0, sizeof *out);
    return ERR_GONE;
}

/* --- wanted cells --- */

enum err
names_want(struct segment *segment, uint32_t slot, struct str host)
{
    CHECK(slot < segment->slots);
    char wanted[NAME_HOST_BYTES];
    if (!normalize(host, wanted)) {
        return ERR_BAD;
    }
    struct name_want *cells = &segment->name_wants[(size_t)slot * NAME_WANTS];
    struct name_want *empty = NULL;
    for (uint32_t i = 0; i < NAME_WANTS; i++) {
        if (atomic_load(&cells[i].state) == NAMES_WANT_EMPTY) {
            empty = empty == NULL ? &cells[i] : empty;
        } else if (strcmp(cells[i].host, wanted) == 0) {
            return ERR_OK; /* asked already; only we write hosts here */
        }
    }
    if (empty == NULL) {
        return ERR_FULL;
    }
    memcpy(empty->host, wanted, sizeof wanted);
    FAULT("names.before_asked");
    atomic_store(&empty->state, NAMES_WANT_ASKED);
    wake_poke(segment, slot_of_kind(segment, SLOT_KEEPER));
    return ERR_OK;
}

bool
names_next_wanted(struct segment *segment, uint32_t *cursor, uint32_t *out_cell,
                  char out_host[NAME_HOST_BYTES])
{
    uint32_t count = segment->slots * NAME_WANTS;
    while (*cursor < count) {
        uint32_t cell = (*cursor)++;
        if (atomic_load(&segment->name_wants[cell].state) == NAMES_WANT_ASKED) {
            memcpy(out_host, segment->name_wants[cell].host, NAME_HOST_BYTES);
            out_host[NAME_HOST_BYTES - 1u] = '\0';
            *out_cell = cell;
            return true;
        }
    }
    return false;
}

void
names_answered(struct segment *segment, uint32_t cell)
{
    CHECK(cell < segment->slots * NAME_WANTS);
    FAULT("names.before_answered");
    atomic_store(&segment->name_wants[cell].state, NAMES_WANT_EMPTY);
    wake_poke(segment, cell / NAME_WANTS);
}

void
names_sweep(struct segment *segment, uint32_t dead_slot)
{
    CHECK(dead_slot < segment->slots);
    for (uint32_t i = 0; i < NAME_WANTS; i++) {
        atomic_store(&segment->name_wants[(size_t)dead_slot * NAME_WANTS + i].state,
                     NAMES_WANT_EMPTY);
    }
}

/* --- the keeper's entries --- */

static struct name_entry *
choose(const struct segment *segment, const char *host)
{
    struct name_entry *row = row_of(segment, host);
    struct name_entry *best = &row[0];
    for (uint32_t way = 0; way < NAMES_WAYS; way++) {
        if (strcmp(row[way].host, host) == 0) {
            return &row[way];
        }
        bool is_free = row[way].host[0] == '\0';
        if (best->host[0] != '\0' &&
            (is_free || row[way].answer.resolved_ms < best->answer.resolved_ms)) {
            best = &row[way];
        }
    }
    return best;
}

enum err
names_put(struct segment *segment, struct str host, const struct names_answer *answer)
{
    CHECK(answer->count <= NAME_ADDRESSES_MAX && answer->state != NAMES_UNKNOWN);
    char wanted[NAME_HOST_BYTES];
    if (!normalize(host, wanted)) {
        return ERR_BAD;
    }
    struct name_entry *entry = choose(segment, wanted);
    guard_write_begin(&entry->guard);
    memcpy(entry->host, wanted, sizeof wanted);
    FAULT("names.mid_put");
    entry->answer = *answer;
    entry->answer.why[NAME_WHY_BYTES - 1u] = '\0';
    guard_write_end(&entry->guard);
    return ERR_OK;
}

bool
names_next(const struct segment *segment, uint32_t *cursor, char out_host[NAME_HOST_BYTES],
           struct names_answer *out)
{
    while (*cursor < NAMES_MAX) {
        if (copy_out(&segment->name_entries[(*cursor)++], out_host, out)) {
            return true;
        }
    }
    return false;
}

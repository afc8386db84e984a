/*
 * segment.c - see segment.h. The table of contents is SEGMENT_ROWS, on one screen.
 *
 * Runs in: master; the handle is used by all.
 */
#include "shm/segment.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/rand.h"
#include "shm/budget.h"
#include "shm/claim.h"
#include "shm/counter.h"
#include "shm/gate.h"
#include "shm/health.h"
#include "shm/job.h"
#include "shm/lack.h"
#include "shm/lease.h"
#include "shm/names.h"
#include "shm/parcel.h"
#include "shm/ring.h"
#include "shm/session.h"
#include "shm/slot.h"
#include "shm/spell.h"
#include "shm/sticky.h"
#include "shm/version.h"
#include "shm/wake.h"
#include "shm/window.h"

#define SEGMENT_PAGE 4096u
#define SEGMENT_CELLS_PER_LINE 4u /* of 16 bytes: gate and window cells */

/* Words of the segment are used by processes that share nothing else, so no lock may hide in them.
 */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2 &&
                   ATOMIC_LONG_LOCK_FREE == 2,
               "atomic words are lock-free, hence address-free");
_Static_assert(sizeof(_Atomic uint32_t) == 4 && sizeof(_Atomic uint64_t) == 8,
               "atomic words are plain words");
_Static_assert(sizeof(struct gate_cell) * SEGMENT_CELLS_PER_LINE == SEGMENT_LINE &&
                   sizeof(struct window_cell) * SEGMENT_CELLS_PER_LINE == SEGMENT_LINE,
               "rows of cells begin on a line");
_Static_assert(sizeof(struct budget_cell) == SEGMENT_LINE &&
                   sizeof(struct wake_cell) == SEGMENT_LINE,
               "one line, one writer");
_Static_assert(sizeof(struct segment_head) <= SEGMENT_PAGE, "the head has its own page");

/* X(field of struct segment, row type, count of rows): what lies where, each on its own page. */
#define SEGMENT_ROWS(X)                                                   \
    X(version, struct version_words, 1u)                                  \
    X(slot_rows, struct slot, s->slots)                                   \
    X(wake_cells, struct wake_cell, s->slots)                             \
    X(counter_rows, struct counter_row, s->slots)                         \
    X(ring_ends, struct ring_ends, s->slots)                              \
    X(name_wants, struct name_want, (uint64_t)s->slots *NAME_WANTS)       \
    X(job_cells, struct job_cell, JOBS_MAX)                               \
    X(health_rows, struct health, s->accounts)                            \
    X(spells, struct spell_table, 1u)                                     \
    X(lacks, struct lack_table, 1u)                                       \
    X(gate_keys, struct gate_key, s->gates)                               \
    X(gate_cells, struct gate_cell, (uint64_t)s->gates * s->stride)       \
    X(window_cells, struct window_cell, (uint64_t)s->gates * s->stride)   \
    X(window_holds, struct window_hold, (uint64_t)s->gates * s->stride)   \
    X(budget_settled, struct budget_settled, s->gates)                    \
    X(budget_cells, struct budget_cell, (uint64_t)s->gates * s->slots)    \
    X(sticky_rows, struct sticky_row, s->sticky / STICKY_WAYS)            \
    X(name_entries, struct name_entry, NAMES_MAX)                         \
    X(session_entries, struct session_entry, TLS_SESSIONS_MAX)            \
    X(claim_rows, struct claim, CLAIMS_MAX)                               \
    X(parcel_ends, struct parcel_ends, s->slots)                          \
    X(parcel_bytes, unsigned char, (uint64_t)s->slots *PARCEL_RING_BYTES) \
    X(lease_rows, struct lease, (uint64_t)s->slots * s->leases)           \
    X(ring_stamps, struct ring_stamp, (uint64_t)s->slots * s->ring_cells) \
    X(ring_payloads, unsigned char, (uint64_t)s->slots * s->ring_cells * RING_PAYLOAD_BYTES)

static uint64_t
round_up(uint64_t value, uint64_t to)
{
    return (value + to - 1u) / to * to;
}

static uint32_t
power_of_two(uint32_t value)
{
    uint32_t power = 1;
    while (power < value) {
        power *= 2u;
    }
    return power;
}

/* Where each table begins behind `base`; returns the bytes of all. NULL base: only the bytes. */
static uint64_t
lay_out(struct segment *s, unsigned char *base)
{
    uint64_t at = SEGMENT_PAGE;
#define SEGMENT_PLACE(field, type, count)                         \
    s->field = base == NULL ? NULL : (type *)(void *)(base + at); \
    at = round_up(at + (uint64_t)(count) * sizeof(type), SEGMENT_PAGE);
    SEGMENT_ROWS(SEGMENT_PLACE)
#undef SEGMENT_PLACE
    return at;
}

/* Sizes into an empty handle; false when one is out of bounds. */
static bool
set_sizes(struct segment *s, const struct segment_want *want)
{
    memset(s, 0, sizeof *s);
    s->fd = -1;
    if (want->slots == 0 || want->slots > SLOTS_MAX || want->workers > WORKERS_MAX ||
        want->leases == 0 || want->leases > LEASES_PER_SLOT_MAX || want->gates == 0 ||
        want->gates > GATES_MAX || want->ring_cells == 0 || want->ring_cells > RING_CELLS_MAX ||
        want->accounts == 0 || want->accounts > ACCOUNTS_MAX || want->sticky > STICKY_MAX) {
        return false;
    }
    s->slots = want->slots;
    s->stride = (uint32_t)round_up(want->slots, SEGMENT_CELLS_PER_LINE);
    s->leases = want->leases;
    s->gates = power_of_two(want->gates);
    s->ring_cells = power_of_two(want->ring_cells);
    s->accounts = want->accounts;
    s->sticky = want->sticky == 0 ? 0 : power_of_two(want->sticky);
    s->sticky = s->sticky == 0 || s->sticky >= STICKY_WAYS ? s->sticky : STICKY_WAYS;
    return true;
}

uint64_t
segment_bytes(const struct segment_want *want)
{
    struct segment sizes;
    return set_sizes(&sizes, want) ? lay_out(&sizes, NULL) : 0;
}

uint64_t
segment_bytes_used(const struct segment_want *want)
{
    struct segment sizes;
    if (!set_sizes(&sizes, want)) {
        return 0;
    }
    uint64_t fixed = SEGMENT_PAGE + sizeof(struct version_words) + sizeof(struct spell_table) +
                     sizeof(struct lack_table) + CLAIMS_MAX * sizeof(struct claim) +
                     sizes.slots * (sizeof(struct slot) + sizeof(struct counter_row)) +
                     sizes.gates * sizeof(struct gate_key) + sizes.sticky * sizeof(uint64_t);
    uint64_t ring = (uint64_t)sizes.ring_cells * (RING_PAYLOAD_BYTES + sizeof(struct ring_stamp));
    uint64_t leases = (uint64_t)sizes.leases * sizeof(struct lease);
    return round_up(fixed + want->workers * (ring + leases + PARCEL_RING_BYTES), SEGMENT_PAGE);
}

static enum err
fail(struct segment *s, enum err err, char why[SEGMENT_WHY_BYTES], const char *what,
     const char *path)
{
    snprintf(why, SEGMENT_WHY_BYTES, "%s %s: %m", what, path);
    segment_close(s);
    return err;
}

static enum err
refuse(struct segment *s, enum err err, char why[SEGMENT_WHY_BYTES], const char *path,
       const char *reason)
{
    snprintf(why, SEGMENT_WHY_BYTES, "%s: %s", path, reason);
    segment_close(s);
    return err;
}

/* Maps s->bytes of s->fd and points the handle at the tables. */
static bool
map(struct segment *s)
{
    void *base = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    if (base == MAP_FAILED) {
        return false;
    }
    s->base = base;
    s->head = base;
    uint64_t bytes = lay_out(s, s->base);
    CHECK(bytes == s->bytes);
    /* Names and addresses of clients lie here; and a core of gigabytes helps nobody. */
    return madvise(base, s->bytes, MADV_DONTDUMP) == 0;
}

/* Touching a page that the file system has no room for is a SIGBUS: better to hear of it now. */
static bool
has_room(const struct segment *s, const struct segment_want *want)
{
    struct statfs room;
    if (fstatfs(s->fd, &room) != 0) {
        return false;
    }
    return (uint64_t)room.f_bavail * (uint64_t)room.f_bsize >= segment_bytes_used(want);
}

static void
fill_head(struct segment *s, const struct segment_want *want)
{
    struct segment_head *head = (struct segment_head *)(void *)s->base;
    head->layout = SEGMENT_LAYOUT;
    head->slots = s->slots;
    head->workers = want->workers;
    head->leases = s->leases;
    head->gates = s->gates;
    head->ring_cells = s->ring_cells;
    head->accounts = s->accounts;
    head->sticky = s->sticky;
    head->bytes = s->bytes;
    do {
        head->run_id = rand_u64();
    } while (head->run_id == 0);
    rand_bytes(&head->hash_key, sizeof head->hash_key);
    head->created_wall_ms = clock_wall_ms();
    if (want->build != NULL) {
        snprintf(head->build, sizeof head->build, "%s", want->build);
    }
    /* Last: a file whose maker died before this is nobody's (segment_adopt says ERR_BAD). */
    atomic_thread_fence(memory_order_release);
    head->magic = SEGMENT_MAGIC;
    s->run_id = head->run_id;
    s->hash_key = head->hash_key;
}

enum err
segment_create(const char *path, const struct segment_want *want, struct segment *out,
               char why[SEGMENT_WHY_BYTES])
{
    CHECK(path != NULL && path[0] != '\0');
    if (!set_sizes(out, want)) {
        return refuse(out, ERR_BAD, why, path, "a size of the segment is out of bounds");
    }
    out->bytes = lay_out(out, NULL);
    out->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out->fd < 0) {
        bool exists = access(path, F_OK) == 0;
        return fail(out, exists ? ERR_DENIED : ERR_IO, why, "cannot make the segment", path);
    }
    enum err err = ERR_IO;
    if (flock(out->fd, LOCK_EX | LOCK_NB) != 0 || ftruncate(out->fd, (off_t)out->bytes) != 0) {
        goto undo;
    }
    if (!has_room(out, want)) {
        unlink(path);
        return refuse(out, ERR_FULL, why, path,
                      "not enough room on this file system for rings and leases; lower [shm] "
                      "ring_cells or leases, or give it more");
    }
    if (map(out)) {
        fill_head(out, want);
        return ERR_OK;
    }
undo:
    err = fail(out, err, why, "cannot size or map the segment", path);
    unlink(path);
    return err;
}

/* The sizes the file states, if they make exactly the file it is. */
static bool
sizes_match(struct segment *s, const struct segment_head *head, uint64_t file_bytes)
{
    struct segment_want want = { .slots = head->slots,
                                 .workers = head->workers,
                                 .leases = head->leases,
                                 .gates = head->gates,
                                 .ring_cells = head->ring_cells,
                                 .accounts = head->accounts,
                                 .sticky = head->sticky };
    int fd = s->fd;
    bool ok = set_sizes(s, &want);
    s->fd = fd;
    return ok && s->gates == head->gates && s->ring_cells == head->ring_cells &&
           s->sticky == head->sticky && lay_out(s, NULL) == file_bytes &&
           head->bytes == file_bytes && head->run_id != 0;
}

enum err
segment_adopt(const char *path, struct segment *out, char why[SEGMENT_WHY_BYTES])
{
    CHECK(path != NULL && path[0] != '\0');
    memset(out, 0, sizeof *out);
    out->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (out->fd < 0) {
        bool exists = access(path, F_OK) == 0;
        return fail(out, exists ? ERR_IO : ERR_GONE, why, "cannot open the old segment", path);
    }
    if (flock(out->fd, LOCK_EX | LOCK_NB) != 0) {
        return refuse(out, ERR_AGAIN, why, path, "processes of the previous run still use it");
    }
    struct stat stat;
    struct segment_head head;
    if (fstat(out->fd, &stat) != 0 || !S_ISREG(stat.st_mode) || stat.st_uid != geteuid() ||
        pread(out->fd, &head, sizeof head, 0) != (ssize_t)sizeof head) {
        return refuse(out, ERR_BAD, why, path, "not a segment of ours");
    }
    if (head.magic != SEGMENT_MAGIC || head.layout != SEGMENT_LAYOUT) {
        return refuse(out, ERR_BAD, why, path, "another layout, or never finished");
    }
    if (!sizes_match(out, &head, (uint64_t)stat.st_size)) {
        return refuse(out, ERR_BAD, why, path, "its sizes contradict each other");
    }
    out->bytes = (size_t)head.bytes;
    if (!map(out)) {
        return fail(out, ERR_IO, why, "cannot map the old segment", path);
    }
    out->is_adopted = true;
    out->run_id = head.run_id;
    out->hash_key = head.hash_key;
    return ERR_OK;
}

void
segment_close(struct segment *segment)
{
    if (segment->base != NULL) {
        int failed = munmap(segment->base, segment->bytes);
        CHECK(failed == 0);
    }
    if (segment->fd >= 0) {
        close(segment->fd);
    }
    memset(segment, 0, sizeof *segment);
    segment->fd = -1;
}

void
segment_remove(const char *path)
{
    CHECK(path != NULL && path[0] != '\0');
    (void)unlink(path);
}

bool
segment_set_aside(const char *path)
{
    char aside[PATH_MAX];
    CHECK(path != NULL && path[0] != '\0');
    int len = snprintf(aside, sizeof aside, "%s" SEGMENT_ASIDE, path);
    CHECK(len > 0 && (size_t)len < sizeof aside);
    if (rename(path, aside) == 0) {
        return true;
    }
    segment_remove(path);
    return false;
}

/*
 * health.c - see health.h. The one word:
 *
 *      bits 0..1 state, 2..7 reason, 8..15 failures in a row, 16..63 until (monotonic ms)
 *
 * The keeper's last probe, for its own patience and for people:
 *
 *      bits 0..15 HTTP status, 16..23 probes in a row that missed, 24..25 what was found
 *
 * Runs in: worker, keeper, recorder, admin.
 */
#include "shm/health.h"

#include <string.h>

#include "base/check.h"
#include "shm/version.h"

#define HEALTH_TRIES 64u /* of a compare-and-swap that others keep winning: then theirs stands */
#define HEALTH_DOUBLINGS_MAX 16u
#define HEALTH_RETRY_AFTER_MS_MIN 1000u
#define HEALTH_PPM 1000000u
#define HEALTH_MISSES_SHIFT 16u
#define HEALTH_MISSES_MASK 0xff0000u
#define HEALTH_FOUND_SHIFT 24u
#define HEALTH_IDLE_MAX (1ull << 43) /* ticks: more than two hours */

struct judgement {
    enum health_state state;
    enum health_reason reason;
    uint32_t streak;
    uint64_t until_ms;
};

static const struct {
    const char *text;
    uint32_t tries;
    uint32_t disables;
    uint32_t first_ms;
    uint32_t longest_ms;
} reason_rows[] = {
#define HEALTH_ROW(name, text, tries, disables, first_ms, longest_ms) \
    { text, tries, disables, first_ms, longest_ms },
    HEALTH_REASON_ROWS(HEALTH_ROW)
#undef HEALTH_ROW
};

_Static_assert(sizeof reason_rows / sizeof reason_rows[0] == HEALTH_REASONS, "one row a reason");
_Static_assert(HEALTH_REASONS <= 64, "a reason fits 6 bits");

static struct health *
row(const struct segment *segment, uint32_t index)
{
    CHECK(index < segment->accounts);
    return &segment->health_rows[index];
}

static uint64_t
pack(struct judgement it)
{
    CHECK((uint32_t)it.state < HEALTH_STATES && (uint32_t)it.reason < HEALTH_REASONS);
    uint32_t streak = it.streak > 255u ? 255u : it.streak;
    return (uint64_t)it.state | ((uint64_t)it.reason << 2) | ((uint64_t)streak << 8) |
           (it.until_ms << 16);
}

static struct judgement
unpack(uint64_t word)
{
    return (struct judgement){ (enum health_state)(word & 3u),
                               (enum health_reason)(((word >> 2) & 63u) % HEALTH_REASONS),
                               (uint32_t)(word >> 8) & 255u, word >> 16 };
}

/* Its time is up: the next request may try it. */
static bool
is_due(struct judgement it, uint64_t now_ms)
{
    return (it.state == HEALTH_COOLING || it.state == HEALTH_PROBING) && it.until_ms <= now_ms;
}

/* Replaces `old` by `next`; notes when the state is another. False: somebody was quicker. */
static bool
swap(struct health *health, uint64_t *old, struct judgement next, uint64_t now_ms)
{
    enum health_state before = unpack(*old).state;
    if (!atomic_compare_exchange_strong(&health->word, old, pack(next))) {
        return false;
    }
    if (before != next.state) {
        atomic_store(&health->since_ms, now_ms);
    }
    if (before != next.state && next.state == HEALTH_OK) {
        atomic_fetch_and(&health->probe, ~HEALTH_MISSES_MASK);
    }
    return true;
}

void
health_assign(struct segment *segment, uint32_t index, uint64_t account_id)
{
    struct health *health = row(segment, index);
    version_raise_accounts(segment, index + 1);
    if (atomic_load(&health->account_id) == account_id) {
        return;
    }
    atomic_store(&health->account_id, 0);
    atomic_store(&health->word, 0);
    atomic_store(&health->used, 0);
    atomic_store(&health->since_ms, 0);
    atomic_store(&health->first_byte_ms, 0);
    atomic_store(&health->failure_ppm, 0);
    atomic_store(&health->last_status, 0);
    atomic_store(&health->probe, 0);
    atomic_store(&health->probed_ms, 0);
    guard_write_begin(&health->guard);
    memset(health->excerpt, 0, sizeof health->excerpt);
    guard_write_end(&health->guard);
    atomic_store(&health->account_id, account_id);
}

/* The last use that this process has noted: the next one is later, also within a millisecond. */
static uint64_t last_stamp;

static uint64_t
stamp_of(uint64_t now_ms)
{
    uint64_t stamp = now_ms << HEALTH_TICK_BITS;
    return stamp > last_stamp ? stamp : last_stamp + 1;
}

uint64_t
health_idle(const struct segment *segment, uint32_t index, uint64_t now_ms)
{
    uint64_t used = atomic_load_explicit(&row(segment, index)->used, memory_order_relaxed);
    uint64_t stamp = stamp_of(now_ms);
    uint64_t idle = used == 0 ? HEALTH_IDLE_MAX : stamp > used ? stamp - used : 0;
    return idle > HEALTH_IDLE_MAX ? HEALTH_IDLE_MAX : idle;
}

uint32_t
health_first_byte_ms(const struct segment *segment, uint32_t index)
{
    return atomic_load_explicit(&row(segment, index)->first_byte_ms, memory_order_relaxed);
}

uint32_t
health_failure_ppm(const struct segment *segment, uint32_t index)
{
    return atomic_load_explicit(&row(segment, index)->failure_ppm, memory_order_relaxed);
}

bool
health_ok(const struct segment *segment, uint32_t index, uint64_t now_ms)
{
    struct judgement it = unpack(atomic_load(&row(segment, index)->word));
    return it.state == HEALTH_OK || is_due(it, now_ms);
}

bool
health_is_disabled(const struct segment *segment, uint32_t index)
{
    return unpack(atomic_load(&row(segment, index)->word)).state == HEALTH_DISABLED;
}

bool
health_enter(struct segment *segment, uint32_t index, uint64_t now_ms, bool *out_is_probe)
{
    struct health *health = row(segment, index);
    *out_is_probe = false;
    uint64_t old = atomic_load(&health->word);
    for (uint32_t i = 0; i < HEALTH_TRIES; i++) {
        struct judgement it = unpack(old);
        if (it.state == HEALTH_OK) {
            break;
        }
        if (!is_due(it, now_ms)) {
            return false;
        }
        it.state = HEALTH_PROBING;
        it.until_ms = now_ms + HEALTH_PROBE_MS;
        if (swap(health, &old, it, now_ms)) {
            *out_is_probe = true;
            break;
        }
    }
    if (!*out_is_probe && unpack(old).state != HEALTH_OK) {
        return false;
    }
    last_stamp = stamp_of(now_ms);
    atomic_store_explicit(&health->used, last_stamp, memory_order_relaxed);
    return true;
}

void
health_abandon(struct segment *segment, uint32_t index, uint64_t now_ms)
{
    struct health *health = row(segment, index);
    uint64_t old = atomic_load(&health->word);
    struct judgement it = unpack(old);
    if (it.state == HEALTH_PROBING) {
        it.state = HEALTH_COOLING;
        it.until_ms = now_ms; /* due at once: the probe said nothing */
        (void)swap(health, &old, it, now_ms);
    }
}

/* Moving averages with weight 1/8; lost updates do no harm. */
static void
average(_Atomic uint32_t *word, uint32_t value)
{
    int64_t now = (int64_t)atomic_load_explicit(word, memory_order_relaxed);
    int64_t next = now + ((int64_t)value - now) / 8;
    if (next == now && (int64_t)value != now) {
        next += (int64_t)value > now ? 1 : -1; /* so that it arrives */
    }
    atomic_store_explicit(word, (uint32_t)next, memory_order_relaxed);
}

void
health_success(struct segment *segment, uint32_t index, uint64_t now_ms, uint32_t first_byte_ms)
{
    struct health *health = row(segment, index);
    average(&health->failure_ppm, 0);
    if (atomic_load_explicit(&health->first_byte_ms, memory_order_relaxed) == 0) {
        atomic_store_explicit(&health->first_byte_ms, first_byte_ms, memory_order_relaxed);
    } else {
        average(&health->first_byte_ms, first_byte_ms);
    }
    uint64_t old = atomic_load(&health->word);
    for (uint32_t i = 0; i < HEALTH_TRIES && old != 0; i++) {
        struct judgement it = unpack(old);
        /* A request from before the bench that ends well does not lift the bench. */
        bool is_benched =
            it.state == HEALTH_DISABLED || (it.state == HEALTH_COOLING && it.until_ms > now_ms);
        if (is_benched ||
            swap(health, &old, (struct judgement){ HEALTH_OK, HEALTH_REASON_NONE, 0, 0 }, now_ms)) {
            return;
        }
    }
}

/* The reason's own: doubled for each bench after the first. */
static uint64_t
growing_ms(enum health_reason reason, uint32_t streak)
{
    uint32_t tries = reason_rows[reason].tries;
    uint32_t doublings = streak > tries ? streak - tries : 0;
    if (doublings > HEALTH_DOUBLINGS_MAX) {
        doublings = HEALTH_DOUBLINGS_MAX;
    }
    uint64_t ms = (uint64_t)reason_rows[reason].first_ms << doublings;
    return ms > reason_rows[reason].longest_ms ? reason_rows[reason].longest_ms : ms;
}

static uint64_t
bench_ms(enum health_reason reason, uint32_t streak, uint64_t retry_after_ms)
{
    uint64_t own_ms = growing_ms(reason, streak);
    if (retry_after_ms == 0) {
        return own_ms;
    }
    uint64_t least_ms =
        retry_after_ms < HEALTH_RETRY_AFTER_MS_MIN ? HEALTH_RETRY_AFTER_MS_MIN : retry_after_ms;
    /* Who says "in a second" each time is not asked each second. */
    if (streak > reason_rows[reason].tries && least_ms < own_ms) {
        least_ms = own_ms;
    }
    return least_ms > HEALTH_RETRY_AFTER_MS_MAX ? HEALTH_RETRY_AFTER_MS_MAX : least_ms;
}

/* What a failure makes of it. */
static struct judgement
failed(struct judgement it, enum health_reason reason, uint64_t retry_after_ms, uint64_t now_ms)
{
    if (it.state == HEALTH_COOLING && it.until_ms > now_ms) {
        /* Sent before the bench: only the provider's own word makes it longer. */
        uint64_t until_ms = now_ms + bench_ms(reason, 0, retry_after_ms);
        if (retry_after_ms != 0 && until_ms > it.until_ms) {
            it.until_ms = until_ms;
            it.reason = reason;
        }
        return it;
    }
    uint32_t disables = reason_rows[reason].disables;
    /* What came before for another reason is no refusal. */
    it.streak = disables != 0 && it.reason != reason ? 1 : it.streak + 1;
    it.reason = reason;
    if (disables != 0 && it.streak >= disables) {
        return (struct judgement){ HEALTH_DISABLED, reason, it.streak, 0 };
    }
    if (it.state != HEALTH_OK || it.streak >= reason_rows[reason].tries) {
        it.state = HEALTH_COOLING;
        it.until_ms = now_ms + bench_ms(reason, it.streak, retry_after_ms);
    }
    return it;
}

/* Printable ASCII and UTF-8 as it came, cut between characters. */
static void
put_excerpt(char to[EXCERPT_BYTES + 4], struct str excerpt)
{
    size_t bytes = excerpt.len > EXCERPT_BYTES ? EXCERPT_BYTES : excerpt.len;
    while (bytes < excerpt.len && bytes > 0 &&
           ((unsigned char)excerpt.data[bytes] & 0xc0u) == 0x80u) {
        bytes--;
    }
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)excerpt.data[i];
        to[i] = (c < 0x20u || c == 0x7fu) ? ' ' : (char)c;
    }
    memset(to + bytes, 0, EXCERPT_BYTES + 4u - bytes);
}

static void
note(struct health *health, uint32_t slot, uint32_t status, struct str excerpt, uint64_t now_ms)
{
    atomic_store_explicit(&health->last_status, status, memory_order_relaxed);
    if (!guard_claim(&health->claim, slot, now_ms)) {
        return; /* another failure is being written down: as good as ours */
    }
    guard_write_begin(&health->guard);
    put_excerpt(health->excerpt, excerpt);
    guard_write_end(&health->guard);
    guard_leave(&health->claim);
}

void
health_failure(struct segment *segment, uint32_t slot, uint32_t index, enum health_reason reason,
               uint64_t retry_after_ms, uint32_t status, struct str excerpt, uint64_t now_ms)
{
    CHECK(reason > HEALTH_REASON_NONE && (uint32_t)reason < HEALTH_REASONS);
    struct health *health = row(segment, index);
    average(&health->failure_ppm, HEALTH_PPM);
    note(health, slot, status, excerpt, now_ms);
    uint64_t old = atomic_load(&health->word);
    for (uint32_t i = 0; i < HEALTH_TRIES; i++) {
        struct judgement it = unpack(old);
        if (it.state == HEALTH_DISABLED ||
            swap(health, &old, failed(it, reason, retry_after_ms, now_ms), now_ms)) {
            return;
        }
    }
}

void
health_rest(struct segment *segment, uint32_t index, uint64_t rest_ms, uint64_t now_ms)
{
    struct health *health = row(segment, index);
    uint64_t ms = rest_ms > HEALTH_RETRY_AFTER_MS_MAX ? HEALTH_RETRY_AFTER_MS_MAX : rest_ms;
    uint64_t old = atomic_load(&health->word);
    struct judgement next = { HEALTH_COOLING, HEALTH_REASON_RATE_LIMITED, 0, now_ms + ms };
    for (uint32_t i = 0; i < HEALTH_TRIES && unpack(old).state == HEALTH_OK; i++) {
        if (swap(health, &old, next, now_ms)) {
            return;
        }
    }
}

void
health_disable(struct segment *segment, uint32_t slot, uint32_t index, enum health_reason reason,
               uint32_t status, struct str excerpt, uint64_t now_ms)
{
    CHECK(reason > HEALTH_REASON_NONE && (uint32_t)reason < HEALTH_REASONS);
    struct health *health = row(segment, index);
    note(health, slot, status, excerpt, now_ms);
    uint64_t old = atomic_load(&health->word);
    for (uint32_t i = 0; i < HEALTH_TRIES; i++) {
        struct judgement it = unpack(old);
        struct judgement next = { HEALTH_DISABLED, reason, it.streak, 0 };
        if (swap(health, &old, next, now_ms)) {
            return;
        }
    }
}

void
health_reset(struct segment *segment, uint32_t index, uint64_t now_ms)
{
    struct health *health = row(segment, index);
    atomic_store(&health->word, pack((struct judgement){ HEALTH_OK, HEALTH_REASON_NONE, 0, 0 }));
    atomic_store(&health->since_ms, now_ms);
    atomic_store(&health->failure_ppm, 0);
    atomic_fetch_and(&health->probe, ~HEALTH_MISSES_MASK);
}

bool
health_restore(struct segment *segment, uint32_t slot, uint32_t index, enum health_reason reason,
               uint64_t rest_ms, uint32_t status, struct str excerpt, uint64_t now_ms)
{
    CHECK(reason > HEALTH_REASON_NONE && (uint32_t)reason < HEALTH_REASONS);
    struct health *health = row(segment, index);
    uint64_t old = 0;
    uint64_t ms = rest_ms > HEALTH_RETRY_AFTER_MS_MAX ? HEALTH_RETRY_AFTER_MS_MAX : rest_ms;
    struct judgement it = { rest_ms == 0 ? HEALTH_DISABLED : HEALTH_COOLING, reason,
                            reason_rows[reason].tries, rest_ms == 0 ? 0 : now_ms + ms };
    if (atomic_load(&health->since_ms) != 0 || !swap(health, &old, it, now_ms)) {
        return false;
    }
    note(health, slot, status, excerpt, now_ms);
    return true;
}

/* --- the keeper's probes --- */

bool
health_recall(struct segment *segment, uint32_t index, uint64_t now_ms, uint64_t *out_until_ms)
{
    struct health *health = row(segment, index);
    uint64_t old = atomic_load(&health->word);
    struct judgement it = unpack(old);
    if (it.state != HEALTH_COOLING || it.until_ms <= now_ms) {
        return false;
    }
    *out_until_ms = it.until_ms;
    it.state = HEALTH_PROBING;
    it.until_ms = now_ms + HEALTH_PROBE_MS;
    return swap(health, &old, it, now_ms);
}

static struct judgement
recalled(struct judgement it, const struct health_finding *finding, uint64_t now_ms)
{
    switch (finding->found) {
    case HEALTH_FOUND_WELL:
        return (struct judgement){ HEALTH_OK, HEALTH_REASON_NONE, 0, 0 };
    case HEALTH_FOUND_ILL:
        it = failed(it, finding->reason, finding->retry_after_ms, now_ms);
        break;
    case HEALTH_FOUND_NOTHING:
        it.state = HEALTH_COOLING;
        it.until_ms = now_ms;
        break;
    }
    if (it.state == HEALTH_COOLING && it.until_ms < finding->until_ms) {
        it.until_ms = finding->until_ms;
    }
    return it;
}

/* Hints: a request that ends the bench in this moment may lose its reset of the misses. */
static void
note_probe(struct health *health, const struct health_finding *finding, uint64_t now_ms)
{
    uint32_t misses = (atomic_load(&health->probe) & HEALTH_MISSES_MASK) >> HEALTH_MISSES_SHIFT;
    misses = finding->found == HEALTH_FOUND_WELL ? 0 : misses < 255u ? misses + 1 : misses;
    atomic_store(&health->probe, (finding->status & 0xffffu) | (misses << HEALTH_MISSES_SHIFT) |
                                     ((uint32_t)finding->found << HEALTH_FOUND_SHIFT));
    atomic_store(&health->probed_ms, now_ms);
}

void
health_recalled(struct segment *segment, uint32_t slot, uint32_t index,
                const struct health_finding *finding, uint64_t now_ms)
{
    CHECK(finding->found != HEALTH_FOUND_ILL ||
          (finding->reason > HEALTH_REASON_NONE && (uint32_t)finding->reason < HEALTH_REASONS));
    struct health *health = row(segment, index);
    if (atomic_load(&health->account_id) != finding->account_id) {
        return;
    }
    note_probe(health, finding, now_ms);
    if (finding->found == HEALTH_FOUND_ILL) {
        note(health, slot, finding->status, finding->excerpt, now_ms);
    }
    uint64_t old = atomic_load(&health->word);
    for (uint32_t i = 0; i < HEALTH_TRIES; i++) {
        struct judgement it = unpack(old);
        if (it.state != HEALTH_PROBING ||
            swap(health, &old, recalled(it, finding, now_ms), now_ms)) {
            return;
        }
    }
}

void
health_read(const struct segment *segment, uint32_t index, struct health_view *out)
{
    const struct health *health = row(segment, index);
    memset(out, 0, sizeof *out);
    struct judgement it = unpack(atomic_load(&health->word));
    out->account_id = atomic_load(&health->account_id);
    out->state = it.state;
    out->reason = it.reason;
    out->streak = it.streak;
    out->until_ms = it.until_ms;
    out->since_ms = atomic_load(&health->since_ms);
    out->last_used_ms = atomic_load(&health->used) >> HEALTH_TICK_BITS;
    out->first_byte_ms = atomic_load(&health->first_byte_ms);
    out->failure_ppm = atomic_load(&health->failure_ppm);
    out->last_status = atomic_load(&health->last_status);
    uint32_t probe = atomic_load(&health->probe);
    out->probed_ms = atomic_load(&health->probed_ms);
    out->probe_found = (enum health_found)((probe >> HEALTH_FOUND_SHIFT) & 3u);
    out->probe_status = probe & 0xffffu;
    out->probe_misses = (probe & HEALTH_MISSES_MASK) >> HEALTH_MISSES_SHIFT;
    uint64_t word = guard_read_begin(&health->guard);
    memcpy(out->excerpt, health->excerpt, sizeof out->excerpt);
    if (!guard_read_ok(&health->guard, word)) {
        memset(out->excerpt, 0, sizeof out->excerpt);
    }
    out->excerpt[sizeof out->excerpt - 1u] = '\0';
}

const char *
health_state_text(enum health_state state)
{
    static const char *const texts[HEALTH_STATES] = { "ok", "cooling", "probing", "disabled" };
    CHECK((uint32_t)state < HEALTH_STATES);
    return texts[state];
}

const char *
health_reason_text(enum health_reason reason)
{
    CHECK((uint32_t)reason < HEALTH_REASONS);
    return reason_rows[reason].text;
}

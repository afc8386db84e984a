/*
 * gate.c - see gate.h.
 *
 * Steps are named as in the models (tests/model): ADD, SUM, KEEP, BACK, BACKWAKE, AGAIN, PUBLISH,
 * SECOND, TURN, TRIED, BATON, ELDER, CHECK, UNDO, SUB, GIVEWAKE, LEAVE, LEAVEWAKE, CLEAR; those of
 * rounds are in round.c. Between them stand crash points. All of them are sequentially consistent:
 * the argument "either the giver sees the head or the waiter sees the room" is about two words.
 *
 * Runs in: worker, keeper, recorder (sweep).
 */
#include "shm/gate.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "shm/head.h"
#include "shm/round.h"
#include "shm/slot.h"
#include "shm/spot.h"
#include "shm/wake.h"

#define GATE_ID_BITS 56u
#define GATE_STARTS_MAX 8u /* of a pass over a pool in which things come free all the time */
#define GATE_TRIES 8u      /* of a newcomer that collides with others on the last places */

_Static_assert(SLOTS_MAX <= UINT32_MAX / GATE_TRYING, "a sum counts those who try");
_Static_assert(SLOTS_MAX *(uint64_t)LEASES_PER_SLOT_MAX < GATE_TRYING, "and those who hold");

/* One process, one thread: a take has given up although there was room, since this was cleared. */
static bool has_collided;

static struct gate_cell *
cell_of(const struct segment *segment, uint32_t gate, uint32_t slot)
{
    CHECK(gate < segment->gates && slot < segment->slots);
    return &segment->gate_cells[(size_t)gate * segment->stride + slot];
}

/* --- finding --- */

static uint64_t
key_word(enum gate_kind kind, uint64_t id)
{
    CHECK(kind > GATE_NONE && (uint32_t)kind < GATE_KINDS);
    CHECK(id >> GATE_ID_BITS == 0);
    return ((uint64_t)kind << GATE_ID_BITS) | id;
}

enum err
gate_find(struct segment *segment, enum gate_kind kind, uint64_t id, uint32_t *out_gate)
{
    return spot_find(segment, key_word(kind, id), true, out_gate);
}

enum err
gate_peek(const struct segment *segment, enum gate_kind kind, uint64_t id, uint32_t *out_gate)
{
    return spot_find(segment, key_word(kind, id), false, out_gate);
}

static bool
is_pool(const struct segment *segment, uint32_t gate)
{
    return atomic_load_explicit(&segment->gate_keys[gate].word, memory_order_relaxed) >>
               GATE_ID_BITS ==
           GATE_POOL;
}

/* --- counting --- */

/* A sum of words: GATE_TRYING stands in it beside the count. */
static uint32_t
sum_of(const struct segment *segment, uint32_t gate)
{
    const struct gate_cell *cell = cell_of(segment, gate, 0);
    const struct gate_cell *end = cell + segment->slots;
    uint32_t sum = 0;
    for (; cell < end; cell++) {
        sum += atomic_load(&cell->held);
    }
    return sum;
}

uint32_t
gate_held(const struct segment *segment, uint32_t gate)
{
    return gate_kept(sum_of(segment, gate));
}

/* With what is being tried: who adds must see who else does. */
static uint32_t
claimed(const struct segment *segment, uint32_t gate)
{
    return sum_of(segment, gate) % GATE_TRYING;
}

static bool
has_room(const struct segment *segment, uint32_t gate, uint32_t limit)
{
    return limit == 0 || claimed(segment, gate) < limit;
}

bool
gate_is_waited(const struct segment *segment, uint32_t gate, uint64_t arrived_ns)
{
    return head_is_older(segment, gate, arrived_ns, UINT32_MAX);
}

/* The one place that decides. */
static bool
try_take(struct segment *segment, uint32_t slot, uint32_t gate, uint32_t limit)
{
    struct gate_cell *mine = cell_of(segment, gate, slot);
    atomic_fetch_add(&mine->held, GATE_TRYING + 1u); /* ADD */
    FAULT("gate.after_add");
    if (limit == 0 || claimed(segment, gate) <= limit) { /* SUM */
        FAULT("gate.after_sum");
        atomic_fetch_sub(&mine->held, GATE_TRYING); /* KEEP */
        return true;
    }
    FAULT("gate.before_back");
    atomic_fetch_sub(&mine->held, GATE_TRYING + 1u); /* BACK */
    FAULT("gate.after_back");
    if (has_room(segment, gate, limit)) {
        head_wake(segment, gate); /* BACKWAKE: two collided, both must not sleep */
    }
    return false;
}

/* Colliding processes try again after different times. */
static void
step_aside(uint32_t slot, uint32_t tries)
{
    for (uint32_t i = 0; i < (slot + 1u) * (tries + 1u); i++) {
        atomic_signal_fence(memory_order_seq_cst);
    }
}

enum err
gate_take(struct segment *segment, uint32_t slot, uint32_t gate, uint32_t limit,
          uint64_t arrived_ns)
{
    for (uint32_t tries = 0; tries < GATE_TRIES; tries++) {
        if (limit != 0 && gate_is_waited(segment, gate, arrived_ns)) {
            return ERR_FULL;
        }
        if (try_take(segment, slot, gate, limit)) {
            return ERR_OK;
        }
        /* What others only try is no reason to call it full: they may take it back. */
        if (gate_held(segment, gate) >= limit) {
            return ERR_FULL;
        }
        step_aside(slot, tries);
    }
    /* There was room at every try, and somebody in the way who may have gone by now without a word:
     * BACKWAKE reaches this gate's queue, but we may be waiting, or about to wait, in a pool's. */
    wake_poke(segment, slot); /* AGAIN */
    has_collided = true;
    return ERR_FULL;
}

void
gate_wake(struct segment *segment, uint32_t gate, const uint32_t *also, uint32_t also_count)
{
    round_add(segment, also, also_count);
    head_wake_each(segment, gate, also, also_count);
}

void
gate_give(struct segment *segment, uint32_t slot, uint32_t gate, const uint32_t *also,
          uint32_t also_count)
{
    struct gate_cell *mine = cell_of(segment, gate, slot);
    CHECK(gate_kept(atomic_load(&mine->held)) > 0);
    round_begin(segment, slot, also, also_count);
    atomic_fetch_sub(&mine->held, 1); /* SUB */
    FAULT("gate.after_sub");
    round_end(segment, slot, also, also_count);
    head_wake_each(segment, gate, also, also_count); /* GIVEWAKE */
}

/* --- waiting --- */

enum err
gate_init(struct gate_local *local, struct segment *segment, uint32_t slot)
{
    CHECK(slot < segment->slots);
    memset(local, 0, sizeof *local);
    local->segment = segment;
    local->slot = slot;
    list_init(&local->busy);
    local->queues = calloc(segment->gates, sizeof *local->queues);
    return local->queues == NULL ? ERR_FULL : ERR_OK;
}

void
gate_fini(struct gate_local *local)
{
    CHECK(local->waiting == 0);
    free(local->queues);
    local->queues = NULL;
}

static struct gate_waiter *
first_of(struct gate_queue *queue)
{
    struct list *link = list_first(&queue->waiters);
    return link == NULL ? NULL : LIST_OWNER(link, struct gate_waiter, link);
}

static uint32_t
index_of(const struct gate_local *local, const struct gate_queue *queue)
{
    return (uint32_t)(queue - local->queues);
}

/* What others may know of our queue: its length and its oldest. */
static void
publish(struct gate_local *local, struct gate_queue *queue)
{
    struct gate_cell *mine = cell_of(local->segment, index_of(local, queue), local->slot);
    const struct gate_waiter *first = first_of(queue);
    atomic_store_explicit(&mine->waiting, queue->count, memory_order_relaxed);
    atomic_store(&mine->head_ns, first == NULL ? 0 : first->arrived_ns); /* PUBLISH */
    FAULT("gate.after_publish");
}

static void
attach(struct gate_local *local, struct gate_queue *queue, struct gate_waiter *waiter)
{
    if (queue->waiters.next == NULL) {
        list_init(&queue->link);
        list_init(&queue->waiters);
    }
    struct list *before = queue->waiters.prev;
    while (before != &queue->waiters &&
           LIST_OWNER(before, struct gate_waiter, link)->arrived_ns > waiter->arrived_ns) {
        before = before->prev;
    }
    list_push_head(before, &waiter->link); /* behind `before`, which may be the list itself */
    waiter->gate = index_of(local, queue);
    waiter->pass = 0;
    if (queue->count++ == 0) {
        list_push_tail(&local->busy, &queue->link);
        local->busy_count++;
    }
    if (waiter->on_try != NULL && first_of(queue) == waiter) {
        round_note(local->segment, waiter->gate, local->slot, 0); /* FRESH */
    }
    local->waiting++;
    publish(local, queue);
}

static void
detach(struct gate_local *local, struct gate_queue *queue, struct gate_waiter *waiter)
{
    CHECK(queue->count > 0 && waiter->gate == index_of(local, queue));
    list_remove(&waiter->link);
    waiter->gate = GATE_INDEX_NONE;
    local->waiting--;
    if (--queue->count == 0) {
        list_remove(&queue->link);
        local->busy_count--;
    }
    publish(local, queue);
}

bool
gate_wait(struct gate_local *local, uint32_t gate, struct gate_waiter *waiter)
{
    CHECK(gate < local->segment->gates && !gate_waiter_waits(waiter));
    CHECK((waiter->on_try != NULL) == is_pool(local->segment, gate));
    if (waiter->arrived_ns == 0) {
        uint64_t now_ns = clock_now_ns();
        waiter->arrived_ns = now_ns == 0 ? 1 : now_ns;
    }
    struct gate_queue *queue = &local->queues[gate];
    attach(local, queue, waiter);
    if (first_of(queue) == waiter &&
        !head_is_older(local->segment, gate, waiter->arrived_ns, local->slot)) { /* SECOND */
        bool is_taken = waiter->on_try != NULL
                            ? waiter->on_try(waiter) == GATE_TURN_TAKEN
                            : try_take(local->segment, local->slot, gate, waiter->limit);
        if (is_taken) {
            detach(local, queue, waiter);
            /* A wake may have been sent here while it stood first. */
            if (waiter->on_try != NULL || has_room(local->segment, gate, waiter->limit)) {
                head_wake(local->segment, gate); /* BATON */
            }
            return true;
        }
    } else if (waiter->on_try != NULL || has_room(local->segment, gate, waiter->limit)) {
        head_wake(local->segment, gate);
    }
    return false;
}

void
gate_leave(struct gate_local *local, struct gate_waiter *waiter)
{
    if (!gate_waiter_waits(waiter)) {
        return;
    }
    uint32_t gate = waiter->gate;
    CHECK(gate < local->segment->gates);
    struct gate_queue *queue = &local->queues[gate];
    bool was_first = first_of(queue) == waiter;
    detach(local, queue, waiter); /* LEAVE */
    FAULT("gate.after_leave");
    /* A wake that was meant for it must not go with it. */
    if (was_first && (waiter->on_try != NULL || has_room(local->segment, gate, waiter->limit))) {
        head_wake(local->segment, gate); /* LEAVEWAKE */
    }
}

/* A plain gate: our first, as long as it is the oldest of all and there is room. */
static void
serve_plain(struct gate_local *local, struct gate_queue *queue)
{
    struct segment *segment = local->segment;
    uint32_t gate = index_of(local, queue);
    uint32_t limit = 0;
    uint32_t turns = queue->count; /* one that waits again at once is for the next turn */
    for (uint32_t i = 0; i < turns; i++) {
        struct gate_waiter *waiter = first_of(queue);
        if (waiter == NULL) {
            break;
        }
        limit = waiter->limit;
        if (head_is_older(segment, gate, waiter->arrived_ns, local->slot)) {
            break;
        }
        if (!try_take(segment, local->slot, gate, limit)) {
            return;
        }
        detach(local, queue, waiter); /* TURN */
        FAULT("gate.after_turn");
        waiter->on_turn(waiter);
    }
    FAULT("gate.before_baton");
    if (has_room(segment, gate, limit)) {
        head_wake(segment, gate); /* BATON: to whoever is the oldest now, perhaps ourselves */
    }
}

/* NULL: all were tried in this pass. */
static struct gate_waiter *
next_candidate(struct gate_queue *queue, uint64_t pass)
{
    for (struct list *link = queue->waiters.next; link != &queue->waiters; link = link->next) {
        struct gate_waiter *waiter = LIST_OWNER(link, struct gate_waiter, link);
        if (waiter->pass != pass) {
            return waiter;
        }
    }
    return NULL;
}

/* Those of a class fail alike. */
static void
skip_class(struct gate_queue *queue, uint64_t pass, uint64_t class_hash)
{
    for (struct list *link = queue->waiters.next; link != &queue->waiters; link = link->next) {
        struct gate_waiter *waiter = LIST_OWNER(link, struct gate_waiter, link);
        if (waiter->class_hash == class_hash) {
            waiter->pass = pass;
        }
    }
}

/* One look over our waiters of a pool, oldest first. */
struct pass {
    struct gate_local *local;
    struct gate_queue *queue;
    uint32_t gate;
    uint32_t round;
    uint64_t number; /* whose waiters have it were tried in it */
    bool has_moved;  /* the elders of the next one come first */
};

/* False: somebody gives at this moment. He wakes the oldest when he has, and if he dies all are
 * woken: there is nothing to look at until then. */
static bool
begin_pass(struct pass *pass)
{
    pass->number = ++pass->local->pass;
    pass->has_moved = true;
    pass->round = round_now(pass->local->segment, pass->gate);
    return round_is_quiet(pass->local->segment, pass->gate, pass->local->slot); /* QUIET */
}

/* Has something come free behind our look for elders, and does one wait who may want it? Our own
 * are among them: they were tried before that. */
static bool
is_elders(const struct pass *pass, const struct gate_waiter *waiter)
{
    const struct segment *segment = pass->local->segment;
    return round_now(segment, pass->gate) != pass->round &&
           (first_of(pass->queue) != waiter ||
            head_is_older(segment, pass->gate, waiter->arrived_ns, pass->local->slot));
}

/* False: it could not be had only because others tried at the same moment, and we look again. */
static bool
try_one(struct pass *pass, struct gate_waiter *waiter)
{
    waiter->pass = pass->number;
    pass->has_moved = false;
    has_collided = false;
    FAULT("gate.before_try");
    switch (waiter->on_try(waiter)) {
    case GATE_TURN_TAKEN:
        pass->has_moved = true;
        FAULT("gate.before_check");
        if (is_elders(pass, waiter)) { /* CHECK */
            waiter->on_undo(waiter);   /* UNDO: gives, and so wakes them */
            break;
        }
        detach(pass->local, pass->queue, waiter); /* TURN */
        FAULT("gate.after_turn");
        waiter->on_turn(waiter);
        break;
    case GATE_TURN_FULL:
    case GATE_TURN_PASS:
        skip_class(pass->queue, pass->number, waiter->class_hash);
        return !has_collided;
    }
    return true;
}

/*
 * A pool: one of each class, oldest first; then the process with the next younger head. Elders of
 * other processes come first: they are woken instead, and pass the wake on to us. Who was served
 * makes way for the elders of the next one; who failed does not, or two would wait for each other.
 */
static void
serve_pool(struct gate_local *local, struct gate_queue *queue)
{
    struct segment *segment = local->segment;
    struct pass pass = { .local = local, .queue = queue, .gate = index_of(local, queue) };
    uint64_t start_ns = first_of(queue)->arrived_ns;
    uint32_t starts = 0;
    uint32_t turns = queue->count; /* who comes meanwhile was tried when it came */
    if (!begin_pass(&pass)) {
        return;
    }
    for (uint32_t i = 0; i < turns; i++) {
        struct gate_waiter *waiter = next_candidate(queue, pass.number);
        if (waiter == NULL) {
            break;
        }
        uint32_t elder =
            round_elder(segment, pass.gate, local->slot, waiter->arrived_ns, pass.round);
        if (pass.has_moved && elder != SLOT_NONE) {
            wake_poke(segment, elder); /* ELDER */
            return;
        }
        if (!try_one(&pass, waiter)) {
            return;
        }
        /* Something came free meanwhile: the oldest looks at it first. */
        if (round_now(segment, pass.gate) != pass.round && starts++ < GATE_STARTS_MAX) {
            i = 0;
            turns = queue->count + 1u;
            if (!begin_pass(&pass)) {
                return;
            }
        }
    }
    round_note(segment, pass.gate, local->slot, pass.round); /* TRIED */
    FAULT("gate.before_pass");
    wake_poke(segment,
              head_after(segment, pass.gate, start_ns, local->slot, &start_ns)); /* BATON */
}

void
gate_on_wake(struct gate_local *local)
{
    CHECK(local->busy_count <= local->waiting);
    /* Served queues go to the end, so that each comes up once although callbacks add and remove. */
    for (uint32_t i = local->busy_count; i > 0 && !list_is_empty(&local->busy); i--) {
        struct list *link = list_first(&local->busy);
        struct gate_queue *queue = LIST_OWNER(link, struct gate_queue, link);
        list_remove(link);
        list_push_tail(&local->busy, link);
        CHECK(queue->count > 0);
        if (is_pool(local->segment, index_of(local, queue))) {
            serve_pool(local, queue);
        } else {
            serve_plain(local, queue);
        }
    }
}

static void
clear_cell(struct segment *segment, uint32_t gate, uint32_t dead_slot)
{
    struct gate_cell *cell = cell_of(segment, gate, dead_slot);
    atomic_store(&cell->head_ns, 0); /* CLEAR */
    atomic_store(&cell->waiting, 0);
    FAULT("gate.mid_clear");
    if (!is_pool(segment, gate)) {
        atomic_store(&cell->held, 0);
    }
    FAULT("gate.mid_sweep");
}

/* Pools first and last: what the dead held comes free in between. A gate without a key was never
 * touched, and stays so. */
void
gate_sweep(struct segment *segment, uint32_t dead_slot)
{
    CHECK(dead_slot < segment->slots);
    for (uint32_t gate = 0; gate < segment->gates; gate++) {
        if (is_pool(segment, gate)) {
            round_sweep_begin(segment, gate, dead_slot);
        }
    }
    for (uint32_t gate = 0; gate < segment->gates; gate++) {
        if (atomic_load(&segment->gate_keys[gate].word) != 0) {
            clear_cell(segment, gate, dead_slot);
        }
    }
    for (uint32_t gate = 0; gate < segment->gates; gate++) {
        if (is_pool(segment, gate)) {
            round_sweep_end(segment, gate, dead_slot);
        }
    }
}

/* --- looking --- */

bool
gate_is_clean(const struct segment *segment, uint32_t slot)
{
    for (uint32_t gate = 0; gate < segment->gates; gate++) {
        if (atomic_load(&segment->gate_keys[gate].word) == 0) {
            continue;
        }
        const struct gate_cell *cell = cell_of(segment, gate, slot);
        bool holds = atomic_load(&cell->held) != 0 && !is_pool(segment, gate);
        if (holds || atomic_load(&cell->head_ns) != 0) {
            return false;
        }
    }
    return true;
}

uint32_t
gate_waiting(const struct segment *segment, uint32_t gate)
{
    const struct gate_cell *cell = cell_of(segment, gate, 0);
    const struct gate_cell *end = cell + segment->slots;
    uint32_t sum = 0;
    for (; cell < end; cell++) {
        sum += atomic_load_explicit(&cell->waiting, memory_order_relaxed);
    }
    return sum;
}

void
gate_read(const struct segment *segment, uint32_t gate, struct gate_view *out)
{
    CHECK(gate < segment->gates);
    memset(out, 0, sizeof *out);
    uint64_t word = atomic_load(&segment->gate_keys[gate].word);
    if (word == 0) {
        return;
    }
    out->kind = (enum gate_kind)((word >> GATE_ID_BITS) % GATE_KINDS);
    out->id = word & ((1ull << GATE_ID_BITS) - 1u);
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        const struct gate_cell *cell = cell_of(segment, gate, slot);
        uint64_t head_ns = atomic_load(&cell->head_ns);
        out->held_by[slot] = out->kind == GATE_POOL ? 0 : gate_kept(atomic_load(&cell->held));
        out->waiting_by[slot] = atomic_load(&cell->waiting);
        out->held += out->held_by[slot];
        out->waiting += out->waiting_by[slot];
        if (head_ns != 0 && (out->head_ns == 0 || head_ns < out->head_ns)) {
            out->head_ns = head_ns;
        }
    }
}

/*
 * loop.c - epoll, timers, deferred calls.
 *
 * Table of descriptors: epoll's data carries the place in `slots` and the generation of the io that
 * stood there when it was registered. Removing raises the generation, so an event of the same batch
 * that was fetched before no longer matches, also when the place is taken again at once.
 *
 * Heap of timers: binary, by `heap_ms`, the time under which the timer was put there. A later
 * deadline only changes `at_ms`; when the old place comes up the timer sinks to where it belongs.
 * An earlier deadline moves it at once. loop_timer_clear takes it out at once, because the owner's
 * memory may be freed next.
 */
#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"

#define NO_INDEX UINT32_MAX

struct slot {
    struct loop_io *io; /* NULL: free */
    uint32_t gen;       /* raised at every removal */
    uint32_t next_free; /* NO_INDEX: last; only while free */
};

struct loop {
    int epoll_fd;
    bool is_stopped;
    bool is_in_turn;
    uint64_t now_ms;
    struct slot *slots;
    uint32_t slots_max;
    uint32_t slot_count; /* taken */
    uint32_t free_first; /* NO_INDEX: none */
    struct loop_timer **heap;
    uint32_t timers_max;
    uint32_t timer_count;
    struct list tasks; /* of loop_task.link, in the order of loop_defer */
    struct epoll_event events[LOOP_EVENTS_PER_TURN];
};

/* --- making and freeing --- */

static void
slots_init(struct loop *loop)
{
    for (uint32_t i = 0; i < loop->slots_max; i++) {
        loop->slots[i].next_free = i + 1 < loop->slots_max ? i + 1 : NO_INDEX;
    }
    loop->free_first = loop->slots_max > 0 ? 0 : NO_INDEX;
}

enum err
loop_make(uint32_t ios_max, uint32_t timers_max, struct loop **out)
{
    CHECK(ios_max < NO_INDEX && timers_max < NO_INDEX);
    *out = NULL;
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        return ERR_IO;
    }
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->slots = calloc(ios_max > 0 ? ios_max : 1, sizeof(*loop->slots));
    loop->heap = calloc(timers_max > 0 ? timers_max : 1, sizeof(struct loop_timer *));
    loop->slots_max = ios_max;
    loop->timers_max = timers_max;
    list_init(&loop->tasks);
    if (loop->epoll_fd < 0 || loop->slots == NULL || loop->heap == NULL) {
        loop_free(loop);
        return ERR_IO;
    }
    slots_init(loop);
    loop->now_ms = clock_now_ms();
    *out = loop;
    return ERR_OK;
}

/* What still stands in the loop is marked as not standing in it, so its owner may free or reuse it.
 */
void
loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    CHECK(!loop->is_in_turn);
    for (uint32_t i = 0; loop->slots != NULL && i < loop->slots_max; i++) {
        if (loop->slots[i].io != NULL) {
            loop->slots[i].io->fd = -1;
        }
    }
    for (uint32_t i = 0; i < loop->timer_count; i++) {
        loop->heap[i]->heap_at = 0;
        loop->heap[i]->at_ms = 0;
    }
    while (!list_is_empty(&loop->tasks)) {
        list_remove(loop->tasks.next);
    }
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
    free(loop->heap);
    free(loop->slots);
    free(loop);
}

/* --- descriptors --- */

static uint64_t
pack(uint32_t index, uint32_t gen)
{
    return (uint64_t)gen << 32 | index;
}

static enum err
add(struct loop *loop, struct loop_io *io, int fd, uint32_t interest)
{
    CHECK(fd >= 0);
    CHECK(io->on_ready != NULL);
    if (loop->free_first == NO_INDEX) {
        return ERR_FULL;
    }
    uint32_t index = loop->free_first;
    struct slot *slot = &loop->slots[index];
    CHECK(slot->io == NULL);
    struct epoll_event event = { .events = interest, .data.u64 = pack(index, slot->gen) };
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        return errno == ENOSPC ? ERR_FULL : ERR_IO;
    }
    loop->free_first = slot->next_free;
    loop->slot_count++;
    slot->io = io;
    io->fd = fd;
    io->gen = slot->gen;
    io->index = index;
    return ERR_OK;
}

enum err
loop_add(struct loop *loop, struct loop_io *io, int fd)
{
    return add(loop, io, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

enum err
loop_add_level(struct loop *loop, struct loop_io *io, int fd)
{
    return add(loop, io, fd, EPOLLIN);
}

static struct slot *
slot_of(struct loop *loop, const struct loop_io *io)
{
    CHECK(io->fd >= 0 && io->index < loop->slots_max);
    struct slot *slot = &loop->slots[io->index];
    CHECK(slot->io == io && slot->gen == io->gen);
    return slot;
}

void
loop_pause(struct loop *loop, struct loop_io *io, bool paused)
{
    CHECK(slot_of(loop, io)->io == io);
    struct epoll_event event = { .events = paused ? 0 : EPOLLIN,
                                 .data.u64 = pack(io->index, io->gen) };
    CHECK(epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) == 0);
}

void
loop_remove(struct loop *loop, struct loop_io *io)
{
    if (io->fd < 0) {
        return;
    }
    struct slot *slot = slot_of(loop, io);
    /* A descriptor that was closed before has left the epoll set by itself, and its number may be
     * somebody else's: that is a bug of the caller that is better seen here. */
    CHECK(epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL) == 0);
    slot->io = NULL;
    slot->gen++;
    slot->next_free = loop->free_first;
    loop->free_first = io->index;
    CHECK(loop->slot_count > 0);
    loop->slot_count--;
    io->fd = -1;
}

static uint32_t
events_of(uint32_t epoll_events)
{
    uint32_t events = 0;
    if ((epoll_events & EPOLLIN) != 0) {
        events |= LOOP_READ;
    }
    if ((epoll_events & EPOLLOUT) != 0) {
        events |= LOOP_WRITE;
    }
    if ((epoll_events & EPOLLRDHUP) != 0) {
        events |= LOOP_READ | LOOP_READ_END;
    }
    if ((epoll_events & (EPOLLHUP | EPOLLERR)) != 0) {
        /* The error itself comes out of the next read or write: handlers must try both. */
        events |= LOOP_READ | LOOP_WRITE | LOOP_HANGUP;
    }
    return events;
}

static void
deliver(struct loop *loop, int count)
{
    for (int i = 0; i < count; i++) {
        uint32_t index = (uint32_t)loop->events[i].data.u64;
        uint32_t gen = (uint32_t)(loop->events[i].data.u64 >> 32);
        CHECK(index < loop->slots_max);
        struct slot *slot = &loop->slots[index];
        if (slot->io != NULL && slot->gen == gen) {
            slot->io->on_ready(slot->io, events_of(loop->events[i].events));
        }
    }
}

/* --- timers --- */

static void
heap_put(struct loop *loop, uint32_t at, struct loop_timer *timer)
{
    loop->heap[at] = timer;
    timer->heap_at = at + 1;
}

static void
heap_rise(struct loop *loop, uint32_t at)
{
    struct loop_timer *timer = loop->heap[at];
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (loop->heap[parent]->heap_ms <= timer->heap_ms) {
            break;
        }
        heap_put(loop, at, loop->heap[parent]);
        at = parent;
    }
    heap_put(loop, at, timer);
}

static void
heap_sink(struct loop *loop, uint32_t at)
{
    struct loop_timer *timer = loop->heap[at];
    for (;;) {
        uint32_t child = at * 2 + 1;
        if (child >= loop->timer_count) {
            break;
        }
        if (child + 1 < loop->timer_count &&
            loop->heap[child + 1]->heap_ms < loop->heap[child]->heap_ms) {
            child++;
        }
        if (loop->heap[child]->heap_ms >= timer->heap_ms) {
            break;
        }
        heap_put(loop, at, loop->heap[child]);
        at = child;
    }
    heap_put(loop, at, timer);
}

static void
heap_check(const struct loop *loop, const struct loop_timer *timer)
{
    CHECK(timer->heap_at > 0 && timer->heap_at <= loop->timer_count);
    CHECK(loop->heap[timer->heap_at - 1] == timer);
}

static void
heap_remove(struct loop *loop, struct loop_timer *timer)
{
    heap_check(loop, timer);
    uint32_t at = timer->heap_at - 1;
    struct loop_timer *last = loop->heap[--loop->timer_count];
    timer->heap_at = 0;
    if (last != timer) {
        heap_put(loop, at, last);
        heap_rise(loop, at);
        heap_sink(loop, last->heap_at - 1);
    }
}

#ifdef DCHECK_ON
static bool
heap_is_sound(const struct loop *loop)
{
    for (uint32_t i = 0; i < loop->timer_count; i++) {
        const struct loop_timer *timer = loop->heap[i];
        bool is_above = i == 0 || loop->heap[(i - 1) / 2]->heap_ms <= timer->heap_ms;
        if (!is_above || timer->heap_at != i + 1 || timer->heap_ms > timer->at_ms) {
            return false;
        }
    }
    return true;
}
#endif

void
loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t at_ms)
{
    CHECK(timer->on_due != NULL);
    timer->at_ms = at_ms > 0 ? at_ms : 1; /* 0 means "not set"; both are long past */
    if (timer->heap_at == 0) {
        CHECK(loop->timer_count < loop->timers_max);
        timer->heap_ms = timer->at_ms;
        heap_put(loop, loop->timer_count, timer);
        loop->timer_count++;
        heap_rise(loop, timer->heap_at - 1);
        return;
    }
    heap_check(loop, timer);
    if (timer->at_ms < timer->heap_ms) {
        timer->heap_ms = timer->at_ms;
        heap_rise(loop, timer->heap_at - 1);
    }
}

void
loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    if (timer->heap_at != 0) {
        heap_remove(loop, timer);
    }
    timer->at_ms = 0;
}

/*
 * Timers that are due now. One that a handler sets to a time already past runs in the next turn:
 * `rounds_max` is the heap's size at the start, so a handler that re-arms itself cannot hold the
 * turn for ever.
 */
static void
run_timers(struct loop *loop)
{
    uint32_t rounds_max = loop->timer_count;
    for (uint32_t i = 0; i < rounds_max && loop->timer_count > 0; i++) {
        struct loop_timer *timer = loop->heap[0];
        if (timer->heap_ms > loop->now_ms) {
            break;
        }
        CHECK(timer->at_ms >= timer->heap_ms);
        if (timer->at_ms > loop->now_ms) {
            timer->heap_ms = timer->at_ms; /* was moved later meanwhile */
            heap_sink(loop, 0);
            continue;
        }
        loop_timer_clear(loop, timer);
        timer->on_due(timer);
    }
}

/* --- deferred calls --- */

void
loop_defer(struct loop *loop, struct loop_task *task)
{
    CHECK(task->on_run != NULL);
    if (list_is_empty(&task->link)) {
        list_push_tail(&loop->tasks, &task->link);
    }
}

void
loop_undefer(struct loop_task *task)
{
    list_remove(&task->link);
}

/* What is deferred meanwhile stands behind the mark and waits for the next turn. */
static void
run_tasks(struct loop *loop)
{
    if (list_is_empty(&loop->tasks)) {
        return;
    }
    struct list mark;
    list_push_tail(&loop->tasks, &mark);
    while (loop->tasks.next != &mark) {
        struct loop_task *task = LIST_OWNER(loop->tasks.next, struct loop_task, link);
        list_remove(&task->link);
        task->on_run(task);
    }
    list_remove(&mark);
}

/* --- turns --- */

static int
wait_ms(const struct loop *loop, int wait_ms_max)
{
    if (!list_is_empty(&loop->tasks) || loop->is_stopped) {
        return 0;
    }
    if (loop->timer_count == 0) {
        return wait_ms_max;
    }
    uint64_t due_ms = loop->heap[0]->heap_ms;
    uint64_t now_ms = clock_now_ms(); /* handlers may have taken a while */
    uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    if (wait_ms_max < 0) {
        const uint64_t ms_max = 60 * 60 * 1000;
        return (int)(left_ms < ms_max ? left_ms : ms_max);
    }
    return left_ms < (uint64_t)wait_ms_max ? (int)left_ms : wait_ms_max;
}

/* wait_ms_max < 0: as long as it takes. */
void
loop_turn(struct loop *loop, int wait_ms_max)
{
    CHECK(!loop->is_in_turn);
    loop->is_in_turn = true;
    int count =
        epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS_PER_TURN, wait_ms(loop, wait_ms_max));
    CHECK(count >= 0 || errno == EINTR);
    loop->now_ms = clock_now_ms();
    deliver(loop, count);
    run_timers(loop);
    run_tasks(loop);
#ifdef DCHECK_ON
    CHECK(heap_is_sound(loop));
#endif
    loop->is_in_turn = false;
}

void
loop_run(struct loop *loop)
{
    while (!loop->is_stopped) {
        loop_turn(loop, -1);
    }
    loop->is_stopped = false;
}

void
loop_stop(struct loop *loop)
{
    loop->is_stopped = true;
}

uint64_t
loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

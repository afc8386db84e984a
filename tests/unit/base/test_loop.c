#include <criterion/criterion.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

struct peer {
    struct loop_io io;
    uint32_t events; /* or-ed since the last look */
    int calls;
};

static void
note(struct loop_io *io, uint32_t events)
{
    struct peer *peer = LIST_OWNER(io, struct peer, io);
    peer->events |= events;
    peer->calls++;
}

static struct loop *
make(void)
{
    struct loop *loop = NULL;
    cr_assert_eq(loop_make(16, 512, &loop), ERR_OK);
    return loop;
}

static uint32_t
turn(struct loop *loop, struct peer *peer)
{
    peer->events = 0;
    loop_turn(loop, 20);
    return peer->events;
}

static void
make_pair(struct loop *loop, struct peer *peer, int *other)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    *peer = (struct peer){ .io = { .fd = -1, .on_ready = note } };
    cr_assert_eq(loop_add(loop, &peer->io, ends[0]), ERR_OK);
    *other = ends[1];
}

Test(loop, tells_each_edge_once)
{
    struct loop *loop = make();
    struct peer peer;
    int other = -1;
    make_pair(loop, &peer, &other);
    cr_assert_eq(turn(loop, &peer), LOOP_WRITE);
    cr_assert_eq(turn(loop, &peer), 0);
    cr_assert_eq(write(other, "a", 1), 1);
    cr_assert_eq(turn(loop, &peer) & LOOP_READ, LOOP_READ);
    cr_assert_eq(turn(loop, &peer), 0, "nothing new came");
    cr_assert_eq(write(other, "b", 1), 1);
    cr_assert_eq(turn(loop, &peer) & LOOP_READ, LOOP_READ);
    cr_assert_eq(shutdown(other, SHUT_WR), 0);
    uint32_t events = turn(loop, &peer);
    cr_assert_eq(events & (LOOP_READ | LOOP_READ_END), LOOP_READ | LOOP_READ_END);
    cr_assert_eq(events & LOOP_HANGUP, 0, "we may still write");
    close(other);
    cr_assert_eq(turn(loop, &peer), LOOP_READ | LOOP_WRITE | LOOP_READ_END | LOOP_HANGUP);
    int fd = peer.io.fd;
    loop_remove(loop, &peer.io);
    cr_assert_eq(peer.io.fd, -1);
    loop_remove(loop, &peer.io);
    close(fd);
    loop_free(loop);
}

Test(loop, tells_a_refused_connection)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof(at);
    cr_assert_eq(bind(listener, (struct sockaddr *)&at, bytes), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &bytes), 0);
    close(listener);
    struct loop *loop = make();
    struct peer peer = { .io = { .fd = -1, .on_ready = note } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)!connect(fd, (struct sockaddr *)&at, bytes);
    cr_assert_eq(loop_add(loop, &peer.io, fd), ERR_OK);
    uint32_t events = turn(loop, &peer);
    cr_assert_eq(events & LOOP_HANGUP, LOOP_HANGUP);
    cr_assert_eq(events & (LOOP_READ | LOOP_WRITE), LOOP_READ | LOOP_WRITE);
    loop_remove(loop, &peer.io);
    close(fd);
    loop_free(loop);
}

Test(loop, level_descriptors_ring_until_served_and_can_pause)
{
    struct loop *loop = make();
    int fd = eventfd(1, EFD_NONBLOCK);
    struct peer peer = { .io = { .fd = -1, .on_ready = note } };
    cr_assert_eq(loop_add_level(loop, &peer.io, fd), ERR_OK);
    cr_assert_eq(turn(loop, &peer), LOOP_READ);
    cr_assert_eq(turn(loop, &peer), LOOP_READ);
    loop_pause(loop, &peer.io, true);
    cr_assert_eq(turn(loop, &peer), 0);
    loop_pause(loop, &peer.io, false);
    cr_assert_eq(turn(loop, &peer), LOOP_READ);
    uint64_t count = 0;
    cr_assert_eq(read(fd, &count, sizeof(count)), 8);
    cr_assert_eq(turn(loop, &peer), 0);
    loop_free(loop);
    cr_assert_eq(peer.io.fd, -1, "loop_free forgets what is left");
    close(fd);
}

Test(loop, refuses_one_descriptor_too_many)
{
    struct loop *loop = NULL;
    cr_assert_eq(loop_make(2, 1, &loop), ERR_OK);
    struct peer peers[3];
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK);
        peers[i] = (struct peer){ .io = { .fd = -1, .on_ready = note } };
        cr_assert_eq(loop_add_level(loop, &peers[i].io, fds[i]), i < 2 ? ERR_OK : ERR_FULL);
    }
    loop_remove(loop, &peers[0].io);
    cr_assert_eq(loop_add_level(loop, &peers[2].io, fds[2]), ERR_OK);
    /* A file is no descriptor to wait for: the place is not used up by the refusal. */
    loop_remove(loop, &peers[2].io);
    struct peer bad = { .io = { .fd = -1, .on_ready = note } };
    cr_assert_eq(loop_add(loop, &bad.io, 9999), ERR_IO);
    cr_assert_eq(loop_add_level(loop, &peers[0].io, fds[0]), ERR_OK);
    loop_free(loop);
}

/* Two are ready in one batch; whoever runs first removes the other and puts a third in its place.
 */
static struct loop *rivals_loop;
static struct peer rivals[2];
static struct peer newcomer;
static int newcomer_fd;

static void
remove_rival(struct loop_io *io, uint32_t events)
{
    note(io, events);
    struct peer *rival = io == &rivals[0].io ? &rivals[1] : &rivals[0];
    int fd = rival->io.fd;
    uint32_t index = rival->io.index;
    loop_remove(rivals_loop, &rival->io);
    close(fd);
    cr_assert_eq(loop_add(rivals_loop, &newcomer.io, newcomer_fd), ERR_OK);
    cr_assert_eq(newcomer.io.index, index, "the place is taken again at once");
}

Test(loop, does_not_deliver_stale_events)
{
    rivals_loop = make();
    int others[2];
    for (int i = 0; i < 2; i++) {
        make_pair(rivals_loop, &rivals[i], &others[i]);
    }
    loop_turn(rivals_loop, 0);
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    newcomer = (struct peer){ .io = { .fd = -1, .on_ready = note } };
    newcomer_fd = ends[0];
    for (int i = 0; i < 2; i++) {
        rivals[i].calls = 0;
        rivals[i].io.on_ready = remove_rival;
        cr_assert_eq(write(others[i], "x", 1), 1);
    }
    loop_turn(rivals_loop, 20);
    cr_assert_eq(rivals[0].calls + rivals[1].calls, 1);
    cr_assert_eq(newcomer.calls, 0);
    loop_turn(rivals_loop, 20);
    cr_assert_eq(newcomer.calls, 1, "its own events do come");
    loop_free(rivals_loop);
}

struct bell {
    struct loop_timer timer;
    struct loop *loop;
    int rings;
    uint64_t again_ms; /* re-arms itself by this much */
};

static void
ring(struct loop_timer *timer)
{
    struct bell *bell = LIST_OWNER(timer, struct bell, timer);
    bell->rings++;
    cr_assert_eq(timer->at_ms, 0);
    cr_assert_eq(timer->heap_at, 0);
    if (bell->again_ms != 0) {
        loop_timer_set(bell->loop, timer, loop_now_ms(bell->loop) + bell->again_ms - 1);
    }
}

static void
at_time(struct loop *loop, uint64_t ms)
{
    clock_set_fake(ms * CLOCK_NS_PER_MS, 1);
    loop_turn(loop, 0);
    cr_assert_eq(loop_now_ms(loop), ms);
}

Test(loop, timers_run_when_due_and_once)
{
    clock_set_fake(1000 * CLOCK_NS_PER_MS, 1);
    struct loop *loop = make();
    struct bell bell = { .timer = { .on_due = ring }, .loop = loop };
    loop_timer_set(loop, &bell.timer, 1100);
    at_time(loop, 1099);
    cr_assert_eq(bell.rings, 0);
    at_time(loop, 1100);
    cr_assert_eq(bell.rings, 1);
    at_time(loop, 1200);
    cr_assert_eq(bell.rings, 1);
    loop_timer_set(loop, &bell.timer, 0);
    at_time(loop, 1201);
    cr_assert_eq(bell.rings, 2, "0 is long past");
    loop_timer_set(loop, &bell.timer, 1300);
    loop_timer_clear(loop, &bell.timer);
    loop_timer_clear(loop, &bell.timer);
    at_time(loop, 1400);
    cr_assert_eq(bell.rings, 2);
    loop_free(loop);
    clock_set_fake(0, 0);
}

Test(loop, timers_move_later_and_earlier)
{
    clock_set_fake(1000 * CLOCK_NS_PER_MS, 1);
    struct loop *loop = make();
    struct bell bell = { .timer = { .on_due = ring }, .loop = loop };
    loop_timer_set(loop, &bell.timer, 1100);
    loop_timer_set(loop, &bell.timer, 1500);
    cr_assert_eq(bell.timer.heap_ms, 1100, "later is one store");
    at_time(loop, 1200);
    cr_assert_eq(bell.rings, 0);
    cr_assert_eq(bell.timer.heap_ms, 1500);
    loop_timer_set(loop, &bell.timer, 1300);
    cr_assert_eq(bell.timer.heap_ms, 1300);
    at_time(loop, 1300);
    cr_assert_eq(bell.rings, 1);
    loop_free(loop);
    clock_set_fake(0, 0);
}

Test(loop, a_timer_that_rearms_in_the_past_does_not_hold_the_turn)
{
    clock_set_fake(1000 * CLOCK_NS_PER_MS, 1);
    struct loop *loop = make();
    struct bell bell = { .timer = { .on_due = ring }, .loop = loop, .again_ms = 1 };
    loop_timer_set(loop, &bell.timer, 1000);
    at_time(loop, 1001);
    cr_assert_eq(bell.rings, 1);
    at_time(loop, 1002);
    cr_assert_eq(bell.rings, 2);
    loop_free(loop);
    cr_assert_eq(bell.timer.heap_at, 0, "loop_free takes it out");
    clock_set_fake(0, 0);
}

/* Against a plain array of deadlines. DCHECK looks at the heap after every turn. */
Test(loop, many_timers_run_in_time)
{
    enum { COUNT = 500 };
    static struct bell bells[COUNT];
    uint64_t due[COUNT] = { 0 };
    int rings[COUNT] = { 0 };
    clock_set_fake(1000 * CLOCK_NS_PER_MS, 1);
    struct loop *loop = make();
    srand(3);
    for (int i = 0; i < COUNT; i++) {
        bells[i] = (struct bell){ .timer = { .on_due = ring }, .loop = loop };
    }
    for (uint64_t now = 1001; now < 3000; now++) {
        for (int change = 0; change < 30; change++) {
            int i = rand() % COUNT;
            if (rand() % 4 == 0) {
                loop_timer_clear(loop, &bells[i].timer);
                due[i] = 0;
            } else {
                due[i] = now + (uint64_t)(rand() % 200);
                loop_timer_set(loop, &bells[i].timer, due[i]);
            }
        }
        at_time(loop, now);
        for (int i = 0; i < COUNT; i++) {
            if (due[i] != 0 && due[i] <= now) {
                rings[i]++;
                due[i] = 0;
            }
            cr_assert_eq(bells[i].rings, rings[i]);
        }
    }
    loop_free(loop);
    clock_set_fake(0, 0);
}

static void
clear_all(struct loop_timer *timer)
{
    struct bell *bell = LIST_OWNER(timer, struct bell, timer);
    bell->rings++;
    for (int i = -1; i <= 1; i++) {
        loop_timer_clear(bell->loop, &bell[i].timer);
    }
}

Test(loop, a_timer_may_clear_others_that_are_due)
{
    clock_set_fake(1000 * CLOCK_NS_PER_MS, 1);
    struct loop *loop = make();
    struct bell bells[3];
    for (int i = 0; i < 3; i++) {
        bells[i] = (struct bell){ .timer = { .on_due = i == 1 ? clear_all : ring }, .loop = loop };
        loop_timer_set(loop, &bells[i].timer, i == 1 ? 1010 : 1020);
    }
    at_time(loop, 1100);
    cr_assert_eq(bells[0].rings + bells[2].rings, 0);
    cr_assert_eq(bells[1].rings, 1);
    loop_free(loop);
    clock_set_fake(0, 0);
}

Test(loop, waits_for_the_first_timer)
{
    struct loop *loop = make();
    struct bell bell = { .timer = { .on_due = ring }, .loop = loop };
    uint64_t start_ms = clock_now_ms();
    loop_timer_set(loop, &bell.timer, start_ms + 30);
    for (int i = 0; i < 10 && bell.rings == 0; i++) {
        loop_turn(loop, 5000);
    }
    uint64_t took_ms = clock_now_ms() - start_ms;
    cr_assert_eq(bell.rings, 1);
    cr_assert(took_ms >= 30 && took_ms < 2000, "%llu", (unsigned long long)took_ms);
    loop_free(loop);
}

struct chore {
    struct loop_task task;
    struct loop *loop;
    struct chore *next; /* deferred when this runs */
    int runs;
};

static void
do_chore(struct loop_task *task)
{
    struct chore *chore = LIST_OWNER(task, struct chore, task);
    chore->runs++;
    if (chore->next != NULL) {
        loop_defer(chore->loop, &chore->next->task);
    }
}

Test(loop, deferred_calls_run_once_at_the_end_of_the_turn)
{
    struct loop *loop = make();
    struct chore chores[2];
    for (int i = 0; i < 2; i++) {
        chores[i] = (struct chore){ .loop = loop };
        loop_task_init(&chores[i].task, do_chore);
        loop_undefer(&chores[i].task);
    }
    loop_defer(loop, &chores[0].task);
    loop_defer(loop, &chores[0].task);
    loop_turn(loop, 5000);
    cr_assert_eq(chores[0].runs, 1);
    loop_turn(loop, 0);
    cr_assert_eq(chores[0].runs, 1);
    loop_defer(loop, &chores[0].task);
    loop_undefer(&chores[0].task);
    loop_turn(loop, 0);
    cr_assert_eq(chores[0].runs, 1);

    /* What is deferred by a deferred call runs in the next turn, which then does not wait. */
    chores[0].next = &chores[1];
    chores[1].next = &chores[1];
    loop_defer(loop, &chores[0].task);
    uint64_t start_ms = clock_now_ms();
    loop_turn(loop, 5000);
    cr_assert_eq(chores[1].runs, 0);
    loop_turn(loop, 5000);
    cr_assert_eq(chores[1].runs, 1);
    loop_turn(loop, 5000);
    cr_assert_eq(chores[1].runs, 2);
    cr_assert(clock_now_ms() - start_ms < 2000);
    loop_free(loop);
    cr_assert(list_is_empty(&chores[1].task.link), "loop_free takes it out");
}

static void
undefer_next(struct loop_task *task)
{
    struct chore *chore = LIST_OWNER(task, struct chore, task);
    loop_undefer(&chore->next->task);
}

static void
stop(struct loop_timer *timer)
{
    loop_stop(LIST_OWNER(timer, struct bell, timer)->loop);
}

Test(loop, a_deferred_call_may_take_another_back)
{
    struct loop *loop = make();
    struct chore second = { .loop = loop };
    struct chore first = { .loop = loop, .next = &second };
    loop_task_init(&first.task, undefer_next);
    loop_task_init(&second.task, do_chore);
    loop_defer(loop, &first.task);
    loop_defer(loop, &second.task);
    loop_turn(loop, 0);
    cr_assert_eq(second.runs, 0);

    struct bell end = { .timer = { .on_due = stop }, .loop = loop };
    loop_timer_set(loop, &end.timer, clock_now_ms() + 10);
    loop_run(loop);
    loop_timer_set(loop, &end.timer, clock_now_ms() + 10);
    loop_run(loop);
    loop_free(loop);
    loop_free(NULL);
}

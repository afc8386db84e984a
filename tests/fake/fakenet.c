/* fakenet.c - see fakenet.h. */
#include "tests/fake/fakenet.h"

#include "tests/fake/fakeanswer.h"
#include "tests/fake/fakeserve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_TURN 256
#define ACCEPTS_PER_TURN 256
#define READ_BYTES (256u * 1024)
#define PIPELINED_BYTES_MAX (1024u * 1024) /* read ahead while an answer is under way */
#define SOON_US 50                         /* not worth a sleep */
#define KEPT_BYTES 4096u                   /* a buffer above this is freed when empty */

static int epoll_fd = -1;
static int listen_fd = -1;
static uint64_t now_us;
static char scratch[READ_BYTES];

static struct fakeconn **heap;
static uint32_t heap_count;
static uint32_t heap_cap;

static void
heap_set(uint32_t at, struct fakeconn *c)
{
    heap[at] = c;
    c->heap_index = at;
}

static void
heap_up(uint32_t at)
{
    struct fakeconn *c = heap[at];
    while (at > 0 && heap[(at - 1) / 2]->due > c->due) {
        heap_set(at, heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_set(at, c);
}

static void
heap_down(uint32_t at)
{
    struct fakeconn *c = heap[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= heap_count) {
            break;
        }
        if (child + 1 < heap_count && heap[child + 1]->due < heap[child]->due) {
            child++;
        }
        if (heap[child]->due >= c->due) {
            break;
        }
        heap_set(at, heap[child]);
        at = child;
    }
    heap_set(at, c);
}

static void
heap_remove(struct fakeconn *c)
{
    uint32_t at = c->heap_index;
    if (at == UINT32_MAX) {
        return;
    }
    c->heap_index = UINT32_MAX;
    struct fakeconn *last = heap[--heap_count];
    if (last != c) {
        heap_set(at, last);
        heap_up(at);
        heap_down(last->heap_index);
    }
}

uint64_t
fakenet_now(void)
{
    return now_us;
}

static void
read_clock(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    now_us = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

void
fakenet_wake_at(struct fakeconn *c, uint64_t due)
{
    heap_remove(c);
    c->due = due;
    if (due == FAKENET_NEVER) {
        return;
    }
    if (heap_count == heap_cap) {
        heap_cap = heap_cap == 0 ? 1024 : heap_cap * 2;
        heap = realloc(heap, heap_cap * sizeof(*heap));
        if (heap == NULL) {
            exit(1);
        }
    }
    heap[heap_count] = c;
    heap_up(heap_count++);
}

static void
set_events(struct fakeconn *c)
{
    struct epoll_event event = { .data.ptr = c, .events = EPOLLRDHUP };
    event.events |= c->in_off ? 0u : (uint32_t)EPOLLIN;
    event.events |= c->wants_out ? (uint32_t)EPOLLOUT : 0u;
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

void
fakenet_close(struct fakeconn *c, bool reset)
{
    fakeanswer_gone(c);
    heap_remove(c);
    if (reset) {
        struct linger linger = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    close(c->fd);
    fakebook_all.connections--;
    fakebuf_free(&c->in);
    fakebuf_free(&c->body);
    fakebuf_free(&c->out);
    free(c);
}

bool
fakenet_is_flushed(const struct fakeconn *c)
{
    return c->out_at == c->out.len;
}

bool
fakenet_flush(struct fakeconn *c)
{
    while (c->out_at < c->out.len) {
        size_t n = c->out.len - c->out_at;
        n = c->drip > 0 && n > c->drip ? c->drip : n;
        ssize_t sent = send(c->fd, c->out.data + c->out_at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (!c->wants_out) {
                c->wants_out = true;
                set_events(c);
            }
            return true;
        }
        if (sent < 0) {
            fakenet_close(c, false);
            return false;
        }
        c->out_at += (size_t)sent;
        fakebook_all.bytes_sent += (uint64_t)sent;
        if (c->drip > 0 && c->out_at < c->out.len) {
            fakenet_wake_at(c, now_us + 1000);
            return true;
        }
    }
    c->out.len = c->out_at = 0;
    if (c->out.cap > KEPT_BYTES) {
        fakebuf_free(&c->out);
    }
    if (c->wants_out) {
        c->wants_out = false;
        set_events(c);
    }
    return true;
}

static bool
refuse(struct fakeconn *c)
{
    fakeanswer_bad(c);
    c->close_after = true;
    c->phase = FAKEPHASE_FLUSH;
    if (!fakenet_flush(c)) {
        return false;
    }
    return !fakenet_is_flushed(c) || fakeanswer_flushed(c);
}

static bool
say_continue(struct fakeconn *c)
{
    if (c->continued) {
        return true;
    }
    c->continued = true;
    fakebuf_add(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
    return fakenet_flush(c);
}

/* Bytes [0, n) of a request are there; *used tells how many a whole request took. */
static bool
try_request(struct fakeconn *c, const char *p, size_t n, size_t *used, bool *gone)
{
    static struct fakehead head;
    enum fakehttp_result result = fakehttp_head(p, n, &head);
    *gone = false;
    *used = 0;
    if (result == FAKEHTTP_BAD) {
        *gone = !refuse(c);
        return false;
    }
    if (result == FAKEHTTP_MORE) {
        return false;
    }
    struct fakespan body = { p + head.head_bytes, head.content_length };
    c->need = head.head_bytes + head.content_length;
    if (head.chunked) {
        if (p != c->in.data) {
            return false; /* Chunks are decoded from the connection's own buffer only. */
        }
        c->chunk_at = c->chunk_at == 0 ? head.head_bytes : c->chunk_at;
        result = fakehttp_chunks(&c->in, &c->chunk_at, &c->body);
        if (result == FAKEHTTP_BAD) {
            *gone = !refuse(c);
            return false;
        }
        body = (struct fakespan){ c->body.data == NULL ? "" : c->body.data, c->body.len };
        c->need = result == FAKEHTTP_DONE ? c->chunk_at : n + 1;
    }
    if (c->need > n) {
        *gone = head.expects && !say_continue(c);
        return false;
    }
    *used = c->need;
    c->need = c->chunk_at = 0;
    c->continued = false;
    c->http10 = p[head.method.n + head.target.n + 9] == '0';
    c->close_after = !head.keep_alive;
    *gone = !fakeserve_request(c, &head, body);
    return true;
}

/* Works off whole requests that `in` holds, as long as none is being answered. */
static bool
work_in(struct fakeconn *c)
{
    while (c->phase == FAKEPHASE_READ && c->in.len > 0 && c->in.len >= c->need) {
        size_t used;
        bool gone;
        if (c->close_next) {
            fakenet_close(c, false);
            return false;
        }
        bool served = try_request(c, c->in.data, c->in.len, &used, &gone);
        if (gone) {
            return false;
        }
        if (!served) {
            break;
        }
        fakebuf_drop(&c->in, used);
        fakebuf_free(&c->body);
    }
    if (c->in.len == 0 && c->in.cap > 0) {
        fakebuf_free(&c->in);
    } else if (c->phase == FAKEPHASE_READ && c->need > c->in.len && c->need < READ_BYTES * 1024u) {
        fakebuf_room(&c->in, c->need - c->in.len);
    }
    bool too_much = c->phase != FAKEPHASE_READ && c->in.len > PIPELINED_BYTES_MAX;
    if (too_much != c->in_off) {
        c->in_off = too_much;
        set_events(c);
    }
    return true;
}

/* The usual case: a whole request in one read, handled where it lies. */
static bool
work_scratch(struct fakeconn *c, size_t n)
{
    size_t used = 0;
    bool gone = false;
    if (c->phase == FAKEPHASE_READ && c->in.len == 0 && !c->close_next) {
        (void)try_request(c, scratch, n, &used, &gone);
        if (gone) {
            return false;
        }
    }
    if (used == n || c->phase == FAKEPHASE_LINGER) {
        return true;
    }
    fakebuf_put(&c->in, scratch + used, n - used);
    return work_in(c);
}

/* The peer has closed: an answer under way is broken off. */
static bool
on_readable(struct fakeconn *c, bool hangup)
{
    for (;;) {
        bool direct = c->phase == FAKEPHASE_READ && c->need > c->in.len && c->in.len > 0;
        char *to = direct ? c->in.data + c->in.len : scratch;
        size_t room = direct ? c->in.cap - c->in.len : sizeof(scratch);
        ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        if (n <= 0) {
            fakenet_close(c, false);
            return false;
        }
        bool alive;
        if (direct) {
            c->in.len += (size_t)n;
            alive = work_in(c);
        } else {
            alive = work_scratch(c, (size_t)n);
        }
        if (!alive) {
            return false;
        }
        if ((size_t)n < room || c->in_off) {
            break;
        }
    }
    if (hangup && c->phase != FAKEPHASE_READ) {
        fakenet_close(c, false);
        return false;
    }
    return true;
}

static void
on_conn(struct fakeconn *c, uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        fakenet_close(c, false);
        return;
    }
    if ((events & EPOLLOUT) != 0 && !fakenet_flush(c)) {
        return;
    }
    if ((events & EPOLLOUT) != 0 && fakenet_is_flushed(c) && !fakeanswer_flushed(c)) {
        return;
    }
    if ((events & (EPOLLIN | EPOLLRDHUP)) != 0 && !on_readable(c, (events & EPOLLRDHUP) != 0)) {
        return;
    }
    (void)work_in(c);
}

static void
on_listen(void)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct fakeconn *c = calloc(1, sizeof(*c));
        if (c == NULL) {
            close(fd);
            return;
        }
        c->fd = fd;
        c->heap_index = UINT32_MAX;
        c->idle_close = FAKEPLAN_UNSET;
        struct epoll_event event = { .data.ptr = c, .events = EPOLLIN | EPOLLRDHUP };
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
            close(fd);
            free(c);
            return;
        }
        fakebook_all.connections++;
        fakebook_all.accepted++;
    }
}

static void
on_due(void)
{
    while (heap_count > 0 && heap[0]->due <= now_us) {
        struct fakeconn *c = heap[0];
        heap_remove(c);
        if (fakeanswer_due(c)) {
            (void)work_in(c);
        }
    }
}

static int
wait_ms(void)
{
    if (heap_count == 0) {
        return -1;
    }
    if (heap[0]->due <= now_us + SOON_US) {
        return 0;
    }
    uint64_t ms = (heap[0]->due - now_us + 999) / 1000;
    return ms > 60000 ? 60000 : (int)ms;
}

void
fakenet_run(void)
{
    struct epoll_event events[EVENTS_PER_TURN];
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS_PER_TURN, wait_ms());
        if (n < 0 && errno != EINTR) {
            perror("fake-provider: epoll_wait");
            exit(1);
        }
        read_clock();
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                on_listen();
            } else {
                on_conn(events[i].data.ptr, events[i].events);
            }
        }
        on_due();
    }
}

static void
fail(const char *what)
{
    fprintf(stderr, "fake-provider: %s: %s\n", what, strerror(errno));
    exit(1);
}

uint16_t
fakenet_listen(const char *address)
{
    char host[64] = "127.0.0.1";
    const char *colon = strrchr(address, ':');
    if (colon != NULL && (size_t)(colon - address) < sizeof(host)) {
        memcpy(host, address, (size_t)(colon - address));
        host[colon - address] = '\0';
    }
    struct sockaddr_in at = { .sin_family = AF_INET };
    at.sin_port = htons((uint16_t)atoi(colon == NULL ? address : colon + 1));
    if (inet_pton(AF_INET, host, &at.sin_addr) != 1) {
        errno = EINVAL;
        fail(address);
    }
    int on = 1;
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    socklen_t size = sizeof(at);
    if (listen_fd < 0 || bind(listen_fd, (struct sockaddr *)&at, size) != 0 ||
        listen(listen_fd, 4096) != 0) {
        fail(address);
    }
    getsockname(listen_fd, (struct sockaddr *)&at, &size);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .data.ptr = NULL, .events = EPOLLIN };
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event);
    read_clock();
    return ntohs(at.sin_port);
}

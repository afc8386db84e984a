/*
 * load.c - build/bench-load: a load generator for `make bench`.
 *
 * One process, one epoll loop, libc only. Closed loop: every connection sends its next request when
 * it has the answer. Open loop (--rate): requests are due at fixed times, and latency counts from
 * the time a request was due, so a stall is not hidden by waiting for it. Streams (--hold): opens
 * them all, says so on stdout, holds them, ends.
 *
 * Prints one JSON object. Everything is bounded: --requests, --seconds, --hold.
 */
#include "tests/bench/loadhttp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 20000u
#define REQUESTS_MAX 10000000u
#define READ_BYTES (256u * 1024)
#define EVENTS 512

struct options {
    const char *host;
    uint16_t port;
    const char *path;
    const char *key;
    const char *model;
    uint32_t connections;
    uint64_t requests;
    double seconds;  /* the whole run at most */
    uint64_t warmup; /* requests before counting starts */
    double rate;     /* open loop: requests a second; 0 = closed loop */
    uint32_t body;   /* bytes */
    double hold;     /* seconds to hold streams; 0 = run requests */
    bool stream;
};

struct conn {
    int fd;
    bool busy;
    bool writing; /* EPOLLOUT is on */
    size_t sent;
    uint64_t due;   /* ns: when the request should have gone out */
    uint64_t first; /* ns: first byte of the answer, 0 = none yet */
    struct loadhttp answer;
};

struct sample {
    uint32_t whole_us;
    uint32_t first_us;
};

static struct options opt = { .host = "127.0.0.1",
                              .path = "/v1/chat/completions",
                              .key = "none",
                              .model = "fake-bench",
                              .connections = 64,
                              .requests = 10000,
                              .seconds = 60,
                              .body = 2048 };
static struct conn *conns;
static char *message;
static size_t message_bytes;
static struct sample *samples;
static uint64_t sample_count;
static uint64_t started;  /* requests sent */
static uint64_t finished; /* answered or failed */
static uint64_t errors;
static int bad_status; /* of the last answer that was not 200; 0 = connections were lost */
static uint64_t bytes_in;
static uint64_t start_ns;
static uint64_t count_from_ns; /* end of the warm-up */
static uint64_t first_bytes;   /* streams that have begun */
static int epoll_fd;
static char scratch[READ_BYTES];

static uint64_t
now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
die(const char *what)
{
    fprintf(stderr, "bench-load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void
make_message(void)
{
    static const char filler[] = "the quick brown fox jumps over the lazy dog ";
    size_t cap = opt.body + 8192;
    char *body = malloc(cap);
    message = malloc(cap + 2048);
    if (body == NULL || message == NULL) {
        die("memory");
    }
    int n =
        snprintf(body, cap, "{\"model\":\"%s\",%s\"messages\":[{\"role\":\"system\",\"content\":\"",
                 opt.model, opt.stream ? "\"stream\":true," : "");
    static const char tail[] = "\"},{\"role\":\"user\",\"content\":\"hello\"}]}";
    size_t len = (size_t)n;
    for (size_t i = 0; len + sizeof(tail) - 1 < opt.body; i++) {
        body[len++] = filler[i % (sizeof(filler) - 1)];
    }
    memcpy(body + len, tail, sizeof(tail) - 1);
    len += sizeof(tail) - 1;
    n = snprintf(message, 2048,
                 "POST %s HTTP/1.1\r\nHost: %s:%u\r\nAuthorization: Bearer %s\r\n"
                 "Content-Type: application/json\r\nAccept: application/json\r\n"
                 "User-Agent: OpenAI/JS 6.49.0\r\nX-Stainless-Lang: js\r\n"
                 "X-Stainless-Package-Version: 6.49.0\r\nX-Stainless-OS: Linux\r\n"
                 "X-Stainless-Arch: x64\r\nX-Stainless-Runtime: node\r\n"
                 "X-Stainless-Runtime-Version: v22.0.0\r\nX-Stainless-Retry-Count: 0\r\n"
                 "X-Stainless-Timeout: 600\r\nAccept-Language: *\r\nSec-Fetch-Mode: cors\r\n"
                 "Accept-Encoding: gzip, deflate\r\nContent-Length: %zu\r\n\r\n",
                 opt.path, opt.host, opt.port, opt.key, len);
    memcpy(message + n, body, len);
    message_bytes = (size_t)n + len;
    free(body);
}

static void
connect_one(struct conn *c)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(opt.port) };
    int on = 1;
    if (inet_pton(AF_INET, opt.host, &at.sin_addr) != 1) {
        die(opt.host);
    }
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        die("connect");
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        die("epoll_ctl");
    }
    c->busy = c->writing = false;
}

static void
set_writing(struct conn *c, bool on)
{
    if (c->writing == on) {
        return;
    }
    struct epoll_event event = { .events = EPOLLIN | (on ? (uint32_t)EPOLLOUT : 0u),
                                 .data.ptr = c };
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
    c->writing = on;
}

static void end_request(struct conn *c, bool good, uint64_t now);

static void
write_some(struct conn *c)
{
    while (c->sent < message_bytes) {
        ssize_t n =
            send(c->fd, message + c->sent, message_bytes - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            set_writing(c, true);
            return;
        }
        if (n < 0) {
            return; /* The end of the connection is seen when reading. */
        }
        c->sent += (size_t)n;
    }
    set_writing(c, false);
}

static void
send_request(struct conn *c, uint64_t due)
{
    started++;
    c->busy = true;
    c->due = due;
    c->first = 0;
    c->sent = 0;
    c->answer = (struct loadhttp){ 0 };
    write_some(c);
}

/* Closed loop only: the next request of this connection. */
static void
go_on(struct conn *c, uint64_t now)
{
    if (opt.rate == 0 && opt.hold == 0 && started < opt.requests + opt.warmup) {
        send_request(c, now);
    }
}

static void
end_request(struct conn *c, bool good, uint64_t now)
{
    c->busy = false;
    finished++;
    if (finished == opt.warmup) {
        count_from_ns = now;
    }
    if (finished <= opt.warmup) {
        return;
    }
    if (!good) {
        errors++;
    } else if (sample_count < opt.requests) {
        samples[sample_count++] = (struct sample){ (uint32_t)((now - c->due) / 1000),
                                                   (uint32_t)((c->first - c->due) / 1000) };
    }
}

static void
lose(struct conn *c, uint64_t now)
{
    close(c->fd);
    if (c->busy) {
        end_request(c, false, now);
    }
    if (opt.hold > 0) {
        c->fd = -1;
        return;
    }
    connect_one(c);
    go_on(c, now);
}

static void
on_readable(struct conn *c)
{
    ssize_t n = recv(c->fd, scratch, sizeof(scratch), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    uint64_t now = now_ns();
    if (n <= 0) {
        lose(c, now);
        return;
    }
    bytes_in += (uint64_t)n;
    if (c->first == 0) {
        c->first = now;
        first_bytes++;
    }
    enum loadhttp_result result = loadhttp_feed(&c->answer, scratch, (size_t)n);
    if (result == LOADHTTP_BAD || (result == LOADHTTP_MORE && !c->busy)) {
        lose(c, now);
    } else if (result == LOADHTTP_DONE) {
        bad_status = c->answer.status == 200 ? bad_status : c->answer.status;
        end_request(c, c->answer.status == 200, now);
        if (c->answer.close) {
            lose(c, now);
        } else {
            go_on(c, now);
        }
    }
}

static bool
turn(uint64_t wait_ns)
{
    struct epoll_event events[EVENTS];
    struct timespec wait = { (time_t)(wait_ns / 1000000000u), (long)(wait_ns % 1000000000u) };
    int n = epoll_pwait2(epoll_fd, events, EVENTS, &wait, NULL);
    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;
        if ((events[i].events & EPOLLOUT) != 0) {
            write_some(c);
        }
        if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0) {
            on_readable(c);
        }
    }
    return now_ns() - start_ns < (uint64_t)(opt.seconds * 1e9);
}

static void
run_closed(void)
{
    for (uint32_t i = 0; i < opt.connections; i++) {
        go_on(&conns[i], now_ns());
    }
    while (finished < opt.requests + opt.warmup && turn(100000000u)) {
    }
}

/* Requests that are due take a free connection; without one they wait, and their clock runs. */
static void
run_open(void)
{
    uint64_t total = opt.requests + opt.warmup;
    double gap_ns = 1e9 / opt.rate;
    uint32_t next_conn = 0;
    uint64_t begin = now_ns();
    while (finished < total) {
        uint64_t now = now_ns();
        uint32_t tried = 0;
        while (started < total && (double)(now - begin) >= (double)started * gap_ns &&
               tried < opt.connections) {
            struct conn *c = &conns[next_conn];
            next_conn = (next_conn + 1) % opt.connections;
            tried++;
            if (!c->busy) {
                send_request(c, begin + (uint64_t)((double)started * gap_ns));
                tried = 0;
            }
        }
        double next = (double)started * gap_ns - (double)(now_ns() - begin);
        uint64_t wait = started >= total || next > 1e8 ? 100000000u : next < 0 ? 0 : (uint64_t)next;
        if (!turn(tried == opt.connections ? 1000000u : wait)) {
            break;
        }
    }
}

static void
run_hold(void)
{
    for (uint32_t i = 0; i < opt.connections; i++) {
        send_request(&conns[i], now_ns());
        if (i % 64 == 63) {
            (void)turn(1000000u);
        }
    }
    while (first_bytes + errors < opt.connections && turn(100000000u)) {
    }
    printf("{\"open\":%llu,\"errors\":%llu,\"seconds\":%.3f}\n", (unsigned long long)first_bytes,
           (unsigned long long)errors, (double)(now_ns() - start_ns) / 1e9);
    fflush(stdout);
    uint64_t end = now_ns() + (uint64_t)(opt.hold * 1e9);
    while (now_ns() < end && turn(100000000u)) {
    }
}

static int
by_whole(const void *a, const void *b)
{
    uint32_t x = ((const struct sample *)a)->whole_us;
    uint32_t y = ((const struct sample *)b)->whole_us;
    return x < y ? -1 : x > y;
}

static int
by_first(const void *a, const void *b)
{
    uint32_t x = ((const struct sample *)a)->first_us;
    uint32_t y = ((const struct sample *)b)->first_us;
    return x < y ? -1 : x > y;
}

static const struct sample *
at_share(double share)
{
    static const struct sample none;
    uint64_t at = (uint64_t)((double)sample_count * share);
    return sample_count == 0 ? &none : &samples[at < sample_count ? at : sample_count - 1];
}

static void
print_result(void)
{
    double seconds = (double)(now_ns() - count_from_ns) / 1e9;
    printf("{\"requests\":%llu,\"errors\":%llu,\"seconds\":%.3f,\"rps\":%.0f,\"bytes\":%llu",
           (unsigned long long)sample_count, (unsigned long long)errors, seconds,
           (double)sample_count / seconds, (unsigned long long)bytes_in);
    qsort(samples, sample_count, sizeof(*samples), by_whole);
    printf(",\"p50_us\":%u,\"p90_us\":%u,\"p99_us\":%u,\"max_us\":%u", at_share(0.5)->whole_us,
           at_share(0.9)->whole_us, at_share(0.99)->whole_us, at_share(1)->whole_us);
    qsort(samples, sample_count, sizeof(*samples), by_first);
    printf(",\"ttfb_p50_us\":%u,\"ttfb_p99_us\":%u,\"bad_status\":%d}\n", at_share(0.5)->first_us,
           at_share(0.99)->first_us, bad_status);
}

static void
usage(void)
{
    fprintf(stderr, "usage: bench-load --port PORT [--host ADDRESS] [--path PATH] [--key KEY]\n"
                    "  [--model NAME] [--connections N] [--requests N] [--warmup N] [--seconds S]\n"
                    "  [--body BYTES] [--stream] [--rate PER-SECOND] [--hold SECONDS]\n");
    exit(2);
}

static void
read_options(int argc, char **argv)
{
    static const struct option table[] = {
        { "port", 1, NULL, 'p' },     { "host", 1, NULL, 'h' },   { "path", 1, NULL, 'P' },
        { "key", 1, NULL, 'k' },      { "model", 1, NULL, 'm' },  { "connections", 1, NULL, 'c' },
        { "requests", 1, NULL, 'n' }, { "warmup", 1, NULL, 'w' }, { "seconds", 1, NULL, 's' },
        { "body", 1, NULL, 'b' },     { "stream", 0, NULL, 'S' }, { "rate", 1, NULL, 'r' },
        { "hold", 1, NULL, 'H' },     { NULL, 0, NULL, 0 },
    };
    int o;
    while ((o = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (o == 'p') {
            opt.port = (uint16_t)atoi(optarg);
        } else if (o == 'h') {
            opt.host = optarg;
        } else if (o == 'P') {
            opt.path = optarg;
        } else if (o == 'k') {
            opt.key = optarg;
        } else if (o == 'm') {
            opt.model = optarg;
        } else if (o == 'c') {
            opt.connections = (uint32_t)atoi(optarg);
        } else if (o == 'n') {
            opt.requests = strtoull(optarg, NULL, 10);
        } else if (o == 'w') {
            opt.warmup = strtoull(optarg, NULL, 10);
        } else if (o == 's') {
            opt.seconds = atof(optarg);
        } else if (o == 'b') {
            opt.body = (uint32_t)strtoul(optarg, NULL, 10);
        } else if (o == 'S') {
            opt.stream = true;
        } else if (o == 'r') {
            opt.rate = atof(optarg);
        } else if (o == 'H') {
            opt.hold = atof(optarg);
        } else {
            usage();
        }
    }
    bool sane = opt.port > 0 && opt.connections > 0 && opt.connections <= CONNECTIONS_MAX &&
                opt.requests > 0 && opt.requests <= REQUESTS_MAX && opt.body <= (64u << 20);
    if (!sane || optind < argc) {
        usage();
    }
}

int
main(int argc, char **argv)
{
    read_options(argc, argv);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc(opt.connections, sizeof(*conns));
    samples = calloc(opt.requests, sizeof(*samples));
    if (conns == NULL || samples == NULL) {
        die("memory");
    }
    opt.stream = opt.stream || opt.hold > 0;
    make_message();
    start_ns = count_from_ns = now_ns();
    for (uint32_t i = 0; i < opt.connections; i++) {
        connect_one(&conns[i]);
    }
    if (opt.hold > 0) {
        run_hold();
        return errors == 0 ? 0 : 1;
    }
    if (opt.rate > 0) {
        run_open();
    } else {
        run_closed();
    }
    print_result();
    return errors == 0 && sample_count > 0 ? 0 : 1;
}

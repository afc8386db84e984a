/*
 * play.h - the harness of the scenario tests: a whole gateway, the fake provider, and a raw client.
 *
 * A file NN_name.c holds one group of tests and registers it with PLAY_GROUP. Each group runs in a
 * process of its own with one gateway and one fake provider, started before its first test. A test
 * that takes too long is killed with everything the group started, and the group goes on with its
 * next test and a fresh gateway. Memory given out here lives until the test ends.
 *
 * Runs in: build/asan/tests/scenario/run.
 */
#ifndef TESTS_SCENARIO_PLAY_H
#define TESTS_SCENARIO_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PLAY_KEY "sk-test-0123456789abcdefghijABCDEFGHIJ01" /* the user tester's */
#define PLAY_SECONDS 30                                     /* a test's time when it names none */

struct play_test {
    const char *name;
    void (*run)(void);
    unsigned seconds; /* 0 = PLAY_SECONDS */
};

struct play_group {
    const char *name;
    const struct play_test *tests; /* ends with a NULL name */
    const char *const *settings;   /* "section.key=value", NULL at the end; may be NULL */
    void (*prepare)(void);         /* after the gateway is up; NULL = play_standard */
    struct play_group *next;
};

void play_register(struct play_group *group);

#define PLAY_GROUP(var, group_name, test_table, setting_list, prepare_fn)                        \
    static struct play_group var = {                                                             \
        .name = group_name, .tests = test_table, .settings = setting_list, .prepare = prepare_fn \
    };                                                                                           \
    __attribute__((constructor)) static void var##_register(void)                                \
    {                                                                                            \
        play_register(&var);                                                                     \
    }

/* --- assertions: CHECK notes a failure and goes on, NEED ends the test --- */

void play_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void play_give_up(void) __attribute__((noreturn));

#define PLAY_CHECK(condition, ...)                      \
    do {                                                \
        if (!(condition)) {                             \
            play_fail(__FILE__, __LINE__, __VA_ARGS__); \
        }                                               \
    } while (0)

#define PLAY_NEED(condition, ...)                       \
    do {                                                \
        if (!(condition)) {                             \
            play_fail(__FILE__, __LINE__, __VA_ARGS__); \
            play_give_up();                             \
        }                                               \
    } while (0)

/* --- memory and text of one test --- */

void *play_memory(size_t bytes); /* zeroed */
char *play_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *play_repeat(char byte, size_t count);
uint64_t play_now_ms(void);
void play_sleep(unsigned ms);

/* The member at a dotted path ("error.code", "data.0.id") of a JSON text: a string's content with
 * its escapes undone, anything else as it stands; NULL when absent. */
char *play_json(const char *text, const char *path);
bool play_json_is(const char *text, const char *path, const char *value);
uint64_t play_json_number(const char *text, const char *path); /* UINT64_MAX when absent */

/* --- what the group runs --- */

struct play_world {
    char *dir;
    char *ini;
    char *socket;
    char *log;     /* the gateway's stderr */
    char *key;     /* a gateway key of the user "tester" */
    uint16_t port; /* the gateway */
    uint16_t fake_port;
    pid_t master;
    pid_t fake;
};

extern struct play_world play_world;

/* Accounts openai, claude and gemini on the fake, the user tester, a key. */
void play_standard(void);

/* Writes the ini from the group's settings and those given here (NULL-ended, may be NULL). */
void play_write_ini(const char *const *more);
void play_start_gateway(void);
/* SIGTERM, then waits; the exit status or -1 after the time. */
int play_stop_gateway(unsigned ms);
bool play_wait_ready(unsigned ms);
/* A further fake provider that dies with the group. The Nth writes what it is asked to fakeN.log in
 * the world's directory and what it served to fakeN.served, the standard one to fake0. */
pid_t play_start_fake(const char *plan, uint16_t *port);
char *play_read_file(const char *path);
void play_write_file(const char *path, const char *text);
bool play_log_has(const char *text, unsigned ms); /* waits so long for it */

/* Process ids by title, e.g. "sub2api: worker 0"; 0 when there is none among our descendants. */
pid_t play_process(const char *title);
/* False for a zombie too: who reaps it is another's business. */
bool play_is_alive(pid_t pid);

/* --- commands --- */

struct play_run {
    int status; /* exit status; 128 + signal */
    char *out;
    char *err;
};

/* Arguments end with NULL; -s SOCKET is put in front. */
struct play_run play_ctl(const char *first, ...) __attribute__((sentinel));
/* The same, and the test ends unless the status is 0. */
struct play_run play_must_ctl(const char *first, ...) __attribute__((sentinel));
struct play_run play_command(const char *const *argv, unsigned ms);

/* --- raw HTTP --- */

struct play_bytes {
    char *data; /* always ended by NUL */
    size_t len;
    size_t cap;
};

struct play_conn {
    int fd;
    struct play_bytes in;   /* received, not yet used */
    struct play_bytes body; /* of the answer being read, decoded */
    size_t used;            /* of body, by play_event */
    int64_t left;           /* of a body with length; -1 chunked, -2 until the end */
    bool ended;             /* the body is whole */
    bool broken;            /* the connection ended or broke in the middle, or the framing is bad */
    bool closed;            /* the peer has closed */
};

struct play_answer {
    int status; /* 0: none came */
    char *head; /* start line and fields, with NUL */
    char *body;
    size_t body_len;
    bool whole;  /* the body came to its end */
    bool closed; /* the connection was closed behind it */
    uint64_t ms; /* from the call to the end of the answer */
};

struct play_conn *play_open(uint16_t port);
void play_write(struct play_conn *c, const char *data, size_t len);
void play_print(struct play_conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void play_close(struct play_conn *c);
void play_reset(struct play_conn *c); /* closes with RST */

/* One whole answer, or what came of it within the time. 1xx answers are skipped. */
struct play_answer play_read(struct play_conn *c, unsigned ms);
/* Only the head; the body is then taken by play_event, play_more. */
struct play_answer play_read_head(struct play_conn *c, unsigned ms);
/* More body: true when some came; false at the end, when broken, or after the time. */
bool play_more(struct play_conn *c, unsigned ms);
/* The next server-sent event (up to an empty line) or NULL. Comments are events of their own. */
char *play_event(struct play_conn *c, unsigned ms);
/* True when the peer closes (or has closed) within the time without sending more. */
bool play_is_closed(struct play_conn *c, unsigned ms);

/* A field's value, NULL when absent. Names without case. */
char *play_field(const struct play_answer *a, const char *name);

/* One request on a connection of its own. `fields` are lines ending in CRLF, or NULL. */
struct play_answer play_request(uint16_t port, const char *method, const char *target,
                                const char *fields, const char *body, size_t body_len);
/* POST JSON to the gateway with the test's key, in the way of the endpoint. */
struct play_answer play_post(const char *target, const char *body);
/* The head of a POST with the key and the body, for sending by hand. */
char *play_post_text(const char *target, const char *body);

/* --- the fake --- */

void play_fake_reset(void);
uint64_t play_fake_stat(const char *path); /* e.g. "requests", "models.fake-hang.aborted" */
bool play_fake_wait(const char *path, uint64_t value, unsigned ms);
char *play_fake_requests(void);

#endif

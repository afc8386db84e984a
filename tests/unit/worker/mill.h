/*
 * mill.h - for tests: one real worker in a process of its own, over a segment and a store of this
 * test, with the test as its clients and as its provider.
 *
 * There is no recorder: the test itself looks into the ring and frees it.
 */
#ifndef TESTS_UNIT_WORKER_MILL_H
#define TESTS_UNIT_WORKER_MILL_H

#include <stdbool.h>
#include <stdint.h>

#include "http/httpconf.h"
#include "shm/counter.h"
#include "shm/gate.h"
#include "shm/heritage.h"
#include "store/ledger.h"
#include "store/storeconf.h"
#include "tests/unit/shm/testseg.h"
#include "upstream/upconf.h"
#include "worker/workerconf.h"

#define MILL_TEXT_BYTES 400000u
#define MILL_WAIT_MS 5000 /* longer than anything takes that comes at all */

struct mill_confs {
    struct httpconf http;
    struct workerconf worker;
    struct upconf upstream;
    struct storeconf store;
};

struct mill {
    struct testseg test;
    struct mill_confs confs;
    struct heritage heritage;
    struct tls_roots *roots;
    uint32_t slot;
    uint32_t other; /* slot of the worker that the test plays */
    pid_t pid;
    int listen_fd; /* the worker's */
    uint16_t port;
    int provider_fd; /* listens */
    int provider;    /* the connection that the worker uses; -1 = none */
    int life[2];
    int master[2];
    uint32_t grace_ms;
    const char *fault;         /* a plan for base/fault.h; NULL = none */
    int log_fd;                /* the worker's standard error; -1 = the test's */
    char log[MILL_TEXT_BYTES]; /* what it wrote so far */
    char *store;               /* the data file's bytes while it is broken */
    size_t store_bytes;
    char asked[MILL_TEXT_BYTES];  /* the provider's last request */
    char answer[MILL_TEXT_BYTES]; /* the client's last answer */
};

/* Store, segment, settings: may be changed until mill_run(). One user "joe", one group "all". */
struct mill *mill_make(void);
/* An account of the group "all" at the test's provider; `change` may be NULL. */
void mill_account(struct mill *mill, const char *name, void (*change)(struct account *account));
/* A key of joe whose text is its name. */
void mill_key(struct mill *mill, const char *name, void (*change)(struct key *key));
void mill_user(struct mill *mill, void (*change)(struct user *user));
/* A plan of joe for the group "all". */
void mill_plan(struct mill *mill, void (*change)(struct plan *plan));
void mill_group(struct mill *mill, void (*change)(struct group *group));
/* Before mill_run: what the worker logs is kept for mill_log. */
void mill_keep_log(struct mill *mill);
void mill_change_key(struct mill *mill, const char *name, void (*change)(struct key *key));
void mill_run(struct mill *mill);
/* Ends it by SIGTERM; fails unless it leaves in good order, holding nothing. */
void mill_stop(struct mill *mill);
/* For who awaits the worker's end otherwise: removes everything. */
void mill_free(struct mill *mill);
/* Awaits that the worker holds nothing: no lease, no place at a gate, no reserved token. */
void mill_settled(struct mill *mill);
/* Awaits a line of the log with this in it; mill->log holds all of it. */
const char *mill_log(struct mill *mill, const char *mark);
/* Awaits that a counter of the worker's has this value. */
void mill_counts(struct mill *mill, enum counter counter, uint64_t value);
/* --- another worker: the test itself --- */
/* The gate of this key, user, group (also its pool) or account. */
uint32_t mill_gate(struct mill *mill, enum gate_kind kind, const char *name);
/* Takes and gives back a place there, whatever the limit is. */
void mill_occupy(struct mill *mill, uint32_t gate);
void mill_vacate(struct mill *mill, uint32_t gate);
/* Awaits that so many requests wait there. */
void mill_waits(struct mill *mill, uint32_t gate, uint32_t count);

/* The store's file goes bad under the worker's eyes: nothing of it can be read. */
void mill_break_store(struct mill *mill);
/* It is as it was. */
void mill_mend_store(struct mill *mill);

/* --- a client (millwire.c) --- */
/* Small pieces leave at once, as they are written. */
void mill_send_at_once(int fd);
int mill_connect(struct mill *mill);
void mill_send(int fd, const char *text);
/* POST with this key as bearer ("" = none) and a body. */
void mill_post(int fd, const char *path, const char *key, const char *body);
/* Leaves at once, for both directions (a reset). */
void mill_reset(int fd);
/* Reads until `mark` stands in the answer (NULL: until its end); mill->answer holds it. */
const char *mill_read(struct mill *mill, int fd, const char *mark);
/* One POST and its whole answer on a connection of its own. */
const char *mill_talk(struct mill *mill, const char *path, const char *key, const char *body);
/* A request without a body, on a connection of its own; `fields` are whole lines. */
const char *mill_ask(struct mill *mill, const char *method, const char *path, const char *fields);
/* Has the answer this status, and does it name this code (NULL: none)? */
bool mill_is(const char *answer, int status, const char *code);

/* --- the provider --- */
/* Awaits the next request and reads it whole; mill->asked holds it. */
void mill_take(struct mill *mill);
void mill_say(struct mill *mill, const void *bytes, size_t count);
/* The head of an event stream, and a piece of it. */
void mill_begin_stream(struct mill *mill);
void mill_chunk(struct mill *mill, const char *bytes, size_t count);
void mill_end_stream(struct mill *mill);
void mill_answer(struct mill *mill, const char *status, const char *type, const char *body);
void mill_hang_up(struct mill *mill);
/* Awaits that the worker closes the connection in use. */
void mill_is_left(struct mill *mill);
/* The connection in use is the caller's from here on: mill_take awaits another one. */
int mill_put_aside(struct mill *mill);

/* The records since the last call, newest last; frees them in the ring. */
uint32_t mill_records(struct mill *mill, struct ledger_record *out, uint32_t max);
/* Awaits the one record of the request just made. */
void mill_record(struct mill *mill, struct ledger_record *out);

#endif

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
#include "shm/heritage.h"
#include "store/ledger.h"
#include "store/storeconf.h"
#include "tests/unit/shm/testseg.h"
#include "upstream/upconf.h"
#include "worker/workerconf.h"

#define MILL_TEXT_BYTES 400000u

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
    pid_t pid;
    int listen_fd;   /* the worker's */
    int provider_fd; /* listens */
    int provider;    /* the connection that the worker uses; -1 = none */
    int life[2];
    int master[2];
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
void mill_group(struct mill *mill, void (*change)(struct group *group));
void mill_run(struct mill *mill);
/* Ends it by SIGTERM; fails unless it leaves in good order, holding nothing. */
void mill_stop(struct mill *mill);

/* --- a client --- */
int mill_connect(struct mill *mill);
void mill_send(int fd, const char *text);
/* POST with this key as bearer ("" = none) and a body. */
void mill_post(int fd, const char *path, const char *key, const char *body);
/* Reads until `mark` stands in the answer (NULL: until its end); mill->answer holds it. */
const char *mill_read(struct mill *mill, int fd, const char *mark);
/* One POST and its whole answer on a connection of its own. */
const char *mill_talk(struct mill *mill, const char *path, const char *key, const char *body);

/* --- the provider --- */
/* Awaits the next request and reads it whole; mill->asked holds it. */
void mill_take(struct mill *mill);
void mill_say(struct mill *mill, const void *bytes, size_t count);
void mill_answer(struct mill *mill, const char *status, const char *type, const char *body);
void mill_hang_up(struct mill *mill);

/* The records since the last call, newest last; frees them in the ring. */
uint32_t mill_records(struct mill *mill, struct ledger_record *out, uint32_t max);
/* Awaits the one record of the request just made. */
void mill_record(struct mill *mill, struct ledger_record *out);

#endif

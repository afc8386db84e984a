/*
 * heritage.h - all that a child gets from the master: the parent-child contract as one struct.
 *
 * Made by master/process.c before the fork, read-only afterwards. Everything not named here the
 * child must open itself, after the fork (LMDB environment, TLS contexts, random numbers, epoll).
 * Settings structs are the frozen configuration of the child's generation.
 *
 * Runs in: written by master before fork; read by worker, recorder, keeper.
 */
#ifndef SHM_HERITAGE_H
#define SHM_HERITAGE_H

#include <stdint.h>

#include "base/limits.h"

struct adminconf;
struct httpconf;
struct segment;
struct storeconf;
struct tls_roots;
struct upconf;
struct workerconf;

struct heritage {
    struct segment *segment;
    uint32_t slot;       /* ours in the segment: shm/slot.h, assigned by the master */
    uint32_t worker;     /* number of this worker (0..workers-1); 0 for the others */
    uint32_t generation; /* of the configuration; grows at each reload */

    uint32_t grace_ms; /* [master] grace: how long a drain may take */
    const struct httpconf *http;
    const struct workerconf *worker_conf;
    const struct upconf *upstream;
    const struct storeconf *store;
    const struct adminconf *admin;
    const struct tls_roots *roots; /* trusted authorities, parsed before the fork */

    const int
        *listen_fds; /* this worker's listening sockets (SO_REUSEPORT); the master owns them */
    uint32_t listen_count;
    int admin_fd;        /* recorder: the listening admin socket; -1 for the others */
    const int *wake_fds; /* eventfd of each slot, indexed by slot */
    int life_fd;         /* reading end of a pipe: end of file = the master is dead */
    int master_fd;       /* writing end of a pipe to the master: one-byte wishes */
};

/* What a child may write into master_fd. The recorder passes on what the admin CLI asks. */
#define HERITAGE_WISH_RELOAD 'r'
#define HERITAGE_WISH_STOP 's'

/*
 * Signals a child handles by signalfd: SIGTERM = drain, then exit(0); SIGQUIT = exit at once.
 * All others are blocked or ignored. Exit codes: 0 in good order, 2 could not start (the master
 * backs off), anything else is a crash.
 */

#endif

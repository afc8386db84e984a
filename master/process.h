/*
 * process.h - what a child is made of: its kind, its heritage, what it keeps and what it closes.
 *
 * A child keeps the descriptors its heritage names and no other: process_fork closes everything in
 * between, so that nothing the master opens later can leak by forgetting. Its settings are the
 * master's memory at the time of the fork (copy on write), so they never change under it.
 *
 * Runs in: master (process_fork); the child from fork to its entry function.
 * If the process dies here: the slot stays ASSIGNED, the master reaps it and the recorder frees it.
 */
#ifndef MASTER_PROCESS_H
#define MASTER_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/limits.h"
#include "master/config.h"
#include "master/sockets.h"
#include "shm/heritage.h"
#include "shm/segment.h"
#include "shm/slot.h"

struct tls_roots;

/* What all children of one generation get. Owned by the master. */
struct process_ground {
    struct segment segment;
    struct config *config;   /* of this generation; replaced as a whole at reload */
    struct tls_roots *roots; /* same */
    struct sockets sockets;  /* same */
    uint32_t generation;
    uint32_t worker_count; /* config->master.workers with 0 resolved */
    int admin_fd;
    int wake_fds[SLOTS_MAX];
    int life_fds[2]; /* children read [0]; its end of file is our death */
    int wish_fds[2]; /* children write [1] */
};

/* Which child. */
struct process_post {
    enum slot_kind kind;
    uint32_t worker; /* number; 0 for other kinds */
};

/* Wake descriptors and pipes. ERR_IO: out of descriptors. */
MUST_CHECK enum err process_prepare(struct process_ground *ground);

/*
 * Forks. In the master: pid and slot of the child. The child never returns. ERR_FULL: no slot is
 * free yet; ERR_IO: the system refused to fork.
 */
MUST_CHECK enum err process_fork(struct process_ground *ground, struct process_post post,
                                 pid_t *out_pid, uint32_t *out_slot);

/* The descriptors a child of this kind keeps, ascending and without repetition, besides 0, 1, 2. */
#define PROCESS_KEPT_MAX (SLOTS_MAX + LISTENS_MAX + 8u)
uint32_t process_kept(const struct process_ground *ground, const struct heritage *heritage,
                      int out[PROCESS_KEPT_MAX]);

/* What the child's entry function gets; the pointers are the ground's. */
void process_heritage(struct process_ground *ground, struct process_post post, uint32_t slot,
                      struct heritage *out);

#endif

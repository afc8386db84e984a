/*
 * sockets.h - the listening sockets: one for each worker and address, made and kept by the master.
 *
 * With SO_REUSEPORT the kernel spreads new connections over the workers' sockets. The master keeps
 * all of them open, so a worker that dies resets nobody: its successor inherits the same sockets
 * with what waits in them. A reload keeps the sockets of addresses that stay.
 *
 * Runs in: master. If it dies: the children's copies live on until they have drained.
 */
#ifndef MASTER_SOCKETS_H
#define MASTER_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/setting.h"

struct httpconf;

#define SOCKETS_WHY_BYTES 256
#define SOCKETS_ADDRESS_BYTES 64

struct sockets {
    uint32_t listen_count;
    uint32_t worker_count;
    char texts[LISTENS_MAX][SETTING_LIST_ITEM_BYTES];   /* as configured */
    char addresses[LISTENS_MAX][SOCKETS_ADDRESS_BYTES]; /* as bound: port 0 has become one */
    int fds[WORKERS_MAX][LISTENS_MAX];                  /* row = what this worker inherits */
};

/*
 * Opens what `conf` wants for `workers` workers, taking over from `old` (NULL: none) what is open
 * already. On failure nothing new stays open, `old` is as it was, and `why` is a sentence.
 */
MUST_CHECK enum err sockets_open(struct sockets *out, const struct httpconf *conf, uint32_t workers,
                                 const struct sockets *old, char why[SOCKETS_WHY_BYTES]);

/* Closes those of `old` that `now` (NULL: nobody) has not taken over. */
void sockets_close(struct sockets *old, const struct sockets *now);

/*
 * The admin socket. ERR_REFUSED: somebody answers there already, or the path cannot be made; `why`
 * is a sentence.
 */
MUST_CHECK enum err sockets_open_admin(const char *path, int *out_fd, char why[SOCKETS_WHY_BYTES]);

#endif

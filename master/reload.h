/*
 * reload.h - a new configuration beside the running one: complete and valid, or not at all.
 *
 * Runs in: master. If it dies here: nothing has changed for the children.
 */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include "base/err.h"
#include "master/config.h"
#include "master/process.h"

/* Where the configuration comes from; the same at every reload. */
struct reload_source {
    const char *file; /* NULL: none */
    char *const *sets;
    int set_count;
};

#define RELOAD_WHY_BYTES 600

/* What a reload exchanges. */
struct reload {
    struct config *config;
    struct tls_roots *roots;
    struct sockets sockets;
    uint32_t worker_count;
};

/* [master] workers, or one for each core we may use. At least 1, at most WORKERS_MAX. */
uint32_t reload_worker_count(const struct config *config);

/*
 * Reads, validates, opens what is new. On failure nothing is changed and `why` says the file and
 * line, the setting that needs a restart, or the address that cannot be had.
 */
MUST_CHECK enum err
reload_prepare(const struct process_ground *ground, const struct reload_source *source,
               struct reload *out, char why[RELOAD_WHY_BYTES]);

/* Puts it in the ground's place and frees the old: the next child gets the new one. */
void reload_commit(struct process_ground *ground, struct reload *reload);

#endif

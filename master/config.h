/*
 * config.h - the whole configuration: one struct, one section a folder.
 *
 * Read once by the master, frozen before fork, inherited by the children, who see it read-only.
 * A reload parses into a new struct; when anything is wrong the old one stays.
 *
 * Runs in: master (reads), every child (through heritage.h, which hands each its part).
 */
#ifndef MASTER_CONFIG_H
#define MASTER_CONFIG_H

#include "admin/adminconf.h"
#include "base/err.h"
#include "http/httpconf.h"
#include "master/masterconf.h"
#include "shm/shmconf.h"
#include "store/storeconf.h"
#include "upstream/upconf.h"
#include "worker/workerconf.h"

#define CONFIG_SECTIONS 7u
#define CONFIG_WHERE_BYTES 512u /* "path:line" in an error */

struct config {
    struct masterconf master;
    struct httpconf http;
    struct workerconf worker;
    struct upconf upstream;
    struct shmconf shm;
    struct storeconf store;
    struct adminconf admin;
};

/* The seven sections in the order of the ini. Static memory. */
const struct setting_section *config_sections(void);

/*
 * Defaults, then the file (NULL: none), then each "section.key=value" of sets. ERR_GONE: no such
 * file. ERR_BAD: refused; error says where (file and line, or --set) and why.
 */
MUST_CHECK enum err config_load(const char *file, char *const *sets, int set_count,
                                struct config *out, struct setting_error *error);

#endif

/*
 * shmconf.h - the [shm] section of sub2api.ini.
 *
 * Runs in: master (fills it before fork); every child reads its frozen copy.
 */
#ifndef SHM_SHMCONF_H
#define SHM_SHMCONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"

struct shmconf {
    char file[256];      /* the segment; empty: /dev/shm/sub2api-<hash of store dir> */
    uint32_t leases;     /* requests in flight of one worker */
    uint32_t gates;      /* users, keys, groups and accounts with limits or windows */
    uint32_t ring_cells; /* finished requests of one worker not yet in the store; power of two */
    uint32_t accounts;   /* health records */
    uint32_t sticky;     /* sessions that are bound to an account */
};

extern const struct setting shmconf_rows[];
extern const size_t shmconf_row_count;

#endif

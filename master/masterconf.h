/*
 * masterconf.h - the [master] section of sub2api.ini.
 *
 * Runs in: master (fills it before fork); every child reads its frozen copy.
 */
#ifndef MASTER_MASTERCONF_H
#define MASTER_MASTERCONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"

struct masterconf {
    uint32_t workers;   /* processes; 0 = one a core */
    uint32_t grace_ms;  /* streams under way get this long at stop and reload */
    uint32_t log_level; /* enum log_level */
    char user[64];      /* drop to this user after binding; empty = stay */
};

extern const struct setting masterconf_rows[];
extern const size_t masterconf_row_count;

#endif

/*
 * adminconf.h - the [admin] section of sub2api.ini.
 *
 * Runs in: master (fills it before fork); every child reads its frozen copy.
 */
#ifndef ADMIN_ADMINCONF_H
#define ADMIN_ADMINCONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"

struct adminconf {
    char socket[104];             /* UNIX socket of the admin API */
    uint32_t allow_uid;           /* one more user id allowed besides root and our own; 0 = none */
    uint32_t resolve_interval_ms; /* keeper: names are looked up again after this */
    uint32_t session_interval_ms; /* keeper: TLS sessions are renewed after this */
    uint32_t probe_interval_ms;   /* keeper: benched accounts are asked after this; 0 = never */
    uint32_t test_timeout_ms;     /* account test as a whole */
};

extern const struct setting adminconf_rows[];
extern const size_t adminconf_row_count;

#endif

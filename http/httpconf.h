/*
 * httpconf.h - the [http] section of sub2api.ini.
 *
 * Runs in: master (fills it before fork); every child reads its frozen copy.
 */
#ifndef HTTP_HTTPCONF_H
#define HTTP_HTTPCONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"

struct httpconf {
    struct setting_list listen; /* "address:port", "[v6]:port" */
    uint64_t body_bytes_max;    /* one request body, also after decompression */
    uint64_t body_pool_bytes;   /* all bodies held by one worker together */
    uint32_t conns_max;         /* client connections of one worker */
    uint32_t conns_per_address; /* of one client address and worker */
    uint32_t head_timeout_ms;   /* whole head */
    uint32_t body_timeout_ms;   /* between two reads of a body */
    uint32_t body_rate_min;     /* bytes a second after body_timeout_ms; 0 = none */
    uint32_t idle_timeout_ms;   /* kept-alive connection between requests */
    uint32_t send_timeout_ms;   /* a reader that takes nothing */
    uint32_t requests_per_conn; /* then close in good order */
    uint32_t backlog;           /* of each listening socket */
};

extern const struct setting httpconf_rows[];
extern const size_t httpconf_row_count;

#endif

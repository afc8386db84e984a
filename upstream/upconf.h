/*
 * upconf.h - the [upstream] section of sub2api.ini.
 *
 * Runs in: master (fills it before fork); every child reads its frozen copy.
 */
#ifndef UPSTREAM_UPCONF_H
#define UPSTREAM_UPCONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"

struct upconf {
    bool allow_http;     /* base URLs without TLS */
    bool allow_private;  /* loopback, private and link-local addresses */
    uint32_t resolve_ms; /* wait for the keeper to know a name */
    uint32_t connect_ms;
    uint32_t handshake_ms;
    uint32_t first_byte_ms;      /* until the answer's head */
    uint32_t idle_ms;            /* between two pieces of an answer */
    uint32_t pool_idle_ms;       /* kept-alive connection unused */
    uint32_t pool_per_account;   /* idle connections of one account and worker */
    uint32_t max_switches;       /* other accounts after a failure before the first byte */
    uint32_t endpoint_retry_ms;  /* a missing endpoint is asked for again; 0 = never learned */
    uint32_t bench_ms_max;       /* longest rest on a provider's word alone */
    uint32_t failing_percent;    /* ... and one of whose requests more fail; 0 = never */
    uint32_t slow_first_byte_ms; /* a session leaves an account slower than that; 0 = never */
    uint32_t tls_version_max;    /* 0: 1.2, 1: 1.3 where the library has it */
    char ca_file[256];           /* bundle of trusted authorities; empty = the system's */
    uint64_t answer_bytes_max;   /* non-streaming answer */
};

extern const struct setting upconf_rows[];
extern const size_t upconf_row_count;

#endif

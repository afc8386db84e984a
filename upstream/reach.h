/*
 * reach.h - what a process needs to reach providers: loop, segment, TLS settings, kept connections.
 *
 * One a process, made after fork. TLS settings (tls_config) are made once for the default roots,
 * once for accounts with tls_insecure, and once for each CA file.
 *
 * Runs in: worker, keeper.
 */
#ifndef UPSTREAM_REACH_H
#define UPSTREAM_REACH_H

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "http/tls.h"
#include "upstream/origin.h"
#include "upstream/target.h"
#include "upstream/upconf.h"

struct heritage;
struct segment;

/* Full TLS handshakes at a time: one costs up to 20 ms of CPU, streams must be served in between.
 */
#define REACH_COLD_MAX 2u
/* Different --tls-ca-file values of one process. */
#define REACH_CA_FILES_MAX 64u

struct reach_authority {
    char file[256];
    struct tls_roots *roots;
    struct tls_config *config;
};

struct reach {
    struct loop *loop;
    const struct heritage *heritage;
    struct segment *segment;
    uint32_t slot;
    const struct upconf *conf;
    struct origin_pool *origins;
    struct tls_config *verified;
    struct tls_config *insecure;
    struct reach_authority authorities[REACH_CA_FILES_MAX];
    uint32_t authority_count;
    uint32_t cold_count; /* full handshakes under way */
};

MUST_CHECK enum err reach_make(struct loop *loop, const struct heritage *heritage,
                               uint32_t clients_max, struct reach **out);
void reach_free(struct reach *reach);

/* The settings for this target's verification. ERR_BAD: its CA file cannot be used, why says so. */
MUST_CHECK enum err reach_tls_config(struct reach *reach, const struct target *target,
                                     struct tls_config **out, char why[TLS_WHY_BYTES]);

#endif

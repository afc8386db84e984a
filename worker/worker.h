/*
 * worker.h - the data plane: one process, one loop, thousands of requests.
 *
 * Entered by the master after fork; opens what must be opened in the child (store read-only, TLS,
 * epoll), serves until told to drain, and leaves its slot. Never blocks, never resolves a name,
 * writes nothing but its log and its words in the segment.
 *
 * Runs in: worker. Dying here: the master forks another, the recorder bills this one's leases from
 * what they say and clears its columns; other workers' requests never notice.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "shm/gate.h"
#include "shm/lease.h"
#include "shm/ring.h"
#include "store/catalog.h"
#include "worker/memo.h"
#include "worker/penalty.h"

struct heritage;
struct loop;
struct reach;
struct relay;
struct server;

/* What all requests of this process share. */
struct worker {
    const struct heritage *heritage;
    struct segment *segment;
    uint32_t slot;
    struct loop *loop;
    struct server *server;
    struct reach *reach;
    struct catalog *catalog;
    struct gate_local gates;
    struct list bound; /* relays that wait for the account of their session */
    struct lease_local leases;
    struct ring_local ring;
    struct pool relays;      /* of struct relay */
    struct pool repeats;     /* of struct repeat: requests with an Idempotency-Key */
    struct pool carbons;     /* of struct carbon */
    struct relay **by_lease; /* [leases]: who holds it, or NULL */
    struct penalty penalty;
    struct memo memo;            /* digests of keys seen lately */
    uint64_t carbon_bytes;       /* of answers copied for retries (carbon.h) */
    struct hash_key carrier_key; /* of what clients carry from turn to turn (proto/carrier.h) */
    bool is_draining;
    uint64_t requests; /* for request ids and status */
};

/* The process's exit code. */
int worker_main(const struct heritage *heritage);

/* The newest view of accounts and groups. ERR_IO: the store cannot be read (the old one is given
 * when there is one). */
MUST_CHECK enum err worker_view(struct worker *worker, struct catalog_view **out);

/* True when the whole service ends: it was told to, or it lost its master. A worker that only makes
 * room for the next generation still serves what comes on kept connections: nobody else can. */
bool worker_is_stopping(const struct worker *worker);

#endif

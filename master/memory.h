/*
 * memory.h - what a configuration costs, computed before anything is taken.
 *
 * Runs in: master, at start and for --check.
 */
#ifndef MASTER_MEMORY_H
#define MASTER_MEMORY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "master/config.h"
#include "shm/segment.h"

struct memory {
    uint64_t shared_bytes;      /* address space of the segment; mostly never touched */
    uint64_t shared_used_bytes; /* once every worker has used all its leases and ring cells */
    uint64_t bodies_bytes;      /* request bodies of all workers together, at most */
    uint64_t buffers_bytes;     /* buffers of all client connections, when every one is full */
    uint64_t files_per_worker;  /* descriptors: a client and a provider for each connection */
};

/* The segment that this configuration wants, with room for two generations of workers. */
struct segment_want memory_segment(const struct config *config, uint32_t workers);

struct memory memory_of(const struct config *config, uint32_t workers);

/* Four lines for a person. */
MUST_CHECK enum err memory_print(const struct memory *memory, uint32_t workers, struct buf *out);

#endif

#include "master/memory.h"

#include "base/limits.h"

#define MIB (1024.0 * 1024.0)
#define FILES_BESIDES 256u /* listening sockets, wakes, store, log: everything but connections */

struct segment_want
memory_segment(const struct config *config, uint32_t workers)
{
    uint32_t slots = 2 * workers + 8;
    return (struct segment_want){
        .slots = slots < SLOTS_MAX ? slots : SLOTS_MAX,
        .workers = workers,
        .leases = config->shm.leases,
        .gates = config->shm.gates,
        .ring_cells = config->shm.ring_cells,
        .accounts = config->shm.accounts,
        .sticky = config->shm.sticky,
        .build = VERSION,
    };
}

struct memory
memory_of(const struct config *config, uint32_t workers)
{
    struct segment_want want = memory_segment(config, workers);
    return (struct memory){
        .shared_bytes = segment_bytes(&want),
        .shared_used_bytes = segment_bytes_used(&want),
        .bodies_bytes = workers * config->http.body_pool_bytes,
        .buffers_bytes =
            (uint64_t)workers * config->http.conns_max * (HEAD_BYTES_MAX + CONN_OUT_BYTES_MAX),
        .files_per_worker = 2ull * config->http.conns_max + FILES_BESIDES,
    };
}

/* For people, in a place where nothing is counted: the one use of floating point. */
enum err
memory_print(const struct memory *memory, uint32_t workers, struct buf *out)
{
    return buf_printf(out,
                      "  shared      %.1f MiB when full (%.1f MiB of address space)\n"
                      "  bodies      %.1f MiB at most, in %u workers together\n"
                      "  buffers     %.1f MiB if every allowed connection filled its own at once\n"
                      "  files       %llu descriptors a worker at most\n",
                      (double)memory->shared_used_bytes / MIB, (double)memory->shared_bytes / MIB,
                      (double)memory->bodies_bytes / MIB, workers,
                      (double)memory->buffers_bytes / MIB,
                      (unsigned long long)memory->files_per_worker);
}

/*
 * repeat.h - a request with an Idempotency-Key is served and billed once, however often it is sent.
 *
 *   repeat_enter:  claim the name --taken--> look into the store --nothing--> go on, as any other
 *                    |  |  `full: 503            `--an outcome: replay it, or 409, or 422
 *                    |  `another request has it: wait [worker] idempotency_wait, then 409
 *                    `the same, and asks something else: 422
 *   repeat_close:  the record of what it cost says what is kept; the claim is noted (shm/claim.h)
 *   repeat_end:    nothing was billed and nothing delivered: the name is free, a retry runs anew
 *
 * What a client sees (README lists the codes):
 * - a finished answer again, with `idempotency-replayed: true` and the first request's id
 * - 409 idempotency_conflict: the first request is still under way; worth trying again
 * - 409 idempotency_already_served: it was served and billed, but its answer is not there to be
 *   given again (a stream, too large, cut, its process died): never worth trying again
 * - 422 idempotency_key_reused: the key belongs to a request that asks something else
 * - 400 invalid_idempotency_key
 *
 * Keys of different gateway keys never meet. "The same request" is: endpoint, model, whether it
 * streams, content type, and every byte of the body. An error answer that cost nothing is not kept.
 * The header is not sent to providers: behind one account all clients' keys would meet.
 *
 * The order in which things happen is what makes it hold: claim, then look; the claim is let go
 * only after the outcome can be found (or there is none). See shm/claim.h.
 *
 * Runs in: worker. Dying here: the claim is the recorder's to end (upstream/handover.h).
 */
#ifndef WORKER_REPEAT_H
#define WORKER_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "shm/claim.h"

struct relay;
struct ledger_record;

struct repeat {
    bool is_held;    /* `claim` is ours */
    bool is_waiting; /* for another request with the same name: relay->deadline asks again */
    uint32_t claim;
    uint32_t waits;    /* times that it was asked again */
    uint64_t until_ms; /* of waiting */
    struct claim_name name;
    struct digest print;
};

/* Before anything is reserved, the body is there. False: it was answered or refused, or it waits
 * and admit_again() is called later. */
bool repeat_enter(struct relay *relay);

/* The record is complete and will be pushed next: it says what is kept, and how it is found. */
void repeat_close(struct relay *relay, struct ledger_record *record);

/* The end of every request: what is still held is let go. */
void repeat_end(struct relay *relay);

/* Should the provider's answer be read on for a client that left? It will ask again. */
bool repeat_wants_rest(const struct relay *relay);

#endif

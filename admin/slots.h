/*
 * slots.h - the gates as they stand, and the proof that they hold what the leases say.
 *
 * A gate's words are counted by the processes, a request's lease names the gates it holds; the two
 * are written one after the other, so a request that moves is seen between them now and then. A
 * gate that does not agree is therefore looked at again: "ok" is agreement, "moving" is a gate that
 * changed at every look, "differs" is one that stood still and is wrong.
 *
 * Runs in: recorder. Reads the segment and the store only.
 */
#ifndef ADMIN_SLOTS_H
#define ADMIN_SLOTS_H

struct server_request;

/* Answers GET /v1/slots: gates in use; with ?all=1 every gate that there is. */
void slots_handle(struct server_request *request);

#endif

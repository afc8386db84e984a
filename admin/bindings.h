/*
 * bindings.h - sessions and the accounts they are bound to (shm/sticky.h), for the operator.
 *
 * A session is shown by what the table knows of it, which is no client's text: a number that is the
 * same as long as the gateway runs.
 *
 * Runs in: recorder. Clearing takes words out of the table, one by one; dying in between leaves the
 * rest bound.
 */
#ifndef ADMIN_BINDINGS_H
#define ADMIN_BINDINGS_H

struct server_request;

/* GET /v1/sticky: {"total":N,"line":"...","items":[...]}, at most BINDINGS_SHOWN_MAX of them. */
void bindings_list(struct server_request *request);

/* DELETE /v1/sticky[?account=NAME]: {"dropped":N}. Without a name all sessions. */
void bindings_clear(struct server_request *request);

#endif

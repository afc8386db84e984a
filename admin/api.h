/*
 * api.h - the admin socket: HTTP/1.1 and JSON over a UNIX socket (curl --unix-socket works).
 *
 *   GET    /v1/status                         processes, counters, store, readiness
 *   GET    /v1/top                            every request in flight
 *   GET    /v1/slots                          gates: held and waiting, checked against the leases
 *   GET    /v1/sticky                         sessions and the accounts they are bound to
 *   DELETE /v1/sticky[?account=NAME]          forgets them, or those of one account
 *   GET    /v1/explain?key=K&model=M&dialect=D&session=S  a dry run of the selection
 *   GET    /v1/usage/recent?count=N           finished requests, newest first
 *   GET    /v1/usage/report?by=user&since=24h&until=...&format=json|csv   sums of a span
 *   GET    /v1/ledger/verify                  does everything add up?
 *   GET    /v1/ledger/export?since=...&until=...&format=csv|jsonl   every record
 *   GET    /v1/users/{name}/balance
 *   POST   /v1/users/{name}/topup             {"amount":"12.5","note":"..."}
 *   GET    /v1/{users|keys|groups|accounts|plans}   {"items":[...]}
 *   POST   /v1/{nouns}                        create; a key's answer has "key", shown once
 *   GET    /v1/{nouns}/{name}
 *   PATCH  /v1/{nouns}/{name}                 set
 *   DELETE /v1/{nouns}/{name}
 *   POST   /v1/{nouns}/{name}/{enable|disable}
 *   POST   /v1/accounts/{name}/test           one small request to the provider, done by the keeper
 *   POST   /v1/accounts/{name}/reset          forgets the account's failures
 *   GET, POST            /v1/prices         prices; a file of them (prices.h)
 *   GET, PUT, DELETE     /v1/prices/{model}
 *   GET    /v1/unpriced                       models without a price
 *   POST   /v1/requests/{id}/kill             ends a request in flight
 *   POST   /v1/reload, /v1/stop               passed on to the master
 *
 * Errors: {"error":{"code","message"}} with a fitting status. Who may connect: the socket's mode is
 * 0600 and the peer's uid must be root's, ours, or [admin] allow_uid.
 *
 * Runs in: recorder.
 */
#ifndef ADMIN_API_H
#define ADMIN_API_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct recorder;
struct server_request;

/* First member of what waits with a request (request->owner): who hears that the admin hung up. It
 * must end the request. */
struct api_owner {
    void (*on_gone)(struct server_request *request);
    void (*on_room)(struct server_request *request); /* server.h's; NULL = writes all at once */
};

/* Starts serving on heritage->admin_fd. */
MUST_CHECK enum err api_open(struct recorder *recorder);

/* For the resources (objects.c, live.c, trial.c). Each ends the request. */
void api_answer(struct server_request *request, uint16_t status, struct str json);
void
api_error(struct server_request *request, uint16_t status, const char *code, const char *message);
/* 500 when `err` says that the body could not be written, else 200 with it; frees the buffer. */
void api_answer_buf(struct server_request *request, enum err err, struct buf *json);

#endif

/*
 * balance.h - what a prepaid user has left, and what was paid in.
 *
 *   balance = credit - what finished requests took from it; `reserved` is what those under way may
 *   still take
 *
 * GET /v1/users/NAME/balance and POST /v1/users/NAME/topup {"amount":"12.5","note":"..."} answer
 * alike: the sums, the latest changes as items, and a line for people. Amounts are JSON numbers in
 * dollars, to the nanodollar.
 *
 * Runs in: recorder.
 */
#ifndef ADMIN_BALANCE_H
#define ADMIN_BALANCE_H

#include "http/server.h"
#include "store/model.h"

struct recorder;

void
balance_show(struct recorder *recorder, struct server_request *request, const struct user *user);
void balance_topup(struct recorder *recorder, struct server_request *request, struct user *user);

/* Nanodollars as a JSON number of dollars. */
struct jsonw;
void balance_put(struct jsonw *w, const char *name, int64_t nano);

#endif

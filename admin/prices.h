/*
 * prices.h - /v1/prices: what models cost, as an admin sees and sets it.
 *
 *   GET    /v1/prices?source=S&match=GLOB   rows, in dollars a million tokens
 *   POST   /v1/prices                       a file in the field's convention replaces the imported
 *   GET    /v1/prices/{model}               which price a request for it has, and why; every tier
 *   PUT    /v1/prices/{model}               the operator's own row; members as in store/price.h, or
 *                                           in dollars a million tokens (input, output, ...)
 *   DELETE /v1/prices/{model}               of the operator's own
 *
 * Runs in: recorder.
 */
#ifndef ADMIN_PRICES_H
#define ADMIN_PRICES_H

#include <stdbool.h>

#include "base/str.h"

struct server_request;

/* `model` as it stands in the path, percent-encoded; empty = all. False: no such method. */
bool prices_handle(struct server_request *request, struct str model);

#endif

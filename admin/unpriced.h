/*
 * unpriced.h - GET /v1/unpriced: models that requests used or accounts name, and no price is known
 * of.
 *
 * Looks at the newest records (a bounded number) and at what accounts list and map. Names that have
 * a price by now are left out.
 *
 * Runs in: recorder.
 */
#ifndef ADMIN_UNPRICED_H
#define ADMIN_UNPRICED_H

struct server_request;

void unpriced_handle(struct server_request *request);

#endif

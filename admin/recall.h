/*
 * recall.h - asks benched accounts whether they are well again, so that they come back before the
 * time that their provider or the doubling of their bench gave, and no client's request has to try.
 *
 * Who is asked: an account that has rested for [admin] probe_interval and would rest on. After each
 * time in vain the next wait is twice as long, up to RECALL_DOUBLINGS_MAX times: a window of hours
 * is not hammered. At most RECALL_VISITS at once, each account by one process (shm/health.h).
 *
 * What is asked (upstream/probe.h, check-up): the list of models, which costs nothing; when that
 * answers, one small request. What counts as well depends on why the account rests:
 *   it could not be reached, or TLS failed     any answer
 *   its credential was refused                 an answer of the dialect's own endpoint that does
 *                                              not refuse it
 *   all else (limits, overload, credit, errors)  a success
 * Well: it is used at once. Ill: its bench is renewed with the new reason, never shortened.
 * Neither (a 404 to a model that the provider does not have): it rests on as it did.
 *
 * Runs in: keeper. Dying here: the claim in health expires, and then a request may try the account.
 */
#ifndef ADMIN_RECALL_H
#define ADMIN_RECALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/catalog.h"

#define RECALL_VISITS 4u
#define RECALL_DOUBLINGS_MAX 4u     /* 30 s become 8 minutes */
#define RECALL_INTERVAL_MS_MIN 500u /* a shorter one counts as this */

struct reach;
struct recall;

/* interval_ms 0: nobody is asked. */
MUST_CHECK enum err recall_make(struct reach *reach, struct catalog *catalog, uint32_t interval_ms,
                                struct recall **out);
/* Visits under way are given up; their accounts rest on. */
void recall_free(struct recall *recall);

/* Starts the visits that are due. Cheap when nobody rests. */
void recall_look(struct recall *recall, struct catalog_view *view);

/* An admin's test of this account went well: if it rests it comes back. */
void recall_welcome(struct reach *reach, const struct account *account);

#endif

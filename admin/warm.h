/*
 * warm.h - keeps TLS sessions fresh, so that workers resume (0.2 ms) and never shake hands in full
 * (8 to 20 ms of CPU, measured).
 *
 * One full handshake at a time, for every TLS target of the catalog whose session is missing or
 * older than [admin] session_interval. Nothing is sent over the connection.
 *
 * Runs in: keeper.
 */
#ifndef ADMIN_WARM_H
#define ADMIN_WARM_H

#include <stdint.h>

#include "base/err.h"
#include "store/catalog.h"

struct reach;
struct warm;

MUST_CHECK enum err warm_make(struct reach *reach, uint32_t interval_ms, struct warm **out);
void warm_free(struct warm *warm);

/* Looks for the next target that needs one and starts, unless one is under way. */
void warm_look(struct warm *warm, const struct catalog_view *view);

#endif

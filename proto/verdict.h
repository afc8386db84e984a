/*
 * verdict.h - what a provider's error means, from its words first and its status second.
 *
 * Providers agree on neither: a full context is a 400 here and a 413 there, an exhausted account a
 * 402, 403 or 429. The table of known words is the only place that knows.
 *
 * Only error.c includes this. Runs in: worker, keeper. Pure: nothing to repair.
 */
#ifndef PROTO_VERDICT_H
#define PROTO_VERDICT_H

#include <stdint.h>

#include "base/str.h"
#include "proto/dialect.h"
#include "proto/error.h"

/* `found` has type, code and message; `body` is what they were read from. */
enum error_kind
verdict_of(enum dialect dialect, uint32_t status, struct str body, const struct error_found *found);

#endif

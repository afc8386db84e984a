/*
 * culprit.h - whose fault a failed attempt was, and what the account is in for.
 *
 * A failure is the account's (shm/health.h: it rests, for everybody), or one model's at that
 * account, when the provider's words name the model (shm/spell.h: only that pair rests), or
 * nobody's. Every failed attempt is a line in the log.
 *
 * Runs in: worker. If the process dies: words in the segment stand until their time is over.
 */
#ifndef WORKER_CULPRIT_H
#define WORKER_CULPRIT_H

#include <stdbool.h>

#include "base/str.h"
#include "proto/error.h"
#include "upstream/exchange.h"
#include "upstream/retry.h"

struct relay;

/* The provider's error speaks of the model that was asked for, not of all the account. */
bool culprit_is_model(const struct relay *relay, const struct retry_decision *decision,
                      const struct error_found *found);

/* The held account does not have the model: it rests for it. */
void culprit_missing(struct relay *relay);

/* The held account failed: judged and logged. relay->retry_after_s says what its provider said. */
void culprit_note(struct relay *relay, const struct retry_decision *decision,
                  enum exchange_phase phase, bool is_models, struct str why);

#endif

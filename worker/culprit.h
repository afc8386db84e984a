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

/* What the provider's whole error means for this request, by the table of retry.h and by whether
 * there is another account; *out_is_models: it is for the account's one model only. */
struct retry_decision
culprit_decide(struct relay *relay, const struct error_found *found, bool *out_is_models);

/* Is there another account that takes the request in the client's own dialect? */
bool culprit_has_native(struct relay *relay);

/* The held account failed: judged and logged. relay->retry_after_s says what its provider said. */
void culprit_note(struct relay *relay, const struct retry_decision *decision,
                  enum exchange_phase phase, bool is_models, struct str why);

#endif

/*
 * statement.h - GET /v1/usage: what a key has used and may still use, for its holder.
 *
 * {"object":"usage", "is_valid", "mode":"quota_limited"|"unrestricted", "unit":"USD", "key",
 * "expires_at", "quota":{limit,used,remaining}, "tokens":{...},
 * "rate_limits":[{window,limit,used,remaining, window_start,reset_at}], "balance",
 * "plan":{name,expires_at,rate_limits}, "usage":{"today", "month","total"}}
 *
 * Money is dollars as JSON numbers, exactly; what has no limit has null there. Used is what is
 * finished; what requests under way may still take is "reserved". The names are those that tools of
 * the field read ("isValid", "remaining", "planName" too).
 *
 * Runs in: worker. One read of the store for each of key, user and plan.
 */
#ifndef WORKER_STATEMENT_H
#define WORKER_STATEMENT_H

#include "base/buf.h"
#include "base/err.h"
#include "store/catalog.h"

struct worker;

/* ERR_IO: the store cannot be read. ERR_FULL: the buffer's bound. */
MUST_CHECK enum err
statement_write(struct worker *worker, const struct catalog_key *key, struct buf *out);

#endif

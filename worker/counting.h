/*
 * counting.h - how many tokens a request has, for clients of every dialect at accounts of any.
 *
 * count_tokens, input_tokens and countTokens go to an account that speaks the client's dialect as
 * they are. Where none does, they are translated for one that speaks another dialect that counts
 * (bridge.h). What is left is estimated here, by proto/estimate.h from the whole body, and told as
 * an estimate in `x-sub2api-estimate: true`: when all the group's accounts speak chat, which has no
 * such endpoint; when the account that was asked has none; when no account can be had now, or all
 * that were asked failed. A model that no account serves, and a request that breaks the provider's
 * rules, are refused as ever.
 *
 * A count is admitted like any request, and not billed: its endpoints are not (proto/endpoint.c).
 *
 * Runs in: worker. Nothing to repair when the process dies here.
 */
#ifndef WORKER_COUNTING_H
#define WORKER_COUNTING_H

#include <stdbool.h>

#include "proto/error.h"

struct relay;

/* Is a number asked for? */
bool counting_is(const struct relay *relay);
/* ... and is what its accounts speak without an answer to it? */
bool counting_is_blind(const struct relay *relay);
/* Does this error say that the account has no such endpoint? Nobody is to blame for that. */
bool counting_is_missing(const struct relay *relay, const struct error_found *found);

/* Answers with the estimate and ends the request, of which no byte was answered. */
void counting_estimate(struct relay *relay);
/* The provider's whole answer, of another dialect, is there: answers, and ends the request. */
void counting_finish(struct relay *relay);

#endif

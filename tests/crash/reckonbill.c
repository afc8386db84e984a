/*
 * reckonbill.c - see reckon.h: what may stand in the ledger for a request, made from what its
 * client got and what its provider served. None of it is the gateway's own code.
 *
 *   upstream    the provider's whole report, every kind equal
 *   partial     the report before the answer was complete; equal as far as it was made
 *   estimated   input as reported, or a quarter token a byte of the request; output a quarter token
 *               a byte of the text that passed: no less than the client has, no more than the
 *               provider wrote
 *   none        the provider had not got it, or failed before a word
 */
#include <stdlib.h>
#include <string.h>

#include "tests/crash/reckon.h"

static uint64_t
quarter(uint64_t bytes)
{
    return (bytes + 3) / 4;
}

static bool
has_left(const struct reckon_record *record)
{
    return record->status == 499 || strcmp(record->code, "client_gone") == 0;
}

static bool
has_died(const struct reckon_record *record)
{
    return strcmp(record->code, "worker_died") == 0;
}

static bool
is_good(const struct reckon_record *record)
{
    return record->status < 300 && record->code[0] == '\0';
}

/* --- tokens --- */

static bool
same_input(const struct reckon_tokens *a, const struct reckon_tokens *b)
{
    return a->fresh == b->fresh && a->cached == b->cached && a->write == b->write &&
           a->write1h == b->write1h;
}

static bool
same_output(const struct reckon_tokens *a, const struct reckon_tokens *b)
{
    return a->out == b->out && a->reason == b->reason;
}

static bool
is_stated(const struct reckon_served *served, const char *what)
{
    return served->is_there && strcmp(served->stated, what) == 0;
}

static const char *
judge_upstream(const struct reckon_served *served, const struct reckon_record *record)
{
    if (!is_stated(served, "all")) {
        return "usage from a provider that stated none";
    }
    return same_input(&record->tokens, &served->tokens) &&
                   same_output(&record->tokens, &served->tokens)
               ? NULL
               : "other tokens than the provider stated";
}

/* Anthropic says one token of output at the beginning. */
static const char *
judge_partial(const struct reckon_served *served, const struct reckon_record *record)
{
    if (!served->is_there || is_stated(served, "none") ||
        !same_input(&record->tokens, &served->tokens)) {
        return "a part of a usage that the provider did not state";
    }
    bool is_first = strcmp(served->dialect, "anthropic") == 0 && record->tokens.out == 1 &&
                    record->tokens.reason == 0;
    bool is_last = is_stated(served, "all") && same_output(&record->tokens, &served->tokens);
    return is_first || is_last ? NULL : "other output than the provider stated";
}

static const char *
judge_estimate(const struct reckon_request *request, const struct reckon_served *served,
               const struct reckon_record *record)
{
    const struct reckon_tokens guess = { .fresh = quarter(request->body_bytes) };
    bool is_guess = same_input(&record->tokens, &guess);
    bool is_said = served->is_there && !is_stated(served, "none") &&
                   same_input(&record->tokens, &served->tokens);
    /* Who says its input says it before any text. */
    bool says_first = served->is_stream && (strcmp(served->dialect, "anthropic") == 0 ||
                                            strcmp(served->dialect, "gemini") == 0);
    if (!is_guess && !is_said) {
        return "estimated input that neither the request nor the provider explains";
    }
    if (says_first && !is_stated(served, "none") && record->tokens.out > 1 && !is_said) {
        return "estimated input although the provider had stated it";
    }
    if (record->tokens.reason != 0) {
        return "reasoning that nobody stated";
    }
    uint64_t most = quarter(served->text_bytes);
    if (record->tokens.out > (most > 0 ? most : 1)) {
        return "more output than the provider wrote";
    }
    if (record->is_last && record->tokens.out < quarter(request->text_bytes)) {
        return "less output than the client got";
    }
    return NULL;
}

static const char *
judge_nothing(const struct reckon_ask *ask, const struct reckon_request *request,
              const struct reckon_served *served, const struct reckon_record *record)
{
    static const struct reckon_tokens none;
    if (!same_input(&record->tokens, &none) || !same_output(&record->tokens, &none)) {
        return "tokens of no source";
    }
    if (record->is_last && request->text_bytes > 0) {
        return "the client has text that nobody pays";
    }
    bool is_at_work = ask->fault != RECKON_REFUSED && ask->fault != RECKON_SWITCHED;
    return has_left(record) && served->is_there && is_at_work
               ? "the provider has all of it, its client left, and nobody pays"
               : NULL;
}

static const char *
judge_tokens(const struct reckon_ask *ask, const struct reckon_request *request,
             const struct reckon_served *served, const struct reckon_record *record)
{
    if (strcmp(record->usage, "upstream") == 0) {
        return judge_upstream(served, record);
    }
    if (strcmp(record->usage, "partial") == 0) {
        return judge_partial(served, record);
    }
    if (strcmp(record->usage, "estimated") == 0) {
        return judge_estimate(request, served, record);
    }
    return strcmp(record->usage, "none") == 0 ? judge_nothing(ask, request, served, record)
                                              : "a usage of unknown source";
}

/* --- money --- */

/* Half up, once, to the nanodollar. */
static int64_t
cost_of(const struct reckon_ask *ask, const struct reckon_record *record, uint64_t ppm)
{
    const struct reckon_tokens *t = &record->tokens;
    uint64_t input = t->fresh + t->cached + t->write + t->write1h;
    const struct reckon_rates *rates = &ask->rates[input > RECKON_STEP_TOKENS ? 1 : 0];
    unsigned __int128 pico = 0;
    pico += (unsigned __int128)t->fresh * rates->fresh;
    pico += (unsigned __int128)t->cached * rates->cached;
    pico += (unsigned __int128)t->write * rates->write;
    pico += (unsigned __int128)t->write1h * rates->write1h;
    pico += (unsigned __int128)(t->out - t->reason) * rates->out;
    pico += (unsigned __int128)t->reason * rates->reason;
    pico += is_good(record) ? rates->request : 0;
    unsigned __int128 twice = pico * ppm * 2;
    return (int64_t)((twice + 1000000000u) / 2000000000u);
}

static const char *
judge_money(const struct reckon_ask *ask, const struct reckon_request *request,
            const struct reckon_served *served, const struct reckon_record *record)
{
    int64_t cost = cost_of(ask, record, reckonplan_user_ppm(ask->user, ask->group));
    if (record->upstream_nano != cost_of(ask, record, reckonplan_account_ppm(record->account))) {
        return "it costs the operator something else";
    }
    if (!record->is_last) {
        return record->cost_nano == 0 ? NULL : "a failed attempt costs the user";
    }
    bool must_pay = is_good(record) || has_left(record) || request->text_bytes > 0 ||
                    (has_died(record) && record->bytes_out > 0);
    bool may_pay = must_pay || served->text_bytes > 0;
    bool pays = record->cost_nano == cost;
    if (must_pay && !pays) {
        return "it costs something else";
    }
    if (!may_pay && record->cost_nano != 0) {
        return "a failure that delivered nothing costs something";
    }
    return pays || record->cost_nano == 0 ? NULL : "it costs something else, or should be free";
}

/* --- all of it --- */

/* Nothing went wrong: then there is no room for interpretation. */
static const char *
judge_fine(const struct reckon_ask *ask, const struct reckon_request *request,
           const struct reckon_served *served, const struct reckon_record *record)
{
    bool may_break = ask->fault == RECKON_REFUSED || ask->fault == RECKON_BROKEN ||
                     ask->fault == RECKON_STOPS || ask->leave_ms != 0 ||
                     reckonload_is_excused(request);
    if (!record->is_last || may_break || request->outcome == CRASH_ERROR) {
        return NULL;
    }
    if (request->outcome != CRASH_WHOLE || !is_good(record)) {
        return "it failed, and nothing was wrong";
    }
    if (ask->fault != RECKON_NO_USAGE) {
        return strcmp(record->usage, "upstream") == 0 ? NULL : "whole, but not as it was stated";
    }
    bool is_exact = record->tokens.fresh == quarter(request->body_bytes) &&
                    record->tokens.out == quarter(served->text_bytes);
    return strcmp(record->usage, "estimated") == 0 && is_exact ? NULL : "not estimated by the rule";
}

const char *
reckonbill_judge(const struct reckon_ask *ask, const struct reckon_request *request,
                 const struct reckon_served *served, const struct reckon_record *record)
{
    if (has_died(record) && !reckonload_is_excused(request)) {
        return "its worker died, and nobody killed it";
    }
    if (!served->is_there && (record->tokens.fresh != 0 || record->cost_nano != 0)) {
        return "a bill for what never reached the provider";
    }
    const char *why = judge_tokens(ask, request, served, record);
    why = why != NULL ? why : judge_money(ask, request, served, record);
    return why != NULL ? why : judge_fine(ask, request, served, record);
}

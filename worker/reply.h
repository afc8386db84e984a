/*
 * reply.h - answers that the gateway gives itself, in the client's dialect.
 *
 * The only place that turns a refusal into HTTP. Every answer carries x-request-id, on Anthropic
 * routes request-id too; 429 and 503 carry retry-after in whole seconds; what can never succeed
 * when tried again carries x-should-retry: false, which the official SDKs obey.
 *
 * Runs in: worker. The codes are a promise to users: README lists them.
 */
#ifndef WORKER_REPLY_H
#define WORKER_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "http/server.h"
#include "proto/dialect.h"

struct reply {
    uint16_t status;
    const char *code;       /* static */
    struct str message;     /* lives at least until reply_error returns */
    const char *param;      /* the field at fault; NULL = none */
    uint32_t retry_after_s; /* 0 = not known: 1 is sent with 429 and 503 */
    bool is_final;          /* asking again changes nothing, whatever the status makes believe */
    const char *allow;      /* 405's Allow; NULL = none */
    const char *upgrade;    /* 426's Upgrade, with Connection: upgrade; NULL = none */
};

/* What all answers to one client look like. */
struct reply_to {
    struct server_request *request;
    enum dialect dialect;
    const char *request_id; /* "req_..." */
    struct str more;        /* fields about the minute's limits and translation; may be empty */
    bool is_array;          /* Gemini stream without alt=sse: every error is an array of one */
};

/* Answers and ends the request. */
void reply_error(const struct reply_to *to, const struct reply *reply);
/* Answers 200 with this JSON and ends the request. */
void reply_json(const struct reply_to *to, struct str body);

/* The fields of any answer ("x-request-id: ...\r\n" and more), into the request's arena. */
struct str reply_id_fields(const struct reply_to *to);

/* May the same request succeed later? */
bool reply_is_final(uint16_t status);

#endif

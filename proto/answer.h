/*
 * answer.h - an answer on its way from the provider's dialect to the client's: reader, filters,
 * writer or collector, and what came of it.
 *
 *      reader -> sanity -> restore -> stopper -> serial -> writer | collect
 *
 *      WAITING -first word-> RUNNING -end-> DONE
 *          \\_____________________\\______> FAILED -answer_fail-> DONE
 *
 * START is held back until something follows, so that a provider that fails at once costs no head.
 *
 * Only translate.c and translate.h include this. Runs in: worker. Owner: the translation.
 */
#ifndef PROTO_ANSWER_H
#define PROTO_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "proto/codec.h"
#include "proto/collect.h"
#include "proto/hub.h"
#include "proto/restore.h"
#include "proto/sanity.h"
#include "proto/serial.h"
#include "proto/stopper.h"

enum answer_state { ANSWER_WAITING, ANSWER_RUNNING, ANSWER_DONE, ANSWER_FAILED };

struct answer_failure {
    struct error_found found; /* as read from the event; kind SERVER and our own words for an answer
                                 that broke off or made no sense */
    uint32_t status;          /* the provider's; 0 = it said none */
    bool is_ours;             /* a bound of ours was reached: do not blame the account */
};

struct answer {
    enum answer_state state;
    bool has_output; /* client bytes were made */
    bool is_torn;    /* the terminal error did not fit: close the connection without it */
    struct answer_failure failure;
    struct buf out;

    const struct hub_plan *plan;
    struct arena arena;
    const struct codec *upstream;
    const struct codec *client;
    void *reader;
    void *writer; /* NULL: a whole answer is wanted */
    struct sanity sanity;
    struct restore restore;
    struct stopper stopper;
    struct serial serial;
    struct collect collect;
    struct hub_event start; /* held back */
    bool has_start;
    bool has_usage;
    struct usage usage; /* the last one heard while START was held back */
};

void answer_init(struct answer *answer);
void answer_fini(struct answer *answer);

/* Also a second time, as long as there is no output. ERR_FULL: no memory. */
MUST_CHECK enum err answer_begin(struct answer *answer, const struct hub_plan *plan);
void answer_event(struct answer *answer, struct str name, struct str data);
void answer_body(struct answer *answer, struct str body); /* and its end */
void answer_end(struct answer *answer);
void answer_lose(struct answer *answer); /* an event was too long to be kept */
void answer_fail(struct answer *answer, const struct error_info *info);
void answer_flush(struct answer *answer);
void answer_starve(struct answer *answer); /* there is no memory to go on: status 503, ours */
uint64_t answer_held(const struct answer *answer); /* bytes of memory */

#endif

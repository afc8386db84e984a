/*
 * bridge.h - a request that no account of its group takes in its own dialect, translated.
 *
 * As long as one account of the group speaks the client's dialect for the model, nothing of this
 * happens and bytes pass as they are. Otherwise the first of chat, responses, anthropic and gemini
 * that an account of the group speaks is spoken upstream: the request is decoded once, encoded for
 * each attempt, and the answer's events go through proto/translate on their way. Usage is read from
 * the provider's own bytes, as ever.
 *
 * An answer of which the client has no byte yet may still fail over to another account: head and
 * body begin with the first words, not with the provider's head.
 *
 * Memory: taken only when translating, bounded by translate.h and the client's out buffer; given
 * back in settle, when the client leaves, and the request's side as soon as the answer has begun.
 * All that a translation holds beyond TRANSLATE_SMALL_BYTES comes out of the pool of request bodies
 * ([http] body_pool_bytes), also what is kept of its answer to read it (stream.h): when that is
 * used up, the request ends with 503 overloaded.
 *
 * Runs in: worker. Embedded in struct relay. Nothing to repair when the process dies here.
 */
#ifndef WORKER_BRIDGE_H
#define WORKER_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "proto/endpoint.h"
#include "proto/translate.h"
#include "upstream/select.h"

struct relay;
struct error_info;

struct bridge {
    const struct endpoint_row *row; /* spoken upstream; NULL = not chosen yet: the client's own */
    struct translate *translate;    /* NULL = not open: not translated, or the client is gone */
    struct arena arena;             /* of it; used while it is open */
    struct buf body;                /* as the account gets it; used while it is open */
    uint64_t counted_bytes;         /* taken out of the pool of bodies */
    bool asks_stream;               /* the account is asked for a stream */
    bool is_over;                   /* the provider is done, the client has not taken all */
    struct loop_task rest;          /* the client has: goes on, outside http/server's call */
};

enum bridge_end {
    BRIDGE_DONE,   /* the client's answer is whole */
    BRIDGE_FAILED, /* see bridge_failure() */
    BRIDGE_WAITS   /* for the client to read the rest; ends by itself */
};

void bridge_init(struct relay *relay);
/* Gives everything back; also when nothing was taken, and again. At the end behind stream_fini().
 */
void bridge_close(struct relay *relay);

/* Which dialect the accounts are asked in; sets want->dialect. */
void bridge_choose(struct relay *relay, struct select_want *want);
/* Can the request be asked in this dialect? Its own one, or one that it can be translated into. */
bool bridge_can_turn(const struct relay *relay, enum dialect dialect);
/* The held account is asked in this dialect from here on. */
void bridge_turn(struct relay *relay, enum dialect dialect);
/* What is spoken upstream: the client's own row when nothing is translated. */
const struct endpoint_row *bridge_row(const struct relay *relay);
/* Is this attempt's answer in another dialect than the client's? */
bool bridge_is_on(const struct relay *relay);
/* `more` behind the fields that tell of a translation: the pair, and what was left out of the
 * request, as far as that is known yet. Only `more` when nothing is translated. */
struct str bridge_fields(struct relay *relay, struct str more);

/* The body for the chosen account, valid until the next call or bridge_close(); the answer can be
 * read after it. ERR_BAD: *problem is for the client. ERR_FULL: too large, or no memory. */
MUST_CHECK enum err
bridge_encode(struct relay *relay, struct str model, struct str *out, struct hub_problem *problem);

/* A good head came; bytes of the body; its end. What the translation made of it goes to the client.
 */
void bridge_head(struct relay *relay);
void bridge_body(struct relay *relay, struct str bytes);
enum bridge_end bridge_finish(struct relay *relay);
/* The client takes bytes again. True: nothing waits for it, the provider may be read on. */
bool bridge_room(struct relay *relay);

/* The provider's answer was an error, or made no sense; NULL: it did not fail. */
const struct answer_failure *bridge_failure(const struct relay *relay);
/* The client's terminal event, written by its own writer. False: nothing of the answer was written
 * yet, and the caller writes its own. *out_whole: the client sees that it is the end. */
bool bridge_break(struct relay *relay, const struct error_info *info, bool *out_whole);

/* A provider's whole error, which is final, in the client's dialect; ends the request. */
void bridge_pass_error(struct relay *relay);

#endif

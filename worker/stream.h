/*
 * stream.h - passes a provider's answer to the client, and reads its usage on the way.
 *
 * Bytes go through as they come. Server-sent events are split beside that (http/sse.h) to see usage
 * and the terminal event. Only one thing is ever left out: the extra usage chunk of a chat stream
 * that we asked for and the client did not; from the first finish_reason on, such a stream is
 * passed event by event.
 *
 * A slow client stops the reading from the provider (CONN_OUT_HIGH_BYTES); a silent provider makes
 * us send comments to a streaming client ([worker] ping_interval). After the first byte an error is
 * the dialect's own terminal event.
 *
 * Runs in: worker. Embedded in struct relay.
 */
#ifndef WORKER_STREAM_H
#define WORKER_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/parser.h"
#include "http/sse.h"
#include "proto/usage.h"

struct relay;

/* Kept of an answer that is no stream, to read its usage from the end. */
#define STREAM_TAIL_BYTES 65536u

struct stream {
    bool is_sse;      /* the client's answer is server-sent events */
    bool reads_sse;   /* the provider's is */
    bool is_begun;    /* the client got its head */
    bool is_held;     /* its head waits for the answer's end, where its cost is known: the answer
                         is in relay->carbon, and may still be another account's */
    bool is_careful;  /* passing event by event */
    bool is_lossy;    /* an event could not be passed whole: the stream must end with an error */
    bool is_paused;   /* the provider is not read: the client is slow */
    bool is_error;    /* the provider answered with an error: the tail collects its body, from the
                         first byte up to REFUSAL_BYTES_MAX */
    bool is_answered; /* an account's answer began: no other account may answer any more */
    bool has_content; /* a byte of the answer itself (not a comment) was passed on */
    bool counts_usage;
    uint16_t status;        /* the provider's */
    struct str held_fields; /* of an answer whose head waits (an error's, until it is judged), for
                               the client; in the request's arena */
    bool is_whole;          /* the tail holds the answer from its first byte to its last so far */
    uint64_t body_bytes;    /* of the provider's answer so far */
    uint64_t turn_bytes;    /* passed to the client since the last turn's end */
    uint64_t input_tokens;  /* estimated from the request */
    uint64_t sent_ms;       /* last time something went to the client */
    struct sse sse;
    struct buf tail;
    struct usage_stream usage; /* .usage is what is known */
};

void stream_init(struct relay *relay);
void stream_fini(struct relay *relay);

/* Before a new attempt: forgets the last one's answer. */
void stream_reset(struct relay *relay);

/* The provider's head came. */
void stream_head(struct relay *relay, const struct parser_head *head);
void stream_body(struct relay *relay, struct str bytes);
void stream_turn(struct relay *relay);
/* The provider's answer is whole: ends the client's and finishes the relay. */
void stream_end(struct relay *relay);
/* It broke off: the client's answer has begun. */
void stream_break(struct relay *relay, uint16_t status, const char *code, struct str message);
/* The client takes bytes again. */
void stream_room(struct relay *relay);

/* The client's head goes out. `fields` as server_begin() wants them. */
void stream_begin(struct relay *relay, uint16_t status, struct str fields, uint64_t body_bytes);
/* The client's head is on its way: said in the lease too. */
void stream_note_status(struct relay *relay, uint16_t status);
/* Bytes of the client's answer. */
void stream_pass(struct relay *relay, struct str bytes);
/* The answer is this account's from here on: the request's own bytes are not needed again. */
void stream_note_answer(struct relay *relay);
/* The fields of an answer that are ours, into the request's arena. */
struct str stream_own_fields(struct relay *relay);

/* Begins a 200 event stream without an answer yet, to be able to send comments. */
void stream_open(struct relay *relay);
/* A comment, when the client's stream allows one now. */
void stream_ping(struct relay *relay);

/* Passes a whole error answer of the provider on, unchanged or in the client's dialect. */
void stream_pass_error(struct relay *relay);

/* Did the dialect's last event pass? Then a client that leaves has all it wanted. */
bool stream_is_complete(const struct relay *relay);

#endif

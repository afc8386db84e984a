/*
 * usage.h - the tokens of an answer, read from the provider's bytes.
 *
 * The buckets are disjoint whatever the dialect says: OpenAI counts cached tokens inside the prompt
 * and Gemini leaves thoughts out of the candidates, here neither is so. All dialects report totals,
 * so a later report overwrites an earlier one, field by field, and nothing is ever added. Numbers
 * that are negative or above USAGE_TOKENS_MAX are ignored.
 *
 * A stream is fed event by event; an ordinary delta costs a search for a few words in it and is
 * never parsed.
 *
 * Runs in: worker. Owner: the request. What is known so far is copied into its lease by the caller,
 * so that a dead worker's request can still be billed.
 */
#ifndef PROTO_USAGE_H
#define PROTO_USAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "proto/dialect.h"
#include "proto/words.h"

#define USAGE_TOKENS_MAX (1ULL << 40)
#define USAGE_ID_BYTES 96u   /* a response id with its NUL */
#define USAGE_TIER_BYTES 32u /* a service tier with its NUL */

enum usage_source {
    USAGE_NONE,     /* nothing known */
    USAGE_UPSTREAM, /* the provider's final report */
    USAGE_PARTIAL,  /* the provider's report before the answer was complete */
    USAGE_ESTIMATED /* at least one of input and output was estimated here */
};

enum usage_known { USAGE_INPUT = 1, USAGE_OUTPUT = 2, USAGE_CACHE = 4, USAGE_REASONING = 8 };

struct usage {
    uint64_t in_fresh; /* tokens that came neither from nor went into a cache */
    uint64_t in_cache_read;
    uint64_t in_cache_write_5m; /* OpenAI's 30-minute writes too */
    uint64_t in_cache_write_1h;
    uint64_t out_total;     /* reasoning included */
    uint64_t out_reasoning; /* part of out_total */
    uint64_t in_tool;       /* part of in_fresh: what Gemini's own tools fed to the model */
    uint64_t in_audio;      /* part of in_fresh: sounds */
    uint64_t in_image;      /* part of in_fresh: pictures, where the provider counts them apart */
    uint64_t out_audio;     /* part of out_total: sounds */
    uint64_t web_searches;  /* requests of Anthropic's search; not tokens */
    uint32_t known;         /* enum usage_known bits: what the provider said */
    enum usage_source source;
    char service_tier[USAGE_TIER_BYTES]; /* of the answer; "" = not said */
};

/* Input of every kind. */
static inline uint64_t
usage_input(const struct usage *usage)
{
    return usage->in_fresh + usage->in_cache_read + usage->in_cache_write_5m +
           usage->in_cache_write_1h;
}

/*
 * The usage of a whole answer's body (also embeddings, images, audio, moderations; Gemini also as
 * an array or wrapped in "response"). A body that was cut off, or of which only the end is at hand,
 * is searched backwards for the report. false: none found; *out is then all zero with USAGE_NONE.
 */
bool usage_read_body(enum dialect dialect, struct str body, struct usage *out);

/* What an event is: bits, 0 = ordinary. */
enum usage_event {
    USAGE_EVENT_USAGE = 1,  /* it carried usage */
    USAGE_EVENT_DONE = 2,   /* the answer is complete (chat: finish_reason or [DONE], responses:
                               completed or incomplete, anthropic: message_stop, gemini: finishReason
                               or a blocked prompt) */
    USAGE_EVENT_FAILED = 4, /* the provider says that it failed: error_read() reads its data */
    USAGE_EVENT_ONLY = 8,   /* chat's extra usage chunk (choices empty): hide it from a client that
                               did not ask for it */
    USAGE_EVENT_END = 16, /* the very last event of the dialect ([DONE], message_stop, the terminal
                             response event): nothing of value can follow */
    USAGE_EVENT_CONTENT = 32 /* a delta with content: the first one is the first token */
};

/* Gemini's counts as reported; chunks leave some out, so the last of each is kept. */
struct usage_gemini {
    uint64_t counts[6];
    uint32_t known; /* a bit a count */
};

struct usage_stream {
    enum dialect dialect;
    struct usage usage;     /* so far */
    uint32_t seen;          /* all bits that events had so far */
    uint64_t events;        /* fed so far; also the next sequence_number of a responses stream */
    uint64_t deltas;        /* events with content */
    uint64_t text_quarters; /* estimated quarter tokens of the text in them */
    struct usage_gemini gemini;
    char response_id[USAGE_ID_BYTES]; /* responses only; "" = not seen */
    struct words_memory words;        /* last: its texts are not cleared */
};

void usage_stream_init(struct usage_stream *stream, enum dialect dialect);

/* One event: its name ("" when it has none) and its joined data lines. Returns enum usage_event
 * bits. `data` may be only the beginning of an event too long to keep. */
uint32_t usage_event(struct usage_stream *stream, struct str name, struct str data);

/*
 * At the end, however it came: completes what the provider did not say. Input not said becomes
 * `input_tokens` (peek.h's estimate), output not said is estimated from the deltas' sizes; the
 * source tells. `is_complete`: the answer came whole. An answer with neither a report nor a delta
 * stays without output.
 */
void usage_finish(struct usage_stream *stream, uint64_t input_tokens, bool is_complete);

/* The same for a whole answer without a report: output estimated from the texts in it. */
void usage_estimate(struct usage *usage, uint64_t input_tokens, struct str body);

const char *usage_source_name(enum usage_source source);

#endif

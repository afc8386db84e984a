/*
 * vector.h - one test vector (tests/golden/vectors) and what the real code makes of it.
 */
#ifndef TOOLS_VECTOR_H
#define TOOLS_VECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/num.h"
#include "proto/carrier.h"
#include "proto/plan.h"
#include "proto/translate.h"
#include "proto/walk.h"

struct vector {
    struct arena arena;
    struct walk root;
    struct walk context;
    struct walk input;
    enum dialect from;
    enum dialect to;
    bool is_gateway; /* from: the gateway itself speaks */
    bool is_usage;   /* to: the neutral usage is asked for */
    bool is_stream;  /* kind */
    size_t cut;      /* bytes a read; 0 = as given */
    struct carrier carrier;
    struct caps caps; /* of the upstream */
    struct buf out;   /* what is printed */
    bool is_broken;   /* a stream broke its grammar: exit code 1 */
};

/* What the upstream sent, as the bytes of each read. */
struct vector_reads {
    struct str *reads;
    uint32_t count;
};

/* Ends the program with a message on stderr. */
__attribute__((noreturn, format(printf, 1, 2))) void vector_die(const char *format, ...);

/* The value's text with the vector's carriers in place of their names. */
struct str vector_text(struct vector *vector, struct walk value);
/* Caps of the upstream `dialect`: defaults and the context's. */
void vector_caps(struct vector *vector, enum dialect dialect);
/* Fills a setup but body, model and stream. */
struct translate_setup vector_setup(struct vector *vector, enum dialect client);

/* kind request */
void request_run(struct vector *vector);
/* kinds response and stream */
void answer_run(struct vector *vector);
/* to: usage */
void usage_run(struct vector *vector);
/* endpoints beside generation, and what the gateway says itself */
void endpoint_run(struct vector *vector, struct str endpoint);
void gateway_run(struct vector *vector);
/* the same dialect at both ends */
void same_run(struct vector *vector);

/* {status,headers,body} of one of our errors. */
void output_error(struct vector *vector, enum dialect client, const struct error_info *info,
                  uint64_t retry_after_s);
void output_problem(struct vector *vector, enum dialect client, const struct hub_problem *problem);
/* {"events":[...]} of a client stream's bytes, or {"array":[...]}; each is checked against the
 * dialect's grammar first. */
void output_stream(struct vector *vector, enum dialect client, bool is_array, struct str bytes);

/* The reads of a stream vector. */
struct vector_reads reads_of(struct vector *vector);

#endif

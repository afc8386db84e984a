/*
 * splice.h - a body with some of its bytes exchanged, as pieces to be written one after another.
 *
 * Nothing of the body is copied: the pieces between the changes point into it, the new texts lie in
 * the request's arena. Every byte that is not named in `struct splice_want` stays as it was.
 *
 * Runs in: worker. Owner: the request; the pieces live as long as its body and arena.
 */
#ifndef PROTO_SPLICE_H
#define PROTO_SPLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/peek.h"

/* Three changes (the model; an effort; the usage option or instructions) and what stands around
 * them. */
#define SPLICE_PIECES_MAX 7u

struct splice_want {
    struct str model;        /* the name to send; empty = leave as it is */
    bool include_usage;      /* stream_options.include_usage = true */
    struct str instructions; /* for `instructions` of a responses body that says none; empty: leave
                                it */
    /* A group's "asked=sent" pairs of efforts (effort.h), and where the dialect has the word
     * ("reasoning.effort"); either empty: leave it. */
    struct str effort_map;
    struct str effort_path;
    /* Gemini names the model in the path, and again as "models/NAME" in some bodies: in `model` of
     * an embedding, of each of a batch's `requests`, of `generateContentRequest`. Those that are
     * there get `model`; the body is copied into the arena then. */
    bool is_gemini;
};

struct splice {
    struct str pieces[SPLICE_PIECES_MAX]; /* in order; none is empty */
    uint32_t count;
    uint64_t bytes;  /* of all pieces */
    bool is_changed; /* false: the one piece is the body */
};

/* `peek` came from this body. ERR_FULL: the arena's bound. ERR_BAD: a multipart model name with a
 * control byte. */
MUST_CHECK enum err
splice_make(struct str body, const struct peek *peek, const struct splice_want *want,
            struct arena *arena, struct splice *out);

#endif

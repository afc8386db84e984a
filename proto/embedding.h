/*
 * embedding.h - embeddings between OpenAI's and Gemini's endpoints, the only ones that have them.
 *
 * Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_EMBEDDING_H
#define PROTO_EMBEDDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/hub.h"

/* What the answer's side must know of the request. */
struct embedding {
    bool is_base64; /* chat: encoding_format */
    bool is_batch;  /* gemini: batchEmbedContents */
    uint32_t inputs;
    uint64_t input_tokens; /* estimated */
};

/* The client's body (chat: /v1/embeddings; gemini: embedContent, batchEmbedContents as is_batch
 * says) as the other's; `model` is the name to send. ERR_BAD with *problem: token arrays, ... */
MUST_CHECK enum err
embedding_to_gemini(struct str body, struct str model, struct arena *arena, struct buf *to,
                    struct embedding *embedding, struct hub_problem *problem);
MUST_CHECK enum err
embedding_to_chat(struct str body, struct str model, bool is_batch, struct arena *arena,
                  struct buf *to, struct embedding *embedding, struct hub_problem *problem);

/* The provider's answer as the client's. ERR_BAD: it is none. */
MUST_CHECK enum err embedding_answer_to_chat(const struct embedding *embedding, struct str body,
                                             struct str model, struct arena *arena, struct buf *to);
MUST_CHECK enum err embedding_answer_to_gemini(const struct embedding *embedding, struct str body,
                                               struct arena *arena, struct buf *to);

#endif

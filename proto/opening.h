/*
 * opening.h - what a conversation began with: the system text and the first user message.
 *
 * Clients that name no session send their whole conversation at every turn, and its beginning stays
 * the same while the rest grows. Only text counts, by place and not by markup: a cache marker that
 * wanders from one message to the next does not make another conversation.
 *
 *   chat, anthropic   `messages`, with `system` or messages of the roles system and developer
 *   responses         `input` (text or items), `instructions`
 *   gemini            `contents`, `systemInstruction` or `system_instruction`
 *
 * Runs in: worker. Pure: nothing to repair. The body is hostile, but peek_json() has validated it.
 */
#ifndef PROTO_OPENING_H
#define PROTO_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/str.h"
#include "proto/peek.h"

/* A keyed hash of the opening of `body`; false: nobody has said anything there. Long texts count by
 * their length and first OPENING_TEXT_BYTES. */
bool
opening_hash(const struct hash_key *key, struct str body, const struct peek *peek, uint64_t *out);

#endif

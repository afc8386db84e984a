/*
 * affinity.h - which session a request belongs to, and the account that session is bound to.
 *
 * A session is known by the first of these that the client sends: x-claude-code-session-id;
 * session-id, session_id or conversation_id; x-session-affinity; x-session-id; thread-id; of the
 * body prompt_cache_key, metadata.user_id or the session inside it, user, safety_identifier;
 * previous_response_id (the answers of such clients are bound by their own ids). Who sends none of
 * them is known by the opening of the conversation (proto/opening.h) and the model, where the group
 * has more than one account.
 *
 * The gateway key's id and the group are always part of it: whatever two clients send, keys never
 * share a session. The table is shm/sticky.h's; it is written when an account's answer began, so a
 * session moves with the failover that worked.
 *
 * Runs in: worker. Owner: the relay. If the process dies: the binding stands or does not; it is a
 * hint.
 */
#ifndef WORKER_AFFINITY_H
#define WORKER_AFFINITY_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/lease.h"

struct relay;

struct affinity {
    uint64_t key;        /* of the session, in shm/sticky; 0 = none is known */
    uint64_t bound;      /* id of the account it was bound to; 0 = none */
    bool has_left;       /* that account turned out to be of no use for this request */
    bool binds_response; /* the answer's own id is what the next turn will name */
};

/* After peek: finds the session and its account. */
void affinity_find(struct relay *relay);

/* The account's answer began: the session is bound to it from here on. */
void affinity_bind(struct relay *relay);

/* The answer is over, the account still held: its id may be the next turn's. */
void affinity_end(const struct relay *relay);

/* What the session has to do with this account: for the log and for `top`. */
enum lease_sticky affinity_judge(const struct affinity *affinity, uint64_t account_id);

#endif

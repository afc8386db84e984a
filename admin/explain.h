/*
 * explain.h - a dry run: what would become of a request now, and why.
 *
 * First what the key, its user and its group say, in the order in which a worker asks; then one
 * reason for each account of the group, by the same function that a worker selects with. Nothing is
 * taken or changed.
 *
 * Runs in: recorder, from the records of the store and the segment. What only a worker knows (that
 * a credential cannot be unsealed) is not seen here.
 */
#ifndef ADMIN_EXPLAIN_H
#define ADMIN_EXPLAIN_H

struct server_request;

/* Answers GET /v1/explain?key=NAME&model=M[&dialect=D][&session=S]; the dialect is chat unless
 * given. S as a client names its session, or the id of an answer: which account it is bound to, and
 * whether it would stay there. */
void explain_handle(struct server_request *request);

#endif

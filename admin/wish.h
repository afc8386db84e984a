/*
 * wish.h - what an admin wants of the master: reload and stop.
 *
 * One byte goes through the pipe to the master (shm/heritage.h). A reload's request is answered
 * when the master says how it ended (shm/version.h), with its reason when it was refused.
 *
 * Runs in: recorder.
 */
#ifndef ADMIN_WISH_H
#define ADMIN_WISH_H

struct server_request;

/* Each answers the request, the reload's later. */
void wish_reload(struct server_request *request);
void wish_stop(struct server_request *request);

#endif

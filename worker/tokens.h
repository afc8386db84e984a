/*
 * tokens.h - what an answer has used so far, in its lease: for `top`, for the tier of its prices,
 * and for the bill if the worker dies.
 *
 * Most providers tell at the end of a stream. Until then output is estimated from the text that
 * passed and input from the request, and the lease says that it is an estimate.
 *
 * Runs in: worker.
 */
#ifndef WORKER_TOKENS_H
#define WORKER_TOKENS_H

#include <stdbool.h>

struct relay;

/* After a turn's bytes. */
void tokens_note(struct relay *relay);

/* Nothing more will come: the usage is completed. `is_complete`: the answer came whole. */
void tokens_close(struct relay *relay, bool is_complete);

#endif

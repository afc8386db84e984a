/*
 * signals.h - signals as events: blocked everywhere, read from a descriptor in the one loop.
 *
 * Runs in: master; signals_reset in a child right after the fork.
 */
#ifndef MASTER_SIGNALS_H
#define MASTER_SIGNALS_H

#include "base/err.h"

/*
 * Blocks what the master listens to (TERM, INT, HUP, CHLD), ignores PIPE, and gives a nonblocking
 * descriptor to read them from. ERR_IO: the system refused.
 */
MUST_CHECK enum err signals_open(int *out_fd);

/* The next signal number; 0: none waits. */
int signals_next(int fd);

/*
 * A child's state: TERM and QUIT blocked (it reads them from a descriptor of its own); INT, HUP and
 * what else a terminal sends to the whole group ignored, since the master passes on what counts;
 * everything that means a crash as the system has it.
 */
void signals_reset(void);

#endif

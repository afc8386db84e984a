/*
 * keeper.h - everything that goes out but is no client's request: name resolution, TLS sessions
 * kept fresh, account tests, probes of benched accounts.
 *
 * Reads the store like a worker; changes nothing in it.
 *
 * Runs in: keeper, a process of its own. Dying here: the master forks another; names and sessions
 * in the segment stay good meanwhile, tests under way end with an error.
 */
#ifndef ADMIN_KEEPER_H
#define ADMIN_KEEPER_H

struct heritage;

/* The process's exit code. */
int keeper_main(const struct heritage *heritage);

#endif

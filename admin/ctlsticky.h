/*
 * ctlsticky.h - `sub2apictl sticky list|clear [--account NAME]`.
 *
 * Runs in: sub2apictl.
 */
#ifndef ADMIN_CTLSTICKY_H
#define ADMIN_CTLSTICKY_H

#include <stdbool.h>

/* argv: what follows `sticky`. The program's exit code. */
int ctlsticky_run(const char *socket, bool wants_json, int argc, char **argv);

#endif

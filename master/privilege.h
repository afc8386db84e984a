/*
 * privilege.h - becoming the configured user, and room for descriptors.
 *
 * Runs in: master, once, after the TCP sockets are bound and before the store is opened.
 */
#ifndef MASTER_PRIVILEGE_H
#define MASTER_PRIVILEGE_H

#include <stdint.h>

#include "base/err.h"

#define PRIVILEGE_WHY_BYTES 256

/*
 * Becomes `user` for good ("" or our own name: nothing to do). The store's directory is made for
 * that user first when it is missing. ERR_DENIED, ERR_GONE: `why` is a sentence.
 */
MUST_CHECK enum err
privilege_drop(const char *user, const char *store_dir, char why[PRIVILEGE_WHY_BYTES]);

/* Raises the limit on open descriptors as far as we may; returns what it is now. */
uint64_t privilege_raise_files(uint64_t wanted);

#endif

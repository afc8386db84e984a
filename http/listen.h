/*
 * listen.h - listening sockets, TCP and UNIX.
 *
 * Runs in: master, before fork.
 */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LISTEN_WHY_BYTES 256

/* "127.0.0.1:8080", "[::1]:8080", ":8080" (all addresses); port 0 = any. Nonblocking, cloexec,
 * SO_REUSEADDR, SO_REUSEPORT when reuse_port. ERR_BAD: no such form; ERR_REFUSED: in use or not
 * ours; why is a sentence with the address and what to do. */
MUST_CHECK enum err listen_open(const char *text, uint32_t backlog, bool reuse_port, int *out_fd,
                                char why[LISTEN_WHY_BYTES]);
/* Mode 0600, made under a temporary name and renamed, so that it is never reachable with another.
 */
MUST_CHECK enum err listen_open_unix(const char *path, int *out_fd, char why[LISTEN_WHY_BYTES]);
/* "127.0.0.1:41234" of a bound socket. */
MUST_CHECK enum err listen_address(int fd, char *out, uint32_t out_bytes);

#endif

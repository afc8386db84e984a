/*
 * sys.h - the system calls that may fail in interesting ways, as functions that return enum err,
 * retry EINTR, and that tests can make fail (sys_fault). errno stays in here: sys_why() has its
 * text for the log.
 *
 * Runs in: every process.
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Text of the last failure in this process, e.g. "Connection refused"; static. */
const char *sys_why(void);

/* ERR_EOF: the peer closed. ERR_AGAIN: would block. ERR_GONE: reset. */
MUST_CHECK enum err sys_recv(int fd, void *to, size_t bytes, size_t *out_got);
/* MSG_NOSIGNAL. ERR_AGAIN: nothing was taken. ERR_GONE: the peer is gone. */
MUST_CHECK enum err sys_send(int fd, const void *from, size_t bytes, size_t *out_sent);
MUST_CHECK enum err sys_sendv(int fd, const struct iovec *parts, int part_count, size_t *out_sent);

/* Nonblocking and close-on-exec. ERR_AGAIN: none waits. ERR_FULL: out of descriptors. */
MUST_CHECK enum err
sys_accept(int fd, struct sockaddr_storage *peer, socklen_t *peer_bytes, int *out_fd);
/* Nonblocking connect, for TCP with TCP_NODELAY; ERR_OK or ERR_AGAIN (under way), else ERR_REFUSED,
 * or ERR_FULL: out of descriptors. */
MUST_CHECK enum err sys_connect(const struct sockaddr *to, socklen_t to_bytes, int *out_fd);
/* After the fd became writable: ERR_OK, or ERR_REFUSED/ERR_TIMEOUT with sys_why. */
MUST_CHECK enum err sys_connect_result(int fd);
void sys_close(int *fd); /* sets -1; does nothing for -1 */

/* A whole file with a NUL behind it. ERR_GONE: no such file. ERR_FULL: more than bytes_max. */
MUST_CHECK enum err
sys_read_file(const char *path, size_t bytes_max, struct arena *arena, struct str *out);
/* Makes the file new with this mode, writes all, fsyncs; ERR_DENIED when it exists. */
MUST_CHECK enum err sys_write_new_file(const char *path, uint32_t mode, struct str bytes);

/*
 * What ps shows ("sub2api: worker 0"), and without blanks what top shows ("sub2api:worker0").
 * sys_title_init once in main before anything keeps a pointer into argv's strings or environ: it
 * moves both and leaves argv pointing at the copies.
 */
void sys_title_init(int argc, char **argv);
void sys_title(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Tests: the call named ("recv", "send", "accept", ...) fails with `err` at its nth use from now,
 * once; nth 0 clears. A seed other than 0 makes recv and send move a random part, at least one
 * byte, and provokes the event that an edge-triggered handler then waits for.
 */
void sys_fault(const char *call, uint32_t nth, enum err err);
void sys_short(uint64_t seed);

#endif

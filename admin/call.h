/*
 * call.h - one request to the admin socket, blocking, with a bound on time; and on size, unless it
 * is streamed.
 *
 * Runs in: sub2apictl.
 */
#ifndef ADMIN_CALL_H
#define ADMIN_CALL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define CALL_WHY_BYTES 256

/*
 * *out_status is the answer's; the body is appended to `body`. ERR_REFUSED: nobody listens there
 * (`why` says what to do), ERR_TIMEOUT, ERR_BAD: not an answer, ERR_FULL: too long, ERR_IO.
 */
MUST_CHECK enum err
call_admin(const char *socket_path, const char *method, const char *path, struct str json,
           uint16_t *out_status, struct buf *body, char why[CALL_WHY_BYTES]);

/* A GET whose body is written to out_fd as it comes, however long it is; a refusal's goes into
 * `body`. ERR_BAD also when the answer was cut before its end. */
MUST_CHECK enum err call_stream(const char *socket_path, const char *path, int out_fd,
                                uint16_t *out_status, struct buf *body, char why[CALL_WHY_BYTES]);

#endif

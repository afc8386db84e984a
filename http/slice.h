/*
 * slice.h - cuts pieces of output into TLS records.
 *
 * A request's head and its small body should be one record and one send, not two; a large body is
 * cut in place. The scratch memory for pieces put together is shared by the process's connections
 * (which has no threads): a record is valid until the next call.
 *
 * Runs in: worker, keeper.
 */
#ifndef HTTP_SLICE_H
#define HTTP_SLICE_H

#include <sys/uio.h>

#include "base/str.h"

#define SLICE_BYTES_MAX 16384u /* plain text of the largest record, RFC 8446 5.1 */

/* The next record's plain text behind `skip` bytes of the pieces; empty at their end. */
struct str slice_next(const struct iovec *parts, int part_count, size_t skip);

#endif

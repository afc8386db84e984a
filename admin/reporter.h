/*
 * reporter.h - long reports in children of the recorder, so that the only writer is not held up.
 *
 * A child is forked, opens the store for reading as one transaction, and writes its answer into a
 * pipe; the recorder passes that on to the admin as it comes, and stops reading while the admin is
 * slow. A child ends with its answer, with its admin, after REPORT_MS_MAX, or with the recorder.
 * An answer that could not be finished is cut, so that nobody takes it for whole.
 *
 * Runs in: recorder; the work in its children, which have nothing open but the pipe and the store.
 */
#ifndef ADMIN_REPORTER_H
#define ADMIN_REPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/recorder.h"
#include "base/buf.h"
#include "base/str.h"
#include "store/kv.h"

struct server_request;

/* What a child writes to. */
struct reporter_out {
    int fd;
    struct buf buf; /* what is not written yet */
    bool is_broken; /* the recorder reads no more */
};
void reporter_put(struct reporter_out *out, struct str bytes);

/* The work; `job` is a copy in the child. Another result than ERR_OK cuts the answer. */
typedef enum err (*reporter_fn)(struct kv_txn *txn, const void *job, struct reporter_out *out);

/*
 * Answers the request with 200 and these fields, and what `run` writes. 503 "busy": REPORTS_MAX are
 * under way. A child that fails before its first byte is answered with 500.
 */
void reporter_start(struct recorder *recorder, struct server_request *request, struct str fields,
                    reporter_fn run, const void *job);

/* The recorder ends: so do its children. */
void reporter_stop(struct recorder *recorder);

#endif

/*
 * form.h - command line options to the JSON that the admin API wants, by the tables of
 * store/model.h.
 *
 * Runs in: sub2apictl.
 */
#ifndef ADMIN_FORM_H
#define ADMIN_FORM_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/model.h"

#define FORM_WHY_BYTES 320

struct form {
    enum model_kind kind;
    bool is_create;
    char name[NAME_BYTES]; /* of the object: positional, or --name */
};

/*
 * Reads argv from `at` on. Writes a JSON object of the given fields. ERR_BAD with a sentence in
 * why: an unknown option, a missing value, a file that cannot be read.
 */
MUST_CHECK enum err form_read(struct form *form, int argc, char **argv, int at, struct buf *json,
                              char why[FORM_WHY_BYTES]);

/* The options of a noun, for help. */
void form_help(enum model_kind kind);

#endif

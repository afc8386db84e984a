/*
 * blame.h - a provider's error as a client of another dialect shall see it.
 *
 * What the client caused keeps the provider's words, cleaned. What our account caused (its key, its
 * money, its permissions) is none of the client's business: it sees an overloaded service.
 *
 * Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_BLAME_H
#define PROTO_BLAME_H

#include <stdint.h>

#include "base/str.h"
#include "proto/dialect.h"
#include "proto/error.h"

#define BLAME_TEXT_BYTES 512u

/* Where *out's texts live. */
struct blame {
    char message[BLAME_TEXT_BYTES];
    char code[2 * ERROR_CODE_BYTES];
    char param[96];
};

/* Of an event of a stream, or of an error already read; `status` 0 when the provider said none. */
void blame_found(enum dialect client, const struct error_found *found, uint32_t status,
                 struct blame *blame, struct error_info *out);

/* Of a body with an HTTP status. Between chat and responses also the provider's code and param
 * pass. */
void blame_body(enum dialect client, enum dialect upstream, uint32_t status, struct str body,
                struct blame *blame, struct error_info *out);

#endif

/*
 * field.h - one field of a record: from JSON, to JSON, and its standard value.
 *
 * model.c walks the tables; what a single value looks like is here. The stored form is exact (times
 * are milliseconds, bytes are hex); the form for people has times as RFC 3339 and hides passwords.
 *
 * Runs in: wherever model.h does. Pure but for the clock, which relative times ("30d") need.
 */
#ifndef STORE_FIELD_H
#define STORE_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "store/model.h"

/* The value alone, without its name. */
void field_store(const struct model_field *field, const void *object, struct jsonw *w);
void field_show(const struct model_field *field, const void *object, struct jsonw *w);

/* Sets the field to its standard value. */
void field_reset(const struct model_field *field, void *object);

/* Reads the stored form. ERR_BAD: another type, too long, out of range. */
MUST_CHECK enum err
field_load(const struct model_field *field, struct json_value value, void *object);

/* Reads what a person sends; null is the standard value; `why` names the field on ERR_BAD. */
MUST_CHECK enum err field_set(const struct model_field *field, struct json_value value,
                              void *object, char why[MODEL_WHY_BYTES]);

#endif

/*
 * settingfield.h - one setting's value: text to field, field to text, equality. Part of setting.c
 * that knows the types; nobody else includes it.
 *
 * Runs in: master, sub2apictl.
 */
#ifndef BASE_SETTINGFIELD_H
#define BASE_SETTINGFIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/num.h"
#include "base/setting.h"

#define SETTINGFIELD_BYTES (NUM_TEXT_BYTES + 3) /* a number, its suffix and NUL */

/* Two reasons that the caller completes: with the range, and with the choices. */
extern const char settingfield_bad_range[];
extern const char settingfield_bad_choice[];

/* Writes the field and returns NULL, or a reason that goes behind the value in a sentence. */
const char *settingfield_parse(const struct setting *row, struct str text,
                               enum setting_source source, void *field);

bool settingfield_equal(const struct setting *row, const void *a, const void *b);

/* The value of every type but texts and lists; a choice's is its index. */
uint64_t settingfield_get(const struct setting *row, const void *field);

/* The row's max, or the type's. */
uint64_t settingfield_max(const struct setting *row);

/* The shortest spelling that reads back: "90s", "64k", "0"; returns out. */
const char *
settingfield_number(const struct setting *row, uint64_t number, char out[SETTINGFIELD_BYTES]);

bool settingfield_has_control(struct str text);

#endif

/*
 * ini.h - reads an ini text line by line: [section], key = value, comments (# or ;) on lines of
 * their own. No line length limit below INI_FILE_BYTES_MAX, no continuation lines, CRLF allowed,
 * a key twice in one section is an error unless its setting is a list (setting.c decides: the
 * reader reports every line).
 *
 * Runs in: master, sub2apictl. A fuzz target.
 */
#ifndef BASE_INI_H
#define BASE_INI_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Stop by returning anything but ERR_OK; ini_read returns it. */
typedef enum err (*ini_line_fn)(void *context, uint32_t line, struct str section, struct str key,
                                struct str value);

/* ERR_BAD with *bad_line and *reason (static) for what is no ini. */
MUST_CHECK enum err ini_read(struct str text, ini_line_fn on_line, void *context,
                             uint32_t *bad_line, const char **reason);

#endif

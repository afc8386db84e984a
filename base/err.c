/*
 * err.c - names and texts of the result codes, from the rows of err.h.
 */
#include "base/err.h"

#include <stddef.h>

#define ERR_TEXT(name, text) text,
static const char *const err_texts[] = { ERR_ROWS(ERR_TEXT) };
#undef ERR_TEXT

/* The enum is upper case, logs are lower case: each spelling stands here once. */
static const char *const err_names[] = {
    [ERR_OK] = "ok",   [ERR_AGAIN] = "again",     [ERR_FULL] = "full",
    [ERR_EOF] = "eof", [ERR_TIMEOUT] = "timeout", [ERR_REFUSED] = "refused",
    [ERR_BAD] = "bad", [ERR_DENIED] = "denied",   [ERR_GONE] = "gone",
    [ERR_IO] = "io",   [ERR_BUG] = "bug",
};

_Static_assert(sizeof(err_names) == sizeof(err_texts), "every row has a name in lower case");

const char *
err_text(enum err err)
{
    size_t at = (size_t)err;
    return at < sizeof(err_texts) / sizeof(err_texts[0]) ? err_texts[at] : "unknown code";
}

const char *
err_name(enum err err)
{
    size_t at = (size_t)err;
    return at < sizeof(err_names) / sizeof(err_names[0]) ? err_names[at] : "unknown";
}

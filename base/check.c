/*
 * check.c - the panic path: one line to stderr, the hook, abort.
 *
 * Nothing here allocates or uses stdio: the heap may be what is broken.
 */
#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK_TEXT_BYTES 512

static check_hook_fn check_hook;
static bool check_is_failing; /* a CHECK inside the hook must not call the hook again */

void
check_set_hook(check_hook_fn hook)
{
    check_hook = hook;
}

static size_t
add_text(char *to, size_t len, const char *text)
{
    size_t room = CHECK_TEXT_BYTES - 2 - len; /* newline and NUL always fit */
    size_t bytes = strlen(text);
    if (bytes > room) {
        bytes = room;
    }
    memcpy(to + len, text, bytes);
    return len + bytes;
}

static size_t
add_number(char *to, size_t len, int number)
{
    char digits[12];
    size_t at = sizeof(digits);
    unsigned rest = number < 0 ? 0 : (unsigned)number;
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    return add_text(to, len, digits + at);
}

void
check_fail(const char *file, int line, const char *expression)
{
    char text[CHECK_TEXT_BYTES];
    size_t len = add_text(text, 0, "CHECK failed: ");
    len = add_text(text, len, file);
    len = add_text(text, len, ":");
    len = add_number(text, len, line);
    len = add_text(text, len, ": ");
    len = add_text(text, len, expression);
    text[len] = '\n';
    if (write(STDERR_FILENO, text, len + 1) < 0) {
        /* Nobody can be told; the hook may still reach the segment. */
    }
    text[len] = '\0';
    if (check_hook != NULL && !check_is_failing) {
        check_is_failing = true;
        check_hook(text);
    }
    abort();
}

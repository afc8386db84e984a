/*
 * desk.h - for tests: a command line of sub2apictl, run inside the test, and what it printed.
 */
#ifndef TESTS_UNIT_ADMIN_DESK_H
#define TESTS_UNIT_ADMIN_DESK_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "admin/errand.h"
#include "admin/nouns.h"

#define DESK_BYTES 65536u

static char desk_out[DESK_BYTES];
static char desk_err[DESK_BYTES];

static inline void
desk_take(FILE *from, char *to)
{
    rewind(from);
    size_t got = fread(to, 1, DESK_BYTES - 1, from);
    to[got] = '\0';
    fclose(from);
}

/* The exit code; the words are split at blanks. */
static inline int
desk_run_with(const struct errand_noun *const *nouns, const char *socket, bool wants_json,
              const char *text)
{
    static char words[1024];
    char *argv[32];
    int argc = 0;
    cr_assert(str_copy(words, sizeof words, str_of(text)));
    char *rest = words;
    char *word;
    while ((word = strsep(&rest, " ")) != NULL) {
        argv[argc++] = word;
    }
    struct errand errand = {
        .socket = socket, .wants_json = wants_json, .argc = argc, .argv = argv
    };
    FILE *was_out = stdout;
    FILE *was_err = stderr;
    stdout = tmpfile();
    stderr = tmpfile();
    int code = errand_run(&errand, nouns);
    desk_take(stdout, desk_out);
    desk_take(stderr, desk_err);
    stdout = was_out;
    stderr = was_err;
    return code;
}

/* With the program's own nouns. */
static inline int
desk_run(const char *socket, bool wants_json, const char *text)
{
#define DESK_POINTER(noun) &noun,
    static const struct errand_noun *const nouns[] = { NOUNS_ROWS(DESK_POINTER) NULL };
#undef DESK_POINTER
    return desk_run_with(nouns, socket, wants_json, text);
}

#define DESK(socket, want, text) \
    cr_expect_eq(desk_run(socket, false, text), want, "%s: %s%s", text, desk_out, desk_err)
#define PRINTED(what) cr_expect(strstr(desk_out, what) != NULL, "no %s in %s", what, desk_out)
#define COMPLAINED(what) cr_expect(strstr(desk_err, what) != NULL, "no %s in %s", what, desk_err)

#endif

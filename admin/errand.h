/*
 * errand.h - what sub2apictl is sent for: one verb of one noun, done and shown.
 *
 * A noun is a table of verbs, and a verb is a row: how it is asked for, what it asks of the admin
 * socket, and how the answer is shown. Most are nothing but their row. A new noun is one file
 * with an `errand_noun` in it (admin/ctlsticky.c is a short one) and one line in nouns.h; help,
 * options, --json, errors and exit codes come from here.
 *
 * Exit codes: ERRAND_DONE, ERRAND_REFUSED (the gateway refused, or its answer says "ok":false),
 * ERRAND_MISUSE (the command line is not right).
 *
 * Runs in: sub2apictl.
 */
#ifndef ADMIN_ERRAND_H
#define ADMIN_ERRAND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "admin/option.h"
#include "admin/table.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Where [admin] socket and [store] dir put it unless they say otherwise. */
#define ERRAND_SOCKET "data/admin.sock"

#define ERRAND_DONE 0
#define ERRAND_REFUSED 1
#define ERRAND_MISUSE 2

struct errand;
struct errand_noun;

/* A table ends with a row without a word. */
struct errand_verb {
    const char *word; /* "" = the noun alone is the command: `top` */
    const char *help; /* one line; NULL = another spelling of the verb before, which has one */

    /* What is asked. Options are a query of GET and DELETE, and the JSON object of the others. */
    const char *argument; /* what must stand behind the verb, as the help calls it: "NAME" */
    const struct option_row *options;
    const char *method; /* NULL = `run` does it all */
    const char *path;   /* "/v1/@/%/enable": the noun's plural for @, the argument for % */

    /*
     * How the answer is shown without --json: by `show`, else the sentence `done`, else `columns`
     * of its items, else all its members. Below a table stands the answer's "line", if it has one;
     * an answer with "ok":false is ERRAND_REFUSED.
     */
    const struct table_columns *columns;
    const char *done;
    int (*show)(const struct errand *errand, struct str body);

    int (*run)(struct errand *errand);
};

struct errand_noun {
    const char *word;
    const char *plural; /* taken too, and what @ stands for; NULL = none */
    const char *help;   /* one line */
    const struct errand_verb *verbs;
    const struct errand_verb *more; /* a second table, or NULL */
    /* Lists options that are in no row, below the verbs; NULL = none. */
    void (*help_more)(const struct errand_noun *noun);
    uint32_t kind; /* enum model_kind of users, keys, groups, accounts */
};

struct errand {
    const char *socket;
    bool wants_json;
    int argc;
    char **argv;
    int at; /* the first argument behind the verb */
    const struct errand_noun *noun;
    const struct errand_verb *verb;
};

/* Finds noun and verb in argv from `at` on and does it. Returns the exit code. */
int errand_run(struct errand *errand, const struct errand_noun *const *nouns);

/* One line a noun, for `sub2apictl --help`. `nouns` ends with NULL. */
void errand_help(const struct errand_noun *const *nouns, FILE *to);

/* --- for verbs with a `run` or a `show` of their own --- */

/* ERRAND_DONE with the body appended, or another code after saying why. */
int errand_ask(const struct errand *errand, const char *method, const char *path, struct str json,
               struct buf *body);
/* A GET whose answer goes to standard output as it comes. */
int errand_stream(const struct errand *errand, const char *path);
/* What the verb's row says, without arguments and options: the rest of `run`. */
int errand_show(const struct errand *errand, struct str body);
int errand_show_raw(struct str body);
int errand_show_table(struct str body, const struct table_columns *columns);
int errand_show_object(struct str body);
/* Prints what a formatter wrote, or a complaint; frees the text. */
int errand_show_made(enum err err, struct buf *text);
/* A member of the answer as text in `out`; false: not there, no string, or too long. */
bool errand_member(struct str body, const char *member, char *out, size_t out_bytes);
/* False only when the answer has "ok" and it is not true. */
bool errand_is_ok(struct str body);
/* Says what is wrong with the command line. Returns ERRAND_MISUSE. */
int errand_misuse(const char *what, const char *detail);

#endif

/*
 * ctlledger.c - `ledger verify|export`: the proof that all adds up, and every record.
 *
 * Runs in: sub2apictl.
 */
#include <stdio.h>
#include <string.h>

#include "admin/columns.h"
#include "admin/nouns.h"
#include "base/limits.h"

#define PATH_BYTES 1024u

static const struct table_column problem_columns[] = { { "problem", "PROBLEM" } };
static const struct table_columns problem_table = { problem_columns, 1 };

static const struct option_row export_options[] = {
    { "since", OPTION_TEXT, "TIME", "requests begun from then on: 24h, 30d, 2026-11-01" },
    { "until", OPTION_TEXT, "TIME", "requests begun before then" },
    { "csv", OPTION_SWITCH, NULL, "as CSV, which is the standard" },
    { "jsonl", OPTION_SWITCH, NULL, "as one JSON object a line" },
    { .name = NULL },
};

/* Problems as a table when there are some, and the line that says it all. */
static int
show_verdict(const struct errand *errand, struct str body)
{
    char line[512] = "";
    (void)errand;
    bool is_ok = errand_is_ok(body);
    if (!is_ok) {
        (void)errand_show_table(body, &problem_table);
    } else if (errand_member(body, "line", line, sizeof line)) {
        printf("ok: %s\n", line);
    }
    return is_ok ? ERRAND_DONE : ERRAND_REFUSED;
}

static int
run_export(struct errand *errand)
{
    const char *argument = NULL;
    char why[OPTION_WHY_BYTES];
    char path[PATH_BYTES];
    struct option_line line = { .rows = export_options, .is_query = true };
    struct buf query;
    buf_init(&query, HEAD_BYTES_MAX);
    enum err err =
        option_read(&line, errand->argc, errand->argv, errand->at, &argument, &query, why);
    size_t at = (size_t)snprintf(path, sizeof path, "/v1/ledger/export?format=csv");
    struct str rest = str_skip(buf_str(&query), buf_len(&query) > 0 ? 1 : 0);
    while (err == ERR_OK && rest.len > 0) {
        struct str item = str_cut(&rest, '&');
        if (str_equal(item, STR("jsonl=1"))) {
            item = STR("format=jsonl");
        } else if (str_equal(item, STR("csv=1"))) {
            continue;
        }
        int length = snprintf(path + at, sizeof path - at, "&%.*s", STR_ARG(item));
        err = length > 0 && (size_t)length < sizeof path - at ? ERR_OK : ERR_FULL;
        at += err == ERR_OK ? (size_t)length : 0;
    }
    buf_fini(&query);
    if (err != ERR_OK) {
        return errand_misuse(err == ERR_FULL ? "the command line is too long" : why, "");
    }
    return errand_stream(errand, path);
}

static const struct errand_verb verbs[] = {
    { .word = "verify",
      .help = "walk everything: does it add up? Ends with 1 when it does not",
      .method = "GET",
      .path = "/v1/ledger/verify",
      .show = show_verdict },
    { .word = "export",
      .help = "every record, oldest first, to standard output",
      .options = export_options,
      .run = run_export },
    { .word = NULL },
};

const struct errand_noun ctlledger_noun = { .word = "ledger",
                                            .help = "the records of all finished requests",
                                            .verbs = verbs };

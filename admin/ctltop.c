/*
 * ctltop.c - `top`: the requests in flight, refreshed each second on a terminal.
 *
 * Runs in: sub2apictl.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/columns.h"
#include "admin/nouns.h"
#include "base/limits.h"

static int
show_once(const struct errand *errand, const char *sort_by, bool clears)
{
    struct buf body;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    int code = errand_ask(errand, "GET", "/v1/top", STR(""), &body);
    if (code == ERRAND_DONE && errand->wants_json) {
        code = errand_show_raw(buf_str(&body));
    } else if (code == ERRAND_DONE) {
        struct buf text;
        buf_init(&text, ADMIN_ANSWER_BYTES_MAX);
        enum err err = table_sorted(buf_str(&body), &columns_top, sort_by, &text);
        if (clears) {
            fputs("\033[H\033[2J", stdout);
        }
        code = errand_show_made(err, &text);
        fflush(stdout);
    }
    buf_fini(&body);
    return code;
}

static const struct option_row options[] = {
    { "once", OPTION_SWITCH, NULL, "print it one time, also on a terminal" },
    { "sort", OPTION_TEXT, "MEMBER",
      "by age_ms (unless given), idle_ms, tokens_out, account or another member" },
    { .name = NULL },
};

static int
run_top(struct errand *errand)
{
    const char *sort_by = "age_ms";
    bool is_once = errand->wants_json || !isatty(STDOUT_FILENO);
    while (errand->at < errand->argc) {
        const char *arg = errand->argv[errand->at++];
        if (strcmp(arg, "--once") == 0) {
            is_once = true;
        } else if (strcmp(arg, "--sort") == 0 && errand->at < errand->argc) {
            sort_by = errand->argv[errand->at++];
        } else {
            return errand_misuse("top takes --once and --sort MEMBER, not ", arg);
        }
    }
    if (!table_has(&columns_top, sort_by)) {
        return errand_misuse("top --json shows the members that --sort takes, not ", sort_by);
    }
    int code = show_once(errand, sort_by, !is_once);
    while (code == ERRAND_DONE && !is_once) {
        sleep(1);
        code = show_once(errand, sort_by, true);
    }
    return code;
}

static const struct errand_verb verbs[] = {
    { .word = "",
      .help = "requests in flight, oldest first, refreshed each second on a terminal",
      .options = options,
      .run = run_top },
    { .word = NULL },
};

const struct errand_noun ctltop_noun = { .word = "top",
                                         .help = "requests in flight",
                                         .verbs = verbs };

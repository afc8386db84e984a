/*
 * ctlsticky.c - `sticky list|clear`: sessions and the accounts they go back to.
 *
 * Runs in: sub2apictl.
 */
#include <stdio.h>

#include "admin/columns.h"
#include "admin/nouns.h"

static const struct option_row clear_options[] = {
    { "account", OPTION_TEXT, "NAME", "those of this account only" },
    { .name = NULL },
};

/* The "line" of the answer says it all. */
static int
show_line(const struct errand *errand, struct str body)
{
    char line[128];
    (void)errand;
    if (!errand_member(body, "line", line, sizeof line)) {
        return errand_show_object(body);
    }
    printf("%s\n", line);
    return ERRAND_DONE;
}

static const struct errand_verb verbs[] = {
    { .word = "list",
      .help = "sessions, the account each goes back to, and for how long",
      .method = "GET",
      .path = "/v1/sticky",
      .columns = &columns_sticky },
    { .word = "clear",
      .help = "forget them: their next requests go wherever any request would",
      .method = "DELETE",
      .path = "/v1/sticky",
      .options = clear_options,
      .show = show_line },
    { .word = NULL },
};

const struct errand_noun ctlsticky_noun = { .word = "sticky",
                                            .help = "sessions and the accounts they stay at",
                                            .verbs = verbs };

/*
 * ctlusage.c - `usage`: what finished requests used.
 *
 * Runs in: sub2apictl.
 */
#include "admin/columns.h"
#include "admin/nouns.h"

static const struct option_row recent_options[] = {
    { "count", OPTION_NUMBER, "N", "how many; 20 unless given" },
    { .name = NULL },
};

static const struct errand_verb verbs[] = {
    { .word = "",
      .help = "finished requests, newest first",
      .method = "GET",
      .path = "/v1/usage/recent",
      .options = recent_options,
      .columns = &columns_usage },
    { .word = NULL },
};

const struct errand_noun ctlusage_noun = { .word = "usage",
                                           .help = "finished requests",
                                           .verbs = verbs };

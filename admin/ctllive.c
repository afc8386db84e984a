/*
 * ctllive.c - one-verb nouns about what runs now: slots, explain, kill, reload, stop.
 *
 * Runs in: sub2apictl.
 */
#include "admin/columns.h"
#include "admin/nouns.h"

static const struct option_row slots_options[] = {
    { "all", OPTION_SWITCH, NULL, "also those that nobody uses now" },
    { .name = NULL },
};
static const struct errand_verb slots_verbs[] = {
    { .word = "",
      .help = "gates: held and waiting, checked against the leases",
      .method = "GET",
      .path = "/v1/slots",
      .options = slots_options,
      .columns = &columns_slots },
    { .word = NULL },
};
const struct errand_noun ctllive_slots = { .word = "slots",
                                           .help = "gates: held and waiting, and the check of them",
                                           .verbs = slots_verbs };

static const struct option_row explain_options[] = {
    { "key", OPTION_TEXT, "K", "name of the key (needed)" },
    { "model", OPTION_TEXT, "M", "the model it asks for (needed)" },
    { "dialect", OPTION_TEXT, "D", "chat (unless given), responses, anthropic or gemini" },
    { "session", OPTION_TEXT, "S", "its session as a client names it, or the id of an answer" },
    { .name = NULL },
};
static const struct errand_verb explain_verbs[] = {
    { .word = "",
      .help = "a dry run: who would serve such a request, and why not the others",
      .method = "GET",
      .path = "/v1/explain",
      .options = explain_options,
      .columns = &columns_explain },
    { .word = NULL },
};
const struct errand_noun ctllive_explain = { .word = "explain",
                                             .help = "who would serve --key K --model M, and why",
                                             .verbs = explain_verbs };

static const struct errand_verb kill_verbs[] = {
    { .word = "",
      .help = "end a request in flight; its id stands in `top`",
      .argument = "REQUEST",
      .method = "POST",
      .path = "/v1/requests/%/kill",
      .done = "ending" },
    { .word = NULL },
};
const struct errand_noun ctllive_kill = { .word = "kill",
                                          .help = "end a request in flight",
                                          .verbs = kill_verbs };

static const struct errand_verb reload_verbs[] = {
    { .word = "",
      .help = "read the configuration again, as SIGHUP to the master",
      .method = "POST",
      .path = "/v1/reload",
      .done = "reloading (the log tells the result)" },
    { .word = NULL },
};
const struct errand_noun ctllive_reload = { .word = "reload",
                                            .help = "as SIGHUP to the master",
                                            .verbs = reload_verbs };

static const struct errand_verb stop_verbs[] = {
    { .word = "",
      .help = "stop the gateway in good order, as SIGTERM to the master",
      .method = "POST",
      .path = "/v1/stop",
      .done = "stopping" },
    { .word = NULL },
};
const struct errand_noun ctllive_stop = { .word = "stop",
                                          .help = "as SIGTERM to the master",
                                          .verbs = stop_verbs };

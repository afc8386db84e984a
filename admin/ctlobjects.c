/*
 * ctlobjects.c - users, keys, groups, accounts, plans: one set of verbs, and what each has besides.
 *
 * Runs in: sub2apictl.
 */
#include <stdio.h>
#include <string.h>

#include "admin/columns.h"
#include "admin/form.h"
#include "admin/nouns.h"
#include "base/json.h"
#include "base/limits.h"
#include "store/model.h"

/* --- showing --- */

static int
show_list(const struct errand *errand, struct str body)
{
    return errand_show_table(body, &columns_of_kind[errand->noun->kind]);
}

/* A new key is shown by itself, so that it is not overlooked. */
static int
show_created(const struct errand *errand, struct str body)
{
    char key[256];
    if (errand->noun->kind != MODEL_KEY || !errand_member(body, "key", key, sizeof key)) {
        return errand_show_object(body);
    }
    printf("%s\n", key);
    fprintf(stderr, "This is the only time the key is shown: only its hash is stored.\n");
    explicit_bzero(key, sizeof key);
    return ERRAND_DONE;
}

static int
show_test(const struct errand *errand, struct str body)
{
    char line[4096] = "";
    (void)errand;
    (void)errand_member(body, "line", line, sizeof line);
    printf("%s: %s\n", errand_is_ok(body) ? "ok" : "failed", line);
    return ERRAND_DONE;
}

/* --- create and set: their options are the fields of the object --- */

static int
send_fields(const struct errand *errand, const struct form *form, struct buf *json)
{
    char path[64 + NAME_BYTES];
    struct buf body;
    snprintf(path, sizeof path, "/v1/%s%s%s", errand->noun->plural, form->is_create ? "" : "/",
             form->is_create ? "" : form->name);
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    int code = errand_ask(errand, form->is_create ? "POST" : "PATCH", path, buf_str(json), &body);
    code = code == ERRAND_DONE ? errand_show(errand, buf_str(&body)) : code;
    if (body.data != NULL) {
        explicit_bzero(body.data, body.cap); /* a new key */
    }
    buf_fini(&body);
    return code;
}

static int
run_form(struct errand *errand, bool is_create)
{
    struct form form = { .kind = (enum model_kind)errand->noun->kind, .is_create = is_create };
    char why[FORM_WHY_BYTES];
    struct buf json;
    buf_init(&json, ADMIN_BODY_BYTES_MAX);
    int code;
    if (form_read(&form, errand->argc, errand->argv, errand->at, &json, why) != ERR_OK) {
        code = errand_misuse(why, "");
    } else if (form.name[0] == '\0') {
        code = errand_misuse("a name is needed: sub2apictl NOUN VERB ", "NAME");
    } else {
        code = send_fields(errand, &form, &json);
    }
    if (json.data != NULL) {
        explicit_bzero(json.data, json.cap); /* a credential */
    }
    buf_fini(&json);
    return code;
}

static int
run_create(struct errand *errand)
{
    return run_form(errand, true);
}

static int
run_set(struct errand *errand)
{
    return run_form(errand, false);
}

/* --- the verbs --- */

static const struct errand_verb verbs[] = {
    { .word = "list",
      .help = "all of them, with what is in use now",
      .method = "GET",
      .path = "/v1/@",
      .show = show_list },
    { .word = "show",
      .help = "everything about one",
      .argument = "NAME",
      .method = "GET",
      .path = "/v1/@/%" },
    { .word = "create",
      .help = "make one, with the options below (add is the same)",
      .argument = "NAME [--OPTION VALUE]...",
      .show = show_created,
      .run = run_create },
    { .word = "add", .show = show_created, .run = run_create },
    { .word = "set",
      .help = "change what is named and nothing else",
      .argument = "NAME [--OPTION VALUE]...",
      .run = run_set },
    { .word = "remove",
      .help = "remove it; refused while something refers to it",
      .argument = "NAME",
      .method = "DELETE",
      .path = "/v1/@/%",
      .done = "removed" },
    { .word = "enable",
      .help = "take it into use again",
      .argument = "NAME",
      .method = "POST",
      .path = "/v1/@/%/enable" },
    { .word = "disable",
      .help = "take it out of use; requests under way go on",
      .argument = "NAME",
      .method = "POST",
      .path = "/v1/@/%/disable" },
    { .word = NULL },
};

static const struct option_row test_options[] = {
    { "model", OPTION_TEXT, "M", "the model to ask for" },
    { .name = NULL },
};

static const struct errand_verb account_verbs[] = {
    { .word = "test",
      .help = "one small request to the provider in each dialect",
      .argument = "NAME",
      .method = "POST",
      .path = "/v1/@/%/test",
      .options = test_options,
      .show = show_test },
    { .word = "reset",
      .help = "forget the account's failures, and which endpoints its provider lacks",
      .argument = "NAME",
      .method = "POST",
      .path = "/v1/@/%/reset" },
    { .word = NULL },
};

static const struct option_row topup_options[] = {
    { "amount", OPTION_TEXT, "DOLLARS",
      "what is paid in, like 12.5; with a minus it is taken back" },
    { "note", OPTION_TEXT, "TEXT", "what it is for" },
    { .name = NULL },
};

static const struct table_column credit_columns[] = {
    { "time", "TIME" },
    { "amount", "AMOUNT $" },
    { "credit", "PAID IN $" },
    { "note", "NOTE" },
};
static const struct table_columns credit_table = { credit_columns, 4 };

static const struct errand_verb user_verbs[] = {
    { .word = "topup",
      .help = "pay into the balance; from then on the user is prepaid",
      .argument = "NAME",
      .method = "POST",
      .path = "/v1/@/%/topup",
      .options = topup_options,
      .columns = &credit_table },
    { .word = "balance",
      .help = "what is left, and the latest payments",
      .argument = "NAME",
      .method = "GET",
      .path = "/v1/@/%/balance",
      .columns = &credit_table },
    { .word = NULL },
};

static void
help_options(const struct errand_noun *noun)
{
    printf("options of %s create and %s set:\n", noun->word, noun->word);
    form_help((enum model_kind)noun->kind);
}

const struct errand_noun ctlobjects_user = { .word = "user",
                                             .plural = "users",
                                             .help = "who owns keys",
                                             .verbs = verbs,
                                             .more = user_verbs,
                                             .help_more = help_options,
                                             .kind = MODEL_USER };
const struct errand_noun ctlobjects_key = { .word = "key",
                                            .plural = "keys",
                                            .help = "what a client sends",
                                            .verbs = verbs,
                                            .help_more = help_options,
                                            .kind = MODEL_KEY };
const struct errand_noun ctlobjects_group = { .word = "group",
                                              .plural = "groups",
                                              .help = "accounts that keys may use",
                                              .verbs = verbs,
                                              .help_more = help_options,
                                              .kind = MODEL_GROUP };
const struct errand_noun ctlobjects_account = { .word = "account",
                                                .plural = "accounts",
                                                .help = "credentials at providers",
                                                .verbs = verbs,
                                                .more = account_verbs,
                                                .help_more = help_options,
                                                .kind = MODEL_ACCOUNT };
const struct errand_noun ctlobjects_plan = { .word = "plan",
                                             .plural = "plans",
                                             .help =
                                                 "what a user may use in a group, a subscription",
                                             .verbs = verbs,
                                             .help_more = help_options,
                                             .kind = MODEL_PLAN };

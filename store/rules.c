/*
 * rules.c - the consistency of one whole object, field by field.
 */
#include "store/rules.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"
#include "store/match.h"

static enum err
refuse(char why[MODEL_WHY_BYTES], const char *field, struct str item, const char *text)
{
    struct str shown = str_make(item.data, item.len < 100 ? item.len : 100);
    snprintf(why, MODEL_WHY_BYTES, "%s: \"%.*s\" %s", field, STR_ARG(shown), text);
    return ERR_BAD;
}

static enum err
check_name(const char *field, const char *name, char why[MODEL_WHY_BYTES])
{
    if (name[0] == '\0') {
        snprintf(why, MODEL_WHY_BYTES, "%s: is missing", field);
        return ERR_BAD;
    }
    if (!match_name_is_good(str_of(name))) {
        return refuse(why, field, str_of(name), "is not 1 to 63 of A-Z a-z 0-9 . _ - @");
    }
    return ERR_OK;
}

static enum err
check_globs(const char *field, const char *list, char why[MODEL_WHY_BYTES])
{
    struct str rest = str_of(list);
    struct str item;
    while (match_next(&rest, &item)) {
        if (item.len >= MODEL_NAME_BYTES || memchr(item.data, ' ', item.len) != NULL) {
            return refuse(why, field, item, "is no model name or glob");
        }
    }
    return ERR_OK;
}

static enum err
check_addresses(const char *list, char why[MODEL_WHY_BYTES])
{
    struct str rest = str_of(list);
    struct str item;
    while (match_next(&rest, &item)) {
        if (!match_network_is_good(item)) {
            return refuse(why, "addresses", item, "is no address or network like 10.0.0.0/8");
        }
    }
    return ERR_OK;
}

static enum err
check_groups(const char *list, char why[MODEL_WHY_BYTES])
{
    struct str rest = str_of(list);
    struct str item;
    for (uint32_t count = 0; match_next(&rest, &item); count++) {
        if (!match_name_is_good(item)) {
            return refuse(why, "group", item, "is not 1 to 63 of A-Z a-z 0-9 . _ - @");
        }
        if (count == GROUPS_PER_ACCOUNT_MAX) {
            snprintf(why, MODEL_WHY_BYTES, "group: at most %u", GROUPS_PER_ACCOUNT_MAX);
            return ERR_BAD;
        }
    }
    return ERR_OK;
}

static enum err
check_model_map(const char *list, char why[MODEL_WHY_BYTES])
{
    struct str rest = str_of(list);
    struct str row;
    while (match_next(&rest, &row)) {
        struct str sent = row;
        struct str asked = str_trim(str_cut(&sent, '='));
        sent = str_trim(sent);
        bool is_long = asked.len >= MODEL_NAME_BYTES || sent.len >= MODEL_NAME_BYTES;
        if (asked.len == 0 || sent.len == 0 || is_long) {
            return refuse(why, "model_map", row, "is not like asked=sent");
        }
    }
    return ERR_OK;
}

/* What the words mean is for the dialects (proto/) to say; here only their shape. */
static enum err
check_effort_map(const char *list, char why[MODEL_WHY_BYTES])
{
    struct str rest = str_of(list);
    struct str row;
    while (match_next(&rest, &row)) {
        struct str sent = row;
        struct str asked = str_trim(str_cut(&sent, '='));
        if (!match_name_is_good(asked) || !match_name_is_good(str_trim(sent))) {
            return refuse(why, "effort_map", row, "is not like high=xhigh");
        }
    }
    return ERR_OK;
}

static enum err
check_dialects(const char *list, char why[MODEL_WHY_BYTES])
{
    struct str rest = str_of(list);
    struct str item;
    while (match_next(&rest, &item)) {
        if (!match_name_is_good(item)) {
            return refuse(why, "dialects", item, "is no dialect");
        }
    }
    return ERR_OK;
}

static enum err
check_base_url(const char *text, char why[MODEL_WHY_BYTES])
{
    struct match_url url;
    struct str base_url = str_of(text);
    if (!match_url(base_url, &url)) {
        return refuse(why, "base_url", base_url, "is no URL like https://host/v1");
    }
    if (!str_equal(url.scheme, STR("http")) && !str_equal(url.scheme, STR("https"))) {
        return refuse(why, "base_url", base_url, "starts with neither http:// nor https://");
    }
    if (url.userinfo.data != NULL) {
        /* Not repeated: it holds a password. */
        snprintf(why, MODEL_WHY_BYTES, "base_url: a user in it is not allowed");
        return ERR_BAD;
    }
    if (url.rest.len > 0) {
        return refuse(why, "base_url", base_url, "has a query or fragment");
    }
    return ERR_OK;
}

/* The text is never repeated: it may hold a password. */
static enum err
check_proxy(const struct account *account, char why[MODEL_WHY_BYTES])
{
    struct match_url url;
    const char *text = account->proxy;
    if (text[0] == '\0') {
        return ERR_OK;
    }
    bool is_good = match_url(str_of(text), &url) && url.port != 0 && url.rest.len == 0;
    if (is_good) {
        is_good = str_equal(url.scheme, STR("http")) || str_equal(url.scheme, STR("socks5"));
        is_good = is_good && (url.path.len == 0 || str_equal(url.path, STR("/")));
    }
    if (!is_good) {
        snprintf(why, MODEL_WHY_BYTES,
                 "proxy: is not like http://[user:password@]host:port or socks5://...");
        return ERR_BAD;
    }
    struct str password = url.userinfo;
    (void)str_cut(&password, ':');
    if (str_equal(password, STR("***")) && account->proxy_sealed_bytes == 0) {
        snprintf(why, MODEL_WHY_BYTES,
                 "proxy: *** stands for a password that is stored, and none is: write it");
        return ERR_BAD;
    }
    return ERR_OK;
}

static enum err
check_key(const struct key *key, char why[MODEL_WHY_BYTES])
{
    enum err err = check_name("user", key->user, why);
    err = err != ERR_OK ? err : check_name("group", key->group, why);
    err = err != ERR_OK ? err : check_globs("models", key->models, why);
    return err != ERR_OK ? err : check_addresses(key->addresses, why);
}

static enum err
check_account(const struct account *account, char why[MODEL_WHY_BYTES])
{
    CHECK((unsigned)account->platform <= MODEL_GEMINI);
    enum err err = check_base_url(account->base_url, why);
    err = err != ERR_OK ? err : check_groups(account->groups, why);
    err = err != ERR_OK ? err : check_globs("models", account->models, why);
    err = err != ERR_OK ? err : check_model_map(account->model_map, why);
    err = err != ERR_OK ? err : check_dialects(account->dialects, why);
    err = err != ERR_OK ? err : check_proxy(account, why);
    if (err == ERR_OK && account->weight == 0) {
        snprintf(why, MODEL_WHY_BYTES, "weight: at least 1");
        return ERR_BAD;
    }
    return err;
}

enum err
rules_check(enum model_kind kind, const void *object, char why[MODEL_WHY_BYTES])
{
    why[0] = '\0';
    switch (kind) {
    case MODEL_USER:
        return check_name("name", ((const struct user *)object)->name, why);
    case MODEL_KEY: {
        enum err err = check_name("name", ((const struct key *)object)->name, why);
        return err != ERR_OK ? err : check_key(object, why);
    }
    case MODEL_GROUP: {
        const struct group *group = object;
        enum err err = check_name("name", group->name, why);
        err = err != ERR_OK ? err : check_globs("models", group->models, why);
        err = err != ERR_OK ? err : check_model_map(group->model_map, why);
        return err != ERR_OK ? err : check_effort_map(group->effort_map, why);
    }
    case MODEL_PLAN: {
        const struct plan *plan = object;
        enum err err = check_name("name", plan->name, why);
        err = err != ERR_OK ? err : check_name("user", plan->user, why);
        return err != ERR_OK ? err : check_name("group", plan->group, why);
    }
    case MODEL_ACCOUNT: {
        enum err err = check_name("name", ((const struct account *)object)->name, why);
        return err != ERR_OK ? err : check_account(object, why);
    }
    }
    return ERR_BUG;
}

#include "store/model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/object.h"

static char why[MODEL_WHY_BYTES];
static union object object;
static union object back;

static const char *
show(enum model_kind kind, const void *of)
{
    static struct buf buf;
    buf_fini(&buf);
    buf_init(&buf, RECORD_BYTES_MAX);
    cr_assert_eq(model_show(kind, of, &buf), ERR_OK);
    cr_assert_eq(buf_append(&buf, str_make("", 1)), ERR_OK);
    return buf_str(&buf).data;
}

static enum err
apply(enum model_kind kind, const char *json, bool is_create)
{
    return model_apply(kind, &object, str_of(json), is_create, why);
}

Test(model, rows_are_complete_and_names_are_unique)
{
    for (uint32_t k = 0; k < MODEL_KINDS; k++) {
        const struct model_table *table = model_table(k);
        cr_expect_eq((uint32_t)table->kind, k);
        for (size_t i = 0; i < table->field_count; i++) {
            const struct model_field *field = &table->fields[i];
            cr_expect(field->help != NULL && field->help[0] != '\0', "%s", field->name);
            cr_expect(field->offset + field->size <= table->size);
            bool is_hidden = (field->flags & MODEL_IS_HIDDEN) != 0;
            cr_expect_eq(is_hidden, (field->flags & MODEL_IS_SHOWN) == 0, "%s", field->name);
            cr_expect((field->flags & MODEL_IS_KEY) == 0 ||
                      (field->flags & MODEL_IS_SETTABLE) != 0);
            for (size_t j = 0; j < i; j++) {
                cr_expect_str_neq(field->name, table->fields[j].name);
            }
        }
    }
}

Test(model, account_is_made_from_json_with_standard_values)
{
    model_defaults(MODEL_ACCOUNT, &object);
    cr_assert_eq(apply(MODEL_ACCOUNT,
                       "{\"name\":\"a\",\"platform\":\"anthropic\",\"group\":\"x, y\","
                       "\"concurrency\":\"7\",\"tls_insecure\":true,\"models\":\"claude-\\u002a\"}",
                       true),
                 ERR_OK, "%s", why);
    const struct account *account = &object.account;
    cr_expect_str_eq(account->name, "a");
    cr_expect_eq(account->platform, MODEL_ANTHROPIC);
    cr_expect_str_eq(account->groups, "x, y");
    cr_expect_str_eq(account->base_url, "https://api.anthropic.com");
    cr_expect_str_eq(account->models, "claude-*");
    cr_expect_eq(account->priority, 50);
    cr_expect_eq(account->weight, 1);
    cr_expect_eq(account->concurrency, 7);
    cr_expect(account->tls_insecure);
    cr_expect_eq(model_check(MODEL_ACCOUNT, &object, why), ERR_OK, "%s", why);
    cr_assert_eq(apply(MODEL_ACCOUNT, "{\"priority\":null,\"weight\":3,\"base_url\":\"\"}", false),
                 ERR_OK);
    cr_expect_eq(account->priority, 50);
    cr_expect_eq(account->weight, 3);
    cr_expect_str_eq(account->base_url, "https://api.anthropic.com");
}

Test(model, every_platform_has_its_address)
{
    static const char *const json[] = { "{\"platform\":\"openai\"}", "{\"platform\":\"anthropic\"}",
                                        "{\"platform\":\"gemini\"}" };
    static const char *const urls[] = { "https://api.openai.com/v1", "https://api.anthropic.com",
                                        "https://generativelanguage.googleapis.com" };
    for (size_t i = 0; i < 3; i++) {
        model_defaults(MODEL_ACCOUNT, &object);
        cr_assert_eq(apply(MODEL_ACCOUNT, json[i], true), ERR_OK);
        cr_expect_str_eq(object.account.base_url, urls[i]);
    }
    cr_expect_str_eq(model_platform_name(MODEL_GEMINI), "gemini");
}

Test(model, bad_members_are_refused_by_name)
{
    static const struct {
        enum model_kind kind;
        const char *json;
        const char *why;
    } cases[] = {
        { MODEL_USER, "[]", "no JSON object" },
        { MODEL_USER, "{", "no JSON at byte" },
        { MODEL_USER, "", "no JSON at byte" },
        { MODEL_USER, "{\"colour\":1}", "colour: there is no such setting" },
        { MODEL_USER, "{\"id\":1}", "id: cannot be set" },
        { MODEL_USER, "{\"disabled\":true}", "disabled: cannot be set" },
        { MODEL_USER, "{\"rpm\":-1}", "rpm: a whole number" },
        { MODEL_USER, "{\"rpm\":1.5}", "rpm: a whole number" },
        { MODEL_USER, "{\"rpm\":\"x\"}", "rpm: a whole number" },
        { MODEL_USER, "{\"rpm\":1000001}", "rpm: at most 1000000" },
        { MODEL_USER, "{\"rpm\":18446744073709551616}", "rpm: a whole number" },
        { MODEL_USER, "{\"rpm\":true}", "rpm: true or false is not" },
        { MODEL_USER, "{\"rpm\":[1]}", "rpm: lists" },
        { MODEL_USER, "{\"rpm\":1,\"rpm\":2}", "rpm: is given twice" },
        { MODEL_USER, "{\"note\":7}", "note: a number is not" },
        { MODEL_USER, "{\"note\":\"a\\u0000b\"}", "note: has a NUL" },
        { MODEL_USER, "{\"note\":\"a\\nb\"}", "note: has control" },
        { MODEL_KEY, "{\"digest\":\"00\"}", "digest: there is no such setting" },
        { MODEL_KEY, "{\"prefix\":\"sk\"}", "prefix: cannot be set" },
        { MODEL_KEY, "{\"expires\":\"soon\"}", "expires: a time like" },
        { MODEL_KEY, "{\"expires\":5}", "expires: a number is not" },
        { MODEL_ACCOUNT, "{\"platform\":\"bedrock\"}", "platform: one of openai anthropic gemini" },
        { MODEL_ACCOUNT, "{\"sealed\":\"00\"}", "sealed: there is no such setting" },
        { MODEL_ACCOUNT, "{\"tls_insecure\":\"maybe\"}", "tls_insecure: true or false" },
        { MODEL_ACCOUNT, "{\"tls_insecure\":1}", "tls_insecure: a number is not" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        model_defaults(cases[i].kind, &object);
        cr_expect_eq(apply(cases[i].kind, cases[i].json, true), ERR_BAD, "%s", cases[i].json);
        cr_expect_not_null(strstr(why, cases[i].why), "%s: %s", cases[i].json, why);
    }
}

Test(model, some_members_are_given_at_creation_only)
{
    model_defaults(MODEL_KEY, &object);
    cr_expect_eq(apply(MODEL_KEY, "{\"name\":\"n\"}", false), ERR_BAD);
    cr_expect_str_eq(why, "name: can be given at creation only");
    cr_expect_eq(apply(MODEL_KEY, "{\"user\":\"n\"}", false), ERR_BAD);
    cr_expect_eq(apply(MODEL_ACCOUNT, "{\"platform\":\"openai\"}", false), ERR_BAD);
}

Test(model, too_long_is_refused_and_the_longest_fits)
{
    char json[LIST_TEXT_BYTES + 64];
    model_defaults(MODEL_GROUP, &object);
    int len = snprintf(json, sizeof(json), "{\"models\":\"%0*d\"}", LIST_TEXT_BYTES - 1, 7);
    cr_assert(len > 0);
    cr_expect_eq(apply(MODEL_GROUP, json, true), ERR_OK, "%s", why);
    cr_expect_eq(strlen(object.group.models), LIST_TEXT_BYTES - 1);
    snprintf(json, sizeof(json), "{\"models\":\"%0*d\"}", LIST_TEXT_BYTES, 7);
    cr_expect_eq(apply(MODEL_GROUP, json, true), ERR_BAD);
    cr_expect_str_eq(why, "models: at most 4095 bytes");
}

Test(model, times_are_relative_absolute_or_never)
{
    clock_set_fake(1, 1795234125000ull);
    model_defaults(MODEL_KEY, &object);
    cr_assert_eq(apply(MODEL_KEY, "{\"expires\":\"30d\"}", true), ERR_OK);
    cr_expect_eq(object.key.expires_ms, 1795234125000ull + 30 * 86400000ull);
    cr_assert_eq(apply(MODEL_KEY, "{\"expires\":\"2027-01-01T00:00:00Z\"}", true), ERR_OK);
    cr_expect_not_null(
        strstr(show(MODEL_KEY, &object), "\"expires\":\"2027-01-01T00:00:00.000Z\""));
    cr_assert_eq(apply(MODEL_KEY, "{\"expires\":\"never\"}", true), ERR_OK);
    cr_expect_eq(object.key.expires_ms, 0);
    cr_expect_not_null(strstr(show(MODEL_KEY, &object), "\"expires\":null"));
    object.key.expires_ms = 5;
    cr_assert_eq(apply(MODEL_KEY, "{\"expires\":null}", true), ERR_OK);
    cr_expect_eq(object.key.expires_ms, 0);
}

/* The largest account there can be, with every character at its longest spelling. */
static void
fill_account(struct account *account)
{
    model_defaults(MODEL_ACCOUNT, account);
    account->id = UINT64_MAX;
    account->index = ACCOUNTS_MAX - 1;
    account->platform = MODEL_GEMINI;
    memset(account->name, 'n', sizeof(account->name) - 1);
    memset(account->base_url, '"', sizeof(account->base_url) - 1);
    memset(account->groups, '"', sizeof(account->groups) - 1);
    memset(account->models, '\\', sizeof(account->models) - 1);
    memset(account->model_map, '\\', sizeof(account->model_map) - 1);
    memset(account->dialects, 'd', sizeof(account->dialects) - 1);
    memset(account->proxy, '"', sizeof(account->proxy) - 1);
    memset(account->tls_ca_file, '"', sizeof(account->tls_ca_file) - 1);
    memset(account->disabled_why, '"', sizeof(account->disabled_why) - 1);
    memset(account->note, '"', sizeof(account->note) - 1);
    memset(account->secret_hint, 'h', sizeof(account->secret_hint) - 1);
    memset(account->sealed, 0xa5, sizeof(account->sealed));
    account->sealed_bytes = sizeof(account->sealed);
    memset(account->proxy_sealed, 0x5a, sizeof(account->proxy_sealed));
    account->proxy_sealed_bytes = sizeof(account->proxy_sealed);
    account->tls_insecure = true;
    account->is_disabled = true;
    account->created_ms = 253402300799999ull;
}

Test(model, a_record_is_read_as_it_was_written)
{
    struct buf buf;
    for (uint32_t k = 0; k < MODEL_KINDS; k++) {
        enum model_kind kind = (enum model_kind)k;
        model_defaults(kind, &object);
        if (kind == MODEL_ACCOUNT) {
            fill_account(&object.account);
        } else if (kind == MODEL_KEY) {
            snprintf(object.key.name, NAME_BYTES, "k");
            snprintf(object.key.user, NAME_BYTES, "u");
            object.key.user_id = 12;
            object.key.group_id = 13;
            memset(object.key.digest.bytes, 0xfe, DIGEST_BYTES);
            object.key.input_tokens_max = UINT64_MAX >> 1;
            object.key.expires_ms = 1795234125123ull;
            snprintf(object.key.note, sizeof(object.key.note),
                     "\xc3\xa9 \xe2\x80\xa8 \xf0\x9f\x98\x80");
        }
        buf_init(&buf, RECORD_BYTES_MAX);
        cr_assert_eq(model_encode(kind, &object, &buf), ERR_OK);
        memset(&back, 0xff, sizeof(back));
        cr_assert_eq(model_decode(kind, buf_str(&buf), &back), ERR_OK);
        cr_expect_eq(memcmp(&object, &back, model_table(k)->size), 0, "%s", model_table(k)->noun);
        buf_fini(&buf);
    }
}

Test(model, torn_and_hostile_records_are_refused_whole)
{
    struct buf buf;
    buf_init(&buf, RECORD_BYTES_MAX);
    fill_account(&object.account);
    cr_assert_eq(model_encode(MODEL_ACCOUNT, &object, &buf), ERR_OK);
    struct str whole = buf_str(&buf);
    for (size_t len = 0; len < whole.len; len += len < 300 ? 1 : 997) {
        cr_expect_eq(model_decode(MODEL_ACCOUNT, str_make(whole.data, len), &back), ERR_BAD);
        cr_expect_eq(back.account.id, 0);
    }
    static const char *const bad[] = {
        "null",
        "[]",
        "{\"id\":\"1\"}",
        "{\"id\":-1}",
        "{\"id\":1e30}",
        "{\"name\":1}",
        "{\"disabled\":\"yes\"}",
        "{\"disabled\":null}",
        "{\"platform\":\"none\"}",
        "{\"platform\":7}",
        "{\"sealed\":\"abc\"}",
        "{\"sealed\":\"zz\"}",
        "{\"sealed\":\"AB\"}",
        "{\"created\":\"2026\"}",
        "{\"created\":253402300800000}",
        "{\"index\":16384}",
        "{\"name\":\"a\\u0000\"}",
        "{\"id\":{}}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_eq(model_decode(MODEL_ACCOUNT, str_of(bad[i]), &back), ERR_BAD, "%s", bad[i]);
    }
    cr_expect_eq(model_decode(MODEL_KEY, STR("{\"digest\":\"00\"}"), &back), ERR_BAD);
    buf_fini(&buf);
}

Test(model, unknown_members_of_a_newer_record_are_passed_over)
{
    cr_assert_eq(
        model_decode(MODEL_USER, STR("{\"id\":3,\"new\":{\"a\":[1]},\"name\":\"n\"}"), &back),
        ERR_OK);
    cr_expect_eq(back.user.id, 3);
    cr_expect_str_eq(back.user.name, "n");
}

Test(model, secrets_are_not_shown)
{
    fill_account(&object.account);
    memset(object.account.base_url, 0, sizeof(object.account.base_url));
    static const char *const proxies[][2] = {
        { "http://user:hunter2@host:3128", "\"proxy\":\"http://user:***@host:3128\"" },
        { "socks5://u:a@b:c@host:1080", "\"proxy\":\"socks5://u:***@host:1080\"" },
        { "http://user@host:1", "\"proxy\":\"http://user@host:1\"" },
        { "http://host:1", "\"proxy\":\"http://host:1\"" },
        { "what@ever hunter2", "\"proxy\":\"***\"" },
        { "", "\"proxy\":\"\"" },
    };
    for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
        memset(object.account.proxy, 0, sizeof(object.account.proxy));
        snprintf(object.account.proxy, sizeof(object.account.proxy), "%s", proxies[i][0]);
        const char *shown = show(MODEL_ACCOUNT, &object);
        cr_expect_not_null(strstr(shown, proxies[i][1]), "%s", shown);
        cr_expect_null(strstr(shown, "hunter2"));
        cr_expect_null(strstr(shown, "sealed"));
        cr_expect_null(strstr(shown, "a5a5"));
    }
    model_defaults(MODEL_KEY, &object);
    cr_expect_null(strstr(show(MODEL_KEY, &object), "digest"));
}

Test(model, account_shows_the_agreed_members)
{
    static const char *const names[] = {
        "name",        "platform",     "base_url", "group",        "priority",    "weight",
        "concurrency", "rpm",          "models",   "model_map",    "dialects",    "proxy",
        "tls_ca_file", "tls_insecure", "disabled", "disabled_why", "secret_hint", "note",
        "created",     "id",           "index",
    };
    model_defaults(MODEL_ACCOUNT, &object);
    const char *shown = show(MODEL_ACCOUNT, &object);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char quoted[64];
        snprintf(quoted, sizeof(quoted), "\"%s\":", names[i]);
        cr_expect_not_null(strstr(shown, quoted), "%s", names[i]);
    }
}

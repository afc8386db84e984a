/* What an account can do, as it is set by name. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "proto/caps.h"

static enum err
set(struct caps *caps, enum dialect dialect, const char *name, const char *json)
{
    struct json_value value;
    cr_assert_eq(json_read(str_of(json), &value, NULL), ERR_OK, "%s", json);
    return caps_set(caps, dialect, str_of(name), value);
}

Test(caps, begin_as_the_specification_has_them)
{
    struct caps caps;
    caps_default(&caps, DIALECT_ANTHROPIC);
    cr_expect_geq(caps.name_max, 64);
    caps_default(&caps, DIALECT_GEMINI);
    cr_expect_geq(caps.family, 25);
    for (int i = 0; i < DIALECT_COUNT; i++) {
        struct caps again;
        memset(&caps, 0xff, sizeof caps);
        memset(&again, 0, sizeof again);
        caps_default(&caps, (enum dialect)i);
        caps_default(&again, (enum dialect)i);
        cr_expect_eq(caps.efforts, again.efforts, "nothing of what stood there before stays");
        cr_expect_eq(caps.deleted[0][0], '\0');
        cr_expect_eq(caps.output_max, again.output_max);
    }
}

Test(caps, are_set_by_name_where_the_dialect_has_them)
{
    struct caps caps;
    caps_default(&caps, DIALECT_GEMINI);
    cr_expect_eq(set(&caps, DIALECT_GEMINI, "family", "\"3\""), ERR_OK);
    cr_expect(caps.family == 30 && caps.sig_required && !caps.budget);
    cr_expect_eq(set(&caps, DIALECT_GEMINI, "family", "2.5"), ERR_OK);
    cr_expect(caps.family == 25 && !caps.sig_required && caps.budget);
    cr_expect_eq(set(&caps, DIALECT_GEMINI, "thinking", "\"level\""), ERR_OK);
    cr_expect_not(caps.budget);
    cr_expect_eq(set(&caps, DIALECT_GEMINI, "budget_max", "32768"), ERR_OK);
    cr_expect_eq(caps.budget_max, 32768);
    caps_default(&caps, DIALECT_ANTHROPIC);
    cr_expect_eq(set(&caps, DIALECT_ANTHROPIC, "thinking", "\"adaptive\""), ERR_OK);
    cr_expect_eq(caps.thinking, CAPS_ADAPTIVE);
    cr_expect_eq(set(&caps, DIALECT_ANTHROPIC, "effort", "[\"low\",\"max\"]"), ERR_OK);
    cr_expect_eq(caps.efforts, 1u << HUB_EFFORT_LOW | 1u << HUB_EFFORT_MAX);
    cr_expect_eq(set(&caps, DIALECT_ANTHROPIC, "name_max", "128"), ERR_OK);
    cr_expect_eq(caps.name_max, 128);
    caps_default(&caps, DIALECT_CHAT);
    cr_expect_eq(set(&caps, DIALECT_CHAT, "max_field", "\"max_tokens\""), ERR_OK);
    cr_expect(caps.max_tokens);
    cr_expect_eq(set(&caps, DIALECT_RESPONSES, "delete_fields", "[\"store\",\"user\"]"), ERR_OK);
    cr_expect_str_eq(caps.deleted[1], "user");
}

Test(caps, of_other_types_names_and_sizes_are_refused)
{
    static const struct {
        enum dialect dialect;
        const char *name;
        const char *json;
    } bad[] = {
        { DIALECT_CHAT, "sig_required", "true" },
        { DIALECT_GEMINI, "sig_required", "1" },
        { DIALECT_GEMINI, "sig_required", "null" },
        { DIALECT_GEMINI, "family", "\"\"" },
        { DIALECT_GEMINI, "family", "\"gemini\"" },
        { DIALECT_GEMINI, "family", "-3" },
        { DIALECT_GEMINI, "family", "3.55" },
        { DIALECT_GEMINI, "family", "[3]" },
        { DIALECT_GEMINI, "thinking", "\"both\"" },
        { DIALECT_ANTHROPIC, "thinking", "true" },
        { DIALECT_ANTHROPIC, "effort", "\"low\"" },
        { DIALECT_ANTHROPIC, "effort", "[\"lowest\"]" },
        { DIALECT_ANTHROPIC, "effort", "[1]" },
        { DIALECT_ANTHROPIC, "max_output", "-1" },
        { DIALECT_ANTHROPIC, "max_output", "1e30" },
        { DIALECT_ANTHROPIC, "name_max", "0" },
        { DIALECT_ANTHROPIC, "name_max", "8" },
        { DIALECT_ANTHROPIC, "name_max", "257" },
        { DIALECT_CHAT, "max_field", "\"max\"" },
        { DIALECT_CHAT, "", "true" },
        { DIALECT_CHAT, "nothing_known", "true" },
        { DIALECT_RESPONSES, "delete_fields", "{}" },
        { DIALECT_RESPONSES, "delete_fields", "[1]" },
        { DIALECT_RESPONSES, "delete_fields",
          "[\"a-name-of-a-field-that-is-far-longer-than-any\"]" },
        { DIALECT_RESPONSES, "delete_fields",
          "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct caps caps;
        caps_default(&caps, bad[i].dialect);
        cr_expect_eq(set(&caps, bad[i].dialect, bad[i].name, bad[i].json), ERR_BAD, "%s %s",
                     bad[i].name, bad[i].json);
    }
}

Test(caps, are_read_from_an_accounts_list)
{
    struct caps caps;
    struct str bad;
    struct str list =
        STR("reasoning-model, no-custom_tools,max_field=max_tokens, effort=low+high,"
            "delete_fields=user+metadata,thinking=adaptive, family=3,max_output=4096");
    cr_expect(caps_list_is_good(list, &bad), "%.*s", STR_ARG(bad));
    caps_default(&caps, DIALECT_CHAT);
    caps_apply(&caps, DIALECT_CHAT, list);
    cr_expect(caps.reasoning_model && !caps.custom_tools && caps.max_tokens);
    cr_expect_eq(caps.efforts, 1u << HUB_EFFORT_LOW | 1u << HUB_EFFORT_HIGH);
    cr_expect_eq(caps.output_max, 4096);
    cr_expect_str_eq(caps.deleted[1], "metadata");
    caps_default(&caps, DIALECT_ANTHROPIC);
    caps_apply(&caps, DIALECT_ANTHROPIC, list);
    cr_expect(caps.thinking == CAPS_ADAPTIVE && !caps.reasoning_model,
              "what another dialect has is left out");
    caps_default(&caps, DIALECT_GEMINI);
    caps_apply(&caps, DIALECT_GEMINI, list);
    cr_expect(caps.family == 30 && caps.sig_required);
}

Test(caps, that_nobody_has_are_found_in_a_list)
{
    static const char *const lists[] = { "fly",           "no-effort=low", "effort=much",
                                         "max_output=x",  "family=",       "no-",
                                         "thinking=deep", "delete_fields", "reasoning_model=\"" };
    struct str bad;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "web_search,%s", lists[i]);
        cr_expect(!caps_list_is_good(str_of(text), &bad), "%s", text);
        cr_expect(str_equal(bad, str_of(lists[i])), "%.*s", STR_ARG(bad));
    }
    cr_expect(caps_list_is_good(STR(""), &bad) && caps_list_is_good(STR(" ,, "), &bad));
}

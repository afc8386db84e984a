#include "store/pricename.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static char forms[1024];

static bool
on_form(void *context, struct str name, enum pricename_rule rule)
{
    (void)context;
    size_t at = strlen(forms);
    snprintf(forms + at, sizeof(forms) - at, "%s%.*s:%s", at == 0 ? "" : " ", STR_ARG(name),
             pricename_rule_text(rule));
    return false;
}

static const char *
forms_of(const char *name)
{
    forms[0] = '\0';
    cr_expect_not(pricename_each(str_of(name), on_form, NULL));
    return forms;
}

Test(pricename, tries_the_name_then_its_prefixes_then_without_a_date)
{
    cr_expect_str_eq(forms_of("gpt-4o"), "gpt-4o:exact");
    cr_expect_str_eq(forms_of("GPT-4o-2024-08-06"), "gpt-4o-2024-08-06:exact gpt-4o:dated");
    cr_expect_str_eq(forms_of("models/gemini-2.5-pro"),
                     "models/gemini-2.5-pro:exact gemini-2.5-pro:prefix "
                     "models/gemini-2-5-pro:dotted gemini-2-5-pro:dotted");
    cr_expect_str_eq(forms_of("openrouter/anthropic/claude-sonnet-4-5@20250929"),
                     "openrouter/anthropic/claude-sonnet-4-5@20250929:exact "
                     "anthropic/claude-sonnet-4-5@20250929:prefix "
                     "claude-sonnet-4-5@20250929:prefix "
                     "openrouter/anthropic/claude-sonnet-4-5:dated "
                     "anthropic/claude-sonnet-4-5:dated claude-sonnet-4-5:dated");
}

static void
dated(const char *name, const char *base)
{
    const char *all = forms_of(name);
    char want[256];
    snprintf(want, sizeof(want), "%s:exact %s:dated", name, base);
    cr_expect(strncmp(all, want, strlen(want)) == 0, "%s", all);
}

Test(pricename, knows_dates_and_versions_at_the_end)
{
    dated("claude-sonnet-4-5-20250929", "claude-sonnet-4-5");
    dated("gpt-4-0613", "gpt-4");
    dated("kimi-k2-0905", "kimi-k2");
    dated("gemini-x-preview-05-20", "gemini-x-preview");
    dated("gemini-x-preview-09-2025", "gemini-x-preview");
    dated("gemini-x-flash-002", "gemini-x-flash");
    dated("claude-haiku-latest", "claude-haiku");
}

Test(pricename, takes_nothing_else_for_a_date)
{
    static const char *const names[] = {
        "claude-3-5",  "x-20251340", "x-19991231", "x-2507",       "x-1300",    "x-128",
        "llama-3-70b", "x-13-45",    "-20250929",  "x-2024-13-06", "x-13-2025", "qwen-72b-latests",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cr_expect_null(strstr(forms_of(names[i]), "dated"), "%s", forms);
    }
}

Test(pricename, has_no_forms_of_what_is_no_name)
{
    char longest[MODEL_NAME_BYTES + 1];
    memset(longest, 'x', sizeof(longest));
    longest[MODEL_NAME_BYTES] = '\0';
    cr_expect_str_eq(forms_of(""), "");
    cr_expect_str_eq(forms_of(longest), "");
    cr_expect_str_eq(forms_of("////"), "////:exact ///:prefix //:prefix /:prefix");
}

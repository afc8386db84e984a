/* What is known of a model by its name: what it refuses is not sent to it. */
#include <criterion/criterion.h>

#include "proto/lineage.h"

static struct caps
caps_of(enum dialect dialect, const char *model)
{
    struct caps caps;
    caps_default(&caps, dialect);
    lineage_apply(&caps, dialect, str_of(model));
    return caps;
}

Test(lineage, knows_which_of_openais_models_reason)
{
    static const char *const reasoning[] = { "gpt-5",   "gpt-5.4-mini", "o3",
                                             "o4-mini", "gpt-5-codex",  "openai/gpt-5",
                                             "gpt-6",   "ft:gpt-5:org", "gpt-5-2025-08-07" };
    for (size_t i = 0; i < sizeof reasoning / sizeof reasoning[0]; i++) {
        struct caps caps = caps_of(DIALECT_RESPONSES, reasoning[i]);
        cr_expect(caps.reasoning_model && caps.summary && caps.efforts != 0, "%s", reasoning[i]);
    }
    static const char *const others[] = {
        "gpt-4o",        "gpt-4.1-mini", "gpt-5-chat-latest", "chatgpt-4o-latest",
        "gpt-3.5-turbo", "gpt-4-0613"
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct caps caps = caps_of(DIALECT_CHAT, others[i]);
        cr_expect(!caps.reasoning_model && !caps.summary && caps.efforts == 0, "%s", others[i]);
        cr_expect(!caps.max_tokens && !caps.custom_tools, "%s", others[i]);
    }
}

Test(lineage, knows_which_efforts_there_are)
{
    static const struct {
        const char *model;
        bool off, minimal, xhigh;
    } rows[] = {
        { "gpt-5", false, true, false },           { "gpt-5.1", true, false, false },
        { "gpt-5.2", true, false, true },          { "o3", false, false, false },
        { "gpt-5-codex", false, false, false },    { "gpt-5.1-codex-max", false, false, true },
        { "gpt-7-unheard-of", true, false, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t mask = caps_of(DIALECT_CHAT, rows[i].model).efforts;
        cr_expect_eq((mask & 1u << HUB_EFFORT_OFF) != 0, rows[i].off, "%s", rows[i].model);
        cr_expect_eq((mask & 1u << HUB_EFFORT_MINIMAL) != 0, rows[i].minimal, "%s", rows[i].model);
        cr_expect_eq((mask & 1u << HUB_EFFORT_XHIGH) != 0, rows[i].xhigh, "%s", rows[i].model);
        cr_expect((mask & 1u << HUB_EFFORT_MEDIUM) != 0, "%s", rows[i].model);
    }
}

Test(lineage, sends_a_compatible_provider_what_all_of_them_know)
{
    static const char *const names[] = { "deepseek-chat", "meta/llama-3.3-70b-instruct",
                                         "gpt-oss-120b",  "openrouter/auto",
                                         "mistral-large", "o" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct caps caps = caps_of(DIALECT_CHAT, names[i]);
        cr_expect(caps.max_tokens && !caps.custom_tools && !caps.safety_identifier, "%s", names[i]);
        cr_expect(!caps.reasoning_model && caps.efforts != 0, "%s", names[i]);
    }
}

Test(lineage, knows_how_anthropics_models_think)
{
    static const struct {
        const char *model;
        enum caps_thinking thinking;
        uint64_t output;
        bool structured, one_sampler, no_sampling, prefill;
    } rows[] = {
        { "claude-3-haiku-20240307", CAPS_NO_THINKING, 4096, false, false, false, true },
        { "claude-3-5-sonnet-20241022", CAPS_NO_THINKING, 8192, false, false, false, true },
        { "claude-3-7-sonnet-latest", CAPS_MANUAL, 64000, false, false, false, true },
        { "claude-opus-4-20250514", CAPS_MANUAL, 32000, false, false, false, true },
        { "claude-opus-4-1", CAPS_MANUAL, 32000, true, true, false, true },
        { "us.anthropic.claude-sonnet-4-5-20250929-v1:0", CAPS_MANUAL, 64000, true, true, false,
          true },
        { "claude-opus-4-6", CAPS_BOTH, 128000, true, true, false, false },
        { "anthropic/claude-opus-4.7", CAPS_ADAPTIVE, 128000, true, true, true, false },
        { "claude-sonnet-5", CAPS_ADAPTIVE, 128000, true, true, true, false },
        { "glm-5", CAPS_MANUAL, 64000, true, false, false, true },
        { "claude-unheard-of", CAPS_MANUAL, 64000, true, false, false, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct caps caps = caps_of(DIALECT_ANTHROPIC, rows[i].model);
        cr_expect_eq(caps.thinking, rows[i].thinking, "%s", rows[i].model);
        cr_expect_eq(caps.output_max, rows[i].output, "%s", rows[i].model);
        cr_expect_eq(caps.structured, rows[i].structured, "%s", rows[i].model);
        cr_expect_eq(caps.one_sampler, rows[i].one_sampler, "%s", rows[i].model);
        cr_expect_eq(caps.no_sampling, rows[i].no_sampling, "%s", rows[i].model);
        cr_expect_eq(caps.prefill, rows[i].prefill, "%s", rows[i].model);
    }
}

Test(lineage, knows_the_families_of_gemini)
{
    struct caps third = caps_of(DIALECT_GEMINI, "models/gemini-3-pro-preview");
    cr_expect(third.sig_required && !third.budget && third.fr_media && !third.level_minimal);
    cr_expect(caps_of(DIALECT_GEMINI, "gemini-3.5-flash").level_minimal);
    struct caps pro = caps_of(DIALECT_GEMINI, "gemini-2.5-pro");
    cr_expect(pro.budget && !pro.budget_zero && !pro.sig_required);
    cr_expect_eq(pro.budget_max, 32768);
    cr_expect_eq(caps_of(DIALECT_GEMINI, "gemini-2.5-flash-lite").budget_min, 512);
    cr_expect_eq(caps_of(DIALECT_GEMINI, "gemini-2.0-flash").thinking, CAPS_NO_THINKING);
    cr_expect_not(caps_of(DIALECT_GEMINI, "gemma-3-27b-it").system_instruction);
    cr_expect_eq(caps_of(DIALECT_GEMINI, "gemini-flash-latest").family, 25);
}

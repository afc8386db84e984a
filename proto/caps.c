/*
 * caps.c - what an account can do: defaults and names (see caps.h).
 */
#include "proto/caps.h"

#include <stddef.h>

#include "base/check.h"
#include "proto/effort.h"

#define BIT(dialect) DIALECT_BIT(DIALECT_##dialect)
#define OPENAI (BIT(CHAT) | BIT(RESPONSES))

void
caps_default(struct caps *caps, enum dialect dialect)
{
    uint32_t openai = 1u << HUB_EFFORT_MINIMAL | 1u << HUB_EFFORT_LOW | 1u << HUB_EFFORT_MEDIUM |
                      1u << HUB_EFFORT_HIGH;
    *caps = (struct caps){
        .efforts = (DIALECT_BIT(dialect) & OPENAI) != 0 ? openai : 0,
        .custom_tools = true,
        .safety_identifier = true,
        .summary = true,
        .thinking = CAPS_MANUAL,
        .prefill = true,
        .structured = true,
        .name_max = 64,
        .output_max = dialect == DIALECT_ANTHROPIC ? 64000 : 0,
        .family = 25,
        .budget = true,
        .budget_min = 128,
        .budget_max = 24576,
        .budget_zero = true,
        .fc_id = true,
        .system_instruction = true,
    };
}

/* --- by name --- */

static const struct flag {
    const char *name;
    uint32_t dialects;
    size_t offset;
} flags[] = {
    { "reasoning_model", OPENAI, offsetof(struct caps, reasoning_model) },
    { "custom_tools", BIT(CHAT), offsetof(struct caps, custom_tools) },
    { "reasoning_in_history", BIT(CHAT), offsetof(struct caps, reasoning_in_history) },
    { "safety_identifier", OPENAI, offsetof(struct caps, safety_identifier) },
    { "cache_breakpoints", OPENAI, offsetof(struct caps, cache_breakpoints) },
    { "web_search", OPENAI, offsetof(struct caps, web_search) },
    { "extra_top_k", BIT(CHAT), offsetof(struct caps, top_k) },
    { "inline_think", BIT(CHAT), offsetof(struct caps, inline_think) },
    { "split_concat_args", BIT(CHAT), offsetof(struct caps, split_args) },
    { "video_url", BIT(CHAT), offsetof(struct caps, video) },
    { "summary_ok", BIT(RESPONSES), offsetof(struct caps, summary) },
    { "must_stream", BIT(RESPONSES), offsetof(struct caps, must_stream) },
    { "mid_system", BIT(ANTHROPIC), offsetof(struct caps, mid_system) },
    { "prefill", BIT(ANTHROPIC), offsetof(struct caps, prefill) },
    { "structured", BIT(ANTHROPIC), offsetof(struct caps, structured) },
    { "one_sampler", BIT(ANTHROPIC), offsetof(struct caps, one_sampler) },
    { "no_sampling", BIT(ANTHROPIC), offsetof(struct caps, no_sampling) },
    { "strict", BIT(ANTHROPIC), offsetof(struct caps, strict_tools) },
    { "budget_zero", BIT(GEMINI), offsetof(struct caps, budget_zero) },
    { "level_minimal", BIT(GEMINI), offsetof(struct caps, level_minimal) },
    { "sig_required", BIT(GEMINI), offsetof(struct caps, sig_required) },
    { "json_schema", BIT(GEMINI), offsetof(struct caps, json_schema) },
    { "json_with_tools", BIT(GEMINI), offsetof(struct caps, json_with_tools) },
    { "mixed_tools", BIT(GEMINI), offsetof(struct caps, mixed_tools) },
    { "fr_media", BIT(GEMINI), offsetof(struct caps, fr_media) },
    { "fc_id", BIT(GEMINI), offsetof(struct caps, fc_id) },
    { "validated", BIT(GEMINI), offsetof(struct caps, validated) },
    { "system_instruction", BIT(GEMINI), offsetof(struct caps, system_instruction) },
};

static struct str
text_of(struct json_value value)
{
    bool is_plain = value.kind == JSON_STRING && !value.is_escaped;
    return is_plain ? str_make(value.raw.data + 1, value.raw.len - 2) : str_make(NULL, 0);
}

struct efforts {
    uint32_t mask;
    bool is_bad;
};

static bool
on_effort(void *context, const struct json_member *member)
{
    struct efforts *efforts = context;
    enum hub_effort effort = effort_parse(text_of(member->value));
    efforts->is_bad = efforts->is_bad || effort == HUB_EFFORT_UNSET;
    efforts->mask |= 1u << effort;
    return true;
}

/* A list of words, or "none" of all. */
static enum err
set_efforts(struct caps *caps, struct json_value value)
{
    struct efforts efforts = { 0 };
    if (value.kind != JSON_ARRAY || json_scan_array(value, on_effort, &efforts) != ERR_OK ||
        efforts.is_bad) {
        return ERR_BAD;
    }
    caps->efforts = efforts.mask;
    return ERR_OK;
}

struct deletion {
    struct caps *caps;
    bool is_bad; /* no name, one too long, or one too many */
};

static bool
on_deleted(void *context, const struct json_member *member)
{
    struct deletion *deletion = context;
    struct str name = text_of(member->value);
    uint32_t i = 0;
    while (i < CAPS_DELETE_MAX && deletion->caps->deleted[i][0] != '\0') {
        i++;
    }
    deletion->is_bad = name.len == 0 || i == CAPS_DELETE_MAX ||
                       !str_copy(deletion->caps->deleted[i], CAPS_FIELD_BYTES, name);
    return !deletion->is_bad;
}

static enum err
set_deleted(struct caps *caps, struct json_value value)
{
    struct deletion deletion = { .caps = caps };
    if (value.kind != JSON_ARRAY || json_scan_array(value, on_deleted, &deletion) != ERR_OK) {
        return ERR_BAD;
    }
    return deletion.is_bad ? ERR_BAD : ERR_OK;
}

static enum err
set_thinking(struct caps *caps, enum dialect dialect, struct str word)
{
    if (dialect == DIALECT_GEMINI) {
        caps->budget = str_equal(word, STR("budget"));
        return caps->budget || str_equal(word, STR("level")) ? ERR_OK : ERR_BAD;
    }
    static const char *const words[] = { "manual", "adaptive", "both", "none" };
    for (int i = CAPS_MANUAL; i <= CAPS_NO_THINKING; i++) {
        if (str_equal(word, str_of(words[i]))) {
            caps->thinking = (enum caps_thinking)i;
            return ERR_OK;
        }
    }
    return ERR_BAD;
}

/* "3", "2.5", 3, 2.5: ten times the version; the third family thinks in levels and signs. */
static enum err
set_family(struct caps *caps, struct json_value value)
{
    struct str text = value.kind == JSON_NUMBER ? value.raw : text_of(value);
    if (text.len == 0 || text.data[0] < '1' || text.data[0] > '9') {
        return ERR_BAD;
    }
    uint32_t family = (uint32_t)(text.data[0] - '0') * 10;
    if (text.len == 3 && text.data[1] == '.' && text.data[2] >= '0' && text.data[2] <= '9') {
        family += (uint32_t)(text.data[2] - '0');
    } else if (text.len != 1) {
        return ERR_BAD;
    }
    caps->family = family;
    bool is_third = family >= 30;
    caps->budget = !is_third;
    caps->sig_required = is_third;
    caps->mixed_tools = is_third;
    caps->json_with_tools = is_third;
    return ERR_OK;
}

static enum err
set_number(struct json_value value, uint64_t max, uint64_t *out)
{
    uint64_t number;
    if (json_u64(value, &number) != ERR_OK || number > max) {
        return ERR_BAD;
    }
    *out = number;
    return ERR_OK;
}

static enum err
set_other(struct caps *caps, enum dialect dialect, struct str name, struct json_value value)
{
    uint64_t number = 0;
    enum err err = ERR_BAD;
    if (str_equal(name, STR("effort"))) {
        err = set_efforts(caps, value);
    } else if (str_equal(name, STR("thinking"))) {
        err = set_thinking(caps, dialect, text_of(value));
    } else if (str_equal(name, STR("family"))) {
        err = set_family(caps, value);
    } else if (str_equal(name, STR("max_output"))) {
        err = set_number(value, UINT32_MAX, &caps->output_max);
    } else if (str_equal(name, STR("budget_min"))) {
        err = set_number(value, UINT32_MAX, &caps->budget_min);
    } else if (str_equal(name, STR("budget_max"))) {
        err = set_number(value, UINT32_MAX, &caps->budget_max);
    } else if (str_equal(name, STR("name_max"))) {
        err = set_number(value, 256, &number);
        err = number < 64 ? ERR_BAD : err; /* a name that is cut ends in a hash */
        caps->name_max = err == ERR_OK ? (uint32_t)number : caps->name_max;
    } else if (str_equal(name, STR("delete_fields"))) {
        err = set_deleted(caps, value);
    } else if (str_equal(name, STR("max_field"))) {
        caps->max_tokens = str_equal(text_of(value), STR("max_tokens"));
        err = caps->max_tokens || str_equal(text_of(value), STR("max_completion_tokens")) ? ERR_OK
                                                                                          : ERR_BAD;
    }
    return err;
}

enum err
caps_set(struct caps *caps, enum dialect dialect, struct str name, struct json_value value)
{
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (!str_equal(name, str_of(flags[i].name))) {
            continue;
        }
        bool is_on;
        if ((flags[i].dialects & DIALECT_BIT(dialect)) == 0 || json_bool(value, &is_on) != ERR_OK) {
            return ERR_BAD;
        }
        memcpy((char *)caps + flags[i].offset, &is_on, sizeof is_on);
        return ERR_OK;
    }
    return set_other(caps, dialect, name, value);
}

/*
 * caps.c - what an account can do: defaults and names (see caps.h).
 */
#include "proto/caps.h"

#include <stddef.h>
#include <string.h>

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

void
caps_family(struct caps *caps, uint32_t family)
{
    bool is_third = family >= 30;
    caps->family = family;
    caps->budget = !is_third;
    caps->sig_required = is_third;
    caps->mixed_tools = is_third;
    caps->json_with_tools = is_third;
}

/* "3", "2.5", 3, 2.5: ten times the version. */
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
    caps_family(caps, family);
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

/* --- by an account's list --- */

#define ITEM_BYTES_MAX 256u
#define JSON_BYTES (3u * ITEM_BYTES_MAX + 8u)

static bool
is_number(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c == '.' && i > 0))) {
            return false;
        }
    }
    return text.len > 0;
}

/* The value of an item as JSON, which caps_set() reads: "a+b" is a list, digits are a number. Each
 * byte becomes three at most. */
static bool
put_json(struct str text, bool is_list, char out[JSON_BYTES], struct json_value *value)
{
    struct str mark = is_list ? STR("[\"") : is_number(text) ? STR("") : STR("\"");
    struct str comma = STR("\",\"");
    struct str last = is_list ? STR("\"]") : mark;
    char *end = mempcpy(out, mark.data, mark.len);
    for (size_t i = 0; i < text.len; i++) {
        bool is_next = is_list && text.data[i] == '+';
        end = is_next ? mempcpy(end, comma.data, comma.len) : mempcpy(end, text.data + i, 1);
    }
    end = mempcpy(end, last.data, last.len);
    return json_read(str_make(out, (size_t)(end - out)), value, NULL) == ERR_OK;
}

static bool
set_item(struct caps *caps, enum dialect dialect, struct str item)
{
    char name[CAPS_FIELD_BYTES];
    char json[JSON_BYTES];
    struct json_value value;
    struct str right = item;
    struct str left = str_trim(str_cut(&right, '='));
    bool has_value = right.data != NULL;
    bool is_not = !has_value && left.len > 3 && str_starts(left, STR("no-"));
    left = is_not ? str_skip(left, 3) : left;
    if (item.len > ITEM_BYTES_MAX || !str_copy(name, sizeof name, left)) {
        return false;
    }
    for (char *at = name; *at != '\0'; at++) {
        *at = *at == '-' ? '_' : *at;
    }
    if (!has_value) {
        struct str word = is_not ? STR("false") : STR("true");
        return json_read(word, &value, NULL) == ERR_OK &&
               caps_set(caps, dialect, str_of(name), value) == ERR_OK;
    }
    bool is_list =
        str_equal(str_of(name), STR("effort")) || str_equal(str_of(name), STR("delete_fields"));
    return put_json(str_trim(right), is_list, json, &value) &&
           caps_set(caps, dialect, str_of(name), value) == ERR_OK;
}

static bool
next_item(struct str *list, struct str *out)
{
    while (list->len > 0) {
        *out = str_trim(str_cut(list, ','));
        if (out->len > 0) {
            return true;
        }
    }
    return false;
}

void
caps_apply(struct caps *caps, enum dialect dialect, struct str list)
{
    struct str item;
    while (next_item(&list, &item)) {
        struct caps changed = *caps;
        if (set_item(&changed, dialect, item)) {
            *caps = changed;
        }
    }
}

bool
caps_list_is_good(struct str list, struct str *out_bad)
{
    while (next_item(&list, out_bad)) {
        bool is_good = false;
        for (int dialect = 0; dialect < DIALECT_COUNT; dialect++) {
            struct caps caps;
            caps_default(&caps, (enum dialect)dialect);
            is_good = is_good || set_item(&caps, (enum dialect)dialect, *out_bad);
        }
        if (!is_good) {
            return false;
        }
    }
    return true;
}

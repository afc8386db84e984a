/*
 * lineage.c - what is known of a model by its name (see lineage.h).
 *
 * Versions count in tens: 4.6 is 46, 3 is 30. Later ones than those known here are taken to be like
 * the latest.
 */
#include "proto/lineage.h"

#include "base/check.h"

#define EFFORTS_COMMON (1u << HUB_EFFORT_LOW | 1u << HUB_EFFORT_MEDIUM | 1u << HUB_EFFORT_HIGH)

static bool
has(struct str text, struct str word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        if (str_equal(str_make(text.data + i, word.len), word)) {
            return true;
        }
    }
    return false;
}

/* The name without what relays and clouds put before it: "openai/", "models/", "us.anthropic.",
 * "ft:". */
static struct str
bare_name(struct str model)
{
    static const char *const clouds[] = { "anthropic.", "ft:" };
    for (size_t i = model.len; i > 0; i--) {
        if (model.data[i - 1] == '/') {
            return bare_name(str_skip(model, i));
        }
    }
    for (size_t i = 0; i < sizeof clouds / sizeof clouds[0]; i++) {
        struct str mark = str_of(clouds[i]);
        for (size_t at = 0; at + mark.len <= model.len; at++) {
            if (str_equal(str_make(model.data + at, mark.len), mark)) {
                return str_skip(model, at + mark.len);
            }
        }
    }
    return model;
}

static bool
is_digit(struct str text, size_t at)
{
    return at < text.len && text.data[at] >= '0' && text.data[at] <= '9';
}

/* "4.6", "4-6", "4", "4o" at the start of the text; 0 when there is none. A number of more digits
 * behind the first is a date. */
static uint32_t
version_at(struct str text)
{
    if (!is_digit(text, 0) || is_digit(text, 1)) {
        return 0;
    }
    uint32_t version = (uint32_t)(text.data[0] - '0') * 10;
    bool has_minor = text.len > 2 && (text.data[1] == '.' || text.data[1] == '-') &&
                     is_digit(text, 2) && !is_digit(text, 3);
    return has_minor ? version + (uint32_t)(text.data[2] - '0') : version;
}

/* --- OpenAI --- */

static uint32_t
openai_efforts(struct str name, uint32_t version)
{
    if (has(name, STR("codex"))) {
        return EFFORTS_COMMON | (version > 50 ? 1u << HUB_EFFORT_XHIGH : 0);
    }
    if (version == 50) {
        return EFFORTS_COMMON | 1u << HUB_EFFORT_MINIMAL;
    }
    if (version == 0) {
        return EFFORTS_COMMON; /* o1, o3, o4 */
    }
    return EFFORTS_COMMON | 1u << HUB_EFFORT_OFF | (version > 51 ? 1u << HUB_EFFORT_XHIGH : 0);
}

static void
apply_openai(struct caps *caps, enum dialect dialect, struct str name)
{
    bool is_gpt = str_starts(name, STR("gpt-")) && is_digit(name, 4);
    bool is_o = name.len > 1 && name.data[0] == 'o' && is_digit(name, 1);
    bool is_chatting = str_starts(name, STR("chatgpt-")) || (is_gpt && has(name, STR("-chat")));
    uint32_t version = is_gpt ? version_at(str_skip(name, 4)) : 0;
    if (!is_gpt && !is_o && !is_chatting && !str_starts(name, STR("codex-"))) {
        if (dialect == DIALECT_CHAT) {
            /* A compatible provider: what all of them know. */
            caps->max_tokens = true;
            caps->custom_tools = false;
            caps->safety_identifier = false;
        }
        return;
    }
    caps->reasoning_model = !is_chatting && (!is_gpt || version >= 50);
    caps->custom_tools = caps->reasoning_model && is_gpt;
    caps->efforts = caps->reasoning_model ? openai_efforts(name, version) : 0;
    caps->summary = caps->reasoning_model;
}

/* --- Anthropic --- */

/* "claude-sonnet-4-5-20250929", and the older "claude-3-5-sonnet-20241022". */
static uint32_t
claude_version(struct str name)
{
    struct str rest = str_skip(name, sizeof "claude-" - 1);
    uint32_t version = version_at(rest);
    for (size_t i = 1; i < rest.len && version == 0; i++) {
        if (rest.data[i - 1] == '-') {
            version = version_at(str_skip(rest, i));
        }
    }
    return version;
}

static uint64_t
claude_output(struct str name, uint32_t version)
{
    if (version < 37) {
        return version < 35 ? 4096 : 8192;
    }
    if (version < 45 && has(name, STR("opus"))) {
        return 32000;
    }
    return version < 46 ? 64000 : 128000;
}

static void
apply_anthropic(struct caps *caps, struct str name)
{
    if (!str_starts(name, STR("claude-"))) {
        return;
    }
    uint32_t version = claude_version(name);
    if (version == 0) {
        return;
    }
    caps->output_max = claude_output(name, version);
    caps->thinking = version < 37   ? CAPS_NO_THINKING
                     : version < 46 ? CAPS_MANUAL
                     : version < 47 ? CAPS_BOTH
                                    : CAPS_ADAPTIVE;
    caps->structured = version >= 45 || (version == 41 && has(name, STR("opus")));
    caps->one_sampler = version >= 41;
    caps->no_sampling = version > 46;
    caps->prefill = version < 46;
    if (version >= 46) {
        caps->efforts =
            EFFORTS_COMMON | 1u << HUB_EFFORT_MAX | (version > 46 ? 1u << HUB_EFFORT_XHIGH : 0);
    }
}

/* --- Google --- */

static void
apply_gemini(struct caps *caps, struct str name)
{
    if (str_starts(name, STR("gemma-"))) {
        caps->system_instruction = false;
        return;
    }
    bool is_flash = has(name, STR("flash"));
    uint32_t version = str_starts(name, STR("gemini-")) ? version_at(str_skip(name, 7)) : 0;
    if (version == 0) {
        return;
    }
    caps_family(caps, version);
    caps->level_minimal = version >= 30 && is_flash;
    caps->fr_media = version >= 30;
    caps->thinking = version < 25 ? CAPS_NO_THINKING : caps->thinking;
    if (!is_flash) {
        caps->budget_max = 32768;
        caps->budget_zero = false;
    } else if (has(name, STR("lite"))) {
        caps->budget_min = 512;
    }
}

void
lineage_apply(struct caps *caps, enum dialect dialect, struct str model)
{
    struct str name = bare_name(model);
    switch (dialect) {
    case DIALECT_CHAT:
    case DIALECT_RESPONSES:
        apply_openai(caps, dialect, name);
        return;
    case DIALECT_ANTHROPIC:
        apply_anthropic(caps, name);
        return;
    case DIALECT_GEMINI:
        apply_gemini(caps, name);
        return;
    case DIALECT_COUNT:
        break;
    }
    CHECK(false);
}

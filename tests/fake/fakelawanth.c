/* fakelawanth.c - what Messages takes (fakelaw.h). */
#include "tests/fake/fakelaw.h"

#include "tests/fake/fakereply.h"

#include <string.h>

#define TOOL_NAME_BYTES 128u
#define CALL_ID_BYTES 128u
#define CACHE_MARKS_MAX 4u

/* What one message has shown so far. */
struct turn {
    bool is_assistant;
    bool has_other;   /* something else than a result: no result may follow */
    bool thinks;      /* it begins with thinking */
    uint64_t results; /* of tools */
    uint64_t blocks;
};

static bool judge_block(struct fakelaw *law, struct fakespan block, struct turn *turn);

static bool
judge_source(struct fakelaw *law, struct fakespan source)
{
    struct fakespan type = fakejson_get(source, "type");
    if (fakejson_is(type, "base64")) {
        static const char *const members[] = { "type", "media_type", "data", NULL };
        return fakelaw_members(law, source, members) &&
               fakelaw_image(law, fakejson_get(source, "media_type"), fakejson_get(source, "data"));
    }
    if (fakejson_is(type, "url")) {
        return fakelaw_image_url(law, fakejson_get(source, "url"));
    }
    return fakejson_is(type, "file") || fakelaw_fail(law, "an image has a source");
}

static bool
judge_text(struct fakelaw *law, struct fakespan block)
{
    static const char *const members[] = { "type", "text", "citations", "cache_control", NULL };
    return fakelaw_members(law, block, members) &&
           (!fakelaw_is_empty_text(fakejson_get(block, "text")) ||
            fakelaw_fail(law, "text content blocks must be non-empty"));
}

static bool
judge_thinking(struct fakelaw *law, struct fakespan block, struct turn *turn)
{
    static const char *const members[] = { "type", "thinking", "signature", "data", NULL };
    struct fakespan type = fakejson_get(block, "type");
    struct fakespan secret =
        fakejson_get(block, fakejson_is(type, "thinking") ? "signature" : "data");
    if (!turn->is_assistant || !fakelaw_members(law, block, members)) {
        return fakelaw_fail(law, "thinking belongs to the assistant");
    }
    turn->thinks = turn->thinks || turn->blocks == 0;
    return fakejson_is(secret, FAKEREPLY_SIGNATURE) ||
           fakelaw_fail(law, "Invalid `signature` in `thinking` block");
}

static bool
judge_call(struct fakelaw *law, struct fakespan block, const struct turn *turn)
{
    static const char *const members[] = { "type",          "id", "name", "input", "caller",
                                           "cache_control", NULL };
    struct fakespan id = fakejson_get(block, "id");
    return (turn->is_assistant || fakelaw_fail(law, "tool_use belongs to the assistant")) &&
           fakelaw_members(law, block, members) && fakelaw_name(law, id, CALL_ID_BYTES, "") &&
           fakelaw_name(law, fakejson_get(block, "name"), TOOL_NAME_BYTES, "") &&
           (fakejson_is_object(fakejson_get(block, "input")) ||
            fakelaw_fail(law, "tool_use.input: Input should be a valid dictionary")) &&
           fakelaw_call(law, id);
}

static bool
judge_result(struct fakelaw *law, struct fakespan block, struct turn *turn)
{
    static const char *const members[] = { "type",     "tool_use_id",   "content",
                                           "is_error", "cache_control", NULL };
    struct fakejson walk = fakejson_walk(fakejson_get(block, "content"));
    struct fakespan key;
    struct fakespan part;
    struct turn inner = { 0 };
    if (turn->is_assistant || turn->has_other) {
        return fakelaw_fail(law, "tool_result blocks come first in the user's message");
    }
    turn->results++;
    if (!fakelaw_members(law, block, members) ||
        !fakelaw_result(law, fakejson_get(block, "tool_use_id"))) {
        return false;
    }
    while (walk.open == '[' && fakejson_next(&walk, &key, &part)) {
        if (!judge_block(law, part, &inner)) {
            return false;
        }
    }
    return true;
}

static bool
judge_block(struct fakelaw *law, struct fakespan block, struct turn *turn)
{
    static const char *const others[] = {
        "document",         "search_result",  "server_tool_use",         "web_search_tool_result",
        "container_upload", "tool_reference", "tool_search_tool_result", NULL
    };
    struct fakespan type = fakejson_get(block, "type");
    bool is_result = fakejson_is(type, "tool_result");
    bool ok;
    if (is_result) {
        ok = judge_result(law, block, turn);
    } else if (fakejson_is(type, "text")) {
        ok = judge_text(law, block);
    } else if (fakejson_is(type, "image")) {
        ok = judge_source(law, fakejson_get(block, "source"));
    } else if (fakejson_is(type, "tool_use")) {
        ok = judge_call(law, block, turn);
    } else if (fakejson_is(type, "thinking") || fakejson_is(type, "redacted_thinking")) {
        ok = judge_thinking(law, block, turn);
    } else {
        ok = type.n > 0 && fakelaw_one_of(law, type, others);
    }
    turn->has_other = turn->has_other || !is_result;
    turn->blocks++;
    return ok;
}

static bool
judge_content(struct fakelaw *law, struct fakespan content, struct turn *turn)
{
    struct fakejson walk = fakejson_walk(content);
    struct fakespan key;
    struct fakespan block;
    if (fakejson_is_string(content)) {
        turn->blocks = content.n > 2 ? 1 : 0;
    }
    while (walk.open == '[' && fakejson_next(&walk, &key, &block)) {
        size_t up = fakelaw_down(law, "content", 0);
        (void)fakelaw_down(law, NULL, turn->blocks);
        if (!judge_block(law, block, turn)) {
            return fakelaw_fail(law, "malformed block");
        }
        fakelaw_up(law, up);
    }
    return turn->blocks > 0 || turn->is_assistant ||
           fakelaw_fail(law, "user messages must have non-empty content");
}

/* All calls of the message before are answered in this one. */
static bool
judge_message(struct fakelaw *law, struct fakespan message, struct turn *turn)
{
    static const char *const members[] = { "role", "content", "output_config", NULL };
    struct fakespan role = fakejson_get(message, "role");
    bool waits = law->open_count > 0;
    *turn = (struct turn){ .is_assistant = fakejson_is(role, "assistant") };
    if (!fakelaw_members(law, message, members)) {
        return false;
    }
    if (fakejson_is(role, "system") && law->is_beta) {
        return true; /* newer models, told by a beta */
    }
    if (!turn->is_assistant && !fakejson_is(role, "user")) {
        return fakelaw_fail(law, "unexpected role %.*s", (int)role.n, role.p);
    }
    if (waits && turn->is_assistant) {
        return fakelaw_all_answered(law);
    }
    return judge_content(law, fakejson_get(message, "content"), turn) &&
           (!waits || fakelaw_all_answered(law));
}

/* In a loop of tools what was thought comes back: the last of its answers begins with it. (With a
 * beta the model may think between its calls only.) */
static bool
judge_messages(struct fakelaw *law, struct fakespan messages, bool thinks)
{
    struct fakejson walk = fakejson_walk(messages);
    struct fakespan key;
    struct fakespan message;
    struct turn turn = { 0 };
    bool last_thinks = false;
    for (uint64_t i = 0; fakejson_next(&walk, &key, &message); i++) {
        size_t top = fakelaw_down(law, "messages", 0);
        (void)fakelaw_down(law, NULL, i);
        if (!judge_message(law, message, &turn)) {
            return false;
        }
        if (i == 0 && turn.is_assistant) {
            return fakelaw_fail(law, "first message must use the \"user\" role");
        }
        last_thinks = turn.is_assistant ? turn.thinks : last_thinks;
        fakelaw_up(law, top);
    }
    if (thinks && turn.results > 0 && !last_thinks && !law->is_beta) {
        return fakelaw_fail(law, "Expected `thinking`, but found `tool_use`");
    }
    if (thinks && turn.is_assistant) {
        return fakelaw_fail(law, "thinking forbids a prefilled answer");
    }
    return fakelaw_all_answered(law);
}

static bool
judge_tools(struct fakelaw *law, struct fakespan tools)
{
    static const char *const banned[] = { "anyOf", "oneOf", "allOf" };
    struct fakejson walk = fakejson_walk(tools);
    struct fakespan key;
    struct fakespan tool;
    size_t top = fakelaw_down(law, "tools", 0);
    for (uint64_t i = 0; fakejson_next(&walk, &key, &tool); i++) {
        size_t up = fakelaw_down(law, NULL, i);
        struct fakespan type = fakejson_get(tool, "type");
        struct fakespan schema = fakejson_get(tool, "input_schema");
        struct fakespan seen[3];
        law->has_tools = true;
        if (type.n > 0 && !fakejson_is(type, "custom")) {
            fakelaw_up(law, up);
            continue;
        }
        if (!fakelaw_name(law, fakejson_get(tool, "name"), TOOL_NAME_BYTES, "") ||
            !fakelaw_object_schema(law, schema) || !fakejson_pick(schema, banned, 3, seen)) {
            return false;
        }
        if (seen[0].n + seen[1].n + seen[2].n > 0) {
            return fakelaw_fail(law, "input_schema has anyOf, oneOf or allOf at its top");
        }
        fakelaw_up(law, up);
    }
    fakelaw_up(law, top);
    return true;
}

static bool
judge_thinking_options(struct fakelaw *law, struct fakespan body, struct fakespan thinking)
{
    struct fakespan temperature = fakejson_get(body, "temperature");
    struct fakespan choice = fakejson_get(fakejson_get(body, "tool_choice"), "type");
    uint64_t budget = fakejson_number(fakejson_get(thinking, "budget_tokens"), 0);
    uint64_t limit = fakejson_number(fakejson_get(body, "max_tokens"), 0);
    if (budget < 1024 || budget >= limit) {
        return fakelaw_fail(law, "thinking.budget_tokens should be 1024 and less than max_tokens");
    }
    if (temperature.n > 0 && fakejson_number(temperature, 0) != 1) {
        return fakelaw_fail(law, "`temperature` may only be set to 1 when thinking is enabled");
    }
    if (fakejson_is(choice, "any") || fakejson_is(choice, "tool")) {
        return fakelaw_fail(law, "Thinking may not be enabled when tool_choice forces tool use");
    }
    return fakejson_get(body, "top_k").n == 0 || fakelaw_fail(law, "top_k with thinking");
}

static uint64_t
count_marks(struct fakespan text)
{
    static const char mark[] = "\"cache_control\":";
    uint64_t count = 0;
    const char *end = text.p + text.n;
    const char *at = text.p;
    while ((at = memmem(at, (size_t)(end - at), mark, sizeof(mark) - 1)) != NULL) {
        count++;
        at += sizeof(mark) - 1;
    }
    return count;
}

static bool
judge_options(struct fakelaw *law, struct fakespan body)
{
    static const char *const keys[] = { "temperature", "top_p", "tool_choice", "service_tier" };
    static const char *const choices[] = { "auto", "any", "tool", "none", NULL };
    static const char *const tiers[] = { "auto", "standard_only", NULL };
    struct fakespan seen[4];
    (void)fakejson_pick(body, keys, 4, seen);
    if (seen[2].n > 0 && (!law->has_tools || !fakejson_is_object(seen[2]))) {
        return fakelaw_fail(law, "tool_choice is an object, and needs tools");
    }
    if (count_marks(body) > CACHE_MARKS_MAX) {
        return fakelaw_fail(law, "a maximum of 4 blocks with cache_control may be provided");
    }
    return fakelaw_number(law, seen[0], 0, 1) && fakelaw_number(law, seen[1], 0, 1) &&
           fakelaw_one_of(law, fakejson_get(seen[2], "type"), choices) &&
           fakelaw_one_of(law, seen[3], tiers);
}

static bool
judge_system(struct fakelaw *law, struct fakespan system)
{
    struct fakejson walk = fakejson_walk(system);
    struct fakespan key;
    struct fakespan block;
    size_t up = fakelaw_down(law, "system", 0);
    while (walk.open == '[' && fakejson_next(&walk, &key, &block)) {
        if (!fakejson_is(fakejson_get(block, "type"), "text") || !judge_text(law, block)) {
            return fakelaw_fail(law, "only text is allowed here");
        }
    }
    fakelaw_up(law, up);
    return true;
}

/* What only some models take: older ones do not think, newer ones think as they like. */
static bool
judge_model(struct fakelaw *law, struct fakespan body)
{
    static const char *const old[] = { "claude-3-haiku", "claude-3-5", NULL };
    static const char *const one_sampler[] = { "claude-sonnet-4-5", "claude-haiku-4-5",
                                               "claude-opus-4-1", "claude-opus-4-5", NULL };
    static const char *const newest[] = { "claude-opus-4-8", "claude-sonnet-5", NULL };
    static const char *const sampling[] = { "temperature", "top_p", "top_k", NULL };
    struct fakespan thinking = fakejson_path(body, "thinking.type");
    uint64_t limit = fakejson_number(fakejson_get(body, "max_tokens"), 0);
    if (fakelaw_is_model(law, old)) {
        return (thinking.n == 0 && limit <= 8192) ||
               fakelaw_fail(law, "no thinking, and at most 8192 tokens, with this model");
    }
    if (fakelaw_is_model(law, one_sampler) && fakejson_get(body, "temperature").n > 0 &&
        fakejson_get(body, "top_p").n > 0) {
        return fakelaw_fail(law, "`temperature` and `top_p` cannot both be specified");
    }
    if (!fakelaw_is_model(law, newest)) {
        return true;
    }
    return fakelaw_without(law, body, sampling) &&
           (!fakejson_is(thinking, "enabled") ||
            fakelaw_fail(law, "thinking.type.enabled is not supported for this model"));
}

bool
fakelawanth_judge(struct fakelaw *law, struct fakespan body)
{
    static const char *const members[] = { "model",
                                           "messages",
                                           "max_tokens",
                                           "system",
                                           "tools",
                                           "tool_choice",
                                           "temperature",
                                           "top_p",
                                           "top_k",
                                           "stop_sequences",
                                           "thinking",
                                           "output_config",
                                           "cache_control",
                                           "metadata",
                                           "service_tier",
                                           "speed",
                                           "inference_geo",
                                           "container",
                                           "context_management",
                                           "mcp_servers",
                                           "stream",
                                           "safeguards",
                                           NULL };
    struct fakespan thinking = fakejson_get(body, "thinking");
    bool thinks = fakejson_is(fakejson_get(thinking, "type"), "enabled");
    return (law->is_beta || fakelaw_members(law, body, members)) &&
           fakelaw_number(law, fakejson_get(body, "max_tokens"), 0, 1e9) &&
           judge_system(law, fakejson_get(body, "system")) &&
           judge_tools(law, fakejson_get(body, "tools")) && judge_options(law, body) &&
           judge_model(law, body) && (!thinks || judge_thinking_options(law, body, thinking)) &&
           judge_messages(law, fakejson_get(body, "messages"), thinks);
}

/* fakelawchat.c - what Chat Completions takes (fakelaw.h). */
#include "tests/fake/fakelaw.h"

#include <string.h>

#define TOOL_NAME_BYTES 64u
#define CALL_ID_BYTES 40u

static bool
judge_part(struct fakelaw *law, struct fakespan part, bool is_user)
{
    static const char *const keys[] = { "type",    "text",        "image_url",
                                        "refusal", "input_audio", "file" };
    struct fakespan seen[6];
    if (!fakejson_is_object(part) || !fakejson_pick(part, keys, 6, seen)) {
        return fakelaw_fail(law, "a part should be an object");
    }
    if (fakejson_is(seen[0], "text")) {
        return fakejson_is_string(seen[1]) || fakelaw_fail(law, "a text part has a text");
    }
    if (!is_user) {
        return fakejson_is(seen[0], "refusal") || fakelaw_fail(law, "only text is allowed here");
    }
    if (fakejson_is(seen[0], "image_url")) {
        static const char *const members[] = { "url", "detail", NULL };
        return fakelaw_members(law, seen[2], members) &&
               fakelaw_image_url(law, fakejson_get(seen[2], "url"));
    }
    return (fakejson_is(seen[0], "input_audio") && fakejson_is_object(seen[4])) ||
           (fakejson_is(seen[0], "file") && fakejson_is_object(seen[5])) ||
           fakelaw_fail(law, "invalid type %.*s", (int)seen[0].n, seen[0].p);
}

static bool
judge_content(struct fakelaw *law, struct fakespan content, bool is_user)
{
    if (fakejson_is_string(content)) {
        return true;
    }
    struct fakejson walk = fakejson_walk(content);
    struct fakespan key;
    struct fakespan part;
    uint64_t count = 0;
    if (walk.open != '[') {
        return fakelaw_fail(law, "content should be a string or an array");
    }
    for (; fakejson_next(&walk, &key, &part); count++) {
        size_t up = fakelaw_down(law, NULL, count);
        if (!judge_part(law, part, is_user)) {
            return false;
        }
        fakelaw_up(law, up);
    }
    return count > 0 || fakelaw_fail(law, "content should not be empty");
}

static bool
judge_call(struct fakelaw *law, struct fakespan call)
{
    static const char *const keys[] = { "id", "type", "function", "custom" };
    struct fakespan seen[4];
    struct fakespan name;
    (void)fakejson_pick(call, keys, 4, seen);
    if (fakejson_is(seen[1], "custom")) {
        name = fakejson_get(seen[3], "name");
    } else if (fakejson_is(seen[1], "function")) {
        name = fakejson_get(seen[2], "name");
        if (!fakelaw_arguments(law, fakejson_get(seen[2], "arguments"))) {
            return false;
        }
    } else {
        return fakelaw_fail(law, "a call is a function or custom");
    }
    if (!fakejson_is_string(seen[0]) || seen[0].n == 2 || seen[0].n - 2 > CALL_ID_BYTES) {
        return fakelaw_fail(law, "a call's id has 1 to 40 bytes");
    }
    return fakelaw_name(law, name, TOOL_NAME_BYTES, "") && fakelaw_call(law, seen[0]);
}

static bool
judge_assistant(struct fakelaw *law, struct fakespan content, struct fakespan calls)
{
    struct fakejson walk = fakejson_walk(calls);
    struct fakespan key;
    struct fakespan call;
    uint64_t count = 0;
    while (walk.open == '[' && fakejson_next(&walk, &key, &call)) {
        count++;
        if (!judge_call(law, call)) {
            return false;
        }
    }
    if (calls.n > 0 && count == 0) {
        return fakelaw_fail(law, "tool_calls should not be empty");
    }
    if (content.n == 0 || fakebuf_equals(content, "null")) {
        return count > 0 || fakelaw_fail(law, "content or tool_calls must be provided");
    }
    return judge_content(law, content, false);
}

static bool
judge_message(struct fakelaw *law, struct fakespan message)
{
    static const char *const members[] = { "role",         "content",
                                           "name",         "tool_calls",
                                           "tool_call_id", "refusal",
                                           "audio",        "function_call",
                                           "annotations",  "reasoning_content",
                                           "reasoning",    "reasoning_details",
                                           "parsed",       NULL };
    static const char *const keys[] = { "role", "content", "tool_calls", "tool_call_id",
                                        "function_call" };
    struct fakespan seen[5];
    if (!fakelaw_members(law, message, members) || !fakejson_pick(message, keys, 5, seen)) {
        return false;
    }
    if (fakejson_is(seen[0], "tool")) {
        return fakelaw_result(law, seen[3]) && judge_content(law, seen[1], false);
    }
    if (!fakelaw_all_answered(law)) {
        return false;
    }
    if (fakejson_is(seen[0], "assistant")) {
        return seen[4].n > 0 || judge_assistant(law, seen[1], seen[2]);
    }
    bool is_user = fakejson_is(seen[0], "user");
    bool is_known = is_user || fakejson_is(seen[0], "system") ||
                    fakejson_is(seen[0], "developer") || fakejson_is(seen[0], "function");
    return is_known ? judge_content(law, seen[1], is_user)
                    : fakelaw_fail(law, "invalid role %.*s", (int)seen[0].n, seen[0].p);
}

static bool
judge_messages(struct fakelaw *law, struct fakespan messages)
{
    struct fakejson walk = fakejson_walk(messages);
    struct fakespan key;
    struct fakespan message;
    for (uint64_t i = 0; fakejson_next(&walk, &key, &message); i++) {
        size_t top = fakelaw_down(law, "messages", 0);
        (void)fakelaw_down(law, NULL, i);
        if (!judge_message(law, message)) {
            return false;
        }
        fakelaw_up(law, top);
    }
    return fakelaw_all_answered(law);
}

static bool
judge_tools(struct fakelaw *law, struct fakespan tools)
{
    struct fakejson walk = fakejson_walk(tools);
    struct fakespan key;
    struct fakespan tool;
    size_t top = fakelaw_down(law, "tools", 0);
    for (uint64_t i = 0; fakejson_next(&walk, &key, &tool); i++) {
        static const char *const members[] = { "type", "function", "custom", NULL };
        static const char *const inner[] = { "name", "description", "parameters", "strict", NULL };
        size_t up = fakelaw_down(law, NULL, i);
        struct fakespan function = fakejson_get(tool, "function");
        struct fakespan parameters = fakejson_get(function, "parameters");
        if (!fakelaw_members(law, tool, members)) {
            return false;
        }
        if (fakejson_is(fakejson_get(tool, "type"), "custom")) {
            function = fakejson_get(tool, "custom");
        } else if (!fakejson_is(fakejson_get(tool, "type"), "function") ||
                   !fakelaw_members(law, function, inner) ||
                   (parameters.n > 0 && !fakelaw_object_schema(law, parameters))) {
            return fakelaw_fail(law, "not a tool");
        }
        if (!fakelaw_name(law, fakejson_get(function, "name"), TOOL_NAME_BYTES, "")) {
            return false;
        }
        law->has_tools = true;
        fakelaw_up(law, up);
    }
    fakelaw_up(law, top);
    return tools.n == 0 || law->has_tools || fakelaw_fail(law, "tools should not be empty");
}

static bool
judge_options(struct fakelaw *law, struct fakespan body)
{
    static const char *const keys[] = {
        "tool_choice",           "parallel_tool_calls", "stream_options", "max_tokens",
        "max_completion_tokens", "temperature",         "top_p",          "stop",
        "reasoning_effort"
    };
    static const char *const efforts[] = { "none", "minimal", "low", "medium",
                                           "high", "xhigh",   "max", NULL };
    struct fakespan seen[9];
    (void)fakejson_pick(body, keys, 9, seen);
    struct fakejson stops = fakejson_walk(seen[7]);
    struct fakespan key;
    struct fakespan stop;
    uint64_t stop_count = 0;
    while (stops.open == '[' && fakejson_next(&stops, &key, &stop)) {
        stop_count++;
    }
    if (!law->has_tools && (seen[0].n > 0 || seen[1].n > 0)) {
        return fakelaw_fail(law, "tool_choice and parallel_tool_calls need tools");
    }
    if (seen[2].n > 0 && !law->ask->stream) {
        return fakelaw_fail(law, "stream_options is only allowed in streams");
    }
    if (seen[3].n > 0 && seen[4].n > 0) {
        return fakelaw_fail(law, "max_tokens and max_completion_tokens together");
    }
    return (stop_count <= 4 || fakelaw_fail(law, "more than 4 stop sequences")) &&
           fakelaw_number(law, seen[3], 1, 1e9) && fakelaw_number(law, seen[4], 1, 1e9) &&
           fakelaw_number(law, seen[5], 0, 2) && fakelaw_number(law, seen[6], 0, 1) &&
           fakelaw_one_of(law, seen[8], efforts);
}

/* What only some models take. "llama" stands for all of compatible providers. */
static bool
judge_model(struct fakelaw *law, struct fakespan body)
{
    static const char *const reasoning[] = { "gpt-5", "o3", "o4", NULL };
    static const char *const not_reasoning[] = { "gpt-4", "gpt-3", NULL };
    static const char *const compatible[] = { "llama", NULL };
    static const char *const sampling[] = {
        "temperature", "top_p", "stop", "frequency_penalty", "presence_penalty", "max_tokens", NULL
    };
    static const char *const efforts[] = { "reasoning_effort", NULL };
    static const char *const newer[] = { "max_completion_tokens", "safety_identifier", "verbosity",
                                         NULL };
    struct fakespan tools = fakejson_get(body, "tools");
    bool has_custom = fakebuf_contains(tools, "\"custom\":");
    if (fakelaw_is_model(law, reasoning)) {
        return fakelaw_without(law, body, sampling);
    }
    if (has_custom && (fakelaw_is_model(law, not_reasoning) || fakelaw_is_model(law, compatible))) {
        return fakelaw_fail(law, "custom tools are not supported with this model");
    }
    return fakelaw_is_model(law, not_reasoning) ? fakelaw_without(law, body, efforts)
           : fakelaw_is_model(law, compatible)  ? fakelaw_without(law, body, newer)
                                                : true;
}

bool
fakelawchat_judge(struct fakelaw *law, struct fakespan body)
{
    static const char *const members[] = { "model",
                                           "messages",
                                           "tools",
                                           "tool_choice",
                                           "parallel_tool_calls",
                                           "functions",
                                           "function_call",
                                           "max_completion_tokens",
                                           "max_tokens",
                                           "temperature",
                                           "top_p",
                                           "n",
                                           "stop",
                                           "seed",
                                           "frequency_penalty",
                                           "presence_penalty",
                                           "logit_bias",
                                           "logprobs",
                                           "top_logprobs",
                                           "modalities",
                                           "audio",
                                           "prediction",
                                           "verbosity",
                                           "web_search_options",
                                           "moderation",
                                           "reasoning_effort",
                                           "response_format",
                                           "metadata",
                                           "user",
                                           "safety_identifier",
                                           "prompt_cache_key",
                                           "prompt_cache_options",
                                           "prompt_cache_retention",
                                           "service_tier",
                                           "store",
                                           "stream",
                                           "stream_options",
                                           NULL };
    return fakelaw_members(law, body, members) && judge_tools(law, fakejson_get(body, "tools")) &&
           judge_options(law, body) && judge_model(law, body) &&
           judge_messages(law, fakejson_get(body, "messages"));
}

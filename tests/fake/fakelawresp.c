/* fakelawresp.c - what Responses takes (fakelaw.h). */
#include "tests/fake/fakelaw.h"

#include "tests/fake/fakereply.h"

#include <string.h>

#define TOOL_NAME_BYTES 128u
#define CALL_ID_BYTES 64u
/* Codex puts it on items when it believes to speak to OpenAI itself. */
#define CODEX_NOTE "internal_chat_message_metadata_passthrough"

static bool
judge_part(struct fakelaw *law, struct fakespan part, bool is_assistant)
{
    static const char *const keys[] = { "type", "text", "image_url", "refusal", "file_id" };
    static const char *const image_members[] = {
        "type", "image_url", "file_id", "detail", "prompt_cache_breakpoint", NULL
    };
    struct fakespan seen[5];
    if (!fakejson_is_object(part) || !fakejson_pick(part, keys, 5, seen)) {
        return fakelaw_fail(law, "a part should be an object");
    }
    bool is_text = fakejson_is(seen[0], is_assistant ? "output_text" : "input_text");
    if (is_text) {
        return fakejson_is_string(seen[1]) || fakelaw_fail(law, "a text part has a text");
    }
    if (is_assistant && fakejson_is(seen[0], "refusal")) {
        return fakejson_is_string(seen[3]) || fakelaw_fail(law, "a refusal has a text");
    }
    if (!is_assistant && fakejson_is(seen[0], "input_image")) {
        return fakelaw_members(law, part, image_members) &&
               (seen[4].n > 0 || fakelaw_image_url(law, seen[2]));
    }
    return (!is_assistant && fakejson_is(seen[0], "input_file")) ||
           fakelaw_fail(law, "invalid type %.*s", (int)seen[0].n, seen[0].p);
}

static bool
judge_content(struct fakelaw *law, struct fakespan content, bool is_assistant)
{
    if (fakejson_is_string(content)) {
        return true;
    }
    struct fakejson walk = fakejson_walk(content);
    struct fakespan key;
    struct fakespan part;
    if (walk.open != '[') {
        return fakelaw_fail(law, "content should be a string or an array");
    }
    for (uint64_t i = 0; fakejson_next(&walk, &key, &part); i++) {
        size_t up = fakelaw_down(law, NULL, i);
        if (!judge_part(law, part, is_assistant)) {
            return false;
        }
        fakelaw_up(law, up);
    }
    return true;
}

static bool
starts(struct fakespan value, const char *text)
{
    size_t n = strlen(text);
    return fakejson_is_string(value) && value.n > n + 1 && memcmp(value.p + 1, text, n) == 0;
}

static bool
judge_message(struct fakelaw *law, struct fakespan item)
{
    static const char *const members[] = { "type",   "role",  "content",  "id",
                                           "status", "phase", CODEX_NOTE, NULL };
    static const char *const roles[] = { "user", "assistant", "system", "developer", NULL };
    struct fakespan role = fakejson_get(item, "role");
    struct fakespan id = fakejson_get(item, "id");
    if (!fakelaw_members(law, item, members) || !fakelaw_one_of(law, role, roles)) {
        return false;
    }
    if (role.n == 0 || (id.n > 0 && !starts(id, "msg"))) {
        return fakelaw_fail(law, "a message has a role, and an id that begins with 'msg' or none");
    }
    return judge_content(law, fakejson_get(item, "content"), fakejson_is(role, "assistant"));
}

static bool
judge_call(struct fakelaw *law, struct fakespan item, bool is_custom)
{
    static const char *const keys[] = { "call_id", "name", "arguments", "input", "id" };
    struct fakespan seen[5];
    (void)fakejson_pick(item, keys, 5, seen);
    if (!fakejson_is_string(seen[0]) || seen[0].n == 2 || seen[0].n - 2 > CALL_ID_BYTES) {
        return fakelaw_fail(law, "a call_id has 1 to 64 bytes");
    }
    if (seen[4].n > 0 && !starts(seen[4], is_custom ? "ctc" : "fc")) {
        return fakelaw_fail(law, "invalid id %.*s", (int)seen[4].n, seen[4].p);
    }
    if (is_custom ? !fakejson_is_string(seen[3]) : !fakelaw_arguments(law, seen[2])) {
        return fakelaw_fail(law, "a call has its input");
    }
    return fakelaw_name(law, seen[1], TOOL_NAME_BYTES, "") && fakelaw_call(law, seen[0]);
}

static bool
judge_result(struct fakelaw *law, struct fakespan item)
{
    static const char *const members[] = { "type",   "call_id",  "output", "id",
                                           "status", CODEX_NOTE, NULL };
    return fakelaw_members(law, item, members) &&
           fakelaw_result(law, fakejson_get(item, "call_id")) &&
           judge_content(law, fakejson_get(item, "output"), false);
}

/* What it never made cannot be read: the text is encrypted, and bound to the item. */
static bool
judge_reasoning(struct fakelaw *law, struct fakespan item)
{
    static const char *const members[] = { "type",   "id",      "summary",  "encrypted_content",
                                           "status", "content", CODEX_NOTE, NULL };
    struct fakespan secret = fakejson_get(item, "encrypted_content");
    struct fakespan id = fakejson_get(item, "id");
    if (!fakelaw_members(law, item, members)) {
        return false;
    }
    if (!fakejson_is_array(fakejson_get(item, "summary")) || (id.n > 0 && !starts(id, "rs_"))) {
        return fakelaw_fail(law, "a reasoning item has a summary and an id that begins with 'rs_'");
    }
    return fakejson_is(secret, FAKEREPLY_SIGNATURE) ||
           fakelaw_fail(law, "the encrypted content could not be verified");
}

static bool
judge_item(struct fakelaw *law, struct fakespan item)
{
    struct fakespan type = fakejson_get(item, "type");
    if (type.n == 0 || fakejson_is(type, "message")) {
        return judge_message(law, item);
    }
    if (fakejson_is(type, "function_call") || fakejson_is(type, "custom_tool_call")) {
        return judge_call(law, item, fakejson_is(type, "custom_tool_call"));
    }
    if (fakejson_is(type, "function_call_output") || fakejson_is(type, "custom_tool_call_output")) {
        return judge_result(law, item);
    }
    if (fakejson_is(type, "reasoning")) {
        return judge_reasoning(law, item);
    }
    static const char *const others[] = {
        "item_reference",        "compaction",       "compaction_trigger",
        "web_search_call",       "file_search_call", "computer_call",
        "local_shell_call",      "shell_call",       "image_generation_call",
        "tool_search_call",      "additional_tools", "mcp_call",
        "code_interpreter_call", "apply_patch_call", NULL
    };
    return fakelaw_one_of(law, type, others);
}

static bool
judge_input(struct fakelaw *law, struct fakespan input)
{
    struct fakejson walk = fakejson_walk(input);
    struct fakespan key;
    struct fakespan item;
    for (uint64_t i = 0; walk.open == '[' && fakejson_next(&walk, &key, &item); i++) {
        size_t top = fakelaw_down(law, "input", 0);
        (void)fakelaw_down(law, NULL, i);
        if (!judge_item(law, item)) {
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
        static const char *const members[] = { "type",          "name",   "description",
                                               "parameters",    "strict", "defer_loading",
                                               "output_schema", NULL };
        size_t up = fakelaw_down(law, NULL, i);
        struct fakespan type = fakejson_get(tool, "type");
        struct fakespan name = fakejson_get(tool, "name");
        law->has_tools = true;
        if (!fakejson_is_string(type)) {
            return fakelaw_fail(law, "a tool has a type");
        }
        if (fakejson_is(type, "function") &&
            (!fakelaw_members(law, tool, members) ||
             !fakelaw_name(law, name, TOOL_NAME_BYTES, "") ||
             !fakelaw_object_schema(law, fakejson_get(tool, "parameters")))) {
            return false;
        }
        fakelaw_up(law, up);
    }
    fakelaw_up(law, top);
    return true;
}

static bool
judge_options(struct fakelaw *law, struct fakespan body)
{
    static const char *const keys[] = { "max_output_tokens", "temperature", "top_p", "reasoning",
                                        "text" };
    static const char *const efforts[] = { "none", "minimal", "low", "medium",
                                           "high", "xhigh",   "max", NULL };
    static const char *const formats[] = { "text", "json_object", "json_schema", NULL };
    static const char *const summaries[] = { "auto", "concise", "detailed", NULL };
    struct fakespan seen[5];
    (void)fakejson_pick(body, keys, 5, seen);
    struct fakespan format = fakejson_get(seen[4], "format");
    struct fakespan effort = fakejson_get(seen[3], "effort");
    struct fakespan summary = fakejson_get(seen[3], "summary");
    bool is_schema = fakejson_is(fakejson_get(format, "type"), "json_schema");
    if (is_schema && (!fakejson_is_object(fakejson_get(format, "schema")) ||
                      !fakelaw_name(law, fakejson_get(format, "name"), 64, ""))) {
        return fakelaw_fail(law, "text.format needs a name and a schema");
    }
    return fakelaw_number(law, seen[0], 16, 1e9) && fakelaw_number(law, seen[1], 0, 2) &&
           fakelaw_number(law, seen[2], 0, 1) &&
           (fakebuf_equals(effort, "null") || fakelaw_one_of(law, effort, efforts)) &&
           (fakebuf_equals(summary, "null") || fakelaw_one_of(law, summary, summaries)) &&
           fakelaw_one_of(law, fakejson_get(format, "type"), formats);
}

static bool
judge_model(struct fakelaw *law, struct fakespan body)
{
    static const char *const reasoning[] = { "gpt-5", "o3", "o4", NULL };
    static const char *const not_reasoning[] = { "gpt-4", "gpt-3", NULL };
    static const char *const sampling[] = { "temperature", "top_p", NULL };
    static const char *const efforts[] = { "effort", "summary", NULL };
    if (fakelaw_is_model(law, reasoning)) {
        return fakelaw_without(law, body, sampling);
    }
    if (!fakelaw_is_model(law, not_reasoning)) {
        return true;
    }
    if (fakebuf_contains(fakejson_get(body, "include"), "reasoning.encrypted_content")) {
        return fakelaw_fail(law, "Encrypted content is not supported with this model");
    }
    return fakelaw_without(law, fakejson_get(body, "reasoning"), efforts);
}

bool
fakelawresp_judge(struct fakelaw *law, struct fakespan body)
{
    static const char *const members[] = { "model",
                                           "input",
                                           "instructions",
                                           "tools",
                                           "tool_choice",
                                           "parallel_tool_calls",
                                           "max_output_tokens",
                                           "max_tool_calls",
                                           "temperature",
                                           "top_p",
                                           "top_logprobs",
                                           "reasoning",
                                           "text",
                                           "truncation",
                                           "include",
                                           "store",
                                           "previous_response_id",
                                           "conversation",
                                           "background",
                                           "prompt",
                                           "context_management",
                                           "metadata",
                                           "user",
                                           "safety_identifier",
                                           "prompt_cache_key",
                                           "prompt_cache_options",
                                           "prompt_cache_retention",
                                           "service_tier",
                                           "stream",
                                           "stream_options",
                                           "client_metadata",
                                           NULL };
    struct fakespan instructions = fakejson_get(body, "instructions");
    return fakelaw_members(law, body, members) && judge_tools(law, fakejson_get(body, "tools")) &&
           judge_options(law, body) && judge_model(law, body) &&
           judge_input(law, fakejson_get(body, "input")) &&
           (instructions.n == 0 || fakebuf_equals(instructions, "null") ||
            fakejson_is_string(instructions) || fakelaw_fail(law, "instructions is a string"));
}

/*
 * respitem.c - the input items of a Responses request, read (see respitem.h).
 */
#include "proto/respitem.h"

#include "base/check.h"
#include "proto/carrier.h"
#include "proto/media.h"
#include "proto/resptool.h"

/* What the model is told when the client wants its conversation folded. */
#define COMPACTION_PROMPT                                                                       \
    "This conversation has become too long and must go on from a summary alone. Write that "    \
    "summary now, for an assistant who carries on the work and sees nothing of what is above. " \
    "Say what the user wants, what was decided and why, what was done and with what result, "   \
    "what is still open and what comes next, and every name, path, number and constraint that " \
    "the work needs. Do not call tools. Write only the summary."

struct in {
    struct hub_request *request;
    struct arena *arena;
    struct hub_problem *problem;
    uint32_t index; /* of the item */
};

static struct str
text_of(const struct in *in, struct walk at, const char *name)
{
    return walk_string(walk_get(at, str_of(name)), in->arena);
}

/* --- content parts --- */

static enum err
read_image(const struct in *in, struct walk source, struct hub_part *part)
{
    part->kind = HUB_IMAGE;
    struct walk url = walk_get(source, STR("image_url"));
    url = walk_kind(url) == JSON_OBJECT ? walk_get(url, STR("url")) : url; /* chat's spelling */
    struct str id = text_of(in, source, "file_id");
    enum err err = ERR_OK;
    if (walk_kind(url) == JSON_STRING) {
        err = media_from_url(walk_string(url, in->arena), in->arena, &part->media);
    } else {
        part->media =
            (struct hub_media){ .source = HUB_FILE_ID, .reference = id, .home = DIALECT_RESPONSES };
        err = id.len == 0 ? ERR_BAD : ERR_OK;
    }
    part->media.detail = text_of(in, source, "detail");
    return err;
}

static enum err
read_file(const struct in *in, struct walk source, struct hub_part *part)
{
    struct hub_media *media = &part->media;
    struct str data = text_of(in, source, "file_data");
    struct str url = text_of(in, source, "file_url");
    struct str id = text_of(in, source, "file_id");
    enum err err = ERR_OK;
    if (url.len > 0 || str_starts(data, STR("data:"))) {
        err = media_from_url(url.len > 0 ? url : data, in->arena, media);
    } else if (data.len > 0) {
        err = media_from_base64(data, STR(""), in->arena, media);
        media->mime = media->mime.len > 0 ? media->mime : STR("application/pdf");
    } else {
        *media =
            (struct hub_media){ .source = HUB_FILE_ID, .reference = id, .home = DIALECT_RESPONSES };
        err = id.len == 0 ? ERR_BAD : ERR_OK;
    }
    part->kind = media->mime.len > 0 ? media_kind(media->mime) : HUB_DOCUMENT;
    media->filename = text_of(in, source, "filename");
    return err;
}

static enum err
read_audio(const struct in *in, struct walk source, struct hub_part *part)
{
    part->kind = HUB_AUDIO;
    struct walk inner = walk_get(source, STR("input_audio"));
    bool is_mp3 = walk_is_text(walk_get(inner, STR("format")), STR("mp3"));
    struct str data = text_of(in, inner, "data");
    return data.len == 0 ? ERR_BAD
                         : media_from_base64(data, is_mp3 ? STR("audio/mpeg") : STR("audio/wav"),
                                             in->arena, &part->media);
}

/* ERR_BAD: malformed; ERR_GONE: a kind nobody knows. */
static enum err
read_part(const struct in *in, struct walk source, struct hub_part *part)
{
    static const char *const texts[] = { "input_text", "output_text", "text", "summary_text" };
    struct walk type = walk_get(source, STR("type"));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (walk_is_text(type, str_of(texts[i]))) {
            part->text = text_of(in, source, "text");
            return ERR_OK;
        }
    }
    if (walk_is_text(type, STR("refusal"))) {
        part->kind = HUB_REFUSAL;
        part->text = text_of(in, source, "refusal");
        return ERR_OK;
    }
    if (walk_is_text(type, STR("input_image"))) {
        return read_image(in, source, part);
    }
    if (walk_is_text(type, STR("input_file"))) {
        return read_file(in, source, part);
    }
    return walk_is_text(type, STR("input_audio")) ? read_audio(in, source, part) : ERR_GONE;
}

static enum err
read_parts(const struct in *in, struct walk content, const char *member, struct hub_part **list)
{
    uint32_t index = 0;
    for (struct walk at = walk_first(content); walk_is_there(at); at = walk_next(at)) {
        struct hub_part *part = hub_part_to(in->arena, list, HUB_TEXT);
        if (part == NULL) {
            return ERR_FULL;
        }
        part->index = index++;
        bool is_marked = walk_is_value(walk_get(at, STR("prompt_cache_breakpoint")));
        part->cache = is_marked ? HUB_CACHE_5M : HUB_CACHE_NONE;
        enum err err = read_part(in, at, part);
        if (err == ERR_GONE) {
            return hub_reject(in->problem, "this kind of content cannot be translated",
                              "input[%u].%s[%u]", in->index, member, part->index);
        }
        if (err == ERR_BAD) {
            return hub_refuse(in->problem, "the content part is malformed", "input[%u].%s[%u]",
                              in->index, member, part->index);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

/* A text, a list of parts, or nothing. */
static enum err
read_content(const struct in *in, struct walk content, const char *member, struct hub_part **list)
{
    if (walk_kind(content) == JSON_STRING) {
        return hub_text_to(in->arena, list, walk_string(content, in->arena)) == NULL ? ERR_FULL
                                                                                     : ERR_OK;
    }
    if (walk_is_value(content) && walk_kind(content) != JSON_ARRAY) {
        return hub_refuse(in->problem, "must be a text or a list of parts", "input[%u].%s",
                          in->index, member);
    }
    return read_parts(in, content, member, list);
}

/* --- messages --- */

static bool
has_spoken(const struct hub_message *message)
{
    for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
        if (part->kind == HUB_TEXT || part->kind == HUB_REFUSAL || part->kind == HUB_CALL) {
            return true;
        }
    }
    return false;
}

/* The assistant's message that an item belongs to; a second text begins another one. */
static struct hub_message *
assistant(const struct in *in, bool is_text)
{
    struct hub_message *last = in->request->last;
    bool is_same = last != NULL && last->role == HUB_ASSISTANT && !(is_text && has_spoken(last));
    return is_same ? last : hub_message_add(in->request, HUB_ASSISTANT, in->index);
}

static struct hub_part *
assistant_part(const struct in *in, enum hub_part_kind kind)
{
    struct hub_message *message = assistant(in, false);
    return message == NULL ? NULL : hub_part_to(in->arena, &message->parts, kind);
}

static enum err
read_message(const struct in *in, struct walk item)
{
    static const struct {
        const char *name;
        enum hub_role role;
    } roles[] = { { "user", HUB_USER },
                  { "assistant", HUB_ASSISTANT },
                  { "developer", HUB_DEVELOPER },
                  { "system", HUB_SYSTEM } };
    struct walk role = walk_get(item, STR("role"));
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (!walk_is_text(role, str_of(roles[i].name))) {
            continue;
        }
        struct hub_message *message = roles[i].role == HUB_ASSISTANT
                                          ? assistant(in, true)
                                          : hub_message_add(in->request, roles[i].role, in->index);
        if (message == NULL) {
            return ERR_FULL;
        }
        message->phase = text_of(in, item, "phase");
        return read_content(in, walk_get(item, STR("content")), "content", &message->parts);
    }
    return hub_refuse(in->problem, "the role is missing or unknown", "input[%u].role", in->index);
}

/* --- reasoning --- */

static enum err
read_segments(const struct in *in, struct walk list, struct hub_reasoning *reasoning)
{
    for (struct walk at = walk_first(list); walk_is_there(at); at = walk_next(at)) {
        struct str text = text_of(in, at, "text");
        if (text.len > 0 && !hub_segment_to(in->arena, &reasoning->segments, text)) {
            return ERR_FULL;
        }
    }
    return ERR_OK;
}

/* OpenAI's own encrypted content is bound to the item's id; what we wrapped brings its own. */
static enum err
read_reasoning(const struct in *in, struct walk item)
{
    struct hub_part *part = assistant_part(in, HUB_REASONING);
    if (part == NULL) {
        return ERR_FULL;
    }
    struct hub_reasoning *reasoning = &part->reasoning;
    reasoning->visibility = HUB_SUMMARY;
    enum err err = read_segments(in, walk_get(item, STR("summary")), reasoning);
    if (err == ERR_OK && reasoning->segments == NULL) {
        reasoning->visibility = HUB_FULL;
        err = read_segments(in, walk_get(item, STR("content")), reasoning);
    }
    struct str opaque = text_of(in, item, "encrypted_content");
    if (err == ERR_OK) {
        err =
            carrier_restore(in->request->carrier, HUB_FAMILY_OPENAI, opaque, in->arena, reasoning);
    }
    if (reasoning->signature.family == HUB_FAMILY_OPENAI && reasoning->signature.id.len == 0) {
        reasoning->signature.id = text_of(in, item, "id");
    }
    return err;
}

/* --- calls and what came of them --- */

static const struct call_type {
    const char *type;
    const char *output;
    const char *name; /* NULL: the item says it */
    const char *member;
    enum hub_call_kind kind;
} call_types[] = {
    { "function_call", "function_call_output", NULL, "arguments", HUB_FUNCTION },
    { "custom_tool_call", "custom_tool_call_output", NULL, "input", HUB_CUSTOM },
    { "local_shell_call", "local_shell_call_output", "local_shell", "action", HUB_FUNCTION },
    { "shell_call", "shell_call_output", "shell", "action", HUB_FUNCTION },
    { "apply_patch_call", "apply_patch_call_output", "apply_patch", "operation", HUB_FUNCTION },
};

/* Gemini's signature of a call travels as a reasoning item right before it. */
static void
take_signature(struct hub_message *message, struct hub_part *call)
{
    struct hub_part *before = message->parts;
    while (before != call && before->next != call) {
        before = before->next;
    }
    if (before != call && before->kind == HUB_REASONING &&
        before->reasoning.signature.family == HUB_FAMILY_GEMINI) {
        call->call.signature = before->reasoning.signature;
        before->reasoning.signature = (struct hub_signature){ .family = HUB_FAMILY_NONE };
    }
}

static enum err
read_call(const struct in *in, struct walk item, const struct call_type *type)
{
    struct hub_part *part = assistant_part(in, HUB_CALL);
    if (part == NULL) {
        return ERR_FULL;
    }
    struct walk arguments = walk_get(item, str_of(type->member));
    part->call.kind = type->kind;
    part->call.id = text_of(in, item, "call_id");
    part->call.name = type->name == NULL ? text_of(in, item, "name") : str_of(type->name);
    part->call.space = text_of(in, item, "namespace");
    part->call.arguments = walk_kind(arguments) == JSON_STRING ? walk_string(arguments, in->arena)
                                                               : walk_raw_value(arguments);
    take_signature(in->request->last, part);
    return part->call.name.len > 0
               ? ERR_OK
               : hub_refuse(in->problem, "the call has no name", "input[%u].name", in->index);
}

static enum err
read_output(const struct in *in, struct walk item, const struct call_type *type)
{
    struct hub_message *message = hub_message_add(in->request, HUB_TOOL, in->index);
    struct hub_part *part =
        message == NULL ? NULL : hub_part_to(in->arena, &message->parts, HUB_RESULT);
    if (part == NULL) {
        return ERR_FULL;
    }
    struct hub_result *result = &part->result;
    result->kind = type->kind;
    result->call_id = text_of(in, item, "call_id");
    if (result->call_id.len == 0) {
        result->call_id = text_of(in, item, "id"); /* local_shell_call_output */
    }
    result->is_error = walk_is_text(walk_get(item, STR("status")), STR("failed"));
    struct walk output = walk_get(item, STR("output"));
    bool is_content = !walk_is_value(output) || walk_kind(output) == JSON_STRING ||
                      walk_is_there(walk_get(walk_first(output), STR("type"))) ||
                      (walk_kind(output) == JSON_ARRAY && walk_count(output) == 0);
    if (is_content) {
        return read_content(in, output, "output", &result->parts);
    }
    /* What a shell said (stdout, stderr, outcome) is readable as it is. */
    return hub_text_to(in->arena, &result->parts, walk_raw(output)) == NULL ? ERR_FULL : ERR_OK;
}

/* --- what ran at the provider --- */

/* The readable side of such an item: logs, passages found, an answer. */
static enum err
server_text(const struct in *in, struct walk item, struct str *out)
{
    struct hub_segment *segments = NULL;
    struct walk lists[] = { walk_get(item, STR("results")), walk_get(item, STR("outputs")) };
    static const char *const members[] = { "filename", "text", "logs" };
    *out = text_of(in, item, "output");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (struct walk at = walk_first(lists[i]); walk_is_there(at); at = walk_next(at)) {
            for (size_t k = 0; k < sizeof members / sizeof members[0]; k++) {
                struct str text = text_of(in, at, members[k]);
                if (text.len > 0 && !hub_segment_to(in->arena, &segments, text)) {
                    return ERR_FULL;
                }
            }
        }
    }
    return segments == NULL ? ERR_OK : hub_join_segments(in->arena, segments, STR("\n"), out);
}

static enum err
read_server(const struct in *in, struct walk item, struct str type)
{
    struct hub_part *part = assistant_part(in, HUB_SERVER_CALL);
    struct str text;
    enum err err = server_text(in, item, &text);
    if (part == NULL || err != ERR_OK) {
        return ERR_FULL;
    }
    part->server = (struct hub_server){ .kind = str_make(type.data, type.len - 5), /* _call */
                                        .id = text_of(in, item, "id"),
                                        .input_json = walk_raw_value(walk_get(item, STR("action"))),
                                        .home = DIALECT_RESPONSES,
                                        .whole_json = walk_raw(item) };
    if (text.len == 0) {
        return ERR_OK;
    }
    struct hub_part *result = assistant_part(in, HUB_SERVER_RESULT);
    if (result == NULL) {
        return ERR_FULL;
    }
    result->server = part->server;
    result->server.text = text;
    return ERR_OK;
}

static enum err
read_generated(const struct in *in, struct walk item)
{
    struct str data = text_of(in, item, "result");
    if (data.len == 0) {
        return ERR_OK;
    }
    struct hub_part *part = assistant_part(in, HUB_IMAGE);
    return part == NULL ? ERR_FULL
                        : media_from_base64(data, STR("image/png"), in->arena, &part->media);
}

/* --- compaction --- */

/* Our own is the readable summary; OpenAI's can be read by OpenAI only. */
static enum err
read_compaction(const struct in *in, struct walk item)
{
    struct hub_signature signature;
    enum err err = carrier_open(in->request->carrier, HUB_FAMILY_OPENAI,
                                text_of(in, item, "encrypted_content"), in->arena, &signature);
    if (err != ERR_OK) {
        return err;
    }
    if (signature.family != HUB_FAMILY_GATEWAY) {
        return hub_reject(in->problem, "the upstream cannot read this compaction", "input[%u]",
                          in->index);
    }
    struct str text = arena_printf(in->arena, "Summary of the conversation so far:\n\n%.*s",
                                   STR_ARG(signature.bytes));
    struct hub_message *message = hub_message_add(in->request, HUB_USER, in->index);
    bool is_kept = message != NULL && text.data != NULL &&
                   hub_text_to(in->arena, &message->parts, text) != NULL;
    return is_kept ? ERR_OK : ERR_FULL;
}

static enum err
read_trigger(const struct in *in, struct walk item)
{
    if (walk_is_there(walk_next(item))) {
        return hub_refuse(in->problem, "must be the last item", "input[%u]", in->index);
    }
    in->request->shape.compaction = true;
    struct hub_message *message = hub_message_add(in->request, HUB_USER, in->index);
    bool is_kept =
        message != NULL && hub_text_to(in->arena, &message->parts, STR(COMPACTION_PROMPT)) != NULL;
    return is_kept ? ERR_OK : ERR_FULL;
}

/* --- items --- */

static bool
is_among(struct str type, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(type, str_of(names[i]))) {
            return true;
        }
    }
    return false;
}

#define IS_AMONG(type, names) is_among((type), (names), sizeof(names) / sizeof((names)[0]))

/* Items around tools that run at OpenAI, and lists of tools. */
static enum err
read_hosted(const struct in *in, struct walk item, struct str type)
{
    static const char *const servers[] = { "web_search_call", "file_search_call",
                                           "code_interpreter_call", "mcp_call" };
    static const char *const lists[] = { "additional_tools", "tool_search_output" };
    static const char *const silent[] = {
        "tool_search_call",      "mcp_list_tools", "mcp_approval_request",
        "mcp_approval_response", "program",        "program_output"
    };
    static const char *const compactions[] = { "compaction", "compaction_summary" };
    if (IS_AMONG(type, servers)) {
        return read_server(in, item, type);
    }
    if (IS_AMONG(type, lists)) {
        return resptool_read_list(in->request, walk_get(item, STR("tools")), in->problem);
    }
    if (IS_AMONG(type, silent)) {
        hub_drop(in->request->losses, type);
        return ERR_OK;
    }
    if (IS_AMONG(type, compactions)) {
        return read_compaction(in, item);
    }
    if (str_equal(type, STR("compaction_trigger"))) {
        return read_trigger(in, item);
    }
    return str_equal(type, STR("image_generation_call"))
               ? read_generated(in, item)
               : hub_reject(in->problem, "this kind of item cannot be translated", "input[%u]",
                            in->index);
}

static enum err
read_item(const struct in *in, struct walk item)
{
    struct str type = text_of(in, item, "type");
    if (type.len == 0 || str_equal(type, STR("message"))) {
        return read_message(in, item);
    }
    if (str_equal(type, STR("reasoning"))) {
        return read_reasoning(in, item);
    }
    for (size_t i = 0; i < sizeof call_types / sizeof call_types[0]; i++) {
        if (str_equal(type, str_of(call_types[i].type))) {
            return read_call(in, item, &call_types[i]);
        }
        if (str_equal(type, str_of(call_types[i].output))) {
            return read_output(in, item, &call_types[i]);
        }
    }
    return read_hosted(in, item, type);
}

enum err
respitem_read(struct hub_request *request, struct walk input, struct hub_problem *problem)
{
    struct in in = { request, request->arena, problem, 0 };
    if (walk_kind(input) == JSON_STRING) {
        struct hub_message *message = hub_message_add(request, HUB_USER, 0);
        bool is_kept = message != NULL &&
                       hub_text_to(in.arena, &message->parts, walk_string(input, in.arena)) != NULL;
        return is_kept ? ERR_OK : ERR_FULL;
    }
    if (walk_kind(input) != JSON_ARRAY) {
        return hub_refuse(problem, "must be a text or a list of items", "input");
    }
    enum err err = ERR_OK;
    for (struct walk at = walk_first(input); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = read_item(&in, at);
        in.index++;
    }
    return err;
}

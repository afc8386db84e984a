/*
 * chatin.c - a Chat Completions request becomes the neutral form.
 *
 * Besides what is official it reads what is in use: reasoning_content and its cousins,
 * cache_control on parts, Gemini's extra_content, `functions` of old.
 */
#include "base/check.h"
#include "proto/carrier.h"
#include "proto/chat.h"
#include "proto/chattool.h"
#include "proto/effort.h"
#include "proto/fields.h"
#include "proto/media.h"
#include "proto/walk.h"

/* What every reading function here needs. */
struct in {
    struct hub_request *request;
    struct arena *arena;
    struct hub_problem *problem;
};

/* The message that is being read. */
struct at {
    struct hub_message *message;
    uint32_t index;
};

static struct str
text_of(const struct in *in, struct walk at, const char *name)
{
    return walk_string(walk_get(at, str_of(name)), in->arena);
}

/* --- content parts --- */

static enum hub_cache
cache_of(struct walk part)
{
    struct walk mark = walk_get(part, STR("cache_control"));
    if (walk_kind(mark) == JSON_OBJECT) {
        return walk_is_text(walk_get(mark, STR("ttl")), STR("1h")) ? HUB_CACHE_1H : HUB_CACHE_5M;
    }
    return walk_is_value(walk_get(part, STR("prompt_cache_breakpoint"))) ? HUB_CACHE_5M
                                                                         : HUB_CACHE_NONE;
}

static enum err
add_text(const struct in *in, struct hub_part **list, struct walk value, enum hub_part_kind kind,
         struct hub_part **out)
{
    struct hub_part *part = hub_part_to(in->arena, list, kind);
    if (part == NULL ||
        (walk_kind(value) == JSON_STRING && !walk_text(value, in->arena, &part->text))) {
        return ERR_FULL;
    }
    *out = part;
    return ERR_OK;
}

static enum err
add_url(const struct in *in, struct hub_part **list, struct walk value, enum hub_part_kind kind,
        struct hub_part **out)
{
    struct hub_part *part = hub_part_to(in->arena, list, kind);
    if (part == NULL) {
        return ERR_FULL;
    }
    bool is_bare = walk_kind(value) == JSON_STRING;
    struct walk url = is_bare ? value : walk_get(value, STR("url"));
    enum err err = media_from_url(walk_string(url, in->arena), in->arena, &part->media);
    part->media.detail = text_of(in, value, "detail");
    *out = part;
    return walk_kind(url) != JSON_STRING ? ERR_BAD : err;
}

static enum err
add_audio(const struct in *in, struct hub_part **list, struct walk value, struct hub_part **out)
{
    struct hub_part *part = hub_part_to(in->arena, list, HUB_AUDIO);
    if (part == NULL) {
        return ERR_FULL;
    }
    *out = part;
    bool is_mp3 = walk_is_text(walk_get(value, STR("format")), STR("mp3"));
    return media_from_base64(text_of(in, value, "data"),
                             is_mp3 ? STR("audio/mpeg") : STR("audio/wav"), in->arena,
                             &part->media);
}

/* file_data is a data: URL in practice; bare base64 is taken for a PDF unless it looks otherwise.
 */
static enum err
add_file(const struct in *in, struct hub_part **list, struct walk value, struct hub_part **out)
{
    struct hub_part *part = hub_part_to(in->arena, list, HUB_DOCUMENT);
    if (part == NULL) {
        return ERR_FULL;
    }
    *out = part;
    struct hub_media *media = &part->media;
    struct str data = text_of(in, value, "file_data");
    struct str id = text_of(in, value, "file_id");
    enum err err = ERR_OK;
    if (data.len == 0 && id.len > 0) {
        *media = (struct hub_media){ .source = HUB_FILE_ID, .reference = id, .home = DIALECT_CHAT };
    } else if (str_starts(data, STR("data:")) || str_starts(data, STR("http"))) {
        err = media_from_url(data, in->arena, media);
    } else {
        err = data.len == 0 ? ERR_BAD : media_from_base64(data, STR(""), in->arena, media);
        media->mime = media->mime.len > 0 ? media->mime : STR("application/pdf");
    }
    part->kind = media->mime.len > 0 ? media_kind(media->mime) : HUB_DOCUMENT;
    media->filename = text_of(in, value, "filename");
    return err;
}

/* ERR_BAD: the part is malformed; ERR_GONE: its kind is unknown. */
static enum err
add_part(const struct in *in, struct hub_part **list, struct walk part, struct hub_part **out)
{
    struct walk type = walk_get(part, STR("type"));
    if (walk_is_text(type, STR("text")) || walk_is_text(type, STR("input_text")) ||
        walk_is_text(type, STR("output_text"))) {
        return add_text(in, list, walk_get(part, STR("text")), HUB_TEXT, out);
    }
    if (walk_is_text(type, STR("refusal"))) {
        return add_text(in, list, walk_get(part, STR("refusal")), HUB_REFUSAL, out);
    }
    if (walk_is_text(type, STR("image_url"))) {
        return add_url(in, list, walk_get(part, STR("image_url")), HUB_IMAGE, out);
    }
    if (walk_is_text(type, STR("video_url"))) {
        return add_url(in, list, walk_get(part, STR("video_url")), HUB_VIDEO, out);
    }
    if (walk_is_text(type, STR("input_audio"))) {
        return add_audio(in, list, walk_get(part, STR("input_audio")), out);
    }
    if (walk_is_text(type, STR("file"))) {
        return add_file(in, list, walk_get(part, STR("file")), out);
    }
    return ERR_GONE;
}

static enum err
read_parts(const struct in *in, const struct at *at, struct hub_part **list, struct walk content)
{
    uint32_t index = 0;
    for (struct walk part = walk_first(content); walk_is_there(part); part = walk_next(part)) {
        struct hub_part *added = NULL;
        enum err err = add_part(in, list, part, &added);
        if (err == ERR_GONE) {
            return hub_reject(in->problem, "this kind of content cannot be translated",
                              "messages[%u].content[%u]", at->index, index);
        }
        if (err == ERR_BAD) {
            return hub_refuse(in->problem, "the content part is malformed",
                              "messages[%u].content[%u]", at->index, index);
        }
        if (err != ERR_OK) {
            return err;
        }
        added->index = index++;
        added->cache = cache_of(part);
    }
    return ERR_OK;
}

/* A string, a list of parts, null or nothing. */
static enum err
read_content(const struct in *in, const struct at *at, struct hub_part **list, struct walk content)
{
    if (walk_kind(content) == JSON_STRING) {
        struct hub_part *part;
        return add_text(in, list, content, HUB_TEXT, &part);
    }
    if (walk_kind(content) == JSON_ARRAY) {
        return read_parts(in, at, list, content);
    }
    if (walk_is_value(content)) {
        return hub_refuse(in->problem, "must be a text or a list of parts", "messages[%u].content",
                          at->index);
    }
    return ERR_OK;
}

/* --- reasoning of earlier turns, in the spellings that are in use --- */

static struct hub_part *
add_reasoning(const struct in *in, struct hub_message *message, struct str text)
{
    struct hub_part *part = hub_part_to(in->arena, &message->parts, HUB_REASONING);
    if (part == NULL ||
        (text.len > 0 && !hub_segment_to(in->arena, &part->reasoning.segments, text))) {
        return NULL;
    }
    return part;
}

/* litellm's thinking_blocks: Anthropic's own blocks. */
static enum err
read_blocks(const struct in *in, struct hub_message *message, struct walk blocks)
{
    for (struct walk block = walk_first(blocks); walk_is_there(block); block = walk_next(block)) {
        bool is_redacted = walk_is_text(walk_get(block, STR("type")), STR("redacted_thinking"));
        struct hub_part *part = add_reasoning(in, message, text_of(in, block, "thinking"));
        if (part == NULL) {
            return ERR_FULL;
        }
        enum err err = carrier_restore(
            in->request->carrier,
            is_redacted ? HUB_FAMILY_ANTHROPIC_REDACTED : HUB_FAMILY_ANTHROPIC,
            text_of(in, block, is_redacted ? "data" : "signature"), in->arena, &part->reasoning);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

/* OpenRouter's reasoning_details; `data` may be a carrier that we handed out. */
static enum err
read_details(const struct in *in, struct hub_message *message, struct walk details)
{
    for (struct walk detail = walk_first(details); walk_is_there(detail);
         detail = walk_next(detail)) {
        struct str text = text_of(in, detail, "text");
        text = text.len > 0 ? text : text_of(in, detail, "summary");
        struct str opaque = text_of(in, detail, "data");
        opaque = opaque.len > 0 ? opaque : text_of(in, detail, "signature");
        struct hub_part *part = add_reasoning(in, message, text);
        if (part == NULL) {
            return ERR_FULL;
        }
        enum err err = carrier_restore(in->request->carrier, HUB_FAMILY_NONE, opaque, in->arena,
                                       &part->reasoning);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err
read_reasoning(const struct in *in, struct hub_message *message, struct walk source)
{
    struct walk blocks = walk_get(source, STR("thinking_blocks"));
    struct walk details = walk_get(source, STR("reasoning_details"));
    if (walk_count(blocks) > 0) {
        return read_blocks(in, message, blocks);
    }
    if (walk_count(details) > 0) {
        return read_details(in, message, details);
    }
    struct str text = text_of(in, source, "reasoning_content");
    text = text.len > 0 ? text : text_of(in, source, "reasoning");
    return text.len == 0 || add_reasoning(in, message, text) != NULL ? ERR_OK : ERR_FULL;
}

/* --- calls --- */

static enum err
read_call(const struct in *in, struct hub_message *message, struct walk call)
{
    struct hub_part *part = hub_part_to(in->arena, &message->parts, HUB_CALL);
    if (part == NULL) {
        return ERR_FULL;
    }
    struct walk function = walk_get(call, STR("function"));
    struct walk custom = walk_get(call, STR("custom"));
    bool is_custom = !walk_is_value(function) && walk_is_value(custom);
    struct walk body = is_custom ? custom : function;
    struct walk arguments = walk_get(body, is_custom ? STR("input") : STR("arguments"));
    part->call.kind = is_custom ? HUB_CUSTOM : HUB_FUNCTION;
    part->call.id = text_of(in, call, "id");
    part->call.name = text_of(in, body, "name");
    /* Some clients send the object itself. */
    part->call.arguments = walk_kind(arguments) == JSON_STRING ? walk_string(arguments, in->arena)
                                                               : walk_raw_value(arguments);
    struct walk google = walk_get(walk_get(call, STR("extra_content")), STR("google"));
    if (part->call.name.len == 0) {
        return hub_refuse(in->problem, "a tool call has no name", "messages[%u].tool_calls",
                          message->index);
    }
    return carrier_open(in->request->carrier, HUB_FAMILY_GEMINI,
                        text_of(in, google, "thought_signature"), in->arena, &part->call.signature);
}

static enum err
read_assistant(const struct in *in, const struct at *at, struct walk source)
{
    struct hub_message *message = at->message;
    enum err err = read_reasoning(in, message, source);
    if (err == ERR_OK) {
        err = read_content(in, at, &message->parts, walk_get(source, STR("content")));
    }
    struct walk refusal = walk_get(source, STR("refusal"));
    if (err == ERR_OK && walk_kind(refusal) == JSON_STRING) {
        struct hub_part *part;
        err = add_text(in, &message->parts, refusal, HUB_REFUSAL, &part);
    }
    struct walk calls = walk_get(source, STR("tool_calls"));
    for (struct walk call = walk_first(calls); walk_is_there(call) && err == ERR_OK;
         call = walk_next(call)) {
        err = read_call(in, message, call);
    }
    struct walk legacy = walk_get(source, STR("function_call"));
    if (err == ERR_OK && walk_kind(legacy) == JSON_OBJECT) {
        struct hub_part *part = hub_part_to(in->arena, &message->parts, HUB_CALL);
        if (part == NULL) {
            return ERR_FULL;
        }
        part->call.name = text_of(in, legacy, "name");
        part->call.arguments = text_of(in, legacy, "arguments");
        return part->call.name.len > 0 ? ERR_OK
                                       : hub_refuse(in->problem, "a function call has no name",
                                                    "messages[%u].function_call", at->index);
    }
    return err;
}

/* role tool; role function names the function instead of a call. */
static enum err
read_result(const struct in *in, const struct at *at, struct walk source)
{
    struct hub_part *part = hub_part_to(in->arena, &at->message->parts, HUB_RESULT);
    if (part == NULL) {
        return ERR_FULL;
    }
    part->result.call_id = text_of(in, source, "tool_call_id");
    part->result.name = text_of(in, source, "name");
    struct walk content = walk_get(source, STR("content"));
    enum err err = read_content(in, at, &part->result.parts, content);
    struct hub_part *last = part->result.parts == NULL ? NULL : part->result.parts->tail;
    part->cache = last == NULL ? HUB_CACHE_NONE : last->cache;
    return err;
}

static enum err
read_message(const struct in *in, struct walk source, uint32_t index)
{
    static const struct {
        const char *name;
        enum hub_role role;
    } roles[] = {
        { "system", HUB_SYSTEM },       { "developer", HUB_DEVELOPER }, { "user", HUB_USER },
        { "assistant", HUB_ASSISTANT }, { "tool", HUB_TOOL },           { "function", HUB_TOOL },
    };
    struct walk role = walk_get(source, STR("role"));
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (!walk_is_text(role, str_of(roles[i].name))) {
            continue;
        }
        struct hub_message *message = hub_message_add(in->request, roles[i].role, index);
        if (message == NULL) {
            return ERR_FULL;
        }
        struct at at = { message, index };
        if (roles[i].role == HUB_ASSISTANT) {
            return read_assistant(in, &at, source);
        }
        if (roles[i].role == HUB_TOOL) {
            return read_result(in, &at, source);
        }
        message->name = text_of(in, source, "name");
        return read_content(in, &at, &message->parts, walk_get(source, STR("content")));
    }
    return hub_refuse(in->problem, "the role is missing or unknown", "messages[%u].role", index);
}

/* --- the rest of the body --- */

static enum err
read_messages(const struct in *in, struct walk value)
{
    if (walk_kind(value) != JSON_ARRAY) {
        return hub_refuse(in->problem, "must be a list", "messages");
    }
    uint32_t index = 0;
    enum err err = ERR_OK;
    for (struct walk at = walk_first(value); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = read_message(in, at, index++);
    }
    return err;
}

static enum err
read_number(const struct in *in, struct walk value, const char *name, struct str *out)
{
    if (walk_is_value(value) && walk_kind(value) != JSON_NUMBER) {
        return hub_refuse(in->problem, "must be a number", "%s", name);
    }
    *out = walk_raw_value(value);
    return ERR_OK;
}

static enum err
read_numbers(const struct in *in, struct walk root)
{
    struct hub_request *request = in->request;
    const struct {
        const char *name;
        struct str *to;
    } numbers[] = {
        { "temperature", &request->temperature_json },
        { "top_p", &request->top_p_json },
        { "top_k", &request->top_k_json },
        { "seed", &request->seed_json },
        { "frequency_penalty", &request->frequency_penalty_json },
        { "presence_penalty", &request->presence_penalty_json },
        { "top_logprobs", &request->top_logprobs_json },
    };
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && err == ERR_OK; i++) {
        err = read_number(in, walk_get(root, str_of(numbers[i].name)), numbers[i].name,
                          numbers[i].to);
    }
    const char *const limits[] = { "max_tokens", "max_completion_tokens" };
    for (size_t i = 0; i < 2 && err == ERR_OK; i++) {
        struct walk value = walk_get(root, str_of(limits[i]));
        if (!walk_is_value(value)) {
            continue;
        }
        request->has_output_max = walk_u64(value, &request->output_tokens_max);
        err = request->has_output_max
                  ? ERR_OK
                  : hub_refuse(in->problem, "must be a whole number", "%s", limits[i]);
    }
    struct walk n = walk_get(root, STR("n"));
    if (err == ERR_OK && walk_is_value(n) &&
        (!walk_u64(n, &request->answers) || request->answers == 0)) {
        err = hub_refuse(in->problem, "must be a whole number above 0", "n");
    }
    return err;
}

static enum err
read_stops(const struct in *in, struct walk value)
{
    struct hub_request *request = in->request;
    struct walk at = walk_kind(value) == JSON_STRING ? value : walk_first(value);
    for (; walk_is_there(at); at = walk_next(at)) {
        struct str stop = walk_string(at, in->arena);
        if (stop.len == 0) {
            continue;
        }
        if (request->stop_count == HUB_STOPS_MAX || stop.len > HUB_STOP_BYTES_MAX) {
            return hub_refuse(in->problem, "too many or too long stop sequences", "stop");
        }
        request->stops[request->stop_count++] = stop;
        if (walk_kind(value) == JSON_STRING) {
            return ERR_OK;
        }
    }
    return ERR_OK;
}

static enum err
read_format(const struct in *in, struct walk value)
{
    struct hub_format *format = &in->request->format;
    struct walk type = walk_get(value, STR("type"));
    if (!walk_is_value(value) || walk_is_text(type, STR("text"))) {
        return ERR_OK;
    }
    if (walk_is_text(type, STR("json_object"))) {
        format->kind = HUB_FORMAT_JSON;
        return ERR_OK;
    }
    if (!walk_is_text(type, STR("json_schema"))) {
        return hub_reject(in->problem, "this format cannot be translated", "response_format");
    }
    struct walk spec = walk_get(value, STR("json_schema"));
    format->kind = HUB_FORMAT_SCHEMA;
    format->name = text_of(in, spec, "name");
    format->description = text_of(in, spec, "description");
    format->schema_json = walk_raw_value(walk_get(spec, STR("schema")));
    format->strict = walk_tri(walk_get(spec, STR("strict")));
    return ERR_OK;
}

static void
read_words(const struct in *in, struct walk root)
{
    struct hub_request *request = in->request;
    request->shape.model = text_of(in, root, "model");
    request->shape.stream = walk_is_true(walk_get(root, STR("stream")));
    request->shape.usage_chunk =
        walk_is_true(walk_get(walk_get(root, STR("stream_options")), STR("include_usage")));
    request->verbosity = text_of(in, root, "verbosity");
    request->tier = text_of(in, root, "service_tier");
    request->cache_key = text_of(in, root, "prompt_cache_key");
    request->end_user = text_of(in, root, "safety_identifier");
    request->end_user_is_safe = request->end_user.len > 0;
    if (!request->end_user_is_safe) {
        request->end_user = text_of(in, root, "user");
    }
    request->thinking.effort = effort_parse(text_of(in, root, "reasoning_effort"));
    request->thinking.show = request->thinking.effort > HUB_EFFORT_OFF ? HUB_YES : HUB_UNSET;
    bool is_long = walk_is_text(walk_get(root, STR("prompt_cache_retention")), STR("24h"));
    request->cache = is_long ? HUB_CACHE_24H : HUB_CACHE_NONE;
    request->store = walk_tri(walk_get(root, STR("store")));
    request->logprobs = walk_tri(walk_get(root, STR("logprobs")));
    request->choice.parallel = walk_tri(walk_get(root, STR("parallel_tool_calls")));
    request->metadata_json = walk_raw_value(walk_get(root, STR("metadata")));
    request->logit_bias_json = walk_raw_value(walk_get(root, STR("logit_bias")));
    request->prediction_json = walk_raw_value(walk_get(root, STR("prediction")));
    request->audio_json = walk_raw_value(walk_get(root, STR("audio")));
    struct walk modes = walk_get(root, STR("modalities"));
    for (struct walk at = walk_first(modes); walk_is_there(at); at = walk_next(at)) {
        request->wants_audio = request->wants_audio || walk_is_text(at, STR("audio"));
        request->wants_image = request->wants_image || walk_is_text(at, STR("image"));
    }
}

/* Members that are read above or in chattool.c; what is neither here nor a hint is listed. */
/* The members of a body that this file and those it calls look at. */
static const char *const known[] = {
    "model",
    "messages",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "parallel_tool_calls",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
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
    "reasoning_effort",
    "response_format",
    "metadata",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "service_tier",
    "store",
    "stream",
    "stream_options",
};

enum err
chatin_decode(struct hub_request *request, struct str body, struct hub_problem *problem)
{
    struct walk root;
    enum err err = fields_open(request, body, problem, &root);
    if (err != ERR_OK) {
        return err;
    }
    struct in in = { request, request->arena, problem };
    read_words(&in, root);
    err = read_messages(&in, walk_get(root, STR("messages")));
    if (err == ERR_OK) {
        err = read_numbers(&in, root);
    }
    if (err == ERR_OK) {
        err = read_stops(&in, walk_get(root, STR("stop")));
    }
    if (err == ERR_OK) {
        err = read_format(&in, walk_get(root, STR("response_format")));
    }
    if (err == ERR_OK) {
        err = chattool_read(request, root, problem);
    }
    fields_drop(request, root, known, sizeof known / sizeof known[0]);
    return err;
}

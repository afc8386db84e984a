/*
 * respin.c - a Responses request becomes the neutral form.
 */
#include "base/check.h"
#include "proto/effort.h"
#include "proto/fields.h"
#include "proto/respecho.h"
#include "proto/respitem.h"
#include "proto/responses.h"
#include "proto/resptool.h"
#include "proto/walk.h"

struct in {
    struct hub_request *request;
    struct arena *arena;
    struct hub_problem *problem;
};

static struct str
text_of(const struct in *in, struct walk at, const char *name)
{
    return walk_string(walk_get(at, str_of(name)), in->arena);
}

/* What lies at OpenAI under an id: no other provider has it, and we do not keep it. */
static enum err
refuse_state(const struct in *in, struct walk root)
{
    static const char *const names[] = { "previous_response_id", "conversation", "prompt" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (walk_is_value(walk_get(root, str_of(names[i])))) {
            return hub_reject(in->problem, "the upstream does not keep conversations", "%s",
                              names[i]);
        }
    }
    return walk_is_true(walk_get(root, STR("background")))
               ? hub_reject(in->problem, "the upstream has no background answers", "background")
               : ERR_OK;
}

static enum err
read_instructions(const struct in *in, struct walk value)
{
    if (!walk_is_value(value)) {
        return ERR_OK;
    }
    if (walk_kind(value) != JSON_STRING) {
        return hub_refuse(in->problem, "must be a text", "instructions");
    }
    struct hub_message *message = hub_message_add(in->request, HUB_SYSTEM, 0);
    bool is_kept = message != NULL &&
                   hub_text_to(in->arena, &message->parts, walk_string(value, in->arena)) != NULL;
    return is_kept ? ERR_OK : ERR_FULL;
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
        { "top_logprobs", &request->top_logprobs_json },
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct walk value = walk_get(root, str_of(numbers[i].name));
        if (walk_is_value(value) && walk_kind(value) != JSON_NUMBER) {
            return hub_refuse(in->problem, "must be a number", "%s", numbers[i].name);
        }
        *numbers[i].to = walk_raw_value(value);
    }
    struct walk max = walk_get(root, STR("max_output_tokens"));
    request->has_output_max = walk_u64(max, &request->output_tokens_max);
    return walk_is_value(max) && !request->has_output_max
               ? hub_refuse(in->problem, "must be a whole number", "max_output_tokens")
               : ERR_OK;
}

/* Without a summary asked for, reasoning is not shown. */
static void
read_reasoning(const struct in *in, struct walk value)
{
    struct hub_thinking *thinking = &in->request->thinking;
    if (walk_kind(value) != JSON_OBJECT) {
        return;
    }
    thinking->effort = effort_parse(text_of(in, value, "effort"));
    thinking->summary = text_of(in, value, "summary");
    if (thinking->summary.len == 0) {
        thinking->summary = text_of(in, value, "generate_summary"); /* its name of old */
    }
    thinking->show = thinking->summary.len > 0 ? HUB_YES : HUB_NO;
}

static enum err
read_format(const struct in *in, struct walk text)
{
    struct hub_format *format = &in->request->format;
    struct walk value = walk_get(text, STR("format"));
    struct walk type = walk_get(value, STR("type"));
    in->request->verbosity = text_of(in, text, "verbosity");
    if (!walk_is_value(value) || walk_is_text(type, STR("text"))) {
        return ERR_OK;
    }
    if (walk_is_text(type, STR("json_object"))) {
        format->kind = HUB_FORMAT_JSON;
        return ERR_OK;
    }
    if (!walk_is_text(type, STR("json_schema"))) {
        return hub_reject(in->problem, "this format cannot be translated", "text.format");
    }
    format->kind = HUB_FORMAT_SCHEMA;
    format->name = text_of(in, value, "name");
    format->description = text_of(in, value, "description");
    format->schema_json = walk_raw_value(walk_get(value, STR("schema")));
    format->strict = walk_tri(walk_get(value, STR("strict")));
    return ERR_OK;
}

static void
read_words(const struct in *in, struct walk root)
{
    struct hub_request *request = in->request;
    request->shape.model = text_of(in, root, "model");
    request->shape.stream = walk_is_true(walk_get(root, STR("stream")));
    request->tier = text_of(in, root, "service_tier");
    request->cache_key = text_of(in, root, "prompt_cache_key");
    request->end_user = text_of(in, root, "safety_identifier");
    request->end_user_is_safe = request->end_user.len > 0;
    if (!request->end_user_is_safe) {
        request->end_user = text_of(in, root, "user");
    }
    bool is_long = walk_is_text(walk_get(root, STR("prompt_cache_retention")), STR("24h"));
    request->cache = is_long ? HUB_CACHE_24H : HUB_CACHE_NONE;
    request->store = walk_tri(walk_get(root, STR("store")));
    request->metadata_json = walk_raw_value(walk_get(root, STR("metadata")));
    struct walk include = walk_get(root, STR("include"));
    for (struct walk at = walk_first(include); walk_is_there(at); at = walk_next(at)) {
        request->shape.encrypted =
            request->shape.encrypted || walk_is_text(at, STR("reasoning.encrypted_content"));
        if (walk_is_text(at, STR("message.output_text.logprobs"))) {
            request->logprobs = HUB_YES;
        }
    }
    read_reasoning(in, walk_get(root, STR("reasoning")));
}

/* The answer is a summary in plain words: no call may stand in for it. */
static void
settle_compaction(struct hub_request *request)
{
    if (!request->shape.compaction) {
        return;
    }
    request->format = (struct hub_format){ .kind = HUB_FORMAT_TEXT };
    request->choice = (struct hub_choice){ .mode = HUB_CHOICE_NONE };
}

/* The members of a body that this file and those it calls look at. */
static const char *const known[] = {
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "temperature",
    "top_p",
    "top_logprobs",
    "reasoning",
    "text",
    "metadata",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "include",
    "background",
    "truncation", /* stands last: see respin_decode */
};

enum err
respin_decode(struct hub_request *request, struct str body, struct hub_problem *problem)
{
    struct walk root;
    enum err err = fields_open(request, body, problem, &root);
    if (err != ERR_OK) {
        return err;
    }
    struct in in = { request, request->arena, problem };
    read_words(&in, root);
    err = refuse_state(&in, root);
    if (err == ERR_OK) {
        err = read_instructions(&in, walk_get(root, STR("instructions")));
    }
    if (err == ERR_OK) {
        err = resptool_read(request, root, problem);
    }
    if (err == ERR_OK) {
        err = respitem_read(request, walk_get(root, STR("input")), problem);
    }
    if (err == ERR_OK) {
        err = read_numbers(&in, root);
    }
    if (err == ERR_OK) {
        err = read_format(&in, walk_get(root, STR("text")));
    }
    if (err == ERR_OK) {
        err = respecho_make(request->arena, root, &request->shape.echo_json);
    }
    settle_compaction(request);
    /* The last of `known` is known in its default only. */
    bool truncates = !walk_is_text(walk_get(root, STR("truncation")), STR("disabled"));
    fields_drop(request, root, known, sizeof known / sizeof known[0] - truncates);
    return err;
}

/*
 * gemin.c - a Gemini generateContent request becomes the neutral form.
 *
 * Members may be spelled in lowerCamelCase or snake_case. The model and whether it streams stand in
 * the path: they are in the request's shape already.
 */
#include "base/check.h"
#include "proto/effort.h"
#include "proto/fields.h"
#include "proto/gemini.h"
#include "proto/gempart.h"
#include "proto/gemtool.h"
#include "proto/revert.h"
#include "proto/walk.h"

struct in {
    struct hub_request *request;
    struct arena *arena;
    struct hub_problem *problem;
};

static struct str
text_of(const struct in *in, struct walk at, const char *camel)
{
    return walk_string(walk_get_camel(at, str_of(camel)), in->arena);
}

/* --- contents --- */

static enum err
read_content(const struct in *in, struct walk source, uint32_t index)
{
    bool is_model = walk_is_text(walk_get(source, STR("role")), STR("model"));
    struct hub_message *message =
        hub_message_add(in->request, is_model ? HUB_ASSISTANT : HUB_USER, index);
    if (message == NULL) {
        return ERR_FULL;
    }
    char where[HUB_PATH_BYTES];
    return gempart_read(in->request, walk_get(source, STR("parts")), &message->parts,
                        hub_path(in->request, message, where), in->problem);
}

/* A list, one content, or a bare text. */
static enum err
read_contents(const struct in *in, struct walk value)
{
    if (walk_kind(value) == JSON_OBJECT) {
        return read_content(in, value, 0);
    }
    if (walk_kind(value) == JSON_STRING) {
        struct hub_message *message = hub_message_add(in->request, HUB_USER, 0);
        bool is_kept = message != NULL && hub_text_to(in->arena, &message->parts,
                                                      walk_string(value, in->arena)) != NULL;
        return is_kept ? ERR_OK : ERR_FULL;
    }
    if (walk_kind(value) != JSON_ARRAY) {
        return hub_refuse(in->problem, "must be a list", "contents");
    }
    uint32_t index = 0;
    enum err err = ERR_OK;
    for (struct walk at = walk_first(value); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = read_content(in, at, index++);
    }
    return err;
}

static enum err
read_system(const struct in *in, struct walk system)
{
    if (!walk_is_value(system)) {
        return ERR_OK;
    }
    struct hub_message *message = hub_message_add(in->request, HUB_SYSTEM, 0);
    if (message == NULL) {
        return ERR_FULL;
    }
    if (walk_kind(system) == JSON_STRING) {
        struct str text = walk_string(system, in->arena);
        return hub_text_to(in->arena, &message->parts, text) == NULL ? ERR_FULL : ERR_OK;
    }
    struct walk parts = walk_get(system, STR("parts"));
    if (walk_kind(parts) == JSON_OBJECT) {
        struct str text = walk_string(walk_get(parts, STR("text")), in->arena);
        return hub_text_to(in->arena, &message->parts, text) == NULL ? ERR_FULL : ERR_OK;
    }
    return gempart_read(in->request, parts, &message->parts, "systemInstruction", in->problem);
}

/* --- generationConfig --- */

static enum err
read_numbers(const struct in *in, struct walk config)
{
    struct hub_request *request = in->request;
    const struct {
        const char *name;
        struct str *to;
    } numbers[] = {
        { "temperature", &request->temperature_json },
        { "topP", &request->top_p_json },
        { "topK", &request->top_k_json },
        { "seed", &request->seed_json },
        { "frequencyPenalty", &request->frequency_penalty_json },
        { "presencePenalty", &request->presence_penalty_json },
        { "logprobs", &request->top_logprobs_json },
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct walk value = walk_get_camel(config, str_of(numbers[i].name));
        if (walk_is_value(value) && walk_kind(value) != JSON_NUMBER) {
            return hub_refuse(in->problem, "must be a number", "generationConfig.%s",
                              numbers[i].name);
        }
        *numbers[i].to = walk_raw_value(value);
    }
    struct walk max = walk_get_camel(config, STR("maxOutputTokens"));
    request->has_output_max = walk_u64(max, &request->output_tokens_max);
    if (walk_is_value(max) && !request->has_output_max) {
        return hub_refuse(in->problem, "must be a whole number",
                          "generationConfig.maxOutputTokens");
    }
    struct walk count = walk_get_camel(config, STR("candidateCount"));
    if (walk_is_value(count) && (!walk_u64(count, &request->answers) || request->answers == 0)) {
        return hub_refuse(in->problem, "must be a whole number above 0",
                          "generationConfig.candidateCount");
    }
    request->logprobs = walk_tri(walk_get_camel(config, STR("responseLogprobs")));
    return ERR_OK;
}

static enum err
read_stops(const struct in *in, struct walk list)
{
    struct hub_request *request = in->request;
    for (struct walk at = walk_first(list); walk_is_there(at); at = walk_next(at)) {
        struct str stop = walk_string(at, in->arena);
        if (stop.len == 0) {
            continue;
        }
        if (request->stop_count == HUB_STOPS_MAX || stop.len > HUB_STOP_BYTES_MAX) {
            return hub_refuse(in->problem, "too many or too long stop sequences",
                              "generationConfig.stopSequences");
        }
        request->stops[request->stop_count++] = stop;
    }
    return ERR_OK;
}

static void
read_thinking(const struct in *in, struct walk config)
{
    static const struct {
        const char *word;
        enum hub_effort effort;
    } levels[] = { { "MINIMAL", HUB_EFFORT_MINIMAL },
                   { "LOW", HUB_EFFORT_LOW },
                   { "MEDIUM", HUB_EFFORT_MEDIUM },
                   { "HIGH", HUB_EFFORT_HIGH } };
    struct hub_thinking *thinking = &in->request->thinking;
    struct walk budget = walk_get_camel(config, STR("thinkingBudget"));
    struct str level = text_of(in, config, "thinkingLevel");
    thinking->show = walk_tri(walk_get_camel(config, STR("includeThoughts")));
    if (walk_u64(budget, &thinking->budget_tokens)) {
        thinking->has_budget = thinking->budget_tokens > 0;
        thinking->effort = effort_of_budget(thinking->budget_tokens);
    } else if (str_equal(walk_raw(budget), STR("-1"))) {
        thinking->effort = HUB_EFFORT_AUTO;
    } else if (thinking->show == HUB_YES) {
        thinking->effort = HUB_EFFORT_AUTO;
    }
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (str_equal_nocase(level, str_of(levels[i].word))) {
            thinking->effort = levels[i].effort;
        }
    }
}

static enum err
read_format(const struct in *in, struct walk config)
{
    struct hub_format *format = &in->request->format;
    struct str mime = text_of(in, config, "responseMimeType");
    struct walk schema = walk_get_camel(config, STR("responseSchema"));
    format->schema_json = walk_raw_value(walk_get_camel(config, STR("responseJsonSchema")));
    format->is_strict_source = true;
    enum err err = ERR_OK;
    if (format->schema_json.len == 0 && walk_is_value(schema)) {
        err = revert_schema(walk_raw(schema), in->arena, &format->schema_json);
    }
    if (err == ERR_BAD) {
        return hub_refuse(in->problem, "is no schema", "generationConfig.responseSchema");
    }
    if (str_equal(mime, STR("text/x.enum"))) {
        format->kind = HUB_FORMAT_ENUM;
    } else if (format->schema_json.len > 0) {
        format->kind = HUB_FORMAT_SCHEMA;
    } else if (str_equal(mime, STR("application/json"))) {
        format->kind = HUB_FORMAT_JSON;
    }
    return err;
}

static void
read_modes(const struct in *in, struct walk config)
{
    static const char *const hints[] = { "mediaResolution", "speechConfig", "imageConfig" };
    struct walk modes = walk_get_camel(config, STR("responseModalities"));
    for (struct walk at = walk_first(modes); walk_is_there(at); at = walk_next(at)) {
        struct str mode = walk_string(at, in->arena);
        in->request->wants_image |= str_equal_nocase(mode, STR("image"));
        in->request->wants_audio |= str_equal_nocase(mode, STR("audio"));
    }
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        if (walk_is_value(walk_get_camel(config, str_of(hints[i])))) {
            hub_drop(in->request->losses, str_of(hints[i]));
        }
    }
}

static enum err
read_config(const struct in *in, struct walk config)
{
    enum err err = read_numbers(in, config);
    if (err == ERR_OK) {
        err = read_stops(in, walk_get_camel(config, STR("stopSequences")));
    }
    if (err == ERR_OK) {
        err = read_format(in, config);
    }
    read_thinking(in, walk_get_camel(config, STR("thinkingConfig")));
    read_modes(in, config);
    return err;
}

/* --- all of it --- */

/* The members of a body that this file and those it calls look at. */
static const char *const known[] = {
    "contents",
    "systemInstruction",
    "system_instruction",
    "tools",
    "toolConfig",
    "tool_config",
    "generationConfig",
    "generation_config",
    "serviceTier",
    "service_tier",
    "store",
    "model",
    "generateContentRequest",
};

/* Where the members stand: countTokens may wrap them. */
static struct walk
inner_of(struct walk root)
{
    struct walk wrapped = walk_get_camel(root, STR("generateContentRequest"));
    return walk_kind(wrapped) == JSON_OBJECT ? wrapped : root;
}

enum err
gemin_decode(struct hub_request *request, struct str body, struct hub_problem *problem)
{
    struct walk root;
    enum err err = fields_open(request, body, problem, &root);
    if (err != ERR_OK) {
        return err;
    }
    root = inner_of(root);
    struct in in = { request, request->arena, problem };
    if (walk_is_value(walk_get_camel(root, STR("cachedContent")))) {
        return hub_reject(problem, "the upstream does not have this cache", "cachedContent");
    }
    request->tier = text_of(&in, root, "serviceTier");
    request->store = walk_tri(walk_get(root, STR("store")));
    err = read_system(&in, walk_get_camel(root, STR("systemInstruction")));
    if (err == ERR_OK) {
        err = read_contents(&in, walk_get(root, STR("contents")));
    }
    if (err == ERR_OK) {
        err = read_config(&in, walk_get_camel(root, STR("generationConfig")));
    }
    if (err == ERR_OK) {
        err = gemtool_read(request, root, problem);
    }
    fields_drop(request, root, known, sizeof known / sizeof known[0]);
    return err;
}

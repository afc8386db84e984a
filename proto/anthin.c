/*
 * anthin.c - an Anthropic Messages request becomes the neutral form.
 */
#include "base/check.h"
#include "proto/anthblock.h"
#include "proto/anthropic.h"
#include "proto/anthtool.h"
#include "proto/effort.h"
#include "proto/fields.h"
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

/* Claude Code's own line for Anthropic's accounting; no model should read it. */
static bool
is_billing(struct str text)
{
    return str_starts(text, STR("x-anthropic-billing-header:"));
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
    enum err err = anthblock_read(in->request, system, &message->parts, "system", in->problem);
    for (struct hub_part *part = message->parts; part != NULL; part = part->next) {
        if (is_billing(part->text)) {
            part->text = str_make(NULL, 0);
        }
    }
    return err;
}

static enum err
read_message(const struct in *in, struct walk source, uint32_t index)
{
    struct walk role = walk_get(source, STR("role"));
    char where[HUB_PATH_BYTES];
    enum hub_role meaning = HUB_USER;
    if (walk_is_text(role, STR("assistant"))) {
        meaning = HUB_ASSISTANT;
    } else if (walk_is_text(role, STR("system"))) {
        meaning = HUB_SYSTEM;
    } else if (!walk_is_text(role, STR("user"))) {
        return hub_refuse(in->problem, "the role is missing or unknown", "messages[%u].role",
                          index);
    }
    struct hub_message *message = hub_message_add(in->request, meaning, index);
    if (message == NULL) {
        return ERR_FULL;
    }
    hub_path(in->request, message, where);
    return anthblock_read(in->request, walk_get(source, STR("content")), &message->parts, where,
                          in->problem);
}

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
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct walk value = walk_get(root, str_of(numbers[i].name));
        if (walk_is_value(value) && walk_kind(value) != JSON_NUMBER) {
            return hub_refuse(in->problem, "must be a number", "%s", numbers[i].name);
        }
        *numbers[i].to = walk_raw_value(value);
    }
    struct walk max = walk_get(root, STR("max_tokens"));
    request->has_output_max = walk_u64(max, &request->output_tokens_max);
    if (!request->has_output_max && !request->shape.is_count) {
        return hub_refuse(in->problem, "must be a whole number", "max_tokens");
    }
    return ERR_OK;
}

static enum err
read_stops(const struct in *in, struct walk value)
{
    struct hub_request *request = in->request;
    for (struct walk at = walk_first(value); walk_is_there(at); at = walk_next(at)) {
        struct str stop = walk_string(at, in->arena);
        if (stop.len == 0) {
            continue;
        }
        if (request->stop_count == HUB_STOPS_MAX || stop.len > HUB_STOP_BYTES_MAX) {
            return hub_refuse(in->problem, "too many or too long stop sequences", "stop_sequences");
        }
        request->stops[request->stop_count++] = stop;
    }
    return ERR_OK;
}

static void
read_thinking(const struct in *in, struct walk root)
{
    struct hub_thinking *thinking = &in->request->thinking;
    struct walk value = walk_get(root, STR("thinking"));
    struct walk type = walk_get(value, STR("type"));
    bool is_on = walk_is_text(type, STR("enabled")) || walk_is_text(type, STR("adaptive")) ||
                 walk_is_text(type, STR("between_tools"));
    if (walk_is_text(type, STR("disabled"))) {
        thinking->effort = HUB_EFFORT_OFF;
        return;
    }
    if (is_on) {
        thinking->effort = HUB_EFFORT_AUTO;
        bool is_hidden = walk_is_text(walk_get(value, STR("display")), STR("omitted"));
        thinking->show = is_hidden ? HUB_NO : HUB_YES;
        if (walk_u64(walk_get(value, STR("budget_tokens")), &thinking->budget_tokens)) {
            thinking->has_budget = true;
            thinking->effort = effort_of_budget(thinking->budget_tokens);
        }
    }
    enum hub_effort said =
        effort_parse(text_of(in, walk_get(root, STR("output_config")), "effort"));
    if (said != HUB_EFFORT_UNSET) {
        thinking->effort = said;
    }
}

static enum err
read_format(const struct in *in, struct walk root)
{
    struct walk format = walk_get(walk_get(root, STR("output_config")), STR("format"));
    if (!walk_is_value(format)) {
        format = walk_get(root, STR("output_format")); /* its name while it was a beta */
    }
    if (!walk_is_value(format)) {
        return ERR_OK;
    }
    if (!walk_is_text(walk_get(format, STR("type")), STR("json_schema"))) {
        return hub_reject(in->problem, "this format cannot be translated", "output_config.format");
    }
    in->request->format = (struct hub_format){
        .kind = HUB_FORMAT_SCHEMA,
        .schema_json = walk_raw_value(walk_get(format, STR("schema"))),
        .is_strict_source = true,
    };
    return ERR_OK;
}

/* What would change the answer and exists at Anthropic only. */
static enum err
refuse_own(const struct in *in, struct walk root)
{
    static const char *const names[] = { "mcp_servers", "container" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct walk value = walk_get(root, str_of(names[i]));
        bool is_set = walk_kind(value) == JSON_ARRAY ? walk_count(value) > 0 : walk_is_value(value);
        if (is_set) {
            return hub_reject(in->problem, "the upstream has nothing like it", "%s", names[i]);
        }
    }
    return ERR_OK;
}

static void
read_words(const struct in *in, struct walk root)
{
    struct hub_request *request = in->request;
    request->shape.model = text_of(in, root, "model");
    request->shape.stream = walk_is_true(walk_get(root, STR("stream")));
    request->tier = text_of(in, root, "service_tier");
    request->end_user = text_of(in, walk_get(root, STR("metadata")), "user_id");
    request->cache = anthblock_cache(root);
}

/* The members of a body that this file and those it calls look at. */
static const char *const known[] = {
    "model",        "messages",      "system",        "max_tokens", "tools",
    "tool_choice",  "temperature",   "top_p",         "top_k",      "stop_sequences",
    "thinking",     "output_config", "output_format", "stream",     "metadata",
    "service_tier", "cache_control", "mcp_servers",   "container",
};

enum err
anthin_decode(struct hub_request *request, struct str body, struct hub_problem *problem)
{
    struct walk root;
    enum err err = fields_open(request, body, problem, &root);
    if (err != ERR_OK) {
        return err;
    }
    struct in in = { request, request->arena, problem };
    read_words(&in, root);
    read_thinking(&in, root);
    err = read_system(&in, walk_get(root, STR("system")));
    if (err == ERR_OK) {
        err = read_messages(&in, walk_get(root, STR("messages")));
    }
    if (err == ERR_OK) {
        err = read_numbers(&in, root);
    }
    if (err == ERR_OK) {
        err = read_stops(&in, walk_get(root, STR("stop_sequences")));
    }
    if (err == ERR_OK) {
        err = read_format(&in, root);
    }
    if (err == ERR_OK) {
        err = refuse_own(&in, root);
    }
    if (err == ERR_OK) {
        err = anthtool_read(request, root, problem);
    }
    fields_drop(request, root, known, sizeof known / sizeof known[0]);
    return err;
}

/*
 * gemtool.c - tools of Gemini requests, read and written (see gemtool.h).
 */
#include "proto/gemtool.h"

#include "base/check.h"
#include "proto/revert.h"
#include "proto/schema.h"

/* --- reading --- */

static struct str
text_of(const struct hub_request *request, struct walk at, const char *camel)
{
    return walk_string(walk_get_camel(at, str_of(camel)), request->arena);
}

static enum err
read_declaration(struct hub_request *request, struct walk source, struct hub_problem *problem)
{
    struct hub_tool *tool = hub_tool_add(request, HUB_TOOL_FUNCTION);
    if (tool == NULL) {
        return ERR_FULL;
    }
    tool->name = text_of(request, source, "name");
    tool->description = text_of(request, source, "description");
    struct str schema = walk_raw_value(walk_get(source, STR("parameters")));
    tool->schema_json = walk_raw_value(walk_get_camel(source, STR("parametersJsonSchema")));
    enum err err = ERR_OK;
    if (tool->schema_json.len == 0 && schema.len > 0) {
        err = revert_schema(schema, request->arena, &tool->schema_json);
    }
    if (err == ERR_BAD || tool->name.len == 0) {
        return hub_refuse(problem, "the declaration has no name, or no schema",
                          "tools.functionDeclarations[%u]", request->tool_count - 1);
    }
    return err;
}

static enum err
read_hosted(struct hub_request *request, struct walk whole, struct str name, enum hub_hosted kind)
{
    struct hub_tool *tool = hub_tool_add(request, HUB_TOOL_HOSTED);
    if (tool == NULL) {
        return ERR_FULL;
    }
    tool->name = name;
    tool->hosted_type = name;
    tool->hosted = kind;
    tool->whole_json = walk_raw(whole);
    tool->home = DIALECT_GEMINI;
    return ERR_OK;
}

/* One element of tools: declarations and any number of Google's own. */
static enum err
read_element(struct hub_request *request, struct walk element, struct hub_problem *problem)
{
    static const struct {
        const char *name;
        enum hub_hosted kind;
    } theirs[] = {
        { "googleSearch", HUB_HOSTED_WEB_SEARCH },
        { "googleSearchRetrieval", HUB_HOSTED_WEB_SEARCH },
        { "codeExecution", HUB_HOSTED_CODE },
        { "urlContext", HUB_HOSTED_WEB_FETCH },
        { "googleMaps", HUB_HOSTED_OTHER },
        { "fileSearch", HUB_HOSTED_FILE_SEARCH },
        { "computerUse", HUB_HOSTED_COMPUTER },
        { "mcpServers", HUB_HOSTED_MCP },
    };
    struct walk list = walk_get_camel(element, STR("functionDeclarations"));
    enum err err = ERR_OK;
    for (struct walk at = walk_first(list); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = read_declaration(request, at, problem);
    }
    for (size_t i = 0; i < sizeof theirs / sizeof theirs[0] && err == ERR_OK; i++) {
        struct walk tool = walk_get_camel(element, str_of(theirs[i].name));
        if (walk_is_value(tool)) {
            err = read_hosted(request, tool, str_of(theirs[i].name), theirs[i].kind);
        }
    }
    return err;
}

static enum err
read_choice(struct hub_request *request, struct walk config)
{
    struct walk mode = walk_get(config, STR("mode"));
    struct hub_choice *choice = &request->choice;
    struct walk names = walk_get_camel(config, STR("allowedFunctionNames"));
    bool is_any = walk_is_text(mode, STR("ANY"));
    if (walk_is_text(mode, STR("NONE"))) {
        choice->mode = HUB_CHOICE_NONE;
    } else if (walk_is_text(mode, STR("AUTO"))) {
        choice->mode = HUB_CHOICE_AUTO;
    } else if (is_any || walk_is_text(mode, STR("VALIDATED"))) {
        uint32_t count = walk_count(names);
        choice->mode = is_any ? (count == 1  ? HUB_CHOICE_ONE
                                 : count > 1 ? HUB_CHOICE_SOME_ANY
                                             : HUB_CHOICE_ANY)
                              : (count > 0 ? HUB_CHOICE_SOME_AUTO : HUB_CHOICE_VALIDATED);
        for (struct walk at = walk_first(names); walk_is_there(at); at = walk_next(at)) {
            if (!hub_choice_to(request, walk_string(at, request->arena), str_make(NULL, 0))) {
                return ERR_FULL;
            }
        }
    }
    return ERR_OK;
}

enum err
gemtool_read(struct hub_request *request, struct walk root, struct hub_problem *problem)
{
    struct walk tools = walk_get(root, STR("tools"));
    enum err err = ERR_OK;
    if (walk_kind(tools) == JSON_OBJECT) {
        err = read_element(request, tools, problem); /* some clients leave the list out */
    }
    for (struct walk at = walk_first(tools); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = read_element(request, at, problem);
    }
    struct walk config =
        walk_get_camel(walk_get_camel(root, STR("toolConfig")), STR("functionCallingConfig"));
    return err == ERR_OK ? read_choice(request, config) : err;
}

/* --- writing --- */

static enum err
write_schema(const struct codec_job *job, struct jsonw *w, const struct hub_tool *tool)
{
    const struct caps *caps = job->target->caps;
    struct str source = tool->kind == HUB_TOOL_CUSTOM ? STR(PLAN_CUSTOM_SCHEMA) : tool->schema_json;
    if (source.len == 0) {
        return ERR_OK;
    }
    struct str schema;
    enum err err = caps->json_schema ? schema_to_gemini_json(source, job->arena, &schema)
                                     : schema_to_gemini(source, caps, job->arena, &schema);
    if (err == ERR_BAD) {
        return hub_refuse(job->problem, "the tool's schema is no object", "tools");
    }
    if (err == ERR_OK) {
        jsonw_name(w, caps->json_schema ? "parametersJsonSchema" : "parameters");
        jsonw_raw(w, schema);
    }
    return err;
}

static enum err
write_declaration(const struct codec_job *job, struct jsonw *w, const struct hub_tool *tool)
{
    const struct plan_tool *planned = plan_tool_named(job->plan, tool->name, tool->space);
    CHECK(planned != NULL);
    struct str description = tool->description;
    enum err err = ERR_OK;
    if (tool->kind == HUB_TOOL_CUSTOM) {
        err = plan_custom_description(job->arena, tool, &description);
    }
    jsonw_object(w);
    jsonw_put_str(w, "name", planned->wire);
    if (description.len > 0) {
        jsonw_put_str(w, "description", description);
    }
    err = err == ERR_OK ? write_schema(job, w, tool) : err;
    jsonw_close(w);
    return err;
}

/* allowed_tools on a model that cannot be told: the others are not offered. */
static bool
is_offered(const struct codec_job *job, const struct hub_tool *tool)
{
    const struct hub_choice *choice = &job->request->choice;
    if (choice->mode != HUB_CHOICE_SOME_AUTO || job->target->caps->validated) {
        return true;
    }
    for (const struct hub_choice_name *name = choice->names; name != NULL; name = name->next) {
        if (str_equal(name->name, tool->name) && str_equal(name->space, tool->space)) {
            return true;
        }
    }
    return false;
}

static enum err
write_declarations(const struct codec_job *job, struct jsonw *w)
{
    if (job->plan->tools == NULL) {
        return ERR_OK;
    }
    enum err err = ERR_OK;
    jsonw_object(w);
    jsonw_name(w, "functionDeclarations");
    jsonw_array(w);
    for (const struct hub_tool *tool = job->request->tools; tool != NULL && err == ERR_OK;
         tool = tool->next) {
        if (tool->kind != HUB_TOOL_HOSTED && is_offered(job, tool)) {
            err = write_declaration(job, w, tool);
        }
    }
    jsonw_close(w);
    jsonw_close(w);
    return err;
}

/* Google's search and its reader of pages; what another provider runs beyond that has no like. */
static enum err
write_hosted(const struct codec_job *job, struct jsonw *w, const struct hub_tool *tool)
{
    bool is_search = tool->hosted == HUB_HOSTED_WEB_SEARCH;
    bool is_fetch = tool->hosted == HUB_HOSTED_WEB_FETCH;
    bool is_forced = job->request->choice.mode == HUB_CHOICE_HOSTED && !is_search;
    if (tool->hosted == HUB_HOSTED_COMPUTER || is_forced) {
        return hub_reject(job->problem, "the upstream has no such tool", "tools (%.*s)",
                          (int)(tool->hosted_type.len > 40 ? 40 : tool->hosted_type.len),
                          tool->hosted_type.data);
    }
    bool may_mix = job->plan->tools == NULL || job->target->caps->mixed_tools;
    if ((!is_search && !is_fetch) || !may_mix) {
        hub_drop(job->losses, tool->hosted_type);
        return ERR_OK;
    }
    jsonw_object(w);
    jsonw_name(w, is_search ? "googleSearch" : "urlContext");
    jsonw_raw(w, STR("{}"));
    jsonw_close(w);
    return ERR_OK;
}

static bool
has_strict(const struct hub_request *request)
{
    for (const struct hub_tool *tool = request->tools; tool != NULL; tool = tool->next) {
        if (tool->strict == HUB_YES) {
            return true;
        }
    }
    return false;
}

static const char *
mode_of(const struct codec_job *job)
{
    bool can_validate = job->target->caps->validated;
    switch (job->request->choice.mode) {
    case HUB_CHOICE_UNSET:
        return can_validate && has_strict(job->request) ? "VALIDATED" : NULL;
    case HUB_CHOICE_AUTO:
        return can_validate && has_strict(job->request) ? "VALIDATED" : "AUTO";
    case HUB_CHOICE_NONE:
        return "NONE";
    case HUB_CHOICE_ANY:
    case HUB_CHOICE_ONE:
    case HUB_CHOICE_SOME_ANY:
        return "ANY";
    case HUB_CHOICE_SOME_AUTO:
    case HUB_CHOICE_VALIDATED:
        return can_validate ? "VALIDATED" : "AUTO";
    case HUB_CHOICE_HOSTED:
        return NULL;
    }
    return NULL;
}

static enum err
write_choice(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_choice *choice = &job->request->choice;
    const char *mode = mode_of(job);
    if (mode == NULL || job->plan->tools == NULL) {
        return ERR_OK;
    }
    bool has_names = choice->mode == HUB_CHOICE_ONE || choice->mode == HUB_CHOICE_SOME_ANY ||
                     (choice->mode == HUB_CHOICE_SOME_AUTO && job->target->caps->validated);
    enum err err = ERR_OK;
    jsonw_name(w, "toolConfig");
    jsonw_object(w);
    jsonw_name(w, "functionCallingConfig");
    jsonw_object(w);
    jsonw_put_text(w, "mode", mode);
    if (has_names) {
        jsonw_name(w, "allowedFunctionNames");
        jsonw_array(w);
        for (const struct hub_choice_name *name = choice->names; name != NULL && err == ERR_OK;
             name = name->next) {
            struct str wire;
            err = plan_wire(job->plan, name->name, name->space, &wire);
            jsonw_str(w, wire);
        }
        jsonw_close(w);
    }
    jsonw_close(w);
    jsonw_close(w);
    return err;
}

enum err
gemtool_write(const struct codec_job *job, struct jsonw *w)
{
    if (job->request->tools == NULL) {
        return ERR_OK;
    }
    if (job->request->choice.parallel == HUB_NO && !job->plan->single_call) {
        hub_drop(job->losses, str_of(hub_field_name(job->request, HUB_FIELD_PARALLEL)));
    }
    jsonw_name(w, "tools");
    jsonw_array(w);
    enum err err = write_declarations(job, w);
    for (const struct hub_tool *tool = job->request->tools; tool != NULL && err == ERR_OK;
         tool = tool->next) {
        if (tool->kind == HUB_TOOL_HOSTED) {
            err = write_hosted(job, w, tool);
        }
    }
    jsonw_close(w);
    return err == ERR_OK ? write_choice(job, w) : err;
}

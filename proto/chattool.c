/*
 * chattool.c - tools of Chat Completions, read and written (see chattool.h).
 */
#include "proto/chattool.h"

#include "base/check.h"

/* --- reading --- */

static struct str
text_of(const struct hub_request *request, struct walk at, const char *name)
{
    return walk_string(walk_get(at, str_of(name)), request->arena);
}

/* Of the tool read last. */
static enum err
check_name(const struct hub_request *request, struct hub_problem *problem)
{
    return request->last_tool->name.len > 0
               ? ERR_OK
               : hub_refuse(problem, "the tool has no name", "tools[%u]", request->tool_count - 1);
}

static enum err
read_function(struct hub_request *request, struct walk function, struct hub_problem *problem)
{
    struct hub_tool *tool = hub_tool_add(request, HUB_TOOL_FUNCTION);
    if (tool == NULL) {
        return ERR_FULL;
    }
    tool->name = text_of(request, function, "name");
    tool->description = text_of(request, function, "description");
    tool->schema_json = walk_raw_value(walk_get(function, STR("parameters")));
    tool->strict = walk_tri(walk_get(function, STR("strict")));
    return check_name(request, problem);
}

static enum err
read_custom(struct hub_request *request, struct walk custom, struct hub_problem *problem)
{
    struct hub_tool *tool = hub_tool_add(request, HUB_TOOL_CUSTOM);
    if (tool == NULL) {
        return ERR_FULL;
    }
    struct walk format = walk_get(custom, STR("format"));
    struct walk grammar = walk_get(format, STR("grammar"));
    tool->name = text_of(request, custom, "name");
    tool->description = text_of(request, custom, "description");
    tool->grammar = text_of(request, grammar, "definition");
    tool->grammar_syntax = text_of(request, grammar, "syntax");
    return check_name(request, problem);
}

static enum err
read_hosted(struct hub_request *request, struct walk whole, struct str type, enum hub_hosted kind)
{
    struct hub_tool *tool = hub_tool_add(request, HUB_TOOL_HOSTED);
    if (tool == NULL) {
        return ERR_FULL;
    }
    tool->hosted = kind;
    tool->hosted_type = type;
    tool->name = type;
    tool->whole_json = walk_raw_value(whole);
    tool->home = DIALECT_CHAT;
    return ERR_OK;
}

static enum hub_cache
mark_of(struct walk tool)
{
    struct walk mark = walk_get(tool, STR("cache_control"));
    if (walk_kind(mark) != JSON_OBJECT) {
        return HUB_CACHE_NONE;
    }
    return walk_is_text(walk_get(mark, STR("ttl")), STR("1h")) ? HUB_CACHE_1H : HUB_CACHE_5M;
}

static enum err
read_tool(struct hub_request *request, struct walk tool, struct hub_problem *problem)
{
    struct walk function = walk_get(tool, STR("function"));
    struct walk custom = walk_get(tool, STR("custom"));
    enum err err;
    if (walk_kind(function) == JSON_OBJECT) {
        err = read_function(request, function, problem);
    } else if (walk_kind(custom) == JSON_OBJECT) {
        err = read_custom(request, custom, problem);
    } else {
        struct str type = text_of(request, tool, "type");
        bool is_search = str_starts(type, STR("web_search"));
        err =
            read_hosted(request, tool, type, is_search ? HUB_HOSTED_WEB_SEARCH : HUB_HOSTED_OTHER);
    }
    if (err == ERR_OK) {
        request->last_tool->cache = mark_of(tool);
    }
    return err;
}

static enum err
choose(struct hub_request *request, enum hub_choice_mode mode, struct str name)
{
    request->choice.mode = mode;
    return hub_choice_to(request, name, str_make(NULL, 0)) ? ERR_OK : ERR_FULL;
}

static enum err
read_allowed(struct hub_request *request, struct walk allowed)
{
    bool is_any = walk_is_text(walk_get(allowed, STR("mode")), STR("required"));
    request->choice.mode = is_any ? HUB_CHOICE_SOME_ANY : HUB_CHOICE_SOME_AUTO;
    struct walk tools = walk_get(allowed, STR("tools"));
    for (struct walk at = walk_first(tools); walk_is_there(at); at = walk_next(at)) {
        struct walk function = walk_get(at, STR("function"));
        struct walk body = walk_is_there(function) ? function : walk_get(at, STR("custom"));
        struct str name = text_of(request, walk_is_there(body) ? body : at, "name");
        if (!hub_choice_to(request, name, str_make(NULL, 0))) {
            return ERR_FULL;
        }
    }
    return ERR_OK;
}

static enum err
read_choice(struct hub_request *request, struct walk value, struct hub_problem *problem)
{
    static const struct {
        const char *word;
        enum hub_choice_mode mode;
    } words[] = { { "auto", HUB_CHOICE_AUTO },
                  { "none", HUB_CHOICE_NONE },
                  { "required", HUB_CHOICE_ANY },
                  { "any", HUB_CHOICE_ANY } };
    if (!walk_is_value(value)) {
        return ERR_OK;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (walk_is_text(value, str_of(words[i].word))) {
            request->choice.mode = words[i].mode;
            return ERR_OK;
        }
    }
    struct walk allowed = walk_get(value, STR("allowed_tools"));
    if (walk_kind(allowed) == JSON_OBJECT) {
        return read_allowed(request, allowed);
    }
    struct walk function = walk_get(value, STR("function"));
    struct walk body = walk_is_there(function) ? function : walk_get(value, STR("custom"));
    struct str name = text_of(request, walk_is_there(body) ? body : value, "name");
    if (name.len == 0) {
        return hub_refuse(problem, "this choice is unknown", "tool_choice");
    }
    return choose(request, HUB_CHOICE_ONE, name);
}

/* `functions` and `function_call` of old; answers then use function_call. */
static enum err
read_legacy(struct hub_request *request, struct walk root, struct hub_problem *problem)
{
    struct walk functions = walk_get(root, STR("functions"));
    struct walk call = walk_get(root, STR("function_call"));
    if (walk_count(functions) == 0 || request->tools != NULL) {
        return ERR_OK;
    }
    request->shape.legacy_functions = true;
    request->choice.parallel = HUB_NO; /* there is room for one call in the reply */
    enum err err = ERR_OK;
    for (struct walk at = walk_first(functions); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = read_function(request, at, problem);
    }
    return err == ERR_OK ? read_choice(request, call, problem) : err;
}

enum err
chattool_read(struct hub_request *request, struct walk root, struct hub_problem *problem)
{
    struct walk tools = walk_get(root, STR("tools"));
    enum err err = ERR_OK;
    for (struct walk at = walk_first(tools); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = read_tool(request, at, problem);
    }
    if (err == ERR_OK) {
        err = read_choice(request, walk_get(root, STR("tool_choice")), problem);
    }
    if (err == ERR_OK) {
        err = read_legacy(request, root, problem);
    }
    struct walk search = walk_get(root, STR("web_search_options"));
    if (err == ERR_OK && walk_kind(search) == JSON_OBJECT) {
        err = read_hosted(request, search, STR("web_search"), HUB_HOSTED_WEB_SEARCH);
    }
    return err;
}

/* --- writing --- */

/* Free text as the upstream has it, or as a function with one string. */
static enum err
write_custom(const struct codec_job *job, struct jsonw *w, const struct hub_tool *tool,
             struct str wire, bool is_wrapped)
{
    if (!is_wrapped) {
        jsonw_put_text(w, "type", "custom");
        jsonw_name(w, "custom");
        jsonw_object(w);
        jsonw_put_str(w, "name", wire);
        if (tool->description.len > 0) {
            jsonw_put_str(w, "description", tool->description);
        }
        if (tool->grammar.len > 0) {
            jsonw_name(w, "format");
            jsonw_object(w);
            jsonw_put_text(w, "type", "grammar");
            jsonw_name(w, "grammar");
            jsonw_object(w);
            jsonw_put_str(w, "definition", tool->grammar);
            jsonw_put_str(w, "syntax", tool->grammar_syntax);
            jsonw_close(w);
            jsonw_close(w);
        }
        jsonw_close(w);
        return ERR_OK;
    }
    struct str description;
    enum err err = plan_custom_description(job->arena, tool, &description);
    jsonw_put_text(w, "type", "function");
    jsonw_name(w, "function");
    jsonw_object(w);
    jsonw_put_str(w, "name", wire);
    if (description.len > 0) {
        jsonw_put_str(w, "description", description);
    }
    jsonw_name(w, "parameters");
    jsonw_raw(w, STR(PLAN_CUSTOM_SCHEMA));
    jsonw_close(w);
    return err;
}

static void
write_function(struct jsonw *w, const struct hub_tool *tool, struct str wire)
{
    jsonw_put_text(w, "type", "function");
    jsonw_name(w, "function");
    jsonw_object(w);
    jsonw_put_str(w, "name", wire);
    if (tool->description.len > 0) {
        jsonw_put_str(w, "description", tool->description);
    }
    if (tool->schema_json.len > 0) {
        jsonw_name(w, "parameters");
        jsonw_raw(w, tool->schema_json);
    }
    if (tool->strict != HUB_UNSET) {
        jsonw_put_bool(w, "strict", tool->strict == HUB_YES);
    }
    jsonw_close(w);
}

static enum err
write_tool(const struct codec_job *job, struct jsonw *w, const struct hub_tool *tool)
{
    const struct plan_tool *planned = plan_tool_named(job->plan, tool->name, tool->space);
    CHECK(planned != NULL);
    jsonw_object(w);
    enum err err = ERR_OK;
    if (tool->kind == HUB_TOOL_CUSTOM) {
        err = write_custom(job, w, tool, planned->wire, planned->is_wrapped);
    } else {
        if (tool->schema_json.len > 0 && tool->schema_json.data[0] != '{') {
            return hub_refuse(job->problem, "the tool's schema is no object", "tools");
        }
        write_function(w, tool, planned->wire);
    }
    jsonw_close(w);
    return err;
}

/* What the provider runs itself: web search where the account has it. */
static enum err
write_hosted(const struct codec_job *job, struct jsonw *w)
{
    bool is_forced = job->request->choice.mode == HUB_CHOICE_HOSTED;
    for (const struct hub_tool *tool = job->request->tools; tool != NULL; tool = tool->next) {
        if (tool->kind != HUB_TOOL_HOSTED) {
            continue;
        }
        if (tool->hosted == HUB_HOSTED_COMPUTER || is_forced) {
            return hub_reject(job->problem, "the upstream has no such tool", "tools (%.*s)",
                              (int)(tool->hosted_type.len > 40 ? 40 : tool->hosted_type.len),
                              tool->hosted_type.data);
        }
        if (tool->hosted == HUB_HOSTED_WEB_SEARCH && job->target->caps->web_search) {
            jsonw_name(w, "web_search_options");
            jsonw_raw(w, STR("{}"));
        } else {
            hub_drop(job->losses, tool->hosted_type);
        }
    }
    return ERR_OK;
}

/* {"type":"function","function":{"name":...}} or the same of a custom tool. */
static enum err
write_choice_name(const struct codec_job *job, struct jsonw *w, const struct hub_choice_name *name)
{
    const struct plan_tool *planned = plan_tool_named(job->plan, name->name, name->space);
    bool is_custom = planned != NULL && planned->kind == HUB_CUSTOM && !planned->is_wrapped;
    struct str wire;
    enum err err = plan_wire(job->plan, name->name, name->space, &wire);
    jsonw_object(w);
    jsonw_put_text(w, "type", is_custom ? "custom" : "function");
    jsonw_name(w, is_custom ? "custom" : "function");
    jsonw_object(w);
    jsonw_put_str(w, "name", wire);
    jsonw_close(w);
    jsonw_close(w);
    return err;
}

static enum err
write_allowed(const struct codec_job *job, struct jsonw *w, const char *mode)
{
    jsonw_object(w);
    jsonw_put_text(w, "type", "allowed_tools");
    jsonw_name(w, "allowed_tools");
    jsonw_object(w);
    jsonw_put_text(w, "mode", mode);
    jsonw_name(w, "tools");
    jsonw_array(w);
    enum err err = ERR_OK;
    for (const struct hub_choice_name *name = job->request->choice.names;
         name != NULL && err == ERR_OK; name = name->next) {
        err = write_choice_name(job, w, name);
    }
    jsonw_close(w);
    jsonw_close(w);
    jsonw_close(w);
    return err;
}

static enum err
write_choice(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_choice *choice = &job->request->choice;
    if (choice->mode == HUB_CHOICE_UNSET || choice->mode == HUB_CHOICE_HOSTED) {
        return ERR_OK;
    }
    jsonw_name(w, "tool_choice");
    switch (choice->mode) {
    case HUB_CHOICE_UNSET:
    case HUB_CHOICE_HOSTED:
    case HUB_CHOICE_AUTO:
    case HUB_CHOICE_VALIDATED:
        jsonw_text(w, "auto");
        return ERR_OK;
    case HUB_CHOICE_NONE:
        jsonw_text(w, "none");
        return ERR_OK;
    case HUB_CHOICE_ANY:
        jsonw_text(w, "required");
        return ERR_OK;
    case HUB_CHOICE_ONE:
        return write_choice_name(job, w, choice->names);
    case HUB_CHOICE_SOME_AUTO:
        return write_allowed(job, w, "auto");
    case HUB_CHOICE_SOME_ANY:
        return write_allowed(job, w, "required");
    }
    return ERR_BUG;
}

enum err
chattool_write(const struct codec_job *job, struct jsonw *w)
{
    enum err err = write_hosted(job, w);
    if (job->plan->tools == NULL || err != ERR_OK) {
        return err;
    }
    jsonw_name(w, "tools");
    jsonw_array(w);
    for (const struct hub_tool *tool = job->request->tools; tool != NULL && err == ERR_OK;
         tool = tool->next) {
        if (tool->kind != HUB_TOOL_HOSTED) {
            err = write_tool(job, w, tool);
        }
    }
    jsonw_close(w);
    if (err == ERR_OK) {
        err = write_choice(job, w);
    }
    if (job->request->choice.parallel != HUB_UNSET) {
        jsonw_put_bool(w, "parallel_tool_calls", job->request->choice.parallel == HUB_YES);
    }
    return err;
}

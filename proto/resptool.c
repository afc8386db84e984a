/*
 * resptool.c - tools of Responses, read and written (see resptool.h).
 */
#include "proto/resptool.h"

#include "base/check.h"

/* --- reading --- */

/* Tools that the client runs and whose arguments only OpenAI's models know by heart. */
static const struct known {
    const char *type;
    enum hub_hosted hosted;
    const char *description;
    const char *schema;
} client_tools[] = {
    { "local_shell", HUB_HOSTED_SHELL, "Run a command on the user's machine.",
      "{\"type\":\"object\",\"properties\":{\"command\":{\"type\":\"array\",\"items\":{\"type\":"
      "\"string\"},\"description\":\"The program and its "
      "arguments.\"},\"env\":{\"type\":\"object\","
      "\"additionalProperties\":{\"type\":\"string\"}},\"timeout_ms\":{\"type\":\"integer\"},"
      "\"user\":{\"type\":\"string\"},\"working_directory\":{\"type\":\"string\"}},\"required\":["
      "\"command\"]}" },
    { "shell", HUB_HOSTED_SHELL, "Run shell commands on the user's machine.",
      "{\"type\":\"object\",\"properties\":{\"commands\":{\"type\":\"array\",\"items\":{\"type\":"
      "\"string\"}},\"timeout_ms\":{\"type\":\"integer\"},\"max_output_length\":{\"type\":"
      "\"integer\"}},\"required\":[\"commands\"]}" },
    { "apply_patch", HUB_HOSTED_APPLY_PATCH,
      "Create, change or delete one file. `diff` has the lines of a unified diff without headers.",
      "{\"type\":\"object\",\"properties\":{\"type\":{\"type\":\"string\",\"enum\":["
      "\"create_file\",\"update_file\",\"delete_file\"]},\"path\":{\"type\":\"string\"},\"diff\":{"
      "\"type\":\"string\"}},\"required\":[\"type\",\"path\"]}" },
};

static const struct {
    const char *prefix;
    enum hub_hosted hosted;
} server_tools[] = {
    { "web_search", HUB_HOSTED_WEB_SEARCH },
    { "file_search", HUB_HOSTED_FILE_SEARCH },
    { "code_interpreter", HUB_HOSTED_CODE },
    { "image_generation", HUB_HOSTED_IMAGE },
    { "mcp", HUB_HOSTED_MCP },
    { "computer", HUB_HOSTED_COMPUTER },
    { "tool_search", HUB_HOSTED_TOOL_SEARCH },
};

struct in {
    struct hub_request *request;
    struct hub_problem *problem;
    struct str space;
    struct str space_description;
};

static struct str
text_of(const struct in *in, struct walk at, const char *name)
{
    return walk_string(walk_get(at, str_of(name)), in->request->arena);
}

static enum err
read_function(const struct in *in, struct walk source)
{
    struct str name = text_of(in, source, "name");
    if (name.len == 0) {
        return hub_refuse(in->problem, "the tool has no name", "tools[%u]",
                          in->request->tool_count);
    }
    if (hub_tool_find(in->request, name, in->space) != NULL) {
        return ERR_OK;
    }
    struct hub_tool *tool = hub_tool_add(in->request, HUB_TOOL_FUNCTION);
    if (tool == NULL) {
        return ERR_FULL;
    }
    tool->name = name;
    tool->space = in->space;
    tool->space_description = in->space_description;
    tool->description = text_of(in, source, "description");
    tool->schema_json = walk_raw_value(walk_get(source, STR("parameters")));
    tool->strict = walk_tri(walk_get(source, STR("strict")));
    tool->is_deferred = walk_is_true(walk_get(source, STR("defer_loading")));
    return ERR_OK;
}

static enum err
read_custom(const struct in *in, struct walk source)
{
    struct str name = text_of(in, source, "name");
    if (hub_tool_find(in->request, name, in->space) != NULL) {
        return ERR_OK;
    }
    struct hub_tool *tool = hub_tool_add(in->request, HUB_TOOL_CUSTOM);
    if (tool == NULL) {
        return ERR_FULL;
    }
    struct walk format = walk_get(source, STR("format"));
    tool->name = name;
    tool->space = in->space;
    tool->description = text_of(in, source, "description");
    tool->grammar = text_of(in, format, "definition");
    tool->grammar_syntax = text_of(in, format, "syntax");
    return name.len > 0 ? ERR_OK
                        : hub_refuse(in->problem, "the tool has no name", "tools[%u]",
                                     in->request->tool_count - 1);
}

static enum err
read_known(const struct in *in, const struct known *known)
{
    if (hub_tool_find(in->request, str_of(known->type), str_make(NULL, 0)) != NULL) {
        return ERR_OK;
    }
    struct hub_tool *tool = hub_tool_add(in->request, HUB_TOOL_FUNCTION);
    if (tool == NULL) {
        return ERR_FULL;
    }
    tool->name = str_of(known->type);
    tool->description = str_of(known->description);
    tool->schema_json = str_of(known->schema);
    tool->hosted = known->hosted;
    return ERR_OK;
}

static enum err
read_hosted(const struct in *in, struct walk source, struct str type)
{
    for (size_t i = 0; i < sizeof client_tools / sizeof client_tools[0]; i++) {
        if (str_equal(type, str_of(client_tools[i].type))) {
            return read_known(in, &client_tools[i]);
        }
    }
    struct hub_tool *tool = hub_tool_add(in->request, HUB_TOOL_HOSTED);
    if (tool == NULL) {
        return ERR_FULL;
    }
    tool->name = type;
    tool->hosted_type = type;
    tool->whole_json = walk_raw(source);
    tool->home = DIALECT_RESPONSES;
    for (size_t i = 0; i < sizeof server_tools / sizeof server_tools[0]; i++) {
        if (str_starts(type, str_of(server_tools[i].prefix))) {
            tool->hosted = server_tools[i].hosted;
        }
    }
    return ERR_OK;
}

static enum err
read_plain(const struct in *in, struct walk source)
{
    struct str type = text_of(in, source, "type");
    if (str_equal(type, STR("function"))) {
        return read_function(in, source);
    }
    return str_equal(type, STR("custom")) ? read_custom(in, source) : read_hosted(in, source, type);
}

/* A namespace holds functions and free-text tools; it nests once. */
static enum err
read_tool(struct in *in, struct walk source)
{
    if (!walk_is_text(walk_get(source, STR("type")), STR("namespace"))) {
        return read_plain(in, source);
    }
    in->space = text_of(in, source, "name");
    in->space_description = text_of(in, source, "description");
    struct walk inner = walk_get(source, STR("tools"));
    enum err err = ERR_OK;
    for (struct walk at = walk_first(inner); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = read_plain(in, at);
    }
    in->space = in->space_description = str_make(NULL, 0);
    return err;
}

enum err
resptool_read_list(struct hub_request *request, struct walk list, struct hub_problem *problem)
{
    struct in in = { .request = request, .problem = problem };
    enum err err = ERR_OK;
    for (struct walk at = walk_first(list); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = read_tool(&in, at);
    }
    return err;
}

/* One element of allowed_tools, or the choice itself; hosted tools have a type alone. */
static enum err
read_choice_name(const struct in *in, struct walk value, enum hub_choice_mode mode)
{
    struct str name = text_of(in, value, "name");
    struct str type = text_of(in, value, "type");
    bool is_known = hub_tool_find(in->request, type, str_make(NULL, 0)) != NULL;
    bool is_function = str_equal(type, STR("function")) || str_equal(type, STR("custom"));
    if (!is_function && is_known) {
        name = type;
        const struct hub_tool *tool = hub_tool_find(in->request, type, str_make(NULL, 0));
        if (tool->kind == HUB_TOOL_HOSTED) {
            mode = mode == HUB_CHOICE_ONE ? HUB_CHOICE_HOSTED : mode;
        }
    } else if (!is_function) {
        mode = mode == HUB_CHOICE_ONE ? HUB_CHOICE_HOSTED : mode;
        name = type;
    }
    in->request->choice.mode = mode;
    bool is_listed = is_function || is_known || mode == HUB_CHOICE_HOSTED;
    return !is_listed || hub_choice_to(in->request, name, text_of(in, value, "namespace"))
               ? ERR_OK
               : ERR_FULL;
}

static enum err
read_choice(const struct in *in, struct walk value)
{
    static const struct {
        const char *word;
        enum hub_choice_mode mode;
    } words[] = { { "auto", HUB_CHOICE_AUTO },
                  { "none", HUB_CHOICE_NONE },
                  { "required", HUB_CHOICE_ANY } };
    if (!walk_is_value(value)) {
        return ERR_OK;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (walk_is_text(value, str_of(words[i].word))) {
            in->request->choice.mode = words[i].mode;
            return ERR_OK;
        }
    }
    struct walk type = walk_get(value, STR("type"));
    if (walk_kind(type) != JSON_STRING) {
        return hub_refuse(in->problem, "this choice is unknown", "tool_choice");
    }
    if (!walk_is_text(type, STR("allowed_tools"))) {
        return read_choice_name(in, value, HUB_CHOICE_ONE);
    }
    bool is_any = walk_is_text(walk_get(value, STR("mode")), STR("required"));
    enum hub_choice_mode mode = is_any ? HUB_CHOICE_SOME_ANY : HUB_CHOICE_SOME_AUTO;
    struct walk tools = walk_get(value, STR("tools"));
    in->request->choice.mode = mode;
    enum err err = ERR_OK;
    for (struct walk at = walk_first(tools); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = read_choice_name(in, at, mode);
    }
    return err;
}

enum err
resptool_read(struct hub_request *request, struct walk root, struct hub_problem *problem)
{
    struct in in = { .request = request, .problem = problem };
    enum err err = resptool_read_list(request, walk_get(root, STR("tools")), problem);
    request->choice.parallel = walk_tri(walk_get(root, STR("parallel_tool_calls")));
    return err == ERR_OK ? read_choice(&in, walk_get(root, STR("tool_choice"))) : err;
}

/* --- writing --- */

static void
write_custom(struct jsonw *w, const struct hub_tool *tool, struct str wire)
{
    jsonw_put_text(w, "type", "custom");
    jsonw_put_str(w, "name", wire);
    if (tool->description.len > 0) {
        jsonw_put_str(w, "description", tool->description);
    }
    if (tool->grammar.len > 0) {
        jsonw_name(w, "format");
        jsonw_object(w);
        jsonw_put_text(w, "type", "grammar");
        jsonw_put_str(w, "syntax", tool->grammar_syntax);
        jsonw_put_str(w, "definition", tool->grammar);
        jsonw_close(w);
    }
}

/* `strict` is always said: left out, this dialect tries to be strict and makes every parameter
 * required. */
static void
write_function(struct jsonw *w, const struct hub_tool *tool, struct str wire)
{
    jsonw_put_text(w, "type", "function");
    jsonw_put_str(w, "name", wire);
    if (tool->description.len > 0) {
        jsonw_put_str(w, "description", tool->description);
    }
    jsonw_name(w, "parameters");
    jsonw_raw(w, tool->schema_json.len > 0 ? tool->schema_json
                                           : STR("{\"type\":\"object\",\"properties\":{}}"));
    jsonw_put_bool(w, "strict", tool->strict == HUB_YES);
}

static bool
is_searching(const struct codec_job *job, const struct hub_tool *tool)
{
    return tool->kind == HUB_TOOL_HOSTED && tool->hosted == HUB_HOSTED_WEB_SEARCH &&
           job->target->caps->web_search;
}

/* What the provider runs itself: web search where the account has it. */
static enum err
write_hosted(const struct codec_job *job, struct jsonw *w, const struct hub_tool *tool)
{
    if (is_searching(job, tool)) {
        jsonw_object(w);
        jsonw_put_text(w, "type", "web_search");
        jsonw_close(w);
        return ERR_OK;
    }
    bool is_forced = job->request->choice.mode == HUB_CHOICE_HOSTED;
    if (tool->hosted == HUB_HOSTED_COMPUTER || is_forced) {
        return hub_reject(job->problem, "the upstream has no such tool", "tools (%.*s)",
                          (int)(tool->hosted_type.len > 40 ? 40 : tool->hosted_type.len),
                          tool->hosted_type.data);
    }
    hub_drop(job->losses, tool->hosted_type);
    return ERR_OK;
}

static enum err
write_tool(const struct codec_job *job, struct jsonw *w, const struct hub_tool *tool)
{
    if (tool->kind == HUB_TOOL_HOSTED) {
        return write_hosted(job, w, tool);
    }
    const struct plan_tool *planned = plan_tool_named(job->plan, tool->name, tool->space);
    CHECK(planned != NULL);
    if (tool->schema_json.len > 0 && tool->schema_json.data[0] != '{') {
        return hub_refuse(job->problem, "the tool's schema is no object", "tools");
    }
    jsonw_object(w);
    if (tool->kind == HUB_TOOL_CUSTOM) {
        write_custom(w, tool, planned->wire);
    } else {
        write_function(w, tool, planned->wire);
    }
    jsonw_close(w);
    return ERR_OK;
}

static enum err
write_choice_name(const struct codec_job *job, struct jsonw *w, const struct hub_choice_name *name)
{
    const struct plan_tool *planned = plan_tool_named(job->plan, name->name, name->space);
    struct str wire;
    enum err err = plan_wire(job->plan, name->name, name->space, &wire);
    jsonw_object(w);
    jsonw_put_text(w, "type",
                   planned != NULL && planned->kind == HUB_CUSTOM ? "custom" : "function");
    jsonw_put_str(w, "name", wire);
    jsonw_close(w);
    return err;
}

static enum err
write_allowed(const struct codec_job *job, struct jsonw *w, bool is_any)
{
    const struct hub_choice_name *names = job->request->choice.names;
    if (is_any && names != NULL && names->next == NULL) {
        return write_choice_name(job, w, names);
    }
    jsonw_object(w);
    jsonw_put_text(w, "type", "allowed_tools");
    jsonw_put_text(w, "mode", is_any ? "required" : "auto");
    jsonw_name(w, "tools");
    jsonw_array(w);
    enum err err = ERR_OK;
    for (const struct hub_choice_name *name = names; name != NULL && err == ERR_OK;
         name = name->next) {
        err = write_choice_name(job, w, name);
    }
    jsonw_close(w);
    jsonw_close(w);
    return err;
}

static enum err
write_choice(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_choice *choice = &job->request->choice;
    if (choice->mode == HUB_CHOICE_UNSET) {
        return ERR_OK;
    }
    jsonw_name(w, "tool_choice");
    switch (choice->mode) {
    case HUB_CHOICE_UNSET:
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
        return write_allowed(job, w, false);
    case HUB_CHOICE_SOME_ANY:
        return write_allowed(job, w, true);
    case HUB_CHOICE_HOSTED: /* of all hosted tools only the search gets as far as here */
        jsonw_raw(w, STR("{\"type\":\"web_search\"}"));
        return ERR_OK;
    }
    return ERR_BUG;
}

enum err
resptool_write(const struct codec_job *job, struct jsonw *w)
{
    bool has_tools = job->plan->tools != NULL;
    enum err err = ERR_OK;
    for (const struct hub_tool *tool = job->request->tools; tool != NULL; tool = tool->next) {
        has_tools = has_tools || is_searching(job, tool);
    }
    if (has_tools) {
        jsonw_name(w, "tools");
        jsonw_array(w);
    }
    for (const struct hub_tool *tool = job->request->tools; tool != NULL && err == ERR_OK;
         tool = tool->next) {
        err = write_tool(job, w, tool);
    }
    if (!has_tools || err != ERR_OK) {
        return err;
    }
    jsonw_close(w);
    err = write_choice(job, w);
    if (job->request->choice.parallel != HUB_UNSET) {
        jsonw_put_bool(w, "parallel_tool_calls", job->request->choice.parallel == HUB_YES);
    }
    return err;
}

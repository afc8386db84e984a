/*
 * anthtool.c - tools of Anthropic requests, read and written (see anthtool.h).
 */
#include "proto/anthtool.h"

#include "base/check.h"
#include "proto/anthblock.h"
#include "proto/mould.h"

/* --- reading --- */

/* Tools that the client runs and whose schema only Anthropic's models know by heart. */
static const struct known {
    const char *prefix;
    enum hub_hosted hosted;
    const char *description;
    const char *schema;
} client_tools[] = {
    { "bash_", HUB_HOSTED_SHELL, "Run commands in a bash shell that keeps its state.",
      "{\"type\":\"object\",\"properties\":{\"command\":{\"type\":\"string\",\"description\":"
      "\"The command to run.\"},\"restart\":{\"type\":\"boolean\",\"description\":\"Restart the "
      "shell.\"}}}" },
    { "text_editor_", HUB_HOSTED_TEXT_EDITOR, "View, create and edit text files.",
      "{\"type\":\"object\",\"properties\":{\"command\":{\"type\":\"string\",\"enum\":[\"view\","
      "\"create\",\"str_replace\",\"insert\",\"undo_edit\"]},\"path\":{\"type\":\"string\"},"
      "\"file_text\":{\"type\":\"string\"},\"old_str\":{\"type\":\"string\"},\"new_str\":{\"type\":"
      "\"string\"},\"insert_line\":{\"type\":\"integer\"},\"insert_text\":{\"type\":\"string\"},"
      "\"view_range\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}},\"required\":["
      "\"command\",\"path\"]}" },
    { "memory_", HUB_HOSTED_MEMORY, "Keep notes in files below /memories between conversations.",
      "{\"type\":\"object\",\"properties\":{\"command\":{\"type\":\"string\",\"enum\":[\"view\","
      "\"create\",\"str_replace\",\"insert\",\"delete\",\"rename\"]},\"path\":{\"type\":\"string\"}"
      ","
      "\"file_text\":{\"type\":\"string\"},\"old_str\":{\"type\":\"string\"},\"new_str\":{\"type\":"
      "\"string\"},\"insert_line\":{\"type\":\"integer\"},\"insert_text\":{\"type\":\"string\"},"
      "\"old_path\":{\"type\":\"string\"},\"new_path\":{\"type\":\"string\"},\"view_range\":{"
      "\"type\":\"array\",\"items\":{\"type\":\"integer\"}}},\"required\":[\"command\"]}" },
};

static const struct {
    const char *prefix;
    enum hub_hosted hosted;
} server_tools[] = {
    { "web_search_", HUB_HOSTED_WEB_SEARCH }, { "web_fetch_", HUB_HOSTED_WEB_FETCH },
    { "code_execution_", HUB_HOSTED_CODE },   { "tool_search_tool_", HUB_HOSTED_TOOL_SEARCH },
    { "computer_", HUB_HOSTED_COMPUTER },     { "mcp_toolset", HUB_HOSTED_MCP },
};

static struct str
text_of(const struct hub_request *request, struct walk at, const char *name)
{
    return walk_string(walk_get(at, str_of(name)), request->arena);
}

static enum err
read_function(struct hub_request *request, struct walk source, struct hub_problem *problem)
{
    struct hub_tool *tool = hub_tool_add(request, HUB_TOOL_FUNCTION);
    if (tool == NULL) {
        return ERR_FULL;
    }
    tool->name = text_of(request, source, "name");
    tool->description = text_of(request, source, "description");
    tool->schema_json = walk_raw_value(walk_get(source, STR("input_schema")));
    tool->strict = walk_tri(walk_get(source, STR("strict")));
    tool->cache = anthblock_cache(source);
    tool->is_deferred = walk_is_true(walk_get(source, STR("defer_loading")));
    tool->examples_json = walk_raw_value(walk_get(source, STR("input_examples")));
    if (tool->examples_json.len > 2) {
        tool->description = arena_printf(request->arena, "%.*s\nExamples of its input: %.*s",
                                         STR_ARG(tool->description), STR_ARG(tool->examples_json));
    }
    return tool->name.len > 0
               ? ERR_OK
               : hub_refuse(problem, "the tool has no name", "tools[%u]", request->tool_count - 1);
}

/* A versioned tool: one of the client's with a published schema, or one that runs at Anthropic. */
static enum err
read_versioned(struct hub_request *request, struct walk source, struct str type)
{
    for (size_t i = 0; i < sizeof client_tools / sizeof client_tools[0]; i++) {
        const struct known *known = &client_tools[i];
        if (!str_starts(type, str_of(known->prefix))) {
            continue;
        }
        struct hub_tool *tool = hub_tool_add(request, HUB_TOOL_FUNCTION);
        if (tool == NULL) {
            return ERR_FULL;
        }
        tool->name = text_of(request, source, "name");
        tool->description = str_of(known->description);
        tool->schema_json = str_of(known->schema);
        tool->hosted = known->hosted;
        tool->cache = anthblock_cache(source);
        return ERR_OK;
    }
    struct hub_tool *tool = hub_tool_add(request, HUB_TOOL_HOSTED);
    if (tool == NULL) {
        return ERR_FULL;
    }
    tool->name = text_of(request, source, "name");
    tool->hosted_type = type;
    tool->whole_json = walk_raw(source);
    tool->home = DIALECT_ANTHROPIC;
    for (size_t i = 0; i < sizeof server_tools / sizeof server_tools[0]; i++) {
        if (str_starts(type, str_of(server_tools[i].prefix))) {
            tool->hosted = server_tools[i].hosted;
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
                  { "any", HUB_CHOICE_ANY },
                  { "none", HUB_CHOICE_NONE },
                  { "tool", HUB_CHOICE_ONE } };
    struct walk type = walk_get(value, STR("type"));
    if (!walk_is_value(value)) {
        return ERR_OK;
    }
    enum hub_tri single = walk_tri(walk_get(value, STR("disable_parallel_tool_use")));
    request->choice.parallel = single == HUB_YES ? HUB_NO : HUB_UNSET;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!walk_is_text(type, str_of(words[i].word))) {
            continue;
        }
        request->choice.mode = words[i].mode;
        bool is_kept = words[i].mode != HUB_CHOICE_ONE ||
                       hub_choice_to(request, text_of(request, value, "name"), str_make(NULL, 0));
        return is_kept ? ERR_OK : ERR_FULL;
    }
    return hub_refuse(problem, "this choice is unknown", "tool_choice");
}

/* Forcing a tool that runs at Anthropic: its name is among no function's. */
static void
find_hosted_choice(struct hub_request *request)
{
    if (request->choice.mode != HUB_CHOICE_ONE) {
        return;
    }
    for (const struct hub_tool *tool = request->tools; tool != NULL; tool = tool->next) {
        if (tool->kind == HUB_TOOL_HOSTED && str_equal(tool->name, request->choice.names->name)) {
            request->choice.mode = HUB_CHOICE_HOSTED;
        }
    }
}

enum err
anthtool_read(struct hub_request *request, struct walk root, struct hub_problem *problem)
{
    struct walk tools = walk_get(root, STR("tools"));
    enum err err = ERR_OK;
    for (struct walk at = walk_first(tools); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        struct str type = text_of(request, at, "type");
        bool is_plain = type.len == 0 || str_equal(type, STR("custom"));
        err = is_plain ? read_function(request, at, problem) : read_versioned(request, at, type);
    }
    if (err == ERR_OK) {
        err = read_choice(request, walk_get(root, STR("tool_choice")), problem);
    }
    find_hosted_choice(request);
    return err;
}

/* --- writing --- */

void
anthtool_mark(struct jsonw *w, enum hub_cache cache, struct anthtool_marks *marks)
{
    if (cache == HUB_CACHE_NONE) {
        return;
    }
    if (marks->skip > 0) {
        marks->skip--;
        return;
    }
    jsonw_name(w, "cache_control");
    jsonw_object(w);
    jsonw_put_text(w, "type", "ephemeral");
    if (cache != HUB_CACHE_5M) {
        jsonw_put_text(w, "ttl", "1h");
    }
    jsonw_close(w);
}

static enum err
write_tool(const struct codec_job *job, struct jsonw *w, const struct hub_tool *tool,
           struct anthtool_marks *marks)
{
    const struct plan_tool *planned = plan_tool_named(job->plan, tool->name, tool->space);
    CHECK(planned != NULL);
    struct str description = tool->description;
    struct str schema = STR(PLAN_CUSTOM_SCHEMA);
    enum err err = tool->kind == HUB_TOOL_CUSTOM
                       ? plan_custom_description(job->arena, tool, &description)
                       : mould_root(tool->schema_json, job->arena, &schema);
    if (err == ERR_BAD) {
        return hub_refuse(job->problem, "the tool's schema is no object", "tools");
    }
    jsonw_object(w);
    jsonw_put_str(w, "name", planned->wire);
    if (description.len > 0) {
        jsonw_put_str(w, "description", description);
    }
    jsonw_name(w, "input_schema");
    jsonw_raw(w, schema);
    if (tool->strict == HUB_YES && job->target->caps->strict_tools) {
        jsonw_put_bool(w, "strict", true);
    }
    anthtool_mark(w, tool->cache, marks);
    jsonw_close(w);
    return err;
}

/* Tools of another provider: the search has its like here. */
static enum err
write_hosted(const struct codec_job *job, struct jsonw *w, const struct hub_tool *tool)
{
    int shown = (int)(tool->hosted_type.len > 40 ? 40 : tool->hosted_type.len);
    bool is_forced =
        job->request->choice.mode == HUB_CHOICE_HOSTED && tool->hosted != HUB_HOSTED_WEB_SEARCH;
    if (tool->hosted == HUB_HOSTED_COMPUTER || is_forced) {
        return hub_reject(job->problem, "the upstream has no such tool", "tools (%.*s)", shown,
                          tool->hosted_type.data);
    }
    if (tool->hosted != HUB_HOSTED_WEB_SEARCH) {
        hub_drop(job->losses, tool->hosted_type);
        return ERR_OK;
    }
    jsonw_object(w);
    jsonw_put_text(w, "type", "web_search_20250305");
    jsonw_put_text(w, "name", "web_search");
    jsonw_put_u64(w, "max_uses", 5);
    jsonw_close(w);
    return ERR_OK;
}

/* allowed_tools: the others are not offered. */
static bool
is_offered(const struct hub_request *request, const struct hub_tool *tool)
{
    const struct hub_choice *choice = &request->choice;
    bool is_filtered = choice->mode == HUB_CHOICE_SOME_AUTO || choice->mode == HUB_CHOICE_SOME_ANY;
    for (const struct hub_choice_name *name = choice->names; is_filtered && name != NULL;
         name = name->next) {
        if (str_equal(name->name, tool->name) && str_equal(name->space, tool->space)) {
            return true;
        }
    }
    return !is_filtered;
}

static const char *
choice_word(enum hub_choice_mode mode)
{
    switch (mode) {
    case HUB_CHOICE_UNSET:
    case HUB_CHOICE_AUTO:
    case HUB_CHOICE_SOME_AUTO:
    case HUB_CHOICE_VALIDATED:
        return "auto";
    case HUB_CHOICE_NONE:
        return "none";
    case HUB_CHOICE_ANY:
    case HUB_CHOICE_SOME_ANY:
        return "any";
    case HUB_CHOICE_ONE:
    case HUB_CHOICE_HOSTED:
        return "tool";
    }
    return "auto";
}

static enum err
write_choice(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_choice *choice = &job->request->choice;
    if (choice->mode == HUB_CHOICE_UNSET && choice->parallel != HUB_NO) {
        return ERR_OK;
    }
    jsonw_name(w, "tool_choice");
    jsonw_object(w);
    jsonw_put_text(w, "type", choice_word(choice->mode));
    enum err err = ERR_OK;
    if (choice->mode == HUB_CHOICE_ONE) {
        struct str wire;
        err = plan_wire(job->plan, choice->names->name, choice->names->space, &wire);
        jsonw_put_str(w, "name", wire);
    } else if (choice->mode == HUB_CHOICE_HOSTED) {
        jsonw_put_text(w, "name", "web_search");
    }
    if (choice->parallel == HUB_NO && choice->mode != HUB_CHOICE_NONE) {
        jsonw_put_bool(w, "disable_parallel_tool_use", true);
    }
    jsonw_close(w);
    return err;
}

static void
write_json_tool(struct jsonw *w, struct str schema)
{
    jsonw_name(w, "tools");
    jsonw_array(w);
    jsonw_object(w);
    jsonw_put_text(w, "name", PLAN_JSON_TOOL);
    jsonw_put_text(w, "description", "Give the answer as this object.");
    jsonw_name(w, "input_schema");
    jsonw_raw(w, schema);
    jsonw_close(w);
    jsonw_close(w);
    jsonw_name(w, "tool_choice");
    jsonw_object(w);
    jsonw_put_text(w, "type", "tool");
    jsonw_put_text(w, "name", PLAN_JSON_TOOL);
    jsonw_close(w);
}

enum err
anthtool_write(const struct codec_job *job, struct jsonw *w, struct str json_schema,
               struct anthtool_marks *marks)
{
    if (json_schema.len > 0) {
        write_json_tool(w, json_schema);
        return ERR_OK;
    }
    if (job->request->tools == NULL) {
        return ERR_OK;
    }
    enum err err = ERR_OK;
    jsonw_name(w, "tools");
    jsonw_array(w);
    for (const struct hub_tool *tool = job->request->tools; tool != NULL && err == ERR_OK;
         tool = tool->next) {
        if (tool->kind == HUB_TOOL_HOSTED) {
            err = write_hosted(job, w, tool);
        } else if (is_offered(job->request, tool)) {
            err = write_tool(job, w, tool, marks);
        }
    }
    jsonw_close(w);
    return err == ERR_OK ? write_choice(job, w) : err;
}

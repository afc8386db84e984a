/*
 * hub.c - building the neutral form (see hub.h).
 */
#include "proto/hub.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

static void problem_fill(struct hub_problem *problem, const char *code, const char *message,
                         const char *path, va_list args) __attribute__((format(printf, 4, 0)));

static void
problem_fill(struct hub_problem *problem, const char *code, const char *message, const char *path,
             va_list args)
{
    if (problem->status != 0) {
        return;
    }
    *problem = (struct hub_problem){ .status = 400, .code = code };
    vsnprintf(problem->param, sizeof problem->param, path, args);
    bool names_it = problem->param[0] != '\0';
    snprintf(problem->message, sizeof problem->message, "%s%s%s", names_it ? problem->param : "",
             names_it ? ": " : "", message);
}

enum err
hub_refuse(struct hub_problem *problem, const char *message, const char *path, ...)
{
    va_list args;
    va_start(args, path);
    problem_fill(problem, "invalid_request", message, path, args);
    va_end(args);
    return ERR_BAD;
}

enum err
hub_reject(struct hub_problem *problem, const char *message, const char *path, ...)
{
    va_list args;
    va_start(args, path);
    problem_fill(problem, "unsupported_parameter", message, path, args);
    va_end(args);
    bool is_fresh = strcmp(problem->code, "unsupported_parameter") == 0;
    if (is_fresh && strchr(problem->param, '[') != NULL) {
        problem->code = "unsupported_value"; /* one element among others, not the member as such */
    }
    return ERR_BAD;
}

void
hub_drop(struct hub_losses *losses, struct str field)
{
    for (uint32_t i = 0; i < losses->count; i++) {
        if (str_equal(losses->fields[i], field)) {
            return;
        }
    }
    if (losses->is_strict) {
        enum err err =
            hub_reject(losses->problem, "the upstream has no counterpart", "%.*s", STR_ARG(field));
        CHECK(err == ERR_BAD);
    }
    if (losses->count == HUB_LOSSES_MAX) {
        losses->uncounted++;
        return;
    }
    losses->fields[losses->count++] = field;
}

struct hub_message *
hub_message_add(struct hub_request *request, enum hub_role role, uint32_t index)
{
    struct hub_message *message = arena_alloc(request->arena, sizeof(*message));
    if (message == NULL) {
        return NULL;
    }
    message->role = role;
    message->index = index;
    if (request->last == NULL) {
        request->messages = message;
    } else {
        request->last->next = message;
    }
    request->last = message;
    request->message_count++;
    return message;
}

struct hub_part *
hub_part_to(struct arena *arena, struct hub_part **list, enum hub_part_kind kind)
{
    struct hub_part *part = arena_alloc(arena, sizeof(*part));
    if (part == NULL) {
        return NULL;
    }
    part->kind = kind;
    part->tail = part;
    if (*list == NULL) {
        *list = part;
        return part;
    }
    (*list)->tail->next = part;
    (*list)->tail = part;
    return part;
}

struct hub_part *
hub_text_to(struct arena *arena, struct hub_part **list, struct str text)
{
    struct hub_part *part = hub_part_to(arena, list, HUB_TEXT);
    if (part != NULL) {
        part->text = text;
    }
    return part;
}

struct hub_tool *
hub_tool_add(struct hub_request *request, enum hub_tool_kind kind)
{
    struct hub_tool *tool = arena_alloc(request->arena, sizeof(*tool));
    if (tool == NULL || request->tool_count == HUB_TOOLS_MAX) {
        return NULL;
    }
    tool->kind = kind;
    if (request->last_tool == NULL) {
        request->tools = tool;
    } else {
        request->last_tool->next = tool;
    }
    request->last_tool = tool;
    request->tool_count++;
    return tool;
}

bool
hub_segment_to(struct arena *arena, struct hub_segment **list, struct str text)
{
    struct hub_segment *segment = arena_alloc(arena, sizeof(*segment));
    if (segment == NULL) {
        return false;
    }
    segment->text = text;
    segment->tail = segment;
    if (*list == NULL) {
        *list = segment;
        return true;
    }
    (*list)->tail->next = segment;
    (*list)->tail = segment;
    return true;
}

bool
hub_choice_to(struct hub_request *request, struct str name, struct str space)
{
    struct hub_choice_name *entry = arena_alloc(request->arena, sizeof(*entry));
    if (entry == NULL) {
        return false;
    }
    entry->name = name;
    entry->space = space;
    entry->tail = entry;
    struct hub_choice_name **list = &request->choice.names;
    if (*list == NULL) {
        *list = entry;
        return true;
    }
    (*list)->tail->next = entry;
    (*list)->tail = entry;
    return true;
}

const struct hub_tool *
hub_tool_find(const struct hub_request *request, struct str name, struct str space)
{
    for (const struct hub_tool *tool = request->tools; tool != NULL; tool = tool->next) {
        if (str_equal(tool->name, name) && str_equal(tool->space, space)) {
            return tool;
        }
    }
    return NULL;
}

const char *
hub_path(const struct hub_request *request, const struct hub_message *message,
         char out[HUB_PATH_BYTES])
{
    static const char *const lists[] = { "messages", "input", "messages", "contents" };
    _Static_assert(sizeof lists / sizeof lists[0] == DIALECT_COUNT, "a name a dialect");
    snprintf(out, HUB_PATH_BYTES, "%s[%u]", lists[request->shape.dialect], message->index);
    return out;
}

const char *
hub_field_name(const struct hub_request *request, enum hub_field field)
{
    static const char *const names[][DIALECT_COUNT] = {
        [HUB_FIELD_OUTPUT_MAX] = { "max_completion_tokens", "max_output_tokens", "max_tokens",
                                   "generationConfig.maxOutputTokens" },
        [HUB_FIELD_ANSWERS] = { "n", "n", "n", "generationConfig.candidateCount" },
        [HUB_FIELD_FORMAT] = { "response_format", "text.format", "output_config.format",
                               "generationConfig.responseMimeType" },
        [HUB_FIELD_MODALITIES] = { "modalities", "modalities", "modalities",
                                   "generationConfig.responseModalities" },
        [HUB_FIELD_TEMPERATURE] = { "temperature", "temperature", "temperature",
                                    "generationConfig.temperature" },
        [HUB_FIELD_TOP_P] = { "top_p", "top_p", "top_p", "generationConfig.topP" },
        [HUB_FIELD_TOP_K] = { "top_k", "top_k", "top_k", "generationConfig.topK" },
        [HUB_FIELD_FREQUENCY] = { "frequency_penalty", "frequency_penalty", "frequency_penalty",
                                  "generationConfig.frequencyPenalty" },
        [HUB_FIELD_PRESENCE] = { "presence_penalty", "presence_penalty", "presence_penalty",
                                 "generationConfig.presencePenalty" },
        [HUB_FIELD_STOP] = { "stop", "stop", "stop_sequences", "generationConfig.stopSequences" },
        [HUB_FIELD_CHOICE] = { "tool_choice", "tool_choice", "tool_choice",
                               "toolConfig.functionCallingConfig" },
        [HUB_FIELD_THINKING] = { "reasoning_effort", "reasoning", "thinking",
                                 "generationConfig.thinkingConfig" },
        [HUB_FIELD_TIER] = { "service_tier", "service_tier", "service_tier", "serviceTier" },
        [HUB_FIELD_CACHE] = { "prompt_cache_retention", "prompt_cache_retention", "cache_control",
                              "cachedContent" },
        [HUB_FIELD_END_USER] = { "user", "user", "metadata.user_id", "labels" },
        [HUB_FIELD_PARALLEL] = { "parallel_tool_calls", "parallel_tool_calls",
                                 "tool_choice.disable_parallel_tool_use", "toolConfig" },
    };
    CHECK(field < sizeof names / sizeof names[0]);
    return names[field][request->shape.dialect];
}

const char *
hub_part_path(const struct hub_request *request, const struct hub_message *message,
              const struct hub_part *part, char out[HUB_PATH_BYTES])
{
    char where[HUB_PATH_BYTES];
    const char *list = request->shape.dialect == DIALECT_GEMINI ? "parts" : "content";
    /* Both numbers are 32-bit and the words are short. */
    int len = snprintf(out, HUB_PATH_BYTES, "%.20s.%s[%u]", hub_path(request, message, where), list,
                       part->index);
    CHECK(len > 0 && len < (int)HUB_PATH_BYTES);
    return out;
}

/* --- joined texts --- */

static bool
is_text(const struct hub_part *part)
{
    return part->kind == HUB_TEXT || part->kind == HUB_REFUSAL;
}

enum err
hub_join_texts(struct arena *arena, const struct hub_part *parts, struct str between,
               struct str *out)
{
    struct hub_segment *segments = NULL;
    for (const struct hub_part *part = parts; part != NULL; part = part->next) {
        if (!is_text(part)) {
            continue;
        }
        if (!hub_segment_to(arena, &segments, part->text)) {
            return ERR_FULL;
        }
    }
    return hub_join_segments(arena, segments, between, out);
}

enum err
hub_join_segments(struct arena *arena, const struct hub_segment *segments, struct str between,
                  struct str *out)
{
    *out = segments == NULL ? str_make(NULL, 0) : segments->text;
    if (segments == NULL || segments->next == NULL) {
        return ERR_OK;
    }
    size_t bytes = 0;
    for (const struct hub_segment *at = segments; at != NULL; at = at->next) {
        bytes += at->text.len + between.len;
    }
    char *to = arena_alloc_raw(arena, bytes);
    if (to == NULL) {
        return ERR_FULL;
    }
    size_t len = 0;
    for (const struct hub_segment *at = segments; at != NULL; at = at->next) {
        if (at != segments) {
            memcpy(to + len, between.data == NULL ? "" : between.data, between.len);
            len += between.len;
        }
        if (at->text.len > 0) {
            memcpy(to + len, at->text.data, at->text.len);
            len += at->text.len;
        }
    }
    *out = str_make(to, len);
    return ERR_OK;
}

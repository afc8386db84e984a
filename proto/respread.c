/*
 * respread.c - a Responses answer, streamed or whole, becomes events.
 *
 * What servers do beyond the book is listed in the specification, 2.2: events left out, texts only
 * in `done` events or only in the terminal response, response.done for response.completed.
 */
#include "base/check.h"
#include "proto/report.h"
#include "proto/responses.h"
#include "proto/resppart.h"
#include "proto/walk.h"

struct respread {
    struct codec_source source;
    struct arena scratch; /* of one event */
    struct resppart parts;
    bool is_started;
    bool is_ended;
    struct usage usage;
};

void *
respread_open(const struct codec_source *source)
{
    struct respread *reader = arena_alloc(source->arena, sizeof(*reader));
    if (reader != NULL) {
        reader->source = *source;
        arena_init(&reader->scratch, TRANSLATE_REQUEST_BYTES_MAX);
        resppart_init(&reader->parts, &reader->source, &reader->scratch);
    }
    return reader;
}

void
respread_close(void *context)
{
    struct respread *reader = context;
    arena_reset(&reader->scratch);
}

static enum err
emit(struct respread *reader, const struct hub_event *event)
{
    return hub_emit(reader->source.sink, event);
}

static enum err
start(struct respread *reader, struct walk response)
{
    if (reader->is_started || walk_kind(response) != JSON_OBJECT) {
        return ERR_OK;
    }
    reader->is_started = true;
    struct hub_event event = { .kind = HUB_START,
                               .id = walk_string(walk_get(response, STR("id")), &reader->scratch),
                               .model = walk_string(walk_get(response, STR("model")),
                                                    &reader->scratch) };
    (void)walk_u64(walk_get(response, STR("created_at")), &event.created_s);
    return emit(reader, &event);
}

static enum err
send_error(struct respread *reader, struct str data)
{
    struct error_found found;
    error_read(DIALECT_RESPONSES, 200, data, &found);
    struct hub_event event = { .kind = HUB_ERROR, .error = &found };
    reader->is_ended = true;
    return emit(reader, &event);
}

/* --- the end --- */

static enum err
send_usage(struct respread *reader, struct walk response)
{
    struct walk report = walk_get(response, STR("usage"));
    report_tier(&reader->usage, walk_value(walk_get(response, STR("service_tier"))));
    if (walk_kind(report) != JSON_OBJECT ||
        !report_openai(&reader->usage, walk_value(report), NULL)) {
        return ERR_OK;
    }
    struct hub_event event = { .kind = HUB_USAGE, .usage = &reader->usage };
    return emit(reader, &event);
}

static enum hub_finish
finish_of(const struct respread *reader, bool is_incomplete, struct walk reason)
{
    if (!is_incomplete) {
        return reader->parts.has_refused ? HUB_FINISH_REFUSAL : HUB_FINISH_STOP;
    }
    if (walk_is_text(reason, STR("max_output_tokens")) || walk_is_text(reason, STR("max_tokens"))) {
        return HUB_FINISH_LENGTH;
    }
    return walk_is_text(reason, STR("content_filter")) ? HUB_FINISH_CONTENT_FILTER
                                                       : HUB_FINISH_OTHER;
}

static enum err
finish(struct respread *reader, struct walk response, bool is_incomplete)
{
    struct walk reason = walk_get(walk_get(response, STR("incomplete_details")), STR("reason"));
    struct hub_event event = { .kind = HUB_FINISH,
                               .finish = finish_of(reader, is_incomplete, reason),
                               .raw_reason = walk_string(reason, &reader->scratch) };
    if (event.raw_reason.len == 0) {
        event.raw_reason = is_incomplete ? STR("incomplete") : STR("completed");
    }
    return emit(reader, &event);
}

/* `says_incomplete`: the event's name said so; the response itself has the last word. */
static enum err
end(struct respread *reader, struct walk response, bool says_incomplete, struct str data)
{
    struct walk status = walk_get(response, STR("status"));
    if (walk_is_text(status, STR("failed")) || walk_is_text(status, STR("cancelled"))) {
        return send_error(reader, data);
    }
    enum err err = start(reader, response);
    bool is_unheard = reader->parts.item_count == 0;
    struct walk output = walk_get(response, STR("output"));
    uint64_t index = 0;
    for (struct walk at = walk_first(output); walk_is_there(at) && is_unheard && err == ERR_OK;
         at = walk_next(at)) {
        err = resppart_whole(&reader->parts, at, index++);
    }
    if (err == ERR_OK) {
        err = send_usage(reader, response);
    }
    if (err == ERR_OK) {
        bool is_incomplete = walk_kind(status) == JSON_STRING
                                 ? walk_is_text(status, STR("incomplete"))
                                 : says_incomplete;
        err = finish(reader, response, is_incomplete);
    }
    reader->is_ended = true;
    struct hub_event event = { .kind = HUB_END };
    return err == ERR_OK ? emit(reader, &event) : err;
}

/* --- events --- */

static const struct piece_event {
    const char *name; /* without "response." */
    enum resppart_list list;
    const char *all; /* the member with the whole text; NULL: a delta */
} piece_events[] = {
    { "output_text.delta", RESPPART_TEXT, NULL },
    { "output_text.done", RESPPART_TEXT, "text" },
    { "refusal.delta", RESPPART_REFUSAL, NULL },
    { "refusal.done", RESPPART_REFUSAL, "refusal" },
    { "reasoning_summary_text.delta", RESPPART_SUMMARY, NULL },
    { "reasoning_summary_text.done", RESPPART_SUMMARY, "text" },
    { "reasoning_text.delta", RESPPART_RAW, NULL },
    { "reasoning_text.done", RESPPART_RAW, "text" },
    { "function_call_arguments.delta", RESPPART_ARGS, NULL },
    { "function_call_arguments.done", RESPPART_ARGS, "arguments" },
    { "custom_tool_call_input.delta", RESPPART_ARGS, NULL },
    { "custom_tool_call_input.done", RESPPART_ARGS, "input" },
};

static const struct item_event {
    const char *name;
    enum err (*fn)(struct resppart *parts, struct walk event);
} item_events[] = {
    { "output_item.added", resppart_added },
    { "output_item.done", resppart_done },
    { "content_part.done", resppart_content },
    { "output_text.annotation.added", resppart_annotation },
};

/* What is not the end; events nobody knows are passed over. */
static enum err
read_part(struct respread *reader, struct walk root, struct str name)
{
    for (size_t i = 0; i < sizeof piece_events / sizeof piece_events[0]; i++) {
        const struct piece_event *event = &piece_events[i];
        if (!str_equal(name, str_of(event->name))) {
            continue;
        }
        return event->all == NULL ? resppart_delta(&reader->parts, root, event->list)
                                  : resppart_text(&reader->parts, root, event->list,
                                                  walk_get(root, str_of(event->all)));
    }
    for (size_t i = 0; i < sizeof item_events / sizeof item_events[0]; i++) {
        if (str_equal(name, str_of(item_events[i].name))) {
            return item_events[i].fn(&reader->parts, root);
        }
    }
    return ERR_OK;
}

static enum err
read_event(struct respread *reader, struct walk root, struct str name, struct str data)
{
    struct walk response = walk_get(root, STR("response"));
    bool is_failed = str_equal(name, STR("response.failed")) || str_equal(name, STR("error")) ||
                     str_equal(name, STR("response.cancelled"));
    if (is_failed || (walk_is_value(walk_get(root, STR("error"))) && !walk_is_there(response))) {
        return send_error(reader, data);
    }
    if (str_equal(name, STR("response.completed")) || str_equal(name, STR("response.done"))) {
        return end(reader, response, false, data);
    }
    if (str_equal(name, STR("response.incomplete"))) {
        return end(reader, response, true, data);
    }
    enum err err = start(reader, response);
    return err == ERR_OK && str_starts(name, STR("response."))
               ? read_part(reader, root, str_skip(name, sizeof "response." - 1))
               : err;
}

enum err
respread_event(void *context, struct str name, struct str data)
{
    struct respread *reader = context;
    if (reader->is_ended || data.len == 0 || str_equal(str_trim(data), STR("[DONE]"))) {
        return ERR_OK;
    }
    struct walk root;
    enum err err = walk_parse(data, &reader->scratch, &root);
    if (err == ERR_OK) {
        struct str type = walk_string(walk_get(root, STR("type")), &reader->scratch);
        err = walk_kind(root) == JSON_OBJECT
                  ? read_event(reader, root, type.len > 0 ? type : name, data)
                  : ERR_BAD;
    }
    arena_reset(&reader->scratch);
    return err;
}

/* A response that is still under way has no end. */
static enum err
read_response(struct respread *reader, struct walk root, struct str body)
{
    struct walk inner = walk_get(root, STR("response"));
    struct walk response = walk_kind(inner) == JSON_OBJECT ? inner : root;
    if (walk_is_value(walk_get(response, STR("error")))) {
        return send_error(reader, body);
    }
    if (walk_kind(walk_get(response, STR("output"))) != JSON_ARRAY) {
        return ERR_BAD;
    }
    struct walk status = walk_get(response, STR("status"));
    bool is_under_way =
        walk_is_text(status, STR("in_progress")) || walk_is_text(status, STR("queued"));
    return is_under_way ? start(reader, response) : end(reader, response, false, body);
}

enum err
respread_body(void *context, struct str body)
{
    struct respread *reader = context;
    struct walk root;
    enum err err = walk_parse(body, &reader->scratch, &root);
    if (err == ERR_OK) {
        err = walk_kind(root) == JSON_OBJECT ? read_response(reader, root, body) : ERR_BAD;
    }
    arena_reset(&reader->scratch);
    return err;
}

enum err
respread_end(void *context)
{
    (void)context; /* the end was said, or it was none */
    return ERR_OK;
}

bool
respread_count(struct str body, uint64_t *input_tokens)
{
    struct arena arena;
    struct walk root;
    arena_init(&arena, TRANSLATE_REQUEST_BYTES_MAX);
    bool is_told = walk_parse(body, &arena, &root) == ERR_OK &&
                   walk_u64(walk_get(root, STR("input_tokens")), input_tokens);
    arena_reset(&arena);
    return is_told;
}

/*
 * respline.c - output items, written one behind the other (see respline.h).
 */
#include "proto/respline.h"

#include "base/check.h"
#include "base/limits.h"
#include "proto/carrier.h"
#include "proto/respecho.h"
#include "proto/respextra.h"
#include "proto/walk.h"

void
respline_init(struct respline *line, struct respsay *say)
{
    *line = (struct respline){ .say = say };
    arena_init(&line->scratch, TRANSLATE_STATE_BYTES_MAX);
    struct buf *bufs[] = { &line->text, &line->notes, &line->tokens, &line->content,
                           &line->output };
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        buf_init(bufs[i], TRANSLATE_ANSWER_BYTES_MAX);
    }
}

void
respline_fini(struct respline *line)
{
    struct buf *bufs[] = { &line->text, &line->notes, &line->tokens, &line->content,
                           &line->output };
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        buf_fini(bufs[i]);
    }
    arena_reset(&line->scratch);
}

uint64_t
respline_held(const struct respline *line)
{
    return (uint64_t)line->text.cap + line->notes.cap + line->tokens.cap + line->content.cap +
           line->output.cap + line->scratch.used_bytes;
}

/* --- items --- */

static const char *
prefix_of(const struct respline *line, enum respline_item item)
{
    switch (item) {
    case RESPLINE_NONE:
        break;
    case RESPLINE_MESSAGE:
        return "msg_";
    case RESPLINE_REASONING:
        return "rs_";
    case RESPLINE_CALL:
        return line->is_hosted ? "sh_" : line->call.kind == HUB_CUSTOM ? "ctc_" : "fc_";
    }
    CHECK(false);
    return "";
}

/* Members of the calls to OpenAI's client tools; a model writes what it was asked for, and what
 * never changes is added. */
static const struct hosted {
    const char *name;
    const char *type;
    const char *member;
    const char *members[6];
} hosted_calls[] = {
    { "local_shell",
      "local_shell_call",
      "action",
      { "command", "env", "timeout_ms", "user", "working_directory" } },
    { "shell", "shell_call", "action", { "commands", "timeout_ms", "max_output_length" } },
    { "apply_patch", "apply_patch_call", "operation", { "type", "path", "diff" } },
};

static void
put_hosted(struct respline *line, struct jsonw *w, struct walk arguments)
{
    const struct hosted *hosted = &hosted_calls[0];
    while (!str_equal(line->call.name, str_of(hosted->name))) {
        hosted++;
        CHECK(hosted < hosted_calls + sizeof hosted_calls / sizeof hosted_calls[0]);
    }
    jsonw_put_text(w, "type", hosted->type);
    jsonw_put_str(w, "call_id", line->call.id);
    jsonw_name(w, hosted->member);
    jsonw_object(w);
    if (hosted == &hosted_calls[0]) {
        jsonw_put_text(w, "type", "exec");
    }
    for (size_t i = 0; hosted->members[i] != NULL; i++) {
        struct str raw = walk_raw(walk_get(arguments, str_of(hosted->members[i])));
        struct str value = raw.len > 0 ? respecho_line(&line->scratch, raw) : STR("");
        if (value.len > 0) {
            jsonw_name(w, hosted->members[i]);
            jsonw_raw(w, value);
        } else if (strcmp(hosted->members[i], "env") == 0) {
            jsonw_name(w, "env");
            jsonw_raw(w, STR("{}"));
        }
    }
    jsonw_close(w);
}

static void
put_call(struct respline *line, struct jsonw *w, struct str text)
{
    bool is_custom = line->call.kind == HUB_CUSTOM;
    struct walk arguments = { .doc = NULL };
    if (line->is_hosted && walk_parse(text, &line->scratch, &arguments) == ERR_OK) {
        put_hosted(line, w, arguments);
        return;
    }
    jsonw_put_text(w, "type", is_custom ? "custom_tool_call" : "function_call");
    jsonw_put_str(w, "call_id", line->call.id);
    jsonw_put_str(w, "name", line->call.name);
    if (line->call.space.len > 0) {
        jsonw_put_str(w, "namespace", line->call.space);
    }
    jsonw_put_str(w, is_custom ? "input" : "arguments", text);
}

static enum err
put_reasoning(struct respline *line, struct jsonw *w, bool is_done)
{
    jsonw_put_text(w, "type", "reasoning");
    respsay_list(w, "summary", is_done ? buf_str(&line->content) : STR(""));
    if (!is_done || line->signature.family == HUB_FAMILY_NONE) {
        return ERR_OK;
    }
    struct str opaque;
    enum err err = carrier_wrap(line->say->plan->carrier, &line->signature, line->segments,
                                &line->scratch, &opaque);
    if (err == ERR_OK) {
        jsonw_put_str(w, "encrypted_content", opaque);
    }
    return err;
}

/* The open item as a value: empty when it begins, whole when it is done. */
static enum err
put_item(struct respline *line, struct jsonw *w, const char *status)
{
    bool is_done = strcmp(status, "in_progress") != 0;
    enum err err = ERR_OK;
    jsonw_object(w);
    jsonw_put_text(w, "id", line->id);
    switch (line->item) {
    case RESPLINE_NONE:
        err = ERR_BUG;
        break;
    case RESPLINE_MESSAGE:
        jsonw_put_text(w, "type", "message");
        jsonw_put_text(w, "status", status);
        jsonw_put_text(w, "role", "assistant");
        if (line->phase.len > 0) {
            jsonw_put_str(w, "phase", line->phase);
        }
        respsay_list(w, "content", is_done ? buf_str(&line->content) : STR(""));
        break;
    case RESPLINE_REASONING:
        err = put_reasoning(line, w, is_done);
        break;
    case RESPLINE_CALL:
        /* A hosted call is announced when all of it is known. */
        put_call(line, w, is_done || line->is_hosted ? buf_str(&line->text) : STR(""));
        jsonw_put_text(w, "status", status);
        break;
    }
    jsonw_close(w);
    return err;
}

static enum err
item_event(struct respline *line, const char *type, const char *status)
{
    struct jsonw w;
    respsay_begin(line->say, &w, type);
    jsonw_put_u64(&w, "output_index", line->count);
    jsonw_name(&w, "item");
    enum err err = put_item(line, &w, status);
    enum err end = respsay_end(line->say, &w);
    return err == ERR_OK ? end : err;
}

static enum err
begin_item(struct respline *line, enum respline_item item)
{
    CHECK(line->item == RESPLINE_NONE);
    line->item = item;
    line->inner = 0;
    line->is_cut = false;
    buf_clear(&line->content);
    (void)plan_item_id(line->say->plan, prefix_of(line, item), line->count, line->id);
    return item_event(line, "response.output_item.added", "in_progress");
}

static enum err
end_item(struct respline *line, bool is_incomplete)
{
    const char *status = is_incomplete ? "incomplete" : "completed";
    struct jsonw w;
    enum err err = respsay_element(&line->output, &w);
    if (err == ERR_OK) {
        err = put_item(line, &w, status);
    }
    if (err == ERR_OK) {
        err = jsonw_end(&w);
    }
    if (err == ERR_OK) {
        err = item_event(line, "response.output_item.done", status);
    }
    line->item = RESPLINE_NONE;
    line->count++;
    return err;
}

enum err
respline_rest(struct respline *line)
{
    return line->item == RESPLINE_MESSAGE ? end_item(line, line->is_cut) : ERR_OK;
}

/* --- pieces: content parts and summary entries --- */

static void
put_place(struct respline *line, struct jsonw *w)
{
    jsonw_put_text(w, "item_id", line->id);
    jsonw_put_u64(w, "output_index", line->count);
    if (line->item == RESPLINE_MESSAGE) {
        jsonw_put_u64(w, "content_index", line->inner);
    } else if (line->item == RESPLINE_REASONING) {
        jsonw_put_u64(w, "summary_index", line->inner);
    }
}

/* The open piece as a value. */
static void
put_piece(struct respline *line, struct jsonw *w)
{
    bool is_summary = line->item == RESPLINE_REASONING;
    bool is_refusal = line->kind == HUB_REFUSAL;
    jsonw_object(w);
    jsonw_put_text(w, "type", is_summary ? "summary_text" : is_refusal ? "refusal" : "output_text");
    jsonw_put_str(w, is_refusal ? "refusal" : "text", buf_str(&line->text));
    if (!is_summary && !is_refusal) {
        respsay_list(w, "annotations", buf_str(&line->notes));
        respsay_list(w, "logprobs", buf_str(&line->tokens));
    }
    jsonw_close(w);
}

static enum err
piece_event(struct respline *line, const char *type)
{
    struct jsonw w;
    respsay_begin(line->say, &w, type);
    put_place(line, &w);
    jsonw_name(&w, "part");
    put_piece(line, &w);
    return respsay_end(line->say, &w);
}

static enum err
begin_piece(struct respline *line)
{
    bool is_summary = line->kind == HUB_REASONING;
    enum err err = ERR_OK;
    if (line->item == RESPLINE_NONE) {
        err = begin_item(line, is_summary ? RESPLINE_REASONING : RESPLINE_MESSAGE);
    }
    line->is_piece_open = true;
    line->refuses = line->refuses || line->kind == HUB_REFUSAL;
    line->note_count = 0;
    buf_clear(&line->text);
    buf_clear(&line->notes);
    buf_clear(&line->tokens);
    return err == ERR_OK ? piece_event(line, is_summary ? "response.reasoning_summary_part.added"
                                                        : "response.content_part.added")
                         : err;
}

/* The words of an event that tells all of a text. */
static enum err
text_event(struct respline *line, const char *type, const char *member)
{
    struct jsonw w;
    respsay_begin(line->say, &w, type);
    put_place(line, &w);
    jsonw_put_str(&w, member, buf_str(&line->text));
    if (line->kind == HUB_TEXT) {
        respsay_list(&w, "logprobs", buf_str(&line->tokens));
    }
    return respsay_end(line->say, &w);
}

static enum err
end_piece(struct respline *line)
{
    if (!line->is_piece_open) {
        return ERR_OK;
    }
    line->is_piece_open = false;
    bool is_summary = line->kind == HUB_REASONING;
    enum err err = is_summary ? text_event(line, "response.reasoning_summary_text.done", "text")
                   : line->kind == HUB_REFUSAL
                       ? text_event(line, "response.refusal.done", "refusal")
                       : text_event(line, "response.output_text.done", "text");
    if (err == ERR_OK) {
        err = piece_event(line, is_summary ? "response.reasoning_summary_part.done"
                                           : "response.content_part.done");
    }
    struct jsonw w;
    if (err == ERR_OK) {
        err = respsay_element(&line->content, &w);
    }
    if (err == ERR_OK) {
        put_piece(line, &w);
        err = jsonw_end(&w);
    }
    /* Of a segment only the length is needed any more. */
    struct str length = str_make(buf_str(&line->text).data, buf_len(&line->text));
    if (err == ERR_OK && is_summary && !hub_segment_to(&line->scratch, &line->segments, length)) {
        err = ERR_FULL;
    }
    line->inner++;
    return err;
}

/* --- deltas --- */

static enum err
delta_event(struct respline *line, const char *type, struct str text)
{
    struct jsonw w;
    respsay_begin(line->say, &w, type);
    put_place(line, &w);
    jsonw_put_str(&w, "delta", text);
    if (line->kind == HUB_TEXT) {
        respsay_list(&w, "logprobs", STR(""));
    }
    enum err err = respsay_end(line->say, &w);
    return err == ERR_OK ? buf_append(&line->text, text) : err;
}

/* Gemini's signature of a call goes out in front of it: there it is found again. */
static enum err
begin_call(struct respline *line)
{
    enum err err = ERR_OK;
    if (line->signature.family != HUB_FAMILY_NONE) {
        err = begin_item(line, RESPLINE_REASONING);
        err = err == ERR_OK ? end_item(line, false) : err;
        line->signature = (struct hub_signature){ .family = HUB_FAMILY_NONE };
    }
    return err == ERR_OK ? begin_item(line, RESPLINE_CALL) : err;
}

static enum err
call_delta(struct respline *line, struct str text)
{
    if (line->is_hosted) {
        return buf_append(&line->text, text); /* its item has no deltas */
    }
    enum err err = line->item == RESPLINE_NONE ? begin_call(line) : ERR_OK;
    const char *type = line->call.kind == HUB_CUSTOM ? "response.custom_tool_call_input.delta"
                                                     : "response.function_call_arguments.delta";
    return err == ERR_OK ? delta_event(line, type, text) : err;
}

static enum err
delta(struct respline *line, struct str text)
{
    if (line->kind == HUB_CALL) {
        return call_delta(line, text);
    }
    bool is_text = line->kind == HUB_TEXT || line->kind == HUB_REFUSAL;
    if (!is_text && line->kind != HUB_REASONING) {
        return ERR_OK; /* other parts have no deltas */
    }
    enum err err = line->is_piece_open ? ERR_OK : begin_piece(line);
    const char *type = line->kind == HUB_TEXT      ? "response.output_text.delta"
                       : line->kind == HUB_REFUSAL ? "response.refusal.delta"
                                                   : "response.reasoning_summary_text.delta";
    return err == ERR_OK ? delta_event(line, type, text) : err;
}

static enum err
annotation(struct respline *line, const struct hub_annotation *note)
{
    if (!line->is_piece_open || line->kind != HUB_TEXT || line->note_count == HUB_ANNOTATIONS_MAX) {
        return ERR_OK;
    }
    struct jsonw w;
    respsay_begin(line->say, &w, "response.output_text.annotation.added");
    put_place(line, &w);
    jsonw_put_u64(&w, "annotation_index", line->note_count++);
    jsonw_name(&w, "annotation");
    respsay_annotation(&w, note);
    enum err err = respsay_end(line->say, &w);
    if (err == ERR_OK) {
        err = respsay_element(&line->notes, &w);
    }
    if (err == ERR_OK) {
        respsay_annotation(&w, note);
        err = jsonw_end(&w);
    }
    return err;
}

static enum err
logprobs(struct respline *line, struct str tokens)
{
    if (!line->is_piece_open || line->kind != HUB_TEXT) {
        return ERR_OK;
    }
    struct str text = respecho_line(&line->scratch, tokens);
    enum err err = text.data == NULL ? ERR_FULL : ERR_OK;
    if (err == ERR_OK && buf_len(&line->tokens) > 0) {
        err = buf_append(&line->tokens, STR(","));
    }
    return err == ERR_OK ? buf_append(&line->tokens, text) : err;
}

/* --- parts --- */

static enum err
open_call(struct respline *line, const struct hub_call *from)
{
    const struct plan_tool *tool = plan_tool_named(line->say->plan, from->name, from->space);
    bool is_function = tool != NULL && tool->kind == HUB_FUNCTION;
    line->call = (struct hub_call){ .kind = from->kind,
                                    .id = arena_dup(&line->scratch, from->id),
                                    .name = arena_dup(&line->scratch, from->name),
                                    .space = arena_dup(&line->scratch, from->space) };
    line->is_hosted =
        is_function && (tool->hosted == HUB_HOSTED_SHELL || tool->hosted == HUB_HOSTED_APPLY_PATCH);
    bool is_kept =
        line->call.id.data != NULL && line->call.name.data != NULL && line->call.space.data != NULL;
    return is_kept ? ERR_OK : ERR_FULL;
}

static enum err
keep_signature(struct respline *line, const struct hub_signature *from)
{
    bool is_late = line->kind == HUB_CALL && line->item != RESPLINE_NONE;
    if (is_late || (line->kind != HUB_CALL && line->kind != HUB_REASONING)) {
        return ERR_OK;
    }
    line->signature = (struct hub_signature){ .family = from->family,
                                              .bytes = arena_dup(&line->scratch, from->bytes),
                                              .id = arena_dup(&line->scratch, from->id) };
    bool is_kept = line->signature.bytes.data != NULL && line->signature.id.data != NULL;
    return is_kept ? ERR_OK : ERR_FULL;
}

static enum err
open_part(struct respline *line, const struct hub_event *event)
{
    bool is_text = event->part_kind == HUB_TEXT || event->part_kind == HUB_REFUSAL;
    enum err err = is_text ? ERR_OK : respline_rest(line);
    line->kind = event->part_kind;
    line->is_hosted = false;
    if (is_text && line->item == RESPLINE_MESSAGE) {
        return err; /* the open message goes on */
    }
    arena_reset(&line->scratch);
    buf_clear(&line->text);
    buf_clear(&line->content);
    line->segments = NULL;
    line->signature = (struct hub_signature){ .family = HUB_FAMILY_NONE };
    line->phase = is_text ? arena_dup(&line->scratch, event->phase) : line->phase;
    if (err == ERR_OK && event->part_kind == HUB_CALL) {
        err = open_call(line, &event->call);
        bool is_signed = err == ERR_OK && event->call.signature.family != HUB_FAMILY_NONE;
        err = is_signed ? keep_signature(line, &event->call.signature) : err;
    }
    return err;
}

static enum err
end_call(struct respline *line, bool is_incomplete)
{
    struct walk arguments;
    if (line->is_hosted) {
        bool is_object = walk_parse(buf_str(&line->text), &line->scratch, &arguments) == ERR_OK &&
                         walk_kind(arguments) == JSON_OBJECT;
        line->is_hosted = is_object; /* else the client sees what the model said */
    }
    enum err err = line->item == RESPLINE_NONE ? begin_call(line) : ERR_OK;
    if (err == ERR_OK && !line->is_hosted) {
        struct jsonw w;
        bool is_custom = line->call.kind == HUB_CUSTOM;
        respsay_begin(line->say, &w,
                      is_custom ? "response.custom_tool_call_input.done"
                                : "response.function_call_arguments.done");
        put_place(line, &w);
        if (!is_custom) {
            jsonw_put_str(&w, "name", line->call.name);
        }
        jsonw_put_str(&w, is_custom ? "input" : "arguments", buf_str(&line->text));
        err = respsay_end(line->say, &w);
    }
    return err == ERR_OK ? end_item(line, is_incomplete) : err;
}

/* A signature without words is a reasoning item, too. */
static enum err
end_reasoning(struct respline *line)
{
    enum err err = end_piece(line);
    bool is_signed = line->signature.family != HUB_FAMILY_NONE;
    if (err == ERR_OK && is_signed && line->item == RESPLINE_NONE) {
        err = begin_item(line, RESPLINE_REASONING);
    }
    return err == ERR_OK && line->item == RESPLINE_REASONING ? end_item(line, false) : err;
}

enum err
respline_event(struct respline *line, const struct hub_event *event)
{
    switch (event->kind) {
    case HUB_OPEN:
        return open_part(line, event);
    case HUB_DELTA:
        return delta(line, event->text);
    case HUB_SEGMENT:
        return end_piece(line);
    case HUB_SIGNATURE:
        return keep_signature(line, event->signature);
    case HUB_ANNOTATION:
        return annotation(line, event->annotation);
    case HUB_LOGPROBS:
        return logprobs(line, event->text);
    case HUB_MEDIA:
        return respextra_image(line, event->media);
    case HUB_SERVER_DONE:
        return respextra_search(line, event->server);
    case HUB_CLOSE:
        if (line->kind == HUB_CALL) {
            return end_call(line, event->is_incomplete);
        }
        if (line->kind == HUB_REASONING) {
            return end_reasoning(line);
        }
        line->is_cut = line->is_cut || event->is_incomplete;
        return end_piece(line);
    case HUB_START:
    case HUB_USAGE:
    case HUB_FINISH:
    case HUB_ERROR:
    case HUB_END:
        break;
    }
    return ERR_BUG;
}

/*
 * chattalk.c - the conversation of a Chat Completions request, written (see chattalk.h).
 */
#include "proto/chattalk.h"
#include "base/check.h"
#include "base/jsonw.h"
#include "proto/argument.h"
#include "proto/media.h"
#include "proto/turns.h"

struct out {
    const struct codec_job *job;
    const struct hub_request *request;
    const struct caps *caps;
    struct jsonw *w;
    struct str extra; /* goes to the end of the system text */
};

/* --- parts --- */

static enum err
reject_part(const struct out *out, const struct hub_message *message, const struct hub_part *part,
            const char *why)
{
    char path[HUB_PATH_BYTES];
    return hub_reject(out->job->problem, why, "%s",
                      hub_part_path(out->request, message, part, path));
}

static void
write_text(struct out *out, const struct hub_part *part, struct str text)
{
    struct jsonw *w = out->w;
    jsonw_object(w);
    jsonw_put_text(w, "type", "text");
    jsonw_put_str(w, "text", text);
    if (part->cache != HUB_CACHE_NONE && out->caps->cache_breakpoints) {
        jsonw_name(w, "prompt_cache_breakpoint");
        jsonw_object(w);
        jsonw_put_text(w, "mode", "explicit");
        jsonw_close(w);
    }
    jsonw_close(w);
}

static enum err
write_image(struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    struct jsonw *w = out->w;
    struct str url;
    enum err err = media_url(&part->media, out->job->arena, &url);
    if (err == ERR_BAD) {
        return reject_part(out, message, part, "the upstream cannot be given a file's id");
    }
    bool is_video = part->kind == HUB_VIDEO;
    jsonw_object(w);
    jsonw_put_text(w, "type", is_video ? "video_url" : "image_url");
    jsonw_name(w, is_video ? "video_url" : "image_url");
    jsonw_object(w);
    jsonw_put_str(w, "url", url);
    if (part->media.detail.len > 0) {
        bool is_original = str_equal(part->media.detail, STR("original"));
        jsonw_put_str(w, "detail", is_original ? STR("high") : part->media.detail);
    }
    jsonw_close(w);
    jsonw_close(w);
    return err;
}

static enum err
write_audio(struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    struct jsonw *w = out->w;
    struct str mime = part->media.mime;
    bool is_mp3 = str_equal(mime, STR("audio/mpeg")) || str_equal(mime, STR("audio/mp3"));
    bool is_wav = str_equal(mime, STR("audio/wav")) || str_equal(mime, STR("audio/x-wav"));
    if (part->media.source != HUB_BASE64 || (!is_mp3 && !is_wav)) {
        return reject_part(out, message, part, "the upstream takes wav and mp3 sounds only");
    }
    jsonw_object(w);
    jsonw_put_text(w, "type", "input_audio");
    jsonw_name(w, "input_audio");
    jsonw_object(w);
    jsonw_put_str(w, "data", part->media.data);
    jsonw_put_text(w, "format", is_mp3 ? "mp3" : "wav");
    jsonw_close(w);
    jsonw_close(w);
    return ERR_OK;
}

/* A text with its title in front: what a plain document is to a model without documents. */
static enum err
document_text(const struct out *out, const struct hub_part *part, struct str *text)
{
    const struct hub_media *media = &part->media;
    *text = media->data;
    if (media->filename.len == 0 && media->context.len == 0) {
        return ERR_OK;
    }
    *text = arena_printf(out->job->arena, "%.*s%s%.*s%s%.*s", STR_ARG(media->filename),
                         media->filename.len > 0 ? "\n" : "", STR_ARG(media->context),
                         media->context.len > 0 ? "\n" : "", STR_ARG(media->data));
    return text->data == NULL ? ERR_FULL : ERR_OK;
}

static enum err
write_document(struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    struct jsonw *w = out->w;
    if (part->media.source == HUB_PLAIN) {
        struct str text;
        enum err err = document_text(out, part, &text);
        write_text(out, part, text);
        return err;
    }
    if (part->media.source != HUB_BASE64) {
        return reject_part(out, message, part, "the upstream cannot load this file itself");
    }
    struct str url;
    enum err err = media_url(&part->media, out->job->arena, &url);
    jsonw_object(w);
    jsonw_put_text(w, "type", "file");
    jsonw_name(w, "file");
    jsonw_object(w);
    jsonw_put_str(w, "filename",
                  part->media.filename.len > 0 ? part->media.filename : STR("document.pdf"));
    jsonw_put_str(w, "file_data", url);
    jsonw_close(w);
    jsonw_close(w);
    return err;
}

static enum err
write_passage(struct out *out, const struct hub_part *part)
{
    struct str text = arena_printf(out->job->arena, "%.*s\n%.*s\n%.*s", STR_ARG(part->title),
                                   STR_ARG(part->source), STR_ARG(part->text));
    write_text(out, part, text);
    return text.data == NULL ? ERR_FULL : ERR_OK;
}

/* A part of a user's message. */
static enum err
write_part(struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    switch (part->kind) {
    case HUB_TEXT:
    case HUB_REFUSAL:
        write_text(out, part, part->text);
        return ERR_OK;
    case HUB_IMAGE:
        return write_image(out, message, part);
    case HUB_VIDEO:
        return out->caps->video ? write_image(out, message, part)
                                : reject_part(out, message, part, "the upstream takes no videos");
    case HUB_AUDIO:
        return write_audio(out, message, part);
    case HUB_DOCUMENT:
        return write_document(out, message, part);
    case HUB_SEARCH_RESULT:
        return write_passage(out, part);
    case HUB_SERVER_RESULT:
        write_text(out, part, part->server.text);
        return ERR_OK;
    case HUB_COMPACTION:
        return reject_part(out, message, part, "the upstream cannot read a compaction");
    case HUB_CALL:
    case HUB_RESULT:
    case HUB_REASONING:
    case HUB_SERVER_CALL:
        return ERR_OK; /* they have no place in a user's message */
    }
    return ERR_BUG;
}

/* --- messages --- */

static bool
is_plain(const struct out *out, const struct hub_part *parts)
{
    bool is_marked =
        parts != NULL && parts->cache != HUB_CACHE_NONE && out->caps->cache_breakpoints;
    return parts != NULL && parts->next == NULL && parts->kind == HUB_TEXT && !is_marked;
}

static enum err
write_parts(struct out *out, const struct hub_message *message, const struct hub_part *parts)
{
    enum err err = ERR_OK;
    jsonw_array(out->w);
    for (const struct hub_part *part = parts; part != NULL && err == ERR_OK; part = part->next) {
        err = write_part(out, message, part);
    }
    jsonw_close(out->w);
    return err;
}

static enum err
write_user(struct out *out, const struct hub_message *message)
{
    struct jsonw *w = out->w;
    jsonw_object(w);
    jsonw_put_text(w, "role", "user");
    if (message->name.len > 0) {
        jsonw_put_str(w, "name", message->name);
    }
    jsonw_name(w, "content");
    enum err err = ERR_OK;
    if (is_plain(out, message->parts)) {
        jsonw_str(w, message->parts->text);
    } else {
        err = write_parts(out, message, message->parts);
    }
    jsonw_close(w);
    return err;
}

static const char *
system_role(const struct out *out)
{
    return out->caps->reasoning_model ? "developer" : "system";
}

/* System text in the middle of the conversation stays where it is. */
static enum err
write_instruction(struct out *out, const struct hub_message *message)
{
    struct str text;
    enum err err = hub_join_texts(out->job->arena, message->parts, STR("\n\n"), &text);
    jsonw_object(out->w);
    jsonw_put_text(out->w, "role", system_role(out));
    jsonw_put_str(out->w, "content", text);
    jsonw_close(out->w);
    return err;
}

static bool
has_marks(const struct out *out, const struct hub_message *end)
{
    for (const struct hub_message *at = out->request->messages; at != end; at = at->next) {
        for (const struct hub_part *part = at->parts; part != NULL; part = part->next) {
            if (part->cache != HUB_CACHE_NONE) {
                return out->caps->cache_breakpoints;
            }
        }
    }
    return false;
}

/* All leading system texts in one message: several break the templates of self-hosted models. */
static enum err
write_system(struct out *out)
{
    const struct hub_message *end = turns_behind_system(out->request);
    struct jsonw *w = out->w;
    if (end == out->request->messages && out->extra.len == 0) {
        return ERR_OK;
    }
    jsonw_object(w);
    jsonw_put_text(w, "role", system_role(out));
    jsonw_name(w, "content");
    enum err err = ERR_OK;
    if (has_marks(out, end)) {
        jsonw_array(w);
        for (const struct hub_message *at = out->request->messages; at != end; at = at->next) {
            for (const struct hub_part *part = at->parts; part != NULL; part = part->next) {
                write_text(out, part, part->text);
            }
        }
        if (out->extra.len > 0) {
            struct hub_part part = { .kind = HUB_TEXT };
            write_text(out, &part, out->extra);
        }
        jsonw_close(w);
    } else {
        struct str text;
        err = turns_system_text(out->request, out->job->arena, &text);
        if (err == ERR_OK && out->extra.len > 0) {
            text = arena_printf(out->job->arena, "%.*s%s%.*s", STR_ARG(text),
                                text.len > 0 ? "\n\n" : "", STR_ARG(out->extra));
            err = text.data == NULL ? ERR_FULL : ERR_OK;
        }
        jsonw_str(w, text);
    }
    jsonw_close(w);
    return err;
}

static enum err
write_call(struct out *out, const struct hub_call *call)
{
    struct jsonw *w = out->w;
    const struct plan_tool *tool = plan_tool_named(out->job->plan, call->name, call->space);
    bool is_wrapped =
        call->kind == HUB_CUSTOM && (tool == NULL ? !out->caps->custom_tools : tool->is_wrapped);
    struct str wire, arguments = call->arguments;
    enum err err = plan_wire(out->job->plan, call->name, call->space, &wire);
    if (err == ERR_OK && is_wrapped) {
        err = argument_wrap(call->arguments, out->job->arena, &arguments);
    }
    bool is_custom = call->kind == HUB_CUSTOM && !is_wrapped;
    bool is_empty = !is_custom && str_trim(arguments).len == 0;
    char id[PLAN_ID_BYTES];
    jsonw_object(w);
    jsonw_put_str(w, "id", plan_call_id(DIALECT_CHAT, call->id, id));
    jsonw_put_text(w, "type", is_custom ? "custom" : "function");
    jsonw_name(w, is_custom ? "custom" : "function");
    jsonw_object(w);
    jsonw_put_str(w, "name", wire);
    jsonw_put_str(w, is_custom ? "input" : "arguments", is_empty ? STR("{}") : arguments);
    jsonw_close(w);
    jsonw_close(w);
    return err;
}

/* Text of reasoning, only for accounts that want it back. */
static enum err
write_reasoning(struct out *out, const struct hub_message *message)
{
    if (!out->caps->reasoning_in_history) {
        return ERR_OK;
    }
    struct hub_segment *segments = NULL;
    for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
        const struct hub_segment *at =
            part->kind == HUB_REASONING ? part->reasoning.segments : NULL;
        for (; at != NULL; at = at->next) {
            if (!hub_segment_to(out->job->arena, &segments, at->text)) {
                return ERR_FULL;
            }
        }
    }
    struct str text;
    enum err err = hub_join_segments(out->job->arena, segments, STR("\n\n"), &text);
    if (text.len > 0) {
        jsonw_put_str(out->w, "reasoning_content", text);
    }
    return err;
}

/* Texts without anything between them; an image of the model's own becomes a mark (the image itself
 * follows in a user's message). */
static enum err
assistant_text(struct out *out, const struct hub_message *message, bool *has_text, struct str *text)
{
    struct hub_segment *segments = NULL;
    for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
        struct str piece = part->kind == HUB_TEXT            ? part->text
                           : part->kind == HUB_IMAGE         ? STR("[image]")
                           : part->kind == HUB_SERVER_RESULT ? part->server.text
                                                             : str_make(NULL, 0);
        if (piece.len > 0 && !hub_segment_to(out->job->arena, &segments, piece)) {
            return ERR_FULL;
        }
    }
    *has_text = segments != NULL;
    return hub_join_segments(out->job->arena, segments, str_make(NULL, 0), text);
}

static enum err
write_calls(struct out *out, const struct hub_message *message)
{
    bool is_begun = false;
    enum err err = ERR_OK;
    for (const struct hub_part *part = message->parts; part != NULL && err == ERR_OK;
         part = part->next) {
        if (part->kind != HUB_CALL) {
            continue;
        }
        if (!is_begun) {
            jsonw_name(out->w, "tool_calls");
            jsonw_array(out->w);
            is_begun = true;
        }
        err = write_call(out, &part->call);
    }
    if (is_begun) {
        jsonw_close(out->w);
    }
    return err;
}

static bool
has_kind(const struct hub_part *parts, enum hub_part_kind kind)
{
    while (parts != NULL && parts->kind != kind) {
        parts = parts->next;
    }
    return parts != NULL;
}

/* Parts that a tool's or the assistant's message cannot hold, in a user's message of their own. */
static enum err
write_media(struct out *out, const struct hub_message *message)
{
    bool is_begun = false;
    enum err err = ERR_OK;
    for (const struct hub_part *part = message->parts; part != NULL && err == ERR_OK;
         part = part->next) {
        const struct hub_part *at = part->kind == HUB_RESULT ? part->result.parts : part;
        const struct hub_part *end = part->kind == HUB_RESULT ? NULL : part->next;
        for (; at != end && err == ERR_OK; at = at->next) {
            bool is_media = at->kind == HUB_IMAGE || at->kind == HUB_DOCUMENT ||
                            at->kind == HUB_AUDIO || at->kind == HUB_VIDEO;
            if (!is_media) {
                continue;
            }
            if (!is_begun) {
                is_begun = true;
                jsonw_object(out->w);
                jsonw_put_text(out->w, "role", "user");
                jsonw_name(out->w, "content");
                jsonw_array(out->w);
            }
            err = write_part(out, message, at);
        }
    }
    if (is_begun) {
        jsonw_close(out->w);
        jsonw_close(out->w);
    }
    return err;
}

static enum err
write_assistant(struct out *out, const struct hub_message *message)
{
    struct jsonw *w = out->w;
    struct str text, refusal = { NULL, 0 };
    bool has_text = false;
    enum err err = assistant_text(out, message, &has_text, &text);
    for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
        refusal = part->kind == HUB_REFUSAL ? part->text : refusal;
    }
    bool has_calls = has_kind(message->parts, HUB_CALL);
    if (err != ERR_OK || (!has_text && !has_calls && refusal.len == 0)) {
        return err; /* reasoning alone is nothing to this dialect */
    }
    jsonw_object(w);
    jsonw_put_text(w, "role", "assistant");
    if (message->name.len > 0) {
        jsonw_put_str(w, "name", message->name);
    }
    jsonw_name(w, "content");
    if (has_text) {
        jsonw_str(w, text);
    } else {
        jsonw_null(w);
    }
    if (refusal.len > 0) {
        jsonw_put_str(w, "refusal", refusal);
    }
    err = write_reasoning(out, message);
    if (err == ERR_OK) {
        err = write_calls(out, message);
    }
    jsonw_close(w);
    bool shows_image = err == ERR_OK && !has_calls && has_kind(message->parts, HUB_IMAGE);
    return shows_image ? write_media(out, message) : err;
}

/* What a result says as one text; images become a mark. */
static enum err
result_text(struct out *out, const struct hub_result *result, struct str *text)
{
    struct hub_segment *segments = NULL;
    bool has_media = false;
    for (const struct hub_part *part = result->parts; part != NULL; part = part->next) {
        struct str piece = str_make(NULL, 0);
        if (part->kind == HUB_TEXT) {
            piece = part->text;
        } else if (part->kind == HUB_SEARCH_RESULT) {
            piece = arena_printf(out->job->arena, "%.*s\n%.*s\n%.*s", STR_ARG(part->title),
                                 STR_ARG(part->source), STR_ARG(part->text));
        } else if (!has_media) {
            has_media = true;
            piece = STR("[image attached below]");
        }
        if (piece.len > 0 && !hub_segment_to(out->job->arena, &segments, piece)) {
            return ERR_FULL;
        }
    }
    return hub_join_segments(out->job->arena, segments, STR("\n"), text);
}

static enum err
write_results(struct out *out, const struct hub_message *message)
{
    struct jsonw *w = out->w;
    enum err err = ERR_OK;
    for (const struct hub_part *part = message->parts; part != NULL && err == ERR_OK;
         part = part->next) {
        CHECK(part->kind == HUB_RESULT);
        struct str text;
        char id[PLAN_ID_BYTES];
        err = result_text(out, &part->result, &text);
        jsonw_object(w);
        jsonw_put_text(w, "role", "tool");
        jsonw_put_str(w, "tool_call_id", plan_call_id(DIALECT_CHAT, part->result.call_id, id));
        jsonw_put_str(w, "content", text);
        jsonw_close(w);
    }
    return err == ERR_OK ? write_media(out, message) : err;
}

static enum err
write_message(struct out *out, const struct hub_message *message)
{
    switch (message->role) {
    case HUB_SYSTEM:
    case HUB_DEVELOPER:
        return write_instruction(out, message);
    case HUB_USER:
        return write_user(out, message);
    case HUB_ASSISTANT:
        return write_assistant(out, message);
    case HUB_TOOL:
        return write_results(out, message);
    }
    return ERR_BUG;
}

enum err
chattalk_write(const struct codec_job *job, struct jsonw *w, struct str extra)
{
    struct out out = {
        .job = job, .request = job->request, .caps = job->target->caps, .w = w, .extra = extra
    };
    jsonw_name(w, "messages");
    jsonw_array(w);
    enum err err = write_system(&out);
    for (const struct hub_message *message = turns_behind_system(job->request);
         message != NULL && err == ERR_OK; message = message->next) {
        err = write_message(&out, message);
    }
    jsonw_close(w);
    return err;
}

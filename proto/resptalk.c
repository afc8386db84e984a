/*
 * resptalk.c - the conversation of a Responses request, written (see resptalk.h).
 *
 * Messages and calls go without their ids: nothing is stored under them. A reasoning item keeps its
 * own, since OpenAI binds the encrypted content to it.
 */
#include "proto/resptalk.h"

#include "base/check.h"
#include "proto/media.h"
#include "proto/turns.h"

struct out {
    const struct codec_job *job;
    const struct hub_request *request;
    struct jsonw *w;
    struct str extra;
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
write_mark(struct out *out, const struct hub_part *part)
{
    if (part->cache == HUB_CACHE_NONE || !out->job->target->caps->cache_breakpoints) {
        return;
    }
    jsonw_name(out->w, "prompt_cache_breakpoint");
    jsonw_object(out->w);
    jsonw_put_text(out->w, "mode", "explicit");
    jsonw_close(out->w);
}

static void
write_text(struct out *out, const struct hub_part *part, struct str text)
{
    jsonw_object(out->w);
    jsonw_put_text(out->w, "type", "input_text");
    jsonw_put_str(out->w, "text", text);
    write_mark(out, part);
    jsonw_close(out->w);
}

/* Both OpenAI dialects name files of one store. */
static bool
is_openai_file(const struct hub_media *media)
{
    return media->source == HUB_FILE_ID &&
           (media->home == DIALECT_CHAT || media->home == DIALECT_RESPONSES);
}

static enum err
write_image(struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    struct jsonw *w = out->w;
    const struct hub_media *media = &part->media;
    struct str url = str_make(NULL, 0);
    enum err err = is_openai_file(media) ? ERR_OK : media_url(media, out->job->arena, &url);
    if (err == ERR_BAD) {
        return reject_part(out, message, part, "the upstream cannot be given this file's id");
    }
    jsonw_object(w);
    jsonw_put_text(w, "type", "input_image");
    if (is_openai_file(media)) {
        jsonw_put_str(w, "file_id", media->reference);
    } else {
        jsonw_put_str(w, "image_url", url);
    }
    jsonw_put_str(w, "detail", media->detail.len > 0 ? media->detail : STR("auto"));
    write_mark(out, part);
    jsonw_close(w);
    return err;
}

/* A text with its title in front: what a plain document is without a file. */
static enum err
write_plain(struct out *out, const struct hub_part *part)
{
    const struct hub_media *media = &part->media;
    struct str text = media->data;
    if (media->filename.len > 0 || media->context.len > 0) {
        text = arena_printf(out->job->arena, "%.*s%s%.*s%s%.*s", STR_ARG(media->filename),
                            media->filename.len > 0 ? "\n" : "", STR_ARG(media->context),
                            media->context.len > 0 ? "\n" : "", STR_ARG(media->data));
    }
    write_text(out, part, text);
    return text.data == NULL && media->data.len > 0 ? ERR_FULL : ERR_OK;
}

static enum err
write_document(struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    struct jsonw *w = out->w;
    const struct hub_media *media = &part->media;
    if (media->source == HUB_PLAIN) {
        return write_plain(out, part);
    }
    struct str url = str_make(NULL, 0);
    enum err err = is_openai_file(media) ? ERR_OK : media_url(media, out->job->arena, &url);
    if (err == ERR_BAD) {
        return reject_part(out, message, part, "the upstream cannot be given this file's id");
    }
    jsonw_object(w);
    jsonw_put_text(w, "type", "input_file");
    if (is_openai_file(media)) {
        jsonw_put_str(w, "file_id", media->reference);
    } else if (media->source == HUB_URL) {
        jsonw_put_str(w, "file_url", url);
    } else {
        jsonw_put_str(w, "filename",
                      media->filename.len > 0 ? media->filename : STR("document.pdf"));
        jsonw_put_str(w, "file_data", url);
    }
    write_mark(out, part);
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

/* A part of a user's message or of a result. */
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
    case HUB_AUDIO:
        return reject_part(out, message, part, "the upstream takes no sounds");
    case HUB_VIDEO:
        return reject_part(out, message, part, "the upstream takes no videos");
    case HUB_DOCUMENT:
        return write_document(out, message, part);
    case HUB_SEARCH_RESULT:
        return write_passage(out, part);
    case HUB_SERVER_RESULT:
        write_text(out, part, part->server.text);
        return ERR_OK;
    case HUB_COMPACTION:
        return reject_part(out, message, part, "the upstream cannot read this compaction");
    case HUB_CALL:
    case HUB_RESULT:
    case HUB_REASONING:
    case HUB_SERVER_CALL:
        return ERR_OK; /* they have no place in a user's message */
    }
    return ERR_BUG;
}

/* --- messages --- */

static void
begin_message(struct out *out, const char *role)
{
    jsonw_object(out->w);
    jsonw_put_text(out->w, "type", "message");
    jsonw_put_text(out->w, "role", role);
    jsonw_name(out->w, "content");
    jsonw_array(out->w);
}

static void
end_message(struct out *out)
{
    jsonw_close(out->w);
    jsonw_close(out->w);
}

static enum err
write_plain_message(struct out *out, const struct hub_message *message, const char *role)
{
    enum err err = ERR_OK;
    begin_message(out, role);
    for (const struct hub_part *part = message->parts; part != NULL && err == ERR_OK;
         part = part->next) {
        err = write_part(out, message, part);
    }
    end_message(out);
    return err;
}

/* --- the assistant's items --- */

/* What an assistant's part says in words; empty: nothing. */
static struct str
words_of(const struct hub_part *part)
{
    switch (part->kind) {
    case HUB_TEXT:
    case HUB_REFUSAL:
        return part->text;
    case HUB_IMAGE:
        return STR("[image]"); /* the image itself follows in a user's message */
    case HUB_SERVER_RESULT:
        return part->server.text;
    case HUB_AUDIO:
    case HUB_VIDEO:
    case HUB_DOCUMENT:
    case HUB_CALL:
    case HUB_RESULT:
    case HUB_REASONING:
    case HUB_SEARCH_RESULT:
    case HUB_SERVER_CALL:
    case HUB_COMPACTION:
        break;
    }
    return str_make(NULL, 0);
}

static void
write_words(struct out *out, const struct hub_part *part)
{
    struct jsonw *w = out->w;
    bool is_refusal = part->kind == HUB_REFUSAL;
    jsonw_object(w);
    jsonw_put_text(w, "type", is_refusal ? "refusal" : "output_text");
    jsonw_put_str(w, is_refusal ? "refusal" : "text", words_of(part));
    if (!is_refusal) {
        jsonw_name(w, "annotations");
        jsonw_array(w);
        jsonw_close(w);
    }
    jsonw_close(w);
}

static enum err
write_call(struct out *out, const struct hub_call *call)
{
    struct jsonw *w = out->w;
    bool is_custom = call->kind == HUB_CUSTOM;
    bool is_empty = !is_custom && str_trim(call->arguments).len == 0;
    char id[PLAN_ID_BYTES];
    struct str wire;
    enum err err = plan_wire(out->job->plan, call->name, call->space, &wire);
    jsonw_object(w);
    jsonw_put_text(w, "type", is_custom ? "custom_tool_call" : "function_call");
    jsonw_put_str(w, "call_id", plan_call_id(DIALECT_RESPONSES, call->id, id));
    jsonw_put_str(w, "name", wire);
    jsonw_put_str(w, is_custom ? "input" : "arguments", is_empty ? STR("{}") : call->arguments);
    jsonw_close(w);
    return err;
}

/* OpenAI's own reasoning goes back as it was; no other is accepted. */
static void
write_reasoning(struct out *out, const struct hub_reasoning *reasoning)
{
    struct jsonw *w = out->w;
    const struct hub_signature *signature = &reasoning->signature;
    if (signature->family != HUB_FAMILY_OPENAI || signature->bytes.len == 0 ||
        signature->id.len == 0) {
        return;
    }
    jsonw_object(w);
    jsonw_put_text(w, "type", "reasoning");
    jsonw_put_str(w, "id", signature->id);
    jsonw_name(w, "summary");
    jsonw_array(w);
    for (const struct hub_segment *at = reasoning->segments; at != NULL; at = at->next) {
        jsonw_object(w);
        jsonw_put_text(w, "type", "summary_text");
        jsonw_put_str(w, "text", at->text);
        jsonw_close(w);
    }
    jsonw_close(w);
    jsonw_put_str(w, "encrypted_content", signature->bytes);
    jsonw_close(w);
}

/* The run of words from `part` on as one message; returns the part behind it. */
static const struct hub_part *
write_run(struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    struct jsonw *w = out->w;
    jsonw_object(w);
    jsonw_put_text(w, "type", "message");
    jsonw_put_text(w, "role", "assistant");
    if (message->phase.len > 0) {
        jsonw_put_str(w, "phase", message->phase);
    }
    jsonw_name(w, "content");
    jsonw_array(w);
    for (; part != NULL && words_of(part).len > 0; part = part->next) {
        write_words(out, part);
    }
    end_message(out);
    return part;
}

/* Images that the model made: a user's message shows them. */
static enum err
write_images(struct out *out, const struct hub_message *message)
{
    bool is_begun = false;
    enum err err = ERR_OK;
    for (const struct hub_part *part = message->parts; part != NULL && err == ERR_OK;
         part = part->next) {
        if (part->kind != HUB_IMAGE) {
            continue;
        }
        if (!is_begun) {
            begin_message(out, "user");
            is_begun = true;
        }
        err = write_image(out, message, part);
    }
    if (is_begun) {
        end_message(out);
    }
    return err;
}

static enum err
write_assistant(struct out *out, const struct hub_message *message)
{
    enum err err = ERR_OK;
    bool has_calls = false;
    const struct hub_part *part = message->parts;
    while (part != NULL && err == ERR_OK) {
        if (words_of(part).len > 0) {
            part = write_run(out, message, part);
            continue;
        }
        if (part->kind == HUB_CALL) {
            err = write_call(out, &part->call);
            has_calls = true;
        } else if (part->kind == HUB_REASONING) {
            write_reasoning(out, &part->reasoning);
        }
        part = part->next;
    }
    /* Nothing may stand between calls and their outputs. */
    return err == ERR_OK && !has_calls ? write_images(out, message) : err;
}

/* --- results --- */

static bool
is_all_text(const struct hub_part *parts)
{
    while (parts != NULL && parts->kind == HUB_TEXT) {
        parts = parts->next;
    }
    return parts == NULL;
}

static enum err
write_result(struct out *out, const struct hub_message *message, const struct hub_result *result)
{
    struct jsonw *w = out->w;
    char id[PLAN_ID_BYTES];
    enum err err = ERR_OK;
    jsonw_object(w);
    jsonw_put_text(w, "type",
                   result->kind == HUB_CUSTOM ? "custom_tool_call_output" : "function_call_output");
    jsonw_put_str(w, "call_id", plan_call_id(DIALECT_RESPONSES, result->call_id, id));
    jsonw_name(w, "output");
    if (is_all_text(result->parts)) {
        struct str text;
        err = hub_join_texts(out->job->arena, result->parts, STR("\n"), &text);
        jsonw_str(w, text);
    } else {
        jsonw_array(w);
        for (const struct hub_part *part = result->parts; part != NULL && err == ERR_OK;
             part = part->next) {
            err = write_part(out, message, part);
        }
        jsonw_close(w);
    }
    jsonw_close(w);
    return err;
}

static enum err
write_message(struct out *out, const struct hub_message *message)
{
    enum err err = ERR_OK;
    switch (message->role) {
    case HUB_SYSTEM:
    case HUB_DEVELOPER:
        return write_plain_message(out, message, "developer");
    case HUB_USER:
        return write_plain_message(out, message, "user");
    case HUB_ASSISTANT:
        return write_assistant(out, message);
    case HUB_TOOL:
        for (const struct hub_part *part = message->parts; part != NULL && err == ERR_OK;
             part = part->next) {
            CHECK(part->kind == HUB_RESULT);
            err = write_result(out, message, &part->result);
        }
        return err;
    }
    return ERR_BUG;
}

/* --- system text --- */

static bool
has_marks(const struct out *out, const struct hub_message *end)
{
    for (const struct hub_message *at = out->request->messages; at != end; at = at->next) {
        for (const struct hub_part *part = at->parts; part != NULL; part = part->next) {
            if (part->cache != HUB_CACHE_NONE) {
                return out->job->target->caps->cache_breakpoints;
            }
        }
    }
    return false;
}

/* `instructions` has no place for cache marks, and `input` must not be empty: then the system text
 * is the first item of the input. */
static enum err
write_instructions(struct out *out, const struct hub_message *end)
{
    struct str text;
    enum err err = turns_system_text(out->request, out->job->arena, &text);
    if (err == ERR_OK && out->extra.len > 0) {
        text = arena_printf(out->job->arena, "%.*s%s%.*s", STR_ARG(text),
                            text.len > 0 ? "\n\n" : "", STR_ARG(out->extra));
        err = text.data == NULL ? ERR_FULL : ERR_OK;
    }
    if (text.len > 0 && end != NULL && !has_marks(out, end)) {
        jsonw_put_str(out->w, "instructions", text);
    }
    return err;
}

enum err
resptalk_write(const struct codec_job *job, struct jsonw *w, struct str extra)
{
    struct out out = { .job = job, .request = job->request, .w = w, .extra = extra };
    const struct hub_message *end = turns_behind_system(job->request);
    enum err err = write_instructions(&out, end);
    bool is_item = end == NULL || has_marks(&out, end);
    jsonw_name(w, "input");
    jsonw_array(w);
    for (const struct hub_message *message = is_item ? job->request->messages : end;
         message != NULL && err == ERR_OK; message = message->next) {
        err = write_message(&out, message);
    }
    if (is_item && extra.len > 0) {
        begin_message(&out, "developer");
        struct hub_part none = { .kind = HUB_TEXT };
        write_text(&out, &none, extra);
        end_message(&out);
    }
    jsonw_close(w);
    return err;
}

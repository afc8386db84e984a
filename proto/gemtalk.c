/*
 * gemtalk.c - systemInstruction and contents of a Gemini request (see gemtalk.h).
 *
 * Everything the user and the tools say between two turns of the model is one content, all
 * responses first and in the order of the calls. A signature stands on the first call of a step; a
 * call that never had one gets the word that tells Gemini not to look for it.
 */
#include "proto/gemtalk.h"

#include "base/check.h"
#include "base/json.h"
#include "proto/argument.h"
#include "proto/media.h"
#include "proto/turns.h"

#define SENTINEL "skip_thought_signature_validator"

struct out {
    const struct codec_job *job;
    const struct hub_request *request;
    const struct caps *caps;
    struct jsonw *w;
    struct str pending; /* a signature that waits for the next part of the model's turn */
    bool has_called;    /* the turn has had its first call */
};

static enum err
reject_part(const struct out *out, const struct hub_message *message, const struct hub_part *part,
            const char *why)
{
    char path[HUB_PATH_BYTES];
    return hub_reject(out->job->problem, why, "%s",
                      hub_part_path(out->request, message, part, path));
}

/* --- parts --- */

static void
write_text(struct out *out, struct str text)
{
    jsonw_object(out->w);
    jsonw_put_str(out->w, "text", text);
    if (out->pending.len > 0) {
        jsonw_put_str(out->w, "thoughtSignature", out->pending);
        out->pending = str_make(NULL, 0);
    }
    jsonw_close(out->w);
}

static enum err
write_media(const struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    struct jsonw *w = out->w;
    const struct hub_media *media = &part->media;
    bool is_google =
        str_starts(media->reference, STR("gs://")) ||
        str_starts(media->reference, STR("https://www.youtube.com/")) ||
        str_starts(media->reference, STR("https://youtu.be/")) ||
        str_starts(media->reference, STR("https://generativelanguage.googleapis.com/"));
    if (media->source == HUB_FILE_ID || (media->source == HUB_URL && !is_google)) {
        return reject_part(out, message, part, "the upstream cannot load this file itself");
    }
    jsonw_object(w);
    if (media->source == HUB_URL) {
        jsonw_name(w, "fileData");
        jsonw_object(w);
        jsonw_put_str(w, "fileUri", media->reference);
    } else {
        jsonw_name(w, "inlineData");
        jsonw_object(w);
        jsonw_put_str(w, "data", media->data);
    }
    if (media->mime.len > 0) {
        jsonw_put_str(w, "mimeType", media->mime);
    }
    jsonw_close(w);
    jsonw_close(w);
    return ERR_OK;
}

/* A document that is text goes as text, its title and context in front. */
static enum err
write_document(struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    const struct hub_media *media = &part->media;
    if (media->source != HUB_PLAIN) {
        if (media->context.len > 0) {
            write_text(out, media->context);
        }
        return write_media(out, message, part);
    }
    struct str text = media->data;
    if (media->filename.len > 0 || media->context.len > 0) {
        text = arena_printf(out->job->arena, "%.*s%s%.*s%s%.*s", STR_ARG(media->filename),
                            media->filename.len > 0 ? "\n" : "", STR_ARG(media->context),
                            media->context.len > 0 ? "\n" : "", STR_ARG(media->data));
    }
    write_text(out, text);
    return text.data == NULL && media->data.len > 0 ? ERR_FULL : ERR_OK;
}

/* Its own signature, one that a carrier brought before it, or the word for none. */
static struct str
signature_of(struct out *out, const struct hub_call *call)
{
    struct str signature = out->pending;
    bool is_first = !out->has_called;
    out->pending = str_make(NULL, 0);
    out->has_called = true;
    if (call->signature.family == HUB_FAMILY_GEMINI) {
        return call->signature.bytes;
    }
    bool needs_word = signature.len == 0 && is_first && out->caps->sig_required;
    return needs_word ? STR(SENTINEL) : signature;
}

static enum err
write_call(struct out *out, const struct hub_call *call)
{
    struct jsonw *w = out->w;
    struct str wire, args;
    enum err err = plan_wire(out->job->plan, call->name, call->space, &wire);
    if (err == ERR_OK) {
        err = call->kind == HUB_CUSTOM
                  ? argument_wrap(call->arguments, out->job->arena, &args)
                  : argument_object(call->arguments, true, out->job->arena, &args);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct str signature = signature_of(out, call);
    jsonw_object(w);
    jsonw_name(w, "functionCall");
    jsonw_object(w);
    jsonw_put_str(w, "name", wire);
    jsonw_name(w, "args");
    jsonw_raw(w, args);
    if (out->caps->fc_id) {
        jsonw_put_str(w, "id", call->id);
    }
    jsonw_close(w);
    if (signature.len > 0) {
        jsonw_put_str(w, "thoughtSignature", signature);
    }
    jsonw_close(w);
    return ERR_OK;
}

/* --- results --- */

static bool
is_media(const struct hub_part *part)
{
    return part->kind == HUB_IMAGE || part->kind == HUB_AUDIO || part->kind == HUB_VIDEO ||
           part->kind == HUB_DOCUMENT;
}

static enum err
result_text(const struct out *out, const struct hub_result *result, struct str *text)
{
    struct hub_segment *segments = NULL;
    bool is_told = out->caps->fr_media;
    for (const struct hub_part *part = result->parts; part != NULL; part = part->next) {
        struct str piece = part->kind == HUB_TEXT ? part->text : str_make(NULL, 0);
        if (part->kind == HUB_SEARCH_RESULT) {
            piece = arena_printf(out->job->arena, "%.*s\n%.*s\n%.*s", STR_ARG(part->title),
                                 STR_ARG(part->source), STR_ARG(part->text));
        } else if (is_media(part) && !is_told) {
            is_told = true;
            piece = STR("[image attached below]");
        }
        if (piece.len > 0 && !hub_segment_to(out->job->arena, &segments, piece)) {
            return ERR_FULL;
        }
    }
    return hub_join_segments(out->job->arena, segments, STR("\n"), text);
}

/* An object stays one; any other text is the output, or the error. */
static void
write_response(const struct out *out, const struct hub_result *result, struct str text)
{
    struct jsonw *w = out->w;
    enum json_kind kind = JSON_NULL;
    bool is_object = !result->is_error && text.len > 1 &&
                     json_scan(text, NULL, NULL, &kind, NULL) == ERR_OK && kind == JSON_OBJECT;
    jsonw_name(w, "response");
    if (is_object) {
        jsonw_raw(w, text);
        return;
    }
    jsonw_object(w);
    jsonw_put_str(w, result->is_error ? "error" : "output", text);
    jsonw_close(w);
}

static enum err
write_result(const struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    struct jsonw *w = out->w;
    const struct hub_result *result = &part->result;
    struct str wire, text;
    enum err err = plan_wire(out->job->plan, result->name, result->space, &wire);
    if (err == ERR_OK) {
        err = result_text(out, result, &text);
    }
    if (err != ERR_OK) {
        return err;
    }
    jsonw_object(w);
    jsonw_name(w, "functionResponse");
    jsonw_object(w);
    jsonw_put_str(w, "name", wire);
    if (out->caps->fc_id) {
        jsonw_put_str(w, "id", result->call_id);
    }
    write_response(out, result, text);
    bool is_begun = false;
    for (const struct hub_part *at = result->parts;
         at != NULL && out->caps->fr_media && err == ERR_OK; at = at->next) {
        if (!is_media(at)) {
            continue;
        }
        if (!is_begun) {
            is_begun = true;
            jsonw_name(w, "parts");
            jsonw_array(w);
        }
        err = write_media(out, message, at);
    }
    if (is_begun) {
        jsonw_close(w);
    }
    jsonw_close(w);
    jsonw_close(w);
    return err;
}

/* All responses of a step first, then the images that have no place in them. */
static enum err
write_results(struct out *out, const struct hub_message *message)
{
    enum err err = ERR_OK;
    for (const struct hub_part *part = message->parts; part != NULL && err == ERR_OK;
         part = part->next) {
        err = write_result(out, message, part);
    }
    for (const struct hub_part *part = message->parts;
         part != NULL && err == ERR_OK && !out->caps->fr_media; part = part->next) {
        for (const struct hub_part *at = part->result.parts; at != NULL && err == ERR_OK;
             at = at->next) {
            if (is_media(at)) {
                err = at->kind == HUB_DOCUMENT ? write_document(out, message, at)
                                               : write_media(out, message, at);
            }
        }
    }
    return err;
}

/* --- contents --- */

static enum err
write_part(struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    switch (part->kind) {
    case HUB_TEXT:
    case HUB_REFUSAL:
        write_text(out, part->text);
        return ERR_OK;
    case HUB_IMAGE:
    case HUB_AUDIO:
    case HUB_VIDEO:
        return write_media(out, message, part);
    case HUB_DOCUMENT:
        return write_document(out, message, part);
    case HUB_CALL:
        return write_call(out, &part->call);
    case HUB_REASONING:
        if (part->reasoning.signature.family == HUB_FAMILY_GEMINI) {
            out->pending = part->reasoning.signature.bytes;
        }
        return ERR_OK;
    case HUB_SEARCH_RESULT: {
        struct str text = arena_printf(out->job->arena, "%.*s\n%.*s\n%.*s", STR_ARG(part->title),
                                       STR_ARG(part->source), STR_ARG(part->text));
        write_text(out, text);
        return text.data == NULL ? ERR_FULL : ERR_OK;
    }
    case HUB_SERVER_RESULT:
        if (part->server.text.len > 0) {
            write_text(out, part->server.text);
        }
        return ERR_OK;
    case HUB_SERVER_CALL:
    case HUB_RESULT:
        return ERR_OK;
    case HUB_COMPACTION:
        return reject_part(out, message, part, "the upstream cannot read a compaction");
    }
    return ERR_BUG;
}

static bool
is_instruction(const struct hub_message *message)
{
    return message->role == HUB_SYSTEM || message->role == HUB_DEVELOPER;
}

/* System text in mid-conversation: Gemini has no place for it. */
static enum err
write_reminder(struct out *out, const struct hub_message *message)
{
    for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
        struct str text = arena_printf(
            out->job->arena, "<system-reminder>\n%.*s\n</system-reminder>", STR_ARG(part->text));
        if (text.data == NULL) {
            return ERR_FULL;
        }
        write_text(out, text);
    }
    return ERR_OK;
}

static enum err
write_parts(struct out *out, const struct hub_message *message)
{
    if (is_instruction(message)) {
        return write_reminder(out, message);
    }
    if (message->role == HUB_TOOL) {
        return write_results(out, message);
    }
    enum err err = ERR_OK;
    for (const struct hub_part *part = message->parts; part != NULL && err == ERR_OK;
         part = part->next) {
        err = write_part(out, message, part);
    }
    return err;
}

static void
begin_content(struct out *out, bool is_model)
{
    out->pending = str_make(NULL, 0);
    out->has_called = false;
    jsonw_object(out->w);
    jsonw_put_text(out->w, "role", is_model ? "model" : "user");
    jsonw_name(out->w, "parts");
    jsonw_array(out->w);
}

static void
end_content(struct out *out)
{
    jsonw_close(out->w);
    jsonw_close(out->w);
}

/* Will anything of the message be written? */
static bool
has_shown(const struct hub_message *message)
{
    for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
        bool is_hidden = part->kind == HUB_REASONING || part->kind == HUB_SERVER_CALL ||
                         (part->kind == HUB_SERVER_RESULT && part->server.text.len == 0);
        if (!is_hidden) {
            return true;
        }
    }
    return false;
}

static enum err
write_contents(struct out *out, const struct hub_message *first, struct str opening)
{
    const struct hub_message *before = NULL;
    enum err err = ERR_OK;
    jsonw_name(out->w, "contents");
    jsonw_array(out->w);
    for (const struct hub_message *at = first; at != NULL && err == ERR_OK; at = at->next) {
        bool is_model = at->role == HUB_ASSISTANT;
        if (!has_shown(at)) {
            continue;
        }
        if (before == NULL && is_model) {
            begin_content(out, false);
            write_text(out, opening.len > 0 ? opening : STR("(conversation continued)"));
            end_content(out);
            opening = str_make(NULL, 0);
        }
        bool goes_on = before != NULL && turns_are_one(before, at);
        if (!goes_on) {
            if (before != NULL) {
                end_content(out);
            }
            begin_content(out, is_model);
        }
        if (before == NULL && opening.len > 0) {
            write_text(out, opening);
        }
        before = at;
        err = write_parts(out, at);
    }
    if (before != NULL) {
        end_content(out);
    }
    jsonw_close(out->w);
    return err;
}

/* --- system --- */

static void
write_system(struct out *out, const struct hub_message *end, struct str extra)
{
    struct jsonw *w = out->w;
    if (end == out->request->messages && extra.len == 0) {
        return;
    }
    jsonw_name(w, "systemInstruction");
    jsonw_object(w);
    jsonw_name(w, "parts");
    jsonw_array(w);
    for (const struct hub_message *at = out->request->messages; at != end; at = at->next) {
        for (const struct hub_part *part = at->parts; part != NULL; part = part->next) {
            write_text(out, part->text);
        }
    }
    if (extra.len > 0) {
        write_text(out, extra);
    }
    jsonw_close(w);
    jsonw_close(w);
}

/* Only system messages: the last one is the user's turn. */
static enum err
write_lonely(struct out *out, const struct hub_message *last)
{
    enum err err = ERR_OK;
    jsonw_name(out->w, "contents");
    jsonw_array(out->w);
    begin_content(out, false);
    for (const struct hub_part *part = last->parts; part != NULL && err == ERR_OK;
         part = part->next) {
        err = write_part(out, last, part);
    }
    end_content(out);
    jsonw_close(out->w);
    return err;
}

enum err
gemtalk_write(const struct codec_job *job, struct jsonw *w, struct str extra)
{
    struct out out = { .job = job, .request = job->request, .caps = job->target->caps, .w = w };
    const struct hub_message *first = turns_behind_system(job->request);
    const struct hub_message *end = first != NULL ? first : job->request->last;
    struct str opening = str_make(NULL, 0);
    enum err err = ERR_OK;
    if (out.caps->system_instruction) {
        write_system(&out, end, extra);
    } else {
        err = turns_system_text(job->request, job->arena, &opening);
    }
    if (err != ERR_OK) {
        return err;
    }
    return first == NULL ? write_lonely(&out, end) : write_contents(&out, first, opening);
}

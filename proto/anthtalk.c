/*
 * anthtalk.c - system and messages of an Anthropic request (see anthtalk.h).
 *
 * Turns alternate: everything the user and the tools say between two answers of the model is one
 * message, results first (turns_order() put them there).
 */
#include "proto/anthtalk.h"

#include "base/check.h"
#include "proto/argument.h"
#include "proto/media.h"
#include "proto/turns.h"

struct out {
    const struct codec_job *job;
    const struct hub_request *request;
    const struct caps *caps;
    struct jsonw *w;
    struct anthtool_marks *marks;
};

static enum err
reject_part(const struct out *out, const struct hub_message *message, const struct hub_part *part,
            const char *why)
{
    char path[HUB_PATH_BYTES];
    return hub_reject(out->job->problem, why, "%s",
                      hub_part_path(out->request, message, part, path));
}

/* --- blocks --- */

static void
write_text(const struct out *out, const struct hub_part *part, struct str text)
{
    jsonw_object(out->w);
    jsonw_put_text(out->w, "type", "text");
    jsonw_put_str(out->w, "text", text);
    anthtool_mark(out->w, part->cache, out->marks);
    jsonw_close(out->w);
}

static void
write_source(const struct out *out, const struct hub_media *media)
{
    struct jsonw *w = out->w;
    jsonw_name(w, "source");
    jsonw_object(w);
    switch (media->source) {
    case HUB_BASE64:
        jsonw_put_text(w, "type", "base64");
        jsonw_put_str(w, "media_type", media->mime);
        jsonw_put_str(w, "data", media->data);
        break;
    case HUB_URL:
        jsonw_put_text(w, "type", "url");
        jsonw_put_str(w, "url", media->reference);
        break;
    case HUB_FILE_ID:
        jsonw_put_text(w, "type", "file");
        jsonw_put_str(w, "file_id", media->reference);
        break;
    case HUB_PLAIN:
        jsonw_put_text(w, "type", "text");
        jsonw_put_text(w, "media_type", "text/plain");
        jsonw_put_str(w, "data", media->data);
        break;
    }
    jsonw_close(w);
}

static bool
is_image_type(struct str mime)
{
    return str_equal(mime, STR("image/jpeg")) || str_equal(mime, STR("image/png")) ||
           str_equal(mime, STR("image/gif")) || str_equal(mime, STR("image/webp"));
}

static enum err
write_image(const struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    const struct hub_media *media = &part->media;
    if (media->source == HUB_BASE64 && !is_image_type(media->mime)) {
        return reject_part(out, message, part,
                           "the upstream takes jpeg, png, gif and webp images only");
    }
    if (media->source == HUB_FILE_ID) {
        return reject_part(out, message, part, "the upstream cannot see another provider's file");
    }
    jsonw_object(out->w);
    jsonw_put_text(out->w, "type", "image");
    write_source(out, media);
    anthtool_mark(out->w, part->cache, out->marks);
    jsonw_close(out->w);
    return ERR_OK;
}

/* Base64 of a text becomes the text: Anthropic takes PDF in base64 only. */
static enum err
settle_document(const struct out *out, struct hub_media *media)
{
    bool is_text = media->source == HUB_BASE64 && (str_starts(media->mime, STR("text/")) ||
                                                   str_equal(media->mime, STR("application/json")));
    if (!is_text) {
        return ERR_OK;
    }
    media->source = HUB_PLAIN;
    return media_decode(media->data, out->job->arena, &media->data);
}

static enum err
write_document(const struct out *out, const struct hub_message *message,
               const struct hub_part *part)
{
    struct jsonw *w = out->w;
    struct hub_media media = part->media;
    enum err err = settle_document(out, &media);
    bool is_pdf = str_equal(media.mime, STR("application/pdf"));
    if (err == ERR_FULL) {
        return err;
    }
    if (err != ERR_OK || (media.source == HUB_BASE64 && !is_pdf) || media.source == HUB_FILE_ID) {
        return reject_part(out, message, part, "the upstream takes PDF and text documents only");
    }
    jsonw_object(w);
    jsonw_put_text(w, "type", "document");
    write_source(out, &media);
    if (media.filename.len > 0) {
        jsonw_put_str(w, "title", media.filename);
    }
    if (media.context.len > 0) {
        jsonw_put_str(w, "context", media.context);
    }
    anthtool_mark(w, part->cache, out->marks);
    jsonw_close(w);
    return ERR_OK;
}

static void
write_passage(const struct out *out, const struct hub_part *part)
{
    struct jsonw *w = out->w;
    jsonw_object(w);
    jsonw_put_text(w, "type", "search_result");
    jsonw_put_str(w, "source", part->source);
    jsonw_put_str(w, "title", part->title);
    jsonw_name(w, "content");
    jsonw_array(w);
    jsonw_object(w);
    jsonw_put_text(w, "type", "text");
    jsonw_put_str(w, "text", part->text);
    jsonw_close(w);
    jsonw_close(w);
    anthtool_mark(w, part->cache, out->marks);
    jsonw_close(w);
}

/* Thinking goes back only with the signature that Anthropic gave it. */
static enum err
write_reasoning(const struct out *out, const struct hub_reasoning *reasoning)
{
    struct jsonw *w = out->w;
    if (reasoning->signature.family == HUB_FAMILY_ANTHROPIC_REDACTED) {
        jsonw_object(w);
        jsonw_put_text(w, "type", "redacted_thinking");
        jsonw_put_str(w, "data", reasoning->signature.bytes);
        jsonw_close(w);
        return ERR_OK;
    }
    if (reasoning->signature.family != HUB_FAMILY_ANTHROPIC) {
        return ERR_OK;
    }
    struct str text;
    enum err err = hub_join_segments(out->job->arena, reasoning->segments, STR("\n\n"), &text);
    jsonw_object(w);
    jsonw_put_text(w, "type", "thinking");
    jsonw_put_str(w, "thinking", text);
    jsonw_put_str(w, "signature", reasoning->signature.bytes);
    jsonw_close(w);
    return err;
}

static enum err
write_call(const struct out *out, const struct hub_part *part)
{
    struct jsonw *w = out->w;
    const struct hub_call *call = &part->call;
    struct str wire, input;
    char id[PLAN_ID_BYTES];
    enum err err = plan_wire(out->job->plan, call->name, call->space, &wire);
    if (err == ERR_OK) {
        err = call->kind == HUB_CUSTOM
                  ? argument_wrap(call->arguments, out->job->arena, &input)
                  : argument_object(call->arguments, true, out->job->arena, &input);
    }
    if (err != ERR_OK) {
        return err;
    }
    jsonw_object(w);
    jsonw_put_text(w, "type", "tool_use");
    jsonw_put_str(w, "id", plan_call_id(DIALECT_ANTHROPIC, call->id, id));
    jsonw_put_str(w, "name", wire);
    jsonw_name(w, "input");
    jsonw_raw(w, input);
    anthtool_mark(w, part->cache, out->marks);
    jsonw_close(w);
    return ERR_OK;
}

static enum err
write_part(const struct out *out, const struct hub_message *message, const struct hub_part *part);

static enum err
write_result(const struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    struct jsonw *w = out->w;
    const struct hub_result *result = &part->result;
    char id[PLAN_ID_BYTES];
    jsonw_object(w);
    jsonw_put_text(w, "type", "tool_result");
    jsonw_put_str(w, "tool_use_id", plan_call_id(DIALECT_ANTHROPIC, result->call_id, id));
    enum err err = ERR_OK;
    bool is_begun = false;
    for (const struct hub_part *at = result->parts; at != NULL && err == ERR_OK; at = at->next) {
        if (at->kind == HUB_TEXT && at->text.len == 0) {
            continue; /* an empty block is refused, an empty result is not */
        }
        if (!is_begun) {
            is_begun = true;
            jsonw_name(w, "content");
            jsonw_array(w);
        }
        err = write_part(out, message, at);
    }
    if (is_begun) {
        jsonw_close(w);
    }
    if (result->is_error) {
        jsonw_put_bool(w, "is_error", true);
    }
    anthtool_mark(w, part->cache, out->marks);
    jsonw_close(w);
    return err;
}

static enum err
write_part(const struct out *out, const struct hub_message *message, const struct hub_part *part)
{
    bool is_model = message->role == HUB_ASSISTANT;
    switch (part->kind) {
    case HUB_TEXT:
    case HUB_REFUSAL:
        write_text(out, part, part->text);
        return ERR_OK;
    case HUB_IMAGE:
        if (is_model) {
            write_text(out, part, STR("[image]"));
            return ERR_OK;
        }
        return write_image(out, message, part);
    case HUB_DOCUMENT:
        return write_document(out, message, part);
    case HUB_AUDIO:
    case HUB_VIDEO:
        return reject_part(out, message, part, "the upstream takes no sounds and videos");
    case HUB_CALL:
        return write_call(out, part);
    case HUB_RESULT:
        return write_result(out, message, part);
    case HUB_REASONING:
        return is_model ? write_reasoning(out, &part->reasoning) : ERR_OK;
    case HUB_SEARCH_RESULT:
        write_passage(out, part);
        return ERR_OK;
    case HUB_SERVER_CALL:
        return ERR_OK;
    case HUB_SERVER_RESULT:
        if (part->server.text.len > 0) {
            write_text(out, part, part->server.text);
        }
        return ERR_OK;
    case HUB_COMPACTION:
        return reject_part(out, message, part, "the upstream cannot read a compaction");
    }
    return ERR_BUG;
}

/* --- messages --- */

static bool
is_blank(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            return false;
        }
    }
    return true;
}

/* Will anything of the part be written? Anthropic refuses blank texts. */
static bool
is_shown(const struct hub_message *message, const struct hub_part *part)
{
    enum hub_family family =
        part->kind == HUB_REASONING ? part->reasoning.signature.family : HUB_FAMILY_NONE;
    switch (part->kind) {
    case HUB_TEXT:
    case HUB_REFUSAL:
        return !is_blank(part->text);
    case HUB_REASONING:
        return message->role == HUB_ASSISTANT &&
               (family == HUB_FAMILY_ANTHROPIC || family == HUB_FAMILY_ANTHROPIC_REDACTED);
    case HUB_SERVER_CALL:
        return false;
    case HUB_SERVER_RESULT:
        return !is_blank(part->server.text);
    case HUB_IMAGE:
    case HUB_AUDIO:
    case HUB_VIDEO:
    case HUB_DOCUMENT:
    case HUB_CALL:
    case HUB_RESULT:
    case HUB_SEARCH_RESULT:
    case HUB_COMPACTION:
        return true;
    }
    return true;
}

static bool
has_shown(const struct hub_message *message)
{
    for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
        if (is_shown(message, part)) {
            return true;
        }
    }
    return false;
}

static bool
is_instruction(const struct hub_message *message)
{
    return message->role == HUB_SYSTEM || message->role == HUB_DEVELOPER;
}

/* System text in mid-conversation, for models that have no place for it. */
static enum err
write_reminder(const struct out *out, const struct hub_message *message)
{
    for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
        struct str text = arena_printf(
            out->job->arena, "<system-reminder>\n%.*s\n</system-reminder>", STR_ARG(part->text));
        if (text.data == NULL) {
            return ERR_FULL;
        }
        write_text(out, part, text);
    }
    return ERR_OK;
}

static enum err
write_parts(const struct out *out, const struct hub_message *message)
{
    if (is_instruction(message)) {
        return write_reminder(out, message);
    }
    enum err err = ERR_OK;
    for (const struct hub_part *part = message->parts; part != NULL && err == ERR_OK;
         part = part->next) {
        if (is_shown(message, part)) {
            err = write_part(out, message, part);
        }
    }
    return err;
}

/* A message of its own for system text: only right behind a user's turn. */
static bool
is_mid_system(const struct out *out, const struct hub_message *message,
              const struct hub_message *before)
{
    return out->caps->mid_system && is_instruction(message) && before != NULL &&
           (before->role == HUB_USER || before->role == HUB_TOOL);
}

static enum err
write_mid_system(const struct out *out, const struct hub_message *message)
{
    jsonw_object(out->w);
    jsonw_put_text(out->w, "role", "system");
    jsonw_name(out->w, "content");
    jsonw_array(out->w);
    for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
        write_text(out, part, part->text);
    }
    jsonw_close(out->w);
    jsonw_close(out->w);
    return ERR_OK;
}

static void
begin_turn(const struct out *out, bool is_model)
{
    jsonw_object(out->w);
    jsonw_put_text(out->w, "role", is_model ? "assistant" : "user");
    jsonw_name(out->w, "content");
    jsonw_array(out->w);
}

static void
end_turn(const struct out *out)
{
    jsonw_close(out->w);
    jsonw_close(out->w);
}

/* Anthropic demands a user's turn first. */
static void
write_opening(const struct out *out, const char *text)
{
    begin_turn(out, false);
    struct hub_part part = { .kind = HUB_TEXT };
    write_text(out, &part, str_of(text));
    end_turn(out);
}

struct turns {
    const struct hub_message *before; /* the last one written */
    bool is_open;
};

static enum err
write_turn(const struct out *out, struct turns *turns, const struct hub_message *message)
{
    if (is_mid_system(out, message, turns->before)) {
        if (turns->is_open) {
            end_turn(out);
        }
        turns->is_open = false;
        turns->before = message;
        return write_mid_system(out, message);
    }
    if (!has_shown(message)) {
        return ERR_OK;
    }
    bool is_model = message->role == HUB_ASSISTANT;
    if (turns->before == NULL && is_model) {
        write_opening(out, "(conversation continued)");
    }
    bool goes_on = turns->is_open && turns_are_one(turns->before, message);
    if (!goes_on) {
        if (turns->is_open) {
            end_turn(out);
        }
        begin_turn(out, is_model);
    }
    turns->is_open = true;
    turns->before = message;
    return write_parts(out, message);
}

static enum err
write_messages(const struct out *out, const struct hub_message *first)
{
    struct turns turns = { .before = NULL };
    enum err err = ERR_OK;
    jsonw_name(out->w, "messages");
    jsonw_array(out->w);
    for (const struct hub_message *at = first; at != NULL && err == ERR_OK; at = at->next) {
        err = write_turn(out, &turns, at);
    }
    if (turns.is_open) {
        end_turn(out);
    }
    jsonw_close(out->w);
    if (err != ERR_OK) {
        return err;
    }
    bool is_prefilled = turns.before != NULL && turns.before->role == HUB_ASSISTANT;
    if (is_prefilled && !out->caps->prefill) {
        char path[HUB_PATH_BYTES];
        return hub_reject(out->job->problem, "the upstream cannot go on with a begun answer", "%s",
                          hub_path(out->request, turns.before, path));
    }
    return ERR_OK;
}

/* --- system --- */

/* Blocks with marks, or one string. */
static enum err
write_system(const struct out *out, const struct hub_message *end, struct str extra)
{
    struct jsonw *w = out->w;
    const struct hub_part *only = NULL;
    uint32_t count = 0;
    for (const struct hub_message *at = out->request->messages; at != end; at = at->next) {
        for (const struct hub_part *part = at->parts; part != NULL; part = part->next) {
            bool is_said = !is_blank(part->text);
            only = is_said ? part : only;
            count += is_said;
        }
    }
    if (count == 0 && extra.len == 0) {
        return ERR_OK;
    }
    jsonw_name(w, "system");
    if (count + (extra.len > 0 ? 1 : 0) == 1 && (only == NULL || only->cache == HUB_CACHE_NONE)) {
        jsonw_str(w, only == NULL ? extra : only->text);
        return ERR_OK;
    }
    jsonw_array(w);
    for (const struct hub_message *at = out->request->messages; at != end; at = at->next) {
        for (const struct hub_part *part = at->parts; part != NULL; part = part->next) {
            if (!is_blank(part->text)) {
                write_text(out, part, part->text);
            }
        }
    }
    if (extra.len > 0) {
        struct hub_part part = { .kind = HUB_TEXT };
        write_text(out, &part, extra);
    }
    jsonw_close(w);
    return ERR_OK;
}

/* The last of the leading system messages, when nobody else speaks. */
static const struct hub_message *
last_system(const struct hub_request *request)
{
    const struct hub_message *at = request->messages;
    while (at->next != NULL) {
        at = at->next;
    }
    return at;
}

enum err
anthtalk_write(const struct codec_job *job, struct jsonw *w, struct str extra,
               struct anthtool_marks *marks)
{
    struct out out = { job, job->request, job->target->caps, w, marks };
    const struct hub_message *first = turns_behind_system(job->request);
    const struct hub_message *end = first == NULL ? last_system(job->request) : first;
    enum err err = write_system(&out, end, extra);
    if (err != ERR_OK || first != NULL) {
        return err != ERR_OK ? err : write_messages(&out, first);
    }
    /* Only system messages: the last one becomes the user's turn. */
    jsonw_name(w, "messages");
    jsonw_array(w);
    begin_turn(&out, false);
    for (const struct hub_part *part = end->parts; part != NULL; part = part->next) {
        write_text(&out, part, part->text);
    }
    end_turn(&out);
    jsonw_close(w);
    return ERR_OK;
}

uint32_t
anthtalk_marks(const struct hub_request *request)
{
    uint32_t count = 0;
    for (const struct hub_message *at = request->messages; at != NULL; at = at->next) {
        for (const struct hub_part *part = at->parts; part != NULL; part = part->next) {
            count += part->cache != HUB_CACHE_NONE;
            const struct hub_part *inner = part->kind == HUB_RESULT ? part->result.parts : NULL;
            for (; inner != NULL; inner = inner->next) {
                count += inner->cache != HUB_CACHE_NONE;
            }
        }
    }
    return count;
}

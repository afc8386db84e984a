/*
 * gemsay.c - a whole Gemini answer, and what it has in common with chunks (see gemsay.h).
 */
#include "proto/gemsay.h"

#include "base/check.h"
#include "proto/argument.h"
#include "proto/carrier.h"
#include "proto/media.h"

const char *
gemsay_finish(enum hub_finish finish)
{
    switch (finish) {
    case HUB_FINISH_STOP:
    case HUB_FINISH_STOP_SEQUENCE:
    case HUB_FINISH_TOOL_CALLS:
        return "STOP";
    case HUB_FINISH_LENGTH:
    case HUB_FINISH_CONTEXT_FULL:
    case HUB_FINISH_PAUSE:
        return "MAX_TOKENS";
    case HUB_FINISH_CONTENT_FILTER:
    case HUB_FINISH_REFUSAL:
        return "SAFETY";
    case HUB_FINISH_RECITATION:
        return "RECITATION";
    case HUB_FINISH_MALFORMED_TOOL:
        return "MALFORMED_FUNCTION_CALL";
    case HUB_FINISH_OTHER:
    case HUB_FINISH_ERROR:
    case HUB_FINISH_CANCELLED:
        return "OTHER";
    }
    CHECK(false);
    return "OTHER";
}

void
gemsay_usage(struct jsonw *w, const struct usage *usage)
{
    uint64_t input = usage_input(usage);
    uint64_t thoughts =
        usage->out_reasoning < usage->out_total ? usage->out_reasoning : usage->out_total;
    jsonw_name(w, "usageMetadata");
    jsonw_object(w);
    jsonw_put_u64(w, "promptTokenCount", input);
    if (usage->in_cache_read > 0) {
        jsonw_put_u64(w, "cachedContentTokenCount", usage->in_cache_read);
    }
    jsonw_put_u64(w, "candidatesTokenCount", usage->out_total - thoughts);
    if (thoughts > 0) {
        jsonw_put_u64(w, "thoughtsTokenCount", thoughts);
    }
    jsonw_put_u64(w, "totalTokenCount", input + usage->out_total);
    jsonw_close(w);
}

void
gemsay_tail(struct jsonw *w, const struct hub_plan *plan, struct str id)
{
    char text[PLAN_ID_BYTES];
    jsonw_put_str(w, "modelVersion", plan->shape.model);
    jsonw_put_str(w, "responseId", plan_answer_id(plan, id, text));
}

enum err
gemsay_signature(struct jsonw *w, const struct hub_plan *plan,
                 const struct hub_signature *signature, const struct hub_segment *segments,
                 struct arena *arena)
{
    if (signature->family == HUB_FAMILY_NONE) {
        return ERR_OK;
    }
    struct str text = signature->bytes;
    enum err err = ERR_OK;
    if (signature->family != HUB_FAMILY_GEMINI) {
        struct str carrier;
        err = carrier_wrap(plan->carrier, signature, segments, arena, &carrier);
        err = err == ERR_OK ? media_encode(carrier, arena, &text) : err;
    }
    if (err == ERR_OK) {
        jsonw_put_str(w, "thoughtSignature", text);
    }
    return err;
}

enum err
gemsay_call(struct jsonw *w, const struct hub_plan *plan, const struct hub_call *call,
            struct arena *arena, bool *is_left_out)
{
    struct str args;
    enum err err = call->kind == HUB_CUSTOM ? argument_wrap(call->arguments, arena, &args)
                                            : argument_object(call->arguments, false, arena, &args);
    *is_left_out = err == ERR_BAD;
    if (err != ERR_OK) {
        return err == ERR_BAD ? ERR_OK : err;
    }
    jsonw_object(w);
    jsonw_name(w, "functionCall");
    jsonw_object(w);
    jsonw_put_str(w, "name", call->name);
    jsonw_name(w, "args");
    jsonw_raw(w, args);
    jsonw_put_str(w, "id", call->id);
    jsonw_close(w);
    err = gemsay_signature(w, plan, &call->signature, NULL, arena);
    jsonw_close(w);
    return err;
}

void
gemsay_grounding(struct jsonw *w, const struct hub_annotation *annotations)
{
    jsonw_name(w, "groundingMetadata");
    jsonw_object(w);
    jsonw_name(w, "groundingChunks");
    jsonw_array(w);
    for (const struct hub_annotation *at = annotations; at != NULL; at = at->next) {
        jsonw_object(w);
        jsonw_name(w, "web");
        jsonw_object(w);
        jsonw_put_str(w, "uri", at->url);
        jsonw_put_str(w, "title", at->title);
        jsonw_close(w);
        jsonw_close(w);
    }
    jsonw_close(w);
    jsonw_close(w);
}

/* --- the whole answer --- */

struct say {
    struct jsonw w;
    const struct codec_outlet *outlet;
};

static void
say_text(struct say *say, struct str text)
{
    if (text.len > 0) {
        jsonw_object(&say->w);
        jsonw_put_str(&say->w, "text", text);
        jsonw_close(&say->w);
    }
}

static enum err
say_thought(struct say *say, const struct hub_reasoning *reasoning)
{
    struct jsonw *w = &say->w;
    struct arena *arena = say->outlet->arena;
    struct str text;
    enum err err = hub_join_segments(arena, reasoning->segments, STR("\n\n"), &text);
    if (err != ERR_OK || (text.len == 0 && reasoning->signature.family == HUB_FAMILY_NONE)) {
        return err;
    }
    jsonw_object(w);
    jsonw_put_str(w, "text", text);
    jsonw_put_bool(w, "thought", true);
    err = gemsay_signature(w, say->outlet->plan, &reasoning->signature, reasoning->segments, arena);
    jsonw_close(w);
    return err;
}

static void
say_media(struct say *say, const struct hub_media *media)
{
    struct jsonw *w = &say->w;
    if (media->source != HUB_BASE64) {
        return;
    }
    jsonw_object(w);
    jsonw_name(w, "inlineData");
    jsonw_object(w);
    jsonw_put_str(w, "mimeType", media->mime);
    jsonw_put_str(w, "data", media->data);
    jsonw_close(w);
    jsonw_close(w);
}

static enum err
say_part(struct say *say, const struct hub_part *part)
{
    bool is_left_out;
    switch (part->kind) {
    case HUB_TEXT:
    case HUB_REFUSAL:
        say_text(say, part->text);
        return ERR_OK;
    case HUB_REASONING:
        return say_thought(say, &part->reasoning);
    case HUB_CALL:
        return gemsay_call(&say->w, say->outlet->plan, &part->call, say->outlet->arena,
                           &is_left_out);
    case HUB_IMAGE:
    case HUB_AUDIO:
        say_media(say, &part->media);
        return ERR_OK;
    case HUB_VIDEO:
    case HUB_DOCUMENT:
    case HUB_RESULT:
    case HUB_SEARCH_RESULT:
    case HUB_SERVER_CALL:
    case HUB_SERVER_RESULT:
    case HUB_COMPACTION:
        return ERR_OK;
    }
    return ERR_BUG;
}

static enum err
say_candidate(struct say *say, const struct hub_choice_answer *choice)
{
    struct jsonw *w = &say->w;
    jsonw_object(w);
    jsonw_name(w, "content");
    jsonw_object(w);
    jsonw_name(w, "parts");
    jsonw_array(w);
    const struct hub_annotation *annotations = NULL;
    enum err err = ERR_OK;
    for (const struct hub_part *part = choice->parts; part != NULL && err == ERR_OK;
         part = part->next) {
        err = say_part(say, part);
        annotations = annotations == NULL ? part->annotations : annotations;
    }
    jsonw_close(w);
    jsonw_put_text(w, "role", "model");
    jsonw_close(w);
    jsonw_put_text(w, "finishReason", gemsay_finish(choice->finish));
    if (choice->finish == HUB_FINISH_REFUSAL && choice->finish_text.len > 0) {
        jsonw_put_str(w, "finishMessage", choice->finish_text);
    }
    jsonw_put_u64(w, "index", choice->index);
    if (annotations != NULL) {
        gemsay_grounding(w, annotations);
    }
    jsonw_close(w);
    return err;
}

enum err
gemsay_answer(const struct codec_outlet *outlet, const struct hub_answer *answer)
{
    struct say say = { .outlet = outlet };
    struct jsonw *w = &say.w;
    enum err err = ERR_OK;
    jsonw_begin(w, outlet->to);
    jsonw_object(w);
    jsonw_name(w, "candidates");
    jsonw_array(w);
    for (const struct hub_choice_answer *choice = answer->choices; choice != NULL && err == ERR_OK;
         choice = choice->next) {
        err = say_candidate(&say, choice);
    }
    jsonw_close(w);
    gemsay_usage(w, &answer->usage);
    gemsay_tail(w, outlet->plan, answer->id);
    jsonw_close(w);
    return err == ERR_OK ? jsonw_end(w) : err;
}

/*
 * anthsay.c - a whole Anthropic answer, and what it has in common with streams (see anthsay.h).
 */
#include "proto/anthsay.h"

#include "base/check.h"
#include "proto/argument.h"
#include "proto/carrier.h"

const char *
anthsay_stop(enum hub_finish finish, bool has_text)
{
    switch (finish) {
    case HUB_FINISH_STOP:
    case HUB_FINISH_MALFORMED_TOOL:
    case HUB_FINISH_OTHER:
    case HUB_FINISH_ERROR:
    case HUB_FINISH_CANCELLED:
        return "end_turn";
    case HUB_FINISH_STOP_SEQUENCE:
        return has_text ? "stop_sequence" : "end_turn";
    case HUB_FINISH_TOOL_CALLS:
        return "tool_use";
    case HUB_FINISH_LENGTH:
        return "max_tokens";
    case HUB_FINISH_CONTEXT_FULL:
        return "model_context_window_exceeded";
    case HUB_FINISH_CONTENT_FILTER:
    case HUB_FINISH_RECITATION:
    case HUB_FINISH_REFUSAL:
        return "refusal";
    case HUB_FINISH_PAUSE:
        return "pause_turn";
    }
    CHECK(false);
    return "end_turn";
}

enum hub_finish
anthsay_finish(struct walk reason)
{
    static const struct {
        const char *word;
        enum hub_finish finish;
    } words[] = {
        { "end_turn", HUB_FINISH_STOP },
        { "stop_sequence", HUB_FINISH_STOP_SEQUENCE },
        { "tool_use", HUB_FINISH_TOOL_CALLS },
        { "max_tokens", HUB_FINISH_LENGTH },
        { "model_context_window_exceeded", HUB_FINISH_CONTEXT_FULL },
        { "refusal", HUB_FINISH_REFUSAL },
        { "pause_turn", HUB_FINISH_PAUSE },
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (walk_is_text(reason, str_of(words[i].word))) {
            return words[i].finish;
        }
    }
    return HUB_FINISH_OTHER;
}

void
anthsay_counts(struct jsonw *w, const struct usage *usage)
{
    jsonw_put_u64(w, "input_tokens", usage->in_fresh);
    jsonw_put_u64(w, "cache_creation_input_tokens",
                  usage->in_cache_write_5m + usage->in_cache_write_1h);
    jsonw_put_u64(w, "cache_read_input_tokens", usage->in_cache_read);
    if (usage->in_cache_write_5m + usage->in_cache_write_1h > 0) {
        jsonw_name(w, "cache_creation");
        jsonw_object(w);
        jsonw_put_u64(w, "ephemeral_5m_input_tokens", usage->in_cache_write_5m);
        jsonw_put_u64(w, "ephemeral_1h_input_tokens", usage->in_cache_write_1h);
        jsonw_close(w);
    }
    jsonw_put_u64(w, "output_tokens", usage->out_total);
    if ((usage->known & USAGE_REASONING) != 0) {
        jsonw_name(w, "output_tokens_details");
        jsonw_object(w);
        jsonw_put_u64(w, "thinking_tokens", usage->out_reasoning);
        jsonw_close(w);
    }
}

void
anthsay_head(struct jsonw *w, const struct hub_plan *plan, struct str id)
{
    char text[PLAN_ID_BYTES];
    jsonw_put_str(w, "id", plan_answer_id(plan, id, text));
    jsonw_put_text(w, "type", "message");
    jsonw_put_text(w, "role", "assistant");
    jsonw_put_str(w, "model", plan->shape.model);
}

void
anthsay_nulls(struct jsonw *w, const struct hub_plan *plan)
{
    if (plan->shape.new_anthropic) {
        jsonw_put_text(w, "container", NULL);
        jsonw_put_text(w, "stop_details", NULL);
        jsonw_put_text(w, "diagnostics", NULL);
    }
}

void
anthsay_call(struct jsonw *w, const struct hub_plan *plan, const struct hub_call *call)
{
    jsonw_put_text(w, "type", "tool_use");
    jsonw_put_str(w, "id", call->id);
    jsonw_put_str(w, "name", call->name);
    if (plan->shape.new_anthropic) {
        jsonw_name(w, "caller");
        jsonw_raw(w, STR("{\"type\":\"direct\"}"));
    }
}

void
anthsay_citation(struct jsonw *w, const struct hub_annotation *annotation)
{
    jsonw_object(w);
    jsonw_put_text(w, "type", "web_search_result_location");
    jsonw_put_str(w, "url", annotation->url);
    jsonw_put_str(w, "title", annotation->title);
    jsonw_put_text(w, "encrypted_index", "");
    jsonw_put_str(w, "cited_text", annotation->cited);
    jsonw_close(w);
}

enum err
anthsay_signature(const struct hub_plan *plan, const struct hub_signature *from,
                  const struct hub_segment *segments, struct arena *arena, struct str *out)
{
    if (from->family == HUB_FAMILY_ANTHROPIC) {
        *out = from->bytes;
        return ERR_OK;
    }
    return carrier_wrap(plan->carrier, from, segments, arena, out);
}

/* --- the whole message --- */

struct say {
    struct jsonw w;
    const struct codec_outlet *outlet;
};

static void
say_text(struct say *say, const struct hub_part *part, struct str text)
{
    struct jsonw *w = &say->w;
    if (text.len == 0) {
        return;
    }
    jsonw_object(w);
    jsonw_put_text(w, "type", "text");
    jsonw_put_str(w, "text", text);
    bool has_citations = part != NULL && part->annotations != NULL;
    if (has_citations) {
        jsonw_name(w, "citations");
        jsonw_array(w);
        for (const struct hub_annotation *at = part->annotations; at != NULL; at = at->next) {
            anthsay_citation(w, at);
        }
        jsonw_close(w);
    } else if (say->outlet->plan->shape.new_anthropic) {
        jsonw_put_text(w, "citations", NULL);
    }
    jsonw_close(w);
}

static enum err
say_thinking(struct say *say, const struct hub_segment *segments,
             const struct hub_signature *signature)
{
    struct jsonw *w = &say->w;
    struct arena *arena = say->outlet->arena;
    if (signature->family == HUB_FAMILY_ANTHROPIC_REDACTED) {
        jsonw_object(w);
        jsonw_put_text(w, "type", "redacted_thinking");
        jsonw_put_str(w, "data", signature->bytes);
        jsonw_close(w);
        return ERR_OK;
    }
    struct str text, opaque = str_make(NULL, 0);
    enum err err = hub_join_segments(arena, segments, STR("\n\n"), &text);
    if (err == ERR_OK && signature->family != HUB_FAMILY_NONE) {
        err = anthsay_signature(say->outlet->plan, signature, segments, arena, &opaque);
    }
    if (err != ERR_OK || (text.len == 0 && opaque.len == 0)) {
        return err;
    }
    jsonw_object(w);
    jsonw_put_text(w, "type", "thinking");
    jsonw_put_str(w, "thinking", text);
    jsonw_put_str(w, "signature", opaque);
    jsonw_close(w);
    return ERR_OK;
}

static enum err
say_call(struct say *say, const struct hub_call *call)
{
    struct jsonw *w = &say->w;
    struct str input;
    enum err err = ERR_OK;
    if (call->signature.family != HUB_FAMILY_NONE) {
        err = say_thinking(say, NULL, &call->signature);
    }
    if (err == ERR_OK) {
        /* An answer cut off by its length may end in half an object. */
        err = argument_object(call->arguments, true, say->outlet->arena, &input);
    }
    if (err != ERR_OK) {
        return err;
    }
    jsonw_object(w);
    anthsay_call(w, say->outlet->plan, call);
    jsonw_name(w, "input");
    jsonw_raw(w, input);
    jsonw_close(w);
    return ERR_OK;
}

static enum err
say_part(struct say *say, const struct hub_part *part)
{
    switch (part->kind) {
    case HUB_TEXT:
    case HUB_REFUSAL:
        say_text(say, part, part->text);
        return ERR_OK;
    case HUB_REASONING:
        return say_thinking(say, part->reasoning.segments, &part->reasoning.signature);
    case HUB_CALL:
        return say_call(say, &part->call);
    case HUB_SERVER_CALL:
    case HUB_SERVER_RESULT:
    case HUB_IMAGE:
    case HUB_AUDIO:
    case HUB_VIDEO:
    case HUB_DOCUMENT:
    case HUB_RESULT:
    case HUB_SEARCH_RESULT:
    case HUB_COMPACTION:
        return ERR_OK;
    }
    return ERR_BUG;
}

enum err
anthsay_answer(const struct codec_outlet *outlet, const struct hub_answer *answer)
{
    struct say say = { .outlet = outlet };
    struct jsonw *w = &say.w;
    const struct hub_choice_answer *choice = answer->choices;
    CHECK(choice != NULL);
    jsonw_begin(w, outlet->to);
    jsonw_object(w);
    anthsay_head(w, outlet->plan, answer->id);
    jsonw_name(w, "content");
    jsonw_array(w);
    enum err err = ERR_OK;
    for (const struct hub_part *part = choice->parts; part != NULL && err == ERR_OK;
         part = part->next) {
        err = say_part(&say, part);
    }
    if (choice->finish == HUB_FINISH_REFUSAL) {
        say_text(&say, NULL, choice->finish_text);
    }
    jsonw_close(w);
    bool is_sequence = choice->finish == HUB_FINISH_STOP_SEQUENCE && choice->finish_text.len > 0;
    jsonw_put_text(w, "stop_reason", anthsay_stop(choice->finish, is_sequence));
    jsonw_name(w, "stop_sequence");
    if (is_sequence) {
        jsonw_str(w, choice->finish_text);
    } else {
        jsonw_null(w);
    }
    anthsay_nulls(w, outlet->plan);
    jsonw_name(w, "usage");
    jsonw_object(w);
    anthsay_counts(w, &answer->usage);
    jsonw_close(w);
    jsonw_close(w);
    return err == ERR_OK ? jsonw_end(w) : err;
}

/*
 * chatsay.c - a whole Chat Completions answer, and what it has in common with chunks (see
 * chatsay.h).
 */
#include "proto/chatsay.h"

#include "base/check.h"
#include "proto/media.h"

const char *
chatsay_finish(const struct hub_plan *plan, enum hub_finish finish, bool has_refusal)
{
    switch (finish) {
    case HUB_FINISH_STOP:
    case HUB_FINISH_STOP_SEQUENCE:
    case HUB_FINISH_MALFORMED_TOOL:
    case HUB_FINISH_OTHER:
    case HUB_FINISH_ERROR:
    case HUB_FINISH_CANCELLED:
        return "stop";
    case HUB_FINISH_TOOL_CALLS:
        return plan->shape.legacy_functions ? "function_call" : "tool_calls";
    case HUB_FINISH_LENGTH:
    case HUB_FINISH_CONTEXT_FULL:
    case HUB_FINISH_PAUSE:
        return "length";
    case HUB_FINISH_CONTENT_FILTER:
    case HUB_FINISH_RECITATION:
        return "content_filter";
    case HUB_FINISH_REFUSAL:
        return has_refusal ? "stop" : "content_filter";
    }
    CHECK(false);
    return "stop";
}

void
chatsay_usage(struct jsonw *w, const struct usage *usage)
{
    uint64_t input = usage_input(usage);
    uint64_t written = usage->in_cache_write_5m + usage->in_cache_write_1h;
    jsonw_name(w, "usage");
    jsonw_object(w);
    jsonw_put_u64(w, "prompt_tokens", input);
    jsonw_put_u64(w, "completion_tokens", usage->out_total);
    jsonw_put_u64(w, "total_tokens", input + usage->out_total);
    jsonw_name(w, "prompt_tokens_details");
    jsonw_object(w);
    jsonw_put_u64(w, "cached_tokens", usage->in_cache_read);
    if (written > 0) {
        jsonw_put_u64(w, "cache_write_tokens", written);
    }
    jsonw_close(w);
    jsonw_name(w, "completion_tokens_details");
    jsonw_object(w);
    jsonw_put_u64(w, "reasoning_tokens", usage->out_reasoning);
    jsonw_close(w);
    jsonw_close(w);
}

void
chatsay_annotation(struct jsonw *w, const struct hub_annotation *annotation)
{
    jsonw_object(w);
    jsonw_put_text(w, "type", "url_citation");
    jsonw_name(w, "url_citation");
    jsonw_object(w);
    jsonw_put_str(w, "url", annotation->url);
    jsonw_put_str(w, "title", annotation->title);
    jsonw_put_u64(w, "start_index", annotation->start);
    jsonw_put_u64(w, "end_index", annotation->end);
    jsonw_close(w);
    jsonw_close(w);
}

void
chatsay_signature(struct jsonw *w, const struct hub_signature *signature)
{
    if (signature->family != HUB_FAMILY_GEMINI) {
        return;
    }
    jsonw_name(w, "extra_content");
    jsonw_object(w);
    jsonw_name(w, "google");
    jsonw_object(w);
    jsonw_put_str(w, "thought_signature", signature->bytes);
    jsonw_close(w);
    jsonw_close(w);
}

/* --- the whole answer --- */

struct say {
    struct jsonw w;
    struct arena *arena;
    const struct hub_plan *plan;
};

/* All texts of one kind; *has: there is such a part. */
static enum err
join(struct say *say, const struct hub_choice_answer *choice, enum hub_part_kind kind, bool *has,
     struct str *out)
{
    struct hub_segment *segments = NULL;
    *has = false;
    for (const struct hub_part *part = choice->parts; part != NULL; part = part->next) {
        const struct hub_segment *at =
            part->kind == HUB_REASONING && kind == HUB_REASONING ? part->reasoning.segments : NULL;
        for (; at != NULL; at = at->next) {
            if (!hub_segment_to(say->arena, &segments, at->text)) {
                return ERR_FULL;
            }
        }
        if (part->kind == kind && kind != HUB_REASONING &&
            !hub_segment_to(say->arena, &segments, part->text)) {
            return ERR_FULL;
        }
        *has = *has || part->kind == kind;
    }
    /* Segments of reasoning are paragraphs; texts were cut anywhere (around citations). */
    struct str between = kind == HUB_REASONING ? STR("\n\n") : str_make(NULL, 0);
    return hub_join_segments(say->arena, segments, between, out);
}

static void
say_call(struct say *say, const struct hub_call *call)
{
    struct jsonw *w = &say->w;
    bool is_custom = call->kind == HUB_CUSTOM;
    jsonw_object(w);
    jsonw_put_str(w, "id", call->id);
    jsonw_put_text(w, "type", is_custom ? "custom" : "function");
    jsonw_name(w, is_custom ? "custom" : "function");
    jsonw_object(w);
    jsonw_put_str(w, "name", call->name);
    jsonw_put_str(w, is_custom ? "input" : "arguments", call->arguments);
    jsonw_close(w);
    chatsay_signature(w, &call->signature);
    jsonw_close(w);
}

static const struct hub_part *
first_of(const struct hub_part *part, enum hub_part_kind kind)
{
    while (part != NULL && part->kind != kind) {
        part = part->next;
    }
    return part;
}

static void
say_calls(struct say *say, const struct hub_choice_answer *choice)
{
    struct jsonw *w = &say->w;
    const struct hub_part *first = first_of(choice->parts, HUB_CALL);
    if (first == NULL) {
        return;
    }
    if (say->plan->shape.legacy_functions) {
        jsonw_name(w, "function_call");
        jsonw_object(w);
        jsonw_put_str(w, "name", first->call.name);
        jsonw_put_str(w, "arguments", first->call.arguments);
        jsonw_close(w);
        return;
    }
    jsonw_name(w, "tool_calls");
    jsonw_array(w);
    for (const struct hub_part *part = first; part != NULL; part = part->next) {
        if (part->kind == HUB_CALL) {
            say_call(say, &part->call);
        }
    }
    jsonw_close(w);
}

/* Citations of every text; their places count from the joined text's begin. */
static void
say_annotations(struct say *say, const struct hub_choice_answer *choice)
{
    struct jsonw *w = &say->w;
    bool is_begun = false;
    uint64_t before = 0;
    for (const struct hub_part *part = choice->parts; part != NULL; part = part->next) {
        if (part->kind != HUB_TEXT) {
            continue;
        }
        for (const struct hub_annotation *at = part->annotations; at != NULL; at = at->next) {
            if (!is_begun) {
                jsonw_name(w, "annotations");
                jsonw_array(w);
                is_begun = true;
            }
            struct hub_annotation moved = *at;
            moved.start += before;
            moved.end += before;
            chatsay_annotation(w, &moved);
        }
        for (size_t i = 0; i < part->text.len; i++) {
            before += ((uint8_t)part->text.data[i] & 0xc0) != 0x80;
        }
    }
    if (is_begun) {
        jsonw_close(w);
    }
}

static enum err
say_images(struct say *say, const struct hub_choice_answer *choice)
{
    struct jsonw *w = &say->w;
    if (first_of(choice->parts, HUB_IMAGE) == NULL) {
        return ERR_OK;
    }
    enum err err = ERR_OK;
    jsonw_name(w, "images");
    jsonw_array(w);
    for (const struct hub_part *part = choice->parts; part != NULL && err == ERR_OK;
         part = part->next) {
        struct str url;
        if (part->kind != HUB_IMAGE || media_url(&part->media, say->arena, &url) != ERR_OK) {
            continue;
        }
        jsonw_object(w);
        jsonw_put_text(w, "type", "image_url");
        jsonw_name(w, "image_url");
        jsonw_object(w);
        jsonw_put_str(w, "url", url);
        jsonw_close(w);
        jsonw_close(w);
    }
    jsonw_close(w);
    return err;
}

static enum err
say_message(struct say *say, const struct hub_choice_answer *choice, bool *has_refusal)
{
    struct jsonw *w = &say->w;
    struct str text, refusal, reasoning;
    bool has_text, has_reasoning;
    enum err err = join(say, choice, HUB_TEXT, &has_text, &text);
    if (err == ERR_OK) {
        err = join(say, choice, HUB_REFUSAL, has_refusal, &refusal);
    }
    if (err == ERR_OK) {
        err = join(say, choice, HUB_REASONING, &has_reasoning, &reasoning);
    }
    if (err != ERR_OK) {
        return err;
    }
    bool is_refused = *has_refusal || choice->finish == HUB_FINISH_REFUSAL;
    bool is_silent = is_refused || first_of(choice->parts, HUB_CALL) != NULL;
    jsonw_name(w, "message");
    jsonw_object(w);
    jsonw_put_text(w, "role", "assistant");
    jsonw_name(w, "content");
    if (has_text || !is_silent) {
        jsonw_str(w, text);
    } else {
        jsonw_null(w);
    }
    jsonw_name(w, "refusal");
    if (*has_refusal) {
        jsonw_str(w, refusal);
    } else if (is_refused && choice->finish_text.len > 0) {
        jsonw_str(w, choice->finish_text);
    } else {
        jsonw_null(w);
    }
    if (reasoning.len > 0) {
        jsonw_put_str(w, "reasoning_content", reasoning);
    }
    say_annotations(say, choice);
    say_calls(say, choice);
    err = say_images(say, choice);
    jsonw_close(w);
    return err;
}

static enum err
say_choice(struct say *say, const struct hub_choice_answer *choice)
{
    struct jsonw *w = &say->w;
    bool has_refusal = false;
    const struct hub_part *text = first_of(choice->parts, HUB_TEXT);
    jsonw_object(w);
    jsonw_put_u64(w, "index", choice->index);
    enum err err = say_message(say, choice, &has_refusal);
    jsonw_name(w, "logprobs");
    if (text != NULL && text->logprobs_json.len > 0) {
        jsonw_object(w);
        jsonw_name(w, "content");
        jsonw_raw(w, text->logprobs_json);
        jsonw_put_text(w, "refusal", NULL);
        jsonw_close(w);
    } else {
        jsonw_null(w);
    }
    jsonw_put_text(w, "finish_reason", chatsay_finish(say->plan, choice->finish, has_refusal));
    jsonw_close(w);
    return err;
}

enum err
chatsay_answer(struct buf *to, struct arena *arena, const struct hub_plan *plan,
               const struct hub_answer *answer)
{
    struct say say = { .arena = arena, .plan = plan };
    struct jsonw *w = &say.w;
    char id[PLAN_ID_BYTES];
    jsonw_begin(w, to);
    jsonw_object(w);
    jsonw_put_str(w, "id", plan_answer_id(plan, answer->id, id));
    jsonw_put_text(w, "object", "chat.completion");
    jsonw_put_u64(w, "created", answer->created_s > 0 ? answer->created_s : plan->now_s);
    jsonw_put_str(w, "model", plan->shape.model);
    jsonw_name(w, "choices");
    jsonw_array(w);
    enum err err = ERR_OK;
    for (const struct hub_choice_answer *choice = answer->choices; choice != NULL && err == ERR_OK;
         choice = choice->next) {
        err = say_choice(&say, choice);
    }
    jsonw_close(w);
    chatsay_usage(w, &answer->usage);
    if (answer->usage.service_tier[0] != '\0') {
        jsonw_put_text(w, "service_tier", answer->usage.service_tier);
    }
    jsonw_close(w);
    return err == ERR_OK ? jsonw_end(w) : err;
}

/*
 * anthwrite.c - events become an Anthropic stream.
 *
 * One block is open at a time. A block starts with its first word, and a call with its first
 * argument or its end, so that Gemini's signature of a call can go out in a thinking block before
 * it.
 */
#include "base/check.h"
#include "base/jsonw.h"
#include "proto/anthropic.h"
#include "proto/anthsay.h"

struct anthwrite {
    struct codec_outlet outlet;
    uint32_t index; /* of the next block */
    uint32_t part;  /* the open part; 0 = none */
    enum hub_part_kind kind;
    bool is_open;                   /* its block has started */
    bool wants_break;               /* between two segments of thinking */
    struct hub_call call;           /* of the open part */
    struct hub_signature signature; /* of the open reasoning, for its end */
    struct hub_segment *segments;   /* lengths only */
    struct arena scratch;           /* of the open part */
    enum hub_finish finish;
    struct str finish_text;
    struct usage usage;
};

void *
anthwrite_open(const struct codec_outlet *outlet)
{
    struct anthwrite *writer = arena_alloc(outlet->arena, sizeof(*writer));
    if (writer != NULL) {
        writer->outlet = *outlet;
        arena_init(&writer->scratch, TRANSLATE_STATE_BYTES_MAX);
    }
    return writer;
}

void
anthwrite_close(void *context)
{
    struct anthwrite *writer = context;
    arena_reset(&writer->scratch);
}

/* --- frames --- */

static enum err
begin(struct anthwrite *writer, struct jsonw *w, const char *type)
{
    struct buf *to = writer->outlet.to;
    enum err err = buf_append(to, STR("event: "));
    if (err == ERR_OK) {
        err = buf_append(to, str_of(type));
    }
    if (err == ERR_OK) {
        err = buf_append(to, STR("\ndata: "));
    }
    jsonw_begin(w, to);
    jsonw_object(w);
    jsonw_put_text(w, "type", type);
    return err;
}

static enum err
end_frame(struct anthwrite *writer, struct jsonw *w)
{
    jsonw_close(w);
    enum err err = jsonw_end(w);
    return err == ERR_OK ? buf_append(writer->outlet.to, STR("\n\n")) : err;
}

static enum err
start_message(struct anthwrite *writer, const struct hub_event *event)
{
    const struct hub_plan *plan = writer->outlet.plan;
    struct usage usage = { .in_fresh = 0 };
    if (event->usage != NULL) {
        usage = *event->usage;
        writer->usage = usage;
    }
    usage.out_total = 1; /* as Anthropic has it; the end tells the count */
    usage.known &= ~(uint32_t)USAGE_REASONING;
    struct jsonw w;
    enum err err = begin(writer, &w, "message_start");
    if (err != ERR_OK) {
        return err;
    }
    jsonw_name(&w, "message");
    jsonw_object(&w);
    anthsay_head(&w, plan, event->id);
    jsonw_name(&w, "content");
    jsonw_array(&w);
    jsonw_close(&w);
    jsonw_put_text(&w, "stop_reason", NULL);
    jsonw_put_text(&w, "stop_sequence", NULL);
    anthsay_nulls(&w, plan);
    jsonw_name(&w, "usage");
    jsonw_object(&w);
    anthsay_counts(&w, &usage);
    jsonw_close(&w);
    jsonw_close(&w);
    return end_frame(writer, &w);
}

/* content_block_start up to the block's members. */
static enum err
begin_block(struct anthwrite *writer, struct jsonw *w)
{
    enum err err = begin(writer, w, "content_block_start");
    jsonw_put_u64(w, "index", writer->index);
    jsonw_name(w, "content_block");
    jsonw_object(w);
    return err;
}

static enum err
end_block(struct anthwrite *writer, struct jsonw *w)
{
    jsonw_close(w);
    return end_frame(writer, w);
}

static enum err
stop_block(struct anthwrite *writer)
{
    struct jsonw w;
    enum err err = begin(writer, &w, "content_block_stop");
    jsonw_put_u64(&w, "index", writer->index);
    writer->index++;
    writer->is_open = false;
    return err == ERR_OK ? end_frame(writer, &w) : err;
}

static enum err
send_delta(struct anthwrite *writer, const char *type, const char *member, struct str text)
{
    struct jsonw w;
    enum err err = begin(writer, &w, "content_block_delta");
    if (err != ERR_OK) {
        return err;
    }
    jsonw_put_u64(&w, "index", writer->index);
    jsonw_name(&w, "delta");
    jsonw_object(&w);
    jsonw_put_text(&w, "type", type);
    jsonw_put_str(&w, member, text);
    jsonw_close(&w);
    return end_frame(writer, &w);
}

/* --- blocks --- */

static enum err
start_text(struct anthwrite *writer)
{
    struct jsonw w;
    enum err err = begin_block(writer, &w);
    jsonw_put_text(&w, "type", "text");
    jsonw_put_text(&w, "text", "");
    if (writer->outlet.plan->shape.new_anthropic) {
        jsonw_put_text(&w, "citations", NULL);
    }
    return err == ERR_OK ? end_block(writer, &w) : err;
}

static enum err
start_thinking(struct anthwrite *writer)
{
    struct jsonw w;
    enum err err = begin_block(writer, &w);
    jsonw_put_text(&w, "type", "thinking");
    jsonw_put_text(&w, "thinking", "");
    jsonw_put_text(&w, "signature", "");
    return err == ERR_OK ? end_block(writer, &w) : err;
}

static enum err
start_call(struct anthwrite *writer)
{
    struct jsonw w;
    enum err err = begin_block(writer, &w);
    anthsay_call(&w, writer->outlet.plan, &writer->call);
    jsonw_name(&w, "input");
    jsonw_raw(&w, STR("{}"));
    err = err == ERR_OK ? end_block(writer, &w) : err;
    return err == ERR_OK ? send_delta(writer, "input_json_delta", "partial_json", STR("")) : err;
}

/* The open part's block has to be there now. */
static enum err
start_block(struct anthwrite *writer)
{
    if (writer->is_open) {
        return ERR_OK;
    }
    writer->is_open = true;
    if (writer->kind == HUB_CALL) {
        return start_call(writer);
    }
    return writer->kind == HUB_REASONING ? start_thinking(writer) : start_text(writer);
}

/* A thinking block of its own that only carries a call's signature. */
static enum err
carry_call(struct anthwrite *writer, const struct hub_signature *signature)
{
    struct str text;
    enum err err = anthsay_signature(writer->outlet.plan, signature, NULL, &writer->scratch, &text);
    if (err == ERR_OK) {
        err = start_thinking(writer);
    }
    if (err == ERR_OK) {
        err = send_delta(writer, "signature_delta", "signature", text);
    }
    return err == ERR_OK ? stop_block(writer) : err;
}

static enum err
redacted(struct anthwrite *writer, const struct hub_signature *signature)
{
    struct jsonw w;
    enum err err = begin_block(writer, &w);
    jsonw_put_text(&w, "type", "redacted_thinking");
    jsonw_put_str(&w, "data", signature->bytes);
    err = err == ERR_OK ? end_block(writer, &w) : err;
    return err == ERR_OK ? stop_block(writer) : err;
}

/* --- events of parts --- */

static enum err
open_part(struct anthwrite *writer, const struct hub_event *event)
{
    CHECK(writer->part == 0);
    arena_reset(&writer->scratch);
    writer->part = event->part;
    writer->kind = event->part_kind;
    writer->is_open = false;
    writer->wants_break = false;
    writer->segments = NULL;
    writer->signature = (struct hub_signature){ .family = HUB_FAMILY_NONE };
    writer->call = event->call;
    writer->call.id = arena_dup(&writer->scratch, event->call.id);
    writer->call.name = arena_dup(&writer->scratch, event->call.name);
    return writer->call.id.data == NULL || writer->call.name.data == NULL ? ERR_FULL : ERR_OK;
}

/* Lengths of segments go into a carrier, so that they can be told apart again. */
static enum err
count_segment(struct anthwrite *writer, struct str text)
{
    if (writer->segments == NULL || writer->wants_break) {
        struct str empty = str_make(text.data, 0);
        if (!hub_segment_to(&writer->scratch, &writer->segments, empty)) {
            return ERR_FULL;
        }
    }
    writer->segments->tail->text.len += text.len;
    return ERR_OK;
}

static enum err
thinking_delta(struct anthwrite *writer, struct str text)
{
    bool needs_break = writer->wants_break && writer->segments != NULL;
    enum err err = count_segment(writer, text);
    if (err == ERR_OK && needs_break) {
        err = send_delta(writer, "thinking_delta", "thinking", STR("\n\n"));
    }
    writer->wants_break = false;
    return err == ERR_OK ? send_delta(writer, "thinking_delta", "thinking", text) : err;
}

static enum err
delta(struct anthwrite *writer, const struct hub_event *event)
{
    bool is_text = writer->kind == HUB_TEXT || writer->kind == HUB_REFUSAL;
    if (event->text.len == 0 ||
        (!is_text && writer->kind != HUB_REASONING && writer->kind != HUB_CALL)) {
        return ERR_OK;
    }
    enum err err = start_block(writer);
    if (err != ERR_OK) {
        return err;
    }
    if (writer->kind == HUB_CALL) {
        return send_delta(writer, "input_json_delta", "partial_json", event->text);
    }
    return is_text ? send_delta(writer, "text_delta", "text", event->text)
                   : thinking_delta(writer, event->text);
}

static enum err
keep_signature(struct anthwrite *writer, const struct hub_event *event)
{
    const struct hub_signature *from = event->signature;
    if (writer->kind == HUB_CALL) {
        return writer->is_open ? ERR_OK : carry_call(writer, from);
    }
    if (writer->kind != HUB_REASONING) {
        return ERR_OK; /* a text's signature: its replay is optional */
    }
    writer->signature.family = from->family;
    writer->signature.bytes = arena_dup(&writer->scratch, from->bytes);
    writer->signature.id = arena_dup(&writer->scratch, from->id);
    return writer->signature.bytes.data == NULL || writer->signature.id.data == NULL ? ERR_FULL
                                                                                     : ERR_OK;
}

static enum err
annotation(struct anthwrite *writer, const struct hub_event *event)
{
    struct jsonw w;
    if (!writer->is_open || writer->kind != HUB_TEXT) {
        return ERR_OK;
    }
    enum err err = begin(writer, &w, "content_block_delta");
    if (err != ERR_OK) {
        return err;
    }
    jsonw_put_u64(&w, "index", writer->index);
    jsonw_name(&w, "delta");
    jsonw_object(&w);
    jsonw_put_text(&w, "type", "citations_delta");
    jsonw_name(&w, "citation");
    anthsay_citation(&w, event->annotation);
    jsonw_close(&w);
    return end_frame(writer, &w);
}

/* The signature comes once, right before the end of its block. */
static enum err
end_reasoning(struct anthwrite *writer)
{
    if (writer->signature.family == HUB_FAMILY_ANTHROPIC_REDACTED) {
        return redacted(writer, &writer->signature);
    }
    enum err err = ERR_OK;
    if (writer->signature.family != HUB_FAMILY_NONE) {
        struct str text;
        err = anthsay_signature(writer->outlet.plan, &writer->signature, writer->segments,
                                &writer->scratch, &text);
        err = err == ERR_OK ? start_block(writer) : err;
        err = err == ERR_OK ? send_delta(writer, "signature_delta", "signature", text) : err;
    }
    return err == ERR_OK && writer->is_open ? stop_block(writer) : err;
}

static enum err
close_part(struct anthwrite *writer)
{
    writer->part = 0;
    if (writer->kind == HUB_REASONING) {
        return end_reasoning(writer);
    }
    enum err err = writer->kind == HUB_CALL ? start_block(writer) : ERR_OK;
    return err == ERR_OK && writer->is_open ? stop_block(writer) : err;
}

/* --- the end --- */

static enum err
finish(struct anthwrite *writer, const struct hub_event *event)
{
    writer->finish = event->finish;
    writer->finish_text = arena_dup(writer->outlet.arena, event->text);
    if (event->finish != HUB_FINISH_REFUSAL || event->text.len == 0) {
        return writer->finish_text.data == NULL ? ERR_FULL : ERR_OK;
    }
    writer->kind = HUB_TEXT;
    enum err err = start_block(writer);
    err = err == ERR_OK ? send_delta(writer, "text_delta", "text", event->text) : err;
    return err == ERR_OK ? stop_block(writer) : err;
}

static enum err
end(struct anthwrite *writer)
{
    struct jsonw w;
    bool is_sequence = writer->finish == HUB_FINISH_STOP_SEQUENCE && writer->finish_text.len > 0;
    enum err err = begin(writer, &w, "message_delta");
    if (err != ERR_OK) {
        return err;
    }
    jsonw_name(&w, "delta");
    jsonw_object(&w);
    jsonw_put_text(&w, "stop_reason", anthsay_stop(writer->finish, is_sequence));
    jsonw_name(&w, "stop_sequence");
    if (is_sequence) {
        jsonw_str(&w, writer->finish_text);
    } else {
        jsonw_null(&w);
    }
    anthsay_nulls(&w, writer->outlet.plan);
    jsonw_close(&w);
    jsonw_name(&w, "usage");
    jsonw_object(&w);
    anthsay_counts(&w, &writer->usage);
    jsonw_close(&w);
    err = end_frame(writer, &w);
    if (err == ERR_OK) {
        err = begin(writer, &w, "message_stop");
    }
    return err == ERR_OK ? end_frame(writer, &w) : err;
}

enum err
anthwrite_event(void *context, const struct hub_event *event)
{
    struct anthwrite *writer = context;
    if (event->choice > 0) {
        return ERR_OK; /* the dialect has one answer */
    }
    switch (event->kind) {
    case HUB_START:
        return start_message(writer, event);
    case HUB_OPEN:
        return open_part(writer, event);
    case HUB_DELTA:
        return delta(writer, event);
    case HUB_SEGMENT:
        writer->wants_break = true;
        return ERR_OK;
    case HUB_SIGNATURE:
        return keep_signature(writer, event);
    case HUB_ANNOTATION:
        return annotation(writer, event);
    case HUB_LOGPROBS:
    case HUB_MEDIA:
    case HUB_SERVER_DONE:
        return ERR_OK;
    case HUB_CLOSE:
        return close_part(writer);
    case HUB_USAGE:
        writer->usage = *event->usage;
        return ERR_OK;
    case HUB_FINISH:
        return finish(writer, event);
    case HUB_ERROR:
        break;
    case HUB_END:
        return end(writer);
    }
    return ERR_BUG;
}

enum err
anthwrite_error(void *context, const struct error_info *info)
{
    struct anthwrite *writer = context;
    struct error_place place = { .is_first = false };
    return error_event(writer->outlet.to, DIALECT_ANTHROPIC, info, &place);
}

enum err
anthwrite_answer(const struct codec_outlet *outlet, const struct hub_answer *answer)
{
    return anthsay_answer(outlet, answer);
}

enum err
anthwrite_count(struct buf *to, uint64_t input_tokens)
{
    struct jsonw w;
    jsonw_begin(&w, to);
    jsonw_object(&w);
    jsonw_put_u64(&w, "input_tokens", input_tokens);
    jsonw_close(&w);
    return jsonw_end(&w);
}

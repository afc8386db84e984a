/*
 * gemwrite.c - events become a Gemini stream: SSE frames, or the elements of one array.
 *
 * Text goes out as it comes; a call goes out whole at its end, with its signature. Every frame is a
 * data line and nothing else, as the official client wants it.
 */
#include "base/check.h"
#include "base/jsonw.h"
#include "proto/gemini.h"
#include "proto/gemsay.h"

struct ending {
    struct ending *next;
    uint32_t index;
    enum hub_finish finish;
    struct str text;
};

struct gemwrite {
    struct codec_outlet outlet;
    struct str id;  /* the upstream's */
    bool has_begun; /* an element was written */
    uint32_t part;  /* the open part; 0 = none */
    uint32_t choice;
    enum hub_part_kind kind;
    bool wants_break;               /* between two segments of a thought */
    bool has_text;                  /* of the open part */
    struct arena scratch;           /* of the open part */
    struct hub_call call;           /* of the open part */
    struct buf args;                /* of the open call */
    struct hub_signature signature; /* of the open part, for its end */
    struct hub_segment *segments;   /* lengths only */
    struct ending *endings;         /* a candidate each */
    struct hub_annotation *annotations;
    uint32_t annotation_count;
    struct usage usage;
    bool has_usage;
};

void *
gemwrite_open(const struct codec_outlet *outlet)
{
    struct gemwrite *writer = arena_alloc(outlet->arena, sizeof(*writer));
    if (writer != NULL) {
        writer->outlet = *outlet;
        arena_init(&writer->scratch, TRANSLATE_STATE_BYTES_MAX);
        buf_init(&writer->args, TRANSLATE_QUEUE_BYTES_MAX);
    }
    return writer;
}

void
gemwrite_close(void *context)
{
    struct gemwrite *writer = context;
    arena_reset(&writer->scratch);
    buf_fini(&writer->args);
}

/* --- frames --- */

static enum err
begin(struct gemwrite *writer, struct jsonw *w)
{
    bool is_array = writer->outlet.plan->shape.is_array;
    struct str before = !is_array ? STR("data: ") : !writer->has_begun ? STR("[") : STR("\n,\n");
    writer->has_begun = true;
    jsonw_begin(w, writer->outlet.to);
    return buf_append(writer->outlet.to, before);
}

static enum err
end_frame(struct gemwrite *writer, struct jsonw *w)
{
    if (writer->has_usage) {
        gemsay_usage(w, &writer->usage);
    }
    gemsay_tail(w, writer->outlet.plan, writer->id);
    jsonw_close(w);
    enum err err = jsonw_end(w);
    bool is_array = writer->outlet.plan->shape.is_array;
    return err == ERR_OK && !is_array ? buf_append(writer->outlet.to, STR("\n\n")) : err;
}

/* A frame with one candidate, up to the inside of its list of parts. */
static enum err
begin_parts(struct gemwrite *writer, struct jsonw *w)
{
    enum err err = begin(writer, w);
    jsonw_object(w);
    jsonw_name(w, "candidates");
    jsonw_array(w);
    jsonw_object(w);
    jsonw_name(w, "content");
    jsonw_object(w);
    jsonw_name(w, "parts");
    jsonw_array(w);
    return err;
}

static enum err
end_parts(struct gemwrite *writer, struct jsonw *w)
{
    jsonw_close(w);
    jsonw_put_text(w, "role", "model");
    jsonw_close(w);
    jsonw_put_u64(w, "index", writer->choice);
    jsonw_close(w);
    jsonw_close(w);
    return end_frame(writer, w);
}

static enum err
send_text(struct gemwrite *writer, struct str text, bool is_thought,
          const struct hub_signature *signature)
{
    struct jsonw w;
    enum err err = begin_parts(writer, &w);
    jsonw_object(&w);
    jsonw_put_str(&w, "text", text);
    if (is_thought) {
        jsonw_put_bool(&w, "thought", true);
    }
    if (signature != NULL && err == ERR_OK) {
        err = gemsay_signature(&w, writer->outlet.plan, signature, writer->segments,
                               &writer->scratch);
    }
    jsonw_close(&w);
    return err == ERR_OK ? end_parts(writer, &w) : err;
}

/* --- parts --- */

static enum err
open_part(struct gemwrite *writer, const struct hub_event *event)
{
    CHECK(writer->part == 0);
    arena_reset(&writer->scratch);
    buf_clear(&writer->args);
    writer->part = event->part;
    writer->choice = event->choice;
    writer->kind = event->part_kind;
    writer->wants_break = writer->has_text = false;
    writer->segments = NULL;
    writer->signature = (struct hub_signature){ .family = HUB_FAMILY_NONE };
    writer->call = event->call;
    writer->call.id = arena_dup(&writer->scratch, event->call.id);
    writer->call.name = arena_dup(&writer->scratch, event->call.name);
    return writer->call.id.data == NULL || writer->call.name.data == NULL ? ERR_FULL : ERR_OK;
}

/* Lengths of segments go into a carrier, so that they can be told apart again. */
static enum err
count_segment(struct gemwrite *writer, struct str text)
{
    if (writer->segments == NULL || writer->wants_break) {
        if (!hub_segment_to(&writer->scratch, &writer->segments, str_make(text.data, 0))) {
            return ERR_FULL;
        }
    }
    writer->segments->tail->text.len += text.len;
    return ERR_OK;
}

static enum err
thought_delta(struct gemwrite *writer, struct str text)
{
    bool needs_break = writer->wants_break && writer->has_text;
    enum err err = count_segment(writer, text);
    if (err == ERR_OK && needs_break) {
        err = send_text(writer, STR("\n\n"), true, NULL);
    }
    writer->wants_break = false;
    return err == ERR_OK ? send_text(writer, text, true, NULL) : err;
}

static enum err
delta(struct gemwrite *writer, const struct hub_event *event)
{
    enum err err = ERR_OK;
    if (event->text.len == 0) {
        return ERR_OK;
    }
    if (writer->kind == HUB_CALL) {
        return buf_append(&writer->args, event->text);
    }
    if (writer->kind == HUB_REASONING) {
        err = thought_delta(writer, event->text);
    } else if (writer->kind == HUB_TEXT || writer->kind == HUB_REFUSAL) {
        err = send_text(writer, event->text, false, NULL);
    }
    writer->has_text = true;
    return err;
}

static enum err
keep_signature(struct gemwrite *writer, const struct hub_signature *from)
{
    writer->signature.family = from->family;
    writer->signature.bytes = arena_dup(&writer->scratch, from->bytes);
    writer->signature.id = arena_dup(&writer->scratch, from->id);
    return writer->signature.bytes.data == NULL || writer->signature.id.data == NULL ? ERR_FULL
                                                                                     : ERR_OK;
}

/* The call as a whole; one that was cut off has no place here. */
static enum err
send_call(struct gemwrite *writer)
{
    writer->call.arguments = buf_str(&writer->args);
    writer->call.signature = writer->signature;
    struct buf whole;
    struct jsonw w;
    bool is_left_out = false;
    buf_init(&whole, TRANSLATE_ANSWER_BYTES_MAX);
    jsonw_begin(&w, &whole);
    enum err err =
        gemsay_call(&w, writer->outlet.plan, &writer->call, &writer->scratch, &is_left_out);
    if (err == ERR_OK && !is_left_out) {
        err = jsonw_end(&w);
        struct jsonw frame;
        err = err == ERR_OK ? begin_parts(writer, &frame) : err;
        if (err == ERR_OK) {
            jsonw_raw(&frame, buf_str(&whole));
            err = end_parts(writer, &frame);
        }
    }
    buf_fini(&whole);
    buf_clear(&writer->args);
    return err;
}

static enum err
close_part(struct gemwrite *writer, const struct hub_event *event)
{
    writer->part = 0;
    if (writer->kind == HUB_CALL) {
        return event->is_incomplete ? ERR_OK : send_call(writer);
    }
    bool is_thought = writer->kind == HUB_REASONING;
    bool is_signed = writer->signature.family == HUB_FAMILY_GEMINI ||
                     (is_thought && writer->signature.family != HUB_FAMILY_NONE);
    return is_signed ? send_text(writer, str_make(NULL, 0), is_thought, &writer->signature)
                     : ERR_OK;
}

static enum err
send_media(struct gemwrite *writer, const struct hub_event *event)
{
    struct jsonw w;
    if (event->media->source != HUB_BASE64) {
        return ERR_OK;
    }
    enum err err = begin_parts(writer, &w);
    jsonw_object(&w);
    jsonw_name(&w, "inlineData");
    jsonw_object(&w);
    jsonw_put_str(&w, "mimeType", event->media->mime);
    jsonw_put_str(&w, "data", event->media->data);
    jsonw_close(&w);
    jsonw_close(&w);
    return err == ERR_OK ? end_parts(writer, &w) : err;
}

static enum err
keep_annotation(struct gemwrite *writer, const struct hub_annotation *from)
{
    if (writer->annotation_count == HUB_ANNOTATIONS_MAX || from->kind != HUB_CITE_URL) {
        return ERR_OK;
    }
    struct hub_annotation *kept = arena_alloc(writer->outlet.arena, sizeof(*kept));
    if (kept == NULL) {
        return ERR_FULL;
    }
    kept->url = arena_dup(writer->outlet.arena, from->url);
    kept->title = arena_dup(writer->outlet.arena, from->title);
    struct hub_annotation **end = &writer->annotations;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = kept;
    writer->annotation_count++;
    return kept->url.data == NULL || kept->title.data == NULL ? ERR_FULL : ERR_OK;
}

/* --- the end --- */

static enum err
keep_finish(struct gemwrite *writer, const struct hub_event *event)
{
    struct ending *ending = arena_alloc(writer->outlet.arena, sizeof(*ending));
    if (ending == NULL) {
        return ERR_FULL;
    }
    ending->index = event->choice;
    ending->finish = event->finish;
    ending->text = arena_dup(writer->outlet.arena, event->text);
    struct ending **end = &writer->endings;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = ending;
    return ending->text.data == NULL ? ERR_FULL : ERR_OK;
}

/* One last chunk tells how every candidate ended, and the usage. */
static enum err
end(struct gemwrite *writer)
{
    struct jsonw w;
    enum err err = begin(writer, &w);
    jsonw_object(&w);
    jsonw_name(&w, "candidates");
    jsonw_array(&w);
    for (const struct ending *at = writer->endings; at != NULL; at = at->next) {
        jsonw_object(&w);
        jsonw_name(&w, "content");
        jsonw_raw(&w, STR("{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"}"));
        jsonw_put_text(&w, "finishReason", gemsay_finish(at->finish));
        if (at->finish == HUB_FINISH_REFUSAL && at->text.len > 0) {
            jsonw_put_str(&w, "finishMessage", at->text);
        }
        jsonw_put_u64(&w, "index", at->index);
        if (at == writer->endings && writer->annotations != NULL) {
            gemsay_grounding(&w, writer->annotations);
        }
        jsonw_close(&w);
    }
    jsonw_close(&w);
    writer->has_usage = true;
    err = err == ERR_OK ? end_frame(writer, &w) : err;
    bool is_array = writer->outlet.plan->shape.is_array;
    return err == ERR_OK && is_array ? buf_append(writer->outlet.to, STR("]")) : err;
}

enum err
gemwrite_event(void *context, const struct hub_event *event)
{
    struct gemwrite *writer = context;
    switch (event->kind) {
    case HUB_START:
        writer->id = arena_dup(writer->outlet.arena, event->id);
        return writer->id.data == NULL ? ERR_FULL : ERR_OK;
    case HUB_OPEN:
        return open_part(writer, event);
    case HUB_DELTA:
        return delta(writer, event);
    case HUB_SEGMENT:
        writer->wants_break = true;
        return ERR_OK;
    case HUB_SIGNATURE:
        return keep_signature(writer, event->signature);
    case HUB_ANNOTATION:
        return keep_annotation(writer, event->annotation);
    case HUB_LOGPROBS:
    case HUB_SERVER_DONE:
        return ERR_OK;
    case HUB_MEDIA:
        return send_media(writer, event);
    case HUB_CLOSE:
        return close_part(writer, event);
    case HUB_USAGE:
        writer->usage = *event->usage;
        writer->has_usage = true;
        return ERR_OK;
    case HUB_FINISH:
        return keep_finish(writer, event);
    case HUB_ERROR:
        break;
    case HUB_END:
        return end(writer);
    }
    return ERR_BUG;
}

enum err
gemwrite_error(void *context, const struct error_info *info)
{
    struct gemwrite *writer = context;
    struct error_place place = { .is_array = writer->outlet.plan->shape.is_array,
                                 .is_first = !writer->has_begun };
    return error_event(writer->outlet.to, DIALECT_GEMINI, info, &place);
}

enum err
gemwrite_answer(const struct codec_outlet *outlet, const struct hub_answer *answer)
{
    return gemsay_answer(outlet, answer);
}

enum err
gemwrite_count(struct buf *to, uint64_t input_tokens)
{
    struct jsonw w;
    jsonw_begin(&w, to);
    jsonw_object(&w);
    jsonw_put_u64(&w, "totalTokens", input_tokens);
    jsonw_close(&w);
    return jsonw_end(&w);
}

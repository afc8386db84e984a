/*
 * respwrite.c - events become a Responses stream or a whole response.
 *
 * Both take the same steps (respline.h), so that items, ids and texts cannot differ.
 */
#include "base/check.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "proto/respextra.h"
#include "proto/respline.h"
#include "proto/responses.h"
#include "proto/respsay.h"

struct respwrite {
    struct codec_outlet outlet;
    struct respsay say;
    struct respline line;
    char id[PLAN_ID_BYTES];
    enum hub_finish finish;
    struct usage usage;
    struct buf summary; /* of a compaction */
};

static void
init(struct respwrite *writer, const struct codec_outlet *outlet, struct buf *to)
{
    *writer = (struct respwrite){ .outlet = *outlet };
    writer->say = (struct respsay){ .plan = outlet->plan, .to = to };
    respline_init(&writer->line, &writer->say);
    buf_init(&writer->summary, TRANSLATE_ANSWER_BYTES_MAX);
}

static void
fini(struct respwrite *writer)
{
    respline_fini(&writer->line);
    buf_fini(&writer->summary);
}

void *
respwrite_open(const struct codec_outlet *outlet)
{
    struct respwrite *writer = arena_alloc(outlet->arena, sizeof(*writer));
    if (writer != NULL) {
        init(writer, outlet, outlet->to);
    }
    return writer;
}

void
respwrite_close(void *context)
{
    fini(context);
}

uint64_t
respwrite_held(const void *context)
{
    const struct respwrite *writer = context;
    return respline_held(&writer->line) + writer->summary.cap;
}

static void
begin(struct respwrite *writer, struct str id, uint64_t created_s)
{
    const struct hub_plan *plan = writer->outlet.plan;
    /* The id lives in our own array, also when the provider's would do. */
    struct str own = plan_answer_id(plan, id, writer->id);
    CHECK(own.data == writer->id);
    writer->say.id = own;
    writer->say.created_s = created_s > 0 ? created_s : plan->now_s;
}

static enum err
response_event(struct respwrite *writer, const char *type, const struct respsay_end_state *state)
{
    struct jsonw w;
    respsay_begin(&writer->say, &w, type);
    jsonw_name(&w, "response");
    respsay_response(&writer->say, &w, state);
    return respsay_end(&writer->say, &w);
}

static enum err
start(struct respwrite *writer, const struct hub_event *event)
{
    struct respsay_end_state state = { .status = "in_progress" };
    begin(writer, event->id, event->created_s);
    enum err err = response_event(writer, "response.created", &state);
    return err == ERR_OK ? response_event(writer, "response.in_progress", &state) : err;
}

/* Of a compaction only the words count; they are its one item. */
static enum err
part(struct respwrite *writer, const struct hub_event *event)
{
    if (event->choice != 0) {
        return ERR_OK; /* the client could not ask for a second answer */
    }
    if (!writer->outlet.plan->shape.compaction) {
        return respline_event(&writer->line, event);
    }
    bool is_text = event->kind == HUB_DELTA && event->part_kind == HUB_TEXT;
    return is_text ? buf_append(&writer->summary, event->text) : ERR_OK;
}

/* An explanation that came beside the answer (Anthropic's) is a refusal part. */
static enum err
explain(struct respwrite *writer, struct str text)
{
    struct hub_event event = { .kind = HUB_OPEN, .part_kind = HUB_REFUSAL };
    enum err err = respline_event(&writer->line, &event);
    event.kind = HUB_DELTA;
    event.text = text;
    err = err == ERR_OK ? respline_event(&writer->line, &event) : err;
    event.kind = HUB_CLOSE;
    err = err == ERR_OK ? respline_event(&writer->line, &event) : err;
    writer->line.refuses = false; /* the state says why the answer ends */
    return err;
}

static enum err
finish(struct respwrite *writer, enum hub_finish reason, struct str text)
{
    writer->finish = reason;
    if (writer->outlet.plan->shape.compaction) {
        return buf_len(&writer->summary) == 0
                   ? ERR_OK
                   : respextra_compaction(&writer->line, buf_str(&writer->summary));
    }
    enum err err = ERR_OK;
    if (reason == HUB_FINISH_REFUSAL && !writer->line.refuses && text.len > 0) {
        err = explain(writer, text);
    }
    return err == ERR_OK ? respline_rest(&writer->line) : err;
}

static struct respsay_end_state
end_state(const struct respwrite *writer)
{
    struct respsay_end_state state = { .output = buf_str(&writer->line.output),
                                       .usage = &writer->usage };
    bool is_compaction = writer->outlet.plan->shape.compaction;
    respsay_state(writer->finish, writer->line.refuses, &state);
    if (is_compaction && state.output.len > 0) {
        state.status = "completed"; /* a summary that was cut is better than none */
        state.reason = state.error = NULL;
    } else if (is_compaction) {
        state.status = "failed";
        state.reason = NULL;
        state.error = "the model gave no summary";
    }
    return state;
}

static enum err
end(struct respwrite *writer)
{
    struct respsay_end_state state = end_state(writer);
    const char *type = state.error != NULL    ? "response.failed"
                       : state.reason != NULL ? "response.incomplete"
                                              : "response.completed";
    return response_event(writer, type, &state);
}

enum err
respwrite_event(void *context, const struct hub_event *event)
{
    struct respwrite *writer = context;
    switch (event->kind) {
    case HUB_START:
        return start(writer, event);
    case HUB_OPEN:
    case HUB_DELTA:
    case HUB_SEGMENT:
    case HUB_SIGNATURE:
    case HUB_ANNOTATION:
    case HUB_LOGPROBS:
    case HUB_MEDIA:
    case HUB_SERVER_DONE:
    case HUB_CLOSE:
        return part(writer, event);
    case HUB_USAGE:
        writer->usage = *event->usage;
        return ERR_OK;
    case HUB_FINISH:
        return event->choice == 0 ? finish(writer, event->finish, event->text) : ERR_OK;
    case HUB_ERROR:
        break;
    case HUB_END:
        return end(writer);
    }
    return ERR_BUG;
}

/* The message under way is ended as far as it came; an item that came in pieces stays open: nothing
 * whole could be said of it. */
enum err
respwrite_error(void *context, const struct error_info *info)
{
    struct respwrite *writer = context;
    writer->line.is_cut = true;
    enum err err = respline_rest(&writer->line);
    struct error_place place = { .sequence = writer->say.sequence, .response_id = writer->id };
    return err == ERR_OK ? error_event(writer->outlet.to, DIALECT_RESPONSES, info, &place) : err;
}

/* --- whole answers --- */

static enum err
say(struct respwrite *writer, struct hub_event event, enum hub_event_kind kind, struct str text)
{
    event.kind = kind;
    event.text = text;
    return part(writer, &event);
}

static enum err
say_reasoning(struct respwrite *writer, struct hub_event event,
              const struct hub_reasoning *reasoning)
{
    enum err err = ERR_OK;
    for (const struct hub_segment *at = reasoning->segments; at != NULL && err == ERR_OK;
         at = at->next) {
        if (at != reasoning->segments) {
            err = say(writer, event, HUB_SEGMENT, str_make(NULL, 0));
        }
        err = err == ERR_OK && at->text.len > 0 ? say(writer, event, HUB_DELTA, at->text) : err;
    }
    event.signature = &reasoning->signature;
    bool is_signed = reasoning->signature.family != HUB_FAMILY_NONE;
    return err == ERR_OK && is_signed ? say(writer, event, HUB_SIGNATURE, str_make(NULL, 0)) : err;
}

static enum err
say_text(struct respwrite *writer, struct hub_event event, const struct hub_part *from)
{
    enum err err = from->text.len > 0 ? say(writer, event, HUB_DELTA, from->text) : ERR_OK;
    struct str tokens = from->logprobs_json;
    if (err == ERR_OK && tokens.len > 2) {
        err = say(writer, event, HUB_LOGPROBS, str_make(tokens.data + 1, tokens.len - 2));
    }
    for (const struct hub_annotation *at = from->annotations; at != NULL && err == ERR_OK;
         at = at->next) {
        event.annotation = at;
        err = say(writer, event, HUB_ANNOTATION, str_make(NULL, 0));
    }
    return err;
}

/* What the events of this part were. */
static enum err
say_part(struct respwrite *writer, const struct hub_part *from)
{
    struct hub_event event = { .part_kind = from->kind, .is_incomplete = from->is_incomplete };
    event.call = from->kind == HUB_CALL ? from->call : event.call;
    enum err err = say(writer, event, HUB_OPEN, str_make(NULL, 0));
    if (err != ERR_OK) {
        return err;
    }
    switch (from->kind) {
    case HUB_TEXT:
    case HUB_REFUSAL:
        err = say_text(writer, event, from);
        break;
    case HUB_REASONING:
        err = say_reasoning(writer, event, &from->reasoning);
        break;
    case HUB_CALL:
        err = from->call.arguments.len > 0 ? say(writer, event, HUB_DELTA, from->call.arguments)
                                           : ERR_OK;
        break;
    case HUB_IMAGE:
        event.media = &from->media;
        err = say(writer, event, HUB_MEDIA, str_make(NULL, 0));
        break;
    case HUB_SERVER_CALL:
        event.server = &from->server;
        err = say(writer, event, HUB_SERVER_DONE, str_make(NULL, 0));
        break;
    case HUB_AUDIO:
    case HUB_VIDEO:
    case HUB_DOCUMENT:
    case HUB_RESULT:
    case HUB_SEARCH_RESULT:
    case HUB_SERVER_RESULT:
    case HUB_COMPACTION:
        break;
    }
    return err == ERR_OK ? say(writer, event, HUB_CLOSE, str_make(NULL, 0)) : err;
}

static enum err
write_whole(struct respwrite *writer, const struct hub_answer *answer)
{
    const struct hub_choice_answer *choice = answer->choices;
    enum err err = ERR_OK;
    begin(writer, answer->id, answer->created_s);
    writer->usage = answer->usage;
    for (const struct hub_part *at = choice->parts; at != NULL && err == ERR_OK; at = at->next) {
        err = say_part(writer, at);
    }
    if (err == ERR_OK) {
        err = finish(writer, choice->finish, choice->finish_text);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct respsay_end_state state = end_state(writer);
    struct jsonw w;
    jsonw_begin(&w, writer->outlet.to);
    respsay_response(&writer->say, &w, &state);
    return jsonw_end(&w);
}

enum err
respwrite_answer(const struct codec_outlet *outlet, const struct hub_answer *answer)
{
    CHECK(answer->choices != NULL);
    struct respwrite writer;
    struct buf events; /* made and thrown away one by one */
    buf_init(&events, TRANSLATE_ANSWER_BYTES_MAX);
    init(&writer, outlet, &events);
    writer.say.is_silent = true;
    enum err err = write_whole(&writer, answer);
    fini(&writer);
    buf_fini(&events);
    return err;
}

enum err
respwrite_count(struct buf *to, uint64_t input_tokens)
{
    struct jsonw w;
    jsonw_begin(&w, to);
    jsonw_object(&w);
    jsonw_put_text(&w, "object", "response.input_tokens");
    jsonw_put_u64(&w, "input_tokens", input_tokens);
    jsonw_close(&w);
    return jsonw_end(&w);
}

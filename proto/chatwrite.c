/*
 * chatwrite.c - events become a Chat Completions stream.
 *
 * Every chunk begins with the same bytes (id, object, created, model), which are made once. Parts
 * may interleave; a call gets its index when it begins.
 */
#include "base/check.h"
#include "base/jsonw.h"
#include "base/num.h"
#include "proto/chat.h"
#include "proto/chatsay.h"
#include "proto/media.h"

struct part {
    struct part *next;
    uint32_t handle;
    uint32_t index; /* of a call among the calls of its choice */
    enum hub_call_kind kind;
};

struct choice {
    struct choice *next;
    uint32_t index;
    uint32_t calls;
    bool has_role;
    bool has_reasoned;
    bool has_refused;
    bool wants_break; /* between two bursts of reasoning */
};

struct chatwrite {
    struct codec_outlet outlet;
    struct str head; /* {"id":...,"model":..., */
    struct choice *choices;
    struct part *parts; /* open calls */
    struct part *spare;
    struct usage usage;
};

void *
chatwrite_open(const struct codec_outlet *outlet)
{
    struct chatwrite *writer = arena_alloc(outlet->arena, sizeof(*writer));
    if (writer != NULL) {
        writer->outlet = *outlet;
    }
    return writer;
}

void
chatwrite_close(void *context)
{
    (void)context; /* everything lies in the arena */
}

static enum err
put(struct chatwrite *writer, struct str bytes)
{
    return buf_append(writer->outlet.to, bytes);
}

/* The bytes every chunk begins with. */
static enum err
make_head(struct chatwrite *writer, const struct hub_event *start)
{
    const struct hub_plan *plan = writer->outlet.plan;
    char id[PLAN_ID_BYTES];
    struct buf buf;
    struct jsonw w;
    buf_init(&buf, UINT32_MAX);
    jsonw_begin(&w, &buf);
    jsonw_object(&w);
    jsonw_put_str(&w, "id", plan_answer_id(plan, start->id, id));
    jsonw_put_text(&w, "object", "chat.completion.chunk");
    jsonw_put_u64(&w, "created", start->created_s > 0 ? start->created_s : plan->now_s);
    jsonw_put_str(&w, "model", plan->shape.model);
    jsonw_close(&w);
    enum err err = jsonw_end(&w);
    if (err == ERR_OK) {
        struct str head = buf_str(&buf);
        head.len--; /* the brace */
        writer->head = arena_dup(writer->outlet.arena, head);
        err = writer->head.data == NULL ? ERR_FULL : ERR_OK;
    }
    buf_fini(&buf);
    return err;
}

/* data: {head,"choices":[{"index":N,"delta":{ - and the writer stands in the delta. */
static enum err
begin_chunk(struct chatwrite *writer, uint32_t choice)
{
    char text[NUM_TEXT_BYTES];
    struct str pieces[] = { STR("data: "), writer->head, STR(",\"choices\":[{\"index\":"),
                            str_make(text, num_text(choice, text)), STR(",\"delta\":") };
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0] && err == ERR_OK; i++) {
        err = put(writer, pieces[i]);
    }
    return err;
}

static enum err
end_chunk(struct chatwrite *writer, struct str finish_json)
{
    bool has_usage = writer->outlet.plan->shape.usage_chunk;
    struct str pieces[] = { STR(",\"finish_reason\":"), finish_json,
                            has_usage ? STR("}],\"usage\":null}\n\n") : STR("}]}\n\n") };
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0] && err == ERR_OK; i++) {
        err = put(writer, pieces[i]);
    }
    return err;
}

/* One chunk with this delta. */
static enum err
chunk(struct chatwrite *writer, uint32_t choice, struct str delta_json)
{
    enum err err = begin_chunk(writer, choice);
    if (err == ERR_OK) {
        err = put(writer, delta_json);
    }
    return err == ERR_OK ? end_chunk(writer, STR("null")) : err;
}

/* One chunk with one text member. */
static enum err
text_chunk(struct chatwrite *writer, uint32_t choice, struct str before, struct str text,
           struct str behind)
{
    enum err err = begin_chunk(writer, choice);
    if (err == ERR_OK) {
        err = put(writer, before);
    }
    if (err == ERR_OK) {
        struct jsonw w;
        jsonw_begin(&w, writer->outlet.to);
        jsonw_str(&w, text);
        err = jsonw_end(&w);
    }
    if (err == ERR_OK) {
        err = put(writer, behind);
    }
    return err == ERR_OK ? end_chunk(writer, STR("null")) : err;
}

/* --- choices and calls --- */

static struct choice *
choice_of(struct chatwrite *writer, uint32_t index)
{
    struct choice **end = &writer->choices;
    while (*end != NULL && (*end)->index != index) {
        end = &(*end)->next;
    }
    if (*end == NULL) {
        *end = arena_alloc(writer->outlet.arena, sizeof(**end));
        if (*end != NULL) {
            (*end)->index = index;
        }
    }
    return *end;
}

static enum err
give_role(struct chatwrite *writer, struct choice *choice)
{
    if (choice->has_role) {
        return ERR_OK;
    }
    choice->has_role = true;
    return chunk(writer, choice->index, STR("{\"role\":\"assistant\",\"content\":\"\"}"));
}

static struct part **
part_of(struct chatwrite *writer, uint32_t handle)
{
    struct part **at = &writer->parts;
    while (*at != NULL && (*at)->handle != handle) {
        at = &(*at)->next;
    }
    return at;
}

static struct part *
add_part(struct chatwrite *writer, struct choice *choice, const struct hub_event *event)
{
    struct part *part = writer->spare;
    if (part != NULL) {
        writer->spare = part->next;
    } else {
        part = arena_alloc(writer->outlet.arena, sizeof(*part));
    }
    if (part != NULL) {
        *part = (struct part){ .next = writer->parts,
                               .handle = event->part,
                               .index = choice->calls++,
                               .kind = event->call.kind };
        writer->parts = part;
    }
    return part;
}

/* The first delta of a call: who it is. */
static enum err
open_call(struct chatwrite *writer, struct choice *choice, const struct hub_event *event)
{
    const struct part *part = add_part(writer, choice, event);
    if (part == NULL) {
        return ERR_FULL;
    }
    if (writer->outlet.plan->shape.legacy_functions && part->index > 0) {
        return ERR_OK; /* the form of old has room for one call: the first */
    }
    bool is_custom = part->kind == HUB_CUSTOM;
    enum err err = begin_chunk(writer, choice->index);
    if (err != ERR_OK) {
        return err;
    }
    struct jsonw w;
    jsonw_begin(&w, writer->outlet.to);
    jsonw_object(&w);
    if (writer->outlet.plan->shape.legacy_functions) {
        jsonw_name(&w, "function_call");
        jsonw_object(&w);
        jsonw_put_str(&w, "name", event->call.name);
        jsonw_put_text(&w, "arguments", "");
        jsonw_close(&w);
    } else {
        jsonw_name(&w, "tool_calls");
        jsonw_array(&w);
        jsonw_object(&w);
        jsonw_put_u64(&w, "index", part->index);
        jsonw_put_str(&w, "id", event->call.id);
        jsonw_put_text(&w, "type", is_custom ? "custom" : "function");
        jsonw_name(&w, is_custom ? "custom" : "function");
        jsonw_object(&w);
        jsonw_put_str(&w, "name", event->call.name);
        jsonw_put_text(&w, is_custom ? "input" : "arguments", "");
        jsonw_close(&w);
        jsonw_close(&w);
        jsonw_close(&w);
    }
    jsonw_close(&w);
    err = jsonw_end(&w);
    return err == ERR_OK ? end_chunk(writer, STR("null")) : err;
}

static enum err
call_delta(struct chatwrite *writer, const struct hub_event *event)
{
    const struct part *part = *part_of(writer, event->part);
    CHECK(part != NULL);
    if (writer->outlet.plan->shape.legacy_functions) {
        return part->index > 0
                   ? ERR_OK
                   : text_chunk(writer, event->choice, STR("{\"function_call\":{\"arguments\":"),
                                event->text, STR("}}"));
    }
    char number[NUM_TEXT_BYTES];
    char before[96];
    size_t len = 0;
    struct str pieces[] = { STR("{\"tool_calls\":[{\"index\":"),
                            str_make(number, num_text(part->index, number)),
                            part->kind == HUB_CUSTOM ? STR(",\"custom\":{\"input\":")
                                                     : STR(",\"function\":{\"arguments\":") };
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        CHECK(pieces[i].len <= sizeof before - len);
        memcpy(before + len, pieces[i].data, pieces[i].len);
        len += pieces[i].len;
    }
    return text_chunk(writer, event->choice, str_make(before, len), event->text, STR("}}]}"));
}

/* Gemini's signature of a call: where its own compatible endpoint has it. */
static enum err
call_signature(struct chatwrite *writer, const struct hub_event *event)
{
    const struct part *part = *part_of(writer, event->part);
    bool is_shown = part != NULL && event->signature->family == HUB_FAMILY_GEMINI &&
                    !writer->outlet.plan->shape.legacy_functions;
    enum err err = is_shown ? begin_chunk(writer, event->choice) : ERR_OK;
    if (!is_shown || err != ERR_OK) {
        return err;
    }
    struct jsonw w;
    jsonw_begin(&w, writer->outlet.to);
    jsonw_object(&w);
    jsonw_name(&w, "tool_calls");
    jsonw_array(&w);
    jsonw_object(&w);
    jsonw_put_u64(&w, "index", part->index);
    chatsay_signature(&w, event->signature);
    jsonw_close(&w);
    jsonw_close(&w);
    jsonw_close(&w);
    err = jsonw_end(&w);
    return err == ERR_OK ? end_chunk(writer, STR("null")) : err;
}

/* --- parts --- */

static enum err
open_part(struct chatwrite *writer, const struct hub_event *event)
{
    struct choice *choice = choice_of(writer, event->choice);
    if (choice == NULL) {
        return ERR_FULL;
    }
    enum err err = give_role(writer, choice);
    if (event->part_kind == HUB_REASONING) {
        choice->wants_break = choice->has_reasoned;
    }
    choice->has_refused = choice->has_refused || event->part_kind == HUB_REFUSAL;
    return err == ERR_OK && event->part_kind == HUB_CALL ? open_call(writer, choice, event) : err;
}

static enum err
reasoning_delta(struct chatwrite *writer, const struct hub_event *event)
{
    struct choice *choice = choice_of(writer, event->choice);
    enum err err = ERR_OK;
    if (choice->wants_break) {
        choice->wants_break = false;
        err = chunk(writer, event->choice, STR("{\"reasoning_content\":\"\\n\\n\"}"));
    }
    choice->has_reasoned = true;
    return err == ERR_OK ? text_chunk(writer, event->choice, STR("{\"reasoning_content\":"),
                                      event->text, STR("}"))
                         : err;
}

static enum err
delta(struct chatwrite *writer, const struct hub_event *event)
{
    switch (event->part_kind) {
    case HUB_TEXT:
        return text_chunk(writer, event->choice, STR("{\"content\":"), event->text, STR("}"));
    case HUB_REFUSAL:
        return text_chunk(writer, event->choice, STR("{\"refusal\":"), event->text, STR("}"));
    case HUB_REASONING:
        return reasoning_delta(writer, event);
    case HUB_CALL:
        return call_delta(writer, event);
    case HUB_IMAGE:
    case HUB_AUDIO:
    case HUB_VIDEO:
    case HUB_DOCUMENT:
    case HUB_RESULT:
    case HUB_SEARCH_RESULT:
    case HUB_SERVER_CALL:
    case HUB_SERVER_RESULT:
    case HUB_COMPACTION:
        return ERR_OK; /* they have no deltas */
    }
    return ERR_BUG;
}

static enum err
annotation(struct chatwrite *writer, const struct hub_event *event)
{
    enum err err = begin_chunk(writer, event->choice);
    if (err != ERR_OK) {
        return err;
    }
    struct jsonw w;
    jsonw_begin(&w, writer->outlet.to);
    jsonw_object(&w);
    jsonw_name(&w, "annotations");
    jsonw_array(&w);
    chatsay_annotation(&w, event->annotation);
    jsonw_close(&w);
    jsonw_close(&w);
    err = jsonw_end(&w);
    return err == ERR_OK ? end_chunk(writer, STR("null")) : err;
}

static enum err
image(struct chatwrite *writer, const struct hub_event *event)
{
    struct arena scratch;
    arena_init(&scratch, TRANSLATE_EVENT_BYTES_MAX);
    struct str url;
    enum err err = media_url(event->media, &scratch, &url);
    if (err == ERR_OK && event->part_kind == HUB_IMAGE) {
        err = text_chunk(writer, event->choice,
                         STR("{\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"), url,
                         STR("}}]}"));
    }
    arena_reset(&scratch);
    return err == ERR_BAD ? ERR_OK : err;
}

static void
close_part(struct chatwrite *writer, const struct hub_event *event)
{
    struct part **at = part_of(writer, event->part);
    struct part *gone = *at;
    if (gone != NULL) {
        *at = gone->next;
        gone->next = writer->spare;
        writer->spare = gone;
    }
}

/* --- the end --- */

static enum err
finish(struct chatwrite *writer, const struct hub_event *event)
{
    struct choice *choice = choice_of(writer, event->choice);
    if (choice == NULL) {
        return ERR_FULL;
    }
    enum err err = give_role(writer, choice);
    bool says_why =
        event->finish == HUB_FINISH_REFUSAL && !choice->has_refused && event->text.len > 0;
    if (err == ERR_OK && says_why) {
        err = text_chunk(writer, event->choice, STR("{\"refusal\":"), event->text, STR("}"));
    }
    if (err == ERR_OK) {
        err = begin_chunk(writer, event->choice);
    }
    if (err == ERR_OK) {
        err = put(writer, STR("{}"));
    }
    if (err != ERR_OK) {
        return err;
    }
    char quoted[32];
    const char *word = chatsay_finish(writer->outlet.plan, event->finish, choice->has_refused);
    size_t len = strlen(word);
    CHECK(len + 2 <= sizeof quoted);
    quoted[0] = '"';
    memcpy(quoted + 1, word, len);
    quoted[len + 1] = '"';
    return end_chunk(writer, str_make(quoted, len + 2));
}

static enum err
end(struct chatwrite *writer)
{
    enum err err = ERR_OK;
    if (writer->outlet.plan->shape.usage_chunk) {
        struct buf text;
        struct jsonw w;
        buf_init(&text, UINT32_MAX);
        jsonw_begin(&w, &text);
        jsonw_object(&w);
        chatsay_usage(&w, &writer->usage);
        jsonw_close(&w);
        err = jsonw_end(&w);
        struct str usage = str_skip(buf_str(&text), 1); /* without the opening brace */
        struct str pieces[] = { STR("data: "), writer->head, STR(",\"choices\":[],"), usage,
                                STR("\n\n") };
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0] && err == ERR_OK; i++) {
            err = put(writer, pieces[i]);
        }
        buf_fini(&text);
    }
    return err == ERR_OK ? put(writer, STR("data: [DONE]\n\n")) : err;
}

enum err
chatwrite_event(void *context, const struct hub_event *event)
{
    struct chatwrite *writer = context;
    switch (event->kind) {
    case HUB_START:
        return make_head(writer, event);
    case HUB_OPEN:
        return open_part(writer, event);
    case HUB_DELTA:
        return delta(writer, event);
    case HUB_SEGMENT:
        choice_of(writer, event->choice)->wants_break = true;
        return ERR_OK;
    case HUB_SIGNATURE:
        return event->part_kind == HUB_CALL ? call_signature(writer, event) : ERR_OK;
    case HUB_ANNOTATION:
        return annotation(writer, event);
    case HUB_LOGPROBS:
    case HUB_SERVER_DONE:
        return ERR_OK;
    case HUB_MEDIA:
        return image(writer, event);
    case HUB_CLOSE:
        close_part(writer, event);
        return ERR_OK;
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
chatwrite_error(void *context, const struct error_info *info)
{
    struct chatwrite *writer = context;
    struct error_place place = { .is_first = false };
    return error_event(writer->outlet.to, DIALECT_CHAT, info, &place);
}

enum err
chatwrite_answer(const struct codec_outlet *outlet, const struct hub_answer *answer)
{
    return chatsay_answer(outlet->to, outlet->arena, outlet->plan, answer);
}

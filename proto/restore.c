/*
 * restore.c - names, ids and wrapped tools of an answer (see restore.h).
 */
#include "proto/restore.h"

#include "base/buf.h"
#include "base/check.h"
#include "proto/argument.h"

enum mode {
    PLAIN,   /* a function's arguments, as they are */
    WRAPPED, /* {"input": "..."}: the text inside is what the client wants */
    JSON,    /* the structured output's tool: its arguments are the answer's text */
    HIDDEN   /* a second call that must not be */
};

struct restore_part {
    struct restore_part *next;
    uint32_t handle;
    enum mode mode;
    bool has_text;
    bool is_free; /* a free-text tool that the upstream has too: no arguments are no arguments */
    struct argument_stream stream;
    struct buf raw; /* WRAPPED: what came, as long as nothing of it went out */
};

_Static_assert(HUB_CHOICES_MAX <= 128, "a bit a choice in two words");

void
restore_init(struct restore *restore, const struct hub_plan *plan, struct arena *arena,
             struct hub_sink next)
{
    *restore = (struct restore){ .plan = plan, .arena = arena, .next = next };
}

void
restore_fini(struct restore *restore)
{
    for (struct restore_part *part = restore->parts; part != NULL; part = part->next) {
        buf_fini(&part->raw);
    }
    restore->parts = NULL;
}

static struct restore_part **
find(struct restore *restore, uint32_t handle)
{
    struct restore_part **at = &restore->parts;
    while (*at != NULL && (*at)->handle != handle) {
        at = &(*at)->next;
    }
    return at;
}

static struct restore_part *
add(struct restore *restore, uint32_t handle)
{
    struct restore_part *part = restore->spare;
    if (part != NULL) {
        restore->spare = part->next;
    } else {
        part = arena_alloc(restore->arena, sizeof(*part));
    }
    if (part != NULL) {
        *part = (struct restore_part){ .next = restore->parts, .handle = handle };
        buf_init(&part->raw, TRANSLATE_QUEUE_BYTES_MAX);
        restore->parts = part;
    }
    return part;
}

/* Is it one call too many? Remembers the first one. */
static bool
is_surplus(struct restore *restore, uint32_t choice)
{
    uint64_t *word = &restore->called[choice / 64];
    uint64_t bit = 1ull << choice % 64;
    bool was_called = (*word & bit) != 0;
    *word |= bit;
    return was_called && restore->plan->single_call;
}

static enum err
open_call(struct restore *restore, const struct hub_event *event)
{
    CHECK(event->choice < HUB_CHOICES_MAX);
    struct restore_part *part = add(restore, event->part);
    if (part == NULL) {
        return ERR_FULL;
    }
    struct hub_event out = *event;
    const struct plan_tool *tool = plan_tool_of(restore->plan, event->call.name);
    if (restore->plan->json_tool && str_equal(event->call.name, STR(PLAN_JSON_TOOL))) {
        part->mode = JSON;
        restore->has_json = true;
        out.part_kind = HUB_TEXT;
        out.call = (struct hub_call){ .kind = HUB_FUNCTION };
        return hub_emit(restore->next, &out);
    }
    restore->has_other = true;
    if (is_surplus(restore, event->choice)) {
        part->mode = HIDDEN;
        return ERR_OK;
    }
    if (tool != NULL) {
        out.call.name = tool->name;
        out.call.space = tool->space;
        out.call.kind = tool->kind;
        part->mode = tool->is_wrapped ? WRAPPED : PLAIN;
    }
    part->is_free = event->call.kind == HUB_CUSTOM;
    char id[PLAN_ID_BYTES];
    out.call.id = plan_call_id(restore->plan->shape.dialect, event->call.id, id);
    return hub_emit(restore->next, &out);
}

static enum err
emit_text(struct restore *restore, struct restore_part *part, const struct hub_event *event,
          struct str text)
{
    if (text.len == 0) {
        return ERR_OK;
    }
    part->has_text = true;
    struct hub_event out = *event;
    out.kind = HUB_DELTA;
    out.text = text;
    out.part_kind = part->mode == JSON ? HUB_TEXT : HUB_CALL;
    return hub_emit(restore->next, &out);
}

/* A piece of {"input": "..."}: what it decodes to goes on at once. */
static enum err
unwrap(struct restore *restore, struct restore_part *part, const struct hub_event *event)
{
    if (!part->has_text) {
        enum err err = buf_append(&part->raw, event->text);
        if (err != ERR_OK) {
            return err;
        }
    }
    struct buf text;
    buf_init(&text, UINT32_MAX);
    enum err err = argument_unwrap_feed(&part->stream, event->text, &text);
    if (err == ERR_OK) {
        err = emit_text(restore, part, event, buf_str(&text));
    }
    buf_fini(&text);
    if (part->has_text) {
        buf_fini(&part->raw);
        buf_init(&part->raw, TRANSLATE_QUEUE_BYTES_MAX);
    }
    return err;
}

/* What is still owed at the end of a call. */
static enum err
complete(struct restore *restore, struct restore_part *part, const struct hub_event *event)
{
    if (part->has_text || event->is_incomplete) {
        return ERR_OK;
    }
    switch (part->mode) {
    case PLAIN:
        return part->is_free ? ERR_OK : emit_text(restore, part, event, STR("{}"));
    case WRAPPED:
        return part->stream.is_odd ? emit_text(restore, part, event, buf_str(&part->raw)) : ERR_OK;
    case JSON:
    case HIDDEN:
        return ERR_OK;
    }
    return ERR_BUG;
}

static enum err
close_call(struct restore *restore, struct restore_part **at, const struct hub_event *event)
{
    struct restore_part *part = *at;
    enum err err = complete(restore, part, event);
    struct hub_event out = *event;
    out.part_kind = part->mode == JSON ? HUB_TEXT : HUB_CALL;
    if (err == ERR_OK && part->mode != HIDDEN) {
        err = hub_emit(restore->next, &out);
    }
    buf_fini(&part->raw);
    *at = part->next;
    part->next = restore->spare;
    restore->spare = part;
    return err;
}

/* An event of an open call. */
static enum err
pass_call(struct restore *restore, const struct hub_event *event)
{
    struct restore_part **at = find(restore, event->part);
    CHECK(*at != NULL);
    struct restore_part *part = *at;
    if (event->kind == HUB_CLOSE) {
        return close_call(restore, at, event);
    }
    if (part->mode == HIDDEN || (part->mode == JSON && event->kind != HUB_DELTA)) {
        return ERR_OK;
    }
    if (event->kind != HUB_DELTA) {
        return hub_emit(restore->next, event);
    }
    return part->mode == WRAPPED ? unwrap(restore, part, event)
                                 : emit_text(restore, part, event, event->text);
}

enum err
restore_event(void *context, const struct hub_event *event)
{
    struct restore *restore = context;
    bool is_of_part = event->kind != HUB_START && event->kind != HUB_USAGE &&
                      event->kind != HUB_FINISH && event->kind != HUB_ERROR &&
                      event->kind != HUB_END;
    if (is_of_part && event->part_kind == HUB_CALL) {
        return event->kind == HUB_OPEN ? open_call(restore, event) : pass_call(restore, event);
    }
    bool is_json_end = event->kind == HUB_FINISH && event->finish == HUB_FINISH_TOOL_CALLS &&
                       restore->has_json && !restore->has_other;
    if (!is_json_end) {
        return hub_emit(restore->next, event);
    }
    struct hub_event out = *event;
    out.finish = HUB_FINISH_STOP;
    return hub_emit(restore->next, &out);
}

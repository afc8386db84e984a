/*
 * collect.c - the fold of an answer's events (see collect.h).
 */
#include "proto/collect.h"

#include <string.h>

#include "base/check.h"

/* A part under way; its texts grow in a buf until it ends. */
struct collect_part {
    struct collect_part *next;
    uint32_t handle;
    struct hub_choice_answer *choice;
    struct hub_part *part;
    struct buf text;
    struct buf logprobs;
};

#define COLLECT_ARENA_EXTRA (16u * 1024 * 1024) /* parts and ids around the texts */

void
collect_init(struct collect *collect, uint64_t bytes_max)
{
    *collect = (struct collect){ .bytes_max = bytes_max };
    arena_init(&collect->arena, bytes_max + COLLECT_ARENA_EXTRA);
}

void
collect_fini(struct collect *collect)
{
    for (struct collect_part *open = collect->open; open != NULL; open = open->next) {
        buf_fini(&open->text);
        buf_fini(&open->logprobs);
    }
    arena_reset(&collect->arena);
    *collect = (struct collect){ .open = NULL };
}

static struct collect_part *
find(const struct collect *collect, uint32_t handle)
{
    struct collect_part *open = collect->open;
    while (open != NULL && open->handle != handle) {
        open = open->next;
    }
    return open;
}

static enum err
keep(struct collect *collect, struct str text, struct str *out)
{
    *out = str_make(NULL, 0);
    if (text.len == 0) {
        return ERR_OK;
    }
    if (text.len > collect->bytes_max - collect->bytes) {
        return ERR_FULL;
    }
    collect->bytes += text.len;
    *out = arena_dup(&collect->arena, text);
    return out->data == NULL ? ERR_FULL : ERR_OK;
}

/* What is in a buf becomes a text of the answer; its bytes are counted already. */
static enum err
settle(struct collect *collect, struct buf *buf, struct str *out)
{
    *out = arena_dup(&collect->arena, buf_str(buf));
    buf_fini(buf);
    buf_init(buf, UINT32_MAX);
    return out->data == NULL ? ERR_FULL : ERR_OK;
}

static struct hub_choice_answer *
choice_of(struct collect *collect, uint32_t index)
{
    struct hub_choice_answer **end = &collect->answer.choices;
    while (*end != NULL && (*end)->index < index) {
        end = &(*end)->next;
    }
    if (*end != NULL && (*end)->index == index) {
        return *end;
    }
    struct hub_choice_answer *choice = arena_alloc(&collect->arena, sizeof(*choice));
    if (choice != NULL) {
        choice->index = index;
        choice->finish = HUB_FINISH_STOP;
        choice->next = *end;
        *end = choice;
    }
    return choice;
}

static enum err
keep_call(struct collect *collect, const struct hub_call *from, struct hub_call *to)
{
    to->kind = from->kind;
    enum err err = keep(collect, from->id, &to->id);
    if (err == ERR_OK) {
        err = keep(collect, from->name, &to->name);
    }
    return err == ERR_OK ? keep(collect, from->space, &to->space) : err;
}

static enum err
keep_server(struct collect *collect, const struct hub_server *from, struct hub_server *to)
{
    to->home = from->home;
    const struct str *sources[] = { &from->kind,        &from->id,   &from->input_json,
                                    &from->output_json, &from->text, &from->whole_json };
    struct str *targets[] = { &to->kind,        &to->id,   &to->input_json,
                              &to->output_json, &to->text, &to->whole_json };
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof sources / sizeof sources[0] && err == ERR_OK; i++) {
        if (sources[i]->len > 0) {
            err = keep(collect, *sources[i], targets[i]);
        }
    }
    return err;
}

static enum err
on_open(struct collect *collect, const struct hub_event *event)
{
    struct hub_choice_answer *choice = choice_of(collect, event->choice);
    struct collect_part *open = arena_alloc(&collect->arena, sizeof(*open));
    if (choice == NULL || open == NULL) {
        return ERR_FULL;
    }
    buf_init(&open->text, UINT32_MAX);
    buf_init(&open->logprobs, UINT32_MAX);
    open->handle = event->part;
    open->choice = choice;
    /* The part takes its place now, so that parts stand in the order in which they began. */
    open->part = hub_part_to(&collect->arena, &choice->parts, event->part_kind);
    if (open->part == NULL) {
        return ERR_FULL;
    }
    open->next = collect->open;
    collect->open = open;
    enum err err = keep(collect, event->id, &open->part->item_id);
    if (err == ERR_OK && event->part_kind == HUB_CALL) {
        err = keep_call(collect, &event->call, &open->part->call);
    }
    if (event->part_kind == HUB_REASONING) {
        open->part->reasoning.visibility = event->visibility;
    }
    bool is_server = event->part_kind == HUB_SERVER_CALL || event->part_kind == HUB_SERVER_RESULT;
    if (err == ERR_OK && is_server && event->server != NULL) {
        err = keep_server(collect, event->server, &open->part->server);
    }
    return err;
}

static enum err
grow(struct collect *collect, struct buf *buf, struct str text)
{
    if (text.len > collect->bytes_max - collect->bytes) {
        return ERR_FULL;
    }
    collect->bytes += text.len;
    return buf_append(buf, text);
}

/* The segment that was being written is complete. */
static enum err
end_segment(struct collect *collect, struct collect_part *open)
{
    struct str text;
    if (buf_len(&open->text) == 0) {
        return ERR_OK;
    }
    enum err err = settle(collect, &open->text, &text);
    if (err != ERR_OK) {
        return err;
    }
    bool is_kept = hub_segment_to(&collect->arena, &open->part->reasoning.segments, text);
    return is_kept ? ERR_OK : ERR_FULL;
}

static enum err
on_signature(struct collect *collect, struct hub_part *part, const struct hub_signature *from)
{
    struct hub_signature *to = part->kind == HUB_REASONING ? &part->reasoning.signature
                               : part->kind == HUB_CALL    ? &part->call.signature
                                                           : &part->signature;
    to->family = from->family;
    enum err err = keep(collect, from->bytes, &to->bytes);
    return err == ERR_OK ? keep(collect, from->id, &to->id) : err;
}

static enum err
on_annotation(struct collect *collect, struct hub_part *part, const struct hub_annotation *from)
{
    struct hub_annotation **end = &part->annotations;
    uint32_t count = 0;
    for (; *end != NULL; end = &(*end)->next) {
        count++;
    }
    if (count == HUB_ANNOTATIONS_MAX) {
        return ERR_OK;
    }
    struct hub_annotation *copy = arena_alloc(&collect->arena, sizeof(*copy));
    if (copy == NULL) {
        return ERR_FULL;
    }
    copy->kind = from->kind;
    copy->start = from->start;
    copy->end = from->end;
    *end = copy;
    enum err err = keep(collect, from->url, &copy->url);
    if (err == ERR_OK) {
        err = keep(collect, from->title, &copy->title);
    }
    return err == ERR_OK ? keep(collect, from->cited, &copy->cited) : err;
}

/* Pieces of one array. */
static enum err
on_logprobs(struct collect *collect, struct buf *buf, struct str tokens)
{
    enum err err = grow(collect, buf, buf_len(buf) == 0 ? STR("[") : STR(","));
    return err == ERR_OK ? grow(collect, buf, tokens) : err;
}

static enum err
on_media(struct collect *collect, struct hub_part *part, const struct hub_media *from)
{
    part->media = *from;
    const struct str *sources[] = { &from->mime, &from->data, &from->reference, &from->filename };
    struct str *targets[] = { &part->media.mime, &part->media.data, &part->media.reference,
                              &part->media.filename };
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof sources / sizeof sources[0] && err == ERR_OK; i++) {
        err = keep(collect, *sources[i], targets[i]);
    }
    part->media.context = part->media.detail = str_make(NULL, 0);
    return err;
}

static void
forget(struct collect *collect, struct collect_part *gone)
{
    struct collect_part **at = &collect->open;
    while (*at != gone) {
        at = &(*at)->next;
    }
    *at = gone->next;
    buf_fini(&gone->text);
    buf_fini(&gone->logprobs);
}

static enum err
on_close(struct collect *collect, struct collect_part *open, const struct hub_event *event)
{
    struct hub_part *part = open->part;
    part->is_incomplete = event->is_incomplete;
    enum err err = ERR_OK;
    if (part->kind == HUB_REASONING) {
        err = end_segment(collect, open);
    } else if (part->kind == HUB_CALL) {
        err = settle(collect, &open->text, &part->call.arguments);
    } else if (part->kind == HUB_TEXT || part->kind == HUB_REFUSAL) {
        err = settle(collect, &open->text, &part->text);
    }
    if (err == ERR_OK && buf_len(&open->logprobs) > 0) {
        err = buf_append(&open->logprobs, STR("]"));
        err = err == ERR_OK ? settle(collect, &open->logprobs, &part->logprobs_json) : err;
    }
    forget(collect, open);
    return err;
}

/* An event of an open part. */
static enum err
on_part(struct collect *collect, const struct hub_event *event)
{
    struct collect_part *open = find(collect, event->part);
    CHECK(open != NULL);
    switch (event->kind) {
    case HUB_DELTA:
        return grow(collect, &open->text, event->text);
    case HUB_SEGMENT:
        return end_segment(collect, open);
    case HUB_SIGNATURE:
        return on_signature(collect, open->part, event->signature);
    case HUB_ANNOTATION:
        return on_annotation(collect, open->part, event->annotation);
    case HUB_LOGPROBS:
        return on_logprobs(collect, &open->logprobs, event->text);
    case HUB_MEDIA:
        return on_media(collect, open->part, event->media);
    case HUB_SERVER_DONE:
        return keep_server(collect, event->server, &open->part->server);
    case HUB_CLOSE:
        return on_close(collect, open, event);
    case HUB_START:
    case HUB_OPEN:
    case HUB_USAGE:
    case HUB_FINISH:
    case HUB_ERROR:
    case HUB_END:
        break;
    }
    CHECK(false);
    return ERR_BUG;
}

static enum err
on_finish(struct collect *collect, const struct hub_event *event)
{
    struct hub_choice_answer *choice = choice_of(collect, event->choice);
    if (choice == NULL) {
        return ERR_FULL;
    }
    choice->finish = event->finish;
    choice->is_prompt = event->is_prompt;
    enum err err = keep(collect, event->text, &choice->finish_text);
    return err == ERR_OK ? keep(collect, event->raw_reason, &choice->raw_reason) : err;
}

enum err
collect_event(struct collect *collect, const struct hub_event *event)
{
    struct hub_answer *answer = &collect->answer;
    enum err err = ERR_OK;
    switch (event->kind) {
    case HUB_START:
        answer->created_s = event->created_s;
        if (event->usage != NULL) {
            answer->usage = *event->usage;
        }
        err = keep(collect, event->id, &answer->id);
        return err == ERR_OK ? keep(collect, event->model, &answer->model) : err;
    case HUB_OPEN:
        return on_open(collect, event);
    case HUB_USAGE:
        answer->usage = *event->usage;
        return ERR_OK;
    case HUB_FINISH:
        return on_finish(collect, event);
    case HUB_ERROR:
    case HUB_END:
        return ERR_OK;
    case HUB_DELTA:
    case HUB_SEGMENT:
    case HUB_SIGNATURE:
    case HUB_ANNOTATION:
    case HUB_LOGPROBS:
    case HUB_MEDIA:
    case HUB_SERVER_DONE:
    case HUB_CLOSE:
        return on_part(collect, event);
    }
    return ERR_BUG;
}

struct str
collect_text(const struct collect *collect, uint32_t part)
{
    const struct collect_part *open = find(collect, part);
    return open == NULL ? str_make(NULL, 0) : buf_str(&open->text);
}

const struct hub_answer *
collect_answer(const struct collect *collect)
{
    return &collect->answer;
}

/*
 * sanity.c - an answer in good order (see sanity.h).
 */
#include "proto/sanity.h"

#include "base/check.h"

struct sanity_part {
    struct sanity_part *next;
    uint32_t handle;
    enum hub_part_kind kind;
    struct sanity_choice *choice;
};

struct sanity_choice {
    struct sanity_choice *next;
    uint32_t index;
    uint32_t parts; /* ever opened */
    uint32_t calls; /* closed and whole */
    bool is_finished;
    bool is_prompt;
    enum hub_finish finish;
    struct str text;
    struct str raw_reason;
};

void
sanity_init(struct sanity *sanity, struct arena *arena, struct hub_sink next)
{
    *sanity = (struct sanity){ .arena = arena, .next = next };
}

static struct sanity_choice *
choice_of(struct sanity *sanity, uint32_t index)
{
    struct sanity_choice **end = &sanity->choices;
    while (*end != NULL && (*end)->index < index) {
        end = &(*end)->next;
    }
    if (index >= HUB_CHOICES_MAX || (*end != NULL && (*end)->index == index)) {
        return index >= HUB_CHOICES_MAX ? NULL : *end;
    }
    struct sanity_choice *choice = arena_alloc(sanity->arena, sizeof(*choice));
    if (choice != NULL) {
        choice->index = index;
        choice->next = *end;
        *end = choice;
    }
    return choice;
}

static struct sanity_part *
part_of(struct sanity *sanity, uint32_t handle)
{
    struct sanity_part *part = sanity->open;
    while (part != NULL && part->handle != handle) {
        part = part->next;
    }
    return part;
}

static enum err
start(struct sanity *sanity, const struct hub_event *event)
{
    if (sanity->is_started) {
        return ERR_OK;
    }
    sanity->is_started = true;
    struct hub_event made = { .kind = HUB_START };
    return hub_emit(sanity->next, event->kind == HUB_START ? event : &made);
}

static enum err
open_part(struct sanity *sanity, const struct hub_event *event)
{
    struct sanity_choice *choice = choice_of(sanity, event->choice);
    if (choice == NULL || sanity->part_count == HUB_PARTS_MAX ||
        sanity->open_count == HUB_OPEN_MAX) {
        return ERR_FULL;
    }
    struct sanity_part *part = sanity->spare;
    if (part != NULL) {
        sanity->spare = part->next;
    } else {
        part = arena_alloc(sanity->arena, sizeof(*part));
    }
    if (part == NULL) {
        return ERR_FULL;
    }
    *part = (struct sanity_part){
        .next = sanity->open, .handle = event->part, .kind = event->part_kind, .choice = choice
    };
    sanity->open = part;
    sanity->part_count++;
    sanity->open_count++;
    choice->parts++;
    return hub_emit(sanity->next, event);
}

static enum err
close_part(struct sanity *sanity, struct sanity_part *part, bool is_incomplete)
{
    struct hub_event event = { .kind = HUB_CLOSE,
                               .part = part->handle,
                               .choice = part->choice->index,
                               .part_kind = part->kind,
                               .is_incomplete = is_incomplete };
    part->choice->calls += part->kind == HUB_CALL && !is_incomplete;
    struct sanity_part **at = &sanity->open;
    while (*at != part) {
        at = &(*at)->next;
    }
    *at = part->next;
    part->next = sanity->spare;
    sanity->spare = part;
    sanity->open_count--;
    return hub_emit(sanity->next, &event);
}

/* Parts of this choice that the provider left open, the oldest first. */
static enum err
close_rest(struct sanity *sanity, const struct sanity_choice *choice, bool is_incomplete)
{
    for (;;) {
        struct sanity_part *oldest = NULL;
        for (struct sanity_part *part = sanity->open; part != NULL; part = part->next) {
            bool is_older = oldest == NULL || part->handle < oldest->handle;
            oldest = part->choice == choice && is_older ? part : oldest;
        }
        if (oldest == NULL) {
            return ERR_OK;
        }
        enum err err = close_part(sanity, oldest, is_incomplete);
        if (err != ERR_OK) {
            return err;
        }
    }
}

/* Kept until the end: parts and reports may still follow. */
static enum err
keep_finish(struct sanity *sanity, const struct hub_event *event)
{
    struct sanity_choice *choice = choice_of(sanity, event->choice);
    if (choice == NULL) {
        return ERR_FULL;
    }
    choice->is_finished = true;
    choice->finish = event->finish;
    choice->is_prompt = event->is_prompt;
    choice->text = arena_dup(sanity->arena, event->text);
    choice->raw_reason = arena_dup(sanity->arena, event->raw_reason);
    return choice->text.data == NULL || choice->raw_reason.data == NULL ? ERR_FULL : ERR_OK;
}

/* The reason that fits what was said. */
static enum hub_finish
corrected(const struct sanity_choice *choice)
{
    bool is_plain = choice->finish == HUB_FINISH_STOP || choice->finish == HUB_FINISH_OTHER;
    if (choice->calls > 0 && is_plain) {
        return HUB_FINISH_TOOL_CALLS;
    }
    if (choice->calls == 0 && choice->finish == HUB_FINISH_TOOL_CALLS) {
        return HUB_FINISH_STOP;
    }
    return choice->finish;
}

static enum err
fail(struct sanity *sanity, const char *code, const char *message)
{
    struct error_found found = { .kind = ERROR_SERVER };
    CHECK(str_copy(found.code, sizeof found.code, str_of(code)));
    CHECK(str_copy(found.message, sizeof found.message, str_of(message)));
    struct hub_event event = { .kind = HUB_ERROR, .error = &found, .status = 502 };
    sanity->is_ended = true;
    return hub_emit(sanity->next, &event);
}

static bool
is_cut(enum hub_finish finish)
{
    return finish == HUB_FINISH_LENGTH || finish == HUB_FINISH_CONTEXT_FULL ||
           finish == HUB_FINISH_CONTENT_FILTER || finish == HUB_FINISH_RECITATION;
}

static enum err
finish_choice(struct sanity *sanity, struct sanity_choice *choice)
{
    enum err err = close_rest(sanity, choice, is_cut(choice->finish));
    if (err != ERR_OK) {
        return err;
    }
    struct hub_event event = { .kind = HUB_FINISH,
                               .choice = choice->index,
                               .finish = corrected(choice),
                               .is_prompt = choice->is_prompt,
                               .text = choice->text,
                               .raw_reason = choice->raw_reason };
    return hub_emit(sanity->next, &event);
}

static enum err
end(struct sanity *sanity, const struct hub_event *event)
{
    if (sanity->choices == NULL) {
        return ERR_BAD;
    }
    for (const struct sanity_choice *at = sanity->choices; at != NULL; at = at->next) {
        if (!at->is_finished) {
            return ERR_BAD;
        }
    }
    const struct sanity_choice *first = sanity->choices;
    bool is_empty = sanity->part_count == 0 && first->next == NULL;
    if (is_empty && first->finish == HUB_FINISH_OTHER && sanity->out_tokens == 0) {
        return fail(sanity, "", "the answer is empty");
    }
    if (is_empty && first->finish == HUB_FINISH_MALFORMED_TOOL) {
        return fail(sanity, "upstream_malformed_tool_call", "the model's tool call is malformed");
    }
    enum err err = ERR_OK;
    for (struct sanity_choice *at = sanity->choices; at != NULL && err == ERR_OK; at = at->next) {
        err = finish_choice(sanity, at);
    }
    sanity->is_ended = true;
    return err == ERR_OK ? hub_emit(sanity->next, event) : err;
}

/* An event of a part: only if it is open. */
static enum err
pass_part(struct sanity *sanity, const struct hub_event *event)
{
    struct sanity_part *part = part_of(sanity, event->part);
    DCHECK(part != NULL); /* readers keep their own books */
    if (part == NULL) {
        return ERR_OK;
    }
    if (event->kind == HUB_CLOSE) {
        return close_part(sanity, part, event->is_incomplete);
    }
    struct hub_event full = *event;
    full.choice = part->choice->index;
    full.part_kind = part->kind;
    return hub_emit(sanity->next, &full);
}

enum err
sanity_event(void *context, const struct hub_event *event)
{
    struct sanity *sanity = context;
    if (sanity->is_ended) {
        return ERR_OK;
    }
    enum err err = event->kind == HUB_ERROR ? ERR_OK : start(sanity, event);
    if (err != ERR_OK) {
        return err;
    }
    switch (event->kind) {
    case HUB_START:
        return ERR_OK;
    case HUB_OPEN:
        return open_part(sanity, event);
    case HUB_DELTA:
    case HUB_SEGMENT:
    case HUB_SIGNATURE:
    case HUB_ANNOTATION:
    case HUB_LOGPROBS:
    case HUB_MEDIA:
    case HUB_SERVER_DONE:
    case HUB_CLOSE:
        return pass_part(sanity, event);
    case HUB_USAGE:
        sanity->out_tokens = event->usage->out_total;
        return hub_emit(sanity->next, event);
    case HUB_FINISH:
        return keep_finish(sanity, event);
    case HUB_ERROR:
        sanity->is_ended = true;
        return hub_emit(sanity->next, event);
    case HUB_END:
        return end(sanity, event);
    }
    return ERR_BUG;
}

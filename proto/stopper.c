/*
 * stopper.c - stop sequences the gateway watches for (see stopper.h).
 */
#include "proto/stopper.h"

#include <string.h>

#include "base/buf.h"
#include "base/check.h"

struct stopper_part {
    struct stopper_part *next;
    uint32_t handle;
    uint32_t choice;
    enum hub_part_kind kind;
    struct buf held; /* TEXT: may be the beginning of a sequence */
};

_Static_assert(HUB_STOPS_MAX < 255, "an index and zero in a byte");

void
stopper_init(struct stopper *stopper, const struct hub_plan *plan, struct arena *arena,
             struct hub_sink next)
{
    *stopper = (struct stopper){ .plan = plan, .arena = arena, .next = next };
    for (uint32_t i = 0; i < plan->stop_count; i++) {
        size_t hold = plan->stops[i].len - 1;
        stopper->hold_bytes = hold > stopper->hold_bytes ? hold : stopper->hold_bytes;
    }
}

void
stopper_fini(struct stopper *stopper)
{
    for (struct stopper_part *part = stopper->parts; part != NULL; part = part->next) {
        buf_fini(&part->held);
    }
    stopper->parts = NULL;
}

static struct stopper_part *
find(struct stopper *stopper, uint32_t handle)
{
    struct stopper_part *part = stopper->parts;
    while (part != NULL && part->handle != handle) {
        part = part->next;
    }
    return part;
}

static struct stopper_part *
add(struct stopper *stopper, const struct hub_event *event)
{
    struct stopper_part *part = stopper->spare;
    if (part != NULL) {
        stopper->spare = part->next;
    } else {
        part = arena_alloc(stopper->arena, sizeof(*part));
    }
    if (part != NULL) {
        *part = (struct stopper_part){ .next = stopper->parts,
                                       .handle = event->part,
                                       .choice = event->choice,
                                       .kind = event->part_kind };
        buf_init(&part->held, UINT32_MAX);
        stopper->parts = part;
    }
    return part;
}

static void
drop(struct stopper *stopper, struct stopper_part *gone)
{
    struct stopper_part **at = &stopper->parts;
    while (*at != gone) {
        at = &(*at)->next;
    }
    *at = gone->next;
    buf_fini(&gone->held);
    gone->next = stopper->spare;
    stopper->spare = gone;
}

static enum err
emit(struct stopper *stopper, const struct stopper_part *part, enum hub_event_kind kind,
     struct str text)
{
    struct hub_event event = { .kind = kind,
                               .part = part->handle,
                               .choice = part->choice,
                               .part_kind = part->kind,
                               .text = text };
    return hub_emit(stopper->next, &event);
}

/* Where the first sequence begins; *which tells which. Of two at one place the longer one. */
static size_t
search(const struct stopper *stopper, struct str text, uint32_t *which)
{
    size_t first = SIZE_MAX;
    size_t first_len = 0;
    for (uint32_t i = 0; i < stopper->plan->stop_count; i++) {
        struct str stop = stopper->plan->stops[i];
        const char *at =
            text.len < stop.len ? NULL : memmem(text.data, text.len, stop.data, stop.len);
        size_t place = at == NULL ? SIZE_MAX : (size_t)(at - text.data);
        if (place < first || (place == first && at != NULL && stop.len > first_len)) {
            first = place;
            first_len = stop.len;
            *which = i;
        }
    }
    return first;
}

/* All parts of the choice end; nothing more is heard of it. */
static enum err
end_choice(struct stopper *stopper, uint32_t choice)
{
    struct stopper_part *part = stopper->parts;
    enum err err = ERR_OK;
    while (part != NULL && err == ERR_OK) {
        struct stopper_part *next = part->next;
        if (part->choice == choice) {
            err = emit(stopper, part, HUB_CLOSE, str_make(NULL, 0));
            drop(stopper, part);
        }
        part = next;
    }
    return err;
}

/* Lets go what cannot be the beginning of a sequence any more, up to a character's edge. */
static enum err
let_go(struct stopper *stopper, struct stopper_part *part)
{
    struct str held = buf_str(&part->held);
    if (held.len <= stopper->hold_bytes) {
        return ERR_OK;
    }
    size_t free_bytes = held.len - stopper->hold_bytes;
    while (free_bytes > 0 && ((uint8_t)held.data[free_bytes] & 0xc0) == 0x80) {
        free_bytes--;
    }
    if (free_bytes == 0) {
        return ERR_OK;
    }
    enum err err = emit(stopper, part, HUB_DELTA, str_make(held.data, free_bytes));
    buf_consume(&part->held, (uint32_t)free_bytes);
    return err;
}

static enum err
watch(struct stopper *stopper, struct stopper_part *part, struct str text)
{
    enum err err = buf_append(&part->held, text);
    if (err != ERR_OK) {
        return err;
    }
    uint32_t which = 0;
    size_t place = search(stopper, buf_str(&part->held), &which);
    if (place == SIZE_MAX) {
        return let_go(stopper, part);
    }
    if (place > 0) {
        err = emit(stopper, part, HUB_DELTA, str_make(buf_str(&part->held).data, place));
    }
    stopper->stopped[part->choice] = (uint8_t)(which + 1);
    return err == ERR_OK ? end_choice(stopper, part->choice) : err;
}

static enum err
close_part(struct stopper *stopper, struct stopper_part *part, const struct hub_event *event)
{
    enum err err = ERR_OK;
    if (buf_len(&part->held) > 0) {
        err = emit(stopper, part, HUB_DELTA, buf_str(&part->held));
    }
    drop(stopper, part);
    return err == ERR_OK ? hub_emit(stopper->next, event) : err;
}

/* An event of a part. */
static enum err
pass_part(struct stopper *stopper, const struct hub_event *event)
{
    CHECK(event->choice < HUB_CHOICES_MAX);
    if (event->kind == HUB_OPEN && stopper->stopped[event->choice] == 0) {
        return add(stopper, event) == NULL ? ERR_FULL : hub_emit(stopper->next, event);
    }
    struct stopper_part *part = find(stopper, event->part);
    if (part == NULL) {
        return ERR_OK; /* of a choice that was stopped */
    }
    if (event->kind == HUB_CLOSE) {
        return close_part(stopper, part, event);
    }
    bool is_watched = event->kind == HUB_DELTA && part->kind == HUB_TEXT;
    return is_watched ? watch(stopper, part, event->text) : hub_emit(stopper->next, event);
}

enum err
stopper_event(void *context, const struct hub_event *event)
{
    struct stopper *stopper = context;
    bool is_of_part = event->kind != HUB_START && event->kind != HUB_USAGE &&
                      event->kind != HUB_FINISH && event->kind != HUB_ERROR &&
                      event->kind != HUB_END;
    if (is_of_part) {
        return pass_part(stopper, event);
    }
    if (event->kind != HUB_FINISH || event->choice >= HUB_CHOICES_MAX ||
        stopper->stopped[event->choice] == 0) {
        return hub_emit(stopper->next, event);
    }
    struct hub_event out = *event;
    out.finish = HUB_FINISH_STOP_SEQUENCE;
    out.text = stopper->plan->stops[stopper->stopped[event->choice] - 1];
    return hub_emit(stopper->next, &out);
}

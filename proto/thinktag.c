/*
 * thinktag.c - reasoning inside the text (see thinktag.h).
 */
#include "proto/thinktag.h"

#include <string.h>

#include "base/check.h"

#define OPENING STR("<think>")
#define CLOSING STR("</think>")

static bool
is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static enum err
give_held(struct thinktag *tag, thinktag_fn on_text, void *context)
{
    struct str held = str_make(tag->held, tag->held_bytes);
    tag->held_bytes = 0;
    return held.len == 0 ? ERR_OK : on_text(context, tag->state == THINKTAG_INSIDE, held);
}

/* Is it the opening tag? One letter at a time until that is known. Returns the letters used. */
static size_t
read_lead(struct thinktag *tag, struct str text)
{
    size_t used = 0;
    while (used < text.len && tag->state == THINKTAG_LEAD) {
        uint32_t blanks = 0;
        while (blanks < tag->held_bytes && is_blank(tag->held[blanks])) {
            blanks++;
        }
        size_t matched = tag->held_bytes - blanks;
        char c = text.data[used];
        bool fits = matched == 0 && is_blank(c) ? true : c == OPENING.data[matched];
        if (!fits || tag->held_bytes == THINKTAG_HELD_BYTES) {
            tag->state = THINKTAG_PLAIN;
            return used;
        }
        tag->held[tag->held_bytes++] = c;
        used++;
        if (matched + 1 == OPENING.len && !is_blank(c)) {
            tag->held_bytes = 0;
            tag->state = THINKTAG_INSIDE;
        }
    }
    return used;
}

/* Up to the closing tag. */
static enum err
read_inside(struct thinktag *tag, struct str *text, thinktag_fn on_text, void *context)
{
    enum err err = ERR_OK;
    while (text->len > 0 && err == ERR_OK && tag->state == THINKTAG_INSIDE) {
        if (tag->held_bytes == 0) {
            const char *mark = memchr(text->data, '<', text->len);
            size_t before = mark == NULL ? text->len : (size_t)(mark - text->data);
            if (before > 0) {
                err = on_text(context, true, str_make(text->data, before));
                *text = str_skip(*text, before);
                continue;
            }
        }
        if (text->data[0] != CLOSING.data[tag->held_bytes]) {
            err = give_held(tag, on_text, context);
            continue;
        }
        tag->held[tag->held_bytes++] = text->data[0];
        *text = str_skip(*text, 1);
        if (tag->held_bytes == CLOSING.len) {
            tag->held_bytes = 0;
            tag->state = THINKTAG_AFTER;
        }
    }
    return err;
}

enum err
thinktag_feed(struct thinktag *tag, struct str text, thinktag_fn on_text, void *context)
{
    CHECK(tag->held_bytes <= THINKTAG_HELD_BYTES);
    enum err err = ERR_OK;
    if (tag->state == THINKTAG_LEAD) {
        text = str_skip(text, read_lead(tag, text));
        if (tag->state == THINKTAG_PLAIN) {
            err = give_held(tag, on_text, context);
        }
    }
    if (err == ERR_OK && tag->state == THINKTAG_INSIDE) {
        err = read_inside(tag, &text, on_text, context);
    }
    while (tag->state == THINKTAG_AFTER && text.len > 0) {
        if (is_blank(text.data[0])) {
            text = str_skip(text, 1);
        } else {
            tag->state = THINKTAG_PLAIN;
        }
    }
    return err == ERR_OK && tag->state == THINKTAG_PLAIN && text.len > 0
               ? on_text(context, false, text)
               : err;
}

enum err
thinktag_flush(struct thinktag *tag, thinktag_fn on_text, void *context)
{
    return give_held(tag, on_text, context);
}

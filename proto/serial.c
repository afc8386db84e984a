/*
 * serial.c - the parts of an answer in a row (see serial.h).
 */
#include "proto/serial.h"

#include "base/buf.h"
#include "base/check.h"

/* An event that waits; neighbouring deltas are one. */
struct waiting {
    struct waiting *next;
    struct hub_event event;
    struct buf text; /* DELTA */
    struct hub_signature signature;
    struct hub_annotation annotation;
    struct hub_media media;
    struct hub_server server;
};

struct serial_part {
    struct serial_part *next;
    uint32_t handle;
    struct waiting *first;
    struct waiting *last;
};

void
serial_init(struct serial *serial, struct arena *arena, struct hub_sink next)
{
    *serial = (struct serial){ .arena = arena, .next = next };
}

void
serial_fini(struct serial *serial)
{
    for (struct serial_part *part = serial->parts; part != NULL; part = part->next) {
        for (struct waiting *at = part->first; at != NULL; at = at->next) {
            buf_fini(&at->text);
        }
    }
    serial->parts = NULL;
}

static enum err
charge(struct serial *serial, size_t bytes)
{
    if (bytes > TRANSLATE_QUEUE_BYTES_MAX - serial->bytes) {
        return ERR_FULL;
    }
    serial->bytes += bytes;
    return ERR_OK;
}

static enum err
keep(struct serial *serial, struct str *text)
{
    if (text->len == 0) {
        return ERR_OK;
    }
    enum err err = charge(serial, text->len);
    if (err == ERR_OK) {
        *text = arena_dup(serial->arena, *text);
        err = text->data == NULL ? ERR_FULL : ERR_OK;
    }
    return err;
}

static enum err
keep_all(struct serial *serial, struct str *const *texts, size_t count)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        err = keep(serial, texts[i]);
    }
    return err;
}

#define KEEP_ALL(serial, texts) keep_all((serial), (texts), sizeof(texts) / sizeof((texts)[0]))

static enum err
keep_server(struct serial *serial, struct hub_server *server)
{
    struct str *texts[] = { &server->kind,        &server->id,   &server->input_json,
                            &server->output_json, &server->text, &server->whole_json };
    return KEEP_ALL(serial, texts);
}

/* What the event points at besides its text. */
static enum err
keep_details(struct serial *serial, struct waiting *waiting)
{
    struct hub_event *event = &waiting->event;
    if (event->kind == HUB_OPEN) {
        struct str *texts[] = { &event->id, &event->phase, &event->call.id, &event->call.name,
                                &event->call.space };
        enum err err = KEEP_ALL(serial, texts);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (event->signature != NULL) {
        waiting->signature = *event->signature;
        event->signature = &waiting->signature;
        struct str *texts[] = { &waiting->signature.bytes, &waiting->signature.id };
        return KEEP_ALL(serial, texts);
    }
    if (event->annotation != NULL) {
        waiting->annotation = *event->annotation;
        event->annotation = &waiting->annotation;
        struct str *texts[] = { &waiting->annotation.url, &waiting->annotation.title,
                                &waiting->annotation.cited };
        return KEEP_ALL(serial, texts);
    }
    if (event->media != NULL) {
        waiting->media = *event->media;
        event->media = &waiting->media;
        struct hub_media *media = &waiting->media;
        struct str *texts[] = { &media->mime,     &media->data,    &media->reference,
                                &media->filename, &media->context, &media->detail };
        return KEEP_ALL(serial, texts);
    }
    if (event->server != NULL) {
        waiting->server = *event->server;
        event->server = &waiting->server;
        return keep_server(serial, &waiting->server);
    }
    return ERR_OK;
}

static enum err
wait_event(struct serial *serial, struct serial_part *part, const struct hub_event *event)
{
    bool is_delta = event->kind == HUB_DELTA;
    if (is_delta && part->last != NULL && part->last->event.kind == HUB_DELTA) {
        enum err err = charge(serial, event->text.len);
        return err == ERR_OK ? buf_append(&part->last->text, event->text) : err;
    }
    struct waiting *waiting = arena_alloc(serial->arena, sizeof(*waiting));
    if (waiting == NULL) {
        return ERR_FULL;
    }
    buf_init(&waiting->text, TRANSLATE_QUEUE_BYTES_MAX);
    waiting->event = *event;
    if (part->last == NULL) {
        part->first = waiting;
    } else {
        part->last->next = waiting;
    }
    part->last = waiting;
    if (is_delta) {
        enum err err = charge(serial, event->text.len);
        return err == ERR_OK ? buf_append(&waiting->text, event->text) : err;
    }
    enum err err = keep(serial, &waiting->event.text);
    return err == ERR_OK ? keep_details(serial, waiting) : err;
}

static enum err
open_part(struct serial *serial, const struct hub_event *event)
{
    struct serial_part *part = serial->spare;
    if (part != NULL) {
        serial->spare = part->next;
    } else {
        part = arena_alloc(serial->arena, sizeof(*part));
    }
    if (part == NULL) {
        return ERR_FULL;
    }
    *part = (struct serial_part){ .handle = event->part };
    struct serial_part **end = &serial->parts;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = part;
    bool is_live = serial->parts == part;
    return is_live ? hub_emit(serial->next, event) : wait_event(serial, part, event);
}

/* What the part has waiting goes out; *is_closed: its end was among it. */
static enum err
replay(struct serial *serial, struct serial_part *part, bool *is_closed)
{
    enum err err = ERR_OK;
    *is_closed = false;
    while (part->first != NULL && err == ERR_OK) {
        struct waiting *waiting = part->first;
        part->first = waiting->next;
        if (waiting->event.kind == HUB_DELTA) {
            waiting->event.text = buf_str(&waiting->text);
        }
        serial->bytes -=
            waiting->event.text.len < serial->bytes ? waiting->event.text.len : serial->bytes;
        *is_closed = waiting->event.kind == HUB_CLOSE;
        err = hub_emit(serial->next, &waiting->event);
        buf_fini(&waiting->text);
    }
    part->last = NULL;
    return err;
}

/* The live part has ended: the next ones follow, until one is still open. */
static enum err
next_part(struct serial *serial)
{
    enum err err = ERR_OK;
    bool is_closed = true;
    while (is_closed && err == ERR_OK) {
        struct serial_part *gone = serial->parts;
        serial->parts = gone->next;
        gone->next = serial->spare;
        serial->spare = gone;
        if (serial->parts == NULL) {
            return ERR_OK;
        }
        err = replay(serial, serial->parts, &is_closed);
    }
    return err;
}

enum err
serial_event(void *context, const struct hub_event *event)
{
    struct serial *serial = context;
    bool is_of_part = event->kind != HUB_START && event->kind != HUB_USAGE &&
                      event->kind != HUB_FINISH && event->kind != HUB_ERROR &&
                      event->kind != HUB_END;
    if (!is_of_part) {
        return hub_emit(serial->next, event);
    }
    if (event->kind == HUB_OPEN) {
        return open_part(serial, event);
    }
    struct serial_part *part = serial->parts;
    while (part != NULL && part->handle != event->part) {
        part = part->next;
    }
    CHECK(part != NULL);
    if (part != serial->parts) {
        return wait_event(serial, part, event);
    }
    enum err err = hub_emit(serial->next, event);
    return err == ERR_OK && event->kind == HUB_CLOSE ? next_part(serial) : err;
}

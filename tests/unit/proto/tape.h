/*
 * tape.h - for tests: a sink that writes down the events of an answer, a word each, and short ways
 * to make them.
 *
 *   "S [1T 1+hello 1] F0=0 E": START, text part 1 opened, a delta of it, closed, FINISH of choice 0
 *   with reason 0 (STOP), END. A part cut off closes with 1]!, an error is X<code>.
 */
#ifndef TESTS_UNIT_PROTO_TAPE_H
#define TESTS_UNIT_PROTO_TAPE_H

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>

#include "proto/hub.h"

struct tape {
    char text[4096];
    size_t len;
    enum err answer; /* what the sink returns */
};

static inline void
tape_put(struct tape *tape, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(tape->text + tape->len, sizeof tape->text - tape->len, format, args);
    va_end(args);
    cr_assert(len >= 0 && (size_t)len < sizeof tape->text - tape->len);
    tape->len += (size_t)len;
}

static inline enum err
tape_event(void *context, const struct hub_event *event)
{
    static const char kinds[] = "TFIAVDCRKscrM";
    struct tape *tape = context;
    tape_put(tape, tape->len > 0 ? " " : "");
    switch (event->kind) {
    case HUB_START:
        tape_put(tape, "S%.*s", STR_ARG(event->id));
        break;
    case HUB_OPEN:
        tape_put(tape, "[%u%c", event->part, kinds[event->part_kind]);
        if (event->part_kind == HUB_CALL) {
            tape_put(tape, "%.*s:%.*s%.*s", STR_ARG(event->call.space), STR_ARG(event->call.name),
                     STR_ARG(event->call.id));
        }
        break;
    case HUB_DELTA:
        tape_put(tape, "%u+%.*s", event->part, STR_ARG(event->text));
        break;
    case HUB_SEGMENT:
        tape_put(tape, "%u/", event->part);
        break;
    case HUB_SIGNATURE:
        tape_put(tape, "%u#%.*s", event->part, STR_ARG(event->signature->bytes));
        break;
    case HUB_ANNOTATION:
        tape_put(tape, "%u@%.*s", event->part, STR_ARG(event->annotation->url));
        break;
    case HUB_LOGPROBS:
        tape_put(tape, "%u%%%.*s", event->part, STR_ARG(event->text));
        break;
    case HUB_MEDIA:
        tape_put(tape, "%u*%.*s", event->part, STR_ARG(event->media->data));
        break;
    case HUB_SERVER_DONE:
        tape_put(tape, "%u$%.*s", event->part, STR_ARG(event->server->output_json));
        break;
    case HUB_CLOSE:
        tape_put(tape, "%u]%s", event->part, event->is_incomplete ? "!" : "");
        break;
    case HUB_USAGE:
        tape_put(tape, "U%llu", (unsigned long long)event->usage->out_total);
        break;
    case HUB_FINISH:
        tape_put(tape, "F%u=%d%.*s", event->choice, (int)event->finish, STR_ARG(event->text));
        break;
    case HUB_ERROR:
        tape_put(tape, "X%s", event->error->code);
        break;
    case HUB_END:
        tape_put(tape, "E");
        break;
    }
    return tape->answer;
}

static inline struct hub_sink
tape_sink(struct tape *tape)
{
    *tape = (struct tape){ .answer = ERR_OK };
    return (struct hub_sink){ .fn = tape_event, .context = tape };
}

/* Events, fed to whatever is looked at. */
static inline enum err
tape_simple(struct hub_sink to, enum hub_event_kind kind)
{
    return hub_emit(to, &(struct hub_event){ .kind = kind });
}

static inline enum err
tape_open(struct hub_sink to, uint32_t part, enum hub_part_kind kind)
{
    return hub_emit(to, &(struct hub_event){ .kind = HUB_OPEN, .part = part, .part_kind = kind });
}

static inline enum err
tape_call(struct hub_sink to, uint32_t part, const char *name, const char *id)
{
    return hub_emit(to, &(struct hub_event){ .kind = HUB_OPEN,
                                             .part = part,
                                             .part_kind = HUB_CALL,
                                             .call = { .id = str_of(id), .name = str_of(name) } });
}

static inline enum err
tape_say(struct hub_sink to, uint32_t part, enum hub_part_kind kind, const char *text)
{
    return hub_emit(to,
                    &(struct hub_event){
                        .kind = HUB_DELTA, .part = part, .part_kind = kind, .text = str_of(text) });
}

static inline enum err
tape_close(struct hub_sink to, uint32_t part, enum hub_part_kind kind)
{
    return hub_emit(to, &(struct hub_event){ .kind = HUB_CLOSE, .part = part, .part_kind = kind });
}

static inline enum err
tape_finish(struct hub_sink to, uint32_t choice, enum hub_finish finish)
{
    return hub_emit(to,
                    &(struct hub_event){ .kind = HUB_FINISH, .choice = choice, .finish = finish });
}

#define FED(call) cr_assert_eq(call, ERR_OK, #call)
#define HEARD(tape, want) cr_expect_str_eq((tape)->text, want, "%s", (tape)->text)

#endif

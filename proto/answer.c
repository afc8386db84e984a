/*
 * answer.c - an answer on its way from the provider's dialect to the client's (see answer.h).
 */
#include "proto/answer.h"

#include "base/check.h"
#include "base/limits.h"

static void
fail(struct answer *answer, const char *message, bool is_ours)
{
    answer->state = ANSWER_FAILED;
    answer->failure = (struct answer_failure){ .is_ours = is_ours };
    answer->failure.found.kind = ERROR_SERVER;
    CHECK(str_copy(answer->failure.found.message, sizeof answer->failure.found.message,
                   str_of(message)));
}

/* What the reader's function, or something behind it, returned. */
static void
judge(struct answer *answer, enum err err)
{
    if (err == ERR_OK || answer->state == ANSWER_FAILED) {
        return;
    }
    if (err == ERR_BAD) {
        fail(answer, "the answer makes no sense or broke off", false);
    } else {
        fail(answer, "the answer is larger than the gateway can translate", true);
    }
}

static enum err
deliver(struct answer *answer, const struct hub_event *event)
{
    if (answer->writer != NULL) {
        answer->has_output = true;
        return answer->client->write_event(answer->writer, event);
    }
    return collect_event(&answer->collect, event);
}

/* The held-back beginning goes ahead of what comes now. */
static enum err
release(struct answer *answer)
{
    if (!answer->has_start) {
        return ERR_OK;
    }
    answer->has_start = false;
    answer->start.usage = answer->has_usage ? &answer->usage : NULL;
    answer->state = ANSWER_RUNNING;
    enum err err = deliver(answer, &answer->start);
    if (err == ERR_OK && answer->has_usage) {
        struct hub_event usage = { .kind = HUB_USAGE, .usage = &answer->usage };
        err = deliver(answer, &usage);
    }
    return err;
}

static enum err
hold_start(struct answer *answer, const struct hub_event *event)
{
    answer->start = *event;
    answer->start.id = arena_dup(&answer->arena, event->id);
    answer->start.model = arena_dup(&answer->arena, event->model);
    answer->has_start = true;
    if (event->usage != NULL) {
        answer->usage = *event->usage;
        answer->has_usage = true;
    }
    bool is_kept = answer->start.id.data != NULL && answer->start.model.data != NULL;
    return is_kept ? ERR_OK : ERR_FULL;
}

static enum err
finish(struct answer *answer, const struct hub_event *event)
{
    enum err err = deliver(answer, event);
    if (err == ERR_OK && answer->writer == NULL) {
        struct codec_outlet outlet = { .plan = answer->plan,
                                       .arena = &answer->arena,
                                       .to = &answer->out };
        err = answer->client->write_answer(&outlet, collect_answer(&answer->collect));
    }
    if (err == ERR_OK) {
        answer->has_output = true;
        answer->state = ANSWER_DONE;
    }
    return err;
}

/* Behind the last filter. */
static enum err
on_event(void *context, const struct hub_event *event)
{
    struct answer *answer = context;
    if (event->kind == HUB_START) {
        return hold_start(answer, event);
    }
    if (event->kind == HUB_ERROR) {
        answer->state = ANSWER_FAILED;
        answer->failure =
            (struct answer_failure){ .status = event->status, .found = *event->error };
        return ERR_OK;
    }
    if (event->kind == HUB_USAGE && answer->has_start) {
        answer->usage = *event->usage;
        answer->has_usage = true;
        return ERR_OK;
    }
    enum err err = release(answer);
    if (err != ERR_OK) {
        return err;
    }
    return event->kind == HUB_END ? finish(answer, event) : deliver(answer, event);
}

/* Reader -> sanity -> restore -> stopper -> serial -> here; those that have nothing to do are left
 * out. */
static struct hub_sink
make_chain(struct answer *answer)
{
    struct arena *arena = &answer->arena;
    struct hub_sink sink = { on_event, answer };
    if (answer->writer != NULL && answer->client->is_serial) {
        serial_init(&answer->serial, arena, sink);
        sink = (struct hub_sink){ serial_event, &answer->serial };
    }
    if (answer->plan->stop_count > 0) {
        stopper_init(&answer->stopper, answer->plan, arena, sink);
        sink = (struct hub_sink){ stopper_event, &answer->stopper };
    }
    restore_init(&answer->restore, answer->plan, arena, sink);
    sink = (struct hub_sink){ restore_event, &answer->restore };
    sanity_init(&answer->sanity, arena, sink);
    return (struct hub_sink){ sanity_event, &answer->sanity };
}

static void
end(struct answer *answer)
{
    if (answer->reader != NULL) {
        answer->upstream->read_close(answer->reader);
    }
    if (answer->writer != NULL) {
        answer->client->write_close(answer->writer);
    }
    answer->reader = NULL;
    answer->writer = NULL;
    restore_fini(&answer->restore);
    stopper_fini(&answer->stopper);
    serial_fini(&answer->serial);
    collect_fini(&answer->collect);
    arena_reset(&answer->arena);
    buf_clear(&answer->out);
}

void
answer_init(struct answer *answer)
{
    *answer = (struct answer){ .state = ANSWER_WAITING };
    arena_init(&answer->arena, TRANSLATE_STATE_BYTES_MAX);
    buf_init(&answer->out, TRANSLATE_ANSWER_BYTES_MAX);
}

void
answer_fini(struct answer *answer)
{
    end(answer);
    buf_fini(&answer->out);
}

enum err
answer_begin(struct answer *answer, const struct hub_plan *plan)
{
    CHECK(!answer->has_output);
    end(answer);
    answer->plan = plan;
    collect_init(&answer->collect, TRANSLATE_ANSWER_BYTES_MAX);
    answer->state = ANSWER_WAITING;
    answer->has_start = answer->has_usage = false;
    answer->upstream = codec_of(plan->upstream);
    answer->client = codec_of(plan->shape.dialect);
    CHECK(answer->upstream->read_open != NULL && answer->client->write_open != NULL);
    struct codec_outlet outlet = { .plan = plan, .arena = &answer->arena, .to = &answer->out };
    if (plan->shape.stream) {
        answer->writer = answer->client->write_open(&outlet);
        if (answer->writer == NULL) {
            return ERR_FULL;
        }
    }
    struct codec_source source = { .plan = plan,
                                   .arena = &answer->arena,
                                   .sink = make_chain(answer) };
    answer->reader = answer->upstream->read_open(&source);
    return answer->reader == NULL ? ERR_FULL : ERR_OK;
}

static bool
is_over(const struct answer *answer)
{
    return answer->state == ANSWER_DONE || answer->state == ANSWER_FAILED;
}

void
answer_event(struct answer *answer, struct str name, struct str data)
{
    CHECK(answer->reader != NULL);
    if (!is_over(answer)) {
        judge(answer, answer->upstream->read_event(answer->reader, name, data));
    }
}

void
answer_body(struct answer *answer, struct str body)
{
    CHECK(answer->reader != NULL);
    if (!is_over(answer)) {
        judge(answer, answer->upstream->read_body(answer->reader, body));
    }
    answer_end(answer);
}

void
answer_end(struct answer *answer)
{
    CHECK(answer->reader != NULL);
    if (!is_over(answer)) {
        judge(answer, answer->upstream->read_end(answer->reader));
    }
    if (!is_over(answer)) {
        fail(answer, "the answer broke off", false);
    }
}

void
answer_lose(struct answer *answer)
{
    if (!is_over(answer)) {
        fail(answer, "the answer has an event that is too long", true);
    }
}

void
answer_starve(struct answer *answer)
{
    if (!is_over(answer)) {
        fail(answer, "the gateway has no memory for this answer now: try again", true);
        answer->failure.status = 503;
    }
}

uint64_t
answer_held(const struct answer *answer)
{
    uint64_t bytes = answer->out.cap + answer->arena.used_bytes + answer->collect.bytes +
                     answer->collect.arena.used_bytes;
    if (answer->writer != NULL && answer->client->write_held != NULL) {
        bytes += answer->client->write_held(answer->writer);
    }
    return bytes;
}

void
answer_fail(struct answer *answer, const struct error_info *info)
{
    CHECK(answer->has_output && answer->writer != NULL && answer->state != ANSWER_DONE);
    /* If not even this fits, the connection ends without it: the client sees a broken stream. */
    answer->is_torn = answer->client->write_error(answer->writer, info) != ERR_OK;
    answer->state = ANSWER_DONE;
}

void
answer_flush(struct answer *answer)
{
    if (answer->state == ANSWER_WAITING && answer->writer != NULL) {
        if (!answer->has_start) {
            struct hub_event start = { .kind = HUB_START };
            judge(answer, sanity_event(&answer->sanity, &start));
        }
        judge(answer, release(answer));
    }
}

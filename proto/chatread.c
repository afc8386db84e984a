/*
 * chatread.c - a Chat Completions answer, streamed or whole, becomes events.
 *
 * Parts have no borders in this dialect: a text or reasoning part ends when another kind begins.
 * What compatible servers do beyond the book is listed in the specification, 2.1.
 */
#include "base/check.h"
#include "proto/chat.h"
#include "proto/chatcall.h"
#include "proto/joiner.h"
#include "proto/media.h"
#include "proto/report.h"
#include "proto/thinktag.h"

struct choice {
    struct choice *next;
    uint32_t index;
    uint32_t part; /* the open text, refusal or reasoning; 0 = none */
    enum hub_part_kind kind;
    struct joiner joiner;
    struct thinktag tag;    /* with the cap inline_think */
    struct joiner untagged; /* of the text before it is split at its tags */
    struct chatcalls calls;
    bool has_refused;
    bool is_finished;
};

struct chatread {
    struct codec_source source;
    struct arena scratch; /* of one event */
    struct choice *choices;
    uint32_t choice_count;
    uint32_t next_part;
    uint32_t call_count;
    bool is_started;
    bool is_ended;
    struct usage usage;
};

void *
chatread_open(const struct codec_source *source)
{
    struct chatread *reader = arena_alloc(source->arena, sizeof(*reader));
    if (reader != NULL) {
        reader->source = *source;
        reader->next_part = 1;
        arena_init(&reader->scratch, TRANSLATE_REQUEST_BYTES_MAX);
    }
    return reader;
}

void
chatread_close(void *context)
{
    struct chatread *reader = context;
    arena_reset(&reader->scratch);
}

static enum err
emit(struct chatread *reader, const struct hub_event *event)
{
    return hub_emit(reader->source.sink, event);
}

static struct chatcall_common
common_of(struct chatread *reader)
{
    return (struct chatcall_common){ .source = &reader->source,
                                     .scratch = &reader->scratch,
                                     .next_part = &reader->next_part,
                                     .call_count = &reader->call_count };
}

/* --- parts --- */

static enum err
send(struct chatread *reader, struct choice *choice, enum hub_event_kind kind, struct str text)
{
    struct hub_event event = { .kind = kind,
                               .part = choice->part,
                               .choice = choice->index,
                               .part_kind = choice->kind,
                               .text = text };
    return emit(reader, &event);
}

static enum err
close_text(struct chatread *reader, struct choice *choice)
{
    if (choice->part == 0) {
        return ERR_OK;
    }
    struct str rest = joiner_flush(&choice->joiner);
    enum err err = rest.len > 0 ? send(reader, choice, HUB_DELTA, rest) : ERR_OK;
    if (err == ERR_OK) {
        err = send(reader, choice, HUB_CLOSE, str_make(NULL, 0));
    }
    choice->part = 0;
    return err;
}

/* Makes a part of this kind the open one. */
static enum err
open_text(struct chatread *reader, struct choice *choice, enum hub_part_kind kind)
{
    if (choice->part != 0 && choice->kind == kind) {
        return ERR_OK;
    }
    struct chatcall_common common = common_of(reader);
    enum err err = close_text(reader, choice);
    if (err == ERR_OK) {
        err = chatcall_settle(&choice->calls, &common);
    }
    if (err != ERR_OK) {
        return err;
    }
    choice->part = reader->next_part++;
    choice->kind = kind;
    return send(reader, choice, HUB_OPEN, str_make(NULL, 0));
}

static enum err
add_text(struct chatread *reader, struct choice *choice, enum hub_part_kind kind, struct walk value)
{
    if (walk_kind(value) != JSON_STRING || walk_value(value).raw.len == 2) {
        return ERR_OK;
    }
    enum err err = open_text(reader, choice, kind);
    struct str text = str_make(NULL, 0);
    if (err == ERR_OK) {
        err = joiner_text(&choice->joiner, walk_value(value), &reader->scratch, &text);
    }
    choice->has_refused = choice->has_refused || kind == HUB_REFUSAL;
    return err == ERR_OK && text.len > 0 ? send(reader, choice, HUB_DELTA, text) : err;
}

/* --- reasoning between tags in the text --- */

struct split {
    struct chatread *reader;
    struct choice *choice;
};

static enum err
on_stretch(void *context, bool is_reasoning, struct str text)
{
    struct split *split = context;
    enum err err = open_text(split->reader, split->choice, is_reasoning ? HUB_REASONING : HUB_TEXT);
    return err == ERR_OK ? send(split->reader, split->choice, HUB_DELTA, text) : err;
}

static enum err
add_content(struct chatread *reader, struct choice *choice, struct walk value)
{
    if (!reader->source.plan->caps.inline_think) {
        return add_text(reader, choice, HUB_TEXT, value);
    }
    if (walk_kind(value) != JSON_STRING) {
        return ERR_OK;
    }
    struct split split = { reader, choice };
    struct str text;
    enum err err = joiner_text(&choice->untagged, walk_value(value), &reader->scratch, &text);
    return err == ERR_OK ? thinktag_feed(&choice->tag, text, on_stretch, &split) : err;
}

/* The text ends here: what might still have become a tag is text. */
static enum err
settle_text(struct chatread *reader, struct choice *choice)
{
    struct split split = { reader, choice };
    struct str rest = joiner_flush(&choice->untagged);
    enum err err = thinktag_feed(&choice->tag, rest, on_stretch, &split);
    err = err == ERR_OK ? thinktag_flush(&choice->tag, on_stretch, &split) : err;
    return err == ERR_OK ? close_text(reader, choice) : err;
}

/* Content as a list of parts: text, and Mistral's thinking. */
static enum err
add_list(struct chatread *reader, struct choice *choice, struct walk list)
{
    enum err err = ERR_OK;
    for (struct walk at = walk_first(list); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        struct walk thinking = walk_get(at, STR("thinking"));
        if (walk_kind(at) == JSON_STRING) {
            err = add_text(reader, choice, HUB_TEXT, at);
        } else if (walk_kind(thinking) == JSON_STRING) {
            err = add_text(reader, choice, HUB_REASONING, thinking);
        } else if (walk_kind(thinking) == JSON_ARRAY) {
            struct walk inner = walk_first(thinking);
            for (; walk_is_there(inner) && err == ERR_OK; inner = walk_next(inner)) {
                err = add_text(reader, choice, HUB_REASONING, walk_get(inner, STR("text")));
            }
        } else {
            err = add_text(reader, choice, HUB_TEXT, walk_get(at, STR("text")));
        }
    }
    return err;
}

static enum err
add_reasoning(struct chatread *reader, struct choice *choice, struct walk delta)
{
    struct walk text = walk_get(delta, STR("reasoning_content"));
    if (walk_kind(text) != JSON_STRING) {
        text = walk_get(delta, STR("reasoning"));
    }
    if (walk_kind(text) == JSON_STRING) {
        return add_text(reader, choice, HUB_REASONING, text);
    }
    enum err err = ERR_OK;
    struct walk details = walk_get(delta, STR("reasoning_details"));
    for (struct walk at = walk_first(details); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        struct walk words = walk_get(at, STR("text"));
        words = walk_kind(words) == JSON_STRING ? words : walk_get(at, STR("summary"));
        err = add_text(reader, choice, HUB_REASONING, words);
    }
    return err;
}

/* Citations of the text that is open. */
static enum err
add_citations(struct chatread *reader, struct choice *choice, struct walk list)
{
    enum err err = ERR_OK;
    bool is_text = choice->part != 0 && choice->kind == HUB_TEXT;
    for (struct walk at = walk_first(list); is_text && walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        struct walk inner = walk_get(at, STR("url_citation"));
        struct walk cite = walk_is_there(inner) ? inner : at;
        struct hub_annotation annotation = {
            .kind = HUB_CITE_URL,
            .url = walk_string(walk_get(cite, STR("url")), &reader->scratch),
            .title = walk_string(walk_get(cite, STR("title")), &reader->scratch),
        };
        (void)walk_u64(walk_get(cite, STR("start_index")), &annotation.start);
        (void)walk_u64(walk_get(cite, STR("end_index")), &annotation.end);
        struct hub_event event = { .kind = HUB_ANNOTATION,
                                   .part = choice->part,
                                   .choice = choice->index,
                                   .part_kind = HUB_TEXT,
                                   .annotation = &annotation };
        err = annotation.url.len > 0 ? emit(reader, &event) : ERR_OK;
    }
    return err;
}

/* Images that a model made, as OpenRouter sends them. */
static enum err
add_images(struct chatread *reader, struct choice *choice, struct walk list)
{
    enum err err = ERR_OK;
    for (struct walk at = walk_first(list); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        struct walk url = walk_get(walk_get(at, STR("image_url")), STR("url"));
        struct hub_media media = { .source = HUB_URL };
        if (media_from_url(walk_string(url, &reader->scratch), &reader->scratch, &media) !=
                ERR_OK ||
            media.source != HUB_BASE64) {
            continue;
        }
        err = open_text(reader, choice, HUB_IMAGE);
        struct hub_event event = { .kind = HUB_MEDIA,
                                   .part = choice->part,
                                   .choice = choice->index,
                                   .part_kind = HUB_IMAGE,
                                   .media = &media };
        err = err == ERR_OK ? emit(reader, &event) : err;
        err = err == ERR_OK ? close_text(reader, choice) : err;
    }
    return err;
}

static enum err
add_calls(struct chatread *reader, struct choice *choice, struct walk delta)
{
    struct walk list = walk_get(delta, STR("tool_calls"));
    struct walk legacy = walk_get(delta, STR("function_call"));
    struct chatcall_common common = common_of(reader);
    enum err err = ERR_OK;
    bool has_calls = walk_count(list) > 0 || walk_kind(legacy) == JSON_OBJECT;
    if (has_calls) {
        err = settle_text(reader, choice);
    }
    for (struct walk at = walk_first(list); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = chatcall_delta(&choice->calls, &common, at);
    }
    if (err == ERR_OK && walk_kind(legacy) == JSON_OBJECT) {
        err = chatcall_legacy(&choice->calls, &common, legacy);
    }
    return err;
}

static enum err
add_logprobs(struct chatread *reader, struct choice *choice, struct walk logprobs)
{
    struct str tokens = walk_raw_value(walk_get(logprobs, STR("content")));
    bool is_text = choice->part != 0 && choice->kind == HUB_TEXT;
    if (!is_text || tokens.len <= 2 || tokens.data[0] != '[') {
        return ERR_OK;
    }
    return send(reader, choice, HUB_LOGPROBS, str_make(tokens.data + 1, tokens.len - 2));
}

static enum err
read_delta(struct chatread *reader, struct choice *choice, struct walk delta)
{
    struct walk content = walk_get(delta, STR("content"));
    enum err err = add_reasoning(reader, choice, delta);
    if (err == ERR_OK) {
        err = walk_kind(content) == JSON_ARRAY ? add_list(reader, choice, content)
                                               : add_content(reader, choice, content);
    }
    if (err == ERR_OK) {
        struct walk audio = walk_get(delta, STR("audio"));
        err = add_text(reader, choice, HUB_TEXT, walk_get(audio, STR("transcript")));
    }
    if (err == ERR_OK) {
        err = add_text(reader, choice, HUB_REFUSAL, walk_get(delta, STR("refusal")));
    }
    if (err == ERR_OK) {
        err = add_citations(reader, choice, walk_get(delta, STR("annotations")));
    }
    if (err == ERR_OK) {
        err = add_images(reader, choice, walk_get(delta, STR("images")));
    }
    return err == ERR_OK ? add_calls(reader, choice, delta) : err;
}

/* --- choices --- */

static struct choice *
choice_of(struct chatread *reader, uint64_t index)
{
    struct choice **end = &reader->choices;
    while (*end != NULL && (*end)->index != index) {
        end = &(*end)->next;
    }
    if (*end != NULL || index >= HUB_CHOICES_MAX) {
        return *end;
    }
    struct choice *choice = arena_alloc(reader->source.arena, sizeof(*choice));
    if (choice != NULL) {
        choice->index = (uint32_t)index;
        choice->calls.choice = choice->index;
        *end = choice;
    }
    return choice;
}

static enum hub_finish
finish_of(const struct choice *choice, struct walk reason)
{
    static const struct {
        const char *word;
        enum hub_finish finish;
    } words[] = {
        { "stop", HUB_FINISH_STOP },
        { "end_turn", HUB_FINISH_STOP },
        { "eos", HUB_FINISH_STOP },
        { "tool_calls", HUB_FINISH_TOOL_CALLS },
        { "function_call", HUB_FINISH_TOOL_CALLS },
        { "length", HUB_FINISH_LENGTH },
        { "max_tokens", HUB_FINISH_LENGTH },
        { "content_filter", HUB_FINISH_CONTENT_FILTER },
        { "error", HUB_FINISH_ERROR },
        { "insufficient_system_resource", HUB_FINISH_ERROR },
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (walk_is_text(reason, str_of(words[i].word))) {
            bool is_refusal = words[i].finish == HUB_FINISH_STOP && choice->has_refused;
            return is_refusal ? HUB_FINISH_REFUSAL : words[i].finish;
        }
    }
    return HUB_FINISH_OTHER;
}

static enum err
send_error(struct chatread *reader, uint32_t status, struct str data)
{
    struct error_found found;
    error_read(DIALECT_CHAT, status, data, &found);
    struct hub_event event = { .kind = HUB_ERROR, .error = &found, .status = 0 };
    reader->is_ended = true;
    return emit(reader, &event);
}

static enum err
finish(struct chatread *reader, struct choice *choice, struct walk reason)
{
    struct chatcall_common common = common_of(reader);
    enum hub_finish meaning = finish_of(choice, reason);
    if (meaning == HUB_FINISH_ERROR) {
        return send_error(reader, 502, STR("{\"error\":{\"message\":\"the upstream failed\"}}"));
    }
    enum err err = settle_text(reader, choice);
    if (err == ERR_OK) {
        err = chatcall_finish(&choice->calls, &common);
    }
    if (err != ERR_OK) {
        return err;
    }
    choice->is_finished = true;
    struct hub_event event = { .kind = HUB_FINISH,
                               .choice = choice->index,
                               .finish = meaning,
                               .raw_reason = walk_string(reason, &reader->scratch) };
    return emit(reader, &event);
}

static enum err
read_choice(struct chatread *reader, struct walk source)
{
    uint64_t index = 0;
    (void)walk_u64(walk_get(source, STR("index")), &index);
    struct choice *choice = choice_of(reader, index);
    if (choice == NULL) {
        return ERR_FULL;
    }
    struct walk delta = walk_get(source, STR("delta"));
    if (walk_kind(delta) != JSON_OBJECT) {
        delta = walk_get(source, STR("message"));
    }
    enum err err = read_delta(reader, choice, delta);
    if (err == ERR_OK) {
        err = add_logprobs(reader, choice, walk_get(source, STR("logprobs")));
    }
    struct walk reason = walk_get(source, STR("finish_reason"));
    bool is_said = walk_kind(reason) == JSON_STRING && walk_value(reason).raw.len > 2;
    return err == ERR_OK && is_said ? finish(reader, choice, reason) : err;
}

/* --- chunks and bodies --- */

static enum err
start(struct chatread *reader, struct walk root)
{
    if (reader->is_started) {
        return ERR_OK;
    }
    reader->is_started = true;
    struct hub_event event = { .kind = HUB_START,
                               .id = walk_string(walk_get(root, STR("id")), &reader->scratch),
                               .model =
                                   walk_string(walk_get(root, STR("model")), &reader->scratch) };
    (void)walk_u64(walk_get(root, STR("created")), &event.created_s);
    return emit(reader, &event);
}

static enum err
read_usage(struct chatread *reader, struct walk root)
{
    struct walk report = walk_get(root, STR("usage"));
    if (walk_kind(report) != JSON_OBJECT) {
        report = walk_get(walk_get(root, STR("x_groq")), STR("usage"));
    }
    report_tier(&reader->usage, walk_value(walk_get(root, STR("service_tier"))));
    if (walk_kind(report) != JSON_OBJECT ||
        !report_openai(&reader->usage, walk_value(report), NULL)) {
        return ERR_OK;
    }
    struct hub_event event = { .kind = HUB_USAGE, .usage = &reader->usage };
    return emit(reader, &event);
}

static enum err
read_chunk(struct chatread *reader, struct walk root, struct str data)
{
    if (walk_kind(root) != JSON_OBJECT) {
        return ERR_BAD;
    }
    struct walk error = walk_get(root, STR("error"));
    if (walk_is_value(error)) {
        return send_error(reader, 200, data);
    }
    enum err err = start(reader, root);
    struct walk choices = walk_get(root, STR("choices"));
    for (struct walk at = walk_first(choices); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = reader->is_ended ? ERR_OK : read_choice(reader, at);
    }
    return err == ERR_OK && !reader->is_ended ? read_usage(reader, root) : err;
}

static bool
has_finished(const struct chatread *reader)
{
    for (const struct choice *at = reader->choices; at != NULL; at = at->next) {
        if (!at->is_finished) {
            return false;
        }
    }
    return reader->choices != NULL;
}

static enum err
end(struct chatread *reader)
{
    if (reader->is_ended || !has_finished(reader)) {
        return ERR_OK;
    }
    reader->is_ended = true;
    struct hub_event event = { .kind = HUB_END };
    return emit(reader, &event);
}

static struct str
trim(struct str data)
{
    while (data.len > 0 && (data.data[data.len - 1] == ' ' || data.data[data.len - 1] == '\n' ||
                            data.data[data.len - 1] == '\r')) {
        data.len--;
    }
    return str_trim(data);
}

enum err
chatread_event(void *context, struct str name, struct str data)
{
    struct chatread *reader = context;
    (void)name;
    struct str trimmed = trim(data);
    if (trimmed.len == 0 || reader->is_ended) {
        return ERR_OK;
    }
    if (str_equal(trimmed, STR("[DONE]"))) {
        return end(reader);
    }
    return chatread_body(context, trimmed);
}

enum err
chatread_body(void *context, struct str body)
{
    struct chatread *reader = context;
    struct walk root;
    enum err err = walk_parse(body, &reader->scratch, &root);
    if (err == ERR_OK) {
        err = read_chunk(reader, root, body);
    }
    arena_reset(&reader->scratch);
    return err;
}

enum err
chatread_end(void *context)
{
    return end(context);
}

/*
 * gemread.c - a Gemini answer, streamed or whole, becomes events.
 *
 * Every chunk brings new parts only: text goes on, calls come whole. Nothing marks the end but the
 * end of the stream: further chunks with usage may follow the finish reason.
 */
#include "base/check.h"
#include "proto/gemini.h"
#include "proto/joiner.h"
#include "proto/media.h"
#include "proto/report.h"
#include "proto/walk.h"

struct candidate {
    struct candidate *next;
    uint32_t index;
    uint32_t part; /* the open text or thought; 0 = none */
    enum hub_part_kind kind;
    struct joiner joiner;
    struct str signature; /* of the open part, for its end */
    uint32_t parts;       /* that it had */
    uint64_t bytes;       /* of text, to place citations */
    bool is_ascii;
    bool is_finished;
    enum hub_finish finish;
    struct str raw_reason;
};

struct gemread {
    struct codec_source source;
    struct arena scratch; /* of one chunk */
    struct candidate *candidates;
    uint32_t next_part;
    uint32_t call_count;
    bool is_started;
    bool is_ended;
    struct usage usage;
    struct usage_gemini counts;
};

void *
gemread_open(const struct codec_source *source)
{
    struct gemread *reader = arena_alloc(source->arena, sizeof(*reader));
    if (reader != NULL) {
        reader->source = *source;
        reader->next_part = 1;
        arena_init(&reader->scratch, TRANSLATE_REQUEST_BYTES_MAX);
    }
    return reader;
}

void
gemread_close(void *context)
{
    struct gemread *reader = context;
    arena_reset(&reader->scratch);
}

static struct str
text_of(struct gemread *reader, struct walk at, const char *camel)
{
    return walk_string(walk_get_camel(at, str_of(camel)), &reader->scratch);
}

static enum err
emit(struct gemread *reader, const struct hub_event *event)
{
    return hub_emit(reader->source.sink, event);
}

static enum err
send(struct gemread *reader, const struct candidate *candidate, enum hub_event_kind kind,
     struct str text)
{
    struct hub_event event = { .kind = kind,
                               .part = candidate->part,
                               .choice = candidate->index,
                               .part_kind = candidate->kind,
                               .text = text };
    return emit(reader, &event);
}

/* --- parts --- */

static enum err
send_signature(struct gemread *reader, const struct candidate *candidate, struct str bytes)
{
    struct hub_signature signature = { .family = HUB_FAMILY_GEMINI, .bytes = bytes };
    struct hub_event event = { .kind = HUB_SIGNATURE,
                               .part = candidate->part,
                               .choice = candidate->index,
                               .part_kind = candidate->kind,
                               .signature = &signature };
    return bytes.len > 0 ? emit(reader, &event) : ERR_OK;
}

static enum err
close_text(struct gemread *reader, struct candidate *candidate)
{
    if (candidate->part == 0) {
        return ERR_OK;
    }
    struct str rest = joiner_flush(&candidate->joiner);
    enum err err = rest.len > 0 ? send(reader, candidate, HUB_DELTA, rest) : ERR_OK;
    if (err == ERR_OK) {
        err = send_signature(reader, candidate, candidate->signature);
    }
    if (err == ERR_OK) {
        err = send(reader, candidate, HUB_CLOSE, str_make(NULL, 0));
    }
    candidate->part = 0;
    candidate->signature = str_make(NULL, 0);
    return err;
}

static enum err
open_part(struct gemread *reader, struct candidate *candidate, enum hub_part_kind kind)
{
    enum err err = close_text(reader, candidate);
    candidate->part = reader->next_part++;
    candidate->kind = kind;
    candidate->parts++;
    return err == ERR_OK ? send(reader, candidate, HUB_OPEN, str_make(NULL, 0)) : err;
}

static void
count_text(struct candidate *candidate, struct str text)
{
    for (size_t i = 0; i < text.len && candidate->is_ascii; i++) {
        candidate->is_ascii = (uint8_t)text.data[i] < 0x80;
    }
    candidate->bytes += text.len;
}

static enum err
add_text(struct gemread *reader, struct candidate *candidate, struct walk part)
{
    bool is_thought = walk_is_true(walk_get(part, STR("thought")));
    enum hub_part_kind kind = is_thought ? HUB_REASONING : HUB_TEXT;
    struct walk value = walk_get(part, STR("text"));
    struct str text = str_make(NULL, 0);
    bool has_text = walk_kind(value) == JSON_STRING && walk_value(value).raw.len > 2;
    struct str signature = text_of(reader, part, "thoughtSignature");
    enum err err = ERR_OK;
    if (has_text || (is_thought && signature.len > 0)) {
        bool is_same = candidate->part != 0 && candidate->kind == kind;
        err = is_same ? ERR_OK : open_part(reader, candidate, kind);
    }
    if (has_text && err == ERR_OK) {
        err = joiner_text(&candidate->joiner, walk_value(value), &reader->scratch, &text);
    }
    if (text.len > 0 && err == ERR_OK) {
        err = send(reader, candidate, HUB_DELTA, text);
    }
    if (kind == HUB_TEXT) {
        count_text(candidate, text);
    }
    /* A signature on an empty text belongs to what is open. */
    if (err == ERR_OK && signature.len > 0 && candidate->part != 0 &&
        candidate->signature.len == 0) {
        candidate->signature = arena_dup(reader->source.arena, signature);
        err = candidate->signature.data == NULL ? ERR_FULL : ERR_OK;
    }
    return err;
}

static enum err
add_call(struct gemread *reader, struct candidate *candidate, struct walk part, struct walk call)
{
    char fresh[PLAN_ID_BYTES];
    enum err err = close_text(reader, candidate);
    if (err != ERR_OK) {
        return err;
    }
    candidate->part = reader->next_part++;
    candidate->kind = HUB_CALL;
    candidate->parts++;
    struct hub_event event = {
        .kind = HUB_OPEN, .part = candidate->part, .choice = candidate->index, .part_kind = HUB_CALL
    };
    event.call.name = text_of(reader, call, "name");
    event.call.id = text_of(reader, call, "id");
    if (event.call.id.len == 0) {
        event.call.id = plan_fresh_call(reader->source.plan, reader->call_count, fresh);
    }
    reader->call_count++;
    err = emit(reader, &event);
    if (err == ERR_OK) {
        err = send_signature(reader, candidate, text_of(reader, part, "thoughtSignature"));
    }
    struct str args = walk_raw_value(walk_get(call, STR("args")));
    if (err == ERR_OK) {
        err = send(reader, candidate, HUB_DELTA, args.len > 0 ? args : STR("{}"));
    }
    if (err == ERR_OK) {
        err = send(reader, candidate, HUB_CLOSE, str_make(NULL, 0));
    }
    candidate->part = 0;
    return err;
}

static enum err
add_media(struct gemread *reader, struct candidate *candidate, struct walk data)
{
    struct hub_media media = { .source = HUB_BASE64 };
    enum err err = media_from_base64(text_of(reader, data, "data"),
                                     text_of(reader, data, "mimeType"), &reader->scratch, &media);
    if (err == ERR_OK) {
        err = open_part(reader, candidate, media_kind(media.mime));
    }
    struct hub_event event = { .kind = HUB_MEDIA,
                               .part = candidate->part,
                               .choice = candidate->index,
                               .part_kind = candidate->kind,
                               .media = &media };
    err = err == ERR_OK ? emit(reader, &event) : err;
    return err == ERR_OK ? close_text(reader, candidate) : err;
}

/* Code that ran at Google, and what it said, as text. */
static enum err
add_code(struct gemread *reader, struct candidate *candidate, struct walk code, struct walk ran)
{
    struct str text = walk_is_value(code) ? arena_printf(&reader->scratch, "\n```%.*s\n%.*s\n```\n",
                                                         STR_ARG(text_of(reader, code, "language")),
                                                         STR_ARG(text_of(reader, code, "code")))
                                          : arena_printf(&reader->scratch, "\n```\n%.*s\n```\n",
                                                         STR_ARG(text_of(reader, ran, "output")));
    if (text.data == NULL) {
        return ERR_FULL;
    }
    bool is_same = candidate->part != 0 && candidate->kind == HUB_TEXT;
    enum err err = is_same ? ERR_OK : open_part(reader, candidate, HUB_TEXT);
    count_text(candidate, text);
    return err == ERR_OK ? send(reader, candidate, HUB_DELTA, text) : err;
}

static enum err
read_part(struct gemread *reader, struct candidate *candidate, struct walk part)
{
    struct walk call = walk_get_camel(part, STR("functionCall"));
    struct walk data = walk_get_camel(part, STR("inlineData"));
    struct walk code = walk_get_camel(part, STR("executableCode"));
    struct walk ran = walk_get_camel(part, STR("codeExecutionResult"));
    if (walk_kind(call) == JSON_OBJECT) {
        return add_call(reader, candidate, part, call);
    }
    if (walk_kind(data) == JSON_OBJECT) {
        return add_media(reader, candidate, data);
    }
    if (walk_is_value(code) || walk_is_value(ran)) {
        return add_code(reader, candidate, code, ran);
    }
    return add_text(reader, candidate, part);
}

/* --- grounding --- */

/* Links under the text that is open; places are bytes at Google, which are characters as long as
 * the text has nothing but ASCII. */
static enum err
add_grounding(struct gemread *reader, struct candidate *candidate, struct walk grounding)
{
    enum err err = ERR_OK;
    bool is_text = candidate->part != 0 && candidate->kind == HUB_TEXT;
    struct walk chunks = walk_get_camel(grounding, STR("groundingChunks"));
    for (struct walk at = walk_first(chunks); is_text && walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        struct walk web = walk_get(at, STR("web"));
        struct hub_annotation annotation = { .kind = HUB_CITE_URL,
                                             .url = text_of(reader, web, "uri"),
                                             .title = text_of(reader, web, "title"),
                                             .end = candidate->is_ascii ? candidate->bytes : 0 };
        struct hub_event event = { .kind = HUB_ANNOTATION,
                                   .part = candidate->part,
                                   .choice = candidate->index,
                                   .part_kind = HUB_TEXT,
                                   .annotation = &annotation };
        err = annotation.url.len > 0 ? emit(reader, &event) : ERR_OK;
    }
    return err;
}

/* --- candidates --- */

static struct candidate *
candidate_of(struct gemread *reader, uint64_t index)
{
    struct candidate **end = &reader->candidates;
    while (*end != NULL && (*end)->index != index) {
        end = &(*end)->next;
    }
    if (*end != NULL || index >= HUB_CHOICES_MAX) {
        return *end;
    }
    struct candidate *candidate = arena_alloc(reader->source.arena, sizeof(*candidate));
    if (candidate != NULL) {
        candidate->index = (uint32_t)index;
        candidate->is_ascii = true;
        *end = candidate;
    }
    return candidate;
}

static enum hub_finish
finish_of(struct str reason)
{
    static const struct {
        const char *word;
        enum hub_finish finish;
    } words[] = {
        { "STOP", HUB_FINISH_STOP },
        { "FINISH_REASON_UNSPECIFIED", HUB_FINISH_STOP },
        { "MAX_TOKENS", HUB_FINISH_LENGTH },
        { "CONTINUATION", HUB_FINISH_LENGTH },
        { "SAFETY", HUB_FINISH_CONTENT_FILTER },
        { "BLOCKLIST", HUB_FINISH_CONTENT_FILTER },
        { "PROHIBITED_CONTENT", HUB_FINISH_CONTENT_FILTER },
        { "SPII", HUB_FINISH_CONTENT_FILTER },
        { "LANGUAGE", HUB_FINISH_CONTENT_FILTER },
        { "IMAGE_SAFETY", HUB_FINISH_CONTENT_FILTER },
        { "IMAGE_PROHIBITED_CONTENT", HUB_FINISH_CONTENT_FILTER },
        { "RECITATION", HUB_FINISH_RECITATION },
        { "IMAGE_RECITATION", HUB_FINISH_RECITATION },
        { "MALFORMED_FUNCTION_CALL", HUB_FINISH_MALFORMED_TOOL },
        { "UNEXPECTED_TOOL_CALL", HUB_FINISH_MALFORMED_TOOL },
        { "TOO_MANY_TOOL_CALLS", HUB_FINISH_MALFORMED_TOOL },
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (str_equal(reason, str_of(words[i].word))) {
            return words[i].finish;
        }
    }
    return HUB_FINISH_OTHER;
}

static enum err
read_candidate(struct gemread *reader, struct walk source)
{
    uint64_t index = 0;
    (void)walk_u64(walk_get(source, STR("index")), &index);
    struct candidate *candidate = candidate_of(reader, index);
    if (candidate == NULL) {
        return ERR_FULL;
    }
    struct walk parts = walk_get(walk_get(source, STR("content")), STR("parts"));
    enum err err = ERR_OK;
    for (struct walk at = walk_first(parts); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = read_part(reader, candidate, at);
    }
    if (err == ERR_OK) {
        err = add_grounding(reader, candidate, walk_get_camel(source, STR("groundingMetadata")));
    }
    struct str reason = text_of(reader, source, "finishReason");
    if (err == ERR_OK && reason.len > 0) {
        candidate->is_finished = true;
        candidate->finish = finish_of(reason);
        candidate->raw_reason = arena_dup(reader->source.arena, reason);
        err = candidate->raw_reason.data == NULL ? ERR_FULL : ERR_OK;
    }
    return err;
}

/* --- chunks and bodies --- */

static enum err
start(struct gemread *reader, struct walk root)
{
    if (reader->is_started) {
        return ERR_OK;
    }
    reader->is_started = true;
    struct hub_event event = { .kind = HUB_START,
                               .id = text_of(reader, root, "responseId"),
                               .model = text_of(reader, root, "modelVersion") };
    return emit(reader, &event);
}

static enum err
read_usage(struct gemread *reader, struct walk report)
{
    if (walk_kind(report) != JSON_OBJECT ||
        !report_gemini(&reader->usage, &reader->counts, walk_value(report), NULL)) {
        return ERR_OK;
    }
    struct hub_event event = { .kind = HUB_USAGE, .usage = &reader->usage };
    return emit(reader, &event);
}

static enum err
send_error(struct gemread *reader, struct str data)
{
    struct error_found found;
    error_read(DIALECT_GEMINI, 200, data, &found);
    struct hub_event event = { .kind = HUB_ERROR, .error = &found };
    reader->is_ended = true;
    return emit(reader, &event);
}

/* The prompt was refused: there is no candidate, and the status was 200 all the same. */
static enum err
read_block(struct gemread *reader, struct walk feedback)
{
    struct str reason = text_of(reader, feedback, "blockReason");
    if (reason.len == 0 || reader->candidates != NULL) {
        return ERR_OK;
    }
    struct candidate *candidate = candidate_of(reader, 0);
    if (candidate == NULL) {
        return ERR_FULL;
    }
    candidate->is_finished = true;
    candidate->finish = HUB_FINISH_CONTENT_FILTER;
    candidate->raw_reason = arena_dup(reader->source.arena, reason);
    return candidate->raw_reason.data == NULL ? ERR_FULL : ERR_OK;
}

static enum err
read_chunk(struct gemread *reader, struct walk root)
{
    struct walk wrapped = walk_get(root, STR("response"));
    root = walk_kind(wrapped) == JSON_OBJECT ? wrapped : root;
    struct walk error = walk_get(root, STR("error"));
    if (walk_kind(root) != JSON_OBJECT) {
        return ERR_BAD;
    }
    if (walk_is_value(error)) {
        return send_error(reader, walk_raw(root));
    }
    enum err err = start(reader, root);
    struct walk candidates = walk_get(root, STR("candidates"));
    for (struct walk at = walk_first(candidates); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = read_candidate(reader, at);
    }
    if (err == ERR_OK) {
        err = read_block(reader, walk_get_camel(root, STR("promptFeedback")));
    }
    return err == ERR_OK ? read_usage(reader, walk_get_camel(root, STR("usageMetadata"))) : err;
}

enum err
gemread_body(void *context, struct str body)
{
    struct gemread *reader = context;
    struct walk root;
    enum err err = walk_parse(body, &reader->scratch, &root);
    if (err == ERR_OK && walk_kind(root) == JSON_ARRAY) {
        for (struct walk at = walk_first(root); walk_is_there(at) && err == ERR_OK;
             at = walk_next(at)) {
            err = reader->is_ended ? ERR_OK : read_chunk(reader, at);
        }
    } else if (err == ERR_OK) {
        err = read_chunk(reader, root);
    }
    arena_reset(&reader->scratch);
    return err;
}

enum err
gemread_event(void *context, struct str name, struct str data)
{
    struct gemread *reader = context;
    (void)name;
    bool is_nothing = data.len == 0 || str_equal(data, STR("[DONE]"));
    return is_nothing || reader->is_ended ? ERR_OK : gemread_body(context, data);
}

static enum err
finish(struct gemread *reader, struct candidate *candidate)
{
    enum err err = close_text(reader, candidate);
    /* A STOP that said nothing is no answer. */
    bool is_empty = candidate->finish == HUB_FINISH_STOP && candidate->parts == 0;
    bool is_prompt = candidate->finish == HUB_FINISH_CONTENT_FILTER && candidate->parts == 0;
    struct hub_event event = { .kind = HUB_FINISH,
                               .choice = candidate->index,
                               .finish = is_empty ? HUB_FINISH_OTHER : candidate->finish,
                               .is_prompt = is_prompt,
                               .raw_reason = candidate->raw_reason };
    return err == ERR_OK ? emit(reader, &event) : err;
}

enum err
gemread_end(void *context)
{
    struct gemread *reader = context;
    bool is_whole = reader->candidates != NULL;
    for (const struct candidate *at = reader->candidates; at != NULL; at = at->next) {
        is_whole = is_whole && at->is_finished;
    }
    if (!is_whole || reader->is_ended) {
        return ERR_OK;
    }
    reader->is_ended = true;
    enum err err = ERR_OK;
    for (struct candidate *at = reader->candidates; at != NULL && err == ERR_OK; at = at->next) {
        err = finish(reader, at);
    }
    struct hub_event event = { .kind = HUB_END };
    return err == ERR_OK ? emit(reader, &event) : err;
}

bool
gemread_count(struct str body, uint64_t *input_tokens)
{
    struct json_value top, count;
    return json_read(body, &top, NULL) == ERR_OK && json_get(top, STR("totalTokens"), &count) &&
           json_u64(count, input_tokens) == ERR_OK;
}

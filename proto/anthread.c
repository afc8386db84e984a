/*
 * anthread.c - an Anthropic answer, streamed or whole, becomes events.
 *
 * Texts are opened at their first word, so that an empty block is nothing. Citations are told at
 * the end of their block: Anthropic cuts its text so that the block is what is cited.
 */
#include "base/check.h"
#include "proto/anthropic.h"
#include "proto/anthsay.h"
#include "proto/joiner.h"
#include "proto/report.h"
#include "proto/walk.h"

struct block {
    struct block *next;
    uint64_t index;
    uint32_t part; /* 0: nothing was sent of it */
    enum hub_part_kind kind;
    struct joiner joiner;
    uint64_t characters; /* of text */
    bool has_delta;
    struct str input; /* CALL: what content_block_start had already */
    struct buf kept;  /* signature, or a server tool's input */
    struct hub_server server;
    struct hub_annotation *citations;
    uint32_t citation_count;
};

struct anthread {
    struct codec_source source;
    struct arena scratch; /* of one event */
    struct block *blocks; /* open ones */
    struct block *spare;
    uint32_t next_part;
    uint32_t block_count;
    bool is_started;
    bool is_ended;
    bool has_reason;
    enum hub_finish finish;
    struct str finish_text;
    struct str raw_reason;
    struct usage usage;
};

void *
anthread_open(const struct codec_source *source)
{
    struct anthread *reader = arena_alloc(source->arena, sizeof(*reader));
    if (reader != NULL) {
        reader->source = *source;
        reader->next_part = 1;
        arena_init(&reader->scratch, TRANSLATE_REQUEST_BYTES_MAX);
    }
    return reader;
}

void
anthread_close(void *context)
{
    struct anthread *reader = context;
    for (struct block *block = reader->blocks; block != NULL; block = block->next) {
        buf_fini(&block->kept);
    }
    reader->blocks = NULL;
    arena_reset(&reader->scratch);
}

static struct str
text_of(struct anthread *reader, struct walk at, const char *name)
{
    return walk_string(walk_get(at, str_of(name)), &reader->scratch);
}

static enum err
send(struct anthread *reader, const struct block *block, enum hub_event_kind kind, struct str text)
{
    struct hub_event event = {
        .kind = kind, .part = block->part, .part_kind = block->kind, .text = text
    };
    return hub_emit(reader->source.sink, &event);
}

/* --- blocks --- */

static struct block **
find(struct anthread *reader, uint64_t index)
{
    struct block **at = &reader->blocks;
    while (*at != NULL && (*at)->index != index) {
        at = &(*at)->next;
    }
    return at;
}

static struct block *
add(struct anthread *reader, uint64_t index, enum hub_part_kind kind)
{
    struct block *block = reader->spare;
    if (block != NULL) {
        reader->spare = block->next;
    } else if (reader->block_count < HUB_OPEN_MAX) {
        block = arena_alloc(reader->source.arena, sizeof(*block));
        reader->block_count++;
    }
    if (block != NULL) {
        *block = (struct block){ .next = reader->blocks, .index = index, .kind = kind };
        buf_init(&block->kept, TRANSLATE_QUEUE_BYTES_MAX);
        reader->blocks = block;
    }
    return block;
}

static enum err
open_block(struct anthread *reader, struct block *block, const struct hub_call *call)
{
    if (block->part != 0) {
        return ERR_OK;
    }
    block->part = reader->next_part++;
    struct hub_event event = { .kind = HUB_OPEN,
                               .part = block->part,
                               .part_kind = block->kind,
                               .server = block->server.kind.len > 0 ? &block->server : NULL };
    if (call != NULL) {
        event.call = *call;
    }
    return hub_emit(reader->source.sink, &event);
}

static enum err
add_text(struct anthread *reader, struct block *block, struct walk value)
{
    struct str text = str_make(NULL, 0);
    if (walk_kind(value) != JSON_STRING) {
        return ERR_OK;
    }
    enum err err = joiner_text(&block->joiner, walk_value(value), &reader->scratch, &text);
    if (err != ERR_OK || text.len == 0) {
        return err;
    }
    for (size_t i = 0; i < text.len; i++) {
        block->characters += ((uint8_t)text.data[i] & 0xc0) != 0x80;
    }
    block->has_delta = true;
    err = open_block(reader, block, NULL);
    return err == ERR_OK ? send(reader, block, HUB_DELTA, text) : err;
}

static enum err
send_signature(struct anthread *reader, struct block *block, enum hub_family family,
               struct str bytes)
{
    if (bytes.len == 0) {
        return ERR_OK;
    }
    struct hub_signature signature = { .family = family, .bytes = bytes };
    enum err err = open_block(reader, block, NULL);
    struct hub_event event = { .kind = HUB_SIGNATURE,
                               .part = block->part,
                               .part_kind = HUB_REASONING,
                               .signature = &signature };
    return err == ERR_OK ? hub_emit(reader->source.sink, &event) : err;
}

static enum err
start_call(struct anthread *reader, struct block *block, struct walk source)
{
    struct str input = walk_raw_value(walk_get(source, STR("input")));
    if (input.len > 2 && walk_count(walk_get(source, STR("input"))) > 0) {
        block->input = arena_dup(reader->source.arena, input);
        if (block->input.data == NULL) {
            return ERR_FULL;
        }
    }
    struct hub_call call = { .id = text_of(reader, source, "id"),
                             .name = text_of(reader, source, "name") };
    return open_block(reader, block, &call);
}

/* Titles and links of search results, for clients of other dialects. */
static struct str
result_text(struct anthread *reader, struct walk content)
{
    struct str all = str_make(NULL, 0);
    for (struct walk at = walk_first(content); walk_is_there(at); at = walk_next(at)) {
        struct str title = text_of(reader, at, "title");
        struct str url = text_of(reader, at, "url");
        if (url.len > 0) {
            all = arena_printf(&reader->scratch, "%.*s%.*s %.*s\n", STR_ARG(all), STR_ARG(title),
                               STR_ARG(url));
        }
    }
    return all;
}

/* A tool that runs at Anthropic, or its result: it came whole. */
static enum err
start_server(struct anthread *reader, struct block *block, struct walk source, struct str type)
{
    struct arena *arena = reader->source.arena;
    bool is_result = block->kind == HUB_SERVER_RESULT;
    size_t suffix = sizeof "_tool_result" - 1;
    struct str kind =
        is_result ? str_make(type.data, type.len - suffix) : text_of(reader, source, "name");
    struct str id = text_of(reader, source, is_result ? "tool_use_id" : "id");
    block->server = (struct hub_server){ .home = DIALECT_ANTHROPIC,
                                         .kind = arena_dup(arena, kind),
                                         .id = arena_dup(arena, id) };
    if (block->server.kind.data == NULL || block->server.id.data == NULL) {
        return ERR_FULL;
    }
    enum err err = open_block(reader, block, NULL);
    if (!is_result || err != ERR_OK) {
        return err;
    }
    struct walk content = walk_get(source, STR("content"));
    struct hub_server done = block->server;
    done.output_json = walk_raw_value(content);
    done.text = result_text(reader, content);
    struct hub_event event = {
        .kind = HUB_SERVER_DONE, .part = block->part, .part_kind = block->kind, .server = &done
    };
    return hub_emit(reader->source.sink, &event);
}

static enum err
start_block(struct anthread *reader, uint64_t index, struct walk source)
{
    struct str type = text_of(reader, source, "type");
    bool is_redacted = str_equal(type, STR("redacted_thinking"));
    enum hub_part_kind kind = HUB_TEXT;
    if (is_redacted || str_equal(type, STR("thinking"))) {
        kind = HUB_REASONING;
    } else if (str_equal(type, STR("tool_use"))) {
        kind = HUB_CALL;
    } else if (str_equal(type, STR("server_tool_use"))) {
        kind = HUB_SERVER_CALL;
    } else if (str_ends(type, STR("_tool_result"))) {
        kind = HUB_SERVER_RESULT;
    } else if (!str_equal(type, STR("text"))) {
        return ERR_OK; /* unknown: its deltas find no block */
    }
    if (*find(reader, index) != NULL) {
        return ERR_OK;
    }
    struct block *block = add(reader, index, kind);
    if (block == NULL) {
        return ERR_FULL;
    }
    if (kind == HUB_CALL) {
        return start_call(reader, block, source);
    }
    if (kind == HUB_SERVER_CALL || kind == HUB_SERVER_RESULT) {
        return start_server(reader, block, source, type);
    }
    if (is_redacted) {
        return send_signature(reader, block, HUB_FAMILY_ANTHROPIC_REDACTED,
                              text_of(reader, source, "data"));
    }
    if (kind == HUB_REASONING) {
        enum err err = buf_append(&block->kept, text_of(reader, source, "signature"));
        return err == ERR_OK ? add_text(reader, block, walk_get(source, STR("thinking"))) : err;
    }
    return add_text(reader, block, walk_get(source, STR("text")));
}

/* --- deltas --- */

static enum err
add_citation(struct anthread *reader, struct block *block, struct walk citation)
{
    struct arena *arena = reader->source.arena;
    if (walk_kind(citation) != JSON_OBJECT || block->citation_count == HUB_ANNOTATIONS_MAX) {
        return ERR_OK;
    }
    struct hub_annotation *kept = arena_alloc(arena, sizeof(*kept));
    if (kept == NULL) {
        return ERR_FULL;
    }
    struct str title = text_of(reader, citation, "title");
    title = title.len > 0 ? title : text_of(reader, citation, "document_title");
    kept->url = arena_dup(arena, text_of(reader, citation, "url"));
    kept->title = arena_dup(arena, title);
    kept->cited = arena_dup(arena, text_of(reader, citation, "cited_text"));
    kept->kind = kept->url.len > 0 ? HUB_CITE_URL : HUB_CITE_OTHER;
    struct hub_annotation **end = &block->citations;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = kept;
    block->citation_count++;
    return kept->url.data == NULL || kept->title.data == NULL || kept->cited.data == NULL ? ERR_FULL
                                                                                          : ERR_OK;
}

static enum err
add_input(struct anthread *reader, struct block *block, struct walk value)
{
    struct str text = str_make(NULL, 0);
    if (walk_kind(value) != JSON_STRING) {
        return ERR_OK;
    }
    enum err err = joiner_text(&block->joiner, walk_value(value), &reader->scratch, &text);
    if (err != ERR_OK || text.len == 0) {
        return err;
    }
    block->has_delta = true;
    return block->kind == HUB_SERVER_CALL ? buf_append(&block->kept, text)
                                          : send(reader, block, HUB_DELTA, text);
}

static enum err
read_delta(struct anthread *reader, struct block *block, struct walk delta)
{
    struct walk type = walk_get(delta, STR("type"));
    bool is_input = block->kind == HUB_CALL || block->kind == HUB_SERVER_CALL;
    if (walk_is_text(type, STR("text_delta")) && block->kind == HUB_TEXT) {
        return add_text(reader, block, walk_get(delta, STR("text")));
    }
    if (walk_is_text(type, STR("thinking_delta")) && block->kind == HUB_REASONING) {
        return add_text(reader, block, walk_get(delta, STR("thinking")));
    }
    if (walk_is_text(type, STR("input_json_delta")) && is_input) {
        return add_input(reader, block, walk_get(delta, STR("partial_json")));
    }
    if (walk_is_text(type, STR("signature_delta")) && block->kind == HUB_REASONING) {
        return buf_append(&block->kept, text_of(reader, delta, "signature"));
    }
    if (walk_is_text(type, STR("citations_delta")) && block->kind == HUB_TEXT) {
        return add_citation(reader, block, walk_get(delta, STR("citation")));
    }
    return ERR_OK;
}

/* --- the end of a block --- */

static enum err
send_citations(struct anthread *reader, struct block *block)
{
    enum err err = ERR_OK;
    for (struct hub_annotation *at = block->citations;
         at != NULL && err == ERR_OK && block->part != 0; at = at->next) {
        at->end = block->characters;
        struct hub_event event = {
            .kind = HUB_ANNOTATION, .part = block->part, .part_kind = HUB_TEXT, .annotation = at
        };
        err = at->kind == HUB_CITE_URL ? hub_emit(reader->source.sink, &event) : ERR_OK;
    }
    return err;
}

/* What is owed before the close. */
static enum err
complete(struct anthread *reader, struct block *block)
{
    if (block->kind == HUB_CALL && !block->has_delta && block->input.len > 0) {
        return send(reader, block, HUB_DELTA, block->input);
    }
    if (block->kind == HUB_REASONING) {
        return send_signature(reader, block, HUB_FAMILY_ANTHROPIC, buf_str(&block->kept));
    }
    if (block->kind == HUB_SERVER_CALL) {
        struct hub_server done = block->server;
        done.input_json = buf_str(&block->kept);
        struct hub_event event = {
            .kind = HUB_SERVER_DONE, .part = block->part, .part_kind = block->kind, .server = &done
        };
        return hub_emit(reader->source.sink, &event);
    }
    return send_citations(reader, block);
}

static enum err
stop_block(struct anthread *reader, struct block **at)
{
    struct block *block = *at;
    struct str rest = joiner_flush(&block->joiner);
    enum err err = ERR_OK;
    if (rest.len > 0 && block->kind != HUB_SERVER_CALL) {
        err = open_block(reader, block, NULL);
        err = err == ERR_OK ? send(reader, block, HUB_DELTA, rest) : err;
    }
    if (err == ERR_OK) {
        err = complete(reader, block);
    }
    if (err == ERR_OK && block->part != 0) {
        err = send(reader, block, HUB_CLOSE, str_make(NULL, 0));
    }
    buf_fini(&block->kept);
    *at = block->next;
    block->next = reader->spare;
    reader->spare = block;
    return err;
}

/* --- messages --- */

static enum err
start(struct anthread *reader, struct walk message)
{
    if (reader->is_started) {
        return ERR_OK;
    }
    reader->is_started = true;
    struct walk usage = walk_get(message, STR("usage"));
    bool has_usage = walk_kind(usage) == JSON_OBJECT &&
                     report_anthropic(&reader->usage, walk_value(usage), false, NULL);
    struct hub_event event = { .kind = HUB_START,
                               .id = text_of(reader, message, "id"),
                               .model = text_of(reader, message, "model"),
                               .usage = has_usage ? &reader->usage : NULL };
    return hub_emit(reader->source.sink, &event);
}

/* stop_reason and what belongs to it, of a message or a message_delta's delta. */
static enum err
read_reason(struct anthread *reader, struct walk source)
{
    struct arena *arena = reader->source.arena;
    struct walk reason = walk_get(source, STR("stop_reason"));
    if (walk_kind(reason) != JSON_STRING) {
        return ERR_OK;
    }
    reader->has_reason = true;
    reader->finish = anthsay_finish(reason);
    struct walk details = walk_get(source, STR("stop_details"));
    struct str text = text_of(reader, source, "stop_sequence");
    if (reader->finish == HUB_FINISH_REFUSAL) {
        text = text_of(reader, details, "explanation");
        text = text.len > 0 ? text : text_of(reader, details, "message");
    }
    reader->finish_text = arena_dup(arena, text);
    reader->raw_reason = arena_dup(arena, walk_string(reason, &reader->scratch));
    return reader->finish_text.data == NULL || reader->raw_reason.data == NULL ? ERR_FULL : ERR_OK;
}

static enum err
read_usage(struct anthread *reader, struct walk usage)
{
    if (walk_kind(usage) != JSON_OBJECT ||
        !report_anthropic(&reader->usage, walk_value(usage), true, NULL)) {
        return ERR_OK;
    }
    struct hub_event event = { .kind = HUB_USAGE, .usage = &reader->usage };
    return hub_emit(reader->source.sink, &event);
}

static enum err
end(struct anthread *reader)
{
    if (reader->is_ended || !reader->has_reason) {
        return ERR_OK;
    }
    reader->is_ended = true;
    enum err err = ERR_OK;
    while (reader->blocks != NULL && err == ERR_OK) {
        struct block **oldest = &reader->blocks;
        while ((*oldest)->next != NULL) {
            oldest = &(*oldest)->next;
        }
        err = stop_block(reader, oldest);
    }
    struct hub_event finish = { .kind = HUB_FINISH,
                                .finish = reader->finish,
                                .text = reader->finish_text,
                                .raw_reason = reader->raw_reason };
    err = err == ERR_OK ? hub_emit(reader->source.sink, &finish) : err;
    struct hub_event last = { .kind = HUB_END };
    return err == ERR_OK ? hub_emit(reader->source.sink, &last) : err;
}

static enum err
send_error(struct anthread *reader, struct str data)
{
    struct error_found found;
    error_read(DIALECT_ANTHROPIC, 200, data, &found);
    struct hub_event event = { .kind = HUB_ERROR, .error = &found };
    reader->is_ended = true;
    return hub_emit(reader->source.sink, &event);
}

static enum err
dispatch(struct anthread *reader, struct walk root, struct str data)
{
    struct walk type = walk_get(root, STR("type"));
    uint64_t index = 0;
    (void)walk_u64(walk_get(root, STR("index")), &index);
    if (walk_is_text(type, STR("message_start"))) {
        return start(reader, walk_get(root, STR("message")));
    }
    if (walk_is_text(type, STR("content_block_start"))) {
        return start_block(reader, index, walk_get(root, STR("content_block")));
    }
    if (walk_is_text(type, STR("content_block_delta"))) {
        struct block *block = *find(reader, index);
        return block == NULL ? ERR_OK : read_delta(reader, block, walk_get(root, STR("delta")));
    }
    if (walk_is_text(type, STR("content_block_stop"))) {
        struct block **at = find(reader, index);
        return *at == NULL ? ERR_OK : stop_block(reader, at);
    }
    if (walk_is_text(type, STR("message_delta"))) {
        enum err err = read_reason(reader, walk_get(root, STR("delta")));
        return err == ERR_OK ? read_usage(reader, walk_get(root, STR("usage"))) : err;
    }
    if (walk_is_text(type, STR("message_stop"))) {
        return end(reader);
    }
    bool is_error = walk_is_text(type, STR("error")) || walk_is_value(walk_get(root, STR("error")));
    return is_error ? send_error(reader, data) : ERR_OK;
}

enum err
anthread_event(void *context, struct str name, struct str data)
{
    struct anthread *reader = context;
    struct walk root;
    if (data.len == 0 || reader->is_ended || str_equal(name, STR("ping"))) {
        return ERR_OK;
    }
    enum err err = walk_parse(data, &reader->scratch, &root);
    if (err == ERR_OK) {
        err = walk_kind(root) == JSON_OBJECT ? dispatch(reader, root, data) : ERR_BAD;
    }
    arena_reset(&reader->scratch);
    return err;
}

/* A whole message: its blocks as if they had been streamed, each in one piece. */
static enum err
read_message(struct anthread *reader, struct walk root)
{
    enum err err = start(reader, root);
    uint64_t index = 0;
    struct walk content = walk_get(root, STR("content"));
    for (struct walk at = walk_first(content); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = start_block(reader, index, at);
        struct block **place = find(reader, index);
        struct walk citations = walk_get(at, STR("citations"));
        for (struct walk one = walk_first(citations);
             walk_is_there(one) && err == ERR_OK && *place != NULL; one = walk_next(one)) {
            err = add_citation(reader, *place, one);
        }
        if (err == ERR_OK && *place != NULL) {
            if ((*place)->kind == HUB_SERVER_CALL) {
                err = buf_append(&(*place)->kept, walk_raw_value(walk_get(at, STR("input"))));
            }
            err = err == ERR_OK ? stop_block(reader, place) : err;
        }
        index++;
    }
    if (err == ERR_OK) {
        err = read_usage(reader, walk_get(root, STR("usage")));
    }
    return err == ERR_OK ? read_reason(reader, root) : err;
}

enum err
anthread_body(void *context, struct str body)
{
    struct anthread *reader = context;
    struct walk root;
    enum err err = walk_parse(body, &reader->scratch, &root);
    if (err == ERR_OK) {
        bool is_error = walk_is_text(walk_get(root, STR("type")), STR("error"));
        bool is_message = walk_kind(walk_get(root, STR("content"))) == JSON_ARRAY;
        err = is_error     ? send_error(reader, body)
              : is_message ? read_message(reader, root)
                           : ERR_BAD;
    }
    arena_reset(&reader->scratch);
    return err;
}

enum err
anthread_end(void *context)
{
    return end(context);
}

bool
anthread_count(struct str body, uint64_t *input_tokens)
{
    struct json_value top, count;
    return json_read(body, &top, NULL) == ERR_OK && json_get(top, STR("input_tokens"), &count) &&
           json_u64(count, input_tokens) == ERR_OK;
}

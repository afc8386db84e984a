/*
 * resppart.c - output items of a Responses answer and their pieces (see resppart.h).
 */
#include "proto/resppart.h"

#include "base/check.h"
#include "proto/joiner.h"
#include "proto/media.h"

#define FNV_BASIS 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

struct piece {
    struct piece *next;
    enum resppart_list list; /* REFUSAL counts as TEXT: they share content_index */
    uint64_t index;
    uint64_t bytes; /* told so far, and their hash */
    uint64_t hash;
    bool is_closed;
    bool has_notes;
};

struct resppart_item {
    struct resppart_item *next;
    uint64_t output_index;
    struct str id;
    struct str phase;
    uint32_t part; /* the open one; 0 = none */
    enum hub_part_kind kind;
    struct piece *pieces;
    struct piece *current;
    struct joiner joiner;
    bool is_done;
};

void
resppart_init(struct resppart *parts, const struct codec_source *source, struct arena *scratch)
{
    *parts = (struct resppart){ .source = source, .scratch = scratch, .next_part = 1 };
}

static struct str
text_of(const struct resppart *parts, struct walk at, const char *name)
{
    return walk_string(walk_get(at, str_of(name)), parts->scratch);
}

/* --- items and pieces --- */

static struct resppart_item *
add_item(struct resppart *parts, uint64_t output_index)
{
    struct resppart_item *item = arena_alloc(parts->source->arena, sizeof(*item));
    if (item != NULL) {
        item->output_index = output_index;
        item->next = parts->items;
        parts->items = item;
        parts->item_count++;
    }
    return item;
}

/* By its place, else by its id, else the newest; a new one when it was never announced. */
static struct resppart_item *
item_of(struct resppart *parts, struct walk event)
{
    uint64_t index = parts->item_count;
    bool has_index = walk_u64(walk_get(event, STR("output_index")), &index);
    struct str id = text_of(parts, event, "item_id");
    for (struct resppart_item *item = parts->items; item != NULL; item = item->next) {
        bool is_it =
            has_index ? item->output_index == index : id.len == 0 || str_equal(id, item->id);
        if (is_it) {
            return item;
        }
    }
    return add_item(parts, index);
}

static struct piece *
piece_of(struct resppart *parts, struct resppart_item *item, enum resppart_list list,
         uint64_t index)
{
    list = list == RESPPART_REFUSAL ? RESPPART_TEXT : list;
    for (struct piece *piece = item->pieces; piece != NULL; piece = piece->next) {
        if (piece->list == list && piece->index == index) {
            return piece;
        }
    }
    struct piece *piece = arena_alloc(parts->source->arena, sizeof(*piece));
    if (piece != NULL) {
        piece->list = list;
        piece->index = index;
        piece->hash = FNV_BASIS;
        piece->next = item->pieces;
        item->pieces = piece;
    }
    return piece;
}

static uint64_t
hash_on(uint64_t hash, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ (uint8_t)text.data[i]) * FNV_PRIME;
    }
    return hash;
}

/* --- events --- */

static enum err
send(struct resppart *parts, const struct resppart_item *item, enum hub_event_kind kind,
     struct str text)
{
    struct hub_event event = {
        .kind = kind, .part = item->part, .part_kind = item->kind, .text = text
    };
    return hub_emit(parts->source->sink, &event);
}

static enum err
open_part(struct resppart *parts, struct resppart_item *item, struct hub_event *event)
{
    item->part = parts->next_part++;
    item->kind = event->part_kind;
    event->kind = HUB_OPEN;
    event->part = item->part;
    event->id = item->id;
    event->phase = item->phase;
    return hub_emit(parts->source->sink, event);
}

static enum err
flush(struct resppart *parts, struct resppart_item *item)
{
    struct str rest = joiner_flush(&item->joiner);
    return rest.len > 0 ? send(parts, item, HUB_DELTA, rest) : ERR_OK;
}

static enum err
close_part(struct resppart *parts, struct resppart_item *item, bool is_incomplete)
{
    if (item->part == 0) {
        return ERR_OK;
    }
    enum err err = flush(parts, item);
    struct hub_event event = { .kind = HUB_CLOSE,
                               .part = item->part,
                               .part_kind = item->kind,
                               .is_incomplete = is_incomplete };
    item->part = 0;
    if (item->current != NULL) {
        item->current->is_closed = true;
    }
    item->current = NULL;
    return err == ERR_OK ? hub_emit(parts->source->sink, &event) : err;
}

/* Makes the piece the one that is written: ERR_GONE when nobody knows yet whose call it is, and
 * when the item is no such thing. */
static enum err
enter(struct resppart *parts, struct resppart_item *item, struct piece *piece,
      enum resppart_list list)
{
    if (piece == NULL) {
        return ERR_FULL;
    }
    if (item->current == piece) {
        return ERR_OK;
    }
    struct hub_event event = { .visibility = HUB_FULL };
    enum err err = ERR_OK;
    switch (list) {
    case RESPPART_TEXT:
    case RESPPART_REFUSAL:
        err = close_part(parts, item, false);
        event.part_kind = list == RESPPART_TEXT ? HUB_TEXT : HUB_REFUSAL;
        parts->has_refused = parts->has_refused || list == RESPPART_REFUSAL;
        err = err == ERR_OK ? open_part(parts, item, &event) : err;
        break;
    case RESPPART_SUMMARY:
    case RESPPART_RAW:
        event.part_kind = HUB_REASONING;
        event.visibility = list == RESPPART_SUMMARY ? HUB_SUMMARY : HUB_FULL;
        if (item->part == 0) {
            err = open_part(parts, item, &event);
            break;
        }
        if (item->kind != HUB_REASONING) {
            return ERR_GONE;
        }
        err = flush(parts, item);
        err = err == ERR_OK ? send(parts, item, HUB_SEGMENT, str_make(NULL, 0)) : err;
        break;
    case RESPPART_ARGS:
        err = item->part == 0 || item->kind != HUB_CALL ? ERR_GONE : ERR_OK;
        break;
    }
    item->current = err == ERR_OK ? piece : item->current;
    return err;
}

static enum err
add_text(struct resppart *parts, struct resppart_item *item, struct piece *piece,
         enum resppart_list list, struct str text)
{
    enum err err = enter(parts, item, piece, list);
    if (err != ERR_OK) {
        return err == ERR_GONE ? ERR_OK : err;
    }
    piece->bytes += text.len;
    piece->hash = hash_on(piece->hash, text);
    return text.len > 0 ? send(parts, item, HUB_DELTA, text) : ERR_OK;
}

/* What the deltas left out of a text. */
static enum err
repair(struct resppart *parts, struct resppart_item *item, struct piece *piece,
       enum resppart_list list, struct str text)
{
    if (piece == NULL) {
        return ERR_FULL;
    }
    if (piece->is_closed || text.len <= piece->bytes ||
        hash_on(FNV_BASIS, str_make(text.data, (size_t)piece->bytes)) != piece->hash) {
        return ERR_OK;
    }
    return add_text(parts, item, piece, list, str_skip(text, (size_t)piece->bytes));
}

static uint64_t
index_of(struct walk event, enum resppart_list list)
{
    uint64_t index = 0;
    if (list != RESPPART_ARGS) {
        struct str name = list == RESPPART_SUMMARY ? STR("summary_index") : STR("content_index");
        (void)walk_u64(walk_get(event, name), &index);
    }
    return index;
}

enum err
resppart_delta(struct resppart *parts, struct walk event, enum resppart_list list)
{
    struct resppart_item *item = item_of(parts, event);
    struct walk delta = walk_get(event, STR("delta"));
    if (item == NULL) {
        return ERR_FULL;
    }
    if (item->is_done || walk_kind(delta) != JSON_STRING) {
        return ERR_OK;
    }
    struct piece *piece = piece_of(parts, item, list, index_of(event, list));
    if (piece != NULL && piece->is_closed) {
        return ERR_OK;
    }
    enum err err = enter(parts, item, piece, list);
    if (err != ERR_OK) {
        return err == ERR_GONE ? ERR_OK : err; /* the item's done event has all of it */
    }
    struct str text;
    err = joiner_text(&item->joiner, walk_value(delta), parts->scratch, &text);
    if (err == ERR_OK) {
        err = add_text(parts, item, piece, list, text);
    }
    struct str tokens = walk_raw_value(walk_get(event, STR("logprobs")));
    bool has_tokens = list == RESPPART_TEXT && tokens.len > 2 && tokens.data[0] == '[';
    return err == ERR_OK && has_tokens
               ? send(parts, item, HUB_LOGPROBS, str_make(tokens.data + 1, tokens.len - 2))
               : err;
}

enum err
resppart_text(struct resppart *parts, struct walk event, enum resppart_list list, struct walk text)
{
    struct resppart_item *item = item_of(parts, event);
    if (item == NULL) {
        return ERR_FULL;
    }
    if (item->is_done || walk_kind(text) != JSON_STRING) {
        return ERR_OK;
    }
    return repair(parts, item, piece_of(parts, item, list, index_of(event, list)), list,
                  walk_string(text, parts->scratch));
}

/* --- citations --- */

static enum err
annotate(struct resppart *parts, struct resppart_item *item, struct walk source)
{
    if (item->part == 0 || item->kind != HUB_TEXT || walk_kind(source) != JSON_OBJECT) {
        return ERR_OK;
    }
    bool is_url = walk_is_text(walk_get(source, STR("type")), STR("url_citation"));
    struct hub_annotation annotation = {
        .kind = is_url ? HUB_CITE_URL : HUB_CITE_FILE,
        .url = text_of(parts, source, is_url ? "url" : "file_id"),
        .title = text_of(parts, source, is_url ? "title" : "filename"),
    };
    (void)walk_u64(walk_get(source, STR("start_index")), &annotation.start);
    (void)walk_u64(walk_get(source, STR("end_index")), &annotation.end);
    item->current->has_notes = true;
    struct hub_event event = {
        .kind = HUB_ANNOTATION, .part = item->part, .part_kind = HUB_TEXT, .annotation = &annotation
    };
    return annotation.url.len > 0 ? hub_emit(parts->source->sink, &event) : ERR_OK;
}

enum err
resppart_annotation(struct resppart *parts, struct walk event)
{
    struct resppart_item *item = item_of(parts, event);
    return item == NULL ? ERR_FULL : annotate(parts, item, walk_get(event, STR("annotation")));
}

/* --- whole content parts --- */

static enum err
finish_content(struct resppart *parts, struct resppart_item *item, struct walk content,
               uint64_t index, bool is_incomplete)
{
    bool is_refusal = walk_is_text(walk_get(content, STR("type")), STR("refusal"));
    if (!is_refusal && !walk_is_text(walk_get(content, STR("type")), STR("output_text"))) {
        return ERR_OK;
    }
    enum resppart_list list = is_refusal ? RESPPART_REFUSAL : RESPPART_TEXT;
    struct piece *piece = piece_of(parts, item, list, index);
    enum err err =
        repair(parts, item, piece, list, text_of(parts, content, is_refusal ? "refusal" : "text"));
    if (err != ERR_OK || piece->is_closed || item->current != piece) {
        return err;
    }
    struct walk notes = walk_get(content, STR("annotations"));
    bool is_told = piece->has_notes;
    for (struct walk at = walk_first(notes); walk_is_there(at) && !is_told && err == ERR_OK;
         at = walk_next(at)) {
        err = annotate(parts, item, at);
    }
    return err == ERR_OK ? close_part(parts, item, is_incomplete) : err;
}

enum err
resppart_content(struct resppart *parts, struct walk event)
{
    struct resppart_item *item = item_of(parts, event);
    if (item == NULL) {
        return ERR_FULL;
    }
    return item->is_done ? ERR_OK
                         : finish_content(parts, item, walk_get(event, STR("part")),
                                          index_of(event, RESPPART_TEXT), false);
}

/* --- items --- */

static enum err
open_call(struct resppart *parts, struct resppart_item *item, struct walk source, bool is_custom)
{
    char fresh[PLAN_ID_BYTES];
    struct hub_event event = { .part_kind = HUB_CALL };
    event.call.kind = is_custom ? HUB_CUSTOM : HUB_FUNCTION;
    event.call.name = text_of(parts, source, "name");
    event.call.id = text_of(parts, source, "call_id");
    bool is_last_word = walk_is_text(walk_get(source, STR("status")), STR("completed"));
    if (item->part != 0 || event.call.name.len == 0 || (event.call.id.len == 0 && !is_last_word)) {
        return ERR_OK;
    }
    if (event.call.id.len == 0) {
        event.call.id = plan_fresh_call(parts->source->plan, parts->call_count, fresh);
    }
    parts->call_count++;
    return open_part(parts, item, &event);
}

static struct hub_server
server_of(struct resppart *parts, struct walk source, struct str type)
{
    return (struct hub_server){ .kind = str_make(type.data, type.len - 5), /* _call */
                                .id = text_of(parts, source, "id"),
                                .input_json = walk_raw_value(walk_get(source, STR("action"))),
                                .home = DIALECT_RESPONSES,
                                .whole_json = walk_raw(source) };
}

static bool
is_server(struct str type)
{
    static const char *const types[] = { "web_search_call", "file_search_call",
                                         "code_interpreter_call", "mcp_call" };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (str_equal(type, str_of(types[i]))) {
            return true;
        }
    }
    return false;
}

static enum err
begin_item(struct resppart *parts, struct resppart_item *item, struct walk source)
{
    struct str type = text_of(parts, source, "type");
    struct arena *arena = parts->source->arena;
    if (item->id.len == 0) {
        item->id = arena_dup(arena, text_of(parts, source, "id"));
        item->phase = arena_dup(arena, text_of(parts, source, "phase"));
        if (item->id.data == NULL || item->phase.data == NULL) {
            return ERR_FULL;
        }
    }
    bool is_custom = str_equal(type, STR("custom_tool_call"));
    if (is_custom || str_equal(type, STR("function_call"))) {
        return open_call(parts, item, source, is_custom);
    }
    if (!is_server(type) || item->part != 0) {
        return ERR_OK;
    }
    struct hub_server server = server_of(parts, source, type);
    struct hub_event event = { .part_kind = HUB_SERVER_CALL, .server = &server };
    return open_part(parts, item, &event);
}

enum err
resppart_added(struct resppart *parts, struct walk event)
{
    struct resppart_item *item = NULL;
    uint64_t index;
    if (walk_u64(walk_get(event, STR("output_index")), &index)) {
        item = item_of(parts, event);
    } else {
        item = add_item(parts, parts->item_count);
    }
    return item == NULL ? ERR_FULL : begin_item(parts, item, walk_get(event, STR("item")));
}

static enum err
finish_message(struct resppart *parts, struct resppart_item *item, struct walk source,
               bool is_incomplete)
{
    enum err err = ERR_OK;
    uint64_t index = 0;
    struct walk content = walk_get(source, STR("content"));
    for (struct walk at = walk_first(content); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        err = finish_content(parts, item, at, index++, is_incomplete);
    }
    return err == ERR_OK ? close_part(parts, item, is_incomplete) : err;
}

static enum err
finish_segments(struct resppart *parts, struct resppart_item *item, struct walk segments,
                enum resppart_list list)
{
    enum err err = ERR_OK;
    uint64_t index = 0;
    for (struct walk at = walk_first(segments); walk_is_there(at) && err == ERR_OK;
         at = walk_next(at)) {
        struct piece *piece = piece_of(parts, item, list, index++);
        err = repair(parts, item, piece, list, text_of(parts, at, "text"));
    }
    return err;
}

/* The encrypted content of the done event is the valid one; its id is bound to it. */
static enum err
finish_reasoning(struct resppart *parts, struct resppart_item *item, struct walk source)
{
    struct walk summary = walk_get(source, STR("summary"));
    bool is_other = item->part != 0 && item->kind != HUB_REASONING;
    enum err err = is_other ? close_part(parts, item, false) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    err = finish_segments(parts, item, summary, RESPPART_SUMMARY);
    if (err == ERR_OK && walk_count(summary) == 0) {
        err = finish_segments(parts, item, walk_get(source, STR("content")), RESPPART_RAW);
    }
    struct hub_signature signature = { .family = HUB_FAMILY_OPENAI,
                                       .bytes = text_of(parts, source, "encrypted_content"),
                                       .id = text_of(parts, source, "id") };
    if (err == ERR_OK && signature.bytes.len > 0) {
        struct hub_event open = { .part_kind = HUB_REASONING, .visibility = HUB_SUMMARY };
        err = item->part == 0 ? open_part(parts, item, &open) : flush(parts, item);
        struct hub_event event = { .kind = HUB_SIGNATURE,
                                   .part = item->part,
                                   .part_kind = HUB_REASONING,
                                   .signature = &signature };
        err = err == ERR_OK ? hub_emit(parts->source->sink, &event) : err;
    }
    return err == ERR_OK ? close_part(parts, item, false) : err;
}

static enum err
finish_call(struct resppart *parts, struct resppart_item *item, struct walk source,
            bool is_incomplete)
{
    struct walk text = walk_get(source, STR("arguments"));
    text = walk_is_there(text) ? text : walk_get(source, STR("input"));
    struct piece *piece = piece_of(parts, item, RESPPART_ARGS, 0);
    enum err err = repair(parts, item, piece, RESPPART_ARGS,
                          walk_kind(text) == JSON_STRING ? walk_string(text, parts->scratch)
                                                         : walk_raw_value(text));
    return err == ERR_OK ? close_part(parts, item, is_incomplete) : err;
}

static enum err
finish_server(struct resppart *parts, struct resppart_item *item, struct walk source,
              struct str type)
{
    struct hub_server server = server_of(parts, source, type);
    struct hub_event event = {
        .kind = HUB_SERVER_DONE, .part = item->part, .part_kind = HUB_SERVER_CALL, .server = &server
    };
    enum err err = hub_emit(parts->source->sink, &event);
    return err == ERR_OK ? close_part(parts, item, false) : err;
}

static enum err
finish_image(struct resppart *parts, struct resppart_item *item, struct walk source)
{
    struct hub_media media = { .source = HUB_BASE64 };
    struct str data = text_of(parts, source, "result");
    if (data.len == 0 || media_from_base64(data, STR(""), parts->scratch, &media) != ERR_OK) {
        return ERR_OK;
    }
    struct hub_event open = { .part_kind = HUB_IMAGE };
    enum err err = close_part(parts, item, false);
    err = err == ERR_OK ? open_part(parts, item, &open) : err;
    struct hub_event event = {
        .kind = HUB_MEDIA, .part = item->part, .part_kind = HUB_IMAGE, .media = &media
    };
    err = err == ERR_OK ? hub_emit(parts->source->sink, &event) : err;
    return err == ERR_OK ? close_part(parts, item, false) : err;
}

static enum err
finish_item(struct resppart *parts, struct resppart_item *item, struct walk source)
{
    if (item->is_done) {
        return ERR_OK;
    }
    enum err err = begin_item(parts, item, source);
    if (err != ERR_OK) {
        return err;
    }
    struct str type = text_of(parts, source, "type");
    bool is_incomplete = walk_is_text(walk_get(source, STR("status")), STR("incomplete"));
    if (str_equal(type, STR("message"))) {
        err = finish_message(parts, item, source, is_incomplete);
    } else if (str_equal(type, STR("reasoning"))) {
        err = finish_reasoning(parts, item, source);
    } else if (item->part != 0 && item->kind == HUB_CALL) {
        err = finish_call(parts, item, source, is_incomplete);
    } else if (item->part != 0 && item->kind == HUB_SERVER_CALL) {
        err = finish_server(parts, item, source, type);
    } else if (str_equal(type, STR("image_generation_call"))) {
        err = finish_image(parts, item, source);
    }
    item->is_done = true;
    return err;
}

enum err
resppart_done(struct resppart *parts, struct walk event)
{
    struct walk source = walk_get(event, STR("item"));
    struct str id = text_of(parts, source, "id");
    struct resppart_item *item = NULL;
    uint64_t index;
    bool has_index = walk_u64(walk_get(event, STR("output_index")), &index);
    for (struct resppart_item *at = parts->items; at != NULL && !has_index; at = at->next) {
        item = id.len > 0 && str_equal(id, at->id) ? at : item;
    }
    if (item == NULL) {
        item = has_index ? item_of(parts, event) : add_item(parts, parts->item_count);
    }
    return item == NULL ? ERR_FULL : finish_item(parts, item, source);
}

enum err
resppart_whole(struct resppart *parts, struct walk source, uint64_t output_index)
{
    struct resppart_item *item = add_item(parts, output_index);
    return item == NULL ? ERR_FULL : finish_item(parts, item, source);
}

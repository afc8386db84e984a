/*
 * anthblock.c - content blocks, read (see anthblock.h).
 */
#include "proto/anthblock.h"

#include "base/check.h"
#include "proto/carrier.h"
#include "proto/media.h"

struct in {
    struct hub_request *request;
    struct arena *arena;
    const char *where;
    struct hub_problem *problem;
};

static struct str
text_of(const struct in *in, struct walk at, const char *name)
{
    return walk_string(walk_get(at, str_of(name)), in->arena);
}

enum hub_cache
anthblock_cache(struct walk holder)
{
    struct walk mark = walk_get(holder, STR("cache_control"));
    if (walk_kind(mark) != JSON_OBJECT) {
        return HUB_CACHE_NONE;
    }
    return walk_is_text(walk_get(mark, STR("ttl")), STR("1h")) ? HUB_CACHE_1H : HUB_CACHE_5M;
}

/* --- sources of images and documents --- */

/* Blocks inside a document: their texts. */
static enum err
inner_text(const struct in *in, struct walk content, struct str *out)
{
    if (walk_kind(content) == JSON_STRING) {
        return walk_text(content, in->arena, out) ? ERR_OK : ERR_FULL;
    }
    struct hub_segment *segments = NULL;
    for (struct walk at = walk_first(content); walk_is_there(at); at = walk_next(at)) {
        struct str text = text_of(in, at, "text");
        if (text.len > 0 && !hub_segment_to(in->arena, &segments, text)) {
            return ERR_FULL;
        }
    }
    return hub_join_segments(in->arena, segments, STR("\n"), out);
}

static enum err
read_source(const struct in *in, struct walk source, struct hub_media *media)
{
    struct walk type = walk_get(source, STR("type"));
    struct str data = text_of(in, source, "data");
    if (walk_is_text(type, STR("base64"))) {
        return media_from_base64(data, text_of(in, source, "media_type"), in->arena, media);
    }
    if (walk_is_text(type, STR("url"))) {
        return media_from_url(text_of(in, source, "url"), in->arena, media);
    }
    if (walk_is_text(type, STR("file"))) {
        *media = (struct hub_media){ .source = HUB_FILE_ID,
                                     .reference = text_of(in, source, "file_id"),
                                     .home = DIALECT_ANTHROPIC };
        return ERR_OK;
    }
    if (walk_is_text(type, STR("text"))) {
        *media = (struct hub_media){ .source = HUB_PLAIN, .mime = STR("text/plain"), .data = data };
        return ERR_OK;
    }
    if (walk_is_text(type, STR("content"))) {
        *media = (struct hub_media){ .source = HUB_PLAIN, .mime = STR("text/plain") };
        return inner_text(in, walk_get(source, STR("content")), &media->data);
    }
    return ERR_BAD;
}

/* --- results of tools that ran at Anthropic --- */

/* What a model of another provider can read of it: titles with links, texts. */
static enum err
server_text(const struct in *in, struct walk content, struct str *out)
{
    struct hub_segment *segments = NULL;
    *out = str_make(NULL, 0);
    for (struct walk at = walk_first(content); walk_is_there(at); at = walk_next(at)) {
        struct str title = text_of(in, at, "title");
        struct str url = text_of(in, at, "url");
        struct str line = url.len > 0
                              ? arena_printf(in->arena, "%.*s %.*s", STR_ARG(title), STR_ARG(url))
                              : text_of(in, at, "text");
        if (line.len > 0 && !hub_segment_to(in->arena, &segments, line)) {
            return ERR_FULL;
        }
    }
    if (walk_kind(content) == JSON_OBJECT) {
        struct str output = text_of(in, content, "stdout");
        if (output.len > 0 && !hub_segment_to(in->arena, &segments, output)) {
            return ERR_FULL;
        }
    }
    return hub_join_segments(in->arena, segments, STR("\n"), out);
}

static enum err
read_server(const struct in *in, struct walk block, struct str type, struct hub_part *part)
{
    part->server.home = DIALECT_ANTHROPIC;
    part->server.whole_json = walk_raw(block);
    if (str_equal(type, STR("server_tool_use"))) {
        part->kind = HUB_SERVER_CALL;
        part->server.kind = text_of(in, block, "name");
        part->server.id = text_of(in, block, "id");
        part->server.input_json = walk_raw_value(walk_get(block, STR("input")));
        return ERR_OK;
    }
    struct walk content = walk_get(block, STR("content"));
    part->kind = HUB_SERVER_RESULT;
    part->server.kind = str_make(type.data, type.len - (sizeof "_tool_result" - 1));
    part->server.id = text_of(in, block, "tool_use_id");
    part->server.output_json = walk_raw_value(content);
    return server_text(in, content, &part->server.text);
}

/* --- blocks --- */

static enum err
read_thinking(const struct in *in, struct walk block, struct str type, struct hub_part *part)
{
    part->kind = HUB_REASONING;
    bool is_redacted = str_equal(type, STR("redacted_thinking"));
    struct str text = text_of(in, block, "thinking");
    if (text.len > 0 && !hub_segment_to(in->arena, &part->reasoning.segments, text)) {
        return ERR_FULL;
    }
    return carrier_restore(
        in->request->carrier, is_redacted ? HUB_FAMILY_ANTHROPIC_REDACTED : HUB_FAMILY_ANTHROPIC,
        text_of(in, block, is_redacted ? "data" : "signature"), in->arena, &part->reasoning);
}

static enum err
read_result(const struct in *in, struct walk block, struct hub_part *part)
{
    part->kind = HUB_RESULT;
    part->result.call_id = text_of(in, block, "tool_use_id");
    part->result.is_error = walk_is_true(walk_get(block, STR("is_error")));
    return anthblock_read(in->request, walk_get(block, STR("content")), &part->result.parts,
                          in->where, in->problem);
}

static enum err
read_passage(const struct in *in, struct walk block, struct hub_part *part)
{
    part->kind = HUB_SEARCH_RESULT;
    part->title = text_of(in, block, "title");
    part->source = text_of(in, block, "source");
    return inner_text(in, walk_get(block, STR("content")), &part->text);
}

static enum err
read_file(const struct in *in, struct walk block, struct str type, struct hub_part *part)
{
    part->kind = str_equal(type, STR("image")) ? HUB_IMAGE : HUB_DOCUMENT;
    enum err err = read_source(in, walk_get(block, STR("source")), &part->media);
    part->media.filename = text_of(in, block, "title");
    part->media.context = text_of(in, block, "context");
    return err;
}

static void
read_call(const struct in *in, struct walk block, struct hub_part *part)
{
    part->kind = HUB_CALL;
    part->call.id = text_of(in, block, "id");
    part->call.name = text_of(in, block, "name");
    part->call.arguments = walk_raw_value(walk_get(block, STR("input")));
}

/* ERR_GONE: a kind nobody knows. */
static enum err
read_block(const struct in *in, struct walk block, struct hub_part *part)
{
    struct str type = text_of(in, block, "type");
    if (str_equal(type, STR("text"))) {
        part->text = text_of(in, block, "text");
        return ERR_OK;
    }
    if (str_equal(type, STR("image")) || str_equal(type, STR("document"))) {
        return read_file(in, block, type, part);
    }
    if (str_equal(type, STR("thinking")) || str_equal(type, STR("redacted_thinking"))) {
        return read_thinking(in, block, type, part);
    }
    if (str_equal(type, STR("tool_use"))) {
        read_call(in, block, part);
        return part->call.name.len > 0 ? ERR_OK : ERR_BAD;
    }
    if (str_equal(type, STR("tool_result"))) {
        return read_result(in, block, part);
    }
    if (str_equal(type, STR("search_result"))) {
        return read_passage(in, block, part);
    }
    if (str_equal(type, STR("tool_reference"))) {
        part->text = text_of(in, block, "tool_name"); /* the tool is loaded anyway */
        return ERR_OK;
    }
    bool is_server = str_equal(type, STR("server_tool_use")) ||
                     (str_ends(type, STR("_tool_result")) && type.len > sizeof "_tool_result");
    return is_server ? read_server(in, block, type, part) : ERR_GONE;
}

static enum err
read_blocks(const struct in *in, struct walk content, struct hub_part **list)
{
    uint32_t index = 0;
    for (struct walk block = walk_first(content); walk_is_there(block); block = walk_next(block)) {
        struct hub_part *part = hub_part_to(in->arena, list, HUB_TEXT);
        if (part == NULL) {
            return ERR_FULL;
        }
        part->index = index++;
        part->cache = anthblock_cache(block);
        enum err err = read_block(in, block, part);
        if (err == ERR_GONE) {
            return hub_reject(in->problem, "this kind of content cannot be translated",
                              "%s.content[%u]", in->where, part->index);
        }
        if (err == ERR_BAD && in->problem->status == 0) {
            return hub_refuse(in->problem, "the content block is malformed", "%s.content[%u]",
                              in->where, part->index);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

enum err
anthblock_read(struct hub_request *request, struct walk content, struct hub_part **list,
               const char *where, struct hub_problem *problem)
{
    struct in in = { request, request->arena, where, problem };
    if (walk_kind(content) == JSON_STRING) {
        struct str text;
        if (!walk_text(content, request->arena, &text)) {
            return ERR_FULL;
        }
        return hub_text_to(request->arena, list, text) == NULL ? ERR_FULL : ERR_OK;
    }
    if (walk_kind(content) == JSON_ARRAY) {
        return read_blocks(&in, content, list);
    }
    return walk_is_value(content)
               ? hub_refuse(problem, "must be a text or a list of blocks", "%s.content", where)
               : ERR_OK;
}

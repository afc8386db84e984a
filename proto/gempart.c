/*
 * gempart.c - parts of a Gemini request (see gempart.h).
 */
#include "proto/gempart.h"

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
text_of(const struct in *in, struct walk at, const char *camel)
{
    return walk_string(walk_get_camel(at, str_of(camel)), in->arena);
}

/* A thought, or plain text; either may be signed. */
static enum err
read_text(const struct in *in, struct walk source, struct hub_part *part)
{
    struct str text = text_of(in, source, "text");
    struct str signature = text_of(in, source, "thoughtSignature");
    if (!walk_is_true(walk_get(source, STR("thought")))) {
        part->text = text;
        return carrier_open(in->request->carrier, HUB_FAMILY_GEMINI, signature, in->arena,
                            &part->signature);
    }
    part->kind = HUB_REASONING;
    if (text.len > 0 && !hub_segment_to(in->arena, &part->reasoning.segments, text)) {
        return ERR_FULL;
    }
    return carrier_restore(in->request->carrier, HUB_FAMILY_GEMINI, signature, in->arena,
                           &part->reasoning);
}

/* Text in base64 is text to everybody else. */
static enum err
settle_text(const struct in *in, struct hub_part *part)
{
    bool is_text = str_starts(part->media.mime, STR("text/")) ||
                   str_equal(part->media.mime, STR("application/json"));
    if (!is_text) {
        return ERR_OK;
    }
    part->media.source = HUB_PLAIN;
    return media_decode(part->media.data, in->arena, &part->media.data);
}

static enum err
read_inline(const struct in *in, struct walk data, struct hub_part *part)
{
    enum err err = media_from_base64(text_of(in, data, "data"), text_of(in, data, "mimeType"),
                                     in->arena, &part->media);
    part->kind = media_kind(part->media.mime);
    part->media.filename = text_of(in, data, "displayName");
    return err == ERR_OK ? settle_text(in, part) : err;
}

static enum err
read_file(const struct in *in, struct walk data, struct hub_part *part)
{
    struct str uri = text_of(in, data, "fileUri");
    struct str mime = text_of(in, data, "mimeType");
    bool is_theirs = str_starts(uri, STR("https://generativelanguage.googleapis.com/")) ||
                     str_starts(uri, STR("gs://"));
    bool is_video = str_starts(uri, STR("https://www.youtube.com/")) ||
                    str_starts(uri, STR("https://youtu.be/"));
    part->media = (struct hub_media){ .source = is_theirs ? HUB_FILE_ID : HUB_URL,
                                      .mime = mime,
                                      .reference = uri,
                                      .home = DIALECT_GEMINI };
    part->kind = is_video ? HUB_VIDEO : mime.len > 0 ? media_kind(mime) : HUB_DOCUMENT;
    return uri.len > 0 ? ERR_OK : ERR_BAD;
}

static enum err
read_call(const struct in *in, struct walk source, struct walk call, struct hub_part *part)
{
    part->kind = HUB_CALL;
    part->call.id = text_of(in, call, "id");
    part->call.name = text_of(in, call, "name");
    part->call.arguments = walk_raw_value(walk_get(call, STR("args")));
    if (part->call.name.len == 0) {
        return ERR_BAD;
    }
    return carrier_open(in->request->carrier, HUB_FAMILY_GEMINI,
                        text_of(in, source, "thoughtSignature"), in->arena, &part->call.signature);
}

/* {"output": "text"} and its like is the text; {"error": ...} is an error; anything else is JSON.
 */
static enum err
read_response(const struct in *in, struct walk response, struct hub_result *result)
{
    static const char *const names[] = { "output", "result", "content", "error" };
    struct str text = walk_raw_value(response);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct walk only = walk_get(response, str_of(names[i]));
        bool is_error = i == 3;
        if (walk_count(response) != 1 || !walk_is_there(only)) {
            continue;
        }
        if (walk_kind(only) == JSON_STRING) {
            text = walk_string(only, in->arena);
            result->is_error = is_error;
        } else if (is_error) {
            text = walk_raw(only);
            result->is_error = true;
        }
    }
    if (text.len == 0) {
        return ERR_OK;
    }
    return hub_text_to(in->arena, &result->parts, text) == NULL ? ERR_FULL : ERR_OK;
}

static enum err
read_result(const struct in *in, struct walk source, struct hub_part *part)
{
    part->kind = HUB_RESULT;
    part->result.call_id = text_of(in, source, "id");
    part->result.name = text_of(in, source, "name");
    enum err err = read_response(in, walk_get(source, STR("response")), &part->result);
    struct walk parts = walk_get(source, STR("parts"));
    return err == ERR_OK && walk_is_value(parts)
               ? gempart_read(in->request, parts, &part->result.parts, in->where, in->problem)
               : err;
}

/* Code that ran at Google, as text. */
static enum err
read_code(const struct in *in, struct walk code, struct walk result, struct hub_part *part)
{
    part->text = walk_is_value(code) ? arena_printf(in->arena, "```%.*s\n%.*s\n```",
                                                    STR_ARG(text_of(in, code, "language")),
                                                    STR_ARG(text_of(in, code, "code")))
                                     : text_of(in, result, "output");
    return walk_is_value(code) && part->text.data == NULL ? ERR_FULL : ERR_OK;
}

/* ERR_GONE: a kind nobody knows. */
static enum err
read_part(const struct in *in, struct walk source, struct hub_part *part)
{
    struct walk inline_data = walk_get_camel(source, STR("inlineData"));
    struct walk file = walk_get_camel(source, STR("fileData"));
    struct walk call = walk_get_camel(source, STR("functionCall"));
    struct walk response = walk_get_camel(source, STR("functionResponse"));
    struct walk code = walk_get_camel(source, STR("executableCode"));
    struct walk ran = walk_get_camel(source, STR("codeExecutionResult"));
    if (walk_is_value(call)) {
        return read_call(in, source, call, part);
    }
    if (walk_is_value(response)) {
        return read_result(in, response, part);
    }
    if (walk_is_value(inline_data)) {
        return read_inline(in, inline_data, part);
    }
    if (walk_is_value(file)) {
        return read_file(in, file, part);
    }
    if (walk_is_value(code) || walk_is_value(ran)) {
        return read_code(in, code, ran, part);
    }
    bool is_signature = walk_is_value(walk_get_camel(source, STR("thoughtSignature")));
    bool is_text = walk_kind(walk_get(source, STR("text"))) == JSON_STRING;
    return is_text || is_signature ? read_text(in, source, part) : ERR_GONE;
}

enum err
gempart_read(struct hub_request *request, struct walk parts, struct hub_part **list,
             const char *where, struct hub_problem *problem)
{
    struct in in = { request, request->arena, where, problem };
    uint32_t index = 0;
    for (struct walk at = walk_first(parts); walk_is_there(at); at = walk_next(at)) {
        struct hub_part *part = hub_part_to(request->arena, list, HUB_TEXT);
        if (part == NULL) {
            return ERR_FULL;
        }
        part->index = index++;
        enum err err = read_part(&in, at, part);
        if (err == ERR_GONE) {
            return hub_reject(problem, "this kind of part cannot be translated", "%s.parts[%u]",
                              where, part->index);
        }
        if (err == ERR_BAD && problem->status == 0) {
            return hub_refuse(problem, "the part is malformed", "%s.parts[%u]", where, part->index);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

/*
 * request.c - vectors of kind request.
 */
#include "tests/tools/vector.h"

#include <string.h>

#include "base/jsonw.h"
#include "proto/endpoint.h"
#include "proto/media.h"

/* A client's request as it comes in: Gemini's facts stand in the path. */
static void
read_path(struct vector *vector, struct translate_setup *setup)
{
    struct str path = walk_string(walk_get(vector->input, STR("path")), &vector->arena);
    struct str query = path;
    struct str bare = str_cut(&query, '?');
    struct endpoint_hit hit;
    if (endpoint_match(STR("POST"), bare, &hit) != ENDPOINT_FOUND) {
        vector_die("the path is no endpoint");
    }
    setup->stream = hit.endpoint == ENDPOINT_GEMINI_STREAM;
    setup->is_count = hit.endpoint == ENDPOINT_GEMINI_COUNT ||
                      hit.endpoint == ENDPOINT_COUNT_TOKENS ||
                      hit.endpoint == ENDPOINT_RESPONSES_INPUT_TOKENS;
    setup->is_array = setup->stream &&
                      memmem(query.data == NULL ? "" : query.data, query.len, "alt=sse", 7) == NULL;
    if (hit.model.len > 0) {
        char *model = arena_alloc(&vector->arena, hit.model.len + 1);
        size_t len = 0;
        if (model == NULL ||
            endpoint_model_decode(hit.model, model, hit.model.len + 1, &len) != ERR_OK) {
            vector_die("the path's model is malformed");
        }
        setup->model = str_make(model, len);
    }
}

/* What the group's mapping makes of the client's model. */
static struct str
map_model(struct vector *vector, struct str model)
{
    struct walk mapped = walk_get(walk_get(vector->context, STR("model_map")), model);
    return walk_is_there(mapped) ? walk_string(mapped, &vector->arena) : model;
}

/* Under whatever name the fixture calls it. */
static struct str
one_of(struct vector *vector, struct walk at, const char *const *names)
{
    for (; *names != NULL; names++) {
        struct walk found = walk_get(at, str_of(*names));
        if (walk_is_there(found)) {
            return walk_string(found, &vector->arena);
        }
    }
    return str_make(NULL, 0);
}

/* Remote media out of context.fetch, as the worker would fetch them. */
static void
fetch(struct vector *vector, struct translate *translate, const struct hub_target *target)
{
    static const char *const types[] = { "mime",         "mime_type",    "mimeType", "media_type",
                                         "content_type", "content-type", "type",     NULL };
    static const char *const datas[] = { "b64",   "base64",   "data",    "body_b64", "body",
                                         "bytes", "data_b64", "content", NULL };
    struct walk fixture = walk_get(vector->context, STR("fetch"));
    struct str url;
    for (uint32_t skip = 0; translate_remote(translate, target, skip, &url);) {
        struct walk entry = walk_get(fixture, url);
        struct str data = walk_kind(entry) == JSON_STRING ? walk_string(entry, &vector->arena)
                                                          : one_of(vector, entry, datas);
        struct hub_media media = { .source = HUB_BASE64 };
        struct str bytes;
        bool is_data_url = str_starts(data, STR("data:"));
        if (is_data_url && media_from_url(data, &vector->arena, &media) == ERR_OK) {
            data = media.data;
        }
        if (!walk_is_value(entry) || media_decode(data, &vector->arena, &bytes) != ERR_OK) {
            skip++;
            continue;
        }
        struct str mime = media.mime.len > 0 ? media.mime : one_of(vector, entry, types);
        if (translate_supply(translate, url, mime, bytes) != ERR_OK) {
            vector_die("fetched media do not fit");
        }
    }
}

static void
encode(struct vector *vector, struct translate *translate, bool stream)
{
    const struct hub_request *request = translate_request(translate);
    struct hub_target target = {
        .dialect = vector->to,
        .model = map_model(vector, request->shape.model),
        .caps = &vector->caps,
        .stream = stream,
        .instructions = walk_string(walk_get(vector->context, STR("instructions")), &vector->arena),
        .single_call = walk_is_true(walk_get(vector->context, STR("enforce_single_call"))),
    };
    fetch(vector, translate, &target);
    struct hub_problem problem;
    enum err err = translate_encode(translate, &target, &vector->out, &problem);
    if (err == ERR_BAD) {
        buf_clear(&vector->out);
        output_problem(vector, vector->from, &problem);
    } else if (err != ERR_OK) {
        vector_die("encoding: %s", err_text(err));
    }
}

void
request_run(struct vector *vector)
{
    vector_caps(vector, vector->to);
    struct translate_setup setup = vector_setup(vector, vector->from);
    struct walk raw = walk_get(vector->input, STR("raw"));
    struct walk body = walk_get(vector->input, STR("body"));
    setup.body = vector_text(vector, vector->input);
    if (walk_is_there(raw)) {
        setup.body = walk_string(raw, &vector->arena);
    } else if (walk_is_there(walk_get(vector->input, STR("path")))) {
        setup.body = vector_text(vector, body);
        read_path(vector, &setup);
    }
    setup.is_count = setup.is_count ||
                     walk_is_text(walk_get(vector->context, STR("endpoint")), STR("count_tokens"));
    struct walk shape = walk_get(vector->context, STR("client_request"));
    if (walk_is_text(walk_get(shape, STR("method")), STR("streamGenerateContent"))) {
        setup.stream = true;
    }
    struct translate *translate;
    struct hub_problem problem;
    enum err err = translate_open(&vector->arena, &setup, &translate, &problem);
    if (err == ERR_BAD) {
        output_problem(vector, vector->from, &problem);
        return;
    }
    if (err != ERR_OK) {
        vector_die("decoding: %s", err_text(err));
    }
    encode(vector, translate, translate_request(translate)->shape.stream);
    translate_close(translate);
}

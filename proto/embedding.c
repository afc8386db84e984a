/*
 * embedding.c - embeddings between OpenAI and Gemini (see embedding.h).
 */
#include "proto/embedding.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/jsonw.h"
#include "proto/estimate.h"
#include "proto/media.h"
#include "proto/walk.h"

/* --- requests --- */

static void
put_gemini_input(struct jsonw *w, struct str model, struct str text, struct walk dimensions)
{
    jsonw_object(w);
    jsonw_put_str(w, "model", model);
    jsonw_name(w, "content");
    jsonw_object(w);
    jsonw_name(w, "parts");
    jsonw_array(w);
    jsonw_object(w);
    jsonw_put_str(w, "text", text);
    jsonw_close(w);
    jsonw_close(w);
    jsonw_close(w);
    if (walk_kind(dimensions) == JSON_NUMBER) {
        jsonw_name(w, "outputDimensionality");
        jsonw_raw(w, walk_raw(dimensions));
    }
    jsonw_close(w);
}

static void
count(struct embedding *embedding, struct str text)
{
    embedding->inputs++;
    embedding->input_tokens += estimate_tokens(text);
}

enum err
embedding_to_gemini(struct str body, struct str model, struct arena *arena, struct buf *to,
                    struct embedding *embedding, struct hub_problem *problem)
{
    struct walk root;
    enum err err = walk_parse(body, arena, &root);
    if (err != ERR_OK) {
        return err == ERR_FULL ? err : hub_refuse(problem, "the body is no JSON object", "%s", "");
    }
    struct walk input = walk_get(root, STR("input"));
    struct walk dimensions = walk_get(root, STR("dimensions"));
    *embedding = (struct embedding){
        .is_base64 = walk_is_text(walk_get(root, STR("encoding_format")), STR("base64")),
        .is_batch = true,
    };
    struct str name = arena_printf(arena, "models/%.*s", STR_ARG(model));
    struct jsonw w;
    jsonw_begin(&w, to);
    jsonw_object(&w);
    jsonw_name(&w, "requests");
    jsonw_array(&w);
    struct walk at = walk_kind(input) == JSON_STRING ? input : walk_first(input);
    for (; walk_is_there(at); at = walk_next(at)) {
        struct str text;
        if (!walk_text(at, arena, &text)) {
            return hub_reject(problem, "the upstream takes texts, not tokens", "input");
        }
        count(embedding, text);
        put_gemini_input(&w, name, text, dimensions);
        if (walk_kind(input) == JSON_STRING) {
            break;
        }
    }
    jsonw_close(&w);
    jsonw_close(&w);
    if (embedding->inputs == 0) {
        return hub_refuse(problem, "must be a text or a list of texts", "input");
    }
    return jsonw_end(&w);
}

/* All texts of a content. */
static enum err
content_text(struct walk content, struct arena *arena, struct str *out)
{
    struct hub_segment *segments = NULL;
    struct walk parts = walk_get(content, STR("parts"));
    for (struct walk at = walk_first(parts); walk_is_there(at); at = walk_next(at)) {
        if (!hub_segment_to(arena, &segments, walk_string(walk_get(at, STR("text")), arena))) {
            return ERR_FULL;
        }
    }
    return hub_join_segments(arena, segments, STR("\n"), out);
}

enum err
embedding_to_chat(struct str body, struct str model, bool is_batch, struct arena *arena,
                  struct buf *to, struct embedding *embedding, struct hub_problem *problem)
{
    struct walk root;
    enum err err = walk_parse(body, arena, &root);
    if (err != ERR_OK) {
        return err == ERR_FULL ? err : hub_refuse(problem, "the body is no JSON object", "%s", "");
    }
    *embedding = (struct embedding){ .is_batch = is_batch };
    struct walk first = is_batch ? walk_first(walk_get(root, STR("requests"))) : root;
    struct walk dimensions = walk_get_camel(first, STR("outputDimensionality"));
    struct jsonw w;
    jsonw_begin(&w, to);
    jsonw_object(&w);
    jsonw_put_str(&w, "model", model);
    jsonw_name(&w, "input");
    if (is_batch) {
        jsonw_array(&w);
    }
    for (struct walk at = first; walk_is_there(at) && err == ERR_OK;
         at = is_batch ? walk_next(at) : (struct walk){ .doc = NULL }) {
        struct str text;
        err = content_text(walk_get(at, STR("content")), arena, &text);
        if (err == ERR_OK && text.len == 0) {
            return hub_refuse(problem, "must have parts with a text", "content");
        }
        count(embedding, text);
        jsonw_str(&w, text);
    }
    if (is_batch) {
        jsonw_close(&w);
    }
    if (walk_kind(dimensions) == JSON_NUMBER) {
        jsonw_name(&w, "dimensions");
        jsonw_raw(&w, walk_raw(dimensions));
    }
    jsonw_close(&w);
    if (err == ERR_OK && embedding->inputs == 0) {
        return hub_refuse(problem, "must have at least one element", "requests");
    }
    return err == ERR_OK ? jsonw_end(&w) : err;
}

/* --- answers --- */

/* Little-endian 32-bit floats in base64, as OpenAI packs them. */
static enum err
put_packed(struct jsonw *w, struct walk values, struct arena *arena)
{
    size_t bytes = (size_t)walk_count(values) * 4;
    char *packed = arena_alloc_raw(arena, bytes + 1);
    if (packed == NULL) {
        return ERR_FULL;
    }
    size_t len = 0;
    for (struct walk at = walk_first(values); walk_is_there(at); at = walk_next(at)) {
        char text[64];
        float number = 0;
        if (str_copy(text, sizeof text, walk_raw(at))) {
            number = strtof(text, NULL);
        }
        uint32_t word;
        memcpy(&word, &number, sizeof word);
        for (int i = 0; i < 4; i++) {
            packed[len++] = (char)(word >> (8 * i) & 0xff);
        }
    }
    struct str encoded;
    enum err err = media_encode(str_make(packed, len), arena, &encoded);
    jsonw_str(w, encoded);
    return err;
}

static enum err
put_vector(const struct embedding *embedding, struct jsonw *w, struct walk values, uint32_t index,
           struct arena *arena)
{
    enum err err = ERR_OK;
    jsonw_object(w);
    jsonw_put_text(w, "object", "embedding");
    jsonw_put_u64(w, "index", index);
    jsonw_name(w, "embedding");
    if (embedding->is_base64) {
        err = put_packed(w, values, arena);
    } else {
        jsonw_raw(w, walk_raw(values));
    }
    jsonw_close(w);
    return err;
}

enum err
embedding_answer_to_chat(const struct embedding *embedding, struct str body, struct str model,
                         struct arena *arena, struct buf *to)
{
    struct walk root;
    enum err err = walk_parse(body, arena, &root);
    struct walk list = walk_get(root, STR("embeddings"));
    struct walk only = walk_get(root, STR("embedding"));
    bool is_one = walk_kind(only) == JSON_OBJECT;
    if (err != ERR_OK || (!is_one && walk_kind(list) != JSON_ARRAY)) {
        return err == ERR_FULL ? err : ERR_BAD;
    }
    struct jsonw w;
    jsonw_begin(&w, to);
    jsonw_object(&w);
    jsonw_put_text(&w, "object", "list");
    jsonw_name(&w, "data");
    jsonw_array(&w);
    uint32_t index = 0;
    for (struct walk at = is_one ? only : walk_first(list); walk_is_there(at) && err == ERR_OK;
         at = is_one ? (struct walk){ .doc = NULL } : walk_next(at)) {
        struct walk values = walk_get(at, STR("values"));
        err = walk_kind(values) == JSON_ARRAY ? put_vector(embedding, &w, values, index++, arena)
                                              : ERR_BAD;
    }
    jsonw_close(&w);
    jsonw_put_str(&w, "model", model);
    jsonw_name(&w, "usage");
    jsonw_object(&w);
    jsonw_put_u64(&w, "prompt_tokens", embedding->input_tokens);
    jsonw_put_u64(&w, "total_tokens", embedding->input_tokens);
    jsonw_close(&w);
    jsonw_close(&w);
    return err == ERR_OK ? jsonw_end(&w) : err;
}

enum err
embedding_answer_to_gemini(const struct embedding *embedding, struct str body, struct arena *arena,
                           struct buf *to)
{
    struct walk root;
    enum err err = walk_parse(body, arena, &root);
    struct walk list = walk_get(root, STR("data"));
    if (err != ERR_OK || walk_count(list) == 0) {
        return err == ERR_FULL ? err : ERR_BAD;
    }
    struct jsonw w;
    jsonw_begin(&w, to);
    jsonw_object(&w);
    jsonw_name(&w, embedding->is_batch ? "embeddings" : "embedding");
    if (embedding->is_batch) {
        jsonw_array(&w);
    }
    for (struct walk at = walk_first(list); walk_is_there(at); at = walk_next(at)) {
        struct walk values = walk_get(at, STR("embedding"));
        if (walk_kind(values) != JSON_ARRAY) {
            return ERR_BAD; /* never asked for packed ones */
        }
        jsonw_object(&w);
        jsonw_name(&w, "values");
        jsonw_raw(&w, walk_raw(values));
        jsonw_close(&w);
        if (!embedding->is_batch) {
            break;
        }
    }
    if (embedding->is_batch) {
        jsonw_close(&w);
    }
    jsonw_close(&w);
    return jsonw_end(&w);
}

/* fakeother.c - see fakeother.h. */
#include "tests/fake/fakeother.h"

#include "tests/fake/fakejson.h"

#include <string.h>

#define DIMENSIONS_DEFAULT 16u
#define DIMENSIONS_MAX 4096u

/* One transparent pixel. */
static const char png_base64[] =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAC"
    "hwGA60e6kgAAAABJRU5ErkJggg==";

bool
fakeother_streams(enum fakeop op)
{
    return op == FAKEOP_COMPLETION || op == FAKEOP_IMAGE || op == FAKEOP_TRANSCRIPT;
}

static void
put_chat_usage(const struct fakereply *r, struct fakebuf *out)
{
    uint64_t in = (uint64_t)r->plan.in;
    uint64_t outs = (uint64_t)r->plan.out;
    fakebuf_add(out, "{'prompt_tokens':%u,'completion_tokens':%u,'total_tokens':%u}", in, outs,
                in + outs);
}

static void
put_token_usage(const struct fakereply *r, struct fakebuf *out)
{
    uint64_t in = (uint64_t)r->plan.in;
    uint64_t outs = (uint64_t)r->plan.out;
    fakebuf_add(out,
                "{'type':'tokens','input_tokens':%u,'output_tokens':%u,'total_tokens':%u,"
                "'input_tokens_details':{'text_tokens':%u,'image_tokens':0}}",
                in, outs, in + outs, in);
}

static void
completion_chunk(const struct fakereply *r, struct fakespan piece, const char *finish,
                 struct fakebuf *out)
{
    fakebuf_add(out,
                "data: {'id':'cmpl-%x','object':'text_completion','created':" FAKEREPLY_TIME
                ",'model':%j,'choices':[{'text':%j,'index':0,'logprobs':null,'finish_reason':%s}]",
                r->id, r->model, strlen(r->model), piece.p, piece.n, finish);
    fakebuf_add(out, r->include_usage ? ",'usage':null}\n\n" : "}\n\n");
}

static void
completion_step(const struct fakereply *r, uint64_t step, struct fakespan piece,
                struct fakebuf *out)
{
    if (step == 0) {
        return;
    }
    if (step <= r->chunks) {
        completion_chunk(r, piece, "null", out);
        return;
    }
    completion_chunk(r, piece, "\"stop\"", out);
    if (r->include_usage && r->plan.nousage == 0) {
        fakebuf_add(out,
                    "data: {'id':'cmpl-%x','object':'text_completion','created':" FAKEREPLY_TIME
                    ",'model':%j,'choices':[],'usage':",
                    r->id, r->model, strlen(r->model));
        put_chat_usage(r, out);
        fakebuf_add(out, "}\n\n");
    }
    fakebuf_add(out, "data: [DONE]\n\n");
}

static void
image_step(const struct fakereply *r, uint64_t step, struct fakebuf *out)
{
    if (step == 1) {
        fakebuf_add(out,
                    "event: image_generation.partial_image\n"
                    "data: {'type':'image_generation.partial_image','b64_json':'%s',"
                    "'partial_image_index':0}\n\n",
                    png_base64);
    } else if (step > r->chunks) {
        fakebuf_add(out,
                    "event: image_generation.completed\n"
                    "data: {'type':'image_generation.completed','b64_json':'%s','usage':",
                    png_base64);
        put_token_usage(r, out);
        fakebuf_add(out, "}\n\n");
    }
}

static void
transcript_step(struct fakereply *r, uint64_t step, struct fakespan piece, struct fakebuf *out)
{
    if (step > r->chunks) {
        struct fakebuf text = { 0 };
        fakereply_text(r, &text);
        fakebuf_add(out, "data: {'type':'transcript.text.done','text':%j,'usage':", text.data,
                    text.len);
        put_token_usage(r, out);
        fakebuf_add(out, "}\n\n");
        fakebuf_free(&text);
    } else if (step > 0) {
        fakebuf_add(out, "data: {'type':'transcript.text.delta','delta':%j}\n\n", piece.p, piece.n);
    }
}

void
fakeother_step(struct fakereply *r, uint64_t step, struct fakespan piece, struct fakebuf *out)
{
    if (r->op == FAKEOP_COMPLETION) {
        completion_step(r, step, piece, out);
    } else if (r->op == FAKEOP_IMAGE) {
        image_step(r, step, out);
    } else {
        transcript_step(r, step, piece, out);
    }
}

static void
put_count(const struct fakereply *r, struct fakebuf *out)
{
    uint64_t in = (uint64_t)r->plan.in;
    if (r->dialect == FAKEDIALECT_GEMINI) {
        fakebuf_add(out,
                    "{'totalTokens':%u,'promptTokensDetails':[{'modality':'TEXT',"
                    "'tokenCount':%u}]}",
                    in, in);
    } else if (r->dialect == FAKEDIALECT_RESPONSES) {
        fakebuf_add(out, "{'object':'response.input_tokens','input_tokens':%u}", in);
    } else {
        fakebuf_add(out, "{'input_tokens':%u}", in);
    }
}

static void
put_text_answer(struct fakereply *r, struct fakebuf *out)
{
    struct fakebuf text = { 0 };
    fakereply_text(r, &text);
    if (r->op == FAKEOP_COMPLETION) {
        fakebuf_add(out,
                    "{'id':'cmpl-%x','object':'text_completion','created':" FAKEREPLY_TIME
                    ",'model':%j,'choices':[{'text':%j,'index':0,'logprobs':null,"
                    "'finish_reason':'stop'}],'usage':",
                    r->id, r->model, strlen(r->model), text.data, text.len);
        put_chat_usage(r, out);
    } else {
        fakebuf_add(out, "{'text':%j,'usage':", text.data, text.len);
        put_token_usage(r, out);
    }
    fakebuf_add(out, "}");
    fakebuf_free(&text);
}

/* Not a playable sound: an ID3 mark and as many bytes as were asked for. */
static void
put_sound(const struct fakereply *r, struct fakebuf *out)
{
    uint64_t size = r->plan.size > 0 ? (uint64_t)r->plan.size : 1024;
    fakebuf_put(out, "ID3", 3);
    for (uint64_t i = 3; i < size; i++) {
        char byte = (char)(i * 31);
        fakebuf_put(out, &byte, 1);
    }
}

void
fakeother_whole(struct fakereply *r, struct fakebuf *out)
{
    if (r->op == FAKEOP_COUNT) {
        put_count(r, out);
    } else if (r->op == FAKEOP_SPEECH) {
        put_sound(r, out);
    } else if (r->op == FAKEOP_IMAGE) {
        fakebuf_add(out,
                    "{'created':" FAKEREPLY_TIME ",'data':[{'b64_json':'%s'}],"
                    "'output_format':'png','quality':'low','size':'1x1','usage':",
                    png_base64);
        put_token_usage(r, out);
        fakebuf_add(out, "}");
    } else if (r->op == FAKEOP_MODERATION) {
        fakebuf_add(out,
                    "{'id':'modr-%x','model':%j,'results':[{'flagged':false,"
                    "'categories':{'violence':false},'category_scores':{'violence':0.001},"
                    "'category_applied_input_types':{'violence':['text']}}]}",
                    r->id, r->model, strlen(r->model));
    } else {
        put_text_answer(r, out);
    }
}

static uint64_t
hash_of(struct fakespan s)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < s.n; i++) {
        hash = (hash ^ (unsigned char)s.p[i]) * 0x100000001b3ull;
    }
    return hash;
}

/* Values are k/256 for k in -128..127: exact as decimal and as float32. */
static int
value_at(uint64_t hash, uint64_t i)
{
    uint64_t x = (hash + i * 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;
    return (int)((x >> 56) & 0xff) - 128;
}

static void
put_floats(uint64_t hash, uint64_t dimensions, struct fakebuf *out)
{
    fakebuf_put(out, "[", 1);
    for (uint64_t i = 0; i < dimensions; i++) {
        int k = value_at(hash, i);
        uint64_t part = (uint64_t)(k < 0 ? -k : k) * 390625; /* k/256 in units of 1e-8 */
        char digits[8];
        for (int d = 7; d >= 0; d--) {
            digits[d] = (char)('0' + part % 10);
            part /= 10;
        }
        fakebuf_add(out, "%s%s0.", i == 0 ? "" : ",", k < 0 ? "-" : "");
        fakebuf_put(out, digits, 8);
    }
    fakebuf_put(out, "]", 1);
}

static void
put_base64(uint64_t hash, uint64_t dimensions, struct fakebuf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct fakebuf raw = { 0 };
    for (uint64_t i = 0; i < dimensions; i++) {
        float value = (float)value_at(hash, i) / 256.0f;
        char bytes[4];
        memcpy(bytes, &value, 4); /* Little-endian, as the machines this runs on. */
        fakebuf_put(&raw, bytes, 4);
    }
    fakebuf_put(out, "\"", 1);
    for (size_t i = 0; i < raw.len; i += 3) {
        uint32_t word = 0;
        for (size_t j = 0; j < 3; j++) {
            word = (word << 8) | (i + j < raw.len ? (unsigned char)raw.data[i + j] : 0u);
        }
        char four[4];
        for (size_t j = 0; j < 4; j++) {
            four[j] = i + j > raw.len ? '=' : digits[(word >> (18 - 6 * j)) & 63u];
        }
        fakebuf_put(out, four, 4);
    }
    fakebuf_put(out, "\"", 1);
    fakebuf_free(&raw);
}

/* Strings, or lists of token numbers: one vector each; a flat list of numbers is one input. */
static bool
is_list_of_inputs(struct fakespan inputs)
{
    struct fakejson walk = fakejson_walk(inputs);
    struct fakespan key;
    struct fakespan item;
    return walk.open == '[' && fakejson_next(&walk, &key, &item) &&
           (item.p[0] == '"' || item.p[0] == '[' || item.p[0] == '{');
}

static void
put_vector(const struct fakeask *ask, struct fakespan input, uint64_t index, struct fakebuf *out)
{
    uint64_t dimensions = ask->dimensions > 0 ? ask->dimensions : DIMENSIONS_DEFAULT;
    dimensions = dimensions > DIMENSIONS_MAX ? DIMENSIONS_MAX : dimensions;
    bool gemini = ask->dialect == FAKEDIALECT_GEMINI;
    if (index > 0) {
        fakebuf_put(out, ",", 1);
    }
    if (gemini) {
        fakebuf_add(out, "{'values':");
    } else {
        fakebuf_add(out, "{'object':'embedding','index':%u,'embedding':", index);
    }
    if (ask->base64) {
        put_base64(hash_of(input), dimensions, out);
    } else {
        put_floats(hash_of(input), dimensions, out);
    }
    fakebuf_put(out, "}", 1);
}

static void
put_vectors(const struct fakeask *ask, struct fakebuf *out)
{
    if (!is_list_of_inputs(ask->inputs)) {
        put_vector(ask, ask->inputs, 0, out);
        return;
    }
    struct fakejson walk = fakejson_walk(ask->inputs);
    struct fakespan key;
    struct fakespan item;
    for (uint64_t i = 0; fakejson_next(&walk, &key, &item); i++) {
        put_vector(ask, item, i, out);
    }
}

void
fakeother_embeddings(const struct fakeask *ask, const struct fakeplan *plan, struct fakebuf *out)
{
    if (ask->op == FAKEOP_BATCH_EMBED) {
        fakebuf_add(out, "{'embeddings':[");
        put_vectors(ask, out);
        fakebuf_add(out, "]}");
    } else if (ask->dialect == FAKEDIALECT_GEMINI) {
        fakebuf_add(out, "{'embedding':");
        put_vector(ask, (struct fakespan){ ask->text, ask->text_len }, 0, out);
        fakebuf_add(out, "}");
    } else {
        fakebuf_add(out, "{'object':'list','data':[");
        put_vectors(ask, out);
        fakebuf_add(out, "],'model':%j,'usage':{'prompt_tokens':%u,'total_tokens':%u}}", ask->model,
                    strlen(ask->model), (uint64_t)plan->in, (uint64_t)plan->in);
    }
}

void
fakeother_rerank(const struct fakeask *ask, const struct fakeplan *plan, struct fakebuf *out)
{
    struct fakejson walk = fakejson_walk(ask->inputs);
    struct fakespan key;
    struct fakespan item;
    fakebuf_add(out, "{'id':'rerank-fake','model':%j,'results':[", ask->model, strlen(ask->model));
    for (uint64_t i = 0; i < 1000 && fakejson_next(&walk, &key, &item); i++) {
        fakebuf_add(out, "%s{'index':%u,'relevance_score':0.%u}", i == 0 ? "" : ",", i, 999 - i);
    }
    fakebuf_add(out, "],'usage':{'total_tokens':%u}}", (uint64_t)plan->in);
}

static const char *const openai_models[] = {
    "gpt-5",
    "gpt-4o",
    "gpt-4o-mini",
    "o4-mini",
    "text-embedding-3-small",
    "gpt-image-1",
    "whisper-1",
    "gpt-4o-mini-tts",
    "omni-moderation-latest",
    "rerank-v3.5",
};
static const char *const anthropic_models[] = { "claude-opus-4-1", "claude-sonnet-4-5",
                                                "claude-haiku-4-5" };
static const char *const gemini_models[] = { "gemini-2.5-pro", "gemini-2.5-flash",
                                             "gemini-embedding-001" };

static void
put_model(enum fakedialect dialect, const char *name, struct fakebuf *out)
{
    if (dialect == FAKEDIALECT_GEMINI) {
        fakebuf_add(out,
                    "{'name':'models/%s','displayName':'%s','inputTokenLimit':1048576,"
                    "'outputTokenLimit':65536,'supportedGenerationMethods':['generateContent',"
                    "'countTokens','embedContent']}",
                    name, name);
    } else if (dialect == FAKEDIALECT_ANTHROPIC) {
        fakebuf_add(out,
                    "{'type':'model','id':'%s','display_name':'%s',"
                    "'created_at':'2023-11-14T22:13:20Z'}",
                    name, name);
    } else {
        fakebuf_add(out,
                    "{'id':'%s','object':'model','created':" FAKEREPLY_TIME ",'owned_by':'fake'}",
                    name);
    }
}

static const char *const *
names_of(enum fakedialect dialect, size_t *count)
{
    if (dialect == FAKEDIALECT_GEMINI) {
        *count = sizeof(gemini_models) / sizeof(gemini_models[0]);
        return gemini_models;
    }
    if (dialect == FAKEDIALECT_ANTHROPIC) {
        *count = sizeof(anthropic_models) / sizeof(anthropic_models[0]);
        return anthropic_models;
    }
    *count = sizeof(openai_models) / sizeof(openai_models[0]);
    return openai_models;
}

void
fakeother_models(enum fakedialect dialect, struct fakebuf *out)
{
    size_t count;
    const char *const *names = names_of(dialect, &count);
    fakebuf_add(out, dialect == FAKEDIALECT_GEMINI      ? "{'models':["
                     : dialect == FAKEDIALECT_ANTHROPIC ? "{'data':["
                                                        : "{'object':'list','data':[");
    for (size_t i = 0; i < count; i++) {
        fakebuf_put(out, ",", i == 0 ? 0 : 1);
        put_model(dialect, names[i], out);
    }
    if (dialect == FAKEDIALECT_ANTHROPIC) {
        fakebuf_add(out, "],'has_more':false,'first_id':'%s','last_id':'%s'}", names[0],
                    names[count - 1]);
    } else {
        fakebuf_add(out, "]}");
    }
}

bool
fakeother_model(enum fakedialect dialect, const char *name, struct fakebuf *out)
{
    size_t count;
    const char *const *names = names_of(dialect, &count);
    if (strpbrk(name, "\"\\") != NULL) {
        return false;
    }
    bool found = strncmp(name, "fake-", 5) == 0;
    for (size_t i = 0; i < count; i++) {
        found = found || strcmp(name, names[i]) == 0;
    }
    if (found) {
        put_model(dialect, name, out);
    }
    return found;
}

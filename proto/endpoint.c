/*
 * endpoint.c - the table of endpoints and the two ways through it (see endpoint.h).
 */
#include "proto/endpoint.h"

#include "base/check.h"

/* "/v1", which every OpenAI and Anthropic path of the table begins with. */
#define VERSION_BYTES 3

#define PASS (ENDPOINT_JSON | ENDPOINT_USAGE | ENDPOINT_MODEL_BODY)
#define GEMINI (ENDPOINT_JSON | ENDPOINT_MODEL_PATH)
#define LOCAL (ENDPOINT_LOCAL | ENDPOINT_NO_KEY)

#define ROW(id, name, dialect, path, model_default, flags)                             \
    [ENDPOINT_##id] = { ENDPOINT_##id, name, DIALECT_##dialect, ENDPOINT_POST, "POST", \
                        path,          NULL, model_default,     flags }
#define VERB(id, name, verb, flags)                                                       \
    [ENDPOINT_##id] = { ENDPOINT_##id,     name, DIALECT_GEMINI, ENDPOINT_POST,   "POST", \
                        "/v1beta/models/", verb, NULL,           GEMINI | (flags) }
#define GET(id, name, dialect, path, flags)           \
    [ENDPOINT_##id] = { ENDPOINT_##id,                \
                        name,                         \
                        DIALECT_##dialect,            \
                        ENDPOINT_GET | ENDPOINT_HEAD, \
                        "GET, HEAD",                  \
                        path,                         \
                        NULL,                         \
                        NULL,                         \
                        flags }

/* clang-format off */
static const struct endpoint_row rows[ENDPOINT_NUMBER] = {
    ROW(CHAT, "chat", CHAT, "/v1/chat/completions", NULL, PASS | ENDPOINT_STREAM),
    ROW(RESPONSES, "responses", RESPONSES, "/v1/responses", NULL, PASS | ENDPOINT_STREAM),
    ROW(RESPONSES_COMPACT, "responses-compact", RESPONSES, "/v1/responses/compact", NULL,
        PASS | ENDPOINT_STREAM),
    ROW(RESPONSES_INPUT_TOKENS, "responses-input-tokens", RESPONSES, "/v1/responses/input_tokens",
        NULL, ENDPOINT_JSON | ENDPOINT_MODEL_BODY),
    ROW(MESSAGES, "messages", ANTHROPIC, "/v1/messages", NULL, PASS | ENDPOINT_STREAM),
    ROW(COUNT_TOKENS, "count-tokens", ANTHROPIC, "/v1/messages/count_tokens", NULL,
        ENDPOINT_JSON | ENDPOINT_MODEL_BODY),
    VERB(GEMINI_GENERATE, "gemini-generate", "generateContent", ENDPOINT_USAGE),
    VERB(GEMINI_STREAM, "gemini-stream", "streamGenerateContent",
         ENDPOINT_USAGE | ENDPOINT_STREAM_ALWAYS),
    VERB(GEMINI_COUNT, "gemini-count", "countTokens", 0),
    VERB(GEMINI_EMBED, "gemini-embed", "embedContent", ENDPOINT_USAGE),
    VERB(GEMINI_BATCH_EMBED, "gemini-batch-embed", "batchEmbedContents", ENDPOINT_USAGE),
    ROW(EMBEDDINGS, "embeddings", CHAT, "/v1/embeddings", NULL, PASS),
    ROW(COMPLETIONS, "completions", CHAT, "/v1/completions", NULL, PASS | ENDPOINT_STREAM),
    ROW(IMAGES_GENERATIONS, "images-generations", CHAT, "/v1/images/generations", "dall-e-2",
        PASS | ENDPOINT_STREAM),
    ROW(IMAGES_EDITS, "images-edits", CHAT, "/v1/images/edits", "dall-e-2",
        PASS | ENDPOINT_STREAM | ENDPOINT_MULTIPART),
    ROW(IMAGES_VARIATIONS, "images-variations", CHAT, "/v1/images/variations", "dall-e-2",
        PASS | ENDPOINT_MULTIPART),
    ROW(AUDIO_SPEECH, "audio-speech", CHAT, "/v1/audio/speech", NULL, PASS),
    ROW(AUDIO_TRANSCRIPTIONS, "audio-transcriptions", CHAT, "/v1/audio/transcriptions", NULL,
        PASS | ENDPOINT_STREAM | ENDPOINT_MULTIPART),
    ROW(AUDIO_TRANSLATIONS, "audio-translations", CHAT, "/v1/audio/translations", NULL,
        PASS | ENDPOINT_MULTIPART),
    ROW(MODERATIONS, "moderations", CHAT, "/v1/moderations", "omni-moderation-latest", PASS),
    ROW(RERANK, "rerank", CHAT, "/v1/rerank", NULL, PASS),
    GET(MODELS_LIST, "models", CHAT, "/v1/models", ENDPOINT_LOCAL),
    GET(MODEL_GET, "model", CHAT, "/v1/models/", ENDPOINT_LOCAL | ENDPOINT_MODEL_PATH),
    GET(HEALTHZ, "healthz", CHAT, "", LOCAL),
    GET(READYZ, "readyz", CHAT, "", LOCAL),
    GET(ROOT, "root", CHAT, "", LOCAL),
    GET(OWN_USAGE, "own-usage", CHAT, "/v1/usage", ENDPOINT_LOCAL),
    [ENDPOINT_RESPONSES_WEBSOCKET] = { ENDPOINT_RESPONSES_WEBSOCKET, "responses-websocket",
                                       DIALECT_RESPONSES, ENDPOINT_GET, "POST", "", NULL, NULL,
                                       LOCAL },
};
/* clang-format on */

/* What stands before an endpoint's own path, longest first where one begins another. */
enum prefix_kind { PREFIX_ANY, PREFIX_OPENAI, PREFIX_CODEX, PREFIX_GEMINI };

static const struct {
    struct str text;
    enum prefix_kind kind;
} prefixes[] = {
    { { "/v1beta/openai", 14 }, PREFIX_OPENAI },
    { { "/v1beta", 7 }, PREFIX_GEMINI },
    { { "/v1alpha", 8 }, PREFIX_GEMINI },
    { { "/v1/v1", 6 }, PREFIX_ANY }, /* a base URL with /v1 given to a client that adds its own */
    { { "/v1/v1beta", 10 }, PREFIX_GEMINI },
    { { "/v1", 3 }, PREFIX_ANY },
    { { "/openai/v1", 10 }, PREFIX_OPENAI },
    { { "/backend-api/codex", 18 }, PREFIX_CODEX },
};

const struct endpoint_row *
endpoint_row(enum endpoint endpoint)
{
    CHECK(endpoint < ENDPOINT_NUMBER);
    return &rows[endpoint];
}

static uint32_t
method_bit(struct str method)
{
    if (str_equal(method, STR("POST"))) {
        return ENDPOINT_POST;
    }
    if (str_equal(method, STR("GET"))) {
        return ENDPOINT_GET;
    }
    return str_equal(method, STR("HEAD")) ? ENDPOINT_HEAD : 0;
}

/* The path of an OpenAI or Anthropic row without its version. */
static struct str
row_suffix(const struct endpoint_row *row)
{
    return str_skip(str_of(row->path), VERSION_BYTES);
}

static bool
has_plain_path(const struct endpoint_row *row)
{
    return row->path[0] != '\0' && row->verb == NULL && row->endpoint != ENDPOINT_MODEL_GET;
}

/* Cuts a known prefix off *path. */
static enum prefix_kind
cut_prefix(struct str *path)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        struct str text = prefixes[i].text;
        if (str_starts(*path, text) && (path->len == text.len || path->data[text.len] == '/')) {
            *path = str_skip(*path, text.len);
            return prefixes[i].kind;
        }
    }
    return PREFIX_ANY;
}

/* Whose error shape the client expects, as far as the path tells. */
static enum dialect
guess_dialect(struct str path, enum prefix_kind prefix)
{
    if (prefix == PREFIX_GEMINI) {
        return DIALECT_GEMINI;
    }
    if (str_starts(path, STR("/messages"))) {
        return DIALECT_ANTHROPIC;
    }
    return str_starts(path, STR("/responses")) ? DIALECT_RESPONSES : DIALECT_CHAT;
}

static enum endpoint_result
found(const struct endpoint_row *row, uint32_t method, struct endpoint_hit *out)
{
    out->endpoint = row->endpoint;
    out->dialect = out->is_gemini_path ? DIALECT_GEMINI : row->dialect;
    out->allow = row->allow;
    if ((row->methods & method) != 0) {
        return ENDPOINT_FOUND;
    }
    if (row->endpoint == ENDPOINT_RESPONSES && method == ENDPOINT_GET) {
        out->endpoint = ENDPOINT_RESPONSES_WEBSOCKET;
        return ENDPOINT_FOUND;
    }
    return ENDPOINT_WRONG_METHOD;
}

/* `model` is what follows "/models/": a Gemini verb behind the last colon, or a model to show. */
static enum endpoint_result
match_model(struct str model, enum prefix_kind prefix, uint32_t method, struct endpoint_hit *out)
{
    if (str_starts(model, STR("models/"))) {
        model = str_skip(model, 7);
    }
    out->model = model;
    const char *colon = model.len == 0 ? NULL : memrchr(model.data, ':', model.len);
    size_t name_bytes = colon == NULL ? 0 : (size_t)(colon - model.data);
    if (name_bytes > 0 && (prefix == PREFIX_ANY || prefix == PREFIX_GEMINI)) {
        struct str verb = str_skip(model, name_bytes + 1);
        for (uint32_t i = ENDPOINT_GEMINI_GENERATE; i <= ENDPOINT_GEMINI_BATCH_EMBED; i++) {
            if (str_equal(verb, str_of(rows[i].verb))) {
                out->model.len = name_bytes;
                return found(&rows[i], method, out);
            }
        }
        if ((method & ENDPOINT_POST) != 0) {
            out->dialect = DIALECT_GEMINI;
            return ENDPOINT_NOT_FOUND;
        }
    }
    if (model.len == 0) {
        return ENDPOINT_NOT_FOUND;
    }
    return found(&rows[ENDPOINT_MODEL_GET], method, out);
}

static enum endpoint_result
match_plain(struct str path, enum prefix_kind prefix, uint32_t method, struct endpoint_hit *out)
{
    for (uint32_t i = 0; i < ENDPOINT_NUMBER; i++) {
        const struct endpoint_row *row = &rows[i];
        if (!has_plain_path(row) || !str_equal(path, row_suffix(row))) {
            continue;
        }
        bool is_codex = row->dialect == DIALECT_RESPONSES || i == ENDPOINT_MODELS_LIST;
        bool is_beyond = (prefix == PREFIX_CODEX && !is_codex) ||
                         (prefix == PREFIX_GEMINI && i != ENDPOINT_MODELS_LIST);
        return is_beyond ? ENDPOINT_NOT_FOUND : found(row, method, out);
    }
    return ENDPOINT_NOT_FOUND;
}

enum endpoint_result
endpoint_match(struct str method, struct str path, struct endpoint_hit *out)
{
    *out = (struct endpoint_hit){ .dialect = DIALECT_CHAT };
    uint32_t bit = method_bit(method);
    if (path.len > 1 && path.data[path.len - 1] == '/') {
        path.len--;
    }
    if (str_starts(path, STR("//"))) {
        path = str_skip(path, 1); /* a base URL with a slash at its end */
    }
    if (str_equal(path, STR("/"))) {
        return found(&rows[ENDPOINT_ROOT], bit, out);
    }
    if (str_equal(path, STR("/healthz"))) {
        return found(&rows[ENDPOINT_HEALTHZ], bit, out);
    }
    if (str_equal(path, STR("/readyz"))) {
        return found(&rows[ENDPOINT_READYZ], bit, out);
    }
    enum prefix_kind prefix = cut_prefix(&path);
    out->is_gemini_path = prefix == PREFIX_GEMINI;
    out->dialect = guess_dialect(path, prefix);
    if (str_starts(path, STR("/models/"))) {
        return match_model(str_skip(path, 8), prefix, bit, out);
    }
    return match_plain(path, prefix, bit, out);
}

/* --- the model in a path --- */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = str_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A segment "." or ".." would lead a URL somewhere else. */
static bool
has_dot_segment(struct str model)
{
    do {
        struct str segment = str_cut(&model, '/');
        if (str_equal(segment, STR(".")) || str_equal(segment, STR(".."))) {
            return true;
        }
    } while (model.data != NULL);
    return false;
}

enum err
endpoint_model_decode(struct str model, char *out, size_t out_bytes, size_t *out_len)
{
    size_t len = 0;
    for (size_t i = 0; i < model.len; i++) {
        unsigned char c = (unsigned char)model.data[i];
        if (c == '%') {
            int high = i + 2 < model.len ? hex_digit(model.data[i + 1]) : -1;
            int low = i + 2 < model.len ? hex_digit(model.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return ERR_BAD;
            }
            c = (unsigned char)(high * 16 + low);
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || len + 1 >= out_bytes) {
            return ERR_BAD;
        }
        out[len++] = (char)c;
    }
    if (len == 0 || has_dot_segment(str_make(out, len))) {
        return ERR_BAD;
    }
    out[len] = '\0';
    *out_len = len;
    return ERR_OK;
}

/* --- upstream --- */

/* "v1", "v4", "v1beta", "v1p1beta1". */
static bool
is_version(struct str segment)
{
    if (segment.len < 2 || segment.data[0] != 'v' || segment.data[1] < '0' ||
        segment.data[1] > '9') {
        return false;
    }
    for (size_t i = 2; i < segment.len; i++) {
        char c = segment.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'))) {
            return false;
        }
    }
    return true;
}

/* `anywhere`: a version in the middle counts too. */
static bool
names_version(struct str base, bool anywhere)
{
    bool is_seen = false;
    do {
        bool is_one = is_version(str_cut(&base, '/'));
        is_seen = is_one || (is_seen && anywhere);
    } while (base.data != NULL);
    return is_seen;
}

/* Cuts the longest endpoint path of the table off the end of *base, if there is one. */
static bool
cut_endpoint(struct str *base)
{
    if (base->len == 0) {
        return false; /* as most base URLs have it */
    }
    size_t longest = 0;
    for (uint32_t i = 0; i < ENDPOINT_NUMBER; i++) {
        struct str suffix = has_plain_path(&rows[i]) ? row_suffix(&rows[i]) : STR("");
        if (suffix.len > longest && str_ends(*base, suffix)) {
            longest = suffix.len;
        }
    }
    base->len -= longest;
    return longest > 0;
}

static size_t
put(char *out, size_t len, struct str text)
{
    if (text.len > 0) {
        memcpy(out + len, text.data, text.len);
    }
    return len + text.len;
}

/* What may stand in a path as it is; the slash and colon of long model names too. */
static bool
is_path_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~/:@", c) != NULL);
}

static size_t
put_encoded(char *out, size_t len, struct str text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (is_path_byte((char)c)) {
            out[len++] = (char)c;
            continue;
        }
        out[len++] = '%';
        out[len++] = hex[c >> 4];
        out[len++] = hex[c & 15];
    }
    return len;
}

enum err
endpoint_upstream_path(const struct endpoint_target *target, struct arena *arena, struct str *out)
{
    const struct endpoint_row *row = endpoint_row(target->endpoint);
    CHECK(row->path[0] == '/');
    bool is_gemini = row->verb != NULL;
    struct str base = target->base_path;
    while (base.len > 0 && base.data[base.len - 1] == '/') {
        base.len--;
    }
    bool is_complete = cut_endpoint(&base);
    bool is_openai = row->dialect != DIALECT_ANTHROPIC && !is_gemini;
    struct str path = str_of(row->path);
    if (is_complete || names_version(base, is_openai)) {
        /* "/v1beta" is longer than "/v1": the version ends at the second slash. */
        struct str rest = str_skip(path, 1);
        path = str_skip(path, 1 + str_cut(&rest, '/').len);
    }
    struct str model = target->model;
    if (is_gemini && (model.len == 0 || has_dot_segment(model))) {
        return ERR_BAD;
    }
    size_t bytes_max = base.len + path.len + 3 * model.len + target->query.len + 64;
    char *text = arena_alloc_raw(arena, bytes_max);
    if (text == NULL) {
        return ERR_FULL;
    }
    size_t len = put(text, put(text, 0, base), path);
    if (is_gemini) {
        len = put_encoded(text, len, model);
        len = put(text, put(text, len, STR(":")), str_of(row->verb));
    }
    bool wants_sse = target->wants_sse && target->endpoint == ENDPOINT_GEMINI_STREAM;
    if (wants_sse) {
        len = put(text, len, STR("?alt=sse"));
    }
    if (target->query.len > 0) {
        len = put(text, len, wants_sse ? STR("&") : STR("?"));
        len = put(text, len, target->query);
    }
    CHECK(len <= bytes_max);
    *out = str_make(text, len);
    return ERR_OK;
}

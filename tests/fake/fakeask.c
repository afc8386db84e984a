/* fakeask.c - see fakeask.h. */
#include "tests/fake/fakeask.h"

#include "tests/fake/fakejson.h"
#include "tests/fake/fakelaw.h"

#include <string.h>

/* Every top-level member that matters in any dialect, found in one pass over the body. */
#define MEMBERS(X)            \
    X(model)                  \
    X(stream)                 \
    X(messages)               \
    X(input)                  \
    X(contents)               \
    X(content)                \
    X(requests)               \
    X(generateContentRequest) \
    X(generationConfig)       \
    X(tools)                  \
    X(text)                   \
    X(response_format)        \
    X(stream_options)         \
    X(output_config)          \
    X(max_tokens)             \
    X(prompt)                 \
    X(query)                  \
    X(documents)              \
    X(dimensions)             \
    X(outputDimensionality)   \
    X(encoding_format)

enum member {
#define MEMBER_ENUM(name) MEMBER_##name,
    MEMBERS(MEMBER_ENUM)
#undef MEMBER_ENUM
        MEMBER_COUNT
};

static const char *const member_names[] = {
#define MEMBER_NAME(name) #name,
    MEMBERS(MEMBER_NAME)
#undef MEMBER_NAME
};

struct route {
    const char *path;
    enum fakedialect dialect;
    enum fakeop op;
};

static const struct route posts[] = {
    { "/v1/chat/completions", FAKEDIALECT_CHAT, FAKEOP_GENERATE },
    { "/v1/responses", FAKEDIALECT_RESPONSES, FAKEOP_GENERATE },
    { "/v1/messages", FAKEDIALECT_ANTHROPIC, FAKEOP_GENERATE },
    { "/v1/responses/compact", FAKEDIALECT_RESPONSES, FAKEOP_COMPACT },
    { "/v1/responses/input_tokens", FAKEDIALECT_RESPONSES, FAKEOP_COUNT },
    { "/v1/messages/count_tokens", FAKEDIALECT_ANTHROPIC, FAKEOP_COUNT },
    { "/v1/embeddings", FAKEDIALECT_CHAT, FAKEOP_EMBED },
    { "/v1/completions", FAKEDIALECT_CHAT, FAKEOP_COMPLETION },
    { "/v1/images/generations", FAKEDIALECT_CHAT, FAKEOP_IMAGE },
    { "/v1/images/edits", FAKEDIALECT_CHAT, FAKEOP_IMAGE },
    { "/v1/images/variations", FAKEDIALECT_CHAT, FAKEOP_IMAGE },
    { "/v1/audio/speech", FAKEDIALECT_CHAT, FAKEOP_SPEECH },
    { "/v1/audio/transcriptions", FAKEDIALECT_CHAT, FAKEOP_TRANSCRIPT },
    { "/v1/audio/translations", FAKEDIALECT_CHAT, FAKEOP_TRANSCRIPT },
    { "/v1/moderations", FAKEDIALECT_CHAT, FAKEOP_MODERATION },
    { "/v1/rerank", FAKEDIALECT_CHAT, FAKEOP_RERANK },
};

static void
copy_name(char *out, const char *p, size_t n)
{
    if (n >= FAKEASK_NAME_BYTES) {
        n = FAKEASK_NAME_BYTES - 1;
    }
    memcpy(out, p, n);
    out[n] = '\0';
}

static bool
starts(struct fakespan s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

/* GET /v1/models belongs to three providers; the headers tell which one is asked. */
static enum fakedialect
models_dialect(const struct fakehead *head)
{
    if (starts(head->path, "/v1beta") || fakehttp_field(head, "x-goog-api-key").n > 0) {
        return FAKEDIALECT_GEMINI;
    }
    bool anthropic = fakehttp_field(head, "anthropic-version").n > 0;
    return anthropic ? FAKEDIALECT_ANTHROPIC : FAKEDIALECT_CHAT;
}

static void
route_gemini(struct fakeask *ask, const struct fakehead *head, struct fakespan rest)
{
    static const struct route verbs[] = {
        { "generateContent", FAKEDIALECT_GEMINI, FAKEOP_GENERATE },
        { "streamGenerateContent", FAKEDIALECT_GEMINI, FAKEOP_GENERATE },
        { "countTokens", FAKEDIALECT_GEMINI, FAKEOP_COUNT },
        { "embedContent", FAKEDIALECT_GEMINI, FAKEOP_EMBED },
        { "batchEmbedContents", FAKEDIALECT_GEMINI, FAKEOP_BATCH_EMBED },
    };
    ask->dialect = FAKEDIALECT_GEMINI;
    const char *colon = memrchr(rest.p, ':', rest.n);
    if (colon == NULL) {
        return;
    }
    struct fakespan verb = { colon + 1, (size_t)(rest.p + rest.n - colon - 1) };
    copy_name(ask->model, rest.p, (size_t)(colon - rest.p));
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (fakebuf_equals(verb, verbs[i].path)) {
            ask->op = verbs[i].op;
            ask->stream = i == 1;
        }
    }
    ask->array = ask->stream && !fakebuf_equals(fakehttp_query(head, "alt"), "sse");
}

static void
route_get(struct fakeask *ask, const struct fakehead *head)
{
    struct fakespan path = head->path;
    ask->dialect = models_dialect(head);
    if (fakebuf_equals(path, "/")) {
        ask->op = FAKEOP_ROOT;
        return;
    }
    size_t skip = starts(path, "/v1beta/models") ? 14 : starts(path, "/v1/models") ? 10 : 0;
    if (skip == 0) {
        return;
    }
    if (path.n == skip) {
        ask->op = FAKEOP_MODELS;
    } else if (path.p[skip] == '/' && path.n > skip + 1) {
        ask->op = FAKEOP_MODEL;
        copy_name(ask->model, path.p + skip + 1, path.n - skip - 1);
    }
}

void
fakeask_route(struct fakeask *ask, const struct fakehead *head)
{
    *ask = (struct fakeask){ .op = FAKEOP_NONE };
    if (starts(head->path, "/__fake/")) {
        ask->op = FAKEOP_CONTROL;
        return;
    }
    bool post = fakebuf_equals(head->method, "POST");
    for (size_t i = 0; i < sizeof(posts) / sizeof(posts[0]); i++) {
        if (fakebuf_equals(head->path, posts[i].path)) {
            ask->dialect = posts[i].dialect;
            ask->op = post ? posts[i].op : FAKEOP_METHOD;
            return;
        }
    }
    if (!post) {
        if (fakebuf_equals(head->method, "GET") || fakebuf_equals(head->method, "HEAD")) {
            route_get(ask, head);
        }
        return;
    }
    size_t skip = starts(head->path, "/v1beta/models/") ? 15
                  : starts(head->path, "/v1/models/")   ? 11
                                                        : 0;
    if (skip > 0) {
        struct fakespan rest = { head->path.p + skip, head->path.n - skip };
        route_gemini(ask, head, rest);
    }
}

static void
take_text(struct fakeask *ask, struct fakespan value)
{
    ask->text_len = fakejson_text(value, ask->text, sizeof(ask->text));
}

/* A message's content: a string, or parts of which the last with a text counts. */
static void
take_content(struct fakeask *ask, struct fakespan content)
{
    if (fakejson_is_string(content)) {
        take_text(ask, content);
        return;
    }
    struct fakejson parts = fakejson_walk(content);
    struct fakespan key;
    struct fakespan part;
    while (parts.open == '[' && fakejson_next(&parts, &key, &part)) {
        static const char *const keys[] = { "text", "content", "type", "functionResponse" };
        struct fakespan seen[4];
        (void)fakejson_pick(part, keys, 4, seen);
        struct fakespan text = seen[0];
        struct fakespan response = fakejson_get(seen[3], "response");
        if (fakejson_is_string(text)) {
            take_text(ask, text);
            ask->from_tool = false;
        } else if (fakejson_is(seen[2], "tool_result")) {
            take_content(ask, seen[1]);
            ask->from_tool = true;
        } else if (response.n > 0) {
            struct fakespan output = fakejson_get(response, "output");
            take_text(ask, output.n > 0 ? output : fakejson_get(response, "result"));
            ask->from_tool = true;
        }
    }
}

/* The last user or tool message of a list; other roles are passed over. */
static void
take_messages(struct fakeask *ask, struct fakespan list, const char *content_key)
{
    struct fakejson walk = fakejson_walk(list);
    struct fakespan key;
    struct fakespan item;
    struct fakespan last = { "", 0 };
    bool last_is_tool = false;
    while (walk.open == '[' && fakejson_next(&walk, &key, &item)) {
        struct fakespan seen[4];
        const char *const keys[] = { "role", "type", "output", content_key };
        (void)fakejson_pick(item, keys, 4, seen);
        struct fakespan role = seen[0];
        struct fakespan type = seen[1];
        ask->messages++;
        ask->compaction = fakejson_is(type, "compaction_trigger");
        bool user = fakejson_is(role, "user") || (role.n == 0 && type.n == 0);
        bool tool = fakejson_is(role, "tool") || fakejson_is(role, "function") ||
                    fakejson_is(type, "function_call_output") ||
                    fakejson_is(type, "custom_tool_call_output");
        if (user || tool) {
            last = seen[2].n > 0 ? seen[2] : seen[3];
            last_is_tool = tool;
        }
    }
    if (walk.bad || ask->messages == 0) {
        ask->wrong = walk.bad ? "the messages are malformed" : "at least one message is required";
        return;
    }
    take_content(ask, last);
    ask->from_tool = ask->from_tool || last_is_tool;
}

static void
read_chat(struct fakeask *ask, const struct fakespan *body)
{
    struct fakespan format = body[MEMBER_response_format];
    ask->include_usage =
        fakejson_is_true(fakejson_path(body[MEMBER_stream_options], "include_usage"));
    ask->tools = body[MEMBER_tools];
    ask->json = fakejson_is(fakejson_get(format, "type"), "json_object") ||
                fakejson_is(fakejson_get(format, "type"), "json_schema");
    ask->schema = fakejson_path(format, "json_schema.schema");
    ask->wrong_field = "messages";
    take_messages(ask, body[MEMBER_messages], "content");
}

static void
read_responses(struct fakeask *ask, const struct fakespan *body)
{
    struct fakespan format = fakejson_path(body[MEMBER_text], "format");
    struct fakespan input = body[MEMBER_input];
    ask->tools = body[MEMBER_tools];
    ask->json = fakejson_is(fakejson_get(format, "type"), "json_object") ||
                fakejson_is(fakejson_get(format, "type"), "json_schema");
    ask->schema = fakejson_get(format, "schema");
    ask->wrong_field = "input";
    if (fakejson_is_string(input)) {
        take_text(ask, input);
        ask->messages = 1;
    } else {
        take_messages(ask, input, "content");
    }
}

static void
read_anthropic(struct fakeask *ask, const struct fakespan *body)
{
    struct fakespan format = fakejson_path(body[MEMBER_output_config], "format");
    ask->tools = body[MEMBER_tools];
    ask->json = format.n > 0;
    ask->schema = fakejson_get(format, "schema");
    ask->wrong_field = "messages";
    take_messages(ask, body[MEMBER_messages], "content");
    if (ask->op == FAKEOP_GENERATE && body[MEMBER_max_tokens].n == 0) {
        ask->wrong = "max_tokens: Field required";
        ask->wrong_field = "max_tokens";
    }
}

static void
read_gemini(struct fakeask *ask, const struct fakespan *body)
{
    struct fakespan config = body[MEMBER_generationConfig];
    struct fakespan contents = body[MEMBER_contents];
    if (contents.n == 0) {
        contents = fakejson_path(body[MEMBER_generateContentRequest], "contents");
    }
    ask->json = fakejson_is(fakejson_get(config, "responseMimeType"), "application/json");
    ask->schema = fakejson_get(config, "responseJsonSchema");
    if (ask->schema.n == 0) {
        ask->schema = fakejson_get(config, "responseSchema");
    }
    struct fakejson tools = fakejson_walk(body[MEMBER_tools]);
    struct fakespan key;
    struct fakespan tool;
    while (fakejson_next(&tools, &key, &tool)) {
        struct fakespan list = fakejson_get(tool, "functionDeclarations");
        ask->tools = list.n > 0 ? list : ask->tools;
    }
    ask->wrong_field = "contents";
    if (ask->op == FAKEOP_EMBED) {
        take_content(ask, fakejson_path(body[MEMBER_content], "parts"));
        ask->dimensions = fakejson_number(body[MEMBER_outputDimensionality], 0);
    } else if (ask->op == FAKEOP_BATCH_EMBED) {
        ask->inputs = body[MEMBER_requests];
    } else {
        take_messages(ask, contents, "parts");
    }
}

/* Embeddings, images, audio, moderation, rerank: one text somewhere, and a few options. */
static void
read_other(struct fakeask *ask, const struct fakespan *body)
{
    const struct fakespan texts[] = { body[MEMBER_prompt], body[MEMBER_input], body[MEMBER_query] };
    for (size_t i = 0; i < 3; i++) {
        struct fakespan value = texts[i];
        if (fakejson_is_string(value)) {
            take_text(ask, value);
        }
    }
    ask->inputs = ask->op == FAKEOP_RERANK ? body[MEMBER_documents] : body[MEMBER_input];
    ask->dimensions = fakejson_number(body[MEMBER_dimensions], 0);
    ask->base64 = fakejson_is(body[MEMBER_encoding_format], "base64");
    ask->include_usage =
        fakejson_is_true(fakejson_path(body[MEMBER_stream_options], "include_usage"));
    if (ask->op == FAKEOP_EMBED && ask->inputs.n == 0) {
        ask->wrong = "an input is required";
        ask->wrong_field = "input";
    }
}

/* The value of a multipart form's small text field. */
static struct fakespan
form_field(struct fakespan body, const char *name)
{
    struct fakespan value = { "", 0 };
    struct fakebuf mark = { 0 };
    fakebuf_add(&mark, "name='%s'", name);
    const char *at = memmem(body.p, body.n, mark.data, mark.len);
    fakebuf_free(&mark);
    if (at == NULL) {
        return value;
    }
    const char *end = body.p + body.n;
    const char *start = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
    if (start == NULL) {
        return value;
    }
    start += 4;
    const char *stop = memmem(start, (size_t)(end - start), "\r\n", 2);
    return stop == NULL ? value : (struct fakespan){ start, (size_t)(stop - start) };
}

static void
read_form(struct fakeask *ask, struct fakespan body)
{
    struct fakespan model = form_field(body, "model");
    struct fakespan prompt = form_field(body, "prompt");
    copy_name(ask->model, model.p, model.n);
    ask->text_len = prompt.n < sizeof(ask->text) ? prompt.n : sizeof(ask->text) - 1;
    memcpy(ask->text, prompt.p, ask->text_len);
    ask->text[ask->text_len] = '\0';
    ask->stream = fakebuf_equals(form_field(body, "stream"), "true");
    ask->plain_text = fakebuf_equals(form_field(body, "response_format"), "text");
    if (model.n == 0) {
        ask->wrong = "you must provide a model parameter";
        ask->wrong_field = "model";
    }
}

static void
read_model(struct fakeask *ask, const struct fakespan *body)
{
    struct fakespan model = body[MEMBER_model];
    if (ask->dialect == FAKEDIALECT_GEMINI) {
        return;
    }
    if (!fakejson_is_string(model) || model.n == 2) {
        /* Moderation and images have default models at the real provider. */
        bool needed = ask->op != FAKEOP_MODERATION && ask->op != FAKEOP_IMAGE;
        ask->wrong = needed ? "you must provide a model parameter" : ask->wrong;
        ask->wrong_field = "model";
        copy_name(ask->model, "default", 7);
        return;
    }
    fakejson_text(model, ask->model, sizeof(ask->model));
    ask->stream = fakejson_is_true(body[MEMBER_stream]);
}

void
fakeask_read(struct fakeask *ask, const struct fakehead *head, struct fakespan body)
{
    if (starts(fakehttp_field(head, "content-type"), "multipart/form-data")) {
        read_form(ask, body);
        return;
    }
    struct fakespan members[MEMBER_COUNT];
    body = fakejson_trim(body);
    if (body.n < 2 || body.p[body.n - 1] != '}' ||
        !fakejson_pick(body, member_names, MEMBER_COUNT, members)) {
        ask->wrong = "we could not parse the JSON body of your request";
        return;
    }
    read_model(ask, members);
    if (ask->wrong != NULL) {
        return;
    }
    bool dialogue = ask->op == FAKEOP_GENERATE || ask->op == FAKEOP_COUNT ||
                    ask->op == FAKEOP_COMPACT || ask->dialect == FAKEDIALECT_GEMINI;
    if (!dialogue) {
        read_other(ask, members);
    } else if (ask->dialect == FAKEDIALECT_CHAT) {
        read_chat(ask, members);
    } else if (ask->dialect == FAKEDIALECT_RESPONSES) {
        read_responses(ask, members);
    } else if (ask->dialect == FAKEDIALECT_ANTHROPIC) {
        read_anthropic(ask, members);
    } else {
        read_gemini(ask, members);
    }
    if (ask->op == FAKEOP_GENERATE && ask->wrong == NULL) {
        fakelaw_judge(ask, head, body);
    }
}

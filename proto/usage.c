/*
 * usage.c - reading a provider's token counts (see usage.h).
 *
 * report.c reads a report; here are the two ways to find one: in a whole body, and in a stream's
 * events. For events, one pass over the quotes of the data finds the few words that matter; they
 * can only be names of members, because a quote inside a string has a backslash before it.
 */
#include "proto/usage.h"

#include "base/json.h"
#include "proto/estimate.h"
#include "proto/report.h"

struct outer {
    struct json_value usage;    /* usage or usageMetadata; JSON_NULL = none */
    struct json_value relay;    /* x_groq */
    struct json_value response; /* responses' terminal events, Code-Assist's wrap */
    struct json_value message;  /* anthropic's message_start */
    struct json_value delta;
    struct json_value choices;
    struct json_value error;
    struct json_value tier;
    struct json_value type;
    struct json_value id;
};

static bool
on_outer(void *context, const struct json_member *member)
{
    static const struct {
        struct str name;
        size_t offset;
    } wanted[] = {
        { { "usage", 5 }, offsetof(struct outer, usage) },
        { { "usageMetadata", 13 }, offsetof(struct outer, usage) },
        { { "x_groq", 6 }, offsetof(struct outer, relay) },
        { { "response", 8 }, offsetof(struct outer, response) },
        { { "message", 7 }, offsetof(struct outer, message) },
        { { "delta", 5 }, offsetof(struct outer, delta) },
        { { "choices", 7 }, offsetof(struct outer, choices) },
        { { "error", 5 }, offsetof(struct outer, error) },
        { { "service_tier", 12 }, offsetof(struct outer, tier) },
        { { "type", 4 }, offsetof(struct outer, type) },
        { { "id", 2 }, offsetof(struct outer, id) },
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (json_name_is(member, wanted[i].name)) {
            struct outer *outer = context;
            *(struct json_value *)(void *)((char *)outer + wanted[i].offset) = member->value;
            break;
        }
    }
    return true;
}

static struct outer
no_members(void)
{
    struct outer outer;
    memset(&outer, 0, sizeof outer);
    _Static_assert(JSON_NULL == 0, "all zero is null everywhere");
    return outer;
}

/* The report of an object in this dialect, and what tells the price beside it. */
static bool
read_report(enum dialect dialect, const struct outer *outer, struct usage *usage,
            struct usage_gemini *gemini)
{
    struct json_value report = outer->usage;
    bool is_found = false;
    switch (dialect) {
    case DIALECT_CHAT:
    case DIALECT_RESPONSES:
        if (report.kind != JSON_OBJECT && !json_get(outer->relay, STR("usage"), &report)) {
            break;
        }
        is_found = report_openai(usage, report);
        break;
    case DIALECT_ANTHROPIC:
        is_found = report_anthropic(usage, report, true);
        break;
    case DIALECT_GEMINI:
        is_found = report_gemini(usage, gemini, report);
        break;
    case DIALECT_COUNT:
        break;
    }
    report_tier(usage, outer->tier);
    return is_found;
}

/* The same, unwrapped when it is wrapped. */
static bool
read_outer(enum dialect dialect, const struct outer *outer, struct usage *usage,
           struct usage_gemini *gemini)
{
    if (outer->usage.kind == JSON_NULL && outer->response.kind == JSON_OBJECT) {
        struct outer inner = no_members();
        return json_scan_object(outer->response, on_outer, &inner) == ERR_OK &&
               read_report(dialect, &inner, usage, gemini);
    }
    return read_report(dialect, outer, usage, gemini);
}

/* --- whole bodies --- */

struct elements {
    enum dialect dialect;
    struct usage *usage;
    struct usage_gemini gemini;
    bool is_found;
};

static bool
on_element(void *context, const struct json_member *member)
{
    struct elements *elements = context;
    struct outer outer = no_members();
    if (json_scan_object(member->value, on_outer, &outer) == ERR_OK) {
        elements->is_found |=
            read_outer(elements->dialect, &outer, elements->usage, &elements->gemini);
    }
    return true;
}

#define REPORT_TRIES_MAX 64u /* places that look like a report, so that nesting costs no square */

/* A body that is cut off at either end: the last report in it that is whole. */
static bool
read_backwards(enum dialect dialect, struct str body, struct elements *elements)
{
    struct str name = dialect == DIALECT_GEMINI ? STR("\"usageMetadata\"") : STR("\"usage\"");
    struct str before = body;
    uint32_t tries = 0;
    while (before.len >= name.len && tries < REPORT_TRIES_MAX) {
        const char *quote = memrchr(before.data, '"', before.len - name.len + 1);
        if (quote == NULL) {
            return false;
        }
        struct str rest = str_skip(body, (size_t)(quote - body.data));
        before.len = (size_t)(quote - body.data) + name.len - 1;
        if (!str_starts(rest, name)) {
            continue;
        }
        tries++;
        rest = str_trim(str_skip(rest, name.len));
        struct json_value report;
        if (rest.len > 0 && rest.data[0] == ':' &&
            json_prefix(str_skip(rest, 1), &report) == ERR_OK && report.kind == JSON_OBJECT) {
            struct outer outer = no_members();
            outer.usage = report;
            return read_report(dialect, &outer, elements->usage, &elements->gemini);
        }
    }
    return false;
}

bool
usage_read_body(enum dialect dialect, struct str body, struct usage *out)
{
    *out = (struct usage){ .source = USAGE_NONE };
    struct elements elements = { .dialect = dialect, .usage = out };
    struct outer outer = no_members();
    struct json_value array;
    enum json_kind kind = JSON_NULL;
    if (json_scan(body, on_outer, &outer, &kind, NULL) != ERR_OK) {
        elements.is_found = read_backwards(dialect, body, &elements);
    } else if (kind == JSON_OBJECT) {
        elements.is_found = read_outer(dialect, &outer, out, &elements.gemini);
    } else if (kind == JSON_ARRAY && json_read(body, &array, NULL) == ERR_OK) {
        elements.is_found =
            json_scan_array(array, on_element, &elements) == ERR_OK && elements.is_found;
    }
    if (!elements.is_found) {
        *out = (struct usage){ .source = USAGE_NONE };
    } else {
        out->source = USAGE_UPSTREAM;
    }
    return elements.is_found;
}

/* --- the words of an event --- */

enum word {
    WORD_USAGE = 1,  /* a report, not null */
    WORD_FINISH = 2, /* a reason to be finished, not null and not empty */
    WORD_ERROR = 4,  /* an error, not null */
    WORD_CONTENT = 8 /* text or a call */
};

enum word_value { VALUE_OBJECT, VALUE_TEXT, VALUE_ANY };

#define WORD_DIALECTS(d) DIALECT_BIT(DIALECT_##d)

/* What to look for in events of which dialects; the closing quote belongs to the word. */
static const struct {
    struct str text;
    enum word word;
    enum word_value value;
    uint32_t dialects;
} words[] = {
    { { "usage\"", 6 }, WORD_USAGE, VALUE_OBJECT, WORD_DIALECTS(CHAT) },
    { { "finish_reason\"", 14 }, WORD_FINISH, VALUE_TEXT, WORD_DIALECTS(CHAT) },
    { { "content\"", 8 }, WORD_CONTENT, VALUE_TEXT, WORD_DIALECTS(CHAT) },
    { { "reasoning_content\"", 18 }, WORD_CONTENT, VALUE_TEXT, WORD_DIALECTS(CHAT) },
    { { "reasoning\"", 10 }, WORD_CONTENT, VALUE_TEXT, WORD_DIALECTS(CHAT) },
    { { "refusal\"", 8 }, WORD_CONTENT, VALUE_TEXT, WORD_DIALECTS(CHAT) },
    { { "arguments\"", 10 }, WORD_CONTENT, VALUE_TEXT, WORD_DIALECTS(CHAT) },
    { { "text\"", 5 },
      WORD_CONTENT,
      VALUE_TEXT,
      WORD_DIALECTS(CHAT) | WORD_DIALECTS(ANTHROPIC) | WORD_DIALECTS(GEMINI) },
    { { "thinking\"", 9 }, WORD_CONTENT, VALUE_TEXT, WORD_DIALECTS(ANTHROPIC) },
    { { "partial_json\"", 13 }, WORD_CONTENT, VALUE_TEXT, WORD_DIALECTS(ANTHROPIC) },
    { { "delta\"", 6 }, WORD_CONTENT, VALUE_TEXT, WORD_DIALECTS(CHAT) | WORD_DIALECTS(RESPONSES) },
    { { "usageMetadata\"", 14 }, WORD_USAGE, VALUE_OBJECT, WORD_DIALECTS(GEMINI) },
    { { "finishReason\"", 13 }, WORD_FINISH, VALUE_TEXT, WORD_DIALECTS(GEMINI) },
    { { "blockReason\"", 12 }, WORD_FINISH, VALUE_TEXT, WORD_DIALECTS(GEMINI) },
    { { "functionCall\"", 13 }, WORD_CONTENT, VALUE_OBJECT, WORD_DIALECTS(GEMINI) },
    { { "inlineData\"", 11 }, WORD_CONTENT, VALUE_OBJECT, WORD_DIALECTS(GEMINI) },
    { { "error\"", 6 }, WORD_ERROR, VALUE_ANY, WORD_DIALECTS(CHAT) | WORD_DIALECTS(GEMINI) },
};

struct look {
    uint32_t words;         /* enum word bits */
    uint64_t text_quarters; /* of the texts under WORD_CONTENT */
};

/* The end of the string whose content begins at `at`: its closing quote, or `end`. */
static const char *
string_end(const char *at, const char *end)
{
    const char *from = at;
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (quote == NULL) {
            return end;
        }
        const char *slash = quote;
        while (slash > from && slash[-1] == '\\') {
            slash--;
        }
        if ((quote - slash) % 2 == 0) {
            return quote;
        }
        at = quote + 1;
    }
    return end;
}

/* The value's first byte behind a name's closing quote; NULL when no member's name stands there. */
static const char *
value_behind(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    if (at == end || *at != ':') {
        return NULL;
    }
    at++;
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at == end ? NULL : at;
}

/* Takes note of the word at `at` (behind a quote) when it is one; returns where to go on. */
static const char *
look_at_word(struct look *look, uint32_t dialects, const char *at, const char *end)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct str text = words[i].text;
        if (*at != text.data[0] || (words[i].dialects & dialects) == 0 ||
            (size_t)(end - at) < text.len || memcmp(at, text.data, text.len) != 0) {
            continue;
        }
        const char *value = value_behind(at + text.len, end);
        if (value == NULL) {
            return at + text.len;
        }
        if (*value == '"' && value + 1 < end && value[1] != '"' && words[i].value != VALUE_OBJECT) {
            const char *close = string_end(value + 1, end);
            look->words |= words[i].word;
            if (words[i].word == WORD_CONTENT) {
                struct str content = str_make(value + 1, (size_t)(close - value - 1));
                look->text_quarters += estimate_quarters(content);
            }
            return close < end ? close + 1 : end;
        }
        if (*value == '{' && words[i].value != VALUE_TEXT) {
            look->words |= words[i].word;
        }
        return value;
    }
    return at;
}

static struct look
look_over(uint32_t dialects, struct str data)
{
    /* First letters of the words: most quotes are told apart here. */
    static const uint32_t letters = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 |
                                    1u << 8 | 1u << 15 | 1u << 17 | 1u << 19 | 1u << 20;
    struct look look = { 0, 0 };
    const char *at = data.data;
    const char *end = data.data + data.len;
    while (at < end && (at = memchr(at, '"', (size_t)(end - at))) != NULL) {
        at++;
        if (at < end && *at >= 'a' && *at <= 'z' && (letters >> (*at - 'a') & 1) != 0) {
            at = look_at_word(&look, dialects, at, end);
        }
    }
    return look;
}

/* --- events --- */

void
usage_stream_init(struct usage_stream *stream, enum dialect dialect)
{
    *stream = (struct usage_stream){ .dialect = dialect };
}

static uint32_t
content(struct usage_stream *stream, const struct look *look)
{
    if ((look->words & WORD_CONTENT) == 0) {
        return 0;
    }
    stream->deltas++;
    stream->text_quarters += look->text_quarters;
    return USAGE_EVENT_CONTENT;
}

static bool
read_members(struct str data, struct outer *outer)
{
    *outer = no_members();
    return json_scan(data, on_outer, outer, NULL, NULL) == ERR_OK;
}

static bool
is_error(struct json_value value)
{
    return value.kind == JSON_OBJECT || (value.kind == JSON_STRING && value.raw.len > 2);
}

/* The last events of the OpenAI streams beside chat: audio and images. */
static bool
is_media_end(struct str name)
{
    return str_equal(name, STR("transcript.text.done")) ||
           str_equal(name, STR("image_generation.completed")) ||
           str_equal(name, STR("image_edit.completed"));
}

static uint32_t
chat_event(struct usage_stream *stream, struct str name, struct str data)
{
    if (str_starts(data, STR("[DONE]"))) {
        return USAGE_EVENT_DONE | USAGE_EVENT_END;
    }
    struct look look = look_over(WORD_DIALECTS(CHAT), data);
    uint32_t bits =
        is_media_end(name) ? (uint32_t)USAGE_EVENT_DONE | USAGE_EVENT_END : content(stream, &look);
    bits |= (look.words & WORD_FINISH) != 0 ? (uint32_t)USAGE_EVENT_DONE : 0;
    struct outer outer;
    if ((look.words & (WORD_USAGE | WORD_ERROR)) != 0 && read_members(data, &outer)) {
        if (is_error(outer.error)) {
            return bits | USAGE_EVENT_FAILED;
        }
        if (read_report(DIALECT_CHAT, &outer, &stream->usage, &stream->gemini)) {
            bits |= USAGE_EVENT_USAGE;
            bool has_choices = outer.choices.kind == JSON_ARRAY &&
                               memchr(outer.choices.raw.data, '{', outer.choices.raw.len) != NULL;
            bits |=
                outer.choices.kind == JSON_ARRAY && !has_choices ? (uint32_t)USAGE_EVENT_ONLY : 0;
        }
    }
    return str_equal(name, STR("error")) ? bits | USAGE_EVENT_FAILED : bits;
}

static void
take_id(struct usage_stream *stream, struct json_value id)
{
    if (id.kind == JSON_STRING && !id.is_escaped) {
        (void)str_copy(stream->response_id, sizeof stream->response_id,
                       str_make(id.raw.data + 1, id.raw.len - 2));
    }
}

/* The events of a responses stream that end it, and the one that begins it. */
static uint32_t
responses_kind(struct str name)
{
    if (str_equal(name, STR("response.completed")) || str_equal(name, STR("response.incomplete")) ||
        str_equal(name, STR("response.done"))) {
        return USAGE_EVENT_DONE | USAGE_EVENT_END;
    }
    if (str_equal(name, STR("response.failed")) || str_equal(name, STR("response.cancelled")) ||
        str_equal(name, STR("error"))) {
        return USAGE_EVENT_FAILED | USAGE_EVENT_END;
    }
    return 0;
}

/* An event without a name has it in its data. */
static struct str
type_of(const struct outer *outer)
{
    if (outer->type.kind != JSON_STRING) {
        return str_make(NULL, 0);
    }
    return str_make(outer->type.raw.data + 1, outer->type.raw.len - 2);
}

static uint32_t
responses_event(struct usage_stream *stream, struct str name, struct str data)
{
    struct outer outer;
    if (str_starts(data, STR("[DONE]"))) {
        return 0; /* old relays put it behind the terminal event */
    }
    bool is_read = false;
    if (name.len == 0) {
        is_read = read_members(data, &outer);
        name = is_read ? type_of(&outer) : name;
    }
    if (str_ends(name, STR(".delta"))) {
        struct look look = look_over(WORD_DIALECTS(RESPONSES), data);
        return content(stream, &look);
    }
    uint32_t bits = responses_kind(name);
    if (bits == 0 && !str_equal(name, STR("response.created"))) {
        return 0;
    }
    struct outer inner = no_members();
    if ((!is_read && !read_members(data, &outer)) ||
        json_scan_object(outer.response, on_outer, &inner) != ERR_OK) {
        return bits;
    }
    take_id(stream, inner.id);
    if (read_report(DIALECT_RESPONSES, &inner, &stream->usage, &stream->gemini)) {
        bits |= USAGE_EVENT_USAGE;
    }
    return bits;
}

static uint32_t
anthropic_event(struct usage_stream *stream, struct str name, struct str data)
{
    struct outer outer;
    bool is_read = false;
    if (name.len == 0) {
        is_read = read_members(data, &outer);
        name = is_read ? type_of(&outer) : name;
    }
    if (str_equal(name, STR("content_block_delta"))) {
        struct look look = look_over(WORD_DIALECTS(ANTHROPIC), data);
        return content(stream, &look);
    }
    if (str_equal(name, STR("message_stop"))) {
        return USAGE_EVENT_DONE | USAGE_EVENT_END;
    }
    if (str_equal(name, STR("error"))) {
        return USAGE_EVENT_FAILED | USAGE_EVENT_END;
    }
    bool is_start = str_equal(name, STR("message_start"));
    if ((!is_start && !str_equal(name, STR("message_delta"))) ||
        (!is_read && !read_members(data, &outer))) {
        return 0;
    }
    struct json_value found;
    uint32_t bits = 0;
    if (is_start && json_get(outer.message, STR("usage"), &found)) {
        bits |= report_anthropic(&stream->usage, found, false) ? (uint32_t)USAGE_EVENT_USAGE : 0;
    } else if (!is_start) {
        bits |=
            report_anthropic(&stream->usage, outer.usage, true) ? (uint32_t)USAGE_EVENT_USAGE : 0;
        bool is_done = json_get(outer.delta, STR("stop_reason"), &found) &&
                       found.kind == JSON_STRING && found.raw.len > 2;
        bits |= is_done ? (uint32_t)USAGE_EVENT_DONE : 0;
    }
    return bits;
}

static uint32_t
gemini_event(struct usage_stream *stream, struct str name, struct str data)
{
    struct look look = look_over(WORD_DIALECTS(GEMINI), data);
    uint32_t bits = content(stream, &look);
    bits |= (look.words & WORD_FINISH) != 0 ? (uint32_t)USAGE_EVENT_DONE : 0;
    struct outer outer;
    if ((look.words & (WORD_USAGE | WORD_ERROR)) != 0 && read_members(data, &outer)) {
        if (is_error(outer.error)) {
            return bits | USAGE_EVENT_FAILED;
        }
        bool has_usage = read_outer(DIALECT_GEMINI, &outer, &stream->usage, &stream->gemini);
        bits |= has_usage ? (uint32_t)USAGE_EVENT_USAGE : 0;
    }
    return str_equal(name, STR("error")) ? bits | USAGE_EVENT_FAILED : bits;
}

uint32_t
usage_event(struct usage_stream *stream, struct str name, struct str data)
{
    uint32_t bits = 0;
    stream->events++;
    switch (stream->dialect) {
    case DIALECT_CHAT:
        bits = chat_event(stream, name, data);
        break;
    case DIALECT_RESPONSES:
        bits = responses_event(stream, name, data);
        break;
    case DIALECT_ANTHROPIC:
        bits = anthropic_event(stream, name, data);
        break;
    case DIALECT_GEMINI:
        bits = gemini_event(stream, name, data);
        break;
    case DIALECT_COUNT:
        break;
    }
    stream->seen |= bits;
    return bits;
}

/* --- at the end --- */

void
usage_finish(struct usage_stream *stream, uint64_t input_tokens, bool is_complete)
{
    struct usage *usage = &stream->usage;
    uint64_t seen = (stream->text_quarters + 3) / 4;
    seen = seen == 0 && stream->deltas > 0 ? 1 : seen;
    if (!is_complete && (stream->seen & USAGE_EVENT_USAGE) == 0 && stream->deltas == 0) {
        usage->source = USAGE_NONE;
        return;
    }
    usage->source = is_complete ? USAGE_UPSTREAM : USAGE_PARTIAL;
    if ((usage->known & USAGE_INPUT) == 0) {
        usage->in_fresh = input_tokens;
        usage->source = USAGE_ESTIMATED;
    }
    bool is_known = (usage->known & USAGE_OUTPUT) != 0;
    if (!is_known || (!is_complete && usage->out_total < seen)) {
        usage->out_total = usage->out_total > seen ? usage->out_total : seen;
        usage->source = USAGE_ESTIMATED;
    }
}

void
usage_estimate(struct usage *usage, uint64_t input_tokens, struct str body)
{
    struct look look = look_over(DIALECT_MASK_ALL, body);
    *usage = (struct usage){ .in_fresh = input_tokens,
                             .out_total = (look.text_quarters + 3) / 4,
                             .source = USAGE_ESTIMATED };
}

const char *
usage_source_name(enum usage_source source)
{
    switch (source) {
    case USAGE_NONE:
        return "none";
    case USAGE_UPSTREAM:
        return "upstream";
    case USAGE_PARTIAL:
        return "partial";
    case USAGE_ESTIMATED:
        return "estimated";
    }
    return "none";
}

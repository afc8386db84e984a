/*
 * usage.c - reading a provider's token counts (see usage.h).
 *
 * report.c reads a report; here are the two ways to find one: in a whole body, and in a stream's
 * events, where words.c tells which are worth a closer look.
 */
#include "proto/usage.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/json.h"
#include "proto/report.h"
#include "proto/words.h"

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
        /* The first letter spares most comparisons; an escape may hide it. */
        if ((member->name_is_escaped || (member->name.len == wanted[i].name.len &&
                                         member->name.data[0] == wanted[i].name.data[0])) &&
            json_name_is(member, wanted[i].name)) {
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

/* The report of an object in this dialect, and what tells the price beside it. `rest`: report.h. */
static bool
read_report(enum dialect dialect, const struct outer *outer, struct usage *usage,
            struct usage_gemini *gemini, struct str *rest)
{
    struct json_value report = outer->usage;
    bool is_found = false;
    switch (dialect) {
    case DIALECT_CHAT:
    case DIALECT_RESPONSES:
        if (report.kind != JSON_OBJECT && !json_get(outer->relay, STR("usage"), &report)) {
            break;
        }
        is_found = report_openai(usage, report, rest);
        break;
    case DIALECT_ANTHROPIC:
        is_found = report_anthropic(usage, report, true, rest);
        break;
    case DIALECT_GEMINI:
        is_found = report_gemini(usage, gemini, report, rest);
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
               read_report(dialect, &inner, usage, gemini, NULL);
    }
    return read_report(dialect, outer, usage, gemini, NULL);
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

/* Offset of the last `name`, which has its quotes, in `text`. */
static bool
find_last(struct str text, struct str name, size_t *out)
{
    size_t left = text.len < name.len ? 0 : text.len - name.len + 1; /* places not looked at */
#if defined(__SSE2__)
    /* Sixteen places a step: first letter and closing quote tell nearly all apart. */
    __m128i letter = _mm_set1_epi8(name.data[1]);
    __m128i quote = _mm_set1_epi8('"');
    for (; left >= 16; left -= 16) {
        const char *from = text.data + left - 16;
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(from + 1));
        __m128i y = _mm_loadu_si128((const __m128i *)(const void *)(from + name.len - 1));
        x = _mm_and_si128(_mm_cmpeq_epi8(x, letter), _mm_cmpeq_epi8(y, quote));
        unsigned mask = (unsigned)_mm_movemask_epi8(x);
        while (mask != 0) {
            unsigned top = 31u - (unsigned)__builtin_clz(mask);
            if (memcmp(from + top, name.data, name.len) == 0) {
                *out = (size_t)(from + top - text.data);
                return true;
            }
            mask &= ~(1u << top);
        }
    }
#endif
    while (left-- > 0) {
        if (memcmp(text.data + left, name.data, name.len) == 0) {
            *out = left;
            return true;
        }
    }
    return false;
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
            return read_report(dialect, &outer, elements->usage, &elements->gemini, NULL);
        }
    }
    return false;
}

/*
 * The report of an ordinary body, without a look at the long answer before it:
 *
 *      {"id": ... ,"usage":{...},"more":"x"}
 *                  ^       ^    ^ the rest reads as the members of an object that ends the text, so
 *                  |       |      the report is a member of the outermost object
 *                  |       one object
 *                  the last of this name; an earlier one would not count
 *
 * A service tier may stand before it, so one seen there, like all else, is left to the full scan.
 * true: *is_found is what the full scan would say.
 */
static bool
read_at_end(enum dialect dialect, struct str body, struct elements *elements)
{
    struct str name = dialect == DIALECT_GEMINI ? STR("\"usageMetadata\"") : STR("\"usage\"");
    size_t at;
    struct outer outer = no_members();
    /* Behind a backslash that quote belongs to a string's text. */
    if (!find_last(body, name, &at) || at == 0 || body.data[at - 1] == '\\') {
        return false;
    }
    struct str rest = str_trim(str_skip(body, at + name.len));
    if (rest.len == 0 || rest.data[0] != ':') {
        return false;
    }
    rest = str_trim(str_skip(rest, 1));
    outer.usage.kind = rest.len > 0 && rest.data[0] == '{' ? JSON_OBJECT : JSON_NULL;
    outer.usage.raw = rest;
    struct str behind = { NULL, 0 };
    bool is_found = read_report(dialect, &outer, elements->usage, &elements->gemini, &behind);
    size_t tier_at;
    if (behind.data == NULL || json_scan_rest(behind, on_outer, &outer) != ERR_OK ||
        outer.usage.raw.data != rest.data ||
        (outer.tier.raw.len == 0 &&
         find_last(str_make(body.data, at), STR("\"service_tier\""), &tier_at))) {
        *elements->usage = (struct usage){ .source = USAGE_NONE };
        elements->gemini = (struct usage_gemini){ .known = 0 };
        return false;
    }
    report_tier(elements->usage, outer.tier);
    elements->is_found = is_found;
    return true;
}

bool
usage_read_body(enum dialect dialect, struct str body, struct usage *out)
{
    *out = (struct usage){ .source = USAGE_NONE };
    struct elements elements = { .dialect = dialect, .usage = out };
    struct outer outer = no_members();
    struct json_value array;
    enum json_kind kind = JSON_NULL;
    if (read_at_end(dialect, body, &elements)) {
        /* found, or known not to be there */
    } else if (json_scan(body, on_outer, &outer, &kind, NULL) != ERR_OK) {
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

/* --- events --- */

void
usage_stream_init(struct usage_stream *stream, enum dialect dialect)
{
    memset(stream, 0, offsetof(struct usage_stream, words.before)); /* the texts may stay */
    stream->dialect = dialect;
}

static uint32_t
content(struct usage_stream *stream, const struct words *look)
{
    if ((look->seen & WORDS_CONTENT) == 0) {
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

/* A chat event that says more than text. Apart, so that a delta makes no room for all its members.
 */
static __attribute__((noinline)) uint32_t
chat_report(struct usage_stream *stream, struct str data)
{
    struct outer outer;
    if (!read_members(data, &outer)) {
        return 0;
    }
    if (is_error(outer.error)) {
        return USAGE_EVENT_FAILED;
    }
    if (!read_report(DIALECT_CHAT, &outer, &stream->usage, &stream->gemini, NULL)) {
        return 0;
    }
    bool is_list = outer.choices.kind == JSON_ARRAY;
    bool has_choices =
        is_list && memchr(outer.choices.raw.data, '{', outer.choices.raw.len) != NULL;
    return USAGE_EVENT_USAGE | (is_list && !has_choices ? (uint32_t)USAGE_EVENT_ONLY : 0);
}

static uint32_t
chat_event(struct usage_stream *stream, struct str name, struct str data)
{
    if (str_starts(data, STR("[DONE]"))) {
        return USAGE_EVENT_DONE | USAGE_EVENT_END;
    }
    struct words look = words_look_again(&stream->words, DIALECT_BIT(DIALECT_CHAT), data);
    uint32_t bits =
        is_media_end(name) ? (uint32_t)USAGE_EVENT_DONE | USAGE_EVENT_END : content(stream, &look);
    bits |= (look.seen & WORDS_FINISH) != 0 ? (uint32_t)USAGE_EVENT_DONE : 0;
    if ((look.seen & (WORDS_USAGE | WORDS_ERROR)) != 0) {
        bits |= chat_report(stream, data);
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
        struct words look = words_look_again(&stream->words, DIALECT_BIT(DIALECT_RESPONSES), data);
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
    if (read_report(DIALECT_RESPONSES, &inner, &stream->usage, &stream->gemini, NULL)) {
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
        struct words look = words_look_again(&stream->words, DIALECT_BIT(DIALECT_ANTHROPIC), data);
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
        bits |=
            report_anthropic(&stream->usage, found, false, NULL) ? (uint32_t)USAGE_EVENT_USAGE : 0;
    } else if (!is_start) {
        bits |= report_anthropic(&stream->usage, outer.usage, true, NULL)
                    ? (uint32_t)USAGE_EVENT_USAGE
                    : 0;
        bool is_done = json_get(outer.delta, STR("stop_reason"), &found) &&
                       found.kind == JSON_STRING && found.raw.len > 2;
        bits |= is_done ? (uint32_t)USAGE_EVENT_DONE : 0;
    }
    return bits;
}

static uint32_t
gemini_event(struct usage_stream *stream, struct str name, struct str data)
{
    struct words look = words_look_again(&stream->words, DIALECT_BIT(DIALECT_GEMINI), data);
    uint32_t bits = content(stream, &look);
    bits |= (look.seen & WORDS_FINISH) != 0 ? (uint32_t)USAGE_EVENT_DONE : 0;
    struct outer outer;
    if ((look.seen & (WORDS_USAGE | WORDS_ERROR)) != 0 && read_members(data, &outer)) {
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
    struct words look = words_look(DIALECT_MASK_ALL, body);
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

/*
 * peek.c - the few things to know of a request body (see peek.h).
 *
 * One json_scan over the body: on_member() notes where the interesting values are, and what decides
 * is refused on the spot. What is only needed once (session, limits inside generationConfig) is
 * decoded after the scan from the noted values.
 */
#include "proto/peek.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/digest.h"
#include "base/json.h"
#include "proto/estimate.h"
#include "proto/multipart.h"

#define NAME_TEXT_BYTES 64        /* no interesting name is longer, escapes resolved */
#define SESSION_SOURCE_BYTES 2048 /* of a metadata.user_id that is looked into */

enum field {
    FIELD_MODEL,
    FIELD_STREAM,
    FIELD_MAX_TOKENS,
    FIELD_MAX_COMPLETION_TOKENS,
    FIELD_MAX_OUTPUT_TOKENS,
    FIELD_N,
    FIELD_STREAM_OPTIONS,
    FIELD_CACHE_KEY,
    FIELD_METADATA,
    FIELD_USER,
    FIELD_SAFETY_ID,
    FIELD_PREVIOUS_RESPONSE,
    FIELD_SERVICE_TIER,
    FIELD_SPEED,
    FIELD_GENERATION_CONFIG,
    FIELD_GENERATION_CONFIG_SNAKE,
    FIELD_SYSTEM,
    FIELD_INSTRUCTIONS,
    FIELD_SYSTEM_INSTRUCTION,
    FIELD_SYSTEM_INSTRUCTION_SNAKE,
    FIELD_MESSAGES,
    FIELD_INPUT,
    FIELD_CONTENTS,
    FIELD_COUNT
};

/* The first FIELDS_GUARDED decide about access and money: never twice, never in another case. */
#define FIELDS_GUARDED (FIELD_STREAM_OPTIONS + 1)

/* Literals: each has its NUL behind it. */
static const struct str fields[FIELD_COUNT] = {
    [FIELD_MODEL] = { "model", 5 },
    [FIELD_STREAM] = { "stream", 6 },
    [FIELD_MAX_TOKENS] = { "max_tokens", 10 },
    [FIELD_MAX_COMPLETION_TOKENS] = { "max_completion_tokens", 21 },
    [FIELD_MAX_OUTPUT_TOKENS] = { "max_output_tokens", 17 },
    [FIELD_N] = { "n", 1 },
    [FIELD_STREAM_OPTIONS] = { "stream_options", 14 },
    [FIELD_CACHE_KEY] = { "prompt_cache_key", 16 },
    [FIELD_METADATA] = { "metadata", 8 },
    [FIELD_USER] = { "user", 4 },
    [FIELD_SAFETY_ID] = { "safety_identifier", 17 },
    [FIELD_PREVIOUS_RESPONSE] = { "previous_response_id", 20 },
    [FIELD_SERVICE_TIER] = { "service_tier", 12 },
    [FIELD_SPEED] = { "speed", 5 },
    [FIELD_GENERATION_CONFIG] = { "generationConfig", 16 },
    [FIELD_GENERATION_CONFIG_SNAKE] = { "generation_config", 17 },
    [FIELD_SYSTEM] = { "system", 6 },
    [FIELD_INSTRUCTIONS] = { "instructions", 12 },
    [FIELD_SYSTEM_INSTRUCTION] = { "systemInstruction", 17 },
    [FIELD_SYSTEM_INSTRUCTION_SNAKE] = { "system_instruction", 18 },
    [FIELD_MESSAGES] = { "messages", 8 },
    [FIELD_INPUT] = { "input", 5 },
    [FIELD_CONTENTS] = { "contents", 8 },
};

/* Which fields have names of this length: few of them are compared with a member's name. */
#define BIT(field) (1u << FIELD_##field)
static const uint32_t fields_of_length[NAME_TEXT_BYTES + 1] = {
    [1] = BIT(N),
    [4] = BIT(USER),
    [5] = BIT(MODEL) | BIT(INPUT) | BIT(SPEED),
    [6] = BIT(STREAM) | BIT(SYSTEM),
    [8] = BIT(METADATA) | BIT(MESSAGES) | BIT(CONTENTS),
    [10] = BIT(MAX_TOKENS),
    [12] = BIT(SERVICE_TIER) | BIT(INSTRUCTIONS),
    [14] = BIT(STREAM_OPTIONS),
    [16] = BIT(CACHE_KEY) | BIT(GENERATION_CONFIG),
    [17] = BIT(MAX_OUTPUT_TOKENS) | BIT(SAFETY_ID) | BIT(GENERATION_CONFIG_SNAKE) |
           BIT(SYSTEM_INSTRUCTION),
    [18] = BIT(SYSTEM_INSTRUCTION_SNAKE),
    [20] = BIT(PREVIOUS_RESPONSE),
    [21] = BIT(MAX_COMPLETION_TOKENS),
};
#undef BIT
_Static_assert(FIELD_COUNT <= 32, "a bit a field");

struct look {
    struct peek *peek;
    struct peek_error *error;
    struct str body;
    bool is_guarded; /* the endpoint's model stands in the body */
    bool is_refused;
    uint32_t seen; /* a bit a field */
    struct json_value values[FIELD_COUNT];
};

__attribute__((format(printf, 4, 5), cold)) static enum err
refuse(struct peek_error *error, const char *code, const char *param, const char *format, ...)
{
    error->status = 400;
    error->code = code;
    error->param = param;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return ERR_BAD;
}

static struct peek_span
span_in(struct str body, struct str part)
{
    return (struct peek_span){ (size_t)(part.data - body.data), part.len };
}

/* Lower case as a lenient upstream folds it: the long s and the Kelvin sign are letters too. */
static struct str
fold(struct str name, char out[NAME_TEXT_BYTES])
{
    size_t len = 0;
    while (name.len > 0 && len < NAME_TEXT_BYTES) {
        if (str_starts(name, STR("\xc5\xbf"))) {
            out[len++] = 's';
            name = str_skip(name, 2);
        } else if (str_starts(name, STR("\xe2\x84\xaa"))) {
            out[len++] = 'k';
            name = str_skip(name, 3);
        } else {
            out[len++] = str_lower(name.data[0]);
            name = str_skip(name, 1);
        }
    }
    return str_make(out, len);
}

/* The field of this decoded name; FIELD_COUNT when it is none. *is_variant: written otherwise. */
static enum field
find_field(struct str name, bool *is_variant)
{
    *is_variant = false;
    CHECK(name.len <= NAME_TEXT_BYTES);
    for (uint32_t bits = fields_of_length[name.len]; bits != 0; bits &= bits - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(bits);
        if (str_equal(name, fields[i])) {
            return (enum field)i;
        }
    }
    char folded_text[NAME_TEXT_BYTES];
    struct str folded = fold(name, folded_text);
    for (uint32_t i = 0; i < FIELDS_GUARDED; i++) {
        if (str_equal(folded, fields[i])) {
            *is_variant = true;
            return (enum field)i;
        }
    }
    return FIELD_COUNT;
}

static bool
on_member(void *context, const struct json_member *member)
{
    struct look *look = context;
    look->peek->members_end = member->value_offset + member->value.raw.len;
    look->peek->has_members = true;
    char decoded[NAME_TEXT_BYTES];
    struct str name = member->name;
    if (member->name_is_escaped) {
        size_t len;
        if (!json_unescape(name, decoded, sizeof decoded, &len)) {
            return true;
        }
        name = str_make(decoded, len);
    }
    bool is_variant = false;
    enum field field = name.len > NAME_TEXT_BYTES ? FIELD_COUNT : find_field(name, &is_variant);
    if (field == FIELD_COUNT) {
        return true;
    }
    bool is_again = (look->seen & 1u << field) != 0;
    if (look->is_guarded && field < FIELDS_GUARDED && (is_variant || is_again)) {
        const char *text = fields[field].data;
        look->is_refused = true;
        (void)refuse(look->error, "invalid_request", text,
                     is_variant ? "The field `%s` must be written in lower case."
                                : "The field `%s` must not appear twice.",
                     text);
        return false;
    }
    if (!is_variant && !is_again) {
        look->seen |= 1u << field;
        look->values[field] = member->value;
    }
    return true;
}

static bool
has(const struct look *look, enum field field)
{
    return (look->seen & 1u << field) != 0 && look->values[field].kind != JSON_NULL;
}

static bool
has_control(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f) {
            return true;
        }
    }
    return false;
}

/* A model name, decoded, into peek->model. */
static enum err
take_model(struct peek *peek, struct str model, struct peek_error *error)
{
    if (model.len == 0) {
        return refuse(error, "missing_model", "model", "The field `model` is empty.");
    }
    if (model.len >= MODEL_NAME_BYTES || has_control(model)) {
        return refuse(error, "invalid_request", "model",
                      "The field `model` must be a name of at most %u bytes.",
                      MODEL_NAME_BYTES - 1);
    }
    memcpy(peek->model, model.data, model.len);
    peek->model[model.len] = '\0';
    return ERR_OK;
}

/* No model in the body: some endpoints have a default, the rest need one. */
static enum err
take_default(struct peek *peek, const struct endpoint_row *row, struct peek_error *error)
{
    if (row->model_default == NULL) {
        return refuse(error, "missing_model", "model", "The field `model` is missing.");
    }
    CHECK(str_copy(peek->model, sizeof peek->model, str_of(row->model_default)));
    return ERR_OK;
}

static enum err
read_model(struct look *look, const struct endpoint_row *row)
{
    if (!has(look, FIELD_MODEL)) {
        if ((look->seen & 1u << FIELD_MODEL) != 0) {
            /* A null must be replaced where it stands when the model is mapped. */
            look->peek->model_span = span_in(look->body, look->values[FIELD_MODEL].raw);
        }
        return take_default(look->peek, row, look->error);
    }
    struct json_value value = look->values[FIELD_MODEL];
    if (value.kind != JSON_STRING) {
        return refuse(look->error, "invalid_request", "model",
                      "The field `model` must be a string.");
    }
    look->peek->model_span = span_in(look->body, value.raw);
    struct str content = str_make(value.raw.data + 1, value.raw.len - 2);
    char decoded[MODEL_NAME_BYTES];
    if (value.is_escaped) {
        size_t len;
        if (!json_unescape(content, decoded, sizeof decoded, &len)) {
            len = sizeof decoded;
        }
        content = str_make(decoded, len);
    }
    return take_model(look->peek, content, look->error);
}

static enum err
read_stream(struct look *look)
{
    if (!has(look, FIELD_STREAM)) {
        return ERR_OK;
    }
    look->peek->has_stream = true;
    if (json_bool(look->values[FIELD_STREAM], &look->peek->stream) != ERR_OK) {
        return refuse(look->error, "invalid_request", "stream",
                      "The field `stream` must be true or false.");
    }
    return ERR_OK;
}

static void
take_max(struct peek *peek, struct json_value value)
{
    uint64_t count = 0;
    bool is_good = json_u64(value, &count) == ERR_OK && count > peek->output_tokens_max;
    peek->output_tokens_max = is_good ? count : peek->output_tokens_max;
}

/* How many answers are asked for; what is no number is left for the provider to refuse. */
static void
take_answers(struct peek *peek, struct json_value value)
{
    uint64_t count;
    if (json_u64(value, &count) == ERR_OK && count > 0) {
        peek->answers = count > PEEK_ANSWERS_MAX ? PEEK_ANSWERS_MAX : (uint32_t)count;
    }
}

static void
read_limits(struct look *look)
{
    if (has(look, FIELD_N)) {
        take_answers(look->peek, look->values[FIELD_N]);
    }
    for (uint32_t i = FIELD_MAX_TOKENS; i <= FIELD_MAX_OUTPUT_TOKENS; i++) {
        if (has(look, (enum field)i)) {
            take_max(look->peek, look->values[i]);
        }
    }
    for (uint32_t i = FIELD_GENERATION_CONFIG; i <= FIELD_GENERATION_CONFIG_SNAKE; i++) {
        struct json_value value;
        if (!has(look, (enum field)i)) {
            continue;
        }
        if (json_get(look->values[i], STR("maxOutputTokens"), &value) ||
            json_get(look->values[i], STR("max_output_tokens"), &value)) {
            take_max(look->peek, value);
        }
        if (json_get(look->values[i], STR("candidateCount"), &value) ||
            json_get(look->values[i], STR("candidate_count"), &value)) {
            take_answers(look->peek, value);
        }
    }
}

/* --- stream_options --- */

struct options {
    struct look *look;
    bool is_twice;
};

static bool
on_option(void *context, const struct json_member *member)
{
    struct options *options = context;
    struct peek *peek = options->look->peek;
    peek->usage = peek->usage == PEEK_USAGE_EMPTY ? PEEK_USAGE_UNSAID : peek->usage;
    if (json_name_is(member, STR("include_usage"))) {
        options->is_twice = peek->include_usage.bytes != 0;
        peek->include_usage = span_in(options->look->body, member->value.raw);
        peek->usage = member->value.kind == JSON_TRUE ? PEEK_USAGE_ON : PEEK_USAGE_OFF;
    }
    return !options->is_twice;
}

static enum err
read_stream_options(struct look *look)
{
    struct peek *peek = look->peek;
    struct json_value value = look->values[FIELD_STREAM_OPTIONS];
    if ((look->seen & 1u << FIELD_STREAM_OPTIONS) == 0) {
        return ERR_OK;
    }
    peek->stream_options = span_in(look->body, value.raw);
    if (value.kind != JSON_OBJECT) {
        peek->usage = value.kind == JSON_NULL ? PEEK_USAGE_NULL : PEEK_USAGE_ODD;
        return ERR_OK;
    }
    peek->usage = PEEK_USAGE_EMPTY;
    struct options options = { .look = look, .is_twice = false };
    CHECK(json_scan_object(value, on_option, &options) == ERR_OK);
    if (options.is_twice) {
        return refuse(look->error, "invalid_request", "stream_options",
                      "The field `include_usage` must not appear twice.");
    }
    return ERR_OK;
}

/* --- who is talking --- */

/* The text itself when it is short and plain, else the hex of its SHA-256. */
static void
put_session(char out[SESSION_TEXT_BYTES], struct str text)
{
    if (!has_control(text) && str_copy(out, SESSION_TEXT_BYTES, text)) {
        return;
    }
    _Static_assert(SESSION_TEXT_BYTES > 2 * DIGEST_BYTES, "a digest in hex fits");
    struct digest digest;
    digest_sha256(text, &digest);
    digest_hex(digest.bytes, DIGEST_BYTES, out);
}

/* The string decoded into `buffer`; as it stands when it is longer: equal ids stay equal. */
static struct str
decoded(struct json_value value, char *buffer, size_t bytes)
{
    struct str content = str_make(value.raw.data + 1, value.raw.len - 2);
    size_t len;
    if (value.is_escaped && json_unescape(content, buffer, bytes, &len)) {
        return str_make(buffer, len);
    }
    return content;
}

/* Claude Code's user_id holds the session: as JSON, or behind "_session_" in older versions. */
static struct str
session_in(struct str user_id)
{
    struct json_value top;
    struct json_value inner;
    if (user_id.len > 0 && user_id.data[0] == '{' && json_read(user_id, &top, NULL) == ERR_OK &&
        json_get(top, STR("session_id"), &inner) && inner.kind == JSON_STRING &&
        inner.raw.len > 2) {
        return str_make(inner.raw.data + 1, inner.raw.len - 2);
    }
    struct str mark = STR("_session_");
    const char *at =
        user_id.len == 0 ? NULL : memmem(user_id.data, user_id.len, mark.data, mark.len);
    if (at != NULL) {
        struct str rest = str_skip(user_id, (size_t)(at - user_id.data) + mark.len);
        return rest.len > 0 ? rest : user_id;
    }
    return user_id;
}

/* Takes the value as the session unless it is no text. */
static bool
take_session(struct peek *peek, struct json_value value, enum peek_session kind)
{
    char buffer[SESSION_SOURCE_BYTES];
    if (value.kind != JSON_STRING || value.raw.len == 2) {
        return false;
    }
    struct str text = decoded(value, buffer, sizeof buffer);
    put_session(peek->session, kind == PEEK_SESSION_USER_ID ? session_in(text) : text);
    peek->session_kind = kind;
    return true;
}

static void
read_session(struct look *look)
{
    struct peek *peek = look->peek;
    struct json_value user_id;
    if (has(look, FIELD_PREVIOUS_RESPONSE) &&
        look->values[FIELD_PREVIOUS_RESPONSE].kind == JSON_STRING) {
        char buffer[SESSION_SOURCE_BYTES];
        put_session(peek->previous_response,
                    decoded(look->values[FIELD_PREVIOUS_RESPONSE], buffer, sizeof buffer));
    }
    if (has(look, FIELD_CACHE_KEY) &&
        take_session(peek, look->values[FIELD_CACHE_KEY], PEEK_SESSION_CACHE_KEY)) {
        return;
    }
    if (has(look, FIELD_METADATA) &&
        json_get(look->values[FIELD_METADATA], STR("user_id"), &user_id) &&
        take_session(peek, user_id, PEEK_SESSION_USER_ID)) {
        return;
    }
    if (has(look, FIELD_USER) && take_session(peek, look->values[FIELD_USER], PEEK_SESSION_USER)) {
        return;
    }
    if (has(look, FIELD_SAFETY_ID)) {
        (void)take_session(peek, look->values[FIELD_SAFETY_ID], PEEK_SESSION_SAFETY_ID);
    }
}

/* The first of some fields that is there. */
static struct peek_span
span_of_first(const struct look *look, enum field first, enum field last)
{
    for (uint32_t i = first; i <= (uint32_t)last; i++) {
        if (has(look, (enum field)i)) {
            return span_in(look->body, look->values[i].raw);
        }
    }
    return (struct peek_span){ 0, 0 };
}

static void
read_tier(struct look *look)
{
    struct json_value value = look->values[FIELD_SERVICE_TIER];
    if (has(look, FIELD_SERVICE_TIER) && value.kind == JSON_STRING && !value.is_escaped) {
        (void)str_copy(look->peek->service_tier, sizeof look->peek->service_tier,
                       str_make(value.raw.data + 1, value.raw.len - 2));
    }
    /* Anthropic's fast mode has its own price, whatever the tier is. */
    if (has(look, FIELD_SPEED) && json_string_is(look->values[FIELD_SPEED], STR("fast"))) {
        (void)str_copy(look->peek->service_tier, sizeof look->peek->service_tier, STR("fast"));
    }
}

enum err
peek_json(enum endpoint endpoint, struct str body, struct peek *out, struct peek_error *error)
{
    const struct endpoint_row *row = endpoint_row(endpoint);
    *out = (struct peek){ .answers = 1 };
    struct look look = { .peek = out,
                         .error = error,
                         .body = body,
                         .is_guarded = (row->flags & ENDPOINT_MODEL_BODY) != 0 };
    struct json_error bad = { 0, NULL };
    enum json_kind kind = JSON_NULL;
    struct json_weight weight;
    if (json_scan_weighed(body, on_member, &look, &kind, &bad, &weight) != ERR_OK) {
        return refuse(error, "invalid_json", NULL, "The body is not valid JSON at byte %zu: %s.",
                      bad.offset, bad.reason);
    }
    if (look.is_refused) {
        return ERR_BAD;
    }
    if (kind != JSON_OBJECT) {
        return refuse(error, "invalid_request", NULL, "The body must be a JSON object.");
    }
    if (!out->has_members) {
        out->members_end = (size_t)((const char *)memchr(body.data, '{', body.len) - body.data) + 1;
    }
    if (look.is_guarded && (read_model(&look, row) != ERR_OK || read_stream(&look) != ERR_OK ||
                            read_stream_options(&look) != ERR_OK)) {
        return ERR_BAD;
    }
    read_limits(&look);
    read_session(&look);
    out->system = span_of_first(&look, FIELD_SYSTEM, FIELD_SYSTEM_INSTRUCTION_SNAKE);
    out->talk = span_of_first(&look, FIELD_MESSAGES, FIELD_CONTENTS);
    read_tier(&look);
    out->input_tokens = estimate_weighed(body.len, &weight);
    return ERR_OK;
}

/* --- forms --- */

static enum err
read_form_stream(struct peek *peek, struct str text, struct peek_error *error)
{
    peek->has_stream = true;
    peek->stream = str_equal_nocase(text, STR("true")) || str_equal(text, STR("1"));
    if (!peek->stream && !str_equal_nocase(text, STR("false")) && !str_equal(text, STR("0"))) {
        return refuse(error, "invalid_request", "stream",
                      "The field `stream` must be true or false.");
    }
    return ERR_OK;
}

static enum err
read_part(struct peek *peek, struct str body, const struct multipart_part *part,
          struct peek_error *error)
{
    bool is_variant = false;
    enum field field =
        part->name.len > NAME_TEXT_BYTES ? FIELD_COUNT : find_field(part->name, &is_variant);
    if (field == FIELD_N && !is_variant && !part->is_file) {
        take_answers(peek, (struct json_value){ .kind = JSON_NUMBER, .raw = part->content });
    }
    if (field != FIELD_MODEL && field != FIELD_STREAM) {
        peek->input_tokens += part->is_file ? 0 : estimate_tokens(part->content);
        return ERR_OK;
    }
    const char *name = fields[field].data;
    bool is_again = field == FIELD_MODEL ? peek->model_span.offset != 0 : peek->has_stream;
    if (is_variant || is_again || part->is_file) {
        return refuse(error, "invalid_request", name,
                      "The field `%s` must appear once, in lower case and not as a file.", name);
    }
    if (field == FIELD_STREAM) {
        return read_form_stream(peek, part->content, error);
    }
    peek->model_span = span_in(body, part->content);
    return take_model(peek, part->content, error);
}

enum err
peek_multipart(enum endpoint endpoint, struct str body, struct str content_type, struct peek *out,
               struct peek_error *error)
{
    struct multipart form;
    struct multipart_part part;
    *out = (struct peek){ .is_multipart = true, .answers = 1 };
    enum err err = multipart_begin(&form, body, content_type);
    while (err == ERR_OK) {
        err = multipart_next(&form, &part);
        if (err == ERR_OK && read_part(out, body, &part, error) != ERR_OK) {
            return ERR_BAD;
        }
    }
    if (err != ERR_EOF) {
        return refuse(error, "invalid_request", NULL, "The form cannot be read: %s.", form.reason);
    }
    return out->model[0] == '\0' ? take_default(out, endpoint_row(endpoint), error) : ERR_OK;
}

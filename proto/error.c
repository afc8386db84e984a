/*
 * error.c - errors in each dialect (see error.h).
 */
#include "proto/error.h"

#include "base/check.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "proto/verdict.h"

#define SOURCE_BYTES 1024          /* of a provider's text that is looked at for its message */
#define RETRY_AFTER_MS_MAX 3600000 /* a longer wait is no hint but a refusal */

/* --- our own --- */

/* How each dialect calls a status. The last two rows stand for the other 4xx and 5xx. */
static const struct type_row {
    uint32_t status;
    const char *openai;
    const char *anthropic;
    const char *gemini;
} types[] = {
    { 401, "authentication_error", "authentication_error", "UNAUTHENTICATED" },
    { 402, "insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED" },
    { 403, "permission_error", "permission_error", "PERMISSION_DENIED" },
    { 404, "invalid_request_error", "not_found_error", "NOT_FOUND" },
    { 405, "invalid_request_error", "invalid_request_error", "UNIMPLEMENTED" },
    { 408, "invalid_request_error", "invalid_request_error", "DEADLINE_EXCEEDED" },
    { 409, "conflict_error", "conflict_error", "ABORTED" },
    { 412, "invalid_request_error", "invalid_request_error", "FAILED_PRECONDITION" },
    { 413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT" },
    { 429, "rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED" },
    { 499, "invalid_request_error", "invalid_request_error", "CANCELLED" },
    { 502, "server_error", "api_error", "UNAVAILABLE" },
    { 503, "server_error", "overloaded_error", "UNAVAILABLE" },
    { 504, "server_error", "timeout_error", "DEADLINE_EXCEEDED" },
    { 529, "server_error", "overloaded_error", "UNAVAILABLE" },
    { 0, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT" },
    { 0, "server_error", "api_error", "INTERNAL" },
};

static const struct type_row *
type_row(uint32_t status)
{
    uint32_t count = sizeof types / sizeof types[0];
    for (uint32_t i = 0; i < count - 2; i++) {
        if (types[i].status == status) {
            return &types[i];
        }
    }
    return &types[status >= 500 ? count - 1 : count - 2];
}

static void
write_openai(struct jsonw *w, const struct error_info *info)
{
    jsonw_name(w, "error");
    jsonw_object(w);
    jsonw_put_str(w, "message", info->message);
    jsonw_put_text(w, "type", type_row(info->status)->openai);
    jsonw_put_text(w, "param", info->param);
    jsonw_put_text(w, "code", info->code);
    jsonw_close(w);
}

static void
write_anthropic(struct jsonw *w, const struct error_info *info)
{
    jsonw_put_text(w, "type", "error");
    jsonw_name(w, "error");
    jsonw_object(w);
    jsonw_put_text(w, "type", type_row(info->status)->anthropic);
    jsonw_put_str(w, "message", info->message);
    jsonw_put_text(w, "code", info->code);
    jsonw_close(w);
    jsonw_put_text(w, "request_id", info->request_id);
}

static void
write_gemini(struct jsonw *w, const struct error_info *info)
{
    jsonw_name(w, "error");
    jsonw_object(w);
    jsonw_put_u64(w, "code", info->status);
    jsonw_put_str(w, "message", info->message);
    jsonw_put_text(w, "status", type_row(info->status)->gemini);
    /* Google's own place for a reason that programs may read. */
    jsonw_name(w, "details");
    jsonw_array(w);
    jsonw_object(w);
    jsonw_put_text(w, "@type", "type.googleapis.com/google.rpc.ErrorInfo");
    jsonw_put_text(w, "reason", info->code);
    jsonw_put_text(w, "domain", "sub2api");
    jsonw_close(w);
    jsonw_close(w);
    jsonw_close(w);
}

enum err
error_write(struct buf *to, enum dialect dialect, const struct error_info *info)
{
    struct jsonw w;
    jsonw_begin(&w, to);
    jsonw_object(&w);
    switch (dialect) {
    case DIALECT_CHAT:
    case DIALECT_RESPONSES:
        write_openai(&w, info);
        break;
    case DIALECT_ANTHROPIC:
        write_anthropic(&w, info);
        break;
    case DIALECT_GEMINI:
        write_gemini(&w, info);
        break;
    case DIALECT_COUNT:
        break;
    }
    jsonw_close(&w);
    return jsonw_end(&w);
}

/* --- our own, inside a stream --- */

/* The codes that Responses clients know; what else we say is a server error to them. */
static const char *
responses_code(const struct error_info *info)
{
    static const char *const known[] = { "context_length_exceeded", "insufficient_quota",
                                         "invalid_prompt" };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (info->code != NULL && strcmp(info->code, known[i]) == 0) {
            return known[i];
        }
    }
    if (info->status == 429) {
        return "rate_limit_exceeded";
    }
    return info->status == 503 || info->status == 529 ? "server_is_overloaded" : "server_error";
}

static void
write_failed_response(struct jsonw *w, const struct error_info *info, const char *response_id)
{
    jsonw_name(w, "response");
    jsonw_object(w);
    jsonw_put_text(w, "id", response_id);
    jsonw_put_text(w, "object", "response");
    jsonw_put_text(w, "status", "failed");
    jsonw_name(w, "error");
    jsonw_object(w);
    jsonw_put_text(w, "code", responses_code(info));
    jsonw_put_str(w, "message", info->message);
    jsonw_close(w);
    jsonw_put_text(w, "incomplete_details", NULL);
    jsonw_name(w, "output");
    jsonw_array(w);
    jsonw_close(w);
    jsonw_put_text(w, "usage", NULL);
    jsonw_close(w);
}

static enum err
responses_event(struct buf *to, const struct error_info *info, const struct error_place *place)
{
    bool has_begun = place->response_id != NULL && place->response_id[0] != '\0';
    enum err err = buf_append(to, has_begun ? STR("event: response.failed\ndata: ")
                                            : STR("event: error\ndata: "));
    if (err != ERR_OK) {
        return err;
    }
    struct jsonw w;
    jsonw_begin(&w, to);
    jsonw_object(&w);
    jsonw_put_text(&w, "type", has_begun ? "response.failed" : "error");
    jsonw_put_u64(&w, "sequence_number", place->sequence);
    if (has_begun) {
        write_failed_response(&w, info, place->response_id);
    } else {
        jsonw_put_text(&w, "code", responses_code(info));
        jsonw_put_str(&w, "message", info->message);
        jsonw_put_text(&w, "param", info->param);
    }
    jsonw_close(&w);
    err = jsonw_end(&w);
    return err == ERR_OK ? buf_append(to, STR("\n\n")) : err;
}

/* The envelope between two texts. */
static enum err
framed(struct buf *to, struct str before, enum dialect dialect, const struct error_info *info,
       struct str behind)
{
    enum err err = buf_append(to, before);
    if (err == ERR_OK) {
        err = error_write(to, dialect, info);
    }
    return err == ERR_OK ? buf_append(to, behind) : err;
}

enum err
error_event(struct buf *to, enum dialect dialect, const struct error_info *info,
            const struct error_place *place)
{
    switch (dialect) {
    case DIALECT_CHAT:
        return framed(to, STR("data: "), dialect, info, STR("\n\ndata: [DONE]\n\n"));
    case DIALECT_RESPONSES:
        return responses_event(to, info, place);
    case DIALECT_ANTHROPIC:
        return framed(to, STR("event: error\ndata: "), dialect, info, STR("\n\n"));
    case DIALECT_GEMINI:
        if (place->is_array) {
            return framed(to, place->is_first ? STR("[") : STR("\n,\n"), dialect, info, STR("\n]"));
        }
        return framed(to, STR("data: "), dialect, info, STR("\n\n"));
    case DIALECT_COUNT:
        break;
    }
    return ERR_BUG;
}

/* --- a provider's --- */

const char *
error_kind_name(enum error_kind kind)
{
    static const char *const names[] = {
#define ERROR_KIND_NAME(name, text) text,
        ERROR_KIND_ROWS(ERROR_KIND_NAME)
#undef ERROR_KIND_NAME
    };
    CHECK(kind < sizeof names / sizeof names[0]);
    return names[kind];
}

/* Drops the bytes of a character that was cut at the end. */
static size_t
whole_characters(const char *text, size_t len)
{
    size_t lead = len;
    while (lead > 0 && len - lead < 4 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80) {
        lead--;
    }
    if (lead == 0 || (unsigned char)text[lead - 1] < 0xc0) {
        return len;
    }
    unsigned char first = (unsigned char)text[lead - 1];
    size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    return len - (lead - 1) < bytes ? lead - 1 : len;
}

/* One line: runs of blanks and control bytes become one blank; cut at out_bytes - 1. */
static void
put_line(char *out, size_t out_bytes, struct str text)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len && len + 1 < out_bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c > ' ' && c != 0x7f) {
            out[len++] = (char)c;
        } else if (len > 0 && out[len - 1] != ' ') {
            out[len++] = ' ';
        }
    }
    len -= len > 0 && out[len - 1] == ' ' ? 1 : 0;
    out[whole_characters(out, len)] = '\0';
}

/* A string's or number's text as one line; "" for anything else. */
static void
put_value(char *out, size_t out_bytes, struct json_value value)
{
    char decoded[SOURCE_BYTES];
    size_t len = 0;
    if (value.kind == JSON_STRING) {
        (void)json_unescape(str_make(value.raw.data + 1, value.raw.len - 2), decoded,
                            sizeof decoded, &len);
        put_line(out, out_bytes, str_make(decoded, len));
    } else if (value.kind == JSON_NUMBER) {
        put_line(out, out_bytes, value.raw);
    }
}

/* HTML without its tags, scripts and styles; other text as it is. */
static void
put_page(char *out, size_t out_bytes, struct str body)
{
    char text[SOURCE_BYTES];
    size_t len = 0;
    struct str rest = body;
    while (rest.len > 0 && len < sizeof text) {
        struct str before = str_cut(&rest, '<');
        size_t bytes = before.len < sizeof text - len ? before.len : sizeof text - len;
        memcpy(text + len, before.data, bytes);
        len += bytes;
        struct str close = STR(">");
        if (str_starts(rest, STR("script"))) {
            close = STR("</script>");
        } else if (str_starts(rest, STR("style"))) {
            close = STR("</style>");
        }
        const char *end = rest.len == 0 ? NULL : memmem(rest.data, rest.len, close.data, close.len);
        rest =
            end == NULL ? str_make(NULL, 0) : str_skip(rest, (size_t)(end - rest.data) + close.len);
        if (len > 0 && len < sizeof text) {
            text[len++] = ' ';
        }
    }
    put_line(out, out_bytes, str_make(text, len));
}

static bool
on_first(void *context, const struct json_member *member)
{
    *(struct json_value *)context = member->value;
    return false;
}

/* The object that says what went wrong, wherever it is wrapped. */
static struct json_value
innermost(struct json_value top)
{
    struct json_value at = top;
    struct json_value inner;
    if (at.kind == JSON_ARRAY && json_scan_array(at, on_first, &inner) == ERR_OK) {
        at = at.raw.data[1] == ']' ? at : inner;
    }
    if (json_get(at, STR("response"), &inner) && inner.kind == JSON_OBJECT) {
        at = inner;
    }
    while (json_get(at, STR("error"), &inner) && inner.kind == JSON_OBJECT) {
        at = inner;
    }
    return at;
}

static void
read_object(struct json_value object, struct error_found *out)
{
    static const struct str messages[] = {
        { "message", 7 }, { "error", 5 }, { "detail", 6 }, { "msg", 3 }, { "error_description", 17 }
    };
    struct json_value value;
    for (size_t i = 0; i < sizeof messages / sizeof messages[0] && out->message[0] == '\0'; i++) {
        if (json_get(object, messages[i], &value)) {
            put_value(out->message, sizeof out->message, value);
        }
    }
    if (json_get(object, STR("status"), &value) && value.kind == JSON_STRING) {
        put_value(out->type, sizeof out->type, value);
    } else if (json_get(object, STR("type"), &value)) {
        put_value(out->type, sizeof out->type, value);
    }
    if (json_get(object, STR("code"), &value)) {
        put_value(out->code, sizeof out->code, value);
    }
}

/* Gemini's RetryInfo: "34s", "1.5s". */
static uint32_t
read_retry(struct str body)
{
    struct str name = STR("\"retryDelay\":");
    const char *at = body.len == 0 ? NULL : memmem(body.data, body.len, name.data, name.len);
    struct json_value value;
    if (at == NULL ||
        json_prefix(str_skip(body, (size_t)(at - body.data) + name.len), &value) != ERR_OK ||
        value.kind != JSON_STRING) {
        return 0;
    }
    uint64_t ms = 0;
    uint64_t unit = 1000;
    bool in_fraction = false;
    for (size_t i = 1; i + 1 < value.raw.len && unit > 0; i++) {
        char c = value.raw.data[i];
        if (c == '.' && !in_fraction) {
            in_fraction = true;
        } else if (c < '0' || c > '9') {
            break;
        } else if (in_fraction) {
            unit /= 10;
            ms += (uint64_t)(c - '0') * unit;
        } else {
            ms = ms * 10 + (uint64_t)(c - '0') * 1000;
            ms = ms > RETRY_AFTER_MS_MAX ? RETRY_AFTER_MS_MAX : ms;
        }
    }
    return ms > RETRY_AFTER_MS_MAX ? RETRY_AFTER_MS_MAX : (uint32_t)ms;
}

void
error_read(enum dialect dialect, uint32_t status, struct str body, struct error_found *out)
{
    *out = (struct error_found){ .kind = ERROR_SERVER };
    struct json_value top;
    if (json_read(body, &top, NULL) == ERR_OK) {
        struct json_value object = innermost(top);
        if (object.kind == JSON_OBJECT) {
            read_object(object, out);
        } else {
            put_value(out->message, sizeof out->message, object);
        }
    } else {
        put_page(out->message, sizeof out->message, body);
    }
    out->kind = verdict_of(dialect, status, body, out);
    out->retry_after_ms = dialect == DIALECT_GEMINI ? read_retry(body) : 0;
}

/* --- cleaning --- */

struct cleaner {
    char *out;
    size_t out_bytes;
    size_t len;
    bool hides_next; /* the next word is an id or a token, whatever it looks like */
    bool was_request;
};

static bool
is_between(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f || strchr("\"'()<>[]{},;=|`", c) != NULL;
}

static bool
is_word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void
put_clean(struct cleaner *cleaner, struct str text)
{
    for (size_t i = 0; i < text.len && cleaner->len + 1 < cleaner->out_bytes; i++) {
        char c = text.data[i];
        cleaner->out[cleaner->len++] = (unsigned char)c < ' ' || c == 0x7f ? ' ' : c;
    }
}

struct shape {
    uint32_t digits;
    uint32_t letters;
    uint32_t dashes;
    uint32_t dots;
    uint32_t others;
};

static struct shape
shape_of(struct str word)
{
    struct shape shape = { 0, 0, 0, 0, 0 };
    for (size_t i = 0; i < word.len; i++) {
        char c = word.data[i];
        if (c >= '0' && c <= '9') {
            shape.digits++;
        } else if (is_word_byte(c)) {
            shape.letters++;
        } else if (c == '-') {
            shape.dashes++;
        } else if (c == '.') {
            shape.dots++;
        } else {
            shape.others++;
        }
    }
    return shape;
}

static bool
begins_with_any(struct str word, const char *const *prefixes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str prefix = str_of(prefixes[i]);
        if (str_starts(word, prefix) && word.len >= prefix.len + 6) {
            return true;
        }
    }
    return false;
}

/* Keys and ids by how they begin; where words begin so too, what follows must have digits. */
static bool
has_secret_prefix(struct str word, const struct shape *shape)
{
    static const char *const keys[] = { "sk-",  "sk_",  "pk-", "rk-",  "AIza", "ya29.",
                                        "gsk_", "xai-", "hf_", "AKIA", "ghp_", "eyJ" };
    static const char *const ids[] = { "org-",  "proj_", "req_",      "req-",
                                       "acct_", "user-", "chatcmpl-", "key-" };
    bool looks_drawn = shape->digits > 0 || shape->others > 0;
    return begins_with_any(word, keys, sizeof keys / sizeof keys[0]) ||
           (looks_drawn && begins_with_any(word, ids, sizeof ids / sizeof ids[0]));
}

static bool
is_host(struct str word, const struct shape *shape)
{
    static const char *const ends[] = {
        "com",       "net",      "org",   "io",      "ai",    "cn",   "dev",   "app",     "top",
        "xyz",       "co",       "cloud", "info",    "local", "me",   "tech",  "site",    "cc",
        "pro",       "internal", "vip",   "uk",      "de",    "jp",   "hk",    "online",  "lan",
        "svc",       "eu",       "us",    "ru",      "fr",    "in",   "store", "run",     "gg",
        "sh",        "to",       "tv",    "ws",      "link",  "club", "fun",   "live",    "shop",
        "localhost", "example",  "test",  "invalid", "arpa",  "home", "corp",  "intranet"
    };
    if (shape->dots == 0 || shape->others > 0) {
        return false;
    }
    if (shape->dots == 3 && shape->letters == 0 && shape->dashes == 0) {
        return true; /* an IPv4 address */
    }
    const char *dot = memrchr(word.data, '.', word.len);
    struct str end = str_skip(word, (size_t)(dot - word.data) + 1);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (str_equal_nocase(end, str_of(ends[i]))) {
            return true;
        }
    }
    return false;
}

static bool
is_identifying(struct str word)
{
    struct shape shape = shape_of(word);
    bool is_uuid = word.len == 36 && shape.dashes == 4 && shape.dots == 0 && shape.others == 0;
    bool is_drawn = word.len >= 24 && shape.digits > 0 && shape.letters > 0 && shape.dashes == 0 &&
                    shape.dots == 0 && shape.others == 0;
    bool is_address = shape.dots > 0 && memchr(word.data, '@', word.len) != NULL;
    return is_uuid || is_drawn || is_address || has_secret_prefix(word, &shape) ||
           is_host(word, &shape);
}

/* A part of a word without ':' or '/'; the punctuation of a sentence at its end stays. */
static void
put_part(struct cleaner *cleaner, struct str part)
{
    size_t bytes = part.len;
    while (bytes > 0 && strchr(".!?", part.data[bytes - 1]) != NULL) {
        bytes--;
    }
    struct str word = str_make(part.data, bytes);
    bool is_hidden = bytes > 0 && (is_identifying(word) || (cleaner->hides_next && bytes >= 6));
    put_clean(cleaner, is_hidden ? STR("[...]") : word);
    put_clean(cleaner, str_skip(part, bytes));
    bool is_request = str_equal_nocase(word, STR("request"));
    if (bytes > 0) {
        cleaner->hides_next =
            str_equal_nocase(word, STR("bearer")) || str_equal_nocase(word, STR("request_id")) ||
            str_equal_nocase(word, STR("request-id")) || str_equal_nocase(word, STR("requestid")) ||
            str_equal_nocase(word, STR("trace_id")) ||
            (cleaner->was_request && str_equal_nocase(word, STR("id")));
        cleaner->was_request = is_request;
    }
}

static void
put_word(struct cleaner *cleaner, struct str word)
{
    if (word.len > 3 && memmem(word.data, word.len, "://", 3) != NULL) {
        put_clean(cleaner, STR("[...]"));
        return;
    }
    while (word.len > 0) {
        size_t bytes = 0;
        while (bytes < word.len && word.data[bytes] != ':' && word.data[bytes] != '/') {
            bytes++;
        }
        put_part(cleaner, str_make(word.data, bytes));
        put_clean(cleaner, str_make(word.data + bytes, bytes < word.len ? 1 : 0));
        word = str_skip(word, bytes + 1);
    }
}

size_t
error_clean(struct str text, char *out, size_t out_bytes)
{
    struct cleaner cleaner = { .out = out, .out_bytes = out_bytes };
    CHECK(out_bytes > 0);
    while (text.len > 0 && cleaner.len + 1 < out_bytes) {
        size_t bytes = 0;
        while (bytes < text.len && !is_between(text.data[bytes])) {
            bytes++;
        }
        put_word(&cleaner, str_make(text.data, bytes));
        put_clean(&cleaner, str_make(text.data + bytes, bytes < text.len ? 1 : 0));
        text = str_skip(text, bytes + 1);
    }
    cleaner.len = whole_characters(out, cleaner.len);
    out[cleaner.len] = '\0';
    return cleaner.len;
}

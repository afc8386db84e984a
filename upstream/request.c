#include "upstream/request.h"

#include <string.h>

#include "base/check.h"
#include "base/num.h"

/* What a client's field is to a provider. */
enum field {
    FIELD_NONE = 0, /* it does not pass */
    FIELD_PASSES = 1,
    FIELD_AGENT = 2, /* passes, and so needs not be made up */
    FIELD_ACCEPT = 4,
};

struct row {
    struct str name; /* a prefix ends in '-' */
    enum field field;
};

/* Fields that mean something to a provider, by first letter. */
static const struct row of_a[] = { { { "accept", 6 }, FIELD_ACCEPT },
                                   { { "accept-language", 15 }, FIELD_PASSES },
                                   { { "anthropic-", 10 }, FIELD_PASSES } };
static const struct row of_c[] = { { { "conversation_id", 15 }, FIELD_PASSES } };
static const struct row of_o[] = { { { "openai-beta", 11 }, FIELD_PASSES },
                                   { { "originator", 10 }, FIELD_PASSES } };
static const struct row of_s[] = { { { "session-id", 10 }, FIELD_PASSES },
                                   { { "session_id", 10 }, FIELD_PASSES } };
static const struct row of_t[] = { { { "thread-id", 9 }, FIELD_PASSES },
                                   { { "traceparent", 11 }, FIELD_PASSES } };
static const struct row of_u[] = { { { "user-agent", 10 }, FIELD_AGENT } };
static const struct row of_v[] = { { { "version", 7 }, FIELD_PASSES } };
static const struct row of_x[] = {
    { { "x-app", 5 }, FIELD_PASSES },
    { { "x-claude-", 9 }, FIELD_PASSES },
    { { "x-client-request-id", 19 }, FIELD_PASSES },
    { { "x-codex-", 8 }, FIELD_PASSES },
    { { "x-goog-api-client", 17 }, FIELD_PASSES },
    { { "x-session-affinity", 18 }, FIELD_PASSES },
    { { "x-session-id", 12 }, FIELD_PASSES },
    { { "x-stainless-", 12 }, FIELD_PASSES },
};

struct letter {
    const struct row *rows;
    size_t count;
};

#define LETTER(rows)                         \
    {                                        \
        rows, sizeof(rows) / sizeof(rows)[0] \
    }
static const struct letter letters[26] = {
    ['a' - 'a'] = LETTER(of_a), ['c' - 'a'] = LETTER(of_c), ['o' - 'a'] = LETTER(of_o),
    ['s' - 'a'] = LETTER(of_s), ['t' - 'a'] = LETTER(of_t), ['u' - 'a'] = LETTER(of_u),
    ['v' - 'a'] = LETTER(of_v), ['x' - 'a'] = LETTER(of_x),
};

/*
 * "x-stainless-", of which the SDKs send eight fields: two comparisons of words. Setting bit 5
 * makes small letters of capitals and leaves '-' alone. A small letter comes from nothing else, but
 * a '-' would also come from a CR: so both of them are looked at themselves.
 */
static inline bool
is_stainless(struct str name)
{
    static const char head[] = "x-stainless-";
    uint64_t seen[2] = { 0, 0 };
    uint64_t want[2] = { 0, 0 };
    if (name.len < 12 || name.data[1] != '-' || name.data[11] != '-') {
        return false;
    }
    memcpy(seen, name.data, 8);
    memcpy(seen + 1, name.data + 4, 8);
    memcpy(want, head, 8);
    memcpy(want + 1, head + 4, 8);
    uint64_t small = 0x2020202020202020ull;
    return (seen[0] | small) == want[0] && (seen[1] | small) == want[1];
}

static enum field
field_of(struct str name)
{
    if (is_stainless(name)) {
        return FIELD_PASSES;
    }
    char first = name.len == 0 ? '\0' : str_lower(name.data[0]);
    if (first < 'a' || first > 'z') {
        return FIELD_NONE;
    }
    const struct letter *letter = &letters[first - 'a'];
    /* The third letter tells most rows of one first letter apart. */
    char third = name.len > 2 ? str_lower(name.data[2]) : '\0';
    for (size_t i = 0; i < letter->count; i++) {
        const struct row *row = &letter->rows[i];
        struct str want = row->name;
        if (want.data[2] != third || name.len < want.len ||
            (name.len != want.len && want.data[want.len - 1] != '-')) {
            continue;
        }
        if (str_equal_nocase_all(str_make(name.data, want.len), want)) {
            return row->field;
        }
    }
    return FIELD_NONE;
}

bool
request_may_pass(struct str name)
{
    return field_of(name) != FIELD_NONE;
}

/* Does the Connection field name other fields, which then must not pass? Nearly never. */
static bool
connection_names_fields(const struct header_list *headers)
{
    struct str value = header_find(headers, STR("connection"));
    return value.len > 0 && !str_equal_nocase(value, STR("keep-alive")) &&
           !str_equal_nocase(value, STR("close"));
}

/* A hexadecimal digit's value, or -1. */
static int
hex_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = str_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Is `name`, once its %XX are decoded, this word? */
static bool
decodes_to(struct str name, struct str word)
{
    size_t at = 0;
    for (size_t i = 0; i < word.len; i++) {
        if (at >= name.len) {
            return false;
        }
        char c = name.data[at++];
        if (c == '%' && name.len - at >= 2) {
            int high = hex_of(name.data[at]);
            int low = hex_of(name.data[at + 1]);
            if (high >= 0 && low >= 0) {
                c = (char)(high << 4 | low);
                at += 2;
            }
        }
        if (c != word.data[i]) {
            return false;
        }
    }
    return at == name.len;
}

/* Providers decode a name before they look at it, so a credential is found as they would find it.
 */
static bool
is_kept_back(struct str name)
{
    static const struct str words[] = {
        { "key", 3 }, { "api_key", 7 }, { "alt", 3 }, { "$alt", 4 }
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (decodes_to(name, words[i])) {
            return true;
        }
    }
    return false;
}

enum err
request_clean_query(struct str query, struct arena *arena, struct str *out)
{
    *out = (struct str){ NULL, 0 };
    if (query.len == 0) {
        return ERR_OK;
    }
    char *to = arena_alloc_raw(arena, query.len + 1);
    if (to == NULL) {
        return ERR_FULL;
    }
    size_t length = 0;
    struct str rest = query;
    while (rest.len > 0) {
        struct str pair = str_cut(&rest, '&');
        struct str tail = pair;
        struct str name = str_cut(&tail, '=');
        if (pair.len == 0 || is_kept_back(name)) {
            continue;
        }
        if (length > 0) {
            to[length++] = '&';
        }
        memcpy(to + length, pair.data, pair.len);
        length += pair.len;
    }
    *out = (struct str){ to, length };
    return ERR_OK;
}

/* A bounded writer over one arena block. */
struct writer {
    char *data;
    size_t used;
    size_t size;
};

/* In line, so that a literal is copied by a few moves. */
static inline __attribute__((always_inline)) void
put(struct writer *w, struct str s)
{
    CHECK(w->used + s.len <= w->size);
    if (s.len > 0) {
        memcpy(w->data + w->used, s.data, s.len);
        w->used += s.len;
    }
}

static inline void
put_field(struct writer *w, struct str name, struct str value)
{
    put(w, name);
    put(w, STR(": "));
    put(w, value);
    put(w, STR("\r\n"));
}

/* The credential as each dialect's own API wants it. */
static void
put_credential(struct writer *w, enum dialect dialect, struct str secret)
{
    switch (dialect) {
    case DIALECT_ANTHROPIC:
        put_field(w, STR("x-api-key"), secret);
        return;
    case DIALECT_GEMINI:
        put_field(w, STR("x-goog-api-key"), secret);
        return;
    case DIALECT_CHAT:
    case DIALECT_RESPONSES:
    case DIALECT_COUNT:
        put(w, STR("Authorization: Bearer "));
        put(w, secret);
        put(w, STR("\r\n"));
        return;
    }
}

/* A form keeps its boundary, JSON its parameters; whatever else the client called its body, we have
 * read it as JSON (curl -d says it is a form). */
static struct str
body_type(const struct header_list *headers)
{
    struct str type = header_find(headers, STR("content-type"));
    if (str_equal(type, STR("application/json"))) {
        return type; /* what nearly all say */
    }
    bool is_kept = type.len > 0 && (memmem(type.data, type.len, "json", 4) != NULL ||
                                    memmem(type.data, type.len, "multipart/", 10) != NULL);
    return is_kept ? type : STR("application/json");
}

/* Fields that the API needs and that a client may have left out; passed: the fields that it sent.
 */
static void
put_needed(struct writer *w, const struct request_want *want, enum dialect dialect, unsigned passed)
{
    static const struct header_list none = { .count = 0 };
    const struct header_list *headers = want->headers == NULL ? &none : want->headers;
    if ((passed & FIELD_AGENT) == 0) {
        put(w, STR("User-Agent: sub2api\r\n"));
    }
    if ((passed & FIELD_ACCEPT) == 0) {
        put(w, STR("Accept: */*\r\n"));
    }
    if (dialect == DIALECT_ANTHROPIC && !header_has(headers, STR("anthropic-version"))) {
        put(w, STR("anthropic-version: 2023-06-01\r\n"));
    }
    if (want->has_body) {
        struct str type = body_type(headers);
        put_field(w, STR("Content-Type"), type.len > 0 ? type : STR("application/json"));
        char number[NUM_TEXT_BYTES];
        uint32_t length = num_text(want->body_bytes, number);
        put_field(w, STR("Content-Length"), str_make(number, length));
    }
}

/* The field's whole line as it stands in the client's head; empty when it is not written plainly.
 */
static struct str
line_of(const struct header *header)
{
    const char *end = header->name.data + header->name.len;
    if (header->value.len == 0 || header->value.data != end + 2 || memcmp(end, ": ", 2) != 0 ||
        memcmp(header->value.data + header->value.len, "\r\n", 2) != 0) {
        return STR("");
    }
    return str_make(header->name.data, header->name.len + 2 + header->value.len + 2);
}

/*
 * The fields that may pass; returns which kinds of them there were. Lines that lie one behind the
 * other in the client's head (the SDKs send a dozen in a row) are copied as one piece.
 */
static unsigned
put_client_fields(struct writer *w, const struct header_list *headers)
{
    unsigned passed = FIELD_NONE;
    /* No field on the list is hop-by-hop by itself. */
    bool may_be_hop = headers != NULL && connection_names_fields(headers);
    struct str run = STR("");
    for (uint32_t i = 0; headers != NULL && i < headers->count; i++) {
        const struct header *header = &headers->items[i];
        enum field field = field_of(header->name);
        if (field == FIELD_NONE || (may_be_hop && header_is_hop(headers, header->name))) {
            continue;
        }
        passed |= field;
        struct str line = line_of(header);
        if (line.len == 0) {
            put_field(w, header->name, header->value);
        } else if (run.len > 0 && line.data == run.data + run.len) {
            run.len += line.len;
        } else {
            put(w, run);
            run = line;
        }
    }
    put(w, run);
    return passed;
}

/* An upper bound of the head's size, so that it is written in one go. */
static size_t
bound(const struct request_want *want, struct str path)
{
    size_t bytes = 512 + path.len + want->method.len + want->account->secret.len +
                   strlen(want->target->authority);
    for (uint32_t i = 0; want->headers != NULL && i < want->headers->count; i++) {
        const struct header *header = &want->headers->items[i];
        bytes += header->name.len + header->value.len + 4;
    }
    return bytes;
}

enum err
request_head(const struct request_want *want, struct arena *arena, struct str *out)
{
    CHECK(want->target != NULL && want->account != NULL);
    const struct endpoint_row *row = endpoint_row(want->endpoint);
    struct str query;
    /* Checked where it is set as well; here is where a line end in it would be another field. */
    if (!header_value_is_good(want->account->secret)) {
        return ERR_BAD;
    }
    enum err err = request_clean_query(want->query, arena, &query);
    if (err != ERR_OK) {
        return err;
    }
    struct endpoint_target path_want = { .endpoint = want->endpoint,
                                         .base_path = want->target->base_path,
                                         .model = want->model,
                                         .query = query,
                                         .wants_sse = want->wants_sse };
    struct str path = want->path;
    err = path.len > 0 ? ERR_OK : endpoint_upstream_path(&path_want, arena, &path);
    if (err != ERR_OK) {
        return err;
    }
    struct writer w = { .size = bound(want, path) };
    w.data = arena_alloc_raw(arena, w.size);
    if (w.data == NULL) {
        return ERR_FULL;
    }
    put(&w, want->method);
    put(&w, STR(" "));
    put(&w, path);
    put(&w, STR(" HTTP/1.1\r\n"));
    put_field(&w, STR("Host"), str_of(want->target->authority));
    put_credential(&w, row->dialect, want->account->secret);
    put(&w, STR("Accept-Encoding: identity\r\n"));
    unsigned passed = put_client_fields(&w, want->headers);
    put_needed(&w, want, row->dialect, passed);
    put(&w, STR("\r\n"));
    *out = (struct str){ w.data, w.used };
    return ERR_OK;
}

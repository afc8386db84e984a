/* fakehttp.c - see fakehttp.h. */
#include "tests/fake/fakehttp.h"

#include <string.h>

static bool
is_token(struct fakespan s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!alnum && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return s.n > 0;
}

static bool
is_text(struct fakespan s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool
read_start(struct fakespan line, struct fakehead *head)
{
    const char *end = line.p + line.n;
    const char *space = memchr(line.p, ' ', line.n);
    if (space == NULL) {
        return false;
    }
    head->method = (struct fakespan){ line.p, (size_t)(space - line.p) };
    const char *target = space + 1;
    const char *second = memchr(target, ' ', (size_t)(end - target));
    if (second == NULL || second == target || !is_token(head->method)) {
        return false;
    }
    head->target = (struct fakespan){ target, (size_t)(second - target) };
    for (const char *p = target; p < second; p++) {
        if (*p <= 0x20 || *p >= 0x7f || *p == '#') {
            return false;
        }
    }
    struct fakespan version = { second + 1, (size_t)(end - second - 1) };
    bool newer = fakebuf_equals(version, "HTTP/1.1");
    if (!newer && !fakebuf_equals(version, "HTTP/1.0")) {
        return false;
    }
    head->keep_alive = newer;
    const char *mark = memchr(target, '?', head->target.n);
    head->path = (struct fakespan){ target, (size_t)((mark == NULL ? second : mark) - target) };
    head->query = mark == NULL ? (struct fakespan){ "", 0 }
                               : (struct fakespan){ mark + 1, (size_t)(second - mark - 1) };
    return *target == '/';
}

static bool
read_field(struct fakespan line, struct fakefield *field)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (colon == NULL) {
        return false;
    }
    const char *value = colon + 1;
    const char *end = line.p + line.n;
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    field->name = (struct fakespan){ line.p, (size_t)(colon - line.p) };
    field->value = (struct fakespan){ value, (size_t)(end - value) };
    return is_token(field->name) && is_text(field->value);
}

static bool
read_length(struct fakehead *head, struct fakespan value)
{
    if (head->has_length || value.n == 0 || value.n > 15) {
        return false;
    }
    uint64_t length = 0;
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9') {
            return false;
        }
        length = length * 10 + (uint64_t)(value.p[i] - '0');
    }
    head->has_length = true;
    head->content_length = length;
    return length <= FAKEHTTP_BODY_MAX;
}

/* What a field means for the message's own form. */
static bool
note_field(struct fakehead *head, const struct fakefield *field, unsigned *hosts)
{
    struct fakespan value = field->value;
    switch (field->name.n) {
    case 4:
        *hosts += fakebuf_equals_nocase(field->name, "host") ? 1u : 0u;
        return true;
    case 6:
        if (fakebuf_equals_nocase(field->name, "expect")) {
            head->expects = true;
            return fakebuf_equals_nocase(value, "100-continue");
        }
        return true;
    case 10:
        if (fakebuf_equals_nocase(field->name, "connection") &&
            fakebuf_equals_nocase(value, "close")) {
            head->keep_alive = false;
        }
        return true;
    case 14:
        return !fakebuf_equals_nocase(field->name, "content-length") || read_length(head, value);
    case 17:
        if (fakebuf_equals_nocase(field->name, "transfer-encoding")) {
            bool fine = !head->chunked && fakebuf_equals_nocase(value, "chunked");
            head->chunked = true;
            return fine;
        }
        return true;
    default:
        return true;
    }
}

/* One line without its CRLF; a lone CR or LF anywhere is an error. */
static enum fakehttp_result
take_line(const char *p, const char *end, struct fakespan *line)
{
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    if (lf == NULL) {
        return FAKEHTTP_MORE;
    }
    if (lf == p || lf[-1] != '\r') {
        return FAKEHTTP_BAD;
    }
    *line = (struct fakespan){ p, (size_t)(lf - 1 - p) };
    return memchr(p, '\r', line->n) == NULL ? FAKEHTTP_DONE : FAKEHTTP_BAD;
}

enum fakehttp_result
fakehttp_head(const char *p, size_t n, struct fakehead *head)
{
    const char *end = p + n;
    const char *at = p;
    unsigned hosts = 0;
    struct fakespan line;
    head->has_length = head->chunked = head->expects = false;
    head->content_length = head->field_count = 0;
    enum fakehttp_result result = take_line(at, end, &line);
    if (result != FAKEHTTP_DONE) {
        return n > FAKEHTTP_HEAD_MAX ? FAKEHTTP_BAD : result;
    }
    if (!read_start(line, head)) {
        return FAKEHTTP_BAD;
    }
    for (;;) {
        at = line.p + line.n + 2;
        result = take_line(at, end, &line);
        if (result != FAKEHTTP_DONE) {
            return n > FAKEHTTP_HEAD_MAX ? FAKEHTTP_BAD : result;
        }
        if (line.n == 0) {
            break;
        }
        if (head->field_count == FAKEHTTP_FIELDS_MAX) {
            return FAKEHTTP_BAD;
        }
        struct fakefield *field = &head->fields[head->field_count++];
        if (!read_field(line, field) || !note_field(head, field, &hosts)) {
            return FAKEHTTP_BAD;
        }
    }
    head->head_bytes = (size_t)(line.p + 2 - p);
    bool host_fine = hosts == 1 || (hosts == 0 && p[head->method.n + head->target.n + 9] == '0');
    return host_fine && !(head->chunked && head->has_length) ? FAKEHTTP_DONE : FAKEHTTP_BAD;
}

struct fakespan
fakehttp_field(const struct fakehead *head, const char *name)
{
    for (size_t i = 0; i < head->field_count; i++) {
        if (fakebuf_equals_nocase(head->fields[i].name, name)) {
            return head->fields[i].value;
        }
    }
    return (struct fakespan){ "", 0 };
}

struct fakespan
fakehttp_query(const struct fakehead *head, const char *name)
{
    size_t len = strlen(name);
    const char *p = head->query.p;
    const char *end = p + head->query.n;
    while (p < end) {
        const char *stop = memchr(p, '&', (size_t)(end - p));
        stop = stop == NULL ? end : stop;
        if ((size_t)(stop - p) > len && memcmp(p, name, len) == 0 && p[len] == '=') {
            return (struct fakespan){ p + len + 1, (size_t)(stop - p) - len - 1 };
        }
        p = stop + 1;
    }
    return (struct fakespan){ "", 0 };
}

static bool
read_size(struct fakespan line, uint64_t *out)
{
    uint64_t size = 0;
    size_t i = 0;
    for (; i < line.n && line.p[i] != ';'; i++) {
        char c = line.p[i];
        bool digit = c >= '0' && c <= '9';
        char low = (char)(c | 32);
        if ((!digit && (low < 'a' || low > 'f')) || i == 8) {
            return false;
        }
        size = size * 16 + (uint64_t)(digit ? c - '0' : low - 'a' + 10);
    }
    *out = size;
    return i > 0 && is_text(line);
}

enum fakehttp_result
fakehttp_chunks(const struct fakebuf *in, size_t *at, struct fakebuf *body)
{
    const char *end = in->data + in->len;
    for (;;) {
        const char *p = in->data + *at;
        struct fakespan line;
        uint64_t size;
        enum fakehttp_result result = take_line(p, end, &line);
        if (result != FAKEHTTP_DONE) {
            return end - p > 1024 ? FAKEHTTP_BAD : result;
        }
        if (!read_size(line, &size) || body->len + size > FAKEHTTP_BODY_MAX) {
            return FAKEHTTP_BAD;
        }
        p = line.p + line.n + 2;
        if ((uint64_t)(end - p) < size + 2) {
            return FAKEHTTP_MORE;
        }
        if (p[size] != '\r' || p[size + 1] != '\n') {
            return FAKEHTTP_BAD; /* Also a trailer: the product must not send any. */
        }
        fakebuf_put(body, p, size);
        *at = (size_t)(p + size + 2 - in->data);
        if (size == 0) {
            return FAKEHTTP_DONE;
        }
    }
}

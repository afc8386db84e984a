/*
 * multipart.c - the parts of a form (see multipart.h).
 */
#include "proto/multipart.h"

#include "base/limits.h"

static enum err
refuse(struct multipart *m, const char *reason)
{
    m->reason = reason;
    return ERR_BAD;
}

static bool
is_boundary_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL);
}

static bool
is_boundary(struct str text)
{
    if (text.len == 0 || text.len > MULTIPART_BOUNDARY_BYTES || text.data[text.len - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_boundary_byte(text.data[i])) {
            return false;
        }
    }
    return true;
}

/* Cuts "; name=value" off *rest; the value without its quotes. false: malformed or none left. */
static bool
cut_param(struct str *rest, struct str *name, struct str *value)
{
    struct str at = str_trim(*rest);
    if (at.len == 0 || at.data[0] != ';') {
        return false;
    }
    at = str_trim(str_skip(at, 1));
    const char *equals = at.len == 0 ? NULL : memchr(at.data, '=', at.len);
    if (equals == NULL) {
        return false;
    }
    *name = str_trim(str_make(at.data, (size_t)(equals - at.data)));
    at = str_trim(str_skip(at, (size_t)(equals - at.data) + 1));
    if (at.len > 0 && at.data[0] == '"') {
        const char *quote = memchr(at.data + 1, '"', at.len - 1);
        while (quote != NULL && quote[-1] == '\\' && quote > at.data + 1) {
            quote = memchr(quote + 1, '"', at.len - (size_t)(quote + 1 - at.data));
        }
        if (quote == NULL) {
            return false;
        }
        *value = str_make(at.data + 1, (size_t)(quote - at.data) - 1);
        *rest = str_trim(str_skip(at, (size_t)(quote - at.data) + 1));
        return true;
    }
    const char *semicolon = at.len == 0 ? NULL : memchr(at.data, ';', at.len);
    size_t bytes = semicolon == NULL ? at.len : (size_t)(semicolon - at.data);
    *value = str_trim(str_make(at.data, bytes));
    *rest = str_skip(at, bytes);
    return value->len > 0;
}

enum err
multipart_begin(struct multipart *m, struct str body, struct str content_type)
{
    *m = (struct multipart){ .body = body };
    const char *semicolon =
        content_type.len == 0 ? NULL : memchr(content_type.data, ';', content_type.len);
    if (semicolon == NULL) {
        return refuse(m, "the content-type names no boundary");
    }
    size_t type_bytes = (size_t)(semicolon - content_type.data);
    if (!str_equal_nocase(str_trim(str_make(content_type.data, type_bytes)),
                          STR("multipart/form-data"))) {
        return refuse(m, "the content-type is not multipart/form-data");
    }
    struct str rest = str_skip(content_type, type_bytes);
    struct str boundary = { NULL, 0 };
    while (rest.len > 0) {
        struct str name;
        struct str value;
        if (!cut_param(&rest, &name, &value)) {
            return refuse(m, "the content-type is malformed");
        }
        if (str_equal_nocase(name, STR("boundary"))) {
            if (boundary.data != NULL) {
                return refuse(m, "the content-type names two boundaries");
            }
            boundary = value;
        }
    }
    if (!is_boundary(boundary)) {
        return refuse(m, "the content-type names no proper boundary");
    }
    memcpy(m->mark, "\r\n--", 4);
    memcpy(m->mark + 4, boundary.data, boundary.len);
    m->mark_bytes = 4 + boundary.len;
    if (!str_starts(body, str_make(m->mark + 2, m->mark_bytes - 2))) {
        return refuse(m, "the body does not begin with its boundary");
    }
    m->at = m->mark_bytes - 2;
    return ERR_OK;
}

/* Reads one head line's meaning into *out; *seen counts content-dispositions. */
static enum err
read_line(struct multipart *m, struct str line, struct multipart_part *out, uint32_t *seen)
{
    struct str rest = line;
    struct str field = str_cut(&rest, ':');
    rest = str_trim(rest);
    if (line.len == 0 || line.data[0] == ' ' || line.data[0] == '\t' || field.len == line.len) {
        return refuse(m, "a part's head is malformed");
    }
    if (str_equal_nocase(field, STR("content-transfer-encoding"))) {
        bool is_plain = str_equal_nocase(rest, STR("binary")) ||
                        str_equal_nocase(rest, STR("8bit")) || str_equal_nocase(rest, STR("7bit"));
        return is_plain ? ERR_OK : refuse(m, "a part has a transfer encoding");
    }
    if (!str_equal_nocase(field, STR("content-disposition"))) {
        return ERR_OK;
    }
    size_t type_bytes = strlen("form-data");
    if (++*seen > 1 || rest.len < type_bytes ||
        !str_equal_nocase(str_make(rest.data, type_bytes), STR("form-data"))) {
        return refuse(m, "a part's content-disposition is malformed");
    }
    rest = str_trim(str_skip(rest, type_bytes));
    while (rest.len > 0) {
        struct str name;
        struct str value;
        if (!cut_param(&rest, &name, &value) || str_equal_nocase(name, STR("name*"))) {
            return refuse(m, "a part's content-disposition is malformed");
        }
        if (str_equal_nocase(name, STR("name"))) {
            bool is_odd = out->name.data != NULL || value.len == 0 ||
                          memchr(value.data, '\\', value.len) != NULL;
            if (is_odd) {
                return refuse(m, "a part's name is malformed");
            }
            out->name = value;
        }
        out->is_file = out->is_file || str_equal_nocase(name, STR("filename")) ||
                       str_equal_nocase(name, STR("filename*"));
    }
    return ERR_OK;
}

static enum err
read_head(struct multipart *m, struct str head, struct multipart_part *out)
{
    uint32_t seen = 0;
    while (head.len > 0) {
        const char *end = memmem(head.data, head.len, "\r\n", 2);
        size_t bytes = end == NULL ? head.len : (size_t)(end - head.data);
        struct str line = str_make(head.data, bytes);
        bool has_bare = memchr(line.data, '\n', bytes) != NULL ||
                        memchr(line.data, '\r', bytes) != NULL ||
                        memchr(line.data, '\0', bytes) != NULL;
        if (has_bare || read_line(m, line, out, &seen) != ERR_OK) {
            return refuse(m, m->reason != NULL ? m->reason : "a part's head is malformed");
        }
        head = str_skip(head, end == NULL ? bytes : bytes + 2);
    }
    if (out->name.data == NULL) {
        return refuse(m, "a part has no name");
    }
    return ERR_OK;
}

enum err
multipart_next(struct multipart *m, struct multipart_part *out)
{
    *out = (struct multipart_part){ .is_file = false };
    struct str rest = str_skip(m->body, m->at);
    if (str_starts(rest, STR("--"))) {
        return ERR_EOF;
    }
    if (!str_starts(rest, STR("\r\n"))) {
        return refuse(m, "the body is cut off or a boundary is malformed");
    }
    if (++m->parts > MULTIPART_PARTS_MAX) {
        return refuse(m, "the body has too many parts");
    }
    rest = str_skip(rest, 2);
    size_t head_bytes_max =
        rest.len < MULTIPART_HEAD_BYTES_MAX ? rest.len : MULTIPART_HEAD_BYTES_MAX;
    const char *blank = rest.len == 0 ? NULL : memmem(rest.data, head_bytes_max, "\r\n\r\n", 4);
    if (blank == NULL) {
        return refuse(m, "a part's head does not end");
    }
    size_t head_bytes = (size_t)(blank - rest.data);
    enum err err = read_head(m, str_make(rest.data, head_bytes), out);
    if (err != ERR_OK) {
        return err;
    }
    /* The blank line's CRLF may be the one before the boundary: an empty part. */
    const char *content = blank + 4;
    const char *from = blank + 2;
    size_t left = (size_t)(rest.data + rest.len - from);
    const char *mark = memmem(from, left, m->mark, m->mark_bytes);
    if (mark == NULL) {
        return refuse(m, "the body has no closing boundary");
    }
    out->content = str_make(content, mark < content ? 0 : (size_t)(mark - content));
    m->at = (size_t)(mark - m->body.data) + m->mark_bytes;
    return ERR_OK;
}

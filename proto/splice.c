/*
 * splice.c - exchanging bytes of a body without copying it (see splice.h).
 */
#include "proto/splice.h"

#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "proto/effort.h"

#define EDITS_MAX 3u

/* `bytes` at `offset` give way to `text`. */
struct edit {
    size_t offset;
    size_t bytes;
    struct str text;
};

struct edits {
    struct edit items[EDITS_MAX];
    uint32_t count;
};

_Static_assert(SPLICE_PIECES_MAX >= 2 * EDITS_MAX + 1, "each edit and what stands around it");

/* Keeps the edits in the order of their places; equal places in order of coming. */
static void
add_edit(struct edits *edits, size_t offset, size_t bytes, struct str text)
{
    CHECK(edits->count < EDITS_MAX);
    uint32_t at = edits->count++;
    while (at > 0 && edits->items[at - 1].offset > offset) {
        edits->items[at] = edits->items[at - 1];
        at--;
    }
    edits->items[at] = (struct edit){ offset, bytes, text };
}

static bool
has_control(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

/* `before`, then the name as a JSON string. data is NULL when the arena is full. */
static struct str
quoted(struct str before, struct str name, struct arena *arena)
{
    static const char hex[] = "0123456789abcdef";
    char *out = arena_alloc_raw(arena, before.len + 6 * name.len + 2);
    if (out == NULL) {
        return str_make(NULL, 0);
    }
    if (before.len > 0) {
        memcpy(out, before.data, before.len);
    }
    size_t len = before.len;
    out[len++] = '"';
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c < 0x20) {
            memcpy(out + len, "\\u00", 4);
            len += 4;
            out[len++] = hex[c >> 4];
            out[len++] = hex[c & 15];
            continue;
        }
        if (c == '"' || c == '\\') {
            out[len++] = '\\';
        }
        out[len++] = (char)c;
    }
    out[len++] = '"';
    return str_make(out, len);
}

static enum err
edit_json_model(const struct peek *peek, struct str model, struct arena *arena, struct edits *edits)
{
    bool is_there = peek->model_span.bytes > 0;
    struct str before = peek->has_members ? STR(",\"model\":") : STR("\"model\":");
    struct str text = quoted(is_there ? STR("") : before, model, arena);
    if (text.data == NULL) {
        return ERR_FULL;
    }
    size_t offset = is_there ? peek->model_span.offset : peek->members_end;
    add_edit(edits, offset, peek->model_span.bytes, text);
    return ERR_OK;
}

/* Replaces the field's text; a form without the field gets a part in front of the others. */
static enum err
edit_form_model(struct str body, const struct peek *peek, struct str model, struct arena *arena,
                struct edits *edits)
{
    if (has_control(model)) {
        return ERR_BAD;
    }
    if (peek->model_span.bytes > 0) {
        add_edit(edits, peek->model_span.offset, peek->model_span.bytes, model);
        return ERR_OK;
    }
    const char *end = memmem(body.data, body.len, "\r\n", 2);
    CHECK(end != NULL);
    struct str mark = str_make(body.data, (size_t)(end - body.data));
    struct str head = STR("\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n");
    char *out = arena_alloc_raw(arena, mark.len + head.len + model.len + 2);
    if (out == NULL) {
        return ERR_FULL;
    }
    memcpy(out, mark.data, mark.len);
    memcpy(out + mark.len, head.data, head.len);
    memcpy(out + mark.len + head.len, model.data, model.len);
    size_t len = mark.len + head.len + model.len;
    memcpy(out + len, "\r\n", 2);
    add_edit(edits, 0, 0, str_make(out, len + 2));
    return ERR_OK;
}

/* Where the body says none: there is no such member, or it is null or empty. */
static enum err
edit_instructions(struct str body, const struct peek *peek, bool has_members, struct str text,
                  struct arena *arena, struct edits *edits)
{
    struct json_value top;
    struct json_value said;
    bool is_there = json_prefix(body, &top) == ERR_OK && json_get(top, STR("instructions"), &said);
    if (is_there && said.kind != JSON_NULL && !json_string_is(said, STR(""))) {
        return ERR_OK;
    }
    struct str before = is_there      ? STR("")
                        : has_members ? STR(",\"instructions\":")
                                      : STR("\"instructions\":");
    struct str value = quoted(before, text, arena);
    if (value.data == NULL) {
        return ERR_FULL;
    }
    size_t offset = is_there ? (size_t)(said.raw.data - body.data) : peek->members_end;
    add_edit(edits, offset, is_there ? said.raw.len : 0, value);
    return ERR_OK;
}

/* The word alone; what is no effort is the provider's to refuse. */
static enum err
edit_effort(struct str body, const struct splice_want *want, struct arena *arena,
            struct edits *edits)
{
    struct json_value top;
    struct json_value said;
    if (json_prefix(body, &top) != ERR_OK || !json_get_path(top, want->effort_path, &said) ||
        said.kind != JSON_STRING || said.is_escaped) {
        return ERR_OK;
    }
    enum hub_effort asked = effort_parse(str_make(said.raw.data + 1, said.raw.len - 2));
    enum hub_effort sent = effort_mapped(want->effort_map, asked);
    if (sent == asked) {
        return ERR_OK;
    }
    struct str text = quoted(STR(""), str_of(effort_name(sent)), arena);
    if (text.data == NULL) {
        return ERR_FULL;
    }
    add_edit(edits, (size_t)(said.raw.data - body.data), said.raw.len, text);
    return ERR_OK;
}

static void
edit_usage(const struct peek *peek, bool has_members, struct edits *edits)
{
    const struct peek_span *options = &peek->stream_options;
    switch (peek->usage) {
    case PEEK_USAGE_ABSENT:
        add_edit(edits, peek->members_end, 0,
                 has_members ? STR(",\"stream_options\":{\"include_usage\":true}")
                             : STR("\"stream_options\":{\"include_usage\":true}"));
        return;
    case PEEK_USAGE_NULL:
    case PEEK_USAGE_EMPTY:
        add_edit(edits, options->offset, options->bytes, STR("{\"include_usage\":true}"));
        return;
    case PEEK_USAGE_UNSAID:
        add_edit(edits, options->offset + 1, 0, STR("\"include_usage\":true,"));
        return;
    case PEEK_USAGE_OFF:
        add_edit(edits, peek->include_usage.offset, peek->include_usage.bytes, STR("true"));
        return;
    case PEEK_USAGE_ON:
    case PEEK_USAGE_ODD:
        return;
    }
}

/* --- Gemini's bodies --- */

struct renaming {
    struct str text;    /* the new value with its quotes */
    const char *copied; /* of the body, up to here */
    char *out;          /* NULL: they are only counted */
    size_t len;
    uint32_t count;
};

static void
rename_value(struct renaming *it, struct json_value value)
{
    if (value.kind != JSON_STRING) {
        return;
    }
    it->count++;
    if (it->out != NULL) {
        size_t kept = (size_t)(value.raw.data - it->copied);
        char *end = mempcpy(it->out + it->len, it->copied, kept);
        memcpy(end, it->text.data, it->text.len);
        it->len += kept + it->text.len;
        it->copied = value.raw.data + value.raw.len;
    }
}

static bool
on_inner(void *context, const struct json_member *member)
{
    if (json_name_is(member, STR("model"))) {
        rename_value(context, member->value);
    }
    return true;
}

static bool
on_request(void *context, const struct json_member *member)
{
    return member->value.kind != JSON_OBJECT ||
           json_scan_object(member->value, on_inner, context) == ERR_OK;
}

static bool
on_outer(void *context, const struct json_member *member)
{
    if (json_name_is(member, STR("requests")) && member->value.kind == JSON_ARRAY) {
        return json_scan_array(member->value, on_request, context) == ERR_OK;
    }
    if (json_name_is(member, STR("generateContentRequest"))) {
        return on_request(context, member);
    }
    return on_inner(context, member);
}

static enum err
rename_gemini(struct str body, struct str model, struct arena *arena, struct splice *out)
{
    struct renaming it = { .copied = body.data };
    char *name = arena_alloc_raw(arena, model.len + 7);
    if (name == NULL) {
        return ERR_FULL;
    }
    memcpy(mempcpy(name, "models/", 7), model.data, model.len);
    it.text = quoted(STR(""), str_make(name, model.len + 7), arena);
    if (it.text.data == NULL || json_scan(body, on_outer, &it, NULL, NULL) != ERR_OK ||
        it.count == 0) {
        return it.text.data == NULL ? ERR_FULL : ERR_OK;
    }
    it.out = arena_alloc_raw(arena, body.len + it.count * it.text.len);
    if (it.out == NULL) {
        return ERR_FULL;
    }
    if (json_scan(body, on_outer, &it, NULL, NULL) != ERR_OK) {
        return ERR_BAD;
    }
    size_t rest = (size_t)(body.data + body.len - it.copied);
    memcpy(it.out + it.len, it.copied, rest);
    *out = (struct splice){ .pieces = { str_make(it.out, it.len + rest) },
                            .count = 1,
                            .bytes = it.len + rest,
                            .is_changed = true };
    return ERR_OK;
}

static void
add_piece(struct splice *out, struct str piece)
{
    if (piece.len > 0) {
        CHECK(out->count < SPLICE_PIECES_MAX);
        out->pieces[out->count++] = piece;
        out->bytes += piece.len;
    }
}

enum err
splice_make(struct str body, const struct peek *peek, const struct splice_want *want,
            struct arena *arena, struct splice *out)
{
    struct edits edits = { .count = 0 };
    *out = (struct splice){ .count = 0 };
    enum err err = ERR_OK;
    if (want->model.len > 0 && want->is_gemini) {
        err = rename_gemini(body, want->model, arena, out);
        if (err != ERR_OK || out->is_changed) {
            return err;
        }
    } else if (want->model.len > 0) {
        err = peek->is_multipart ? edit_form_model(body, peek, want->model, arena, &edits)
                                 : edit_json_model(peek, want->model, arena, &edits);
    }
    bool has_members = peek->has_members || edits.count > 0;
    if (err == ERR_OK && want->instructions.len > 0 && !peek->is_multipart) {
        CHECK(!want->include_usage);
        err = edit_instructions(body, peek, has_members, want->instructions, arena, &edits);
    }
    if (err == ERR_OK && want->effort_map.len > 0 && want->effort_path.len > 0 &&
        !peek->is_multipart) {
        err = edit_effort(body, want, arena, &edits);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (want->include_usage && !peek->is_multipart) {
        edit_usage(peek, has_members, &edits);
    }
    size_t at = 0;
    for (uint32_t i = 0; i < edits.count; i++) {
        const struct edit *edit = &edits.items[i];
        CHECK(edit->offset >= at && edit->offset + edit->bytes <= body.len);
        add_piece(out, str_make(body.data + at, edit->offset - at));
        add_piece(out, edit->text);
        at = edit->offset + edit->bytes;
    }
    add_piece(out, str_skip(body, at));
    out->is_changed = edits.count > 0;
    return ERR_OK;
}

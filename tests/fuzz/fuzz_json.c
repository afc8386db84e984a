/*
 * Any bytes: the ways to read agree, what they report lies inside the text, a value's raw text is
 * itself JSON, and a decoded string written again means the same.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "base/jsonw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
    struct str text;
    struct arena *arena;
    uint32_t depth;
};

static void check_value(struct walk *walk, const struct json_value *value);

static bool
on_member(void *context, const struct json_member *member)
{
    struct walk *walk = context;
    if (member->name.data != NULL) {
        CHECK(member->name.data > walk->text.data);
        CHECK(member->name.data + member->name.len < walk->text.data + walk->text.len);
    }
    check_value(walk, &member->value);
    return true;
}

static void
check_string(struct walk *walk, const struct json_value *value)
{
    struct str meant;
    if (json_string(*value, walk->arena, &meant) != ERR_OK) {
        return;
    }
    CHECK(meant.len <= value->raw.len - 2);
    CHECK(json_string_is(*value, meant) ||
          memmem(meant.data, meant.len, "\xef\xbf\xbd", 3) != NULL);
    struct buf buf;
    struct jsonw w;
    buf_init(&buf, 1 << 20);
    jsonw_begin(&w, &buf);
    jsonw_str(&w, meant);
    struct json_value again;
    CHECK(jsonw_end(&w) == ERR_OK);
    CHECK(json_read(buf_str(&buf), &again, NULL) == ERR_OK && json_string_is(again, meant));
    buf_fini(&buf);
}

static void
check_value(struct walk *walk, const struct json_value *value)
{
    CHECK(value->raw.len > 0 && value->raw.data >= walk->text.data);
    CHECK(value->raw.data + value->raw.len <= walk->text.data + walk->text.len);
    struct json_value alone;
    CHECK(json_read(value->raw, &alone, NULL) == ERR_OK && alone.kind == value->kind);
    int64_t number;
    uint64_t positive;
    if (json_i64(*value, &number) == ERR_OK && number >= 0) {
        CHECK(json_u64(*value, &positive) == ERR_OK && positive == (uint64_t)number);
    }
    if (value->kind == JSON_STRING) {
        check_string(walk, value);
    }
    if (walk->depth == 3) {
        return;
    }
    walk->depth++;
    if (value->kind == JSON_OBJECT) {
        CHECK(json_scan_object(*value, on_member, walk) == ERR_OK);
    } else if (value->kind == JSON_ARRAY) {
        CHECK(json_scan_array(*value, on_member, walk) == ERR_OK);
    }
    walk->depth--;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536) {
        return 0;
    }
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    struct str text = str_make(copy, size);
    struct arena arena;
    arena_init(&arena, 8 << 20);
    struct json_value value;
    struct json_doc doc;
    struct json_error error = { 0, NULL };
    enum err read = json_read(text, &value, &error);
    CHECK(read == ERR_OK || (error.reason != NULL && error.offset <= size));
    CHECK(json_scan(text, NULL, NULL, NULL, NULL) == read);
    enum err parsed = json_parse(text, &arena, &doc, NULL);
    CHECK(parsed == read);
    if (read == ERR_OK) {
        struct walk walk = { text, &arena, 0 };
        check_value(&walk, &value);
        for (uint32_t i = 0; i < doc.count; i++) {
            struct json_value node = json_at(&doc, i);
            struct json_value alone;
            CHECK(json_read(node.raw, &alone, NULL) == ERR_OK && alone.kind == node.kind);
            CHECK(doc.nodes[i].next > i && doc.nodes[i].next <= doc.count);
            if (i == 64) {
                break;
            }
        }
    }
    arena_reset(&arena);
    free(copy);
    return 0;
}

/*
 * walk.c - reading a JSON tree member by member (see walk.h).
 */
#include "proto/walk.h"

#include "base/check.h"
#include "base/num.h"

static const struct walk nowhere;

enum err
walk_parse(struct str text, struct arena *arena, struct walk *out)
{
    *out = nowhere;
    struct json_doc *doc = arena_alloc_raw(arena, sizeof(*doc));
    if (doc == NULL) {
        return ERR_FULL;
    }
    enum err err = json_parse(text, arena, doc, NULL);
    if (err == ERR_OK) {
        *out = (struct walk){ .doc = doc, .node = 0, .end = doc->count };
    }
    return err;
}

static const struct json_node *
node_of(struct walk at)
{
    CHECK(at.node < at.doc->count);
    return &at.doc->nodes[at.node];
}

enum json_kind
walk_kind(struct walk at)
{
    return at.doc == NULL ? JSON_NULL : (enum json_kind)(node_of(at)->flags & JSON_NODE_KIND);
}

bool
walk_is_value(struct walk at)
{
    return at.doc != NULL && walk_kind(at) != JSON_NULL;
}

struct json_value
walk_value(struct walk at)
{
    if (at.doc == NULL) {
        return (struct json_value){ .kind = JSON_NULL };
    }
    return json_at(at.doc, at.node);
}

/* Does the member whose name is node `name_node` have this name? */
static bool
name_is(const struct json_doc *doc, uint32_t name_node, struct str name)
{
    const struct json_node *node = &doc->nodes[name_node];
    struct str content = str_make(doc->text.data + node->offset, node->length);
    return (node->flags & JSON_NODE_ESCAPED) != 0 ? json_escaped_is(content, name)
                                                  : str_equal(content, name);
}

/* "maxOutputTokens" against "max_output_tokens". */
static bool
name_is_snake(const struct json_doc *doc, uint32_t name_node, struct str camel)
{
    const struct json_node *node = &doc->nodes[name_node];
    struct str content = str_make(doc->text.data + node->offset, node->length);
    size_t at = 0;
    for (size_t i = 0; i < camel.len; i++) {
        char c = camel.data[i];
        if (c >= 'A' && c <= 'Z') {
            if (at == content.len || content.data[at] != '_') {
                return false;
            }
            at++;
            c = str_lower(c);
        }
        if (at == content.len || content.data[at] != c) {
            return false;
        }
        at++;
    }
    return at == content.len;
}

typedef bool (*match_fn)(const struct json_doc *doc, uint32_t name_node, struct str name);

static struct walk
find_last(struct walk at, struct str name, match_fn matches)
{
    if (walk_kind(at) != JSON_OBJECT) {
        return nowhere;
    }
    uint32_t end = node_of(at)->next;
    struct walk found = nowhere;
    for (uint32_t i = at.node + 1; i < end; i = at.doc->nodes[i + 1].next) {
        if (matches(at.doc, i, name)) {
            found = (struct walk){ .doc = at.doc, .node = i + 1, .end = end };
        }
    }
    return found;
}

struct walk
walk_get(struct walk at, struct str name)
{
    return find_last(at, name, name_is);
}

struct walk
walk_get_camel(struct walk at, struct str name)
{
    struct walk found = find_last(at, name, name_is);
    return walk_is_there(found) ? found : find_last(at, name, name_is_snake);
}

struct walk
walk_first(struct walk at)
{
    if (walk_kind(at) != JSON_ARRAY || node_of(at)->next == at.node + 1) {
        return nowhere;
    }
    return (struct walk){ .doc = at.doc, .node = at.node + 1, .end = node_of(at)->next };
}

struct walk
walk_next(struct walk at)
{
    if (at.doc == NULL || node_of(at)->next >= at.end) {
        return nowhere;
    }
    return (struct walk){ .doc = at.doc, .node = node_of(at)->next, .end = at.end };
}

/* The member whose name is node `name_node`. */
static struct walk
member(const struct json_doc *doc, uint32_t name_node, uint32_t end, struct arena *arena,
       struct str *name)
{
    if (json_string(json_at(doc, name_node), arena, name) != ERR_OK) {
        *name = str_make(NULL, 0);
        return nowhere;
    }
    return (struct walk){ .doc = doc, .node = name_node + 1, .end = end };
}

struct walk
walk_first_member(struct walk at, struct arena *arena, struct str *name)
{
    *name = str_make(NULL, 0);
    if (walk_kind(at) != JSON_OBJECT || node_of(at)->next == at.node + 1) {
        return nowhere;
    }
    return member(at.doc, at.node + 1, node_of(at)->next, arena, name);
}

struct walk
walk_next_member(struct walk at, struct arena *arena, struct str *name)
{
    *name = str_make(NULL, 0);
    if (at.doc == NULL || node_of(at)->next >= at.end) {
        return nowhere;
    }
    return member(at.doc, node_of(at)->next, at.end, arena, name);
}

uint32_t
walk_count(struct walk at)
{
    enum json_kind kind = walk_kind(at);
    if (at.doc == NULL || (kind != JSON_ARRAY && kind != JSON_OBJECT)) {
        return 0;
    }
    uint32_t count = 0;
    uint32_t end = node_of(at)->next;
    for (uint32_t i = at.node + 1; i < end; i = at.doc->nodes[i].next) {
        count++;
    }
    return kind == JSON_OBJECT ? count / 2 : count;
}

struct str
walk_raw(struct walk at)
{
    return at.doc == NULL ? str_make(NULL, 0) : walk_value(at).raw;
}

struct str
walk_raw_value(struct walk at)
{
    return walk_is_value(at) ? walk_value(at).raw : str_make(NULL, 0);
}

bool
walk_text(struct walk at, struct arena *arena, struct str *out)
{
    *out = str_make(NULL, 0);
    return walk_kind(at) == JSON_STRING && json_string(walk_value(at), arena, out) == ERR_OK;
}

struct str
walk_string(struct walk at, struct arena *arena)
{
    struct str text;
    (void)walk_text(at, arena, &text);
    return text;
}

bool
walk_is_text(struct walk at, struct str text)
{
    return walk_kind(at) == JSON_STRING && json_string_is(walk_value(at), text);
}

enum hub_tri
walk_tri(struct walk at)
{
    enum json_kind kind = walk_kind(at);
    return kind == JSON_TRUE ? HUB_YES : kind == JSON_FALSE ? HUB_NO : HUB_UNSET;
}

bool
walk_is_true(struct walk at)
{
    return walk_kind(at) == JSON_TRUE;
}

bool
walk_u64(struct walk at, uint64_t *out)
{
    struct json_value value = walk_value(at);
    if (value.kind == JSON_STRING && value.raw.len > 2 && !value.is_escaped) {
        struct str digits = str_make(value.raw.data + 1, value.raw.len - 2);
        return num_u64(digits, out) == ERR_OK;
    }
    return json_u64(value, out) == ERR_OK;
}

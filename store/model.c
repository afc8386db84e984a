/*
 * model.c - what walks the tables of fields: records to JSON and back.
 */
#include "store/model.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "store/field.h"
#include "store/rows.h"
#include "store/rules.h"

#define FIELDS_MAX 64u /* members seen are kept as bits of one word */

const struct model_table *
model_table(enum model_kind kind)
{
    CHECK((unsigned)kind < MODEL_KINDS);
    CHECK(rows_tables[kind].field_count <= FIELDS_MAX);
    return &rows_tables[kind];
}

const char *
model_platform_name(enum model_platform platform)
{
    switch (platform) {
    case MODEL_OPENAI:
    case MODEL_ANTHROPIC:
    case MODEL_GEMINI:
        return rows_platforms[platform];
    }
    return "?";
}

void
model_defaults(enum model_kind kind, void *object)
{
    const struct model_table *table = model_table(kind);
    memset(object, 0, table->size);
    for (size_t i = 0; i < table->field_count; i++) {
        if (table->fields[i].standard != NULL) {
            field_reset(&table->fields[i], object);
        }
    }
}

/* What depends on another field and was not given. */
static void
complete(enum model_kind kind, void *object)
{
    static const char *const urls[] = {
        "https://api.openai.com/v1",
        "https://api.anthropic.com",
        "https://generativelanguage.googleapis.com",
    };
    if (kind == MODEL_ACCOUNT) {
        struct account *account = object;
        if (account->base_url[0] == '\0') {
            CHECK((unsigned)account->platform < sizeof(urls) / sizeof(urls[0]));
            bool fits = str_copy(account->base_url, sizeof(account->base_url),
                                 str_of(urls[account->platform]));
            CHECK(fits);
        }
    } else if (kind == MODEL_KEY) {
        struct key *key = object;
        if (key->group[0] == '\0') {
            memcpy(key->group, "default", sizeof("default"));
        }
    } else if (kind == MODEL_PLAN) {
        struct plan *plan = object;
        if (plan->group[0] == '\0') {
            memcpy(plan->group, "default", sizeof("default"));
        }
    }
}

enum err
model_encode(enum model_kind kind, const void *object, struct buf *out)
{
    const struct model_table *table = model_table(kind);
    struct jsonw w;
    jsonw_begin(&w, out);
    jsonw_object(&w);
    for (size_t i = 0; i < table->field_count; i++) {
        jsonw_name(&w, table->fields[i].name);
        field_store(&table->fields[i], object, &w);
    }
    jsonw_close(&w);
    return jsonw_end(&w);
}

enum err
model_show(enum model_kind kind, const void *object, struct buf *out)
{
    const struct model_table *table = model_table(kind);
    struct jsonw w;
    jsonw_begin(&w, out);
    jsonw_object(&w);
    for (size_t i = 0; i < table->field_count; i++) {
        if ((table->fields[i].flags & MODEL_IS_SHOWN) != 0) {
            jsonw_name(&w, table->fields[i].name);
            field_show(&table->fields[i], object, &w);
        }
    }
    jsonw_close(&w);
    return jsonw_end(&w);
}

/* One walk over the members of a record or of what a person sent. */
struct walk {
    const struct model_table *table;
    void *object;
    bool is_create;
    uint64_t seen; /* bit a field */
    size_t next;   /* where the last member's field stands, and one further */
    enum err err;
    char *why; /* MODEL_WHY_BYTES; NULL: a stored record */
};

/* Records are written in the table's order: mostly the first one asked is the one. */
static const struct model_field *
find_field(struct walk *walk, const struct json_member *member)
{
    size_t count = walk->table->field_count;
    for (size_t tries = 0; tries < count; tries++) {
        const struct model_field *field = &walk->table->fields[walk->next];
        walk->next = walk->next + 1 < count ? walk->next + 1 : 0;
        if (json_name_is(member, str_of(field->name))) {
            return field;
        }
    }
    return NULL;
}

static bool
on_stored(void *context, const struct json_member *member)
{
    struct walk *walk = context;
    const struct model_field *field = find_field(walk, member);
    if (field != NULL) {
        walk->err = field_load(field, member->value, walk->object);
    }
    return walk->err == ERR_OK;
}

enum err
model_decode(enum model_kind kind, struct str json, void *object)
{
    struct walk walk = { .table = model_table(kind), .object = object };
    enum json_kind root = JSON_NULL;
    model_defaults(kind, object);
    enum err err = json_scan(json, on_stored, &walk, &root, NULL);
    if (err != ERR_OK || walk.err != ERR_OK || root != JSON_OBJECT) {
        model_defaults(kind, object);
        return ERR_BAD;
    }
    complete(kind, object);
    return ERR_OK;
}

static enum err
refuse_member(struct walk *walk, struct str name, const char *text)
{
    struct str shown = str_make(name.data, name.len < 64 ? name.len : 64);
    snprintf(walk->why, MODEL_WHY_BYTES, "%.*s: %s", STR_ARG(shown), text);
    return ERR_BAD;
}

static enum err
apply_member(struct walk *walk, const struct json_member *member)
{
    const struct model_field *field = find_field(walk, member);
    if (field == NULL || (field->flags & MODEL_IS_HIDDEN) != 0) {
        return refuse_member(walk, member->name, "there is no such setting");
    }
    if ((field->flags & MODEL_IS_SETTABLE) == 0) {
        return refuse_member(walk, member->name, "cannot be set");
    }
    if ((field->flags & MODEL_IS_KEY) != 0 && !walk->is_create) {
        return refuse_member(walk, member->name, "can be given at creation only");
    }
    uint64_t bit = 1ull << (field - walk->table->fields);
    if ((walk->seen & bit) != 0) {
        return refuse_member(walk, member->name, "is given twice");
    }
    walk->seen |= bit;
    return field_set(field, member->value, walk->object, walk->why);
}

static bool
on_applied(void *context, const struct json_member *member)
{
    struct walk *walk = context;
    walk->err = apply_member(walk, member);
    return walk->err == ERR_OK;
}

enum err
model_apply(enum model_kind kind, void *object, struct str json, bool is_create,
            char why[MODEL_WHY_BYTES])
{
    struct walk walk = {
        .table = model_table(kind), .object = object, .is_create = is_create, .why = why
    };
    struct json_error error = { 0, "" };
    enum json_kind root = JSON_NULL;
    why[0] = '\0';
    enum err err = json_scan(json, on_applied, &walk, &root, &error);
    if (walk.err != ERR_OK) {
        return walk.err;
    }
    if (err != ERR_OK) {
        snprintf(why, MODEL_WHY_BYTES, "the body is no JSON at byte %zu: %s", error.offset,
                 error.reason);
        return ERR_BAD;
    }
    if (root != JSON_OBJECT) {
        snprintf(why, MODEL_WHY_BYTES, "the body is no JSON object");
        return ERR_BAD;
    }
    complete(kind, object);
    return ERR_OK;
}

enum err
model_check(enum model_kind kind, const void *object, char why[MODEL_WHY_BYTES])
{
    return rules_check(kind, object, why);
}

/*
 * model.c - the tables of users, keys, groups and accounts, and what walks them.
 */
#include "store/model.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "store/field.h"
#include "store/rules.h"

#define COUNT_MAX 1000000u /* requests in flight or a minute: more is a slip */
/* What a window counts in a minute (shm/window.h). */
#define TOKENS_A_MINUTE_MAX ((1ull << 40) - 1)
#define TPM_ROW(object, over)                                                                     \
    {                                                                                             \
        .name = "tpm", .type = MODEL_U64, AT(object, tpm), .max = TOKENS_A_MINUTE_MAX,            \
        .flags = SET | LISTED,                                                                    \
        .help = "Input and output tokens a minute" over "; then no request begins; 0 = no limit." \
    }
#define TIME_MAX 253402300799999ull /* the last millisecond that RFC 3339 can write */
#define FIELDS_MAX 64u              /* members seen are kept as bits of one word */

#define CREATED (MODEL_IS_KEY | MODEL_IS_SETTABLE | MODEL_IS_SHOWN) /* given once */
#define SET (MODEL_IS_SETTABLE | MODEL_IS_SHOWN)
#define LISTED MODEL_IS_LISTED

#define AT(kind, member) \
    .offset = offsetof(struct kind, member), .size = sizeof(((struct kind *)0)->member)

/* Every kind has these two. */
#define NOTE_AND_CREATED(kind)                                                        \
    { .name = "note",                                                                 \
      .type = MODEL_TEXT,                                                             \
      AT(kind, note),                                                                 \
      .flags = SET,                                                                   \
      .help = "Free text for people." },                                              \
    {                                                                                 \
        .name = "created", .type = MODEL_TIME, AT(kind, created_ms), .max = TIME_MAX, \
        .flags = MODEL_IS_SHOWN, .help = "When it was made."                          \
    }

static const char *const platforms[] = { "openai", "anthropic", "gemini", NULL };

static const struct model_field user_fields[] = {
    { .name = "id",
      .type = MODEL_U64,
      AT(user, id),
      .max = UINT64_MAX,
      .flags = MODEL_IS_SHOWN | LISTED,
      .help = "Number of this user, never used again." },
    { .name = "name",
      .type = MODEL_TEXT,
      AT(user, name),
      .flags = CREATED | LISTED,
      .help = "1 to 63 of A-Z a-z 0-9 . _ - @, unique." },
    { .name = "concurrency",
      .type = MODEL_U32,
      AT(user, concurrency),
      .max = COUNT_MAX,
      .flags = SET | LISTED,
      .help = "Requests in flight at most, over all keys of the user; 0 = no limit." },
    { .name = "rpm",
      .type = MODEL_U32,
      AT(user, rpm),
      .max = COUNT_MAX,
      .flags = SET | LISTED,
      .help = "Requests a minute at most, over all keys of the user; 0 = no limit." },
    TPM_ROW(user, ", over all keys of the user"),
    { .name = "disabled",
      .type = MODEL_BOOL,
      AT(user, is_disabled),
      .flags = MODEL_IS_SHOWN | LISTED,
      .help = "Out of use until it is enabled." },
    NOTE_AND_CREATED(user),
};

static const struct model_field key_fields[] = {
    { .name = "id",
      .type = MODEL_U64,
      AT(key, id),
      .max = UINT64_MAX,
      .flags = MODEL_IS_SHOWN | LISTED,
      .help = "Number of this key, never used again." },
    { .name = "name",
      .type = MODEL_TEXT,
      AT(key, name),
      .flags = CREATED | LISTED,
      .help = "1 to 63 of A-Z a-z 0-9 . _ - @, unique." },
    { .name = "prefix",
      .type = MODEL_TEXT,
      AT(key, prefix),
      .flags = MODEL_IS_SHOWN | LISTED,
      .help = "The first characters of the key." },
    { .name = "digest",
      .type = MODEL_BYTES,
      AT(key, digest),
      .flags = MODEL_IS_HIDDEN,
      .help = "SHA-256 of the key." },
    { .name = "user",
      .type = MODEL_TEXT,
      AT(key, user),
      .flags = CREATED | LISTED,
      .help = "Name of the user who owns it." },
    { .name = "user_id",
      .type = MODEL_U64,
      AT(key, user_id),
      .max = UINT64_MAX,
      .flags = MODEL_IS_HIDDEN,
      .help = "Id of its user." },
    { .name = "group",
      .type = MODEL_TEXT,
      AT(key, group),
      .flags = SET | LISTED,
      .standard = "default",
      .help = "Name of the group whose accounts it may use." },
    { .name = "group_id",
      .type = MODEL_U64,
      AT(key, group_id),
      .max = UINT64_MAX,
      .flags = MODEL_IS_HIDDEN,
      .help = "Id of its group." },
    { .name = "expires",
      .type = MODEL_TIME,
      AT(key, expires_ms),
      .max = TIME_MAX,
      .flags = SET | LISTED,
      .help = "When it stops to work: RFC 3339, 30d, 12h, or never." },
    { .name = "models",
      .type = MODEL_TEXT,
      AT(key, models),
      .flags = SET,
      .help = "Models it may ask for: globs, comma separated; empty = all." },
    { .name = "addresses",
      .type = MODEL_TEXT,
      AT(key, addresses),
      .flags = SET,
      .help = "Addresses and networks that may use it, comma separated; empty = all." },
    { .name = "concurrency",
      .type = MODEL_U32,
      AT(key, concurrency),
      .max = COUNT_MAX,
      .flags = SET | LISTED,
      .help = "Requests in flight at most; 0 = no limit." },
    { .name = "rpm",
      .type = MODEL_U32,
      AT(key, rpm),
      .max = COUNT_MAX,
      .flags = SET | LISTED,
      .help = "Requests a minute at most; 0 = no limit." },
    TPM_ROW(key, ""),
    { .name = "input_tokens_max",
      .type = MODEL_U64,
      AT(key, input_tokens_max),
      .max = UINT64_MAX >> 1,
      .flags = SET,
      .help = "Estimated input tokens of one request at most; 0 = no limit." },
    { .name = "quota_tokens",
      .type = MODEL_U64,
      AT(key, quota_tokens),
      .max = UINT64_MAX >> 1,
      .flags = SET,
      .help = "Input and output tokens over the life of the key; 0 = no limit." },
    { .name = "disabled",
      .type = MODEL_BOOL,
      AT(key, is_disabled),
      .flags = MODEL_IS_SHOWN | LISTED,
      .help = "Out of use until it is enabled." },
    NOTE_AND_CREATED(key),
};

static const struct model_field group_fields[] = {
    { .name = "id",
      .type = MODEL_U64,
      AT(group, id),
      .max = UINT64_MAX,
      .flags = MODEL_IS_SHOWN | LISTED,
      .help = "Number of this group, never used again." },
    { .name = "name",
      .type = MODEL_TEXT,
      AT(group, name),
      .flags = CREATED | LISTED,
      .help = "1 to 63 of A-Z a-z 0-9 . _ - @, unique." },
    { .name = "models",
      .type = MODEL_TEXT,
      AT(group, models),
      .flags = SET | LISTED,
      .help = "Models its keys may ask for: globs, comma separated; empty = all." },
    { .name = "concurrency",
      .type = MODEL_U32,
      AT(group, concurrency),
      .max = COUNT_MAX,
      .flags = SET | LISTED,
      .help = "Requests in flight at most, over all its keys; 0 = no limit." },
    { .name = "rpm",
      .type = MODEL_U32,
      AT(group, rpm),
      .max = COUNT_MAX,
      .flags = SET | LISTED,
      .help = "Requests a minute at most, over all its keys; 0 = no limit." },
    TPM_ROW(group, ", over all its keys"),
    { .name = "disabled",
      .type = MODEL_BOOL,
      AT(group, is_disabled),
      .flags = MODEL_IS_SHOWN | LISTED,
      .help = "Out of use until it is enabled." },
    NOTE_AND_CREATED(group),
};

static const struct model_field account_fields[] = {
    { .name = "id",
      .type = MODEL_U64,
      AT(account, id),
      .max = UINT64_MAX,
      .flags = MODEL_IS_SHOWN | LISTED,
      .help = "Number of this account, never used again." },
    { .name = "index",
      .type = MODEL_U32,
      AT(account, index),
      .max = ACCOUNTS_MAX - 1,
      .flags = MODEL_IS_SHOWN,
      .help = "Its place in the table of health; given again after removal." },
    { .name = "name",
      .type = MODEL_TEXT,
      AT(account, name),
      .flags = CREATED | LISTED,
      .help = "1 to 63 of A-Z a-z 0-9 . _ - @, unique." },
    { .name = "platform",
      .type = MODEL_CHOICE,
      AT(account, platform),
      .choices = platforms,
      .flags = CREATED | LISTED,
      .help = "Whose API it speaks: openai (and everything compatible), anthropic or gemini." },
    { .name = "base_url",
      .type = MODEL_TEXT,
      AT(account, base_url),
      .flags = SET | LISTED,
      .help = "Where its API lives; the platform's own address unless given." },
    { .name = "group",
      .type = MODEL_TEXT,
      AT(account, groups),
      .flags = SET | LISTED,
      .help = "Groups it serves, comma separated; default unless given." },
    { .name = "priority",
      .type = MODEL_U32,
      AT(account, priority),
      .max = COUNT_MAX,
      .flags = SET | LISTED,
      .standard = "50",
      .help = "Lower is used first." },
    { .name = "weight",
      .type = MODEL_U32,
      AT(account, weight),
      .max = COUNT_MAX,
      .flags = SET,
      .standard = "1",
      .help = "Share among accounts of the same priority." },
    { .name = "concurrency",
      .type = MODEL_U32,
      AT(account, concurrency),
      .max = COUNT_MAX,
      .flags = SET | LISTED,
      .help = "Requests in flight at most; 0 = no limit." },
    { .name = "rpm",
      .type = MODEL_U32,
      AT(account, rpm),
      .max = COUNT_MAX,
      .flags = SET | LISTED,
      .help = "Requests a minute at most; 0 = no limit." },
    TPM_ROW(account, ""),
    { .name = "models",
      .type = MODEL_TEXT,
      AT(account, models),
      .flags = SET,
      .help = "Models it serves: globs, comma separated; empty = all." },
    { .name = "model_map",
      .type = MODEL_TEXT,
      AT(account, model_map),
      .flags = SET,
      .help = "asked=sent pairs, comma separated; the left side may be a glob." },
    { .name = "dialects",
      .type = MODEL_TEXT,
      AT(account, dialects),
      .flags = SET,
      .help = "Dialects it speaks, comma separated; empty = those of its platform." },
    { .name = "proxy",
      .type = MODEL_TEXT,
      AT(account, proxy),
      .flags = SET | MODEL_IS_URL,
      .help = "http:// or socks5:// proxy to reach it through, user:password@ allowed." },
    { .name = "tls_ca_file",
      .type = MODEL_TEXT,
      AT(account, tls_ca_file),
      .flags = SET,
      .help = "PEM file of the authorities to trust instead of the system's." },
    { .name = "tls_insecure",
      .type = MODEL_BOOL,
      AT(account, tls_insecure),
      .flags = SET | LISTED,
      .help = "Do not check its certificate: anybody in between can read everything." },
    { .name = "disabled_why",
      .type = MODEL_TEXT,
      AT(account, disabled_why),
      .flags = MODEL_IS_SHOWN,
      .help = "Why it was disabled." },
    { .name = "sealed",
      .type = MODEL_BYTES,
      AT(account, sealed),
      .length_offset = offsetof(struct account, sealed_bytes),
      .flags = MODEL_IS_HIDDEN,
      .help = "The credential, sealed." },
    { .name = "secret_hint",
      .type = MODEL_TEXT,
      AT(account, secret_hint),
      .flags = MODEL_IS_SHOWN,
      .help = "The last characters of its credential." },
    { .name = "disabled",
      .type = MODEL_BOOL,
      AT(account, is_disabled),
      .flags = MODEL_IS_SHOWN | LISTED,
      .help = "Out of use until it is enabled." },
    NOTE_AND_CREATED(account),
};

#define FIELDS(kind) \
    .fields = kind##_fields, .field_count = sizeof(kind##_fields) / sizeof(kind##_fields[0])

const struct model_table model_tables[MODEL_KINDS] = {
    [MODEL_USER] = { .kind = MODEL_USER,
                     .noun = "user",
                     .nouns = "users",
                     .size = sizeof(struct user),
                     FIELDS(user) },
    [MODEL_KEY] = { .kind = MODEL_KEY,
                    .noun = "key",
                    .nouns = "keys",
                    .size = sizeof(struct key),
                    FIELDS(key) },
    [MODEL_GROUP] = { .kind = MODEL_GROUP,
                      .noun = "group",
                      .nouns = "groups",
                      .size = sizeof(struct group),
                      FIELDS(group) },
    [MODEL_ACCOUNT] = { .kind = MODEL_ACCOUNT,
                        .noun = "account",
                        .nouns = "accounts",
                        .size = sizeof(struct account),
                        FIELDS(account) },
};

_Static_assert(sizeof(user_fields) / sizeof(user_fields[0]) <= FIELDS_MAX &&
                   sizeof(key_fields) / sizeof(key_fields[0]) <= FIELDS_MAX &&
                   sizeof(group_fields) / sizeof(group_fields[0]) <= FIELDS_MAX &&
                   sizeof(account_fields) / sizeof(account_fields[0]) <= FIELDS_MAX,
               "one bit a field");
_Static_assert(sizeof(enum model_platform) == sizeof(uint32_t), "a choice is read as 32 bits");

static const struct model_table *
table_of(enum model_kind kind)
{
    CHECK((unsigned)kind < MODEL_KINDS);
    return &model_tables[kind];
}

const char *
model_platform_name(enum model_platform platform)
{
    switch (platform) {
    case MODEL_OPENAI:
    case MODEL_ANTHROPIC:
    case MODEL_GEMINI:
        return platforms[platform];
    }
    return "?";
}

void
model_defaults(enum model_kind kind, void *object)
{
    const struct model_table *table = table_of(kind);
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
    }
}

enum err
model_encode(enum model_kind kind, const void *object, struct buf *out)
{
    const struct model_table *table = table_of(kind);
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
    const struct model_table *table = table_of(kind);
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
    struct walk walk = { .table = table_of(kind), .object = object };
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
        .table = table_of(kind), .object = object, .is_create = is_create, .why = why
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

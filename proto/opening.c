/*
 * opening.c - see opening.h.
 *
 * The values were found by peek; here their texts are hashed in a chain. Walks end at the first
 * user message, so what is read does not grow with the conversation.
 */
#include "proto/opening.h"

#include "base/check.h"
#include "base/json.h"
#include "base/limits.h"

struct walk {
    const struct hash_key *key;
    uint64_t hash;
    uint32_t texts;    /* hashed so far */
    uint32_t messages; /* looked at */
    bool is_said;      /* the first user message was found */
};

static void
take_text(struct walk *walk, struct str text)
{
    /* The length keeps "ab","c" and "a","bc" apart, and stands for what is not read. */
    struct hash_key chained = { walk->key->k0 ^ walk->hash, walk->key->k1 ^ (uint64_t)text.len };
    size_t bytes = text.len < OPENING_TEXT_BYTES ? text.len : OPENING_TEXT_BYTES;
    walk->hash = hash_bytes(&chained, str_make(text.data, bytes));
    walk->texts++;
}

static void
take_string(struct walk *walk, struct json_value value)
{
    take_text(walk, str_make(value.raw.data + 1, value.raw.len - 2));
}

/* One block of a content array: a text, or an object with one. */
static bool
on_block(void *context, const struct json_member *member)
{
    struct walk *walk = context;
    struct json_value text = member->value;
    if (text.kind == JSON_STRING ||
        (json_get(member->value, STR("text"), &text) && text.kind == JSON_STRING)) {
        take_string(walk, text);
    }
    return true;
}

/* The texts of a content: a string, an array of blocks, or an object with `parts`. */
static void
take_content(struct walk *walk, struct json_value content)
{
    struct json_value inner = content;
    if (content.kind == JSON_OBJECT && !json_get(content, STR("parts"), &inner)) {
        return;
    }
    if (inner.kind == JSON_STRING) {
        take_string(walk, inner);
    } else if (inner.kind == JSON_ARRAY) {
        /* It was validated; there is nothing to fail. */
        (void)!json_scan_array(inner, on_block, walk);
    }
}

/* What one message says of itself. */
struct message {
    struct json_value role;
    struct json_value content; /* `content`, or Gemini's `parts` */
    bool has_role;
    bool has_content;
    bool has_parts;
};

static bool
on_field(void *context, const struct json_member *member)
{
    struct message *message = context;
    if (json_name_is(member, STR("role"))) {
        message->role = member->value;
        message->has_role = true;
    } else if (json_name_is(member, STR("content")) || json_name_is(member, STR("parts"))) {
        message->content = member->value;
        message->has_content = true;
        message->has_parts = member->name.len == 5;
    }
    return !message->has_role || !message->has_content;
}

static bool
on_message(void *context, const struct json_member *member)
{
    struct walk *walk = context;
    struct message message = { .has_role = false };
    if (++walk->messages > OPENING_MESSAGES_MAX) {
        return false;
    }
    if (member->value.kind != JSON_OBJECT ||
        json_scan_object(member->value, on_field, &message) != ERR_OK || !message.has_content) {
        return true;
    }
    /* Gemini may leave the role out of the only message. */
    bool is_user = message.has_role ? json_string_is(message.role, STR("user")) : message.has_parts;
    bool is_system = message.has_role && (json_string_is(message.role, STR("system")) ||
                                          json_string_is(message.role, STR("developer")));
    if (!is_user && !is_system) {
        return true;
    }
    uint32_t before = walk->texts;
    take_content(walk, message.content);
    walk->is_said = is_user;
    if (is_user && walk->texts == before) {
        take_text(walk, message.content.raw); /* a picture and no word */
    }
    return !is_user;
}

/* peek has validated it: the first byte tells what it is. False: not there, or of no use. */
static bool
value_at(struct str body, struct peek_span span, struct json_value *out)
{
    CHECK(span.offset <= body.len && span.bytes <= body.len - span.offset);
    if (span.bytes == 0) {
        return false;
    }
    char first = body.data[span.offset];
    *out = (struct json_value){ .kind = first == '"'   ? JSON_STRING
                                        : first == '[' ? JSON_ARRAY
                                                       : JSON_OBJECT,
                                .raw = str_make(body.data + span.offset, span.bytes) };
    return first == '"' || first == '[' || first == '{';
}

bool
opening_hash(const struct hash_key *key, struct str body, const struct peek *peek, uint64_t *out)
{
    struct walk walk = { .key = key };
    struct json_value value;
    if (value_at(body, peek->system, &value)) {
        take_content(&walk, value);
    }
    if (!value_at(body, peek->talk, &value)) {
        return false;
    }
    if (value.kind == JSON_STRING) {
        take_string(&walk, value);
        walk.is_said = true;
    } else if (value.kind == JSON_ARRAY) {
        (void)!json_scan_array(value, on_message, &walk);
    }
    *out = walk.hash;
    return walk.is_said;
}

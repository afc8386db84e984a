/*
 * json.h - JSON as spans of the caller's bytes: nothing is copied, numbers keep their spelling.
 *
 * Two ways to read, one strict RFC 8259 grammar (UTF-8 checked, depth <= JSON_DEPTH_MAX, raw
 * control bytes refused, lone surrogate escapes passed as they are because real clients send them):
 *   json_scan   validates the whole text and reports the members of the top-level object, without a
 *               tree and without memory: the hot path (SSE2 skips strings);
 *   json_parse  makes a flat array of 16-byte nodes in an arena, for admin records and small parts.
 * Both see duplicate keys; the caller decides.
 *
 * Runs in: every process. Every input is hostile: this is a fuzz target.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* One value as it stands in the text: a string's span includes its quotes. */
struct json_value {
    enum json_kind kind;
    bool is_escaped; /* string: holds a backslash */
    struct str raw;
};

/* One member of an object: `name` is between its quotes, undecoded. */
struct json_member {
    struct str name;
    bool name_is_escaped;
    struct json_value value;
    size_t name_offset;  /* of the opening quote, from the start of the text */
    size_t value_offset; /* of the value's first byte, from the start of the text */
};

/* Return false to stop the scan early (the rest is then not validated; json_scan returns ERR_OK).
 */
typedef bool (*json_member_fn)(void *context, const struct json_member *member);

/* Where and why a text is refused. */
struct json_error {
    size_t offset;
    const char *reason; /* static text for a person */
};

/*
 * ERR_BAD with *error filled when the text is not one JSON value. A top-level value that is no
 * object is ERR_OK with no member reported; *kind tells. `error` and `kind` may be NULL.
 */
MUST_CHECK enum err json_scan(struct str text, json_member_fn on_member, void *context,
                              enum json_kind *kind, struct json_error *error);

/* What estimates want to know of a text, counted while it is scanned. */
struct json_weight {
    uint64_t wide_characters; /* characters beyond ASCII */
    uint64_t wide_bytes;      /* their bytes */
    uint64_t data_bytes;      /* of strings, in pieces of JSON_DATA_BYTES and more without a blank,
                                 quote or other byte below '+': base64 */
};

#define JSON_DATA_BYTES 512

/* json_scan that also weighs; *weight is only filled when the whole text is valid. */
MUST_CHECK enum err
json_scan_weighed(struct str text, json_member_fn on_member, void *context, enum json_kind *kind,
                  struct json_error *error, struct json_weight *weight);

/* The members of an object value found before (its raw text is already validated). */
MUST_CHECK enum err
json_scan_object(struct json_value object, json_member_fn on_member, void *context);
/*
 * The object that a text begins with, validated, whatever stands behind it (*out_rest), in one walk
 * of two levels. Before a member that is an object itself on_open is asked: true: its members are
 * reported one by one (not what is inside them), and on_open is called with NULL behind the last;
 * false: it is reported as a whole. ERR_BAD: no object, cut off, or a callback wanted no more; what
 * was reported is then worth nothing.
 */
typedef bool (*json_open_fn)(void *context, const struct json_member *member);
MUST_CHECK enum err json_scan_leading(struct str text, json_member_fn on_member,
                                      json_open_fn on_open, void *context, struct str *out_rest);

/* The members that follow in an object, when `text` begins right behind a member's value: nothing
 * may stand behind the object's end. Offsets count from `text`. */
MUST_CHECK enum err json_scan_rest(struct str text, json_member_fn on_member, void *context);
/* The elements of an array value; name is empty in what on_member gets. */
MUST_CHECK enum err
json_scan_array(struct json_value array, json_member_fn on_member, void *context);

/* First member of this (decoded) name; false when there is none or `object` is no object. */
bool json_get(struct json_value object, struct str name, struct json_value *out);
/* Follows "a.b.c" (no arrays). */
bool json_get_path(struct json_value object, struct str dotted, struct json_value *out);

/* The whole text as a value after validating it. */
MUST_CHECK enum err json_read(struct str text, struct json_value *out, struct json_error *error);

/* The value that a text begins with, whatever stands behind it. ERR_BAD: none, or it is cut off. */
MUST_CHECK enum err json_prefix(struct str text, struct json_value *out);

/* A string's content: unescaped into the arena only when it must be. ERR_BAD: no string.
 * Lone surrogates become U+FFFD. */
MUST_CHECK enum err json_string(struct json_value value, struct arena *arena, struct str *out);

/* A string's content or a member's name (between the quotes, validated) decoded into `out`; false
 * when it does not fit, and *out_len bytes of its beginning are there all the same. The decoded
 * text is never longer than the escaped one. */
bool json_unescape(struct str content, char *out, size_t out_bytes, size_t *out_len);

/* Does this escaped content mean `text`? */
bool json_escaped_is(struct str content, struct str text);

/* Is the member's name equal to `name` once decoded? */
static inline bool
json_name_is(const struct json_member *member, struct str name)
{
    return member->name_is_escaped ? json_escaped_is(member->name, name)
                                   : str_equal(member->name, name);
}

/* Is this string equal to `text` once decoded? false for other kinds. */
bool json_string_is(struct json_value value, struct str text);
bool json_name_is(const struct json_member *member, struct str text);

/* The first byte at or behind `at` that is no plain ASCII character of a string (a quote, a
 * backslash, a control byte, a byte beyond ASCII), or `end`. */
const char *json_skip_plain(const char *at, const char *end);

/* Integers exactly; ERR_BAD for another kind, a fraction that is not zero, or out of range.
 * Accepts 12.0 and 1e3, as relays send them. */
MUST_CHECK enum err json_i64(struct json_value value, int64_t *out);
MUST_CHECK enum err json_u64(struct json_value value, uint64_t *out);
/* true/false only. */
MUST_CHECK enum err json_bool(struct json_value value, bool *out);

/* --- the tree, for what is walked several times --- */

struct json_node {
    uint32_t offset; /* of the value in the text; for a member: of its name's content */
    uint32_t length;
    uint32_t next;  /* index of the node after this subtree */
    uint32_t flags; /* kind in the low 3 bits, escaped bit, is-name bit */
};

enum { JSON_NODE_KIND = 7, JSON_NODE_ESCAPED = 8, JSON_NODE_NAME = 16 };

struct json_doc {
    struct str text;
    struct json_node *nodes; /* 0 is the root; an object's children alternate name, value */
    uint32_t count;
};

/* At most JSON_NODES_MAX nodes: ERR_FULL. text.len < 4 GiB. */
MUST_CHECK enum err
json_parse(struct str text, struct arena *arena, struct json_doc *out, struct json_error *error);
/* A name comes as the string it stands as, quotes included. */
struct json_value json_at(const struct json_doc *doc, uint32_t node);

#endif

/*
 * fakejson.h - reading a JSON request without building a tree: walk an object or array, member by
 * member, each value as a span of the caller's bytes.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKEJSON_H
#define TESTS_FAKE_FAKEJSON_H

#include "tests/fake/fakebuf.h"

struct fakejson {
    const char *p;
    const char *end;
    char open;  /* '{' or '[' while walking, 0 when the value was neither */
    bool first; /* no member has been given yet */
    bool bad;   /* set when the text turned out malformed */
};

/* The value at the start of the text; false when there is none. */
bool fakejson_value(struct fakespan text, struct fakespan *out);

/* The text without white space at its ends. */
struct fakespan fakejson_trim(struct fakespan text);

struct fakejson fakejson_walk(struct fakespan value);

/* The next member; key is empty in arrays. Keys are compared raw, without their quotes. */
bool fakejson_next(struct fakejson *walk, struct fakespan *key, struct fakespan *value);

/* A member by name; an empty span when absent. */
struct fakespan fakejson_get(struct fakespan object, const char *key);

/* Several members in one pass over the object: values[i] belongs to keys[i]. False when malformed.
 */
bool fakejson_pick(struct fakespan object, const char *const *keys, size_t count,
                   struct fakespan *values);

/* get, for a dotted path. */
struct fakespan fakejson_path(struct fakespan object, const char *path);

bool fakejson_is_string(struct fakespan value);
bool fakejson_is_array(struct fakespan value);
bool fakejson_is_object(struct fakespan value);
bool fakejson_is_true(struct fakespan value);
bool fakejson_is(struct fakespan value, const char *text); /* is the string `text` */
uint64_t fakejson_number(struct fakespan value, uint64_t otherwise);

/* Decodes a string value to UTF-8, at most size - 1 bytes and whole characters, and ends it. */
size_t fakejson_text(struct fakespan value, char *out, size_t size);

#endif

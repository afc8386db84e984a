/* fakeshape.c - see fakeshape.h. */
#include "tests/fake/fakeshape.h"

#include "tests/fake/fakejson.h"

#include <string.h>
#include <strings.h>

#define DEPTH_MAX 8u    /* of nested schemas that are followed */
#define MEMBERS_MAX 32u /* members written for one object */

static void shape(struct fakespan schema, struct fakespan key, unsigned depth, struct fakebuf *out);

static bool
type_is(struct fakespan type, const char *name)
{
    return fakejson_is_string(type) &&
           fakebuf_equals_nocase((struct fakespan){ type.p + 1, type.n - 2 }, name);
}

static bool
array_holds(struct fakespan array, struct fakespan name)
{
    struct fakejson walk = fakejson_walk(array);
    struct fakespan key;
    struct fakespan item;
    while (fakejson_next(&walk, &key, &item)) {
        if (fakejson_is_string(item) && item.n == name.n + 2 &&
            memcmp(item.p + 1, name.p, name.n) == 0) {
            return true;
        }
    }
    return false;
}

static void
shape_object(struct fakespan schema, unsigned depth, struct fakebuf *out)
{
    struct fakespan required = fakejson_get(schema, "required");
    struct fakejson walk = fakejson_walk(fakejson_get(schema, "properties"));
    struct fakespan key;
    struct fakespan property;
    unsigned count = 0;
    fakebuf_put(out, "{", 1);
    while (count < MEMBERS_MAX && fakejson_next(&walk, &key, &property)) {
        if (required.n > 2 && !array_holds(required, key)) {
            continue;
        }
        fakebuf_add(out, count == 0 ? "'" : ",'");
        count++;
        fakebuf_put(out, key.p, key.n);
        fakebuf_put(out, "\":", 2);
        shape(property, key, depth + 1, out);
    }
    fakebuf_put(out, "}", 1);
}

static struct fakespan
first_item(struct fakespan array)
{
    struct fakejson walk = fakejson_walk(array);
    struct fakespan key;
    struct fakespan item = { "", 0 };
    while (fakejson_next(&walk, &key, &item)) {
        if (!fakejson_is(item, "null") && !fakejson_is(fakejson_get(item, "type"), "null")) {
            break;
        }
    }
    return item;
}

static void
shape_string(struct fakespan key, struct fakebuf *out)
{
    bool command = fakebuf_equals(key, "cmd") || fakebuf_equals(key, "command");
    fakebuf_add(out, command ? "'echo hello'" : "'Paris'");
}

static void
shape(struct fakespan schema, struct fakespan key, unsigned depth, struct fakebuf *out)
{
    static const char *const keys[] = { "type",  "enum",  "const",     "anyOf",
                                        "oneOf", "items", "properties" };
    struct fakespan seen[7];
    if (depth > DEPTH_MAX || !fakejson_pick(schema, keys, 7, seen)) {
        fakebuf_put(out, "null", 4);
        return;
    }
    struct fakespan type = fakejson_is_array(seen[0]) ? first_item(seen[0]) : seen[0];
    if (seen[2].n > 0 || seen[1].n > 2) {
        struct fakespan value = seen[2].n > 0 ? seen[2] : first_item(seen[1]);
        fakebuf_put(out, value.p, value.n);
    } else if (seen[3].n > 2 || seen[4].n > 2) {
        shape(first_item(seen[3].n > 2 ? seen[3] : seen[4]), key, depth + 1, out);
    } else if (type_is(type, "object") || seen[6].n > 0) {
        shape_object(schema, depth, out);
    } else if (type_is(type, "array")) {
        fakebuf_put(out, "[", 1);
        if (seen[5].n > 0) {
            shape(seen[5], key, depth + 1, out);
        }
        fakebuf_put(out, "]", 1);
    } else if (type_is(type, "integer") || type_is(type, "number")) {
        fakebuf_put(out, "1", 1);
    } else if (type_is(type, "boolean")) {
        fakebuf_put(out, "true", 4);
    } else {
        shape_string(key, out);
    }
}

void
fakeshape_value(struct fakespan schema, struct fakebuf *out)
{
    if (fakejson_get(schema, "type").n == 0 && fakejson_get(schema, "properties").n == 0) {
        fakebuf_add(out, "{}");
        return;
    }
    shape(schema, (struct fakespan){ "", 0 }, 0, out);
}

/* fakelaw.c - see fakelaw.h. */
#include "tests/fake/fakelaw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One request is judged at a time, and its answer is written before the next. */
static char message[320];

bool
fakelaw_fail(struct fakelaw *law, const char *format, ...)
{
    if (law->ask->wrong == NULL) {
        int n = law->where_len == 0 ? 0 : snprintf(message, sizeof(message), "%s: ", law->where);
        va_list list;
        va_start(list, format);
        (void)vsnprintf(message + n, sizeof(message) - (size_t)n, format, list);
        va_end(list);
        law->ask->wrong = message;
    }
    return false;
}

size_t
fakelaw_down(struct fakelaw *law, const char *name, uint64_t index)
{
    size_t before = law->where_len;
    size_t room = sizeof(law->where) - before;
    int n = name != NULL ? snprintf(law->where + before, room, before == 0 ? "%s" : ".%s", name)
                         : snprintf(law->where + before, room, "[%llu]", (unsigned long long)index);
    law->where_len += (size_t)n < room ? (size_t)n : room - 1;
    return before;
}

void
fakelaw_up(struct fakelaw *law, size_t before)
{
    law->where_len = before;
    law->where[before] = '\0';
}

static bool
is_listed(struct fakespan name, const char *const *allowed)
{
    while (*allowed != NULL && !fakebuf_equals(name, *allowed)) {
        allowed++;
    }
    return *allowed != NULL;
}

bool
fakelaw_members(struct fakelaw *law, struct fakespan object, const char *const *allowed)
{
    struct fakejson walk = fakejson_walk(object);
    struct fakespan key;
    struct fakespan value;
    if (walk.open != '{') {
        return fakelaw_fail(law, "should be an object");
    }
    while (fakejson_next(&walk, &key, &value)) {
        bool is_for_tests = key.n > 3 && memcmp(key.p, "zz_", 3) == 0;
        if (!is_listed(key, allowed) && !is_for_tests) {
            return fakelaw_fail(law, "unknown member '%.*s'", (int)key.n, key.p);
        }
    }
    return !walk.bad || fakelaw_fail(law, "malformed");
}

bool
fakelaw_one_of(struct fakelaw *law, struct fakespan value, const char *const *allowed)
{
    if (value.n == 0) {
        return true;
    }
    struct fakespan inner = { value.p + 1, value.n - 2 };
    return (fakejson_is_string(value) && is_listed(inner, allowed)) ||
           fakelaw_fail(law, "invalid value %.*s", value.n > 60 ? 60 : (int)value.n, value.p);
}

bool
fakelaw_number(struct fakelaw *law, struct fakespan value, double low, double high)
{
    if (value.n == 0 || fakebuf_equals(value, "null")) {
        return true;
    }
    char text[40];
    if (value.n >= sizeof(text) || strchr("-0123456789", value.p[0]) == NULL) {
        return fakelaw_fail(law, "should be a number");
    }
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    double number = strtod(text, NULL);
    return (number >= low && number <= high) || fakelaw_fail(law, "%s is out of range", text);
}

bool
fakelaw_name(struct fakelaw *law, struct fakespan value, size_t max, const char *others)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if (!fakejson_is_string(value) || value.n == 2 || value.n - 2 > max) {
        return fakelaw_fail(law, "should be a string of 1 to %zu bytes", max);
    }
    for (size_t i = 1; i + 1 < value.n; i++) {
        char letter = value.p[i];
        if (letter == '\0' || (strchr(letters, letter) == NULL && strchr(others, letter) == NULL)) {
            return fakelaw_fail(law, "%.*s has letters that are not allowed", (int)value.n,
                                value.p);
        }
    }
    return true;
}

bool
fakelaw_arguments(struct fakelaw *law, struct fakespan value)
{
    if (!fakejson_is_string(value)) {
        return fakelaw_fail(law, "arguments should be a string");
    }
    char *text = malloc(value.n + 1);
    if (text == NULL) {
        exit(1);
    }
    size_t n = fakejson_text(value, text, value.n + 1);
    struct fakespan inner;
    bool ok = n == 0 || fakejson_value((struct fakespan){ text, n }, &inner);
    free(text);
    return ok || fakelaw_fail(law, "arguments should be JSON");
}

bool
fakelaw_object_schema(struct fakelaw *law, struct fakespan schema)
{
    return (fakejson_is_object(schema) && fakejson_is(fakejson_get(schema, "type"), "object")) ||
           fakelaw_fail(law, "schema must be of type \"object\"");
}

bool
fakelaw_base64(struct fakelaw *law, struct fakespan text, uint64_t *bytes)
{
    size_t n = text.n;
    while (n > 0 && text.p[n - 1] == '=' && text.n - n < 2) {
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        char c = text.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '/';
        if (!ok) {
            return fakelaw_fail(law, "not base64");
        }
    }
    *bytes = n * 3 / 4;
    return (n > 0 && text.n % 4 == 0) || fakelaw_fail(law, "base64 is cut off");
}

bool
fakelaw_image(struct fakelaw *law, struct fakespan mime, struct fakespan data)
{
    static const char *const types[] = { "image/png", "image/jpeg", "image/gif", "image/webp",
                                         NULL };
    uint64_t bytes = 0;
    if (!fakejson_is_string(data) || mime.n == 0) {
        return fakelaw_fail(law, "an image has a type and data");
    }
    if (!fakelaw_one_of(law, mime, types) ||
        !fakelaw_base64(law, (struct fakespan){ data.p + 1, data.n - 2 }, &bytes)) {
        return false;
    }
    law->ask->images++;
    law->ask->image_bytes += bytes;
    return true;
}

bool
fakelaw_image_url(struct fakelaw *law, struct fakespan url)
{
    static const char data[] = "\"data:image/";
    if (!fakejson_is_string(url)) {
        return fakelaw_fail(law, "an image's URL should be a string");
    }
    if (url.n > 9 && memcmp(url.p, "\"https://", 9) == 0) {
        law->ask->images++;
        return true;
    }
    const char *comma = memchr(url.p, ',', url.n);
    size_t lead = sizeof(data) - 1;
    if (comma == NULL || url.n < lead || memcmp(url.p, data, lead) != 0 || comma - url.p < 20 ||
        memcmp(comma - 7, ";base64", 7) != 0) {
        return fakelaw_fail(law, "neither https: nor a base64 data: URL of an image");
    }
    uint64_t bytes = 0;
    struct fakespan text = { comma + 1, (size_t)(url.p + url.n - 1 - (comma + 1)) };
    if (!fakelaw_base64(law, text, &bytes)) {
        return false;
    }
    law->ask->images++;
    law->ask->image_bytes += bytes;
    return true;
}

static bool
same(struct fakespan a, struct fakespan b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

bool
fakelaw_call(struct fakelaw *law, struct fakespan id)
{
    for (uint32_t i = 0; i < law->open_count; i++) {
        if (same(law->open[i], id)) {
            return fakelaw_fail(law, "two calls have the id %.*s", (int)id.n, id.p);
        }
    }
    if (law->open_count == FAKELAW_CALLS_MAX) {
        return fakelaw_fail(law, "too many calls");
    }
    law->open[law->open_count++] = id;
    law->calls++;
    return true;
}

bool
fakelaw_result(struct fakelaw *law, struct fakespan id)
{
    uint32_t i = 0;
    while (i < law->open_count && !same(law->open[i], id)) {
        i++;
    }
    if (i == law->open_count) {
        return fakelaw_fail(law, "no call with the id %.*s waits for a result", (int)id.n, id.p);
    }
    law->open[i] = law->open[--law->open_count];
    return true;
}

bool
fakelaw_all_answered(struct fakelaw *law)
{
    return law->open_count == 0 ||
           fakelaw_fail(law, "no result for the call %.*s", (int)law->open[0].n, law->open[0].p);
}

bool
fakelaw_is_model(const struct fakelaw *law, const char *const *names)
{
    while (*names != NULL && strncmp(law->ask->model, *names, strlen(*names)) != 0) {
        names++;
    }
    return *names != NULL;
}

bool
fakelaw_without(struct fakelaw *law, struct fakespan object, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (fakejson_get(object, *names).n > 0) {
            return fakelaw_fail(law, "%s is not supported with this model", *names);
        }
    }
    return true;
}

bool
fakelaw_is_empty_text(struct fakespan value)
{
    return !fakejson_is_string(value) || value.n == 2;
}

void
fakelaw_judge(struct fakeask *ask, const struct fakehead *head, struct fakespan body)
{
    struct fakelaw law = { .ask = ask };
    law.is_beta = fakehttp_field(head, "anthropic-beta").n > 0;
    switch (ask->dialect) {
    case FAKEDIALECT_CHAT:
        (void)fakelawchat_judge(&law, body);
        break;
    case FAKEDIALECT_RESPONSES:
        (void)fakelawresp_judge(&law, body);
        break;
    case FAKEDIALECT_ANTHROPIC:
        (void)fakelawanth_judge(&law, body);
        break;
    case FAKEDIALECT_GEMINI:
        (void)fakelawgem_judge(&law, body);
        break;
    }
}

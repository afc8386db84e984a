/*
 * respecho.c - what a Responses answer repeats of its request (see respecho.h).
 */
#include "proto/respecho.h"

#include "base/buf.h"
#include "base/jsonw.h"
#include "base/limits.h"

/* Room for the members' names and defaults. */
#define DEFAULTS_BYTES 1024u

static const struct member {
    const char *name;
    const char *fallback;
} members[] = {
    { "instructions", "null" },
    { "max_output_tokens", "null" },
    { "metadata", "{}" },
    { "parallel_tool_calls", "true" },
    { "previous_response_id", "null" },
    { "prompt_cache_key", "null" },
    { "reasoning", "{\"effort\":null,\"summary\":null}" },
    { "safety_identifier", "null" },
    { "store", "false" },
    { "temperature", "1" },
    { "text", "{\"format\":{\"type\":\"text\"}}" },
    { "tool_choice", "\"auto\"" },
    { "tools", "[]" },
    { "top_logprobs", "0" },
    { "top_p", "1" },
    { "truncation", "\"disabled\"" },
    { "user", "null" },
};

struct str
respecho_line(struct arena *arena, struct str json)
{
    char *to = arena_alloc_raw(arena, json.len + 1);
    size_t len = 0;
    bool in_string = false;
    for (size_t i = 0; to != NULL && i < json.len; i++) {
        char c = json.data[i];
        if (in_string && c == '\\' && i + 1 < json.len) {
            to[len++] = c;
            to[len++] = json.data[++i];
            continue;
        }
        in_string = in_string != (c == '"');
        if (in_string || (c != ' ' && c != '\n' && c != '\r' && c != '\t')) {
            to[len++] = c;
        }
    }
    return str_make(to, len);
}

enum err
respecho_make(struct arena *arena, struct walk root, struct str *out)
{
    struct buf buf;
    struct jsonw w;
    size_t left = HUB_ECHO_BYTES_MAX - DEFAULTS_BYTES;
    buf_init(&buf, HUB_ECHO_BYTES_MAX);
    jsonw_begin(&w, &buf);
    jsonw_object(&w);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        struct str value = walk_raw_value(walk_get(root, str_of(members[i].name)));
        bool fits = value.len > 0 && value.len <= left;
        struct str line = fits ? respecho_line(arena, value) : str_of(members[i].fallback);
        left -= fits ? value.len : 0;
        jsonw_name(&w, members[i].name);
        jsonw_raw(&w, line.data != NULL ? line : str_of(members[i].fallback));
    }
    jsonw_close(&w);
    enum err err = jsonw_end(&w);
    *out = err == ERR_OK ? arena_dup(arena, buf_str(&buf)) : str_make(NULL, 0);
    buf_fini(&buf);
    return err == ERR_OK && out->data == NULL ? ERR_FULL : err;
}

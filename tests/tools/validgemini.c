/*
 * validgemini.c - the grammar of a Gemini stream in SSE framing.
 */
#include "tests/tools/valid.h"

#define CANDIDATES 128

struct gemini {
    bool finished[CANDIDATES];
    bool seen[CANDIDATES];
    bool is_failed;
};

static bool
is_part(struct walk part)
{
    struct walk call = walk_get(part, STR("functionCall"));
    struct walk data = walk_get(part, STR("inlineData"));
    if (walk_is_there(call)) {
        return walk_kind(walk_get(call, STR("name"))) == JSON_STRING &&
               walk_kind(walk_get(call, STR("args"))) == JSON_OBJECT;
    }
    if (walk_is_there(data)) {
        return walk_kind(walk_get(data, STR("mimeType"))) == JSON_STRING &&
               walk_kind(walk_get(data, STR("data"))) == JSON_STRING;
    }
    return walk_kind(walk_get(part, STR("text"))) == JSON_STRING;
}

static bool
candidate(struct gemini *state, struct walk source, char *why)
{
    uint64_t index = 0;
    struct walk content = walk_get(source, STR("content"));
    struct walk parts = walk_get(content, STR("parts"));
    if (!walk_u64(walk_get(source, STR("index")), &index) || index >= CANDIDATES ||
        !walk_is_text(walk_get(content, STR("role")), STR("model")) ||
        walk_kind(parts) != JSON_ARRAY) {
        return valid_why(why, "a candidate without index, role or parts");
    }
    if (state->finished[index]) {
        return valid_why(why, "a candidate goes on after its finishReason");
    }
    for (struct walk part = walk_first(parts); walk_is_there(part); part = walk_next(part)) {
        if (!is_part(part)) {
            return valid_why(why, "a part of no kind");
        }
    }
    state->seen[index] = true;
    state->finished[index] = walk_kind(walk_get(source, STR("finishReason"))) == JSON_STRING;
    return true;
}

static bool
on_event(void *context, struct str name, struct walk data, struct str raw, char *why)
{
    struct gemini *state = context;
    (void)raw;
    if (name.len > 0 || !walk_is_there(data)) {
        return valid_why(why, "an event line or [DONE]");
    }
    if (state->is_failed) {
        return valid_why(why, "something behind the error");
    }
    struct walk error = walk_get(data, STR("error"));
    if (walk_is_there(error)) {
        uint64_t code = 0;
        state->is_failed = true;
        return (walk_u64(walk_get(error, STR("code")), &code) && code >= 400 && code < 600 &&
                walk_kind(walk_get(error, STR("message"))) == JSON_STRING &&
                walk_kind(walk_get(error, STR("status"))) == JSON_STRING) ||
               valid_why(why, "an error without code, message or status");
    }
    if (walk_kind(walk_get(data, STR("modelVersion"))) != JSON_STRING ||
        walk_kind(walk_get(data, STR("responseId"))) != JSON_STRING) {
        return valid_why(why, "modelVersion or responseId is missing");
    }
    struct walk list = walk_get(data, STR("candidates"));
    for (struct walk at = walk_first(list); walk_is_there(at); at = walk_next(at)) {
        if (!candidate(state, at, why)) {
            return false;
        }
    }
    return true;
}

static bool
on_end(void *context, char *why)
{
    const struct gemini *state = context;
    bool is_done = state->is_failed;
    for (int i = 0; i < CANDIDATES; i++) {
        is_done = is_done || state->finished[i];
        if (state->seen[i] && !state->finished[i] && !state->is_failed) {
            return valid_why(why, "a candidate has no finishReason");
        }
    }
    return is_done || valid_why(why, "the stream says nothing");
}

const struct valid_rules validgemini = { sizeof(struct gemini), on_event, on_end };

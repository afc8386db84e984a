/*
 * validchat.c - the grammar of a Chat Completions stream.
 */
#include "tests/tools/valid.h"

#include <string.h>

#define CHOICES 128
#define TOOLS 128

struct chat {
    char id[128];
    char model[256];
    uint64_t created;
    bool has_begun;
    bool is_done;   /* [DONE] */
    bool is_failed; /* an error frame */
    bool has_usage; /* the usage chunk came */
    bool role_sent[CHOICES];
    bool finished[CHOICES];
    uint32_t tools[CHOICES]; /* indexes seen: contiguous from 0 */
};

/* The members every chunk has, the same throughout. */
static bool
head(struct chat *chat, struct walk data, char *why)
{
    struct arena arena;
    arena_init(&arena, 65536);
    char id[128], model[256];
    uint64_t created = 0;
    bool is_whole =
        str_copy(id, sizeof id, walk_string(walk_get(data, STR("id")), &arena)) &&
        str_copy(model, sizeof model, walk_string(walk_get(data, STR("model")), &arena)) &&
        walk_u64(walk_get(data, STR("created")), &created) &&
        walk_is_text(walk_get(data, STR("object")), STR("chat.completion.chunk")) &&
        walk_kind(walk_get(data, STR("choices"))) == JSON_ARRAY;
    arena_reset(&arena);
    if (!is_whole || id[0] == '\0') {
        return valid_why(why, "id, object, created, model or choices is missing");
    }
    if (!chat->has_begun) {
        memcpy(chat->id, id, sizeof id);
        memcpy(chat->model, model, sizeof model);
        chat->created = created;
        chat->has_begun = true;
    }
    if (strcmp(chat->id, id) != 0 || strcmp(chat->model, model) != 0 || chat->created != created) {
        return valid_why(why, "id, model or created changes");
    }
    return true;
}

static bool
tool_delta(struct chat *chat, uint64_t choice, struct walk call, char *why)
{
    uint64_t index = 0;
    if (!walk_u64(walk_get(call, STR("index")), &index) || index > chat->tools[choice] ||
        index >= TOOLS) {
        return valid_why(why, "a tool call's index is missing or leaves a gap");
    }
    bool is_new = index == chat->tools[choice];
    struct walk body = walk_get(call, STR("function"));
    bool is_custom = walk_is_text(walk_get(call, STR("type")), STR("custom"));
    body = is_custom || !walk_is_there(body) ? walk_get(call, STR("custom")) : body;
    bool has_identity = walk_kind(walk_get(call, STR("id"))) == JSON_STRING &&
                        walk_kind(walk_get(call, STR("type"))) == JSON_STRING &&
                        walk_kind(walk_get(body, STR("name"))) == JSON_STRING;
    if (is_new && !has_identity) {
        return valid_why(why, "a new tool call lacks id, type or name");
    }
    if (!is_new && walk_is_there(walk_get(call, STR("id")))) {
        return valid_why(why, "a tool call's id comes twice");
    }
    chat->tools[choice] += is_new;
    return true;
}

static bool
choice_delta(struct chat *chat, struct walk choice, char *why)
{
    uint64_t index = 0;
    if (!walk_u64(walk_get(choice, STR("index")), &index) || index >= CHOICES) {
        return valid_why(why, "a choice has no index");
    }
    struct walk delta = walk_get(choice, STR("delta"));
    struct walk finish = walk_get(choice, STR("finish_reason"));
    if (walk_kind(delta) != JSON_OBJECT || !walk_is_there(finish)) {
        return valid_why(why, "a choice lacks delta or finish_reason");
    }
    if (chat->finished[index]) {
        return valid_why(why, "a choice goes on after its finish_reason");
    }
    bool has_role = walk_is_there(walk_get(delta, STR("role")));
    if (!chat->role_sent[index] && !has_role) {
        return valid_why(why, "the first delta of a choice has no role");
    }
    chat->role_sent[index] = true;
    struct walk calls = walk_get(delta, STR("tool_calls"));
    for (struct walk call = walk_first(calls); walk_is_there(call); call = walk_next(call)) {
        if (!tool_delta(chat, index, call, why)) {
            return false;
        }
    }
    if (walk_is_value(finish)) {
        chat->finished[index] = true;
        if (walk_count(delta) != 0) {
            return valid_why(why, "the chunk with finish_reason has a delta");
        }
    }
    return true;
}

static bool
all_finished(const struct chat *chat)
{
    for (int i = 0; i < CHOICES; i++) {
        if (chat->role_sent[i] && !chat->finished[i]) {
            return false;
        }
    }
    return true;
}

static bool
on_event(void *state, struct str name, struct walk data, struct str raw, char *why)
{
    struct chat *chat = state;
    (void)raw;
    if (name.len > 0) {
        return valid_why(why, "an event line");
    }
    if (chat->is_done) {
        return valid_why(why, "something stands behind [DONE]");
    }
    if (!walk_is_there(data)) {
        chat->is_done = true;
        return chat->is_failed || (chat->has_begun && all_finished(chat)) ||
               valid_why(why, "[DONE] before every choice has finished");
    }
    struct walk error = walk_get(data, STR("error"));
    if (walk_is_there(error)) {
        chat->is_failed = true;
        bool is_whole = walk_kind(walk_get(error, STR("message"))) == JSON_STRING &&
                        walk_kind(walk_get(error, STR("type"))) == JSON_STRING &&
                        walk_is_there(walk_get(error, STR("param"))) &&
                        walk_is_there(walk_get(error, STR("code")));
        return is_whole || valid_why(why, "an error lacks one of its four members");
    }
    if (chat->is_failed || chat->has_usage) {
        return valid_why(why, "a chunk behind the error or the usage chunk");
    }
    if (!head(chat, data, why)) {
        return false;
    }
    struct walk choices = walk_get(data, STR("choices"));
    if (walk_count(choices) == 0) {
        chat->has_usage = walk_kind(walk_get(data, STR("usage"))) == JSON_OBJECT;
        return (chat->has_usage && all_finished(chat)) ||
               valid_why(why, "a chunk without choices and usage, or too early");
    }
    for (struct walk at = walk_first(choices); walk_is_there(at); at = walk_next(at)) {
        if (!choice_delta(chat, at, why)) {
            return false;
        }
    }
    return true;
}

static bool
on_end(void *state, char *why)
{
    const struct chat *chat = state;
    return chat->is_done || valid_why(why, "the stream ends without [DONE]");
}

const struct valid_rules validchat = { sizeof(struct chat), on_event, on_end };

/*
 * validanthropic.c - the grammar of an Anthropic Messages stream.
 */
#include "tests/tools/valid.h"

struct anthropic {
    bool has_begun;
    bool is_open;    /* a block */
    bool has_reason; /* message_delta with a stop_reason */
    bool is_over;    /* message_stop or error */
    bool has_signed; /* the open block had its signature */
    uint64_t index;  /* of the open block, or of the next */
    char kind;       /* of the open block: t text, h thinking, r redacted, u tool_use, o other */
};

static bool
on_start(struct anthropic *state, struct walk data, char *why)
{
    struct walk message = walk_get(data, STR("message"));
    struct walk content = walk_get(message, STR("content"));
    struct walk usage = walk_get(message, STR("usage"));
    bool is_whole = walk_kind(walk_get(message, STR("id"))) == JSON_STRING &&
                    walk_is_text(walk_get(message, STR("type")), STR("message")) &&
                    walk_is_text(walk_get(message, STR("role")), STR("assistant")) &&
                    walk_kind(walk_get(message, STR("model"))) == JSON_STRING &&
                    walk_kind(content) == JSON_ARRAY && walk_count(content) == 0 &&
                    walk_is_there(walk_get(message, STR("stop_reason"))) &&
                    walk_is_there(walk_get(message, STR("stop_sequence"))) &&
                    walk_kind(walk_get(usage, STR("input_tokens"))) == JSON_NUMBER &&
                    walk_kind(walk_get(usage, STR("output_tokens"))) == JSON_NUMBER;
    if (state->has_begun || !is_whole) {
        return valid_why(why, "message_start comes twice or is not whole");
    }
    state->has_begun = true;
    return true;
}

static char
kind_of(struct walk block)
{
    struct walk type = walk_get(block, STR("type"));
    if (walk_is_text(type, STR("text"))) {
        return walk_is_text(walk_get(block, STR("text")), STR("")) ? 't' : '\0';
    }
    if (walk_is_text(type, STR("thinking"))) {
        bool is_empty = walk_is_text(walk_get(block, STR("thinking")), STR("")) &&
                        walk_is_text(walk_get(block, STR("signature")), STR(""));
        return is_empty ? 'h' : '\0';
    }
    if (walk_is_text(type, STR("redacted_thinking"))) {
        return walk_kind(walk_get(block, STR("data"))) == JSON_STRING ? 'r' : '\0';
    }
    if (walk_is_text(type, STR("tool_use"))) {
        bool is_whole = walk_kind(walk_get(block, STR("id"))) == JSON_STRING &&
                        walk_kind(walk_get(block, STR("name"))) == JSON_STRING &&
                        walk_kind(walk_get(block, STR("input"))) == JSON_OBJECT &&
                        walk_count(walk_get(block, STR("input"))) == 0;
        return is_whole ? 'u' : '\0';
    }
    return walk_kind(type) == JSON_STRING ? 'o' : '\0';
}

static bool
on_block_start(struct anthropic *state, struct walk data, uint64_t index, char *why)
{
    char kind = kind_of(walk_get(data, STR("content_block")));
    if (state->is_open || index != state->index || state->has_reason) {
        return valid_why(why, "a block starts at the wrong time or with the wrong index");
    }
    if (kind == '\0') {
        return valid_why(why, "a block starts with members missing or filled");
    }
    state->is_open = true;
    state->has_signed = false;
    state->kind = kind;
    return true;
}

static bool
on_delta(struct anthropic *state, struct walk data, uint64_t index, char *why)
{
    static const struct {
        const char *type;
        const char *member;
        char kind;
    } deltas[] = { { "text_delta", "text", 't' },
                   { "thinking_delta", "thinking", 'h' },
                   { "signature_delta", "signature", 'h' },
                   { "input_json_delta", "partial_json", 'u' },
                   { "citations_delta", "citation", 't' } };
    struct walk delta = walk_get(data, STR("delta"));
    if (!state->is_open || index != state->index) {
        return valid_why(why, "a delta without its block");
    }
    if (state->has_signed) {
        return valid_why(why, "a delta behind the signature");
    }
    for (size_t i = 0; i < sizeof deltas / sizeof deltas[0]; i++) {
        if (!walk_is_text(walk_get(delta, STR("type")), str_of(deltas[i].type))) {
            continue;
        }
        state->has_signed = i == 2;
        bool fits = state->kind == deltas[i].kind || (i == 3 && state->kind == 'o');
        return (fits && walk_is_value(walk_get(delta, str_of(deltas[i].member)))) ||
               valid_why(why, "a %s in a block of another kind", deltas[i].type);
    }
    return valid_why(why, "an unknown delta");
}

static bool
on_message_delta(struct anthropic *state, struct walk data, char *why)
{
    struct walk delta = walk_get(data, STR("delta"));
    struct walk usage = walk_get(data, STR("usage"));
    bool is_whole = walk_is_there(walk_get(delta, STR("stop_reason"))) &&
                    walk_is_there(walk_get(delta, STR("stop_sequence"))) &&
                    walk_kind(walk_get(usage, STR("output_tokens"))) == JSON_NUMBER;
    if (!state->has_begun || state->is_open || !is_whole) {
        return valid_why(why, "message_delta comes at the wrong time or is not whole");
    }
    state->has_reason = walk_is_value(walk_get(delta, STR("stop_reason")));
    return true;
}

static bool
on_event(void *context, struct str name, struct walk data, struct str raw, char *why)
{
    struct anthropic *state = context;
    struct walk type = walk_get(data, STR("type"));
    uint64_t index = 0;
    (void)raw;
    (void)walk_u64(walk_get(data, STR("index")), &index);
    if (!walk_is_text(type, name) || state->is_over) {
        return valid_why(why, state->is_over ? "something behind the end"
                                             : "event and type are not the same");
    }
    if (str_equal(name, STR("error"))) {
        struct walk error = walk_get(data, STR("error"));
        state->is_over = true;
        return (walk_kind(walk_get(error, STR("type"))) == JSON_STRING &&
                walk_kind(walk_get(error, STR("message"))) == JSON_STRING) ||
               valid_why(why, "an error without type or message");
    }
    if (str_equal(name, STR("message_start"))) {
        return on_start(state, data, why);
    }
    if (!state->has_begun) {
        return valid_why(why, "something before message_start");
    }
    if (str_equal(name, STR("ping"))) {
        return true;
    }
    if (str_equal(name, STR("content_block_start"))) {
        return on_block_start(state, data, index, why);
    }
    if (str_equal(name, STR("content_block_delta"))) {
        return on_delta(state, data, index, why);
    }
    if (str_equal(name, STR("content_block_stop"))) {
        bool is_right = state->is_open && index == state->index;
        state->is_open = false;
        state->index++;
        return is_right || valid_why(why, "a block stops that was not open");
    }
    if (str_equal(name, STR("message_delta"))) {
        return on_message_delta(state, data, why);
    }
    state->is_over = str_equal(name, STR("message_stop"));
    return (state->is_over && state->has_reason) ||
           valid_why(why, "an unknown event, or message_stop without a reason");
}

static bool
on_end(void *context, char *why)
{
    const struct anthropic *state = context;
    return state->is_over || valid_why(why, "the stream ends without message_stop");
}

const struct valid_rules validanthropic = { sizeof(struct anthropic), on_event, on_end };

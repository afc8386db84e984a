/*
 * validresponses.c - the grammar of a Responses stream.
 */
#include <string.h>

#include "tests/tools/valid.h"

#define ID_BYTES 96

enum stage { BEFORE, CREATED, RUNNING, ENDED };

struct responses {
    enum stage stage;
    uint64_t sequence;
    char id[ID_BYTES];
    /* The open item. */
    bool is_item_open;
    uint64_t output_index; /* of the open or next item */
    char item_id[ID_BYTES];
    char item_type[32];
    bool is_piece_open;
    uint64_t inner;    /* content_index or summary_index of the open or next piece */
    uint64_t text_len; /* bytes of deltas of the open piece or call */
    bool has_text_done;
};

static bool
copy_text(char *out, size_t out_bytes, struct walk value)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    bool is_kept = str_copy(out, out_bytes, walk_string(value, &arena)) && out[0] != '\0';
    arena_reset(&arena);
    return is_kept;
}

static size_t
text_len(struct walk value)
{
    struct arena arena;
    arena_init(&arena, 64u * 1024 * 1024);
    size_t len = walk_string(value, &arena).len;
    arena_reset(&arena);
    return len;
}

static bool
is_number(struct walk at, const char *name, uint64_t expected)
{
    uint64_t value = 0;
    return walk_u64(walk_get(at, str_of(name)), &value) && value == expected;
}

static bool
has_members(struct walk at, const char *const *names, size_t count, char *why)
{
    for (size_t i = 0; i < count; i++) {
        if (!walk_is_there(walk_get(at, str_of(names[i])))) {
            return valid_why(why, "the response has no %s", names[i]);
        }
    }
    return true;
}

/* The response object that opening and terminal events carry. */
static bool
response(struct responses *state, struct walk data, const char *status, char *why)
{
    static const char *const names[] = {
        "id",           "object",      "created_at", "status", "error",
        "instructions", "model",       "output",     "tools",  "incomplete_details",
        "metadata",     "temperature", "top_p",      "usage",  "parallel_tool_calls",
        "tool_choice",
    };
    struct walk body = walk_get(data, STR("response"));
    char id[ID_BYTES];
    if (!has_members(body, names, sizeof names / sizeof names[0], why)) {
        return false;
    }
    if (!copy_text(id, sizeof id, walk_get(body, STR("id"))) ||
        (state->id[0] != '\0' && strcmp(id, state->id) != 0)) {
        return valid_why(why, "the response's id is missing or changes");
    }
    memcpy(state->id, id, sizeof id);
    if (!walk_is_text(walk_get(body, STR("status")), str_of(status))) {
        return valid_why(why, "the status is not %s", status);
    }
    return true;
}

/* Do item_id and output_index name the open item? */
static bool
of_open_item(const struct responses *state, struct walk data, char *why)
{
    return (state->is_item_open && is_number(data, "output_index", state->output_index) &&
            walk_is_text(walk_get(data, STR("item_id")), str_of(state->item_id))) ||
           valid_why(why, "it names an item that is not open");
}

static bool
added(struct responses *state, struct walk data, char *why)
{
    struct walk item = walk_get(data, STR("item"));
    if (state->is_item_open || !is_number(data, "output_index", state->output_index)) {
        return valid_why(why, "an item begins out of turn");
    }
    if (!copy_text(state->item_id, sizeof state->item_id, walk_get(item, STR("id"))) ||
        !copy_text(state->item_type, sizeof state->item_type, walk_get(item, STR("type")))) {
        return valid_why(why, "an item has no id or type");
    }
    static const char *const lists[] = { "content", "summary" };
    for (size_t i = 0; i < 2; i++) {
        if (walk_count(walk_get(item, str_of(lists[i]))) != 0) {
            return valid_why(why, "a new item has content");
        }
    }
    state->is_item_open = true;
    state->inner = state->text_len = 0;
    return true;
}

static bool
item_done(struct responses *state, struct walk data, char *why)
{
    struct walk item = walk_get(data, STR("item"));
    if (!state->is_item_open || !is_number(data, "output_index", state->output_index) ||
        !walk_is_text(walk_get(item, STR("id")), str_of(state->item_id)) ||
        !walk_is_text(walk_get(item, STR("type")), str_of(state->item_type))) {
        return valid_why(why, "an item ends that did not begin");
    }
    if (state->is_piece_open) {
        return valid_why(why, "an item ends before its part");
    }
    struct walk content = walk_get(item, STR("content"));
    content = walk_is_there(content) ? content : walk_get(item, STR("summary"));
    if (walk_is_there(content) && walk_count(content) != state->inner) {
        return valid_why(why, "a finished item lacks parts");
    }
    state->is_item_open = false;
    state->output_index++;
    return true;
}

static bool
is_summary(const struct responses *state)
{
    return strcmp(state->item_type, "reasoning") == 0;
}

static bool
of_open_piece(const struct responses *state, struct walk data, char *why)
{
    if (!of_open_item(state, data, why)) {
        return false;
    }
    const char *place = is_summary(state) ? "summary_index" : "content_index";
    return is_number(data, place, state->inner) || valid_why(why, "%s is wrong", place);
}

static bool
piece_added(struct responses *state, struct walk data, char *why)
{
    if (state->is_piece_open) {
        return valid_why(why, "a part begins in another one");
    }
    if (!of_open_piece(state, data, why)) {
        return false;
    }
    state->is_piece_open = true;
    state->has_text_done = false;
    state->text_len = 0;
    return true;
}

static bool
piece_done(struct responses *state, struct walk data, char *why)
{
    if (!state->is_piece_open || !state->has_text_done) {
        return valid_why(why, "a part ends before its text");
    }
    if (!of_open_piece(state, data, why)) {
        return false;
    }
    struct walk part = walk_get(data, STR("part"));
    struct walk text = walk_get(part, STR("text"));
    text = walk_is_there(text) ? text : walk_get(part, STR("refusal"));
    state->is_piece_open = false;
    state->inner++;
    return text_len(text) == state->text_len || valid_why(why, "a part's text differs");
}

/* Events of texts: deltas, the whole text, citations. */
static bool
text_event(struct responses *state, struct str name, struct walk data, char *why)
{
    if (!state->is_piece_open || !of_open_piece(state, data, why)) {
        return valid_why(why, "a text outside of its part");
    }
    if (str_starts(name, STR("response.output_text.")) &&
        !str_equal(name, STR("response.output_text.annotation.added")) &&
        walk_kind(walk_get(data, STR("logprobs"))) != JSON_ARRAY) {
        return valid_why(why, "a text event has no logprobs");
    }
    if (str_ends(name, STR(".delta"))) {
        state->text_len += text_len(walk_get(data, STR("delta")));
        return walk_kind(walk_get(data, STR("delta"))) == JSON_STRING ||
               valid_why(why, "a delta without a text");
    }
    if (!str_ends(name, STR(".done"))) {
        return true;
    }
    state->has_text_done = true;
    struct walk text = walk_get(data, STR("text"));
    text = walk_is_there(text) ? text : walk_get(data, STR("refusal"));
    return text_len(text) == state->text_len || valid_why(why, "the done text differs");
}

static bool
call_event(struct responses *state, struct str name, struct walk data, char *why)
{
    if (!of_open_item(state, data, why)) {
        return false;
    }
    if (str_ends(name, STR(".delta"))) {
        state->text_len += text_len(walk_get(data, STR("delta")));
        return true;
    }
    struct walk text = walk_get(data, STR("arguments"));
    text = walk_is_there(text) ? text : walk_get(data, STR("input"));
    return text_len(text) == state->text_len || valid_why(why, "the done arguments differ");
}

static bool
terminal(struct responses *state, struct str name, struct walk data, char *why)
{
    bool is_failed = str_equal(name, STR("response.failed"));
    bool is_incomplete = str_equal(name, STR("response.incomplete"));
    state->stage = ENDED;
    if (is_failed) {
        struct walk error = walk_get(walk_get(data, STR("response")), STR("error"));
        return walk_kind(walk_get(error, STR("code"))) == JSON_STRING ||
               valid_why(why, "a failed response has no error");
    }
    if (state->is_item_open) {
        return valid_why(why, "the answer ends in an item");
    }
    struct walk output = walk_get(walk_get(data, STR("response")), STR("output"));
    if (walk_count(output) != state->output_index) {
        return valid_why(why, "the output does not hold every item");
    }
    return response(state, data, is_incomplete ? "incomplete" : "completed", why);
}

static bool
running(struct responses *state, struct str name, struct walk data, char *why)
{
    static const struct {
        const char *name;
        bool (*fn)(struct responses *state, struct walk data, char *why);
    } exact[] = {
        { "response.output_item.added", added },
        { "response.output_item.done", item_done },
        { "response.content_part.added", piece_added },
        { "response.content_part.done", piece_done },
        { "response.reasoning_summary_part.added", piece_added },
        { "response.reasoning_summary_part.done", piece_done },
    };
    static const char *const texts[] = { "response.output_text.", "response.refusal.",
                                         "response.reasoning_summary_text." };
    static const char *const calls[] = { "response.function_call_arguments.",
                                         "response.custom_tool_call_input." };
    static const char *const hosted[] = { "response.web_search_call.",
                                          "response.image_generation_call." };
    for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) {
        if (str_equal(name, str_of(exact[i].name))) {
            return exact[i].fn(state, data, why);
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (str_starts(name, str_of(texts[i]))) {
            return text_event(state, name, data, why);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        if (str_starts(name, str_of(calls[i]))) {
            return call_event(state, name, data, why);
        }
        if (str_starts(name, str_of(hosted[i]))) {
            return of_open_item(state, data, why);
        }
    }
    return terminal(state, name, data, why);
}

static bool
on_event(void *context, struct str name, struct walk data, struct str raw, char *why)
{
    struct responses *state = context;
    (void)raw;
    if (!walk_is_there(data)) {
        return valid_why(why, "[DONE] is not of this dialect");
    }
    if (!walk_is_text(walk_get(data, STR("type")), name)) {
        return valid_why(why, "event and type differ");
    }
    if (!is_number(data, "sequence_number", state->sequence)) {
        return valid_why(why, "the sequence has a gap");
    }
    state->sequence++;
    if (str_equal(name, STR("error"))) {
        state->stage = ENDED;
        return walk_kind(walk_get(data, STR("message"))) == JSON_STRING ||
               valid_why(why, "an error without a message");
    }
    switch (state->stage) {
    case BEFORE:
        state->stage = CREATED;
        return str_equal(name, STR("response.created"))
                   ? response(state, data, "in_progress", why)
                   : valid_why(why, "the first event is not response.created");
    case CREATED:
        state->stage = RUNNING;
        return str_equal(name, STR("response.in_progress"))
                   ? response(state, data, "in_progress", why)
                   : valid_why(why, "the second event is not response.in_progress");
    case RUNNING:
        return running(state, name, data, why);
    case ENDED:
        break;
    }
    return valid_why(why, "an event behind the end");
}

static bool
on_end(void *context, char *why)
{
    const struct responses *state = context;
    return state->stage == ENDED || valid_why(why, "the stream ends without a terminal event");
}

const struct valid_rules validresponses = { sizeof(struct responses), on_event, on_end };

/*
 * chatcall.c - tool calls out of Chat Completions deltas (see chatcall.h).
 */
#include "proto/chatcall.h"

#include <string.h>

#include "base/check.h"
#include "proto/argument.h"
#include "proto/joiner.h"

#define CALL_NAME_BYTES 256u /* of a tool's name; no dialect allows more than 128 */
#define CALL_ID_BYTES 512u   /* of a call's id */

struct chatcall {
    struct chatcall *next;
    bool has_index;
    uint64_t index;
    struct str id;
    char name[CALL_NAME_BYTES];
    uint32_t name_len;
    enum hub_call_kind kind;
    uint32_t part; /* 0: OPEN was not sent yet */
    bool is_closed;
    struct argument argument;
    struct joiner joiner;
};

/* --- which call it is --- */

static struct chatcall *
find_by_index(const struct chatcalls *calls, uint64_t index)
{
    struct chatcall *found = NULL;
    for (struct chatcall *call = calls->list; call != NULL; call = call->next) {
        found = call->has_index && call->index == index ? call : found;
    }
    return found;
}

static struct chatcall *
find_by_id(const struct chatcalls *calls, struct str id)
{
    struct chatcall *found = NULL;
    for (struct chatcall *call = calls->list; call != NULL && id.len > 0; call = call->next) {
        found = str_equal(call->id, id) ? call : found;
    }
    return found;
}

static struct chatcall *
add(struct chatcalls *calls, const struct chatcall_common *common)
{
    struct chatcall *call = arena_alloc(common->source->arena, sizeof(*call));
    if (call == NULL || *common->call_count == HUB_PARTS_MAX) {
        return NULL;
    }
    if (calls->last == NULL) {
        calls->list = call;
    } else {
        calls->last->next = call;
    }
    calls->last = call;
    (*common->call_count)++;
    return call;
}

/* The identity that a delta carries. */
struct identity {
    bool has_index;
    uint64_t index;
    struct str id;
    struct str name;
};

/* The call a delta goes on with, or NULL: a new one begins. A name behind a call that is complete
 * begins another one too, whatever the index says. */
static struct chatcall *
find(const struct chatcalls *calls, const struct identity *who)
{
    if (!who->has_index) {
        struct chatcall *call = find_by_id(calls, who->id);
        return call != NULL || who->name.len > 0 || who->id.len > 0 ? call : calls->last;
    }
    struct chatcall *call = find_by_index(calls, who->index);
    bool has_new_id =
        call != NULL && who->id.len > 0 && call->id.len > 0 && !str_equal(call->id, who->id);
    bool is_another =
        call != NULL && who->name.len > 0 && (has_new_id || call->argument.is_complete);
    return is_another ? NULL : call;
}

/* --- events --- */

static struct hub_event
event_of(const struct chatcalls *calls, const struct chatcall *call, enum hub_event_kind kind)
{
    return (struct hub_event){
        .kind = kind, .part = call->part, .choice = calls->choice, .part_kind = HUB_CALL
    };
}

static enum err
send_open(struct chatcalls *calls, const struct chatcall_common *common, struct chatcall *call)
{
    if (call->part != 0) {
        return ERR_OK;
    }
    char fresh[PLAN_ID_BYTES];
    call->part = (*common->next_part)++;
    struct hub_event event = event_of(calls, call, HUB_OPEN);
    event.call.id =
        call->id.len > 0 ? call->id : plan_fresh_call(common->source->plan, call->part, fresh);
    event.call.name = str_make(call->name, call->name_len);
    event.call.kind = call->kind;
    return hub_emit(common->source->sink, &event);
}

static enum err
send_text(struct chatcalls *calls, const struct chatcall_common *common, struct chatcall *call,
          struct str text)
{
    if (text.len == 0) {
        return ERR_OK;
    }
    struct hub_event event = event_of(calls, call, HUB_DELTA);
    event.text = text;
    return hub_emit(common->source->sink, &event);
}

static enum err
send_close(struct chatcalls *calls, const struct chatcall_common *common, struct chatcall *call)
{
    enum err err = send_text(calls, common, call, joiner_flush(&call->joiner));
    struct hub_event event = event_of(calls, call, HUB_CLOSE);
    call->is_closed = true;
    return err == ERR_OK ? hub_emit(common->source->sink, &event) : err;
}

/* --- a delta --- */

static struct str
text_of(const struct chatcall_common *common, struct walk at, const char *name)
{
    return walk_string(walk_get(at, str_of(name)), common->scratch);
}

/* Names come whole, again and again, or in pieces before the first argument. */
static void
grow_name(struct chatcall *call, struct str name)
{
    bool is_repeated = str_equal(str_make(call->name, call->name_len), name);
    if (call->part != 0 || is_repeated || name.len > CALL_NAME_BYTES - call->name_len) {
        return;
    }
    memcpy(call->name + call->name_len, name.data == NULL ? "" : name.data, name.len);
    call->name_len += (uint32_t)name.len;
}

/* Two objects at one index: the second one is a call of its own. */
static enum err
split(struct chatcalls *calls, const struct chatcall_common *common, struct chatcall *call,
      struct str rest)
{
    struct chatcall *second = add(calls, common);
    enum err err = send_close(calls, common, call);
    if (second == NULL || err != ERR_OK) {
        return second == NULL ? ERR_FULL : err;
    }
    second->has_index = call->has_index;
    second->index = call->index;
    second->kind = call->kind;
    memcpy(second->name, call->name, call->name_len);
    second->name_len = call->name_len;
    err = send_open(calls, common, second);
    (void)argument_feed(&second->argument, rest);
    return err == ERR_OK ? send_text(calls, common, second, rest) : err;
}

static enum err
add_arguments(struct chatcalls *calls, const struct chatcall_common *common, struct chatcall *call,
              struct str text)
{
    if (text.len == 0 || call->is_closed) {
        return ERR_OK;
    }
    enum err err = send_open(calls, common, call);
    size_t first = text.len;
    if (call->kind == HUB_FUNCTION) {
        first = argument_feed(&call->argument, text);
    }
    bool is_split = first < text.len && common->source->plan->caps.split_args;
    if (err == ERR_OK) {
        err = send_text(calls, common, call, is_split ? str_make(text.data, first) : text);
    }
    return err == ERR_OK && is_split ? split(calls, common, call, str_skip(text, first)) : err;
}

static enum err
read_arguments(struct chatcalls *calls, const struct chatcall_common *common, struct chatcall *call,
               struct walk value)
{
    struct str text = str_make(NULL, 0);
    if (walk_kind(value) == JSON_STRING) {
        enum err err = joiner_text(&call->joiner, walk_value(value), common->scratch, &text);
        if (err != ERR_OK) {
            return err;
        }
    } else if (walk_kind(value) == JSON_OBJECT) {
        text = walk_raw(value);
    }
    return add_arguments(calls, common, call, text);
}

static enum err
read_signature(struct chatcalls *calls, const struct chatcall_common *common, struct chatcall *call,
               struct walk delta)
{
    struct walk google = walk_get(walk_get(delta, STR("extra_content")), STR("google"));
    struct str bytes = text_of(common, google, "thought_signature");
    if (bytes.len == 0) {
        return ERR_OK;
    }
    struct hub_signature signature = { .family = HUB_FAMILY_GEMINI, .bytes = bytes };
    enum err err = send_open(calls, common, call);
    struct hub_event event = event_of(calls, call, HUB_SIGNATURE);
    event.signature = &signature;
    return err == ERR_OK ? hub_emit(common->source->sink, &event) : err;
}

static enum err
begin(struct chatcalls *calls, const struct chatcall_common *common, const struct identity *who,
      struct chatcall **out)
{
    enum err err = chatcall_settle(calls, common);
    struct chatcall *call = add(calls, common);
    *out = call;
    if (call == NULL || err != ERR_OK) {
        return call == NULL ? ERR_FULL : err;
    }
    call->has_index = who->has_index;
    call->index = who->index;
    return ERR_OK;
}

enum err
chatcall_delta(struct chatcalls *calls, const struct chatcall_common *common, struct walk delta)
{
    struct walk function = walk_get(delta, STR("function"));
    struct walk custom = walk_get(delta, STR("custom"));
    bool is_custom = !walk_is_value(function) && walk_is_value(custom);
    struct walk body = is_custom ? custom : function;
    struct identity who = { .id = text_of(common, delta, "id"),
                            .name = text_of(common, body, "name") };
    who.has_index = walk_u64(walk_get(delta, STR("index")), &who.index);
    struct chatcall *call = find(calls, &who);
    enum err err = ERR_OK;
    if (call == NULL) {
        err = begin(calls, common, &who, &call);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (call->id.len == 0 && who.id.len > 0 && who.id.len <= CALL_ID_BYTES) {
        call->id = arena_dup(common->source->arena, who.id);
    }
    call->kind = is_custom ? HUB_CUSTOM : call->kind;
    grow_name(call, who.name);
    err = read_signature(calls, common, call, delta);
    struct walk arguments = walk_get(body, is_custom ? STR("input") : STR("arguments"));
    return err == ERR_OK ? read_arguments(calls, common, call, arguments) : err;
}

enum err
chatcall_legacy(struct chatcalls *calls, const struct chatcall_common *common, struct walk function)
{
    struct identity who = { .has_index = true };
    struct chatcall *call = find(calls, &who);
    enum err err = call == NULL ? begin(calls, common, &who, &call) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    grow_name(call, text_of(common, function, "name"));
    return read_arguments(calls, common, call, walk_get(function, STR("arguments")));
}

/* --- the end of calls --- */

enum err
chatcall_settle(struct chatcalls *calls, const struct chatcall_common *common)
{
    enum err err = ERR_OK;
    for (struct chatcall *call = calls->list; call != NULL && err == ERR_OK; call = call->next) {
        err = send_open(calls, common, call);
        if (err == ERR_OK && !call->is_closed && call->argument.is_complete) {
            err = send_close(calls, common, call);
        }
    }
    return err;
}

enum err
chatcall_finish(struct chatcalls *calls, const struct chatcall_common *common)
{
    enum err err = chatcall_settle(calls, common);
    for (struct chatcall *call = calls->list; call != NULL && err == ERR_OK; call = call->next) {
        if (!call->is_closed) {
            err = send_text(calls, common, call, joiner_flush(&call->joiner));
        }
    }
    return err;
}

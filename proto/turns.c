/*
 * turns.c - the order of a conversation (see turns.h).
 *
 * One pass pairs results with calls, one pass builds the list anew. Calls are found by id in a hash
 * table; a call without an id (gemini) also by its name. Of several calls of one id the first
 * unanswered one of the latest message takes the result, so that clients that use an id in every
 * turn again, or twice in one, are understood as they mean it.
 */
#include "proto/turns.h"

#include <stdio.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/rand.h"

/* One call in a chain. */
struct pair {
    struct pair *next_same; /* the next call of the same key, in order */
    struct hub_message *message;
    struct hub_part *call;
};

/* All calls of one id (or name). */
struct chain {
    struct chain *next; /* in the bucket */
    struct str key;
    bool is_name;
    struct pair *open; /* the first one of the latest message that may be unanswered */
    struct pair *last;
    uint32_t count;
};

struct table {
    struct hub_request *request;
    struct hash_key key;
    struct chain **buckets;
    uint32_t mask;
    uint32_t number; /* of the next call, over all messages */
};

/* --- finding --- */

static enum err
table_init(struct table *table, struct hub_request *request)
{
    uint32_t calls = 0;
    for (const struct hub_message *m = request->messages; m != NULL; m = m->next) {
        for (const struct hub_part *part = m->parts; part != NULL; part = part->next) {
            calls += part->kind == HUB_CALL;
        }
    }
    uint32_t size = 16;
    while (size < calls && size < 1u << 20) {
        size *= 2;
    }
    *table = (struct table){ .request = request, .mask = size - 1 };
    rand_bytes(&table->key, sizeof table->key);
    table->buckets = arena_alloc(request->arena, size * sizeof(*table->buckets));
    return table->buckets == NULL ? ERR_FULL : ERR_OK;
}

static struct chain **
bucket_of(struct table *table, struct str key)
{
    return &table->buckets[hash_bytes(&table->key, key) & table->mask];
}

static struct chain *
find(struct table *table, struct str key, bool is_name)
{
    for (struct chain *chain = *bucket_of(table, key); chain != NULL; chain = chain->next) {
        if (chain->is_name == is_name && str_equal(chain->key, key)) {
            return chain;
        }
    }
    return NULL;
}

static struct chain *
find_or_add(struct table *table, struct str key, bool is_name)
{
    struct chain *chain = find(table, key, is_name);
    if (chain != NULL) {
        return chain;
    }
    chain = arena_alloc(table->request->arena, sizeof(*chain));
    if (chain != NULL) {
        struct chain **bucket = bucket_of(table, key);
        *chain = (struct chain){ .next = *bucket, .key = key, .is_name = is_name };
        *bucket = chain;
    }
    return chain;
}

/* A call joins the chain; the first one of a new message is the next to be answered. */
static void
join(struct chain *chain, struct pair *pair)
{
    bool is_new_turn = chain->last == NULL || chain->last->message != pair->message;
    if (chain->last != NULL) {
        chain->last->next_same = pair;
    }
    chain->last = pair;
    if (is_new_turn || chain->open == NULL) {
        chain->open = pair;
    }
    chain->count++;
}

/* An id for a call that has none. */
static enum err
make_id(struct table *table, struct hub_call *call)
{
    struct arena *arena = table->request->arena;
    struct hash_key fixed = { 1, 2 };
    struct str text = arena_printf(arena, "%u.%.*s", table->number, STR_ARG(call->name));
    if (text.data == NULL) {
        return ERR_FULL;
    }
    call->id = arena_printf(arena, "gcall_%016llx", (unsigned long long)hash_bytes(&fixed, text));
    return call->id.data == NULL ? ERR_FULL : ERR_OK;
}

/* Another call has this id already: the later one gets a number behind. */
static enum err
make_unique(struct table *table, const struct chain *chain, struct hub_call *call)
{
    if (chain->count == 0) {
        return ERR_OK;
    }
    call->id = arena_printf(table->request->arena, "%.*s_%u", STR_ARG(call->id),
                            (unsigned)(chain->count + 1));
    return call->id.data == NULL ? ERR_FULL : ERR_OK;
}

static enum err
chain_call(struct table *table, struct hub_message *message, struct hub_part *part, bool by_name)
{
    struct pair *pair = arena_alloc(table->request->arena, sizeof(*pair));
    struct chain *chain = find_or_add(table, by_name ? part->call.name : part->call.id, by_name);
    if (pair == NULL || chain == NULL) {
        return ERR_FULL;
    }
    pair->message = message;
    pair->call = part;
    enum err err = by_name ? ERR_OK : make_unique(table, chain, &part->call);
    join(chain, pair);
    return err;
}

/* Gemini's results name the tool, and the id only if the client likes to. */
static enum err
add_call(struct table *table, struct hub_message *message, struct hub_part *part)
{
    bool has_id = part->call.id.len > 0;
    bool by_name = !has_id || table->request->shape.dialect == DIALECT_GEMINI;
    table->number++;
    enum err err = has_id ? ERR_OK : make_id(table, &part->call);
    if (err == ERR_OK) {
        err = chain_call(table, message, part, false);
    }
    return err == ERR_OK && by_name ? chain_call(table, message, part, true) : err;
}

/* --- pairing --- */

/* The next call of the chain that has no answer yet; the last one when all have: a second result
 * of one call replaces the first. */
static struct pair *
next_open(struct chain *chain)
{
    while (chain->open != NULL && chain->open->call->call.answer != NULL) {
        chain->open = chain->open->next_same;
    }
    return chain->open != NULL ? chain->open : chain->last;
}

/* The call that this result answers, or NULL. */
static struct hub_call *
match(struct table *table, const struct hub_result *result)
{
    struct chain *chain = NULL;
    if (result->call_id.len > 0) {
        chain = find(table, result->call_id, false);
    }
    if (chain == NULL && result->name.len > 0) {
        chain = find(table, result->name, true);
    }
    return chain == NULL ? NULL : &next_open(chain)->call->call;
}

/* "[tool result <id>] ..." as a user's text: nobody asked for it, but it may matter. */
static enum err
orphan_to_text(struct arena *arena, struct hub_part *part)
{
    struct hub_result result = part->result;
    struct str text;
    enum err err = hub_join_texts(arena, result.parts, STR("\n"), &text);
    if (err != ERR_OK) {
        return err;
    }
    struct str id = result.call_id.len > 0 ? result.call_id : result.name;
    text = arena_printf(arena, "[tool result %.*s] %.*s", STR_ARG(id), STR_ARG(text));
    part->kind = HUB_TEXT;
    part->text = text;
    part->signature = (struct hub_signature){ .family = HUB_FAMILY_NONE };
    return text.data == NULL ? ERR_FULL : ERR_OK;
}

static enum err
pair_message(struct table *table, struct hub_message *message)
{
    for (struct hub_part *part = message->parts; part != NULL; part = part->next) {
        if (part->kind == HUB_CALL) {
            enum err err = add_call(table, message, part);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    bool has_orphans = false;
    for (struct hub_part *part = message->parts; part != NULL; part = part->next) {
        if (part->kind != HUB_RESULT) {
            continue;
        }
        struct hub_call *call = match(table, &part->result);
        if (call != NULL) {
            part->result.call_id = call->id;
            part->result.name = call->name;
            part->result.space = call->space;
            part->result.kind = call->kind;
            call->answer = part;
            continue;
        }
        enum err err = orphan_to_text(table->request->arena, part);
        if (err != ERR_OK) {
            return err;
        }
        has_orphans = true;
    }
    message->role = has_orphans && message->role == HUB_TOOL ? HUB_USER : message->role;
    return ERR_OK;
}

/* --- building anew --- */

/* Takes empty texts and results (they come back behind their calls) out of the list. */
static void
keep_parts(struct hub_message *message)
{
    struct hub_part *parts = message->parts;
    struct hub_part *last = NULL;
    message->parts = NULL;
    while (parts != NULL) {
        struct hub_part *part = parts;
        parts = part->next;
        bool is_empty =
            (part->kind == HUB_TEXT || part->kind == HUB_REFUSAL) && part->text.len == 0;
        if (is_empty || part->kind == HUB_RESULT) {
            continue;
        }
        part->next = NULL;
        if (last == NULL) {
            message->parts = part;
        } else {
            last->next = part;
        }
        last = part;
    }
    if (message->parts != NULL) {
        message->parts->tail = last;
    }
}

static struct hub_part *
missing_result(struct arena *arena, const struct hub_call *call)
{
    struct hub_part *list = NULL;
    struct hub_part *part = hub_part_to(arena, &list, HUB_RESULT);
    if (part == NULL) {
        return NULL;
    }
    part->result = (struct hub_result){ .call_id = call->id,
                                        .name = call->name,
                                        .space = call->space,
                                        .kind = call->kind,
                                        .is_error = true };
    return hub_text_to(arena, &part->result.parts, STR("[no output recorded]")) == NULL ? NULL
                                                                                        : part;
}

/* Appends a copy of the result to the tool message's list: the result itself still stands in the
 * list of its own message, in front of what the user said behind it. */
static bool
append_result(struct arena *arena, struct hub_message *message, const struct hub_part *result)
{
    struct hub_part *part = hub_part_to(arena, &message->parts, HUB_RESULT);
    if (part == NULL) {
        return false;
    }
    struct hub_part *tail = part->tail;
    *part = *result;
    part->next = NULL;
    part->tail = tail;
    return true;
}

struct rebuild {
    struct hub_request *request;
    struct hub_problem *problem;
    struct hub_message *first;
    struct hub_message *last;
    uint32_t count;
};

static void
append(struct rebuild *rebuild, struct hub_message *message)
{
    message->next = NULL;
    if (rebuild->last == NULL) {
        rebuild->first = message;
    } else {
        rebuild->last->next = message;
    }
    rebuild->last = message;
    rebuild->count++;
}

/* The last message that says or asks anything; NULL when none does. */
static const struct hub_message *
last_saying(const struct hub_message *message)
{
    const struct hub_message *last = NULL;
    for (; message != NULL; message = message->next) {
        for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
            bool is_empty = part->kind == HUB_TEXT && part->text.len == 0;
            if (part->kind != HUB_RESULT && !is_empty) {
                last = message;
            }
        }
    }
    return last;
}

/* The message with the results of all calls of `message`, behind it. */
static enum err
append_results(struct rebuild *rebuild, const struct hub_message *message, bool is_last)
{
    struct arena *arena = rebuild->request->arena;
    struct hub_message *tool = NULL;
    for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
        if (part->kind != HUB_CALL) {
            continue;
        }
        if (part->call.answer == NULL && is_last) {
            char path[HUB_PATH_BYTES];
            char message_text[128];
            snprintf(message_text, sizeof message_text,
                     "the tool call '%.*s' of the last turn has no result",
                     (int)(part->call.id.len > 64 ? 64 : part->call.id.len), part->call.id.data);
            return hub_refuse(rebuild->problem, message_text, "%s",
                              hub_path(rebuild->request, message, path));
        }
        struct hub_part *result =
            part->call.answer != NULL ? part->call.answer : missing_result(arena, &part->call);
        if (tool == NULL) {
            tool = arena_alloc(arena, sizeof(*tool));
        }
        if (result == NULL || tool == NULL) {
            return ERR_FULL;
        }
        tool->role = HUB_TOOL;
        tool->index = message->index;
        if (!append_result(arena, tool, result)) {
            return ERR_FULL;
        }
    }
    if (tool != NULL) {
        append(rebuild, tool);
    }
    return ERR_OK;
}

static bool
has_text(const struct hub_message *message)
{
    for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
        if (part->kind == HUB_TEXT && part->text.len > 0) {
            return true;
        }
    }
    return false;
}

/* A turn that came in pieces (reasoning, text, calls as items of their own) becomes one message;
 * two texts stay two messages, since joining them could run words together. */
static void
gather_turn(struct hub_message *message)
{
    bool says = has_text(message);
    for (struct hub_message *next = message->next; next != NULL && next->role == HUB_ASSISTANT;
         next = message->next) {
        bool next_says = has_text(next);
        if (says && next_says) {
            return;
        }
        says = says || next_says;
        if (message->parts == NULL) {
            message->parts = next->parts;
        } else if (next->parts != NULL) {
            message->parts->tail->next = next->parts;
            message->parts->tail = next->parts->tail;
        }
        message->phase = message->phase.len > 0 ? message->phase : next->phase;
        message->next = next->next;
    }
}

static enum err
rebuild_list(struct rebuild *rebuild)
{
    struct hub_message *message = rebuild->request->messages;
    const struct hub_message *last = last_saying(message);
    bool is_past_last = false;
    enum err err = ERR_OK;
    while (message != NULL && err == ERR_OK) {
        struct hub_message *next = message->next;
        bool had_parts = message->parts != NULL && message->parts->kind == HUB_RESULT;
        keep_parts(message);
        if (message->parts != NULL) {
            append(rebuild, message);
            err = append_results(rebuild, message, message == last);
        } else if (message->role == HUB_USER && !had_parts && is_past_last) {
            char path[HUB_PATH_BYTES];
            return hub_refuse(rebuild->problem, "the last message is empty", "%s",
                              hub_path(rebuild->request, message, path));
        }
        is_past_last = is_past_last || message == last;
        message = next;
    }
    return err;
}

enum err
turns_order(struct hub_request *request, struct hub_problem *problem)
{
    for (struct hub_message *message = request->messages; message != NULL;
         message = message->next) {
        if (message->role == HUB_ASSISTANT) {
            gather_turn(message);
        }
    }
    struct table table;
    enum err err = table_init(&table, request);
    for (struct hub_message *message = request->messages; message != NULL && err == ERR_OK;
         message = message->next) {
        err = pair_message(&table, message);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct rebuild rebuild = { .request = request, .problem = problem };
    err = rebuild_list(&rebuild);
    if (err != ERR_OK) {
        return err;
    }
    request->messages = rebuild.first;
    request->last = rebuild.last;
    request->message_count = rebuild.count;
    if (rebuild.first == NULL) {
        static const char *const lists[] = { "messages", "input", "messages", "contents" };
        return hub_refuse(problem, "the conversation is empty", "%s",
                          lists[request->shape.dialect]);
    }
    return ERR_OK;
}

/* --- questions --- */

static bool
is_model(const struct hub_message *message)
{
    return message->role == HUB_ASSISTANT;
}

bool
turns_are_one(const struct hub_message *message, const struct hub_message *next)
{
    return next != NULL && is_model(message) == is_model(next);
}

const struct hub_message *
turns_behind_system(const struct hub_request *request)
{
    const struct hub_message *message = request->messages;
    while (message != NULL && (message->role == HUB_SYSTEM || message->role == HUB_DEVELOPER)) {
        message = message->next;
    }
    return message;
}

enum err
turns_system_text(const struct hub_request *request, struct arena *arena, struct str *out)
{
    struct hub_segment *segments = NULL;
    const struct hub_message *end = turns_behind_system(request);
    for (const struct hub_message *message = request->messages; message != end;
         message = message->next) {
        for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
            if (part->kind == HUB_TEXT && !hub_segment_to(arena, &segments, part->text)) {
                return ERR_FULL;
            }
        }
    }
    return hub_join_segments(arena, segments, STR("\n\n"), out);
}

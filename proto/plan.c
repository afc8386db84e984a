/*
 * plan.c - names and ids as the upstream and the client see them (see plan.h).
 */
#include "proto/plan.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"

#define HASH_HEX 8u
#define FRESH_CHARS 24u

/* Not secrets: the same id must give the same id in every process, for ever. */
static const struct hash_key left = { 0x6762756873756232ull, 0x3270616967617465ull };
static const struct hash_key right = { 0x6964736f66746f6full, 0x6c63616c6c736f6bull };

static void
put_hex(uint64_t value, uint32_t chars, char *out)
{
    for (uint32_t i = 0; i < chars; i++) {
        out[i] = "0123456789abcdef"[value >> (4 * (chars - 1 - i)) & 15];
    }
}

/* --- names --- */

/* What the dialect takes in a tool's name. */
struct rule {
    uint32_t bytes_max;
    bool has_dots;     /* '.' and ':' */
    bool letter_first; /* or '_' */
};

static struct rule
rule_of(const struct hub_plan *plan)
{
    switch (plan->upstream) {
    case DIALECT_CHAT:
        return (struct rule){ .bytes_max = 64 };
    case DIALECT_RESPONSES:
        return (struct rule){ .bytes_max = 128 };
    case DIALECT_ANTHROPIC:
        return (struct rule){ .bytes_max = plan->caps.name_max };
    case DIALECT_GEMINI:
        return (struct rule){ .bytes_max = 64, .has_dots = true, .letter_first = true };
    case DIALECT_COUNT:
        break;
    }
    CHECK(false);
    return (struct rule){ 0 };
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_legal_byte(const struct rule *rule, char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' ||
           (rule->has_dots && (c == '.' || c == ':'));
}

static bool
is_legal(const struct rule *rule, struct str name)
{
    if (name.len == 0 || name.len > rule->bytes_max ||
        (rule->letter_first && !is_letter(name.data[0]))) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!is_legal_byte(rule, name.data[i])) {
            return false;
        }
    }
    return true;
}

/* Legal bytes of `name`, cut, and a hash of what the name was. */
static enum err
hashed_name(struct hub_plan *plan, const struct rule *rule, struct str name, struct str *out)
{
    char *to = arena_alloc_raw(plan->arena, rule->bytes_max + 1);
    if (to == NULL) {
        return ERR_FULL;
    }
    uint32_t room = rule->bytes_max - (HASH_HEX + 1);
    uint32_t len = 0;
    if (rule->letter_first && (name.len == 0 || !is_letter(name.data[0]))) {
        to[len++] = '_';
    }
    for (size_t i = 0; i < name.len && len < room; i++) {
        to[len++] = is_legal_byte(rule, name.data[i]) ? name.data[i] : '_';
    }
    to[len++] = '_';
    put_hex(hash_bytes(&left, name), HASH_HEX, to + len);
    *out = str_make(to, len + HASH_HEX);
    return ERR_OK;
}

/* space__name, or the name alone. */
static enum err
full_name(struct hub_plan *plan, struct str name, struct str space, struct str *out)
{
    *out = name;
    if (space.len == 0) {
        return ERR_OK;
    }
    *out = arena_printf(plan->arena, "%.*s__%.*s", STR_ARG(space), STR_ARG(name));
    return out->data == NULL ? ERR_FULL : ERR_OK;
}

static enum err
make_wire(struct hub_plan *plan, struct str name, struct str space, struct str *out)
{
    struct rule rule = rule_of(plan);
    struct str full;
    enum err err = full_name(plan, name, space, &full);
    if (err != ERR_OK) {
        return err;
    }
    bool is_free = plan_tool_of(plan, full) == NULL;
    if (is_legal(&rule, full) && is_free) {
        *out = full;
        return ERR_OK;
    }
    return hashed_name(plan, &rule, full, out);
}

/* Does the upstream take free-text tools as they are? */
static bool
takes_custom(const struct hub_plan *plan)
{
    return plan->upstream == DIALECT_RESPONSES ||
           (plan->upstream == DIALECT_CHAT && plan->caps.custom_tools);
}

static enum err
add_tool(struct hub_plan *plan, const struct hub_tool *tool, struct plan_tool ***end)
{
    struct plan_tool *entry = arena_alloc(plan->arena, sizeof(*entry));
    if (entry == NULL) {
        return ERR_FULL;
    }
    entry->name = arena_dup(plan->arena, tool->name);
    entry->space = arena_dup(plan->arena, tool->space);
    if (entry->name.data == NULL || entry->space.data == NULL) {
        return ERR_FULL;
    }
    entry->kind = tool->kind == HUB_TOOL_CUSTOM ? HUB_CUSTOM : HUB_FUNCTION;
    entry->is_wrapped = entry->kind == HUB_CUSTOM && !takes_custom(plan);
    entry->hosted = tool->hosted;
    enum err err = make_wire(plan, entry->name, entry->space, &entry->wire);
    **end = entry;
    *end = &entry->next;
    return err;
}

enum err
plan_make(struct hub_plan *plan, const struct hub_request *request, const struct hub_target *target)
{
    CHECK(plan->arena != NULL && target->caps != NULL);
    plan->upstream = target->dialect;
    plan->caps = *target->caps;
    plan->tools = NULL;
    plan->stop_count = 0;
    plan->json_tool = false;
    plan->single_call = target->single_call && request->choice.parallel == HUB_NO;
    struct plan_tool **end = &plan->tools;
    enum err err = ERR_OK;
    for (const struct hub_tool *tool = request->tools; tool != NULL && err == ERR_OK;
         tool = tool->next) {
        if (tool->kind != HUB_TOOL_HOSTED) {
            err = add_tool(plan, tool, &end);
        }
    }
    return err;
}

enum err
plan_wire(struct hub_plan *plan, struct str name, struct str space, struct str *out)
{
    const struct plan_tool *tool = plan_tool_named(plan, name, space);
    if (tool != NULL) {
        *out = tool->wire;
        return ERR_OK;
    }
    struct rule rule = rule_of(plan);
    struct str full;
    enum err err = full_name(plan, name, space, &full);
    if (err != ERR_OK || is_legal(&rule, full)) {
        *out = full;
        return err;
    }
    return hashed_name(plan, &rule, full, out);
}

const struct plan_tool *
plan_tool_of(const struct hub_plan *plan, struct str wire)
{
    for (const struct plan_tool *tool = plan->tools; tool != NULL; tool = tool->next) {
        if (str_equal(tool->wire, wire)) {
            return tool;
        }
    }
    return NULL;
}

const struct plan_tool *
plan_tool_named(const struct hub_plan *plan, struct str name, struct str space)
{
    for (const struct plan_tool *tool = plan->tools; tool != NULL; tool = tool->next) {
        if (str_equal(tool->name, name) && str_equal(tool->space, space)) {
            return tool;
        }
    }
    return NULL;
}

/* --- ids --- */

struct str
plan_call_id(enum dialect dialect, struct str id, char out[PLAN_ID_BYTES])
{
    static const uint32_t bytes_max[] = { 40, 64, 64, 256 };
    CHECK(dialect < DIALECT_COUNT);
    bool is_fine = id.len > 0 && id.len <= bytes_max[dialect];
    struct rule rule = { .bytes_max = bytes_max[dialect] };
    if (is_fine && (dialect != DIALECT_ANTHROPIC || is_legal(&rule, id))) {
        return id;
    }
    struct str prefix = dialect == DIALECT_ANTHROPIC ? STR("toolu_") : STR("call_");
    memcpy(out, prefix.data, prefix.len);
    put_hex(hash_bytes(&left, id), 16, out + prefix.len);
    put_hex(hash_bytes(&right, id), 8, out + prefix.len + 16);
    out[prefix.len + FRESH_CHARS] = '\0';
    return str_make(out, prefix.len + FRESH_CHARS);
}

/* A prefix and 24 characters that these numbers always give. */
static struct str
make_id(const char *prefix, uint64_t a, uint64_t b, char out[PLAN_ID_BYTES])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t len = strlen(prefix);
    CHECK(len + FRESH_CHARS < PLAN_ID_BYTES);
    memcpy(out, prefix, len);
    uint64_t words[3] = { a, b, hash_u64(&right, a ^ (b << 1 | b >> 63)) };
    for (uint32_t i = 0; i < FRESH_CHARS; i++) {
        out[len + i] = digits[words[i % 3] % 62];
        words[i % 3] /= 62;
    }
    out[len + FRESH_CHARS] = '\0';
    return str_make(out, len + FRESH_CHARS);
}

struct str
plan_item_id(const struct hub_plan *plan, const char *prefix, uint32_t number,
             char out[PLAN_ID_BYTES])
{
    uint64_t a = hash_u64(&left, plan->seed + number);
    return make_id(prefix, a, hash_u64(&right, a + number), out);
}

struct str
plan_fresh_call(const struct hub_plan *plan, uint32_t number, char out[PLAN_ID_BYTES])
{
    const char *prefix = plan->shape.dialect == DIALECT_ANTHROPIC ? "toolu_" : "call_";
    return plan_item_id(plan, prefix, number, out);
}

struct str
plan_answer_id(const struct hub_plan *plan, struct str upstream, char out[PLAN_ID_BYTES])
{
    static const char *const prefixes[] = { "chatcmpl-", "resp_", "msg_", "" };
    const char *prefix = prefixes[plan->shape.dialect];
    if (upstream.len == 0) {
        return plan_item_id(plan, prefix, UINT32_MAX, out);
    }
    return make_id(prefix, hash_bytes(&left, upstream), hash_bytes(&right, upstream), out);
}

enum err
plan_watch(struct hub_plan *plan, struct str stop)
{
    CHECK(plan->stop_count < HUB_STOPS_MAX);
    struct str copy = arena_dup(plan->arena, stop);
    if (copy.data == NULL) {
        return ERR_FULL;
    }
    plan->stops[plan->stop_count++] = copy;
    return ERR_OK;
}

enum err
plan_custom_description(struct arena *arena, const struct hub_tool *tool, struct str *out)
{
    *out = tool->description;
    if (tool->grammar.len == 0) {
        return ERR_OK;
    }
    *out = arena_printf(arena, "%.*s\n\nThe input must match this %.*s grammar:\n%.*s",
                        STR_ARG(tool->description), STR_ARG(tool->grammar_syntax),
                        STR_ARG(tool->grammar));
    return out->data == NULL ? ERR_FULL : ERR_OK;
}

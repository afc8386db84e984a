/*
 * translate.c - one request translated, and its answer back (see translate.h).
 *
 * Three memories: `request_arena` for the tree, the decoded texts and encoding scratch, gone at
 * translate_forget(); `plan_arena` for what the last encoding agreed on; `answer_arena` for the
 * states of reader, filters and writer.
 */
#include "proto/translate.h"

#include <stdio.h>

#include "base/check.h"
#include "base/limits.h"
#include "proto/codec.h"
#include "proto/effort.h"
#include "proto/remote.h"
#include "proto/turns.h"

#define MAGIC 0x74726e73u

struct translate {
    uint32_t magic;
    struct carrier carrier;
    uint64_t seed;
    uint64_t now_s;

    bool is_forgotten;
    struct arena request_arena;
    struct hub_request request;
    struct hub_losses losses;
    uint32_t open_losses; /* of losses: they came from decoding */

    struct arena plan_arena;
    struct hub_plan plan;

    struct answer answer;
};

static void
check(const struct translate *translate)
{
    CHECK(translate->magic == MAGIC);
}

bool
translate_is_possible(enum dialect client, enum dialect upstream)
{
    const struct codec *from = codec_of(client);
    const struct codec *to = codec_of(upstream);
    return client != upstream && from->decode != NULL && from->write_open != NULL &&
           to->encode != NULL && to->read_open != NULL;
}

/* --- the request --- */

/* A choice without tools means nothing; one that names a tool that is not there cannot be kept. */
static enum err
settle_choice(struct hub_request *request, struct hub_problem *problem)
{
    struct hub_choice *choice = &request->choice;
    if (request->tools == NULL && choice->mode != HUB_CHOICE_ONE) {
        *choice = (struct hub_choice){ .mode = HUB_CHOICE_UNSET };
        return ERR_OK;
    }
    bool names_tools = choice->mode == HUB_CHOICE_ONE || choice->mode == HUB_CHOICE_SOME_ANY ||
                       choice->mode == HUB_CHOICE_SOME_AUTO;
    for (const struct hub_choice_name *at = choice->names; names_tools && at != NULL;
         at = at->next) {
        if (hub_tool_find(request, at->name, at->space) == NULL) {
            char message[128];
            snprintf(message, sizeof message, "names a tool that is not there: %.*s",
                     (int)(at->name.len > 64 ? 64 : at->name.len),
                     at->name.data == NULL ? "" : at->name.data);
            return hub_refuse(problem, message, "%s", hub_field_name(request, HUB_FIELD_CHOICE));
        }
    }
    return ERR_OK;
}

/* A budget that means a mapped level gives way to what that level is mapped to. */
static void
map_effort(struct hub_thinking *thinking, struct str map)
{
    enum hub_effort sent = effort_mapped(map, thinking->effort);
    if (sent != thinking->effort) {
        thinking->effort = sent;
        thinking->has_budget = false;
    }
}

static enum err
decode(struct translate *translate, const struct translate_setup *setup,
       struct hub_problem *problem)
{
    const struct codec *codec = codec_of(setup->client);
    if (codec->decode == NULL) {
        return hub_reject(problem, "this dialect cannot be translated", "%s", "");
    }
    struct hub_request *request = &translate->request;
    enum err err = codec->decode(request, setup->body, problem);
    map_effort(&request->thinking, setup->effort_map);
    if (err == ERR_OK) {
        err = turns_order(request, problem);
    }
    if (err == ERR_OK) {
        err = settle_choice(request, problem);
    }
    translate->open_losses = translate->losses.count;
    return err == ERR_OK && problem->status != 0 ? ERR_BAD : err;
}

enum err
translate_open(struct arena *arena, const struct translate_setup *setup, struct translate **out,
               struct hub_problem *problem)
{
    *out = NULL;
    *problem = (struct hub_problem){ .status = 0 };
    struct translate *translate = arena_alloc(arena, sizeof(*translate));
    if (translate == NULL) {
        return ERR_FULL;
    }
    *translate = (struct translate){
        .magic = MAGIC, .carrier = setup->carrier, .seed = setup->seed, .now_s = setup->now_s
    };
    arena_init(&translate->request_arena, TRANSLATE_REQUEST_BYTES_MAX);
    arena_init(&translate->plan_arena, REQUEST_ARENA_BYTES_MAX);
    answer_init(&translate->answer);
    translate->losses = (struct hub_losses){ .is_strict = setup->is_strict, .problem = problem };
    translate->request = (struct hub_request){
        .arena = &translate->request_arena,
        .losses = &translate->losses,
        .carrier = &translate->carrier,
        .answers = 1,
        .shape = { .dialect = setup->client,
                   .model = setup->model,
                   .stream = setup->stream,
                   .is_array = setup->is_array && setup->client == DIALECT_GEMINI,
                   .is_count = setup->is_count,
                   .new_anthropic = setup->new_anthropic },
    };
    enum err err = decode(translate, setup, problem);
    translate->losses.problem = NULL;
    if (err != ERR_OK) {
        translate_close(translate);
        return err;
    }
    *out = translate;
    return ERR_OK;
}

void
translate_forget(struct translate *translate)
{
    check(translate);
    translate->is_forgotten = true;
    arena_reset(&translate->request_arena);
    translate->request = (struct hub_request){ .arena = NULL };
}

void
translate_close(struct translate *translate)
{
    check(translate);
    answer_fini(&translate->answer);
    translate_forget(translate);
    arena_reset(&translate->plan_arena);
    translate->magic = 0;
}

const struct hub_request *
translate_request(const struct translate *translate)
{
    check(translate);
    return translate->is_forgotten ? NULL : &translate->request;
}

/* What the answer's side keeps of the request. */
static enum err
make_plan(struct translate *translate, const struct hub_target *target)
{
    arena_reset(&translate->plan_arena);
    struct arena *arena = &translate->plan_arena;
    struct hub_plan *plan = &translate->plan;
    *plan = (struct hub_plan){ .shape = translate->request.shape,
                               .carrier = &translate->carrier,
                               .seed = translate->seed,
                               .now_s = translate->now_s,
                               .arena = arena };
    plan->shape.model = arena_dup(arena, plan->shape.model);
    plan->shape.echo_json = plan->shape.echo_json.len > HUB_ECHO_BYTES_MAX
                                ? arena_dup(arena, STR(""))
                                : arena_dup(arena, plan->shape.echo_json);
    if (plan->shape.model.data == NULL || plan->shape.echo_json.data == NULL) {
        return ERR_FULL;
    }
    return plan_make(plan, &translate->request, target);
}

/* The group's default instructions stand in front for the time of one encoding. */
static enum err
instruct(struct hub_request *request, const struct hub_target *target, struct arena *arena,
         struct hub_message **injected)
{
    *injected = NULL;
    bool has_system = turns_behind_system(request) != request->messages;
    if (target->instructions.len == 0 || has_system) {
        return ERR_OK;
    }
    struct hub_message *message = arena_alloc(arena, sizeof(*message));
    if (message == NULL || hub_text_to(arena, &message->parts, target->instructions) == NULL) {
        return ERR_FULL;
    }
    message->role = HUB_SYSTEM;
    message->next = request->messages;
    request->messages = message;
    *injected = message;
    return ERR_OK;
}

enum err
translate_encode(struct translate *translate, const struct hub_target *target, struct buf *to,
                 struct hub_problem *problem)
{
    check(translate);
    CHECK(!translate->is_forgotten);
    *problem = (struct hub_problem){ .status = 0 };
    const struct codec *codec = codec_of(target->dialect);
    if (codec->encode == NULL) {
        return hub_reject(problem, "this dialect cannot be translated to", "%s", "");
    }
    translate->losses.count = translate->open_losses;
    translate->losses.problem = problem;
    struct arena scratch;
    arena_init(&scratch, TRANSLATE_REQUEST_BYTES_MAX);
    struct hub_message *injected = NULL;
    enum err err = make_plan(translate, target);
    if (err == ERR_OK) {
        err = instruct(&translate->request, target, &scratch, &injected);
    }
    if (err == ERR_OK) {
        struct codec_job job = { .request = &translate->request,
                                 .target = target,
                                 .plan = &translate->plan,
                                 .arena = &scratch,
                                 .losses = &translate->losses,
                                 .problem = problem,
                                 .to = to };
        err = codec->encode(&job);
    }
    if (injected != NULL) {
        translate->request.messages = injected->next;
    }
    arena_reset(&scratch);
    translate->losses.problem = NULL;
    return err == ERR_OK && problem->status != 0 ? ERR_BAD : err;
}

bool
translate_remote(const struct translate *translate, const struct hub_target *target, uint32_t index,
                 struct str *out_url)
{
    check(translate);
    CHECK(!translate->is_forgotten);
    return remote_find(&translate->request, target, index, out_url);
}

enum err
translate_supply(struct translate *translate, struct str url, struct str mime, struct str bytes)
{
    check(translate);
    CHECK(!translate->is_forgotten);
    return remote_supply(&translate->request, url, mime, bytes);
}

/* --- what the worker asks --- */

enum endpoint
translate_endpoint(enum dialect upstream, bool stream, bool is_count)
{
    switch (upstream) {
    case DIALECT_CHAT:
        return ENDPOINT_CHAT;
    case DIALECT_RESPONSES:
        return is_count ? ENDPOINT_RESPONSES_INPUT_TOKENS : ENDPOINT_RESPONSES;
    case DIALECT_ANTHROPIC:
        return is_count ? ENDPOINT_COUNT_TOKENS : ENDPOINT_MESSAGES;
    case DIALECT_GEMINI:
        return is_count ? ENDPOINT_GEMINI_COUNT
               : stream ? ENDPOINT_GEMINI_STREAM
                        : ENDPOINT_GEMINI_GENERATE;
    case DIALECT_COUNT:
        break;
    }
    CHECK(false);
    return ENDPOINT_CHAT;
}

const char *
translate_pair(enum dialect client, enum dialect upstream)
{
    static const char *const pairs[DIALECT_COUNT][DIALECT_COUNT] = {
        { "chat->chat", "chat->responses", "chat->anthropic", "chat->gemini" },
        { "responses->chat", "responses->responses", "responses->anthropic", "responses->gemini" },
        { "anthropic->chat", "anthropic->responses", "anthropic->anthropic", "anthropic->gemini" },
        { "gemini->chat", "gemini->responses", "gemini->anthropic", "gemini->gemini" },
    };
    CHECK(client < DIALECT_COUNT && upstream < DIALECT_COUNT);
    return pairs[client][upstream];
}

struct str
translate_dropped(const struct translate *translate, char *out, size_t out_bytes)
{
    check(translate);
    size_t len = 0;
    for (uint32_t i = 0; !translate->is_forgotten && i < translate->losses.count; i++) {
        struct str field = translate->losses.fields[i];
        size_t comma = len > 0 ? 1 : 0;
        if (field.len + comma > out_bytes - len) {
            break;
        }
        if (comma > 0) {
            out[len++] = ',';
        }
        for (size_t k = 0; k < field.len; k++) {
            char c = field.data[k];
            out[len++] = c > ' ' && c < 0x7f && c != ',' ? c : '_'; /* it goes into a header */
        }
    }
    return str_make(out, len);
}

uint64_t
translate_held(const struct translate *translate)
{
    check(translate);
    return translate->request_arena.used_bytes + translate->plan_arena.used_bytes +
           answer_held(&translate->answer);
}

/* --- the answer --- */

enum err
translate_begin(struct translate *translate)
{
    check(translate);
    CHECK(translate->plan.arena != NULL);
    return answer_begin(&translate->answer, &translate->plan);
}

struct answer *
translate_answer(struct translate *translate)
{
    check(translate);
    return &translate->answer;
}

enum err
translate_count(enum dialect client, enum dialect upstream, const struct str *upstream_body,
                uint64_t estimate, struct buf *to, bool *out_estimated)
{
    const struct codec *from = codec_of(upstream);
    const struct codec *codec = codec_of(client);
    uint64_t tokens = estimate;
    *out_estimated = upstream_body == NULL;
    bool is_told = upstream_body != NULL && from->read_count != NULL &&
                   from->read_count(*upstream_body, &tokens);
    if ((upstream_body != NULL && !is_told) || codec->write_count == NULL) {
        return ERR_BAD;
    }
    return codec->write_count(to, tokens);
}

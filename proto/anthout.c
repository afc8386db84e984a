/*
 * anthout.c - the neutral form becomes an Anthropic Messages request.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/jsonw.h"
#include "proto/anthropic.h"
#include "proto/anthtalk.h"
#include "proto/anthtool.h"
#include "proto/effort.h"
#include "proto/mould.h"
#include "proto/turns.h"

#define OUTPUT_DEFAULT 32000u /* max_tokens is mandatory; most clients of others send none */
#define BUDGET_MIN 1024u      /* Anthropic's least */
#define BUDGET_AUTO 8192u
#define MARKS_MAX 4u
#define ANSWER_ROOM 4096u /* beside a budget that the client set no limit for */

/* What is decided before anything is written. */
struct choices {
    uint64_t max_tokens;
    bool thinks;    /* some kind of thinking is on */
    bool is_manual; /* with a budget */
    uint64_t budget;
    bool is_disabled;       /* say so */
    enum hub_effort effort; /* output_config.effort; UNSET: nothing is said */
    struct str schema;      /* output_config.format */
    struct str json_tool;   /* the schema of the tool that stands for it */
    struct str extra;       /* goes to the end of the system text */
};

static void
drop(const struct codec_job *job, bool is_set, enum hub_field field)
{
    if (is_set) {
        hub_drop(job->losses, str_of(hub_field_name(job->request, field)));
    }
}

/* --- thinking --- */

static bool
is_signed(const struct hub_message *message)
{
    for (const struct hub_part *part = message->parts; part != NULL; part = part->next) {
        if (part->kind == HUB_REASONING &&
            (part->reasoning.signature.family == HUB_FAMILY_ANTHROPIC ||
             part->reasoning.signature.family == HUB_FAMILY_ANTHROPIC_REDACTED)) {
            return true;
        }
    }
    return false;
}

/* Manual thinking in the middle of a tool loop wants the loop's own thinking back. */
static bool
is_loop_unsigned(const struct hub_request *request)
{
    const struct hub_message *last_model = NULL;
    bool is_open = false;
    for (const struct hub_message *at = request->messages; at != NULL; at = at->next) {
        last_model = at->role == HUB_ASSISTANT ? at : last_model;
        is_open =
            at->role == HUB_TOOL || (is_open && at->role != HUB_USER && at->role != HUB_ASSISTANT);
    }
    return is_open && last_model != NULL && !is_signed(last_model);
}

static bool
is_forced(const struct hub_request *request)
{
    enum hub_choice_mode mode = request->choice.mode;
    return mode == HUB_CHOICE_ANY || mode == HUB_CHOICE_ONE || mode == HUB_CHOICE_SOME_ANY ||
           mode == HUB_CHOICE_HOSTED;
}

/* A budget that fits below max_tokens; 0: there is no room for thinking. */
static uint64_t
fit_budget(const struct codec_job *job, struct choices *choices, uint64_t budget)
{
    const struct caps *caps = job->target->caps;
    budget = budget < BUDGET_MIN ? BUDGET_MIN : budget;
    if (!job->request->has_output_max && budget + ANSWER_ROOM > choices->max_tokens) {
        uint64_t wanted = budget + ANSWER_ROOM;
        bool is_bound = caps->output_max > 0 && wanted > caps->output_max;
        choices->max_tokens = is_bound ? caps->output_max : wanted;
    }
    if (budget >= choices->max_tokens) {
        budget = choices->max_tokens > 0 ? choices->max_tokens - 1 : 0;
    }
    return budget < BUDGET_MIN ? 0 : budget;
}

static void
think_manually(const struct codec_job *job, struct choices *choices, enum hub_effort effort)
{
    const struct hub_request *request = job->request;
    uint64_t model_max = job->target->caps->output_max;
    uint64_t budget = request->thinking.has_budget ? request->thinking.budget_tokens
                      : effort == HUB_EFFORT_AUTO
                          ? BUDGET_AUTO
                          : effort_budget(effort, model_max > 0 ? model_max - 1 : OUTPUT_DEFAULT);
    bool is_possible =
        !is_forced(request) && !is_loop_unsigned(request) && choices->json_tool.len == 0;
    choices->budget = is_possible ? fit_budget(job, choices, budget) : 0;
    choices->is_manual = choices->thinks = choices->budget > 0;
    drop(job, !choices->thinks, HUB_FIELD_THINKING);
}

static void
think_adaptively(const struct codec_job *job, struct choices *choices, enum hub_effort effort)
{
    choices->thinks = choices->json_tool.len == 0;
    if (effort != HUB_EFFORT_AUTO) {
        choices->effort = effort_degrade(effort, job->target->caps->efforts);
    }
}

static void
decide_thinking(const struct codec_job *job, struct choices *choices)
{
    enum hub_effort effort = job->request->thinking.effort;
    enum caps_thinking kind = job->target->caps->thinking;
    if (effort == HUB_EFFORT_UNSET) {
        return;
    }
    if (kind == CAPS_NO_THINKING) {
        drop(job, effort != HUB_EFFORT_OFF, HUB_FIELD_THINKING);
        return;
    }
    if (effort == HUB_EFFORT_OFF) {
        choices->is_disabled = kind != CAPS_MANUAL;
        return;
    }
    bool is_manual =
        kind == CAPS_MANUAL || (kind == CAPS_BOTH && job->request->thinking.has_budget);
    if (is_manual) {
        think_manually(job, choices, effort);
    } else {
        think_adaptively(job, choices, effort);
    }
}

static void
write_thinking(struct jsonw *w, const struct choices *choices)
{
    if (choices->thinks || choices->is_disabled) {
        jsonw_name(w, "thinking");
        jsonw_object(w);
        jsonw_put_text(w, "type",
                       choices->is_disabled ? "disabled"
                       : choices->is_manual ? "enabled"
                                            : "adaptive");
        if (choices->is_manual) {
            jsonw_put_u64(w, "budget_tokens", choices->budget);
        }
        jsonw_close(w);
    }
}

/* --- structured output --- */

static enum err
instruct_schema(const struct codec_job *job, struct choices *choices, struct str schema)
{
    choices->extra = arena_printf(job->arena,
                                  "Answer with a single JSON object and nothing else, no code "
                                  "fences, that matches this JSON schema:\n%.*s",
                                  STR_ARG(schema));
    return choices->extra.data == NULL ? ERR_FULL : ERR_OK;
}

static enum err
decide_format(const struct codec_job *job, struct choices *choices)
{
    const struct hub_format *format = &job->request->format;
    const struct caps *caps = job->target->caps;
    if (format->kind == HUB_FORMAT_TEXT) {
        return ERR_OK;
    }
    if (format->kind == HUB_FORMAT_ENUM) {
        return hub_reject(job->problem, "the upstream has no such format", "%s",
                          hub_field_name(job->request, HUB_FIELD_FORMAT));
    }
    if (format->kind == HUB_FORMAT_JSON || format->schema_json.len == 0) {
        choices->extra = STR("Answer with a single JSON object and nothing else, no code fences.");
        return ERR_OK;
    }
    enum err err = ERR_BAD;
    if (caps->structured) {
        err = mould_output(format->schema_json, job->arena, &choices->schema);
    }
    if (err != ERR_BAD) {
        return err;
    }
    choices->schema = str_make(NULL, 0);
    if (job->request->tools == NULL) {
        job->plan->json_tool = true;
        return mould_root(format->schema_json, job->arena, &choices->json_tool);
    }
    return instruct_schema(job, choices, format->schema_json);
}

static void
write_config(struct jsonw *w, const struct choices *choices)
{
    const char *effort = effort_name(choices->effort);
    if (effort == NULL && choices->schema.len == 0) {
        return;
    }
    jsonw_name(w, "output_config");
    jsonw_object(w);
    if (effort != NULL) {
        jsonw_put_text(w, "effort", effort);
    }
    if (choices->schema.len > 0) {
        jsonw_name(w, "format");
        jsonw_object(w);
        jsonw_put_text(w, "type", "json_schema");
        jsonw_name(w, "schema");
        jsonw_raw(w, choices->schema);
        jsonw_close(w);
    }
    jsonw_close(w);
}

/* --- sampling and the rest --- */

static bool
is_above_one(struct str number)
{
    char text[64];
    return str_copy(text, sizeof text, number) && strtod(text, NULL) > 1.0;
}

static void
put_raw(struct jsonw *w, const char *name, struct str json)
{
    jsonw_name(w, name);
    jsonw_raw(w, json);
}

static void
write_sampling(const struct codec_job *job, struct jsonw *w, const struct choices *choices)
{
    const struct hub_request *request = job->request;
    const struct caps *caps = job->target->caps;
    bool is_barred = caps->no_sampling || choices->thinks;
    bool has_temperature = request->temperature_json.len > 0;
    bool has_top_p = request->top_p_json.len > 0;
    if (has_temperature && !is_barred) {
        bool is_hot = is_above_one(request->temperature_json);
        put_raw(w, "temperature", is_hot ? STR("1") : request->temperature_json);
    }
    drop(job, has_temperature && is_barred, HUB_FIELD_TEMPERATURE);
    bool is_second = caps->one_sampler && has_temperature && !is_barred;
    bool bars_top_p = caps->no_sampling || is_second;
    if (has_top_p && !bars_top_p && !choices->thinks) {
        put_raw(w, "top_p", request->top_p_json);
    }
    drop(job, has_top_p && (bars_top_p || choices->thinks), HUB_FIELD_TOP_P);
    bool has_top_k = request->top_k_json.len > 0;
    if (has_top_k && !is_barred) {
        put_raw(w, "top_k", request->top_k_json);
    }
    drop(job, has_top_k && is_barred, HUB_FIELD_TOP_K);
}

static bool
is_blank(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] > ' ') {
            return false;
        }
    }
    return true;
}

/* Sequences of blanks are refused upstream: the gateway watches for them. */
static enum err
write_stops(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_request *request = job->request;
    enum err err = ERR_OK;
    bool is_begun = false;
    for (uint32_t i = 0; i < request->stop_count && err == ERR_OK; i++) {
        if (is_blank(request->stops[i])) {
            err = plan_watch(job->plan, request->stops[i]);
            continue;
        }
        if (!is_begun) {
            is_begun = true;
            jsonw_name(w, "stop_sequences");
            jsonw_array(w);
        }
        jsonw_str(w, request->stops[i]);
    }
    if (is_begun) {
        jsonw_close(w);
    }
    return err;
}

static void
write_bookkeeping(const struct codec_job *job, struct jsonw *w)
{
    static const struct {
        const char *from;
        const char *to;
    } tiers[] = { { "auto", "auto" },
                  { "default", "standard_only" },
                  { "standard", "standard_only" },
                  { "flex", "standard_only" },
                  { "priority", "auto" },
                  { "scale", "auto" } };
    const struct hub_request *request = job->request;
    if (request->end_user.len > 0) {
        jsonw_name(w, "metadata");
        jsonw_object(w);
        jsonw_put_str(w, "user_id", request->end_user);
        jsonw_close(w);
    }
    for (size_t i = 0; i < sizeof tiers / sizeof tiers[0]; i++) {
        if (str_equal_nocase(request->tier, str_of(tiers[i].from))) {
            jsonw_put_text(w, "service_tier", tiers[i].to);
        }
    }
    if (job->target->stream) {
        jsonw_put_bool(w, "stream", true);
    }
}

/* Fields without a counterpart. */
static enum err
settle_rest(const struct codec_job *job)
{
    const struct hub_request *request = job->request;
    if (request->answers > 1) {
        return hub_reject(job->problem, "the upstream gives one answer only", "%s",
                          hub_field_name(request, HUB_FIELD_ANSWERS));
    }
    if (request->wants_audio || request->wants_image) {
        return hub_reject(job->problem, "the upstream answers in text only", "%s",
                          hub_field_name(request, HUB_FIELD_MODALITIES));
    }
    const struct {
        bool is_set;
        const char *name;
    } hints[] = {
        { request->seed_json.len > 0, "seed" },
        { request->logit_bias_json.len > 0, "logit_bias" },
        { request->prediction_json.len > 0, "prediction" },
        { request->logprobs == HUB_YES, "logprobs" },
        { request->verbosity.len > 0, "verbosity" },
        { request->metadata_json.len > 0, "metadata" },
        { request->cache_key.len > 0, "prompt_cache_key" },
    };
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        if (hints[i].is_set) {
            hub_drop(job->losses, str_of(hints[i].name));
        }
    }
    drop(job, request->frequency_penalty_json.len > 0, HUB_FIELD_FREQUENCY);
    drop(job, request->presence_penalty_json.len > 0, HUB_FIELD_PRESENCE);
    return ERR_OK;
}

static void
decide_limit(const struct codec_job *job, struct choices *choices)
{
    uint64_t output_max = job->target->caps->output_max;
    uint64_t wanted =
        job->request->has_output_max ? job->request->output_tokens_max : OUTPUT_DEFAULT;
    choices->max_tokens = output_max > 0 && wanted > output_max ? output_max : wanted;
}

/* Only the last four marks are kept. */
static struct anthtool_marks
count_marks(const struct hub_request *request)
{
    uint32_t count = anthtalk_marks(request);
    for (const struct hub_tool *tool = request->tools; tool != NULL; tool = tool->next) {
        count += tool->cache != HUB_CACHE_NONE;
    }
    return (struct anthtool_marks){ .skip = count > MARKS_MAX ? count - MARKS_MAX : 0 };
}

enum err
anthout_encode(const struct codec_job *job)
{
    struct choices choices = { .effort = HUB_EFFORT_UNSET };
    decide_limit(job, &choices);
    enum err err = decide_format(job, &choices);
    if (err == ERR_OK) {
        err = settle_rest(job);
    }
    if (err != ERR_OK) {
        return err;
    }
    decide_thinking(job, &choices);
    bool is_count = job->request->shape.is_count;
    struct anthtool_marks marks = count_marks(job->request);
    struct jsonw w;
    jsonw_begin(&w, job->to);
    jsonw_object(&w);
    jsonw_put_str(&w, "model", job->target->model);
    /* Tools stand first in what Anthropic caches: their marks are the first to go. */
    err = anthtool_write(job, &w, choices.json_tool, &marks);
    if (err == ERR_OK) {
        err = anthtalk_write(job, &w, choices.extra, &marks);
    }
    write_thinking(&w, &choices);
    write_config(&w, &choices);
    if (err == ERR_OK && !is_count) {
        jsonw_put_u64(&w, "max_tokens", choices.max_tokens);
        write_sampling(job, &w, &choices);
        err = write_stops(job, &w);
        write_bookkeeping(job, &w);
    }
    jsonw_close(&w);
    return err == ERR_OK ? jsonw_end(&w) : err;
}

/*
 * gemout.c - the neutral form becomes a Gemini generateContent request.
 */
#include "base/check.h"
#include "base/jsonw.h"
#include "proto/effort.h"
#include "proto/gemini.h"
#include "proto/gemtalk.h"
#include "proto/gemtool.h"
#include "proto/schema.h"

#define STOPS_SENT_MAX 5u

static void
drop(const struct codec_job *job, bool is_set, const char *field)
{
    if (is_set) {
        hub_drop(job->losses, str_of(field));
    }
}

static void
put_raw(struct jsonw *w, const char *name, struct str json)
{
    if (json.len > 0) {
        jsonw_name(w, name);
        jsonw_raw(w, json);
    }
}

/* --- thinking --- */

static uint64_t
clamp(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* 2.5: a number of tokens; -1 lets the model decide. */
static void
write_budget(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_thinking *thinking = &job->request->thinking;
    const struct caps *caps = job->target->caps;
    uint64_t least = caps->budget_min;
    if (thinking->effort == HUB_EFFORT_AUTO && !thinking->has_budget) {
        jsonw_put_i64(w, "thinkingBudget", -1);
        return;
    }
    if (thinking->effort == HUB_EFFORT_OFF) {
        jsonw_put_u64(w, "thinkingBudget", caps->budget_zero ? 0 : least);
        return;
    }
    uint64_t budget = thinking->has_budget ? thinking->budget_tokens
                                           : effort_budget(thinking->effort, caps->budget_max);
    jsonw_put_u64(w, "thinkingBudget", clamp(budget, least, caps->budget_max));
}

/* 3.x: a word. */
static void
write_level(const struct codec_job *job, struct jsonw *w)
{
    bool has_minimal = job->target->caps->level_minimal;
    const char *word = NULL;
    switch (job->request->thinking.effort) {
    case HUB_EFFORT_OFF:
    case HUB_EFFORT_MINIMAL:
        word = has_minimal ? "MINIMAL" : "LOW";
        break;
    case HUB_EFFORT_LOW:
        word = "LOW";
        break;
    case HUB_EFFORT_MEDIUM:
        word = "MEDIUM";
        break;
    case HUB_EFFORT_HIGH:
    case HUB_EFFORT_XHIGH:
    case HUB_EFFORT_MAX:
        word = "HIGH";
        break;
    case HUB_EFFORT_UNSET:
    case HUB_EFFORT_AUTO:
        break;
    }
    if (word != NULL) {
        jsonw_put_text(w, "thinkingLevel", word);
    }
}

static void
write_thinking(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_thinking *thinking = &job->request->thinking;
    if (thinking->effort == HUB_EFFORT_UNSET) {
        return;
    }
    if (job->target->caps->thinking == CAPS_NO_THINKING) {
        drop(job, thinking->effort != HUB_EFFORT_OFF,
             hub_field_name(job->request, HUB_FIELD_THINKING));
        return;
    }
    jsonw_name(w, "thinkingConfig");
    jsonw_object(w);
    bool is_shown = thinking->show == HUB_YES && thinking->effort != HUB_EFFORT_OFF;
    if (is_shown || thinking->show == HUB_NO) {
        jsonw_put_bool(w, "includeThoughts", is_shown);
    }
    if (job->target->caps->budget) {
        write_budget(job, w);
    } else {
        write_level(job, w);
    }
    jsonw_close(w);
}

/* --- structured output --- */

/* Before the third family, JSON mode and functions together are refused. */
static bool
is_json_barred(const struct codec_job *job)
{
    return job->plan->tools != NULL && !job->target->caps->json_with_tools;
}

static enum err
decide_extra(const struct codec_job *job, struct str *extra)
{
    const struct hub_format *format = &job->request->format;
    *extra = str_make(NULL, 0);
    if (format->kind == HUB_FORMAT_TEXT || !is_json_barred(job)) {
        return ERR_OK;
    }
    *extra = STR("Answer with a single JSON object and nothing else, no code fences.");
    if (format->schema_json.len > 0) {
        *extra = arena_printf(job->arena,
                              "Answer with a single JSON object and nothing else, no code fences, "
                              "that matches this JSON schema:\n%.*s",
                              STR_ARG(format->schema_json));
    }
    return extra->data == NULL ? ERR_FULL : ERR_OK;
}

static enum err
write_format(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_format *format = &job->request->format;
    const struct caps *caps = job->target->caps;
    if (format->kind == HUB_FORMAT_TEXT || is_json_barred(job)) {
        return ERR_OK;
    }
    jsonw_put_text(w, "responseMimeType",
                   format->kind == HUB_FORMAT_ENUM ? "text/x.enum" : "application/json");
    if (format->schema_json.len == 0) {
        return ERR_OK;
    }
    struct str schema;
    enum err err = caps->json_schema
                       ? schema_to_gemini_json(format->schema_json, job->arena, &schema)
                       : schema_to_gemini(format->schema_json, caps, job->arena, &schema);
    if (err == ERR_BAD) {
        return hub_refuse(job->problem, "the schema is no object", "%s",
                          hub_field_name(job->request, HUB_FIELD_FORMAT));
    }
    put_raw(w, caps->json_schema ? "responseJsonSchema" : "responseSchema", schema);
    return err;
}

/* --- the rest of generationConfig --- */

static enum err
write_stops(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_request *request = job->request;
    uint32_t sent = request->stop_count < STOPS_SENT_MAX ? request->stop_count : STOPS_SENT_MAX;
    if (sent > 0) {
        jsonw_name(w, "stopSequences");
        jsonw_array(w);
        for (uint32_t i = 0; i < sent; i++) {
            jsonw_str(w, request->stops[i]);
        }
        jsonw_close(w);
    }
    enum err err = ERR_OK;
    for (uint32_t i = sent; i < request->stop_count && err == ERR_OK; i++) {
        err = plan_watch(job->plan, request->stops[i]);
    }
    return err;
}

static enum err
write_limit(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_request *request = job->request;
    if (!request->has_output_max) {
        return ERR_OK;
    }
    if (request->output_tokens_max == 0) {
        return hub_reject(job->problem, "the upstream cannot answer with nothing", "%s",
                          hub_field_name(request, HUB_FIELD_OUTPUT_MAX));
    }
    jsonw_put_u64(w, "maxOutputTokens", request->output_tokens_max);
    return ERR_OK;
}

static void
write_sampling(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_request *request = job->request;
    put_raw(w, "temperature", request->temperature_json);
    put_raw(w, "topP", request->top_p_json);
    put_raw(w, "topK", request->top_k_json);
    put_raw(w, "seed", request->seed_json);
    put_raw(w, "frequencyPenalty", request->frequency_penalty_json);
    put_raw(w, "presencePenalty", request->presence_penalty_json);
    if (request->answers > 1) {
        jsonw_put_u64(w, "candidateCount", request->answers);
    }
    if (request->logprobs == HUB_YES) {
        jsonw_put_bool(w, "responseLogprobs", true);
        put_raw(w, "logprobs", request->top_logprobs_json);
    }
    if (request->wants_audio || request->wants_image) {
        jsonw_name(w, "responseModalities");
        jsonw_raw(w, request->wants_audio ? STR("[\"AUDIO\"]") : STR("[\"TEXT\",\"IMAGE\"]"));
    }
    drop(job, request->logit_bias_json.len > 0, "logit_bias");
    drop(job, request->prediction_json.len > 0, "prediction");
    drop(job, request->verbosity.len > 0, "verbosity");
    drop(job, request->metadata_json.len > 0, "metadata");
    drop(job, request->cache_key.len > 0, "prompt_cache_key");
    drop(job, request->end_user.len > 0, hub_field_name(request, HUB_FIELD_END_USER));
}

static enum err
write_config(const struct codec_job *job, struct jsonw *w)
{
    jsonw_name(w, "generationConfig");
    jsonw_object(w);
    enum err err = write_limit(job, w);
    if (err == ERR_OK) {
        err = write_stops(job, w);
    }
    if (err == ERR_OK) {
        err = write_format(job, w);
    }
    write_sampling(job, w);
    write_thinking(job, w);
    jsonw_close(w);
    return err;
}

static void
write_tier(const struct codec_job *job, struct jsonw *w)
{
    static const struct {
        const char *from;
        const char *to;
    } tiers[] = { { "default", "standard" },
                  { "standard_only", "standard" },
                  { "flex", "flex" },
                  { "priority", "priority" } };
    for (size_t i = 0; i < sizeof tiers / sizeof tiers[0]; i++) {
        if (str_equal(job->request->tier, str_of(tiers[i].from))) {
            jsonw_put_text(w, "serviceTier", tiers[i].to);
        }
    }
}

static enum err
write_members(const struct codec_job *job, struct jsonw *w)
{
    struct str extra;
    enum err err = decide_extra(job, &extra);
    if (err == ERR_OK) {
        err = gemtalk_write(job, w, extra);
    }
    if (err == ERR_OK) {
        err = gemtool_write(job, w);
    }
    return err == ERR_OK ? write_config(job, w) : err;
}

enum err
gemout_encode(const struct codec_job *job)
{
    bool is_count = job->request->shape.is_count;
    struct jsonw w;
    jsonw_begin(&w, job->to);
    jsonw_object(&w);
    if (is_count) {
        /* The bare form would leave system text and tools uncounted. */
        struct str model = arena_printf(job->arena, "models/%.*s", STR_ARG(job->target->model));
        jsonw_name(&w, "generateContentRequest");
        jsonw_object(&w);
        jsonw_put_str(&w, "model", model);
    }
    enum err err = write_members(job, &w);
    if (is_count) {
        jsonw_close(&w);
    } else {
        write_tier(job, &w);
    }
    jsonw_close(&w);
    return err == ERR_OK ? jsonw_end(&w) : err;
}

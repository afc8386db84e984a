/*
 * chatout.c - the neutral form becomes a Chat Completions request.
 */
#include "base/check.h"
#include "base/jsonw.h"
#include "proto/chat.h"
#include "proto/chattalk.h"
#include "proto/chattool.h"
#include "proto/openai.h"
#include "proto/strict.h"

#define STOPS_SENT_MAX 4u /* more are refused upstream; the gateway watches for the rest */

static void
put_raw(struct jsonw *w, const char *name, struct str json)
{
    if (json.len > 0) {
        jsonw_name(w, name);
        jsonw_raw(w, json);
    }
}

/* --- generation --- */

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
    jsonw_put_u64(w, job->target->caps->max_tokens ? "max_tokens" : "max_completion_tokens",
                  request->output_tokens_max);
    return ERR_OK;
}

static void
write_sampling(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_request *request = job->request;
    const struct caps *caps = job->target->caps;
    if (caps->reasoning_model) {
        openai_drop(job, request->temperature_json, HUB_FIELD_TEMPERATURE);
        openai_drop(job, request->top_p_json, HUB_FIELD_TOP_P);
        openai_drop(job, request->frequency_penalty_json, HUB_FIELD_FREQUENCY);
        openai_drop(job, request->presence_penalty_json, HUB_FIELD_PRESENCE);
    } else {
        put_raw(w, "temperature", request->temperature_json);
        put_raw(w, "top_p", request->top_p_json);
        put_raw(w, "frequency_penalty", request->frequency_penalty_json);
        put_raw(w, "presence_penalty", request->presence_penalty_json);
    }
    if (caps->top_k) {
        put_raw(w, "top_k", request->top_k_json);
    } else {
        openai_drop(job, request->top_k_json, HUB_FIELD_TOP_K);
    }
    put_raw(w, "seed", request->seed_json);
    put_raw(w, "logit_bias", request->logit_bias_json);
    put_raw(w, "prediction", request->prediction_json);
    if (request->answers > 1) {
        jsonw_put_u64(w, "n", request->answers);
    }
    if (request->logprobs != HUB_UNSET) {
        jsonw_put_bool(w, "logprobs", request->logprobs == HUB_YES);
        put_raw(w, "top_logprobs", request->top_logprobs_json);
    }
}

/* The first four go upstream, the others are watched for here; reasoning models take none. */
static enum err
write_stops(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_request *request = job->request;
    uint32_t sent = job->target->caps->reasoning_model ? 0 : STOPS_SENT_MAX;
    sent = request->stop_count < sent ? request->stop_count : sent;
    if (sent > 0) {
        jsonw_name(w, "stop");
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

static void
write_effort(const struct codec_job *job, struct jsonw *w)
{
    const char *effort = openai_effort(job);
    if (effort != NULL) {
        jsonw_put_text(w, "reasoning_effort", effort);
    }
}

static enum err
write_format(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_format *format = &job->request->format;
    if (format->kind == HUB_FORMAT_TEXT) {
        return ERR_OK;
    }
    if (format->kind == HUB_FORMAT_ENUM) {
        return hub_reject(job->problem, "the upstream has no such format", "%s",
                          hub_field_name(job->request, HUB_FIELD_FORMAT));
    }
    jsonw_name(w, "response_format");
    jsonw_object(w);
    jsonw_put_text(w, "type", format->kind == HUB_FORMAT_JSON ? "json_object" : "json_schema");
    if (format->kind == HUB_FORMAT_SCHEMA) {
        jsonw_name(w, "json_schema");
        jsonw_object(w);
        jsonw_put_str(w, "name", format->name.len > 0 ? format->name : STR("response"));
        if (format->description.len > 0) {
            jsonw_put_str(w, "description", format->description);
        }
        put_raw(w, "schema", format->schema_json);
        if (format->is_strict_source) {
            jsonw_put_bool(w, "strict", strict_is(format->schema_json, job->arena));
        } else if (format->strict != HUB_UNSET) {
            jsonw_put_bool(w, "strict", format->strict == HUB_YES);
        }
        jsonw_close(w);
    }
    jsonw_close(w);
    return ERR_OK;
}

static enum err
write_modes(const struct codec_job *job, struct jsonw *w)
{
    if (job->request->wants_image) {
        return hub_reject(job->problem, "the upstream makes no images", "%s",
                          hub_field_name(job->request, HUB_FIELD_MODALITIES));
    }
    if (job->request->wants_audio) {
        jsonw_name(w, "modalities");
        jsonw_raw(w, STR("[\"text\",\"audio\"]"));
        put_raw(w, "audio", job->request->audio_json);
    }
    return ERR_OK;
}

/* --- bookkeeping --- */

static void
write_bookkeeping(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_request *request = job->request;
    if (request->verbosity.len > 0) {
        jsonw_put_str(w, "verbosity", request->verbosity);
    }
    struct str tier = openai_tier(request->tier);
    if (tier.len > 0) {
        jsonw_put_str(w, "service_tier", tier);
    }
    char hash[OPENAI_USER_BYTES];
    struct str user = openai_user(request, hash);
    if (user.len > 0) {
        jsonw_put_str(w, job->target->caps->safety_identifier ? "safety_identifier" : "user", user);
    }
    if (request->cache_key.len > 0) {
        jsonw_put_str(w, "prompt_cache_key", request->cache_key);
    }
    if (request->cache == HUB_CACHE_1H || request->cache == HUB_CACHE_24H) {
        jsonw_put_text(w, "prompt_cache_retention", "24h");
    }
    put_raw(w, "metadata", request->metadata_json);
    if (request->store == HUB_YES) {
        jsonw_put_bool(w, "store", true);
    }
    if (job->target->stream) {
        jsonw_put_bool(w, "stream", true);
        jsonw_name(w, "stream_options");
        jsonw_object(w);
        jsonw_put_bool(w, "include_usage", true);
        jsonw_close(w);
    }
}

/* --- all of it --- */

enum err
chatout_encode(const struct codec_job *job)
{
    struct jsonw w;
    jsonw_begin(&w, job->to);
    jsonw_object(&w);
    jsonw_put_str(&w, "model", job->target->model);
    enum err err = chattalk_write(job, &w, openai_json_line(job->request));
    if (err == ERR_OK) {
        err = chattool_write(job, &w);
    }
    if (err == ERR_OK) {
        err = write_limit(job, &w);
    }
    if (err == ERR_OK) {
        err = write_stops(job, &w);
    }
    if (err == ERR_OK) {
        err = write_format(job, &w);
    }
    if (err == ERR_OK) {
        err = write_modes(job, &w);
    }
    if (err != ERR_OK) {
        return err;
    }
    write_sampling(job, &w);
    write_effort(job, &w);
    write_bookkeeping(job, &w);
    jsonw_close(&w);
    return jsonw_end(&w);
}

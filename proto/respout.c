/*
 * respout.c - the neutral form becomes a Responses request.
 *
 * Nothing is stored at the provider unless the client says so: reasoning comes encrypted instead.
 */
#include "base/check.h"
#include "base/jsonw.h"
#include "proto/openai.h"
#include "proto/responses.h"
#include "proto/resptalk.h"
#include "proto/resptool.h"
#include "proto/strict.h"

#define OUTPUT_MIN 16u /* the service refuses less */

/* Some accounts refuse members that others take. */
static bool
takes(const struct codec_job *job, const char *name)
{
    const struct caps *caps = job->target->caps;
    for (uint32_t i = 0; i < CAPS_DELETE_MAX; i++) {
        if (strcmp(caps->deleted[i], name) == 0) {
            return false;
        }
    }
    return true;
}

static void
put_raw(const struct codec_job *job, struct jsonw *w, const char *name, struct str json)
{
    if (json.len > 0 && takes(job, name)) {
        jsonw_name(w, name);
        jsonw_raw(w, json);
    }
}

static void
put_str(const struct codec_job *job, struct jsonw *w, const char *name, struct str text)
{
    if (text.len > 0 && takes(job, name)) {
        jsonw_put_str(w, name, text);
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
    if (takes(job, "max_output_tokens")) {
        uint64_t tokens = request->output_tokens_max;
        jsonw_put_u64(w, "max_output_tokens", tokens < OUTPUT_MIN ? OUTPUT_MIN : tokens);
    }
    return ERR_OK;
}

/* What this dialect has nothing like. */
static enum err
refuse_foreign(const struct codec_job *job)
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
    if (request->format.kind == HUB_FORMAT_ENUM) {
        return hub_reject(job->problem, "the upstream has no such format", "%s",
                          hub_field_name(request, HUB_FIELD_FORMAT));
    }
    openai_drop(job, request->top_k_json, HUB_FIELD_TOP_K);
    openai_drop(job, request->frequency_penalty_json, HUB_FIELD_FREQUENCY);
    openai_drop(job, request->presence_penalty_json, HUB_FIELD_PRESENCE);
    const struct {
        struct str json;
        const char *name;
    } others[] = { { request->seed_json, "seed" },
                   { request->logit_bias_json, "logit_bias" },
                   { request->prediction_json, "prediction" } };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i].json.len > 0) {
            hub_drop(job->losses, str_of(others[i].name));
        }
    }
    return ERR_OK;
}

static void
write_sampling(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_request *request = job->request;
    if (job->target->caps->reasoning_model) {
        openai_drop(job, request->temperature_json, HUB_FIELD_TEMPERATURE);
        openai_drop(job, request->top_p_json, HUB_FIELD_TOP_P);
    } else {
        put_raw(job, w, "temperature", request->temperature_json);
        put_raw(job, w, "top_p", request->top_p_json);
    }
    if (request->logprobs == HUB_YES) {
        put_raw(job, w, "top_logprobs", request->top_logprobs_json);
    }
}

/* There are no stop sequences: the gateway watches for all of them. */
static enum err
watch_stops(const struct codec_job *job)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < job->request->stop_count && err == ERR_OK; i++) {
        err = plan_watch(job->plan, job->request->stops[i]);
    }
    return err;
}

/* A summary is asked for when the client has a switch for it and has put it on. */
static void
write_reasoning(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_request *request = job->request;
    const char *effort = openai_effort(job);
    bool has_switch = request->shape.dialect != DIALECT_CHAT;
    bool is_shown = has_switch && request->thinking.show == HUB_YES && job->target->caps->summary;
    if ((effort == NULL && !is_shown) || !takes(job, "reasoning")) {
        return;
    }
    jsonw_name(w, "reasoning");
    jsonw_object(w);
    if (effort != NULL) {
        jsonw_put_text(w, "effort", effort);
    }
    if (is_shown) {
        jsonw_put_text(w, "summary", "auto");
    }
    jsonw_close(w);
}

static void
write_schema(const struct codec_job *job, struct jsonw *w, const struct hub_format *format)
{
    jsonw_put_str(w, "name", format->name.len > 0 ? format->name : STR("response"));
    if (format->description.len > 0) {
        jsonw_put_str(w, "description", format->description);
    }
    jsonw_name(w, "schema");
    jsonw_raw(w, format->schema_json.len > 0 ? format->schema_json : STR("{}"));
    bool is_strict = format->is_strict_source ? strict_is(format->schema_json, job->arena)
                                              : format->strict == HUB_YES;
    jsonw_put_bool(w, "strict", is_strict);
}

static void
write_format(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_request *request = job->request;
    const struct hub_format *format = &request->format;
    bool is_said = format->kind != HUB_FORMAT_TEXT || request->verbosity.len > 0;
    if (!is_said || !takes(job, "text")) {
        return;
    }
    jsonw_name(w, "text");
    jsonw_object(w);
    if (format->kind != HUB_FORMAT_TEXT) {
        jsonw_name(w, "format");
        jsonw_object(w);
        jsonw_put_text(w, "type", format->kind == HUB_FORMAT_JSON ? "json_object" : "json_schema");
        if (format->kind == HUB_FORMAT_SCHEMA) {
            write_schema(job, w, format);
        }
        jsonw_close(w);
    }
    if (request->verbosity.len > 0) {
        jsonw_put_str(w, "verbosity", request->verbosity);
    }
    jsonw_close(w);
}

/* --- bookkeeping --- */

static void
write_bookkeeping(const struct codec_job *job, struct jsonw *w)
{
    const struct hub_request *request = job->request;
    char hash[OPENAI_USER_BYTES];
    put_str(job, w, "service_tier", openai_tier(request->tier));
    put_str(job, w, job->target->caps->safety_identifier ? "safety_identifier" : "user",
            openai_user(request, hash));
    put_str(job, w, "prompt_cache_key", request->cache_key);
    if (request->cache == HUB_CACHE_1H || request->cache == HUB_CACHE_24H) {
        put_str(job, w, "prompt_cache_retention", STR("24h"));
    }
    put_raw(job, w, "metadata", request->metadata_json);
    /* A model that does not reason has nothing to encrypt, and says so with a 400. */
    bool reasons = job->target->caps->efforts != 0;
    if (takes(job, "include") && (reasons || request->logprobs == HUB_YES)) {
        jsonw_name(w, "include");
        jsonw_array(w);
        if (reasons) {
            jsonw_text(w, "reasoning.encrypted_content");
        }
        if (request->logprobs == HUB_YES) {
            jsonw_text(w, "message.output_text.logprobs");
        }
        jsonw_close(w);
    }
    if (takes(job, "store")) {
        jsonw_put_bool(w, "store", request->store == HUB_YES);
    }
    if (job->target->stream) {
        jsonw_put_bool(w, "stream", true);
    }
}

enum err
respout_encode(const struct codec_job *job)
{
    struct jsonw w;
    jsonw_begin(&w, job->to);
    jsonw_object(&w);
    jsonw_put_str(&w, "model", job->target->model);
    enum err err = refuse_foreign(job);
    if (err == ERR_OK) {
        err = resptalk_write(job, &w, openai_json_line(job->request));
    }
    if (err == ERR_OK) {
        err = resptool_write(job, &w);
    }
    if (err == ERR_OK && !job->request->shape.is_count) {
        err = write_limit(job, &w);
    }
    if (err == ERR_OK) {
        err = watch_stops(job);
    }
    if (err != ERR_OK) {
        return err;
    }
    write_reasoning(job, &w);
    write_format(job, &w);
    if (!job->request->shape.is_count) {
        write_sampling(job, &w);
        write_bookkeeping(job, &w);
    }
    jsonw_close(&w);
    return jsonw_end(&w);
}

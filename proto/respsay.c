/*
 * respsay.c - the response object and single events (see respsay.h).
 */
#include "proto/respsay.h"

#include "base/check.h"

void
respsay_begin(struct respsay *say, struct jsonw *w, const char *type)
{
    struct str head[] = { STR("event: "), str_of(type), STR("\ndata: ") };
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof head / sizeof head[0] && err == ERR_OK && !say->is_silent; i++) {
        err = buf_append(say->to, head[i]);
    }
    jsonw_begin(w, say->to);
    w->err = err;
    jsonw_object(w);
    jsonw_put_text(w, "type", type);
    jsonw_put_u64(w, "sequence_number", say->sequence++);
}

enum err
respsay_end(struct respsay *say, struct jsonw *w)
{
    jsonw_close(w);
    enum err err = jsonw_end(w);
    if (say->is_silent) {
        buf_clear(say->to);
        return err;
    }
    return err == ERR_OK ? buf_append(say->to, STR("\n\n")) : err;
}

enum err
respsay_element(struct buf *list, struct jsonw *w)
{
    enum err err = buf_len(list) > 0 ? buf_append(list, STR(",")) : ERR_OK;
    jsonw_begin(w, list);
    return err;
}

void
respsay_list(struct jsonw *w, const char *name, struct str elements)
{
    jsonw_name(w, name);
    jsonw_array(w);
    if (elements.len > 0) {
        jsonw_raw(w, elements);
    }
    jsonw_close(w);
}

void
respsay_annotation(struct jsonw *w, const struct hub_annotation *annotation)
{
    bool is_file = annotation->kind == HUB_CITE_FILE;
    jsonw_object(w);
    jsonw_put_text(w, "type", is_file ? "file_citation" : "url_citation");
    if (is_file) {
        jsonw_put_str(w, "file_id", annotation->url);
        jsonw_put_str(w, "filename", annotation->title);
        jsonw_put_u64(w, "index", annotation->end);
    } else {
        jsonw_put_str(w, "url", annotation->url);
        jsonw_put_str(w, "title", annotation->title);
        jsonw_put_u64(w, "start_index", annotation->start);
        jsonw_put_u64(w, "end_index", annotation->end);
    }
    jsonw_close(w);
}

void
respsay_state(enum hub_finish finish, bool has_refusal, struct respsay_end_state *state)
{
    state->status = "completed";
    state->reason = state->error = NULL;
    switch (finish) {
    case HUB_FINISH_STOP:
    case HUB_FINISH_STOP_SEQUENCE:
    case HUB_FINISH_TOOL_CALLS:
    case HUB_FINISH_OTHER:
        return;
    case HUB_FINISH_LENGTH:
    case HUB_FINISH_CONTEXT_FULL:
    case HUB_FINISH_PAUSE:
        state->reason = "max_output_tokens";
        break;
    case HUB_FINISH_REFUSAL:
        if (has_refusal) {
            return;
        }
        state->reason = "content_filter";
        break;
    case HUB_FINISH_CONTENT_FILTER:
    case HUB_FINISH_RECITATION:
        state->reason = "content_filter";
        break;
    case HUB_FINISH_MALFORMED_TOOL:
    case HUB_FINISH_ERROR:
    case HUB_FINISH_CANCELLED:
        state->error = finish == HUB_FINISH_MALFORMED_TOOL ? "the model's tool call is malformed"
                                                           : "the upstream failed";
        break;
    }
    state->status = state->error != NULL ? "failed" : "incomplete";
}

static void
write_usage(struct jsonw *w, const struct usage *usage)
{
    uint64_t input = usage_input(usage);
    uint64_t written = usage->in_cache_write_5m + usage->in_cache_write_1h;
    jsonw_object(w);
    jsonw_put_u64(w, "input_tokens", input);
    jsonw_name(w, "input_tokens_details");
    jsonw_object(w);
    jsonw_put_u64(w, "cached_tokens", usage->in_cache_read);
    if (written > 0) {
        jsonw_put_u64(w, "cache_write_tokens", written);
    }
    jsonw_close(w);
    jsonw_put_u64(w, "output_tokens", usage->out_total);
    jsonw_name(w, "output_tokens_details");
    jsonw_object(w);
    jsonw_put_u64(w, "reasoning_tokens", usage->out_reasoning);
    jsonw_close(w);
    jsonw_put_u64(w, "total_tokens", input + usage->out_total);
    jsonw_close(w);
}

/* The request's members, out of the braces of the echo. */
static void
write_echo(struct jsonw *w, struct str echo)
{
    CHECK(echo.len > 2 && echo.data[0] == '{');
    struct str first = str_skip(echo, 2); /* the brace and the first name's quote */
    struct str name = str_cut(&first, '"');
    char text[64];
    CHECK(name.len < sizeof text && first.len > 2 && first.data[0] == ':');
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    jsonw_name(w, text);
    jsonw_raw(w, str_make(first.data + 1, first.len - 2));
}

void
respsay_response(const struct respsay *say, struct jsonw *w, const struct respsay_end_state *state)
{
    const struct usage *usage = state->usage;
    bool has_tier = usage != NULL && usage->service_tier[0] != '\0';
    jsonw_object(w);
    jsonw_put_str(w, "id", say->id);
    jsonw_put_text(w, "object", "response");
    jsonw_put_u64(w, "created_at", say->created_s);
    jsonw_put_text(w, "status", state->status);
    jsonw_put_bool(w, "background", false);
    jsonw_name(w, "error");
    if (state->error != NULL) {
        jsonw_object(w);
        jsonw_put_text(w, "code", "server_error");
        jsonw_put_text(w, "message", state->error);
        jsonw_close(w);
    } else {
        jsonw_null(w);
    }
    jsonw_name(w, "incomplete_details");
    if (state->reason != NULL) {
        jsonw_object(w);
        jsonw_put_text(w, "reason", state->reason);
        jsonw_close(w);
    } else {
        jsonw_null(w);
    }
    jsonw_put_str(w, "model", say->plan->shape.model);
    respsay_list(w, "output", state->output);
    write_echo(w, say->plan->shape.echo_json);
    jsonw_put_text(w, "service_tier", has_tier ? usage->service_tier : "default");
    jsonw_name(w, "usage");
    if (usage != NULL) {
        write_usage(w, usage);
    } else {
        jsonw_null(w);
    }
    jsonw_close(w);
}

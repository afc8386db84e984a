/*
 * output.c - how results are printed.
 */
#include <stdio.h>

#include "base/jsonw.h"
#include "http/sse.h"
#include "tests/tools/valid.h"
#include "tests/tools/vector.h"

static void
append(struct vector *vector, struct str bytes)
{
    if (buf_append(&vector->out, bytes) != ERR_OK) {
        vector_die("the output is too large");
    }
}

void
output_error(struct vector *vector, enum dialect client, const struct error_info *info,
             uint64_t retry_after_s)
{
    struct buf body;
    buf_init(&body, UINT32_MAX);
    if (error_write(&body, client, info) != ERR_OK) {
        vector_die("an error cannot be written");
    }
    struct jsonw w;
    jsonw_begin(&w, &vector->out);
    jsonw_object(&w);
    jsonw_put_u64(&w, "status", info->status);
    jsonw_name(&w, "headers");
    jsonw_object(&w);
    jsonw_put_text(&w, "content-type", "application/json");
    if (retry_after_s > 0) {
        char text[NUM_TEXT_BYTES];
        jsonw_put_str(&w, "retry-after", str_make(text, num_text(retry_after_s, text)));
    }
    jsonw_close(&w);
    jsonw_name(&w, "body");
    jsonw_raw(&w, buf_str(&body));
    jsonw_close(&w);
    if (jsonw_end(&w) != ERR_OK) {
        vector_die("an error cannot be printed");
    }
    buf_fini(&body);
}

void
output_problem(struct vector *vector, enum dialect client, const struct hub_problem *problem)
{
    struct error_info info = { .status = problem->status == 0 ? 400 : problem->status,
                               .code = problem->code == NULL ? "invalid_request" : problem->code,
                               .message = str_of(problem->message),
                               .param = problem->param[0] == '\0' ? NULL : problem->param };
    output_error(vector, client, &info, 0);
}

struct printed {
    struct vector *vector;
    struct valid *valid;
    struct jsonw w;
    bool is_gemini;
};

static void
on_event(void *context, const struct sse_event *event)
{
    struct printed *printed = context;
    char why[160];
    if (event->is_comment) {
        return;
    }
    if (!valid_event(printed->valid, event->name, event->data, why)) {
        fprintf(stderr, "translate-vector: the stream breaks its grammar: %s\n  at: %.*s\n", why,
                (int)(event->data.len > 300 ? 300 : event->data.len), event->data.data);
        printed->vector->is_broken = true;
    }
    jsonw_object(&printed->w);
    if (event->name.len > 0) {
        jsonw_put_str(&printed->w, "event", event->name);
    } else {
        jsonw_put_text(&printed->w, "event", NULL);
    }
    jsonw_name(&printed->w, "data");
    struct json_value value;
    if (json_read(event->data, &value, NULL) == ERR_OK) {
        jsonw_raw(&printed->w, event->data);
    } else {
        jsonw_str(&printed->w, event->data);
    }
    jsonw_close(&printed->w);
}

void
output_stream(struct vector *vector, enum dialect client, bool is_array, struct str bytes)
{
    if (is_array) {
        append(vector, STR("{\"array\":"));
        append(vector, bytes);
        append(vector, STR("}"));
        return;
    }
    struct valid *valid = valid_open(client, &vector->arena);
    struct printed printed = { .vector = vector, .valid = valid };
    jsonw_begin(&printed.w, &vector->out);
    jsonw_object(&printed.w);
    jsonw_name(&printed.w, "events");
    jsonw_array(&printed.w);
    struct sse sse;
    sse_init(&sse);
    sse_feed(&sse, bytes, on_event, &printed);
    sse_finish(&sse, on_event, &printed);
    sse_fini(&sse);
    jsonw_close(&printed.w);
    jsonw_close(&printed.w);
    char why[160];
    if (!valid_end(valid, why)) {
        fprintf(stderr, "translate-vector: the stream breaks its grammar: %s\n", why);
        vector->is_broken = true;
    }
    if (jsonw_end(&printed.w) != ERR_OK) {
        vector_die("the stream cannot be printed");
    }
}

/*
 * Any body, as JSON for every endpoint that takes it and as a form: what is reported lies inside
 * the body, and what is accepted is valid and names one model.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "proto/peek.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_span(struct str body, struct peek_span span)
{
    CHECK(span.offset <= body.len && span.bytes <= body.len - span.offset);
}

static void
check_error(const struct peek_error *error)
{
    CHECK(error->status == 400 && error->code != NULL && error->message[0] != '\0');
    CHECK(memchr(error->message, '\0', sizeof error->message) != NULL);
}

static void
check_json(enum endpoint endpoint, struct str body)
{
    struct peek peek;
    struct peek_error error;
    struct json_value top;
    if (peek_json(endpoint, body, &peek, &error) != ERR_OK) {
        check_error(&error);
        return;
    }
    CHECK(json_read(body, &top, NULL) == ERR_OK && top.kind == JSON_OBJECT);
    CHECK(peek.members_end <= body.len && peek.members_end > 0);
    check_span(body, peek.model_span);
    check_span(body, peek.stream_options);
    check_span(body, peek.include_usage);
    check_span(body, peek.system);
    check_span(body, peek.talk);
    CHECK(strlen(peek.model) < sizeof peek.model && strlen(peek.session) < sizeof peek.session);
    CHECK(peek.input_tokens <= 2 * body.len + 1);
    if ((endpoint_row(endpoint)->flags & ENDPOINT_MODEL_BODY) == 0) {
        return;
    }
    CHECK(peek.model[0] != '\0');
    struct json_value model;
    if (peek.model_span.bytes > 0 && json_get(top, STR("model"), &model)) {
        CHECK(model.kind == JSON_NULL || json_string_is(model, str_of(peek.model)) ||
              model.is_escaped);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum endpoint endpoints[] = { ENDPOINT_CHAT, ENDPOINT_RESPONSES, ENDPOINT_MESSAGES,
                                               ENDPOINT_GEMINI_STREAM, ENDPOINT_MODERATIONS };
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    struct str body = str_make(copy, size);
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        check_json(endpoints[i], body);
    }
    struct peek peek;
    struct peek_error error;
    if (peek_multipart(ENDPOINT_IMAGES_EDITS, body, STR("multipart/form-data; boundary=b"), &peek,
                       &error) == ERR_OK) {
        check_span(body, peek.model_span);
        CHECK(peek.model_span.bytes == 0 ||
              str_equal(str_make(copy + peek.model_span.offset, peek.model_span.bytes),
                        str_of(peek.model)));
    } else {
        check_error(&error);
    }
    /* The field's value is hostile too. */
    (void)!peek_multipart(ENDPOINT_IMAGES_EDITS, STR("--b\r\n"), body, &peek, &error);
    free(copy);
    return 0;
}

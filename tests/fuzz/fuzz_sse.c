/*
 * Any bytes under any cut: the same events, never more raw bytes than were fed, memory bounded.
 * The first byte says how long the pieces are.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "http/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct buf text;
    size_t raw_bytes;
    size_t fed;
};

static void
on_event(void *context, const struct sse_event *event)
{
    struct seen *seen = context;
    CHECK(event->end <= seen->fed);
    CHECK(!event->is_cut || event->data.len == 0);
    CHECK(!event->is_comment || (event->data.len == 0 && event->name.len == 0));
    CHECK(event->data.len <= event->raw.len && event->name.len <= event->raw.len);
    seen->raw_bytes += event->raw.len;
    CHECK(buf_printf(&seen->text, "%zu:", event->name.len) == ERR_OK);
    CHECK(buf_append(&seen->text, event->name) == ERR_OK);
    CHECK(buf_printf(&seen->text, "%zu:", event->data.len) == ERR_OK);
    CHECK(buf_append(&seen->text, event->data) == ERR_OK);
    CHECK(buf_printf(&seen->text, "%d%d;", event->is_cut, event->is_comment) == ERR_OK);
}

static void
run(struct seen *seen, struct str bytes, size_t step)
{
    struct sse sse;
    sse_init(&sse);
    *seen = (struct seen){ .fed = 0 };
    buf_init(&seen->text, 64u << 20);
    size_t len = bytes.len;
    while (bytes.len > 0) {
        seen->fed = bytes.len < step ? bytes.len : step;
        char *copy = malloc(seen->fed);
        memcpy(copy, bytes.data, seen->fed);
        sse_feed(&sse, str_make(copy, seen->fed), on_event, seen);
        free(copy);
        bytes = str_skip(bytes, seen->fed);
    }
    sse_finish(&sse, on_event, seen);
    CHECK(!sse_is_inside(&sse));
    CHECK(seen->raw_bytes <= len);
    sse_fini(&sse);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct str bytes = { (const char *)data + 1, size - 1 };
    struct seen whole;
    struct seen cut;
    run(&whole, bytes, bytes.len);
    run(&cut, bytes, 1 + data[0] % 32u);
    CHECK(str_equal(buf_str(&whole.text), buf_str(&cut.text)));
    buf_fini(&whole.text);
    buf_fini(&cut.text);
    return 0;
}

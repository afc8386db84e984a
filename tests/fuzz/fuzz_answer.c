/*
 * Any bytes as a provider's answer, under any cut: the same head and body, or refused both times;
 * never more body than was fed. The first byte says how long the pieces are and whether the request
 * was HEAD.
 */
#include <stdlib.h>

#include "base/check.h"
#include "http/harvest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct buf text;
    uint16_t status;
    enum harvest_event last;
    size_t spare;
};

static enum harvest_event
take(struct seen *seen, struct harvest *answer, struct str bytes)
{
    struct str body;
    enum harvest_event event;
    while ((event = harvest_next(answer, &bytes, &body)) != HARVEST_MORE) {
        if (event == HARVEST_HEAD) {
            seen->status = answer->head.status;
            CHECK(seen->status >= 200);
            for (uint32_t i = 0; i < answer->head.headers.count; i++) {
                CHECK(buf_append(&seen->text, answer->head.headers.items[i].name) == ERR_OK);
                CHECK(buf_append(&seen->text, answer->head.headers.items[i].value) == ERR_OK);
            }
        } else if (event == HARVEST_BODY) {
            CHECK(body.len > 0);
            CHECK(buf_append(&seen->text, body) == ERR_OK);
        } else {
            seen->spare = bytes.len;
            return event;
        }
    }
    CHECK(bytes.len == 0);
    return HARVEST_MORE;
}

static void
run(struct seen *seen, struct str bytes, size_t step, bool of_head)
{
    struct harvest answer;
    harvest_init(&answer);
    harvest_begin(&answer, of_head);
    *seen = (struct seen){ .last = HARVEST_MORE };
    buf_init(&seen->text, 64u << 20);
    while (bytes.len > 0 && seen->last == HARVEST_MORE) {
        size_t len = bytes.len < step ? bytes.len : step;
        char *copy = malloc(len);
        memcpy(copy, bytes.data, len);
        seen->last = take(seen, &answer, str_make(copy, len));
        free(copy);
        bytes = str_skip(bytes, len);
    }
    seen->spare += bytes.len;
    if (seen->last == HARVEST_MORE) {
        seen->last = harvest_finish(&answer);
    }
    harvest_fini(&answer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct str bytes = { (const char *)data + 1, size - 1 };
    bool of_head = data[0] >= 128;
    struct seen whole;
    struct seen cut;
    run(&whole, bytes, bytes.len, of_head);
    run(&cut, bytes, 1 + data[0] % 32u, of_head);
    CHECK((whole.last == HARVEST_END) == (cut.last == HARVEST_END));
    if (whole.last == HARVEST_END) {
        CHECK(whole.status == cut.status && whole.spare == cut.spare);
        CHECK(str_equal(buf_str(&whole.text), buf_str(&cut.text)));
        CHECK(!of_head || whole.spare <= bytes.len);
    }
    buf_fini(&whole.text);
    buf_fini(&cut.text);
    return 0;
}

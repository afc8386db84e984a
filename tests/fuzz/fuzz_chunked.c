/*
 * Chunked bodies: every cut gives the same body, the same end and the same verdict; the sizes add
 * up.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/parser.h"

struct result {
    enum err err;
    bool is_done;
    size_t used;
    size_t body_bytes;
    uint64_t sum; /* of the body's bytes, in order */
};

static struct result
feed(const uint8_t *data, size_t size, size_t step)
{
    struct result result = { .err = ERR_OK };
    struct parser_chunked chunked;
    parser_chunked_init(&chunked);
    while (result.err == ERR_OK && result.used < size && !chunked.is_done) {
        size_t len = size - result.used < step ? size - result.used : step;
        char *copy = malloc(len);
        memcpy(copy, data + result.used, len);
        struct str run;
        size_t used = 0;
        result.err = parser_chunked_feed(&chunked, str_make(copy, len), &run, &used);
        CHECK(used <= len && (result.err != ERR_OK || used > 0));
        for (size_t i = 0; i < run.len; i++) {
            result.sum = result.sum * 31 + (unsigned char)run.data[i];
        }
        if (result.err == ERR_OK) {
            result.used += used;
            result.body_bytes += run.len;
        }
        free(copy);
    }
    CHECK(result.err != ERR_OK || chunked.total_bytes == result.body_bytes);
    result.is_done = chunked.is_done;
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    size_t step = (size_t)data[0] + 1;
    data++;
    size--;
    struct result whole = feed(data, size, size);
    struct result cut = feed(data, size, step);
    struct result drip = feed(data, size, 1);
    CHECK(whole.err == cut.err && whole.err == drip.err);
    CHECK(whole.is_done == cut.is_done && whole.is_done == drip.is_done);
    if (whole.err == ERR_OK) {
        CHECK(whole.used == cut.used && whole.used == drip.used);
        CHECK(whole.body_bytes == cut.body_bytes && whole.body_bytes == drip.body_bytes);
        CHECK(whole.sum == cut.sum && whole.sum == drip.sum);
    }
    return 0;
}

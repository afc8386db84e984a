/*
 * Any provider's error in every dialect, the same cleaned, and what is written of it is JSON; any
 * method and path, and any query of a model list.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "proto/endpoint.h"
#include "proto/error.h"
#include "proto/listing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_error(enum dialect dialect, struct str text)
{
    struct error_found found;
    error_read(dialect, 200 + (uint32_t)text.len % 350, text, &found);
    CHECK(memchr(found.message, '\0', sizeof found.message) != NULL);
    CHECK(error_kind_name(found.kind) != NULL && found.retry_after_ms <= 3600000);
    char clean[64];
    size_t len = error_clean(text, clean, sizeof clean);
    CHECK(len < sizeof clean && clean[len] == '\0');
    struct error_info info = { .status = 502, .code = "upstream_error", .message = text };
    struct buf buf;
    buf_init(&buf, 1 << 22);
    struct json_value value;
    CHECK(error_write(&buf, dialect, &info) == ERR_OK);
    CHECK(json_read(buf_str(&buf), &value, NULL) == ERR_OK);
    buf_fini(&buf);
}

static void
check_path(struct str path)
{
    struct endpoint_hit hit;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    if (endpoint_match(STR("POST"), path, &hit) == ENDPOINT_FOUND && hit.model.len > 0) {
        char model[256];
        size_t len;
        CHECK(hit.model.data >= path.data &&
              hit.model.data + hit.model.len <= path.data + path.len);
        if (endpoint_model_decode(hit.model, model, sizeof model, &len) == ERR_OK) {
            CHECK(len > 0 && len < sizeof model && model[len] == '\0');
        }
    }
    struct endpoint_target target = {
        .endpoint = ENDPOINT_GEMINI_STREAM, .base_path = path, .model = path, .wants_sse = true
    };
    struct str out;
    enum err err = endpoint_upstream_path(&target, &arena, &out);
    CHECK(err != ERR_OK || out.len > path.len);
    arena_reset(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536) {
        return 0;
    }
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    struct str text = str_make(copy, size);
    for (uint32_t i = 0; i < DIALECT_COUNT; i++) {
        check_error((enum dialect)i, text);
    }
    check_path(text);
    struct listing_page page;
    listing_page_read(text, &page);
    struct listing_model model = { .id = text, .created_s = size * 1000003 };
    struct buf buf;
    buf_init(&buf, 1 << 22);
    CHECK(listing_write(&buf, DIALECT_ANTHROPIC, &model, 1, &page) == ERR_OK);
    struct json_value value;
    CHECK(json_read(buf_str(&buf), &value, NULL) == ERR_OK);
    buf_fini(&buf);
    free(copy);
    return 0;
}

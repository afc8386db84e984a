/*
 * Any answer, whole or as events (lines of "name TAB data"), in every dialect: counts stay within
 * their bound, the known bits are true, and nothing outside the bytes is read.
 */
#include <stdlib.h>

#include "base/check.h"
#include "proto/usage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_usage(const struct usage *usage)
{
    const uint64_t bound = 3 * USAGE_TOKENS_MAX;
    CHECK(usage->in_fresh <= bound && usage->in_cache_read <= bound);
    CHECK(usage->in_cache_write_5m <= bound && usage->in_cache_write_1h <= bound);
    CHECK(usage->out_total <= bound && usage->out_reasoning <= bound);
    CHECK(memchr(usage->service_tier, '\0', sizeof usage->service_tier) != NULL);
}

static void
feed(enum dialect dialect, struct str text, bool is_complete)
{
    struct usage_stream stream;
    usage_stream_init(&stream, dialect);
    while (text.len > 0) {
        struct str data = str_cut(&text, '\n');
        struct str name = { NULL, 0 };
        if (data.len > 0 && memchr(data.data, '\t', data.len) != NULL) {
            name = str_cut(&data, '\t');
        }
        uint32_t bits = usage_event(&stream, name, data);
        CHECK((bits & USAGE_EVENT_ONLY) == 0 || (bits & USAGE_EVENT_USAGE) != 0);
        check_usage(&stream.usage);
    }
    usage_finish(&stream, 17, is_complete);
    check_usage(&stream.usage);
    CHECK(stream.usage.source != USAGE_NONE || stream.usage.out_total == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    struct str text = str_make(copy, size);
    for (uint32_t i = 0; i < DIALECT_COUNT; i++) {
        struct usage usage;
        bool is_found = usage_read_body((enum dialect)i, text, &usage);
        CHECK(is_found == (usage.source == USAGE_UPSTREAM));
        check_usage(&usage);
        usage_estimate(&usage, 5, text);
        check_usage(&usage);
        feed((enum dialect)i, text, true);
        feed((enum dialect)i, text, false);
    }
    free(copy);
    return 0;
}

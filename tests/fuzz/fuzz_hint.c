/*
 * What a provider says about its limits: any head, any value, and no wait beyond the maximum.
 */
#include <stdlib.h>

#include "base/check.h"
#include "upstream/hint.h"

#define FIELDS_MAX 32u
#define WALL_MS 1763704800000ull
#define MAX_MS 3600000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    struct str text = str_make(copy, size);
    struct header fields[FIELDS_MAX];
    struct header_list list = { .items = fields };
    while (text.len > 0 && list.count < FIELDS_MAX) {
        struct str value = str_cut(&text, '\n');
        struct str name = str_cut(&value, ':');
        fields[list.count++] = (struct header){ name, str_trim(value) };
        uint64_t ms = 0;
        enum err err = hint_read(str_trim(value), WALL_MS, &ms);
        CHECK(err == ERR_OK || ms == 0);
        CHECK(ms <= 366ull * 24 * 3600 * 1000);
    }
    uint64_t refused_ms = hint_refused_ms(&list, WALL_MS, MAX_MS);
    CHECK(refused_ms <= MAX_MS);
    CHECK(hint_used_up_ms(&list, WALL_MS, MAX_MS) <= MAX_MS);
    CHECK(hint_refused_ms(&list, WALL_MS, 1) == (refused_ms > 0));
    struct str body = str_make(copy, size);
    uint64_t body_ms = hint_body_ms(body, WALL_MS, MAX_MS);
    CHECK(body_ms <= MAX_MS);
    CHECK(hint_body_ms(body, WALL_MS, 1) == (body_ms > 0));
    free(copy);
    return 0;
}

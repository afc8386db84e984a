/*
 * fuzz_words.c - what an admin writes of capabilities and efforts.
 *
 * A list that is good changes nothing but what it names: applied twice it is as applied once, but
 * for lists of fields, which grow. A map never makes a level of what is none.
 */
#include <stdint.h>

#include "base/check.h"
#include "proto/caps.h"
#include "proto/effort.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    struct str bad = STR("");
    bool is_good = caps_list_is_good(text, &bad);
    CHECK(is_good ||
          (bad.len > 0 && bad.data >= text.data && bad.data + bad.len <= text.data + text.len));
    for (int dialect = 0; dialect < DIALECT_COUNT; dialect++) {
        struct caps caps;
        caps_default(&caps, (enum dialect)dialect);
        caps_apply(&caps, (enum dialect)dialect, text);
        CHECK(caps.name_max >= 64 && caps.name_max <= 256);
        CHECK(caps.deleted[CAPS_DELETE_MAX - 1][CAPS_FIELD_BYTES - 1] == '\0');
        struct caps again = caps;
        caps_apply(&again, (enum dialect)dialect, text);
        CHECK(again.efforts == caps.efforts && again.family == caps.family &&
              again.output_max == caps.output_max && again.thinking == caps.thinking);
    }
    bool is_map = effort_map_is_good(text);
    for (int i = HUB_EFFORT_UNSET; i <= HUB_EFFORT_AUTO; i++) {
        enum hub_effort sent = effort_mapped(text, (enum hub_effort)i);
        CHECK(sent == (enum hub_effort)i || effort_name(sent) != NULL);
        CHECK(!is_map || effort_name((enum hub_effort)i) != NULL || sent == (enum hub_effort)i);
    }
    return 0;
}

/* May OpenAI be asked to hold an answer to a schema strictly? */
#include <criterion/criterion.h>
#include <stdio.h>

#include "proto/strict.h"

#define CLOSED "\"additionalProperties\":false"
#define FINE                                                                                 \
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"]" \
    "," CLOSED "}"

Test(strict, takes_closed_objects_with_everything_required_and_nothing_else)
{
    static const struct {
        const char *schema;
        bool is_fine;
    } cases[] = {
        { FINE, true },
        { "{\"type\":\"array\",\"items\":" FINE "}", true },
        { "{\"anyOf\":[" FINE ",{\"type\":\"null\"}]}", true },
        { "{\"type\":\"object\",\"properties\":{\"a\":{}},\"required\":[\"a\"]}", false },
        { "{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{}},\"required\":[\"a\"]," CLOSED
          "}",
          false },
        { "{\"properties\":{\"a\":{}}," CLOSED "}", false },
        { "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\"}},\"required\":[\"a\"]"
          "," CLOSED "}",
          false },
        { "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}", false },
        { "{\"anyOf\":[{\"type\":\"object\"}]}", false },
        { "{\"$defs\":{\"x\":{\"type\":\"object\"}}," CLOSED "}", false },
        { "{\"allOf\":[" FINE "]}", false },
        { "{\"oneOf\":[" FINE "]}", false },
        { "{\"type\":\"array\",\"items\":true}", false },
        { "[]", false },
        { "", false },
        { "{", false },
    };
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(strict_is(str_of(cases[i].schema), &arena), cases[i].is_fine, "%s",
                     cases[i].schema);
    }
    static char deep[60000];
    size_t len = 0;
    for (int i = 0; i < 100; i++) {
        len += (size_t)snprintf(deep + len, sizeof deep - len, "{\"items\":");
    }
    len += (size_t)snprintf(deep + len, sizeof deep - len, "{}");
    memset(deep + len, '}', 100);
    cr_expect_not(strict_is(str_make(deep, len + 100), &arena), "deeper than anybody means it");
    arena_reset(&arena);
}

/* Gemini's schemas as JSON Schemas. */
#include <criterion/criterion.h>

#include "proto/revert.h"

Test(revert, writes_what_everybody_else_understands)
{
    static const char *const cases[][2] = {
        { "{\"type\":\"STRING\"}", "{\"type\":\"string\"}" },
        { "{\"type\":\"STRING\",\"nullable\":true}", "{\"type\":[\"string\",\"null\"]}" },
        { "{\"type\":\"TYPE_UNSPECIFIED\",\"description\":\"d\"}", "{\"description\":\"d\"}" },
        { "{\"minItems\":\"1\",\"maximum\":2.5,\"example\":{\"a\":1}}",
          "{\"minItems\":1,\"maximum\":2.5,\"examples\":[{\"a\":1}]}" },
        { "{\"type\":\"OBJECT\",\"properties\":{\"type\":{\"type\":\"INTEGER\"},\"b\":{}},"
          "\"propertyOrdering\":[\"b\",\"gone\"]}",
          "{\"type\":\"object\",\"properties\":{\"b\":{},\"type\":{\"type\":\"integer\"}}}" },
        { "{\"properties\":{\"a\":{},\"b\":{}},\"propertyOrdering\":[\"b\",\"b\",\"a\",\"b\"]}",
          "{\"properties\":{\"b\":{},\"a\":{}}}" },
        { "{\"any_of\":[{\"type\":\"NUMBER\"}],\"items\":{\"type\":\"BOOLEAN\"}}",
          "{\"anyOf\":[{\"type\":\"number\"}],\"items\":{\"type\":\"boolean\"}}" },
        { "{\"items\":7}", "{\"items\":{}}" },
        { "{}", "{}" },
    };
    struct arena arena;
    struct str out;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(revert_schema(str_of(cases[i][0]), &arena, &out), ERR_OK, "%s", cases[i][0]);
        cr_expect(str_equal(out, str_of(cases[i][1])), "%s: %.*s", cases[i][0], STR_ARG(out));
    }
    static const char *const bad[] = { "", "[]", "null", "{\"type\":", "\"STRING\"" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(revert_schema(str_of(bad[i]), &arena, &out), ERR_BAD, "%s", bad[i]);
    }
    arena_reset(&arena);
}

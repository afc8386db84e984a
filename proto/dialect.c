/*
 * dialect.c - names of the dialects (see dialect.h).
 */
#include "proto/dialect.h"

#include "base/check.h"

static const char *const names[DIALECT_COUNT] = {
    [DIALECT_CHAT] = "chat",
    [DIALECT_RESPONSES] = "responses",
    [DIALECT_ANTHROPIC] = "anthropic",
    [DIALECT_GEMINI] = "gemini",
};

const char *
dialect_name(enum dialect dialect)
{
    CHECK(dialect < DIALECT_COUNT);
    return names[dialect];
}

const char *
dialect_endpoint(enum dialect dialect)
{
    static const char *const paths[DIALECT_COUNT] = {
        [DIALECT_CHAT] = "/v1/chat/completions",
        [DIALECT_RESPONSES] = "/v1/responses",
        [DIALECT_ANTHROPIC] = "/v1/messages",
        [DIALECT_GEMINI] = ":generateContent",
    };
    CHECK(dialect < DIALECT_COUNT);
    return paths[dialect];
}

bool
dialect_parse(struct str name, enum dialect *out)
{
    for (uint32_t i = 0; i < DIALECT_COUNT; i++) {
        if (str_equal(name, str_of(names[i]))) {
            *out = (enum dialect)i;
            return true;
        }
    }
    return false;
}

enum err
dialect_mask_parse(struct str list, uint32_t *out_mask)
{
    uint32_t mask = 0;
    do {
        struct str name = str_trim(str_cut(&list, ','));
        enum dialect dialect;
        if (str_equal(name, STR("all"))) {
            mask = DIALECT_MASK_ALL;
        } else if (dialect_parse(name, &dialect)) {
            mask |= DIALECT_BIT(dialect);
        } else {
            return ERR_BAD;
        }
    } while (list.data != NULL);
    *out_mask = mask;
    return ERR_OK;
}

const char *
dialect_mask_text(uint32_t mask, char out[DIALECT_MASK_TEXT_BYTES])
{
    size_t len = 0;
    for (uint32_t i = 0; i < DIALECT_COUNT; i++) {
        if ((mask & DIALECT_BIT(i)) == 0) {
            continue;
        }
        struct str name = str_of(names[i]);
        CHECK(len + 1 + name.len < DIALECT_MASK_TEXT_BYTES);
        if (len > 0) {
            out[len++] = ',';
        }
        memcpy(out + len, name.data, name.len);
        len += name.len;
    }
    out[len] = '\0';
    return out;
}

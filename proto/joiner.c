/*
 * joiner.c - surrogate pairs cut between two deltas (see joiner.h).
 */
#include "proto/joiner.h"

#include <string.h>

#include "base/check.h"
#include "base/jsonscan.h"

#define ESCAPE_BYTES 6u /* \uD83D */
#define REPLACEMENT "\xef\xbf\xbd"

/* The code unit of the \u escape that `content` begins with; 0 when it begins with none. */
static uint32_t
leading_unit(struct str content)
{
    if (content.len < ESCAPE_BYTES || content.data[0] != '\\' || content.data[1] != 'u') {
        return 0;
    }
    uint32_t unit = 0;
    for (size_t i = 2; i < ESCAPE_BYTES; i++) {
        unit = unit << 4 | (uint32_t)jsonscan_hex((uint8_t)content.data[i]);
    }
    return unit;
}

/* Does `content` end in an unpaired high surrogate? Its unit, or 0. */
static uint32_t
trailing_high(struct str content)
{
    if (content.len < ESCAPE_BYTES) {
        return 0;
    }
    struct str tail = str_skip(content, content.len - ESCAPE_BYTES);
    size_t backslashes = 0;
    while (backslashes < content.len - ESCAPE_BYTES &&
           content.data[content.len - ESCAPE_BYTES - 1 - backslashes] == '\\') {
        backslashes++;
    }
    if (backslashes % 2 != 0) {
        return 0; /* the backslash is itself escaped */
    }
    if (tail.data[0] != '\\' || tail.data[1] != 'u' || jsonscan_hex((uint8_t)tail.data[2]) < 0 ||
        jsonscan_hex((uint8_t)tail.data[3]) < 0 || jsonscan_hex((uint8_t)tail.data[4]) < 0 ||
        jsonscan_hex((uint8_t)tail.data[5]) < 0) {
        return 0;
    }
    uint32_t unit = leading_unit(tail);
    return unit >= 0xd800 && unit < 0xdc00 ? unit : 0;
}

static size_t
put_pair(uint32_t high, uint32_t low, char *out)
{
    uint32_t point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

enum err
joiner_text(struct joiner *joiner, struct json_value value, struct arena *arena, struct str *out)
{
    *out = str_make(NULL, 0);
    if (value.kind != JSON_STRING || (!value.is_escaped && joiner->high == 0)) {
        return json_string(value, arena, out);
    }
    struct str content = str_make(value.raw.data + 1, value.raw.len - 2);
    if (content.len == 0) {
        return ERR_OK; /* an empty delta does not part a pair */
    }
    char *to = arena_alloc_raw(arena, content.len + 4);
    if (to == NULL) {
        return ERR_FULL;
    }
    size_t len = 0;
    if (joiner->high != 0) {
        uint32_t low = leading_unit(content);
        bool is_pair = low >= 0xdc00 && low <= 0xdfff;
        if (is_pair) {
            len = put_pair(joiner->high, low, to);
            content = str_skip(content, ESCAPE_BYTES);
        } else {
            memcpy(to, REPLACEMENT, 3);
            len = 3;
        }
        joiner->high = 0;
    }
    uint32_t high = trailing_high(content);
    if (high != 0) {
        joiner->high = (uint16_t)high;
        content.len -= ESCAPE_BYTES;
    }
    size_t more = 0;
    CHECK(json_unescape(content, to + len, value.raw.len + 2 - len, &more));
    *out = str_make(to, len + more);
    return ERR_OK;
}

struct str
joiner_flush(struct joiner *joiner)
{
    bool is_held = joiner->high != 0;
    joiner->high = 0;
    return is_held ? STR(REPLACEMENT) : str_make(NULL, 0);
}

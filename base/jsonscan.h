/*
 * jsonscan.h - the strict JSON scanner under json.c: validates values, names and UTF-8.
 *
 * One walker validates any value without recursion: a bit a level says whether the level is an
 * object. It also fills the nodes of a tree when it is given memory for them, so that the two ways
 * to read of json.h cannot disagree about the grammar. A second one goes over the children of one
 * object or array and reports each.
 *
 * Only json.c and jsonw.c include this. Runs in: every process. Owner: a local variable.
 */
#ifndef BASE_JSONSCAN_H
#define BASE_JSONSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"

struct jsonscan {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    const char *reason;      /* set when a function returned false; `at` is where */
    uint32_t depth;          /* levels open now */
    uint32_t count;          /* nodes seen */
    uint32_t open;           /* tree only: innermost open node */
    bool is_escaped;         /* the last string or name held a backslash */
    struct json_node *nodes; /* NULL: only validate and count */
    struct json_weight weight;
    uint64_t objects[JSON_DEPTH_MAX / 64];
};

_Static_assert(JSON_DEPTH_MAX % 64 == 0, "the bit stack has whole words");

void jsonscan_init(struct jsonscan *s, struct str text);

/* Sets the reason and the place; always false. */
bool jsonscan_fail(struct jsonscan *s, const uint8_t *at, const char *reason);

/* One value with all that is in it, blanks before it allowed; `at` ends right behind it. */
bool jsonscan_value(struct jsonscan *s);

/* Who hears of the children. */
struct jsonscan_hearer {
    json_member_fn on_member; /* NULL: nobody */
    json_open_fn on_open;     /* NULL: no member is looked into */
    void *context;
    bool is_done; /* a callback wanted no more */
};

/* The inside of the object or array whose bracket is at `at`; `at` ends right behind its end, or
 * behind the child that was enough. */
bool jsonscan_children(struct jsonscan *s, bool is_object, struct jsonscan_hearer *hearer);

/* The same from the next child on. */
bool jsonscan_more(struct jsonscan *s, bool is_object, struct jsonscan_hearer *hearer);

/* Nothing but blanks may follow. */
bool jsonscan_end(struct jsonscan *s);

/* What a valid value that starts with this byte is. */
enum json_kind jsonscan_kind(uint8_t first);

static inline void
jsonscan_blanks(struct jsonscan *s)
{
    const uint8_t *at = s->at;
    /* Nearly always there is none: one comparison tells. */
    while (at < s->end && *at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    s->at = at;
}

/* Bytes of the well-formed UTF-8 sequence at `at` (first byte >= 0x80); 0 when there is none. */
static inline size_t
jsonscan_utf8(const uint8_t *at, const uint8_t *end)
{
    size_t left = (size_t)(end - at);
    uint8_t c = at[0];
    if (c < 0xc2 || c > 0xf4 || left < 2 || (at[1] & 0xc0) != 0x80) {
        return 0;
    }
    if (c < 0xe0) {
        return 2;
    }
    if (left < 3 || (at[2] & 0xc0) != 0x80) {
        return 0;
    }
    if (c < 0xf0) {
        bool is_short = c == 0xe0 && at[1] < 0xa0;
        bool is_surrogate = c == 0xed && at[1] > 0x9f;
        return is_short || is_surrogate ? 0 : 3;
    }
    if (left < 4 || (at[3] & 0xc0) != 0x80) {
        return 0;
    }
    bool is_short = c == 0xf0 && at[1] < 0x90;
    bool is_beyond = c == 0xf4 && at[1] > 0x8f;
    return is_short || is_beyond ? 0 : 4;
}

/* The digit's value, -1 for another byte. */
static inline int
jsonscan_hex(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif

/*
 * str.h - borrowed bytes: a pointer and a length, not terminated, not owned.
 *
 * Owner of the bytes: whoever made them; a struct str never outlives them. The empty string may
 * have a NULL pointer. Header only: everything here is a few instructions.
 *
 * Runs in: every process.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *data; /* may be NULL when len is 0 */
    size_t len;       /* bytes */
};

/* A literal as a struct str; the length is known to the compiler. */
#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })

/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).len, (s).data ? (s).data : ""

static inline struct str
str_make(const char *data, size_t len)
{
    return (struct str){ data, len };
}

static inline struct str
str_of(const char *terminated)
{
    return (struct str){ terminated, terminated == NULL ? 0 : strlen(terminated) };
}

static inline bool
str_is_empty(struct str s)
{
    return s.len == 0;
}

static inline bool
str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline char
str_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

/* Eight bytes at once: equal but for case differ at most in bit 0x20 of letters. */
static inline bool
str_equal_nocase_word(uint64_t left, uint64_t right)
{
    const uint64_t ones = 0x0101010101010101ull;
    uint64_t differ = left ^ right;
    if (differ == 0) {
        return true;
    }
    if ((differ & ~(ones * 0x20)) != 0) {
        return false;
    }
    /* The top bit of each byte: at least 'a', and above 'z', when it is made lower case. */
    uint64_t lower = (left | ones * 0x20) & ones * 0x7f;
    uint64_t from_a = lower + ones * (0x80 - 'a');
    uint64_t above_z = lower + ones * (0x7f - 'z');
    return ((differ << 2) & ~(from_a & ~above_z & ~left)) == 0;
}

/* The first four and the last four of four to seven bytes. */
static inline uint64_t
str_ends_word(struct str s)
{
    uint32_t first, last;
    memcpy(&first, s.data, 4);
    memcpy(&last, s.data + s.len - 4, 4);
    return (uint64_t)last << 32 | first;
}

/* Of two texts of one length. */
static inline bool
str_equal_nocase_all(struct str a, struct str b)
{
    uint64_t left, right;
    if (a.len < 4) {
        size_t i = 0;
        while (i < a.len && str_lower(a.data[i]) == str_lower(b.data[i])) {
            i++;
        }
        return i == a.len;
    }
    if (a.len < 8) {
        return str_equal_nocase_word(str_ends_word(a), str_ends_word(b));
    }
    for (size_t i = 0; i + 8 < a.len; i += 8) {
        memcpy(&left, a.data + i, 8);
        memcpy(&right, b.data + i, 8);
        if (!str_equal_nocase_word(left, right)) {
            return false;
        }
    }
    memcpy(&left, a.data + a.len - 8, 8);
    memcpy(&right, b.data + b.len - 8, 8);
    return str_equal_nocase_word(left, right);
}

/* ASCII only, as HTTP wants it. Length and first letter nearly always tell. */
static inline __attribute__((always_inline)) bool
str_equal_nocase(struct str a, struct str b)
{
    if (a.len != b.len || a.len == 0 || ((a.data[0] ^ b.data[0]) & ~0x20) != 0) {
        return a.len == b.len && a.len == 0;
    }
    return str_equal_nocase_all(a, b);
}

static inline bool
str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}

static inline bool
str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.data + s.len - suffix.len, suffix.data, suffix.len) == 0);
}

static inline struct str
str_skip(struct str s, size_t count)
{
    return count >= s.len ? (struct str){ NULL, 0 } : (struct str){ s.data + count, s.len - count };
}

/* Nothing but 0x21 to 0x7e: no blank, no control byte, nothing beyond ASCII? */
static inline bool
str_is_printable(struct str text)
{
    const uint64_t ones = 0x0101010101010101ull;
    uint64_t odd = 0; /* a top bit: some byte is not */
    size_t at = 0;
    for (; text.len - at >= sizeof(odd); at += sizeof(odd)) {
        uint64_t word;
        memcpy(&word, text.data + at, sizeof(word));
        odd |= ((word - ones * 0x21) & ~word) | (word + ones) | word;
    }
    for (; at < text.len; at++) {
        unsigned char c = (unsigned char)text.data[at];
        odd |= c < 0x21 || c > 0x7e ? 0x80 : 0;
    }
    return (odd & ones * 0x80) == 0;
}

/* Without blanks and tabs at either end. */
static inline struct str
str_trim(struct str s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

/* Cuts off and returns what stands before the first `separator`; all of it when there is none. */
static inline struct str
str_cut(struct str *rest, char separator)
{
    const char *at = rest->len == 0 ? NULL : memchr(rest->data, separator, rest->len);
    struct str head = *rest;
    if (at == NULL) {
        *rest = (struct str){ NULL, 0 };
        return head;
    }
    head.len = (size_t)(at - rest->data);
    *rest = (struct str){ at + 1, rest->len - head.len - 1 };
    return head;
}

/* Copies into a terminated array; false and an empty array when it does not fit or holds a NUL. */
static inline bool
str_copy(char *to, size_t to_bytes, struct str s)
{
    if (to_bytes == 0) {
        return false;
    }
    to[0] = '\0';
    if (s.len >= to_bytes || (s.len > 0 && memchr(s.data, '\0', s.len) != NULL)) {
        return false;
    }
    if (s.len > 0) {
        memcpy(to, s.data, s.len);
    }
    to[s.len] = '\0';
    return true;
}

#endif

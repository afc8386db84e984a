/*
 * scan.c - see scan.h.
 *
 * Control bytes are looked for a block at a time: line ends are control bytes too, so one pass
 * finds both, and what has been looked at is not looked at again when a head drips in.
 */
#include "http/scan.h"

#include <endian.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/check.h"
#include "base/limits.h"

/* The longest method that llhttp knows has 11 letters ("UNSUBSCRIBE"); "HTTP/1.1" has 8. */
#define FIRST_WORD_BYTES_MAX 24u

static enum err
refuse(struct parser_error *error, uint16_t status, const char *code, const char *message)
{
    *error = (struct parser_error){ .status = status, .code = code, .message = message };
    return ERR_BAD;
}

static enum err
refuse_400(struct parser_error *error, const char *message)
{
    return refuse(error, 400, "invalid_request", message);
}

/* Offset of the first byte below 0x20 or equal to 0x7f in the next BLOCK_BYTES; BLOCK_BYTES: none.
 */
#ifdef __SSE2__
#define BLOCK_BYTES 16u
static inline uint32_t
controls_of(const char *at)
{
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
    __m128i del = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(low, del));
}

static inline size_t
first_control(const char *at)
{
    return (size_t)__builtin_ctz(controls_of(at) | 1u << BLOCK_BYTES);
}
#else
#define BLOCK_BYTES 8u
#define WORD_ONES 0x0101010101010101ull
#define WORD_TOPS 0x8080808080808080ull
static inline size_t
first_control(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    word = le64toh(word);
    uint64_t low = (word - WORD_ONES * 0x20) & ~word;
    uint64_t del = word ^ (WORD_ONES * 0x7f);
    uint64_t hits = (low | ((del - WORD_ONES) & ~del)) & WORD_TOPS; /* exact up to the first */
    return hits == 0 ? BLOCK_BYTES : (size_t)__builtin_ctzll(hits) / 8;
}
#endif

static inline bool
is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* Offset of the first control byte other than a tab at or behind `at`; bytes.len: none. */
static size_t
find_control(struct str bytes, size_t at)
{
    while (at < bytes.len) {
        if (bytes.len - at >= BLOCK_BYTES) {
            size_t clean = first_control(bytes.data + at);
            at += clean;
            if (clean == BLOCK_BYTES) {
                continue;
            }
        }
        if (is_control((unsigned char)bytes.data[at]) && bytes.data[at] != '\t') {
            return at;
        }
        at++;
    }
    return at;
}

/* "HTTP/", or as much of it as is there. */
static bool
is_answer_so_far(struct str bytes)
{
    static const struct str word = { "HTTP/", 5 };
    size_t len = bytes.len < word.len ? bytes.len : word.len;
    return memcmp(bytes.data, word.data, len) == 0;
}

/* Upper-case letters and what "HTTP/1.1" and "M-SEARCH" need; a blank ends the word. */
static bool
first_word_is_possible(struct str bytes)
{
    if (str_starts(bytes, STR("POST "))) {
        return true;
    }
    for (size_t i = 0; i < bytes.len && i <= FIRST_WORD_BYTES_MAX; i++) {
        char c = bytes.data[i];
        if (c == ' ' || c == '\r') {
            return i > 0;
        }
        bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_letter && !(c >= '-' && c <= '9') && c != '_') {
            return false;
        }
    }
    return bytes.len <= FIRST_WORD_BYTES_MAX;
}

/* Refuses at the first byte what speaks another protocol. */
static enum err
check_first_word(enum scan_side side, struct str bytes, struct parser_error *error)
{
    if (side == SCAN_ANSWER) {
        return is_answer_so_far(bytes) ? ERR_OK : refuse_400(error, "The answer is not HTTP/1.1.");
    }
    return first_word_is_possible(bytes) ? ERR_OK
                                         : refuse_400(error, "This is not an HTTP/1.1 request.");
}

static enum err
check_line_bytes(bool is_target, size_t line_bytes, struct parser_error *error)
{
    /* Method, two blanks and version of a request line. */
    if (is_target && line_bytes > TARGET_BYTES_MAX + FIRST_WORD_BYTES_MAX + 12) {
        return refuse(error, 414, "request_too_large", "The request target is too long.");
    }
    if (line_bytes > FIELD_BYTES_MAX) {
        return refuse(error, 431, "header_too_large", "A header field is too long.");
    }
    return ERR_OK;
}

/* What stands behind a line end decides: the empty line, a field, or something that no head has. */
static enum err
check_line_start(char c, struct parser_error *error)
{
    if (c == ' ' || c == '\t') {
        return refuse_400(error,
                          "A header line starts with a blank: folded lines are not allowed.");
    }
    if (c == ':') {
        return refuse_400(error, "A header field has no name.");
    }
    return ERR_OK;
}

/* Start of the line that position `at` lies in, not before `first`. */
static size_t
line_start_of(struct str bytes, size_t first, size_t at)
{
    const char *lf = at > first ? memrchr(bytes.data + first, '\n', at - first) : NULL;
    return lf == NULL ? first : (size_t)(lf - bytes.data) + 1;
}

static enum err
head_is_open(enum scan_side side, struct str bytes, size_t first, size_t line,
             struct parser_error *error)
{
    if (bytes.len - first >= HEAD_BYTES_MAX) {
        return refuse(error, 431, "header_too_large", "The head is too long.");
    }
    return check_line_bytes(side == SCAN_REQUEST && line == first, bytes.len - line, error);
}

#ifdef __SSE2__
#define PLAIN_LINE_BYTES_MAX 4096u
_Static_assert(PLAIN_LINE_BYTES_MAX <= TARGET_BYTES_MAX && PLAIN_LINE_BYTES_MAX <= FIELD_BYTES_MAX,
               "a plain line is no line too long");

#define WIDE_BYTES 64u

/* Bit i: byte i of these WIDE_BYTES is a control byte. */
static inline uint64_t
wide_controls_of(const char *at)
{
    uint64_t low = controls_of(at) | controls_of(at + 16) << 16;
    uint64_t high = controls_of(at + 32) | controls_of(at + 48) << 16;
    return low | high << 32;
}

/*
 * Goes over the lines that nobody could object to, a block of 64 bytes at a time: each control byte
 * of a block is the CR of a CRLF behind some bytes and before a letter.
 * Stops with *at at the first other one (be it the empty line) or near the end of the bytes; *line
 * is the start of the line that *at lies in.
 */
static void
skip_plain_lines(struct str bytes, size_t *at, size_t *line)
{
    size_t block = *at;
    size_t begin = *line;
    bool is_cut = false; /* a CR was the last block's last byte: its LF is this one's first */
    for (; bytes.len - block >= WIDE_BYTES + 3; block += WIDE_BYTES) {
        uint64_t hits = wide_controls_of(bytes.data + block) & ~(uint64_t)is_cut;
        while (hits != 0) {
            size_t place = block + (size_t)__builtin_ctzll(hits);
            uint32_t word; /* CR LF and what begins the next line */
            memcpy(&word, bytes.data + place, sizeof word);
            word = le32toh(word);
            /* Letters are above ':', blanks, the colon itself and the empty line's CR are not. */
            if ((word & 0xffff) != ('\r' | '\n' << 8) || (word >> 16 & 0xff) <= ':' ||
                place - begin - 1 >= PLAIN_LINE_BYTES_MAX) {
                *at = place;
                *line = begin;
                return;
            }
            begin = place + 2;
            hits &= hits - 1; /* the CR */
            hits &= hits - 1; /* its LF, unless it lies in the next block */
        }
        is_cut = begin > block + WIDE_BYTES;
    }
    *line = begin;
    *at = block + is_cut;
}
#endif

enum err
scan_head_end(enum scan_side side, struct str bytes, size_t *scanned, size_t *out_bytes,
              struct parser_error *error)
{
    CHECK(*scanned <= bytes.len);
    *out_bytes = 0;
    /* One empty line before a request is tolerated: old clients send it after a body. */
    size_t first = bytes.len >= 2 && memcmp(bytes.data, "\r\n", 2) == 0 ? 2 : 0;
    if (bytes.len == 0 || (bytes.len == 1 && bytes.data[0] == '\r')) {
        return ERR_OK;
    }
    if (*scanned <= first + FIRST_WORD_BYTES_MAX && bytes.len > first &&
        check_first_word(side, str_skip(bytes, first), error) != ERR_OK) {
        return ERR_BAD;
    }
    /* A CR that was the last byte seen is looked at again: now it must have its LF. */
    size_t at = *scanned > first ? *scanned : first;
    if (at > first && bytes.data[at - 1] == '\r') {
        at--;
    }
    size_t line = line_start_of(bytes, first, at);
    if (at == line && line > first && at < bytes.len &&
        check_line_start(bytes.data[at], error) != ERR_OK) {
        return ERR_BAD;
    }
#ifdef __SSE2__
    skip_plain_lines(bytes, &at, &line);
#endif
    for (;;) {
        if (at == line && line > first && at < bytes.len &&
            check_line_start(bytes.data[at], error) != ERR_OK) {
            return ERR_BAD;
        }
        at = find_control(bytes, at);
        if (at >= bytes.len || (at + 1 == bytes.len && bytes.data[at] == '\r')) {
            *scanned = bytes.len;
            return head_is_open(side, bytes, first, line, error);
        }
        if (bytes.data[at] != '\r' || bytes.data[at + 1] != '\n') {
            return refuse_400(error, "The head has a control byte or a bare line end.");
        }
        if (check_line_bytes(side == SCAN_REQUEST && line == first, at - line, error) != ERR_OK) {
            return ERR_BAD;
        }
        at += 2;
        if (at - line == 2) {
            break;
        }
        line = at;
    }
    *scanned = at;
    *out_bytes = at;
    return at - first > HEAD_BYTES_MAX
               ? refuse(error, 431, "header_too_large", "The head is too long.")
               : ERR_OK;
}

/* --- fields --- */

#ifdef __SSE2__
/* Bit i: byte i of these 16 is no letter, digit, '-' or '_'. */
static inline uint32_t
name_ends_of(const char *at)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i letter = _mm_sub_epi8(_mm_or_si128(x, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    __m128i digit = _mm_sub_epi8(x, _mm_set1_epi8('0'));
    __m128i good = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
    good = _mm_or_si128(good, _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit));
    good = _mm_or_si128(good, _mm_cmpeq_epi8(x, _mm_set1_epi8('-')));
    good = _mm_or_si128(good, _mm_cmpeq_epi8(x, _mm_set1_epi8('_')));
    return ~(uint32_t)_mm_movemask_epi8(good) & 0xffffu;
}

/* Fewer than BLOCK_BYTES are left, so they are looked at together with some before them. Out of
 * line: most heads have a body behind them, and never come here. */
static __attribute__((noinline)) const char *
last_of(uint32_t (*mask_of)(const char *at), const char *at, const char *end)
{
    uint32_t mask = mask_of(end - BLOCK_BYTES) >> (BLOCK_BYTES - (size_t)(end - at));
    return mask != 0 ? at + (size_t)__builtin_ctz(mask) : end;
}

/* The first byte at or behind `at` with its bit set; `end`: none. There are at least BLOCK_BYTES
 * before `end`. */
static inline __attribute__((always_inline)) const char *
first_of(uint32_t (*mask_of)(const char *at), const char *at, const char *end)
{
    for (; at <= end - BLOCK_BYTES; at += BLOCK_BYTES) {
        uint32_t mask = mask_of(at);
        if (mask != 0) {
            return at + (size_t)__builtin_ctz(mask);
        }
    }
    return last_of(mask_of, at, end);
}

size_t
scan_first_line(enum scan_side side, struct str bytes)
{
    struct parser_error ignored;
    if (bytes.len < BLOCK_BYTES || check_first_word(side, bytes, &ignored) != ERR_OK) {
        return 0;
    }
    const char *end = bytes.data + bytes.len;
    const char *at = first_of(controls_of, bytes.data, end);
    bool is_whole = end - at >= 2 && at[0] == '\r' && at[1] == '\n';
    size_t line_bytes = (size_t)(at - bytes.data);
    return is_whole && line_bytes > 0 && line_bytes < PLAIN_LINE_BYTES_MAX ? line_bytes + 2 : 0;
}

bool
scan_fields(struct str lines, struct header *items, uint32_t items_max, uint32_t *out_count,
            size_t *out_bytes)
{
    uint32_t count = 0;
    if (lines.len < BLOCK_BYTES) {
        return false;
    }
    const char *at = lines.data;
    const char *end = at + lines.len;
    while (end - at >= 2 && (at[0] != '\r' || at[1] != '\n')) {
        const char *colon = first_of(name_ends_of, at, end);
        if (count == items_max || colon == at || end - colon < 2 || *colon != ':') {
            return false;
        }
        const char *value = colon + 1;
        const char *line_end = first_of(controls_of, value, end);
        if (end - line_end < 2 || line_end[0] != '\r' || line_end[1] != '\n' ||
            line_end - at > FIELD_BYTES_MAX) {
            return false;
        }
        const char *value_end = line_end;
        while (*value == ' ') { /* the CR ends it */
            value++;
        }
        while (value_end > value && value_end[-1] == ' ') {
            value_end--;
        }
        items[count++] = (struct header){ str_make(at, (size_t)(colon - at)),
                                          str_make(value, (size_t)(value_end - value)) };
        at = line_end + 2;
    }
    *out_count = count;
    *out_bytes = (size_t)(at - lines.data) + 2;
    return end - at >= 2;
}
#else
size_t
scan_first_line(enum scan_side side, struct str bytes)
{
    (void)side;
    (void)bytes;
    return 0;
}

bool
scan_fields(struct str lines, struct header *items, uint32_t items_max, uint32_t *out_count,
            size_t *out_bytes)
{
    (void)lines;
    (void)items;
    (void)items_max;
    *out_count = 0;
    *out_bytes = 0;
    return false;
}
#endif

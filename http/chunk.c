/*
 * chunk.c - see chunk.h. A byte at a time over the framing, a span at a time over the body.
 */
#include "http/chunk.h"

#include <string.h>

#include "base/limits.h"

/* The order matters: everything from EXT on belongs to a size line, TRAILER on to the trailer. */
enum chunk_phase {
    CHUNK_SIZE, /* before the first digit */
    CHUNK_DIGITS,
    CHUNK_EXT, /* behind ';' */
    CHUNK_EXT_NAME,
    CHUNK_EXT_EQUALS, /* behind '=' */
    CHUNK_EXT_VALUE,
    CHUNK_EXT_QUOTED,
    CHUNK_EXT_ESCAPED,
    CHUNK_EXT_CLOSED, /* behind the second quote */
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER, /* at the start of a trailer line */
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF, /* of the empty line */
    CHUNK_DONE,
    CHUNK_BROKEN,
};

/* Names for the opaque words. */
#define PHASE 0
#define LEFT 1    /* body bytes of this chunk still to come */
#define LINE 2    /* bytes of the size line */
#define TRAILER 3 /* bytes of the trailer */

/* 15 hex digits: far beyond any limit and far from overflow. */
#define CHUNK_BYTES_MAX 0xfffffffffffffffull

void
chunk_init(struct parser_chunked *chunked)
{
    *chunked = (struct parser_chunked){ 0 };
}

static bool
is_token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
        return true;
    }
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = str_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum chunk_phase
step_digit(struct parser_chunked *chunked, char c, bool is_first)
{
    int digit = hex_digit(c);
    if (digit >= 0) {
        if (chunked->state[LEFT] > CHUNK_BYTES_MAX >> 4) {
            return CHUNK_BROKEN;
        }
        chunked->state[LEFT] = chunked->state[LEFT] << 4 | (uint64_t)digit;
        return CHUNK_DIGITS;
    }
    if (is_first) {
        return CHUNK_BROKEN;
    }
    return c == ';' ? CHUNK_EXT : c == '\r' ? CHUNK_SIZE_LF : CHUNK_BROKEN;
}

/* ;name or ;name=token or ;name="quoted": parsed strictly and dropped. */
static enum chunk_phase
step_extension(enum chunk_phase phase, char c)
{
    unsigned char byte = (unsigned char)c;
    bool is_text = byte >= 0x20 ? byte != 0x7f : c == '\t';
    if (phase == CHUNK_EXT_ESCAPED) {
        return is_text ? CHUNK_EXT_QUOTED : CHUNK_BROKEN;
    }
    if (phase == CHUNK_EXT_QUOTED) {
        return c == '"'    ? CHUNK_EXT_CLOSED
               : c == '\\' ? CHUNK_EXT_ESCAPED
               : is_text   ? CHUNK_EXT_QUOTED
                           : CHUNK_BROKEN;
    }
    if (phase == CHUNK_EXT || phase == CHUNK_EXT_EQUALS) {
        if (phase == CHUNK_EXT_EQUALS && c == '"') {
            return CHUNK_EXT_QUOTED;
        }
        return !is_token_char(c)    ? CHUNK_BROKEN
               : phase == CHUNK_EXT ? CHUNK_EXT_NAME
                                    : CHUNK_EXT_VALUE;
    }
    if (c == '\r' || c == ';') {
        return c == ';' ? CHUNK_EXT : CHUNK_SIZE_LF;
    }
    if (phase == CHUNK_EXT_NAME && c == '=') {
        return CHUNK_EXT_EQUALS;
    }
    return phase != CHUNK_EXT_CLOSED && is_token_char(c) ? phase : CHUNK_BROKEN;
}

/* Trailer fields are checked, counted and dropped: they never become header fields. */
static enum chunk_phase
step_trailer(struct parser_chunked *chunked, enum chunk_phase phase, char c)
{
    if (++chunked->state[TRAILER] > TRAILER_BYTES_MAX) {
        return CHUNK_BROKEN;
    }
    if (phase == CHUNK_TRAILER) {
        return c == '\r' ? CHUNK_END_LF : is_token_char(c) ? CHUNK_TRAILER_NAME : CHUNK_BROKEN;
    }
    if (phase == CHUNK_TRAILER_NAME) {
        return c == ':' ? CHUNK_TRAILER_VALUE : is_token_char(c) ? phase : CHUNK_BROKEN;
    }
    unsigned char byte = (unsigned char)c;
    if (c == '\r') {
        return CHUNK_TRAILER_LF;
    }
    return c == '\t' || (byte >= 0x20 && byte != 0x7f) ? phase : CHUNK_BROKEN;
}

/* One byte of the framing; CHUNK_DATA never comes here. */
static enum chunk_phase
step_framing(struct parser_chunked *chunked, enum chunk_phase phase, char c)
{
    if (phase <= CHUNK_SIZE_LF && ++chunked->state[LINE] > CHUNK_LINE_BYTES_MAX) {
        return CHUNK_BROKEN;
    }
    switch (phase) {
    case CHUNK_SIZE:
    case CHUNK_DIGITS:
        return step_digit(chunked, c, phase == CHUNK_SIZE);
    case CHUNK_EXT:
    case CHUNK_EXT_NAME:
    case CHUNK_EXT_EQUALS:
    case CHUNK_EXT_VALUE:
    case CHUNK_EXT_QUOTED:
    case CHUNK_EXT_ESCAPED:
    case CHUNK_EXT_CLOSED:
        return step_extension(phase, c);
    case CHUNK_SIZE_LF:
        chunked->state[LINE] = 0;
        return c != '\n' ? CHUNK_BROKEN : chunked->state[LEFT] > 0 ? CHUNK_DATA : CHUNK_TRAILER;
    case CHUNK_DATA_CR:
        return c == '\r' ? CHUNK_DATA_LF : CHUNK_BROKEN;
    case CHUNK_DATA_LF:
        return c == '\n' ? CHUNK_SIZE : CHUNK_BROKEN;
    case CHUNK_TRAILER:
    case CHUNK_TRAILER_NAME:
    case CHUNK_TRAILER_VALUE:
        return step_trailer(chunked, phase, c);
    case CHUNK_TRAILER_LF:
        return c == '\n' ? CHUNK_TRAILER : CHUNK_BROKEN;
    case CHUNK_END_LF:
        return c == '\n' ? CHUNK_DONE : CHUNK_BROKEN;
    case CHUNK_DATA:
    case CHUNK_DONE:
    case CHUNK_BROKEN:
        break;
    }
    return CHUNK_BROKEN;
}

static inline bool
is_line_end(struct str bytes, size_t at)
{
    return bytes.len - at >= 2 && bytes.data[at] == '\r' && bytes.data[at + 1] == '\n';
}

/*
 * The size line that nearly all senders write, when it lies whole at `at`: up to eight digits and
 * CRLF, of a chunk that is not the last. Returns the offset behind it; `at`: it is another, or cut.
 */
static inline size_t
plain_size_line(struct parser_chunked *chunked, struct str bytes, size_t at)
{
    uint64_t size = 0;
    size_t digits = 0;
    while (digits < 8 && at + digits < bytes.len) {
        int digit = hex_digit(bytes.data[at + digits]);
        if (digit < 0) {
            break;
        }
        size = size << 4 | (uint64_t)digit;
        digits++;
    }
    if (size == 0 || !is_line_end(bytes, at + digits)) {
        return at;
    }
    chunked->state[LEFT] = size;
    chunked->state[PHASE] = CHUNK_DATA;
    return at + digits + 2;
}

/* The body's bytes at `at`, and the line end behind the chunk's last ones when it is there too. */
static size_t
take_data(struct parser_chunked *chunked, struct str bytes, size_t at, struct str *out_body)
{
    size_t room = bytes.len - at;
    size_t run = chunked->state[LEFT] < room ? (size_t)chunked->state[LEFT] : room;
    *out_body = str_make(bytes.data + at, run);
    chunked->state[LEFT] -= run;
    chunked->total_bytes += run;
    if (chunked->state[LEFT] > 0) {
        return at + run;
    }
    bool has_end = is_line_end(bytes, at + run);
    chunked->state[PHASE] = has_end ? CHUNK_SIZE : CHUNK_DATA_CR;
    return at + run + (has_end ? 2 : 0);
}

enum err
chunk_feed(struct parser_chunked *chunked, struct str bytes, struct str *out_body, size_t *out_used)
{
    *out_body = (struct str){ NULL, 0 };
    *out_used = 0;
    size_t at = 0;
    while (at < bytes.len && !chunked->is_done) {
        enum chunk_phase phase = (enum chunk_phase)chunked->state[PHASE];
        if (phase == CHUNK_SIZE) {
            at = plain_size_line(chunked, bytes, at);
            phase = (enum chunk_phase)chunked->state[PHASE];
        }
        if (phase == CHUNK_DATA) {
            if (at < bytes.len) {
                at = take_data(chunked, bytes, at, out_body);
            }
            *out_used = at;
            return ERR_OK;
        }
        phase = step_framing(chunked, phase, bytes.data[at++]);
        chunked->state[PHASE] = phase;
        chunked->is_done = phase == CHUNK_DONE;
        if (phase == CHUNK_BROKEN) {
            return ERR_BAD;
        }
    }
    *out_used = at;
    return ERR_OK;
}

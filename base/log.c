/*
 * log.c - lines put together by hand on the caller's stack, collected, written in one call.
 *
 * The buffer belongs to the process: log_init in a child drops what it inherited (the parent writes
 * those lines), and writes what waits when the process calls it again.
 */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/check.h"
#include "base/clock.h"
#include "base/num.h"

#define PROCESS_BYTES 32
#define CUT_MARK " cut=1"
#define SECRET_SHOWN_CHARS 8u

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};

static char process_name[PROCESS_BYTES] = "sub2api";
static char process_pid[NUM_TEXT_BYTES] = "0";
static enum log_level level_min = LOG_INFO;
static uint64_t dropped_count;
static pid_t owner_pid; /* whose lines wait in the buffer */
static bool is_file;    /* stderr is a plain file: it takes any size at once */
static bool is_torn;    /* half a line stands at the end of what was written */
static struct {
    char bytes[LOG_BUFFER_BYTES];
    uint32_t len;
} waiting;

_Static_assert(LOG_LINE_BYTES * 2 < LOG_BUFFER_BYTES, "several lines fit the buffer");

void
log_init(const char *process, enum log_level level)
{
    CHECK(process != NULL && (size_t)level < sizeof(level_names) / sizeof(level_names[0]));
    size_t len = strnlen(process, PROCESS_BYTES - 1);
    memcpy(process_name, process, len);
    process_name[len] = '\0';
    pid_t pid = getpid();
    if (pid == owner_pid) {
        log_flush();
    }
    waiting.len = 0;
    owner_pid = pid;
    num_text((uint64_t)pid, process_pid);
    struct stat status;
    is_file = fstat(STDERR_FILENO, &status) == 0 && S_ISREG(status.st_mode);
    level_min = level;
    dropped_count = 0;
    is_torn = false;
}

/* Room for the mark, the newline and a NUL is never given away. */
static uint32_t
room(const struct log_line *line)
{
    uint32_t kept = (uint32_t)sizeof(CUT_MARK) + 1;
    CHECK(line->len <= LOG_LINE_BYTES - kept);
    return LOG_LINE_BYTES - kept - line->len;
}

static void
put(struct log_line *line, const char *bytes, size_t len)
{
    memcpy(line->text + line->len, bytes, len);
    line->len += (uint32_t)len;
}

static bool
is_plain(unsigned char c)
{
    return c > 0x20 && c != '"' && c != '=' && c != '\\' && c != 0x7f;
}

/*
 * Bytes of UTF-8 stay as they are for people to read, but not U+0080..U+009F (C2 80 to C2 9F): a
 * terminal takes those for control codes. A byte that is no UTF-8 at all cannot be told here
 * cheaply and does a terminal no harm, except the bare control codes 80 to 9F.
 */
static uint32_t
sequence_bytes(const unsigned char *at, size_t left)
{
    uint32_t want = at[0] >= 0xf0 && at[0] <= 0xf4   ? 4u
                    : at[0] >= 0xe0 && at[0] <= 0xef ? 3u
                    : at[0] >= 0xc2 && at[0] <= 0xdf ? 2u
                                                     : 0u;
    if (want == 0 || left < want || (at[0] == 0xc2 && at[1] < 0xa0)) {
        return 0;
    }
    for (uint32_t i = 1; i < want; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return want;
}

/* One byte or one UTF-8 sequence as it stands in quotes; returns the bytes of `at` it took. */
static uint32_t
escape(const unsigned char *at, size_t left, char out[4], uint32_t *out_len)
{
    unsigned char c = at[0];
    uint32_t sequence = c >= 0x80 ? sequence_bytes(at, left) : 0;
    if (sequence > 0) {
        memcpy(out, at, sequence);
        *out_len = sequence;
        return sequence;
    }
    if (c >= 0x20 && c < 0x7f) {
        *out_len = c == '"' || c == '\\' ? 2 : 1;
        out[0] = *out_len == 2 ? '\\' : (char)c;
        out[1] = (char)c;
        return 1;
    }
    out[0] = '\\';
    out[1] = 'x';
    out[2] = "0123456789abcdef"[c >> 4];
    out[3] = "0123456789abcdef"[c & 15];
    *out_len = 4;
    return 1;
}

static bool
needs_quotes(struct str value)
{
    const unsigned char *at = (const unsigned char *)value.data;
    for (size_t i = 0; i < value.len;) {
        uint32_t sequence = at[i] >= 0x80 ? sequence_bytes(at + i, value.len - i) : 1;
        if (sequence == 0 || (at[i] < 0x80 && !is_plain(at[i]))) {
            return true;
        }
        i += sequence;
    }
    return value.len == 0;
}

static void
put_quoted(struct log_line *line, struct str value)
{
    const unsigned char *at = (const unsigned char *)value.data;
    put(line, "\"", 1);
    for (size_t i = 0; i < value.len;) {
        char text[4];
        uint32_t len = 0;
        uint32_t taken = escape(at + i, value.len - i, text, &len);
        if (room(line) < len + 1) {
            line->is_cut = true;
            break;
        }
        put(line, text, len);
        i += taken;
    }
    put(line, "\"", 1);
}

/* " key=": false when the line is off, cut already, or has no room for the key and a little value.
 */
static bool
put_key(struct log_line *line, struct str key)
{
    if (line->is_off || line->is_cut) {
        return false;
    }
    if (room(line) < key.len + 2 + NUM_TEXT_BYTES) {
        line->is_cut = true;
        return false;
    }
    char *to = line->text + line->len;
    to[0] = ' ';
    memcpy(to + 1, key.data, key.len);
    to[key.len + 1] = '=';
    line->len += (uint32_t)key.len + 2;
    return true;
}

#ifdef __SSE2__
/*
 * Puts a value whose bytes are all plain ASCII, sixteen at a time: they are copied first and looked
 * at in the line, where a look behind the value's end finds memory and is masked away. false: some
 * byte needs a closer look, or the line is too full for that, and nothing was put.
 */
static bool
put_plain(struct log_line *line, struct str value)
{
    if (value.len == 0 || value.len + 16 > room(line)) {
        return false;
    }
    char *to = line->text + line->len;
    memcpy(to, value.data, value.len);
    for (size_t at = 0; at < value.len; at += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(to + at));
        /* As signed bytes those of UTF-8 are below zero, and so with the blank and its like. */
        __m128i odd = _mm_cmpgt_epi8(_mm_set1_epi8(0x21), x);
        odd = _mm_or_si128(odd, _mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
        odd = _mm_or_si128(odd, _mm_cmpeq_epi8(x, _mm_set1_epi8('=')));
        odd = _mm_or_si128(odd, _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
        odd = _mm_or_si128(odd, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)));
        unsigned mask = (unsigned)_mm_movemask_epi8(odd);
        size_t left = value.len - at;
        mask &= left < 16 ? (1u << left) - 1 : 0xffffu;
        if (mask != 0) {
            return false;
        }
    }
    line->len += (uint32_t)value.len;
    return true;
}
#else
static bool
put_plain(struct log_line *line, struct str value)
{
    (void)line;
    (void)value;
    return false;
}
#endif

static void
put_value(struct log_line *line, struct str value)
{
    if (put_plain(line, value)) {
        return;
    }
    if (needs_quotes(value)) {
        put_quoted(line, value);
    } else if (value.len <= room(line)) {
        put(line, value.data, value.len);
    } else {
        put_quoted(line, value); /* cuts between whole characters */
    }
}

/* The date is worked out once a second; the milliseconds are its last four bytes: "123Z". */
static void
put_time(struct log_line *line, uint64_t wall_ms)
{
    static char text[CLOCK_TEXT_BYTES];
    static uint64_t text_s = UINT64_MAX;
    if (text_s != wall_ms / 1000) {
        text_s = wall_ms / 1000;
        clock_text(text_s * 1000, text);
    }
    uint32_t ms = (uint32_t)(wall_ms % 1000);
    put(line, text, CLOCK_TEXT_BYTES - 1);
    char *digits = line->text + line->len - 4;
    digits[0] = (char)('0' + ms / 100);
    digits[1] = (char)('0' + ms / 10 % 10);
    digits[2] = (char)('0' + ms % 10);
}

void
log_begin(struct log_line *line, enum log_level level, const char *act)
{
    line->level = level;
    line->is_off = level < level_min;
    line->is_cut = false;
    line->len = 0;
    if (line->is_off) {
        return;
    }
    put(line, "t=", 2);
    put_time(line, clock_wall_ms());
    log_text(line, "lvl", level_names[level]);
    log_text(line, "proc", process_name);
    log_text(line, "pid", process_pid);
    log_text(line, "act", act);
}

void
log_value_str(struct log_line *line, struct str key, struct str value)
{
    if (put_key(line, key)) {
        put_value(line, value);
    }
}

void
log_value_u64(struct log_line *line, struct str key, uint64_t value)
{
    if (put_key(line, key)) {
        line->len += num_text(value, line->text + line->len);
    }
}

void
log_value_i64(struct log_line *line, struct str key, int64_t value)
{
    if (put_key(line, key)) {
        if (value < 0) {
            put(line, "-", 1);
        }
        uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        line->len += num_text(size, line->text + line->len);
    }
}

void
log_err(struct log_line *line, enum err err)
{
    log_text(line, "err", err_name(err));
}

/* A secret no longer than twice what is shown shows nothing of itself. */
void
log_secret(struct log_line *line, const char *key, struct str secret)
{
    if (!put_key(line, str_of(key))) {
        return;
    }
    char text[SECRET_SHOWN_CHARS + 4 + NUM_TEXT_BYTES];
    uint32_t len = 0;
    if (secret.len > 2 * SECRET_SHOWN_CHARS) {
        memcpy(text, secret.data, SECRET_SHOWN_CHARS);
        len = SECRET_SHOWN_CHARS;
    }
    memcpy(text + len, "...(", 4);
    len += 4;
    len += num_text(secret.len, text + len);
    text[len++] = ')';
    put_value(line, str_make(text, len));
}

/*
 * As many whole lines as a pipe takes in one piece: they neither block after poll has said that the
 * pipe has room, nor mix with those of the other processes that share it.
 */
static uint32_t
piece_bytes(const char *bytes, uint32_t len)
{
    if (is_file || len <= PIPE_BUF) {
        return len;
    }
    const char *last = memrchr(bytes, '\n', PIPE_BUF);
    if (last == NULL) {
        last = memchr(bytes + PIPE_BUF, '\n', len - PIPE_BUF);
    }
    return last == NULL ? len : (uint32_t)(last - bytes) + 1;
}

/* Only what stderr takes without waiting, whether it is in nonblocking mode or not. */
static uint32_t
write_some(const char *bytes, uint32_t len)
{
    uint32_t done = 0;
    while (done < len) {
        struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
        if (poll(&out, 1, 0) <= 0) {
            break;
        }
        ssize_t wrote = write(STDERR_FILENO, bytes + done, piece_bytes(bytes + done, len - done));
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            break;
        }
        done += (uint32_t)wrote;
    }
    return done;
}

static uint64_t
count_lines(const char *bytes, uint32_t len)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < len; i++) {
        count += bytes[i] == '\n' ? 1 : 0;
    }
    return count;
}

/* What was not taken is dropped: a gateway that waits for its log would stop every stream. */
void
log_flush(void)
{
    int kept_errno = errno;
    uint32_t len = waiting.len;
    waiting.len = 0;
    if (len > 0) {
        if (is_torn && write_some("\n", 1) == 1) {
            is_torn = false;
        }
        uint32_t done = is_torn ? 0 : write_some(waiting.bytes, len);
        CHECK(done <= len);
        is_torn = is_torn || (done > 0 && waiting.bytes[done - 1] != '\n');
        dropped_count += count_lines(waiting.bytes + done, len - done);
    }
    errno = kept_errno;
}

void
log_end(struct log_line *line)
{
    if (line->is_off) {
        return;
    }
    if (line->is_cut) {
        put(line, CUT_MARK, sizeof(CUT_MARK) - 1);
    }
    line->text[line->len++] = '\n';
    CHECK(line->len <= LOG_LINE_BYTES);
    if (waiting.len + line->len > LOG_BUFFER_BYTES) {
        log_flush();
    }
    memcpy(waiting.bytes + waiting.len, line->text, line->len);
    waiting.len += line->len;
    if (line->level >= LOG_WARN) {
        log_flush();
    }
    line->is_off = true; /* a second end, or a field added late, does nothing */
}

/* The format's text is "key=value key=value" already: only what could forge a line is replaced. */
void
log_event(enum log_level level, const char *act, const char *format, ...)
{
    struct log_line line;
    log_begin(&line, level, act);
    if (line.is_off) {
        return;
    }
    uint32_t space = room(&line);
    line.text[line.len] = ' ';
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line.text + line.len + 1, space, format, args);
    va_end(args);
    if (len > 0) {
        line.is_cut = (uint32_t)len >= space;
        uint32_t kept = line.is_cut ? space - 1 : (uint32_t)len;
        for (uint32_t i = 1; i <= kept; i++) {
            unsigned char c = (unsigned char)line.text[line.len + i];
            if (c < 0x20 || c == 0x7f) {
                line.text[line.len + i] = '?';
            }
        }
        line.len += kept + 1;
    }
    log_end(&line);
}

uint64_t
log_dropped(void)
{
    return dropped_count;
}

bool
log_level_parse(struct str text, enum log_level *out)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (str_equal(text, str_of(level_names[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

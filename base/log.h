/*
 * log.h - structured log: one line an event, key=value, on stderr.
 *
 *      t=2026-11-21T04:08:45.123Z lvl=info proc=worker0 pid=123 act=request req=r-... status=200
 *
 * A line is put together on the stack field by field without printf, values with blanks, quotes or
 * control bytes are quoted and escaped, and it is cut at LOG_LINE_BYTES. Lines of level info are
 * collected and written together (log_flush, when LOG_BUFFER_BYTES are full, or by the process's
 * timer); warn and error are written at once. A write that would block drops the lines and counts.
 *
 * Secrets: there is one way to log something derived from a credential, log_secret(), which writes
 * its first 8 characters and the length. Never pass a key, token, query string or body to log_str.
 *
 * Runs in: every process.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_line {
    enum log_level level;
    bool is_off; /* below the configured level: fields cost nothing */
    bool is_cut; /* a field did not fit: later ones are left out and cut=1 ends the line */
    uint32_t len;
    char text[LOG_LINE_BYTES];
};

/*
 * The process's name in every line ("worker0"), copied; level: lower ones are not written. Call it
 * in a child right after fork: it forgets the parent's waiting lines and takes the child's pid.
 */
void log_init(const char *process, enum log_level level);

void log_begin(struct log_line *line, enum log_level level, const char *act);
void log_value_str(struct log_line *line, struct str key, struct str value);
void log_value_u64(struct log_line *line, struct str key, uint64_t value);
void log_value_i64(struct log_line *line, struct str key, int64_t value);

/* Inline, because nearly all keys are literals, whose length the compiler then knows. */
static inline void
log_str(struct log_line *line, const char *key, struct str value)
{
    log_value_str(line, str_make(key, strlen(key)), value);
}

static inline void
log_text(struct log_line *line, const char *key, const char *value)
{
    log_value_str(line, str_make(key, strlen(key)), str_of(value));
}

static inline void
log_u64(struct log_line *line, const char *key, uint64_t value)
{
    log_value_u64(line, str_make(key, strlen(key)), value);
}

static inline void
log_i64(struct log_line *line, const char *key, int64_t value)
{
    log_value_i64(line, str_make(key, strlen(key)), value);
}

void log_err(struct log_line *line, enum err err); /* err=timeout */
void log_secret(struct log_line *line, const char *key, struct str secret);
void log_end(struct log_line *line);

/* One call for rare events: log_event(LOG_WARN, "reload", "file=%s why=%s", ...). */
void log_event(enum log_level level, const char *act, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void log_flush(void);

/* Lines lost because stderr would block. */
uint64_t log_dropped(void);

/* "debug" ... "error" <-> level; false for another word. */
bool log_level_parse(struct str text, enum log_level *out);

#endif

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static int reader; /* what stands on stderr comes out here */
static char text[400000];

static void
start(void)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    reader = ends[0];
    clock_set_fake(1, 1795234125123);
    log_init("worker0", LOG_INFO);
}

/* All that was written since; each line's beginning that is the same in all is checked and cut. */
static const char *
written(void)
{
    size_t len = 0;
    ssize_t got = 0;
    while ((got = read(reader, text + len, sizeof(text) - 1 - len)) > 0) {
        len += (size_t)got;
    }
    text[len] = '\0';
    return text;
}

static const char *
fields(const char *line)
{
    char want[100];
    snprintf(want, sizeof(want), "t=2026-11-21T04:08:45.123Z lvl=info proc=worker0 pid=%d act=test",
             (int)getpid());
    cr_assert_eq(strncmp(line, want, strlen(want)), 0, "%s", line);
    return line + strlen(want);
}

static const char *
value_as_logged(struct str value)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "test");
    log_str(&line, "k", value);
    log_end(&line);
    log_flush();
    return fields(written());
}

/* The plain way, byte by byte: what stands in the line for a value that fits. */
static bool
is_plain_value(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '=' || c == '\\') {
            return false;
        }
    }
    return len > 0;
}

Test(log, one_odd_byte_anywhere_is_seen)
{
    start();
    for (size_t len = 1; len < 50; len++) {
        for (int c = 1; c < 0x80; c++) {
            char value[64];
            memset(value, 'v', sizeof value);
            value[(size_t)c * 7 % len] = (char)c;
            const char *line = value_as_logged(str_make(value, len));
            char want[80];
            snprintf(want, sizeof want, " k=%.*s\n", (int)len, value);
            cr_assert_eq(strcmp(line, want) == 0, is_plain_value(value, len), "%zu %d %s", len, c,
                         line);
        }
    }
}

Test(log, every_millisecond_has_its_own_time)
{
    start();
    static const uint64_t times[] = { 1795234125123, 1795234125999, 1795234126000,
                                      1795234126007, 1795234125070, 0,
                                      999,           1000 };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char want[CLOCK_TEXT_BYTES];
        clock_set_fake(1, times[i]);
        clock_text(times[i], want);
        struct log_line line;
        log_begin(&line, LOG_INFO, "test");
        cr_assert_eq(strncmp(line.text + 2, want, CLOCK_TEXT_BYTES - 1), 0, "%s", line.text);
    }
}

Test(log, writes_fields_in_order, .init = start)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "test");
    log_str(&line, "req", STR("req_1"));
    log_text(&line, "model", "gpt-5");
    log_text(&line, "none", NULL);
    log_u64(&line, "status", 200);
    log_i64(&line, "cost", -9223372036854775807LL - 1);
    log_err(&line, ERR_TIMEOUT);
    log_end(&line);
    cr_assert_str_eq(written(), "", "info lines wait");
    log_flush();
    cr_assert_str_eq(fields(written()),
                     " req=req_1 model=gpt-5 none=\"\" status=200 cost=-9223372036854775808 "
                     "err=timeout\n");
    log_end(&line);
    log_flush();
    cr_assert_str_eq(written(), "", "a line ends once");
}

Test(log, quotes_what_could_be_mistaken, .init = start)
{
    cr_assert_str_eq(value_as_logged(STR("plain/1.0;x")), " k=plain/1.0;x\n");
    cr_assert_str_eq(value_as_logged(STR("")), " k=\"\"\n");
    cr_assert_str_eq(value_as_logged(STR("two words")), " k=\"two words\"\n");
    cr_assert_str_eq(value_as_logged(STR("a=b")), " k=\"a=b\"\n");
    cr_assert_str_eq(value_as_logged(STR("say \"x\\y\"")), " k=\"say \\\"x\\\\y\\\"\"\n");
    cr_assert_str_eq(value_as_logged(STR("a\nb\0\x1b[31m\x7f")),
                     " k=\"a\\x0ab\\x00\\x1b[31m\\x7f\"\n");
    cr_assert_str_eq(value_as_logged(STR("gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80")),
                     " k=gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80\n");
    cr_assert_str_eq(value_as_logged(STR("\xc2\x9b"
                                         "31m")),
                     " k=\"\\xc2\\x9b31m\"\n");
    cr_assert_str_eq(value_as_logged(STR("\x9b\xff\xc3")), " k=\"\\x9b\\xff\\xc3\"\n");
}

Test(log, cuts_and_marks_a_long_line, .init = start)
{
    static char longest[LOG_LINE_BYTES * 2];
    static const char *const fills[] = { "x", "\x01", "\xe2\x82\xac", " " };
    for (size_t fill = 0; fill < sizeof(fills) / sizeof(fills[0]); fill++) {
        size_t step = strlen(fills[fill]);
        for (size_t i = 0; i + step <= sizeof(longest); i += step) {
            memcpy(longest + i, fills[fill], step);
        }
        struct log_line line;
        log_begin(&line, LOG_INFO, "test");
        log_str(&line, "k", str_make(longest, sizeof(longest)));
        log_u64(&line, "after", 1);
        log_end(&line);
        log_flush();
        const char *out = written();
        size_t len = strlen(out);
        cr_assert(len <= LOG_LINE_BYTES && len > LOG_LINE_BYTES - 20, "%zu", len);
        cr_assert_str_eq(out + len - 7, " cut=1\n");
        cr_assert_null(strstr(out, "after"));
    }
}

Test(log, shows_a_secret_only_by_its_beginning, .init = start)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "test");
    log_secret(&line, "key", STR("sk-abcdefghijklmnopqrstuvwxyz"));
    log_secret(&line, "short", STR("hunter2"));
    log_secret(&line, "none", STR(""));
    log_end(&line);
    log_flush();
    cr_assert_str_eq(fields(written()), " key=sk-abcde...(29) short=...(7) none=...(0)\n");
}

Test(log, leaves_out_lower_levels, .init = start)
{
    struct log_line line;
    log_begin(&line, LOG_DEBUG, "test");
    cr_assert(line.is_off);
    log_u64(&line, "k", 1);
    log_end(&line);
    log_event(LOG_DEBUG, "test", "k=%d", 1);
    log_flush();
    cr_assert_str_eq(written(), "");
    enum log_level level = LOG_DEBUG;
    cr_assert(log_level_parse(STR("warn"), &level));
    cr_assert_eq(level, LOG_WARN);
    cr_assert_not(log_level_parse(STR("loud"), &level));
    cr_assert_eq(level, LOG_WARN);
    log_init("x", LOG_DEBUG);
    log_event(LOG_DEBUG, "test", "k=%d", 1);
    log_flush();
    cr_assert_not_null(strstr(written(), "lvl=debug proc=x"));
}

Test(log, warnings_are_written_at_once_behind_what_waits, .init = start)
{
    log_event(LOG_INFO, "first", "n=%d", 1);
    cr_assert_str_eq(written(), "");
    log_event(LOG_WARN, "second", "why=%s", "one\ntwo\x1b");
    const char *out = written();
    const char *second = strstr(out, "act=second why=one?two?\n");
    cr_assert_not_null(second, "%s", out);
    cr_assert(strstr(out, "act=first n=1\n") < second);
    log_event(LOG_ERROR, "third", "%9000d", 1);
    out = written();
    cr_assert_eq(strlen(out), LOG_LINE_BYTES - 1);
    cr_assert_not_null(strstr(out, " cut=1\n"));
}

Test(log, drops_and_counts_lines_rather_than_wait, .init = start)
{
    /* Nobody reads: a pipe holds 64 KiB, our buffer as much; then whole lines are lost. */
    enum { LINES = 3000 };
    for (int i = 0; i < LINES; i++) {
        log_event(LOG_INFO, "test", "number=%d", i);
    }
    log_flush();
    uint64_t dropped = log_dropped();
    cr_assert(dropped > 0 && dropped < LINES);
    const char *out = written();
    uint64_t count = 0;
    for (const char *at = out; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    cr_assert_eq(count + dropped, LINES);
    log_event(LOG_WARN, "again", "k=1");
    cr_assert_eq(strncmp(written(), "t=", 2), 0, "lines go on at the start of a line");
}

Test(log, a_child_does_not_write_its_parents_lines, .init = start)
{
    log_event(LOG_INFO, "test", "from=parent");
    pid_t child = fork();
    if (child == 0) {
        log_init("child", LOG_INFO);
        log_event(LOG_WARN, "test", "from=child");
        _exit(0);
    }
    char want[32];
    snprintf(want, sizeof(want), "proc=child pid=%d ", (int)child);
    int status = 1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    const char *out = written();
    cr_assert_not_null(strstr(out, want), "%s", out);
    cr_assert_null(strstr(out, "from=parent"));
    log_init("worker0", LOG_INFO);
    cr_assert_not_null(strstr(written(), "from=parent"), "the same process keeps its lines");
}

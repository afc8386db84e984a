#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/ini.h"
#include "base/limits.h"

struct seen {
    char text[2000];  /* "line section.key=value;" of each line */
    uint32_t stop_at; /* line at which to refuse; 0 = never */
};

static enum err
see(void *context, uint32_t line, struct str section, struct str key, struct str value)
{
    struct seen *seen = context;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof(seen->text) - len, "%u %.*s.%.*s=%.*s;", line,
             STR_ARG(section), STR_ARG(key), STR_ARG(value));
    return line == seen->stop_at ? ERR_DENIED : ERR_OK;
}

static void
reads_as(const char *text, const char *want)
{
    struct seen seen = { .text = "" };
    uint32_t bad_line = 99;
    const char *reason = "";
    cr_assert_eq(ini_read(str_of(text), see, &seen, &bad_line, &reason), ERR_OK, "%s", reason);
    cr_assert_str_eq(seen.text, want);
    cr_assert_eq(bad_line, 0);
    cr_assert_null(reason);
}

static void
is_refused_at(const char *text, size_t len, uint32_t line)
{
    struct seen seen = { .text = "" };
    uint32_t bad_line = 99;
    const char *reason = NULL;
    cr_assert_eq(ini_read(str_make(text, len), see, &seen, &bad_line, &reason), ERR_BAD, "%s",
                 text);
    cr_assert_eq(bad_line, line);
    cr_assert_not_null(reason);
}

#define REFUSED_AT(line, text) is_refused_at(text, sizeof(text) - 1, line)

Test(ini, reads_sections_keys_and_values)
{
    reads_as("", "");
    reads_as("[a]\nk = v\n", "2 a.k=v;");
    reads_as("\xef\xbb\xbf[a]\r\nk=v\r\n\r\n  ; note\r\n# note = x\r\n[ b ]\r\n k2\t=  two words ",
             "2 a.k=v;7 b.k2=two words;");
    reads_as("[a]\nk = a=b #no;comment\nk =\nK-1.x_ = 1\n[b]\n[a]\nk=2",
             "2 a.k=a=b #no;comment;3 a.k=;4 a.K-1.x_=1;7 a.k=2;");
}

Test(ini, refuses_what_is_no_ini)
{
    REFUSED_AT(1, "k = v\n");
    REFUSED_AT(2, "[a]\nword\n");
    REFUSED_AT(2, "[a]\n= v\n");
    REFUSED_AT(2, "[a]\ntwo words = v\n");
    REFUSED_AT(1, "[a\nk = v\n");
    REFUSED_AT(1, "[]\n");
    REFUSED_AT(1, "[a] # note\n");
    REFUSED_AT(1, "[a b]\n");
    REFUSED_AT(3, "[a]\n\nk = \x01\n");
    REFUSED_AT(2, "[a]\nk = x\0y\n");
    REFUSED_AT(2, "[a]\nk\x7f = v\n");
    REFUSED_AT(2, "[a]\nk = v\rx\n");
}

Test(ini, stops_where_the_caller_says)
{
    struct seen seen = { .text = "", .stop_at = 3 };
    uint32_t bad_line = 0;
    const char *reason = "";
    cr_assert_eq(ini_read(STR("[a]\nx=1\ny=2\nz=3\n"), see, &seen, &bad_line, &reason), ERR_DENIED);
    cr_assert_eq(bad_line, 3);
    cr_assert_null(reason);
    cr_assert_str_eq(seen.text, "2 a.x=1;3 a.y=2;");
}

Test(ini, refuses_a_file_that_is_too_large)
{
    static char text[INI_FILE_BYTES_MAX + 1];
    memset(text, '\n', sizeof(text));
    is_refused_at(text, sizeof(text), 0);
    struct seen seen = { .text = "" };
    uint32_t bad_line = 0;
    const char *reason = NULL;
    cr_assert_eq(ini_read(str_make(text, sizeof(text) - 1), see, &seen, &bad_line, &reason),
                 ERR_OK);
}

/* The options of one verb: to a query, or to a JSON object. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "admin/option.h"
#include "base/str.h"

static const struct option_row rows[] = {
    { "model", OPTION_TEXT, "M", "text" },
    { "per-day", OPTION_NUMBER, "N", "number" },
    { "all", OPTION_SWITCH, NULL, "switch" },
    { .name = NULL },
};

static char why[OPTION_WHY_BYTES];
static char argument_text[64];

/* Splits at '|'; what was made of it, or NULL when it is refused (`why` says why then). */
static const char *
read_with(bool has_argument, bool is_query, uint32_t bytes_max, const char *text)
{
    static char words[512];
    static char made[512];
    char *argv[16];
    int argc = 0;
    cr_assert(str_copy(words, sizeof words, str_of(text)));
    char *rest = words;
    char *word;
    while (text[0] != '\0' && (word = strsep(&rest, "|")) != NULL) {
        argv[argc++] = word;
    }
    struct option_line line = { rows, has_argument, is_query };
    const char *argument = NULL;
    struct buf out;
    buf_init(&out, bytes_max);
    enum err err = option_read(&line, argc, argv, 0, &argument, &out, why);
    cr_assert(str_copy(made, sizeof made, buf_str(&out)));
    cr_assert(
        str_copy(argument_text, sizeof argument_text, str_of(argument == NULL ? "" : argument)));
    buf_fini(&out);
    cr_assert_eq(err == ERR_OK, why[0] == '\0', "%s", why);
    return err == ERR_OK ? made : NULL;
}

#define EXPECT(has_argument, is_query, text, made)                             \
    do {                                                                       \
        const char *got = read_with(has_argument, is_query, sizeof why, text); \
        cr_expect(got != NULL && strcmp(got, made) == 0, "%s: %s (%s)", text,  \
                  got == NULL ? "refused" : got, why);                         \
    } while (false)
#define EXPECT_REFUSED(has_argument, text, names)                                     \
    do {                                                                              \
        cr_expect_null(read_with(has_argument, false, sizeof why, text), "%s", text); \
        cr_expect_not_null(strstr(why, names), "%s: %s", text, why);                  \
    } while (false)

Test(option, makes_a_query)
{
    EXPECT(false, true, "", "");
    EXPECT(false, true, "--model|a/b c%:1&x=y|--all", "?model=a%2Fb%20c%25%3A1%26x%3Dy&all=1");
    EXPECT(false, true, "--model=m|--per-day=7", "?model=m&per_day=7");
    EXPECT(false, true, "--model=", "?model=");
    EXPECT(false, true, "--model|--all", "?model=--all");
    EXPECT(false, true, "--model|j\xc3\xb6@x", "?model=j%C3%B6@x");
}

Test(option, makes_json_with_the_types_of_the_rows)
{
    EXPECT(false, false, "", "{}");
    EXPECT(false, false, "--model|\"\\|--per-day|12345678901|--all",
           "{\"model\":\"\\\"\\\\\",\"per_day\":12345678901,\"all\":true}");
    /* What is no number stays text: the gateway names the field. */
    EXPECT(false, false, "--per-day|-1", "{\"per_day\":\"-1\"}");
    EXPECT(false, false, "--per-day|18446744073709551616",
           "{\"per_day\":\"18446744073709551616\"}");
    EXPECT(false, false, "--model|7", "{\"model\":\"7\"}");
}

Test(option, finds_the_argument_wherever_it_stands)
{
    EXPECT(true, false, "joe|--all", "{\"all\":true}");
    cr_expect_str_eq(argument_text, "joe");
    EXPECT(true, false, "--model|m|joe", "{\"model\":\"m\"}");
    cr_expect_str_eq(argument_text, "joe");
    EXPECT(true, false, "--name|joe", "{}");
    cr_expect_str_eq(argument_text, "joe");
    EXPECT(true, true, "", "");
    cr_expect_str_eq(argument_text, "");
}

Test(option, says_what_is_wrong)
{
    EXPECT_REFUSED(true, "--nonsense|1", "--nonsense");
    EXPECT_REFUSED(true, "--mode|1", "--mode");
    EXPECT_REFUSED(true, "--", "--");
    EXPECT_REFUSED(true, "--model", "--model needs a value");
    EXPECT_REFUSED(true, "--name", "--name needs a value");
    EXPECT_REFUSED(true, "--all=1", "--all takes no value");
    EXPECT_REFUSED(true, "joe|jim", "jim");
    EXPECT_REFUSED(true, "joe|--name|jim", "jim");
    EXPECT_REFUSED(true, "|", "unexpected");
    EXPECT_REFUSED(false, "joe", "joe");
    EXPECT_REFUSED(false, "--name|joe", "--name");
    char line[300];
    snprintf(line, sizeof line, "--%0200d|1", 1);
    EXPECT_REFUSED(true, line, "unknown option");
    cr_expect_null(read_with(false, true, 16, "--model|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    cr_expect_str_eq(why, "the options are too long");
    cr_expect_null(read_with(false, false, 16, "--model|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    cr_expect_str_eq(why, "the options are too long");
}

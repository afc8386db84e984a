/* Command lines to JSON. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/form.h"

static char why[FORM_WHY_BYTES];
static struct form form;

/* Splits at blanks; the JSON, or NULL when it is refused (`why` says why then). */
static const char *
read_line(enum model_kind kind, bool is_create, const char *line)
{
    static char words[1024];
    static char json_text[4096];
    char *argv[32];
    int argc = 0;
    cr_assert(str_copy(words, sizeof words, str_of(line)));
    char *rest = words;
    char *word;
    while ((word = strsep(&rest, " ")) != NULL) {
        argv[argc++] = word;
    }
    form = (struct form){ .kind = kind, .is_create = is_create };
    struct buf json;
    buf_init(&json, sizeof json_text - 1);
    enum err err = form_read(&form, line[0] == '\0' ? 0 : argc, argv, 0, &json, why);
    cr_assert(err != ERR_OK || str_copy(json_text, sizeof json_text, buf_str(&json)));
    buf_fini(&json);
    cr_assert_eq(err == ERR_OK, why[0] == '\0', "%s", why);
    cr_assert(err == ERR_OK || err == ERR_BAD);
    return err == ERR_OK ? json_text : NULL;
}

#define EXPECT(kind, is_create, line, json) \
    cr_expect_str_eq(read_line(kind, is_create, line), json, "%s: %s", line, why)

Test(form, keeps_the_types_of_fields)
{
    EXPECT(MODEL_USER, true, "joe --concurrency 5 --note hi",
           "{\"name\":\"joe\",\"concurrency\":5,\"note\":\"hi\"}");
    cr_expect_str_eq(form.name, "joe");
    EXPECT(MODEL_KEY, false, "k --quota-tokens 12345678901 --expires 30d",
           "{\"quota_tokens\":12345678901,\"expires\":\"30d\"}");
    cr_expect_str_eq(form.name, "k");
    EXPECT(MODEL_USER, true, "--name joe", "{\"name\":\"joe\"}");
    EXPECT(MODEL_USER, false, "", "{}");
    /* What is no number stays text: the gateway says what is wrong with it. */
    EXPECT(MODEL_USER, false, "joe --rpm many", "{\"rpm\":\"many\"}");
    EXPECT(MODEL_USER, false, "joe --rpm -1", "{\"rpm\":\"-1\"}");
}

Test(form, takes_both_spellings_of_an_option)
{
    EXPECT(MODEL_USER, false, "joe --rpm=7", "{\"rpm\":7}");
    EXPECT(MODEL_USER, false, "joe --note=", "{\"note\":\"\"}");
    EXPECT(MODEL_USER, false, "joe --note=a=b", "{\"note\":\"a=b\"}");
    EXPECT(MODEL_ACCOUNT, false, "a --base-url http://x", "{\"base_url\":\"http://x\"}");
}

Test(form, takes_a_switch_without_a_value)
{
    EXPECT(MODEL_ACCOUNT, true, "a --tls-insecure --rpm 1",
           "{\"name\":\"a\",\"tls_insecure\":true,\"rpm\":1}");
    EXPECT(MODEL_ACCOUNT, false, "a --tls-insecure", "{\"tls_insecure\":true}");
    EXPECT(MODEL_ACCOUNT, false, "a --tls-insecure no", "{\"tls_insecure\":false}");
    EXPECT(MODEL_ACCOUNT, false, "a --tls-insecure=off", "{\"tls_insecure\":false}");
}

Test(form, escapes_what_json_must_have_escaped)
{
    EXPECT(MODEL_USER, false, "joe --note=\"\\", "{\"note\":\"\\\"\\\\\"}");
}

Test(form, says_what_is_wrong)
{
    cr_expect_null(read_line(MODEL_USER, true, "joe --nonsense 1"));
    cr_expect_not_null(strstr(why, "--nonsense"));
    cr_expect_null(read_line(MODEL_USER, true, "joe --rpm"));
    cr_expect_not_null(strstr(why, "--rpm needs a value"), "%s", why);
    cr_expect_null(read_line(MODEL_USER, true, "joe jim"));
    cr_expect_not_null(strstr(why, "jim"));
    cr_expect_null(read_line(MODEL_USER, false, "joe --id 5"), "not settable");
    cr_expect_null(read_line(MODEL_ACCOUNT, false, "a --sealed 00"));
    cr_expect_null(read_line(MODEL_ACCOUNT, false, "a --api-key sk-1"), "never as an argument");
    char line[300];
    snprintf(line, sizeof line, "%0200d", 1);
    cr_expect_null(read_line(MODEL_USER, true, line), "a name that is too long");
    snprintf(line, sizeof line, "--%0200d 1", 1);
    cr_expect_null(read_line(MODEL_USER, true, line));
}

static const char *
from_file(const char *content, enum model_kind kind, const char *option)
{
    static char file[64];
    char line[128];
    snprintf(file, sizeof file, "/tmp/test-form-XXXXXX");
    int fd = mkstemp(file);
    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    snprintf(line, sizeof line, "x --%s %s", option, file);
    const char *json = read_line(kind, true, line);
    unlink(file);
    return json;
}

Test(form, reads_secrets_from_the_first_line_of_a_file)
{
    cr_expect_str_eq(from_file("  sk-1 \r\nsecond\n", MODEL_ACCOUNT, "api-key-file"),
                     "{\"name\":\"x\",\"secret\":\"sk-1\"}");
    cr_expect_str_eq(from_file("mine", MODEL_KEY, "key-file"), "{\"name\":\"x\",\"key\":\"mine\"}");
    cr_expect_null(from_file("\nsecond\n", MODEL_ACCOUNT, "api-key-file"));
    cr_expect_null(from_file("sk-1", MODEL_USER, "api-key-file"), "users have none");
    cr_expect_null(read_line(MODEL_ACCOUNT, true, "x --api-key-file /nowhere/at/all"));
    cr_expect_not_null(strstr(why, "/nowhere/at/all"));
}

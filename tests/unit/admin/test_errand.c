/* Verbs as rows: found, asked of a server that says what the test wants, shown, judged. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "tests/unit/admin/desk.h"

static const struct table_column columns_item[] = { { "name", "NAME" }, { "n", "COUNT" } };
static const struct table_columns columns = { columns_item, 2 };
static const struct option_row options[] = { { "count", OPTION_NUMBER, "N", "how many" },
                                             { "deep", OPTION_SWITCH, NULL, "all of it" },
                                             { .name = NULL } };

static int
run_own(struct errand *errand)
{
    return 40 + errand->argc - errand->at;
}

static const struct errand_verb pear_verbs[] = {
    { .word = "list",
      .help = "l",
      .method = "GET",
      .path = "/v1/@",
      .options = options,
      .columns = &columns },
    { .word = "show", .help = "s", .argument = "NAME", .method = "GET", .path = "/v1/@/%" },
    { .word = "eat",
      .help = "e",
      .argument = "NAME",
      .method = "POST",
      .path = "/v1/@/%/eat",
      .options = options,
      .done = "eaten" },
    { .word = "bite",
      .argument = "NAME",
      .method = "POST",
      .path = "/v1/@/%/eat",
      .done = "bitten" },
    { .word = NULL },
};
static const struct errand_verb more_verbs[] = {
    { .word = "own", .help = "o", .run = run_own },
    { .word = NULL },
};
static const struct errand_verb fig_verbs[] = {
    { .word = "", .help = "figs", .method = "GET", .path = "/v1/figs", .options = options },
    { .word = "last", .help = "the last", .method = "GET", .path = "/v1/figs/last" },
    { .word = NULL },
};
static const struct errand_noun pear = {
    .word = "pear", .plural = "pears", .help = "fruit", .verbs = pear_verbs, .more = more_verbs
};
static const struct errand_noun fig = { .word = "fig", .help = "more fruit", .verbs = fig_verbs };
static const struct errand_noun *const nouns[] = { &pear, &fig, NULL };

static char path[64];

/* Answers one call; ends with 0 when the request began with `expect` and ended with `body`. */
static pid_t
serve(const char *expect, const char *body, const char *answer)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(path, sizeof path, "/tmp/test-errand-%d.sock", (int)getpid());
    unlink(path);
    cr_assert(str_copy(address.sun_path, sizeof address.sun_path, str_of(path)));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char asked[4096] = "";
        size_t used = 0;
        alarm(10);
        int conn = accept(fd, NULL, NULL);
        while (used < sizeof asked - 1 &&
               (strstr(asked, "\r\n\r\n") == NULL || strstr(asked, body) == NULL)) {
            ssize_t got = recv(conn, asked + used, sizeof asked - 1 - used, 0);
            if (got <= 0) {
                break;
            }
            used += (size_t)got;
            asked[used] = '\0';
        }
        char text[4096];
        int length = snprintf(text, sizeof text, "HTTP/1.1 %s", answer);
        bool is_good = strncmp(asked, expect, strlen(expect)) == 0 && strstr(asked, body) != NULL &&
                       write(conn, text, (size_t)length) == length;
        close(conn);
        _exit(is_good ? 0 : 1);
    }
    close(fd);
    return pid;
}

/* The exit code of a command line. */
static int
run_line(bool wants_json, const char *text)
{
    return desk_run_with(nouns, path[0] == '\0' ? "/nowhere/at/all" : path, wants_json, text);
}

#define ANSWER(status, json) status "\r\nContent-Type: application/json\r\n\r\n" json

/* Runs it against a server that wants to see `expect` and `body`. */
static int
ask(const char *text, bool wants_json, const char *expect, const char *body, const char *answer)
{
    int status = 0;
    pid_t pid = serve(expect, body, answer);
    int code = run_line(wants_json, text);
    cr_expect_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: another request came", text);
    unlink(path);
    return code;
}

Test(errand, asks_what_its_row_says)
{
    const char *good = ANSWER("200 OK", "{\"name\":\"bosc\"}");
    cr_expect_eq(ask("pear show a@b", false, "GET /v1/pears/a@b HTTP/1.1\r\n", "", good), 0);
    cr_expect_eq(ask("pears show a/../b", false, "GET /v1/pears/a%2F..%2Fb HTTP", "", good), 0);
    cr_expect_eq(ask("pear eat x --count 3 --deep", false, "POST /v1/pears/x/eat HTTP",
                     "\r\n\r\n{\"count\":3,\"deep\":true}", good),
                 0);
    cr_expect_str_eq(desk_out, "eaten\n");
    cr_expect_eq(ask("pear bite x", false, "POST /v1/pears/x/eat HTTP", "\r\n\r\n", good), 0);
    cr_expect_str_eq(desk_out, "bitten\n");
    cr_expect_eq(ask("fig --count 3", false, "GET /v1/figs?count=3 HTTP", "", good), 0);
    cr_expect_eq(ask("fig", false, "GET /v1/figs HTTP", "", good), 0);
    cr_expect_eq(ask("fig last", false, "GET /v1/figs/last HTTP", "", good), 0);
    cr_expect_eq(run_line(false, "pear own 1 2"), 42);
}

Test(errand, shows_tables_objects_and_json)
{
    const char *list =
        ANSWER("200 OK", "{\"items\":[{\"name\":\"bosc\",\"n\":5}],\"line\":\"1 in all\"}");
    cr_expect_eq(ask("pear list", false, "GET /v1/pears HTTP", "", list), 0);
    cr_expect(strstr(desk_out, "NAME") != NULL && strstr(desk_out, "bosc") != NULL, "%s", desk_out);
    cr_expect(strstr(desk_out, "\n\n1 in all\n") != NULL, "%s", desk_out);
    cr_expect_eq(ask("pear list", true, "GET /v1/pears HTTP", "", list), 0);
    cr_expect_str_eq(desk_out, "{\"items\":[{\"name\":\"bosc\",\"n\":5}],\"line\":\"1 in all\"}\n");
    cr_expect_eq(ask("pear show x", false, "GET", "", ANSWER("200 OK", "{\"weight\":7}")), 0);
    cr_expect(strstr(desk_out, "weight") != NULL && strstr(desk_out, "7") != NULL, "%s", desk_out);
    cr_expect_eq(ask("pear eat x", true, "POST", "{}", ANSWER("200 OK", "{\"a\":1}")), 0);
    cr_expect_str_eq(desk_out, "{\"a\":1}\n");
}

Test(errand, ends_with_1_when_it_is_refused)
{
    cr_expect_eq(
        ask("pear show x", false, "GET", "",
            ANSWER("404 Not Found", "{\"error\":{\"code\":\"c\",\"message\":\"no pear\"}}")),
        1);
    cr_expect_str_eq(desk_err, "sub2apictl: no pear\n");
    cr_expect_str_eq(desk_out, "");
    cr_expect_eq(ask("pear show x", false, "GET", "", ANSWER("500 Oh", "not json")), 1);
    cr_expect(strstr(desk_err, "not json") != NULL);
    cr_expect_eq(ask("pear list", false, "GET", "",
                     ANSWER("200 OK", "{\"ok\":false,\"items\":[],\"line\":\"differs\"}")),
                 1, "the answer says that it is not well");
    cr_expect(strstr(desk_out, "differs") != NULL);
    cr_expect_eq(ask("pear list", true, "GET", "", ANSWER("200 OK", "{\"ok\":false}")), 1);
    cr_expect_eq(ask("pear list", false, "GET", "", ANSWER("200 OK", "{\"items\":7}")), 1);
    cr_expect(strstr(desk_err, "cannot be shown") != NULL, "%s", desk_err);
    path[0] = '\0';
    cr_expect_eq(run_line(false, "pear list"), 1);
    cr_expect(strstr(desk_err, "/nowhere/at/all") != NULL, "%s", desk_err);
}

Test(errand, ends_with_2_when_the_line_is_not_right)
{
    static const struct {
        const char *line;
        const char *says;
    } cases[] = {
        { "plum list", "plum" },
        { "pear", "list, show, eat, own; not nothing" },
        { "pear peel", "not peel" },
        { "pear show", "NAME" },
        { "pear show a b", "b" },
        { "pear show a --deep", "--deep" },
        { "pear eat a --count", "value" },
        { "fig first", "first" },
        { "fig --colour red", "--colour" },
    };
    path[0] = '\0';
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(run_line(false, cases[i].line), 2, "%s", cases[i].line);
        cr_expect(strstr(desk_err, cases[i].says) != NULL, "%s: %s", cases[i].line, desk_err);
    }
}

Test(errand, helps_with_every_noun)
{
    cr_expect_eq(run_line(false, "pear --help"), 0);
    cr_expect(strstr(desk_out, "pear eat NAME") != NULL && strstr(desk_out, "--count N") != NULL &&
                  strstr(desk_out, "pear own") != NULL && strstr(desk_out, "bite") == NULL,
              "%s", desk_out);
    cr_expect_eq(run_line(false, "fig help"), 0);
    cr_expect(strstr(desk_out, "\n  fig\n") != NULL, "%s", desk_out);
    FILE *file = tmpfile();
    errand_help(nouns, file);
    desk_take(file, desk_out);
    cr_expect(strstr(desk_out, "fruit: list, show, eat, own\n") != NULL, "%s", desk_out);
}

/* The program's own tables: what a slip in a row would break. */
Test(errand, has_sound_nouns)
{
#define POINTER(noun) &noun,
    static const struct errand_noun *const all[] = { NOUNS_ROWS(POINTER) NULL };
#undef POINTER
    for (size_t i = 0; all[i] != NULL; i++) {
        const struct errand_noun *noun = all[i];
        cr_expect(noun->word != NULL && noun->help != NULL);
        const struct errand_verb *const tables[] = { noun->verbs, noun->more };
        for (size_t t = 0; t < 2; t++) {
            for (const struct errand_verb *v = tables[t]; v != NULL && v->word != NULL; v++) {
                bool is_row = v->method != NULL && v->path != NULL && v->path[0] == '/';
                cr_expect(is_row || v->run != NULL, "%s %s", noun->word, v->word);
                bool takes = v->path != NULL && strchr(v->path, '%') != NULL;
                cr_expect(v->run != NULL || takes == (v->argument != NULL), "%s %s", noun->word,
                          v->word);
                bool wants_plural = v->path != NULL && strchr(v->path, '@') != NULL;
                cr_expect(!wants_plural || noun->plural != NULL, "%s %s", noun->word, v->word);
            }
        }
        for (size_t j = 0; j < i; j++) {
            cr_expect_str_neq(noun->word, all[j]->word);
        }
    }
}

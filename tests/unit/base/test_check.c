#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

static int hook_pipe[2];

static void
tell_pipe(const char *text)
{
    if (write(hook_pipe[1], text, strlen(text)) < 0) {
        _exit(1);
    }
}

static void
fail_again(const char *text)
{
    tell_pipe(text);
    CHECK(!"inside the hook");
}

Test(check, passes_when_true_and_aborts_when_false, .signal = SIGABRT)
{
    int evaluated = 0;
    CHECK(++evaluated == 1);
    cr_assert_eq(evaluated, 1);
    close(STDERR_FILENO);
    CHECK(evaluated == 2);
    _exit(0);
}

/* What a failing child wrote into its hook and to its stderr, one behind the other. */
static int
run_failing(check_hook_fn hook, char *text, size_t text_bytes)
{
    cr_assert_eq(pipe(hook_pipe), 0);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        dup2(hook_pipe[1], STDERR_FILENO);
        check_set_hook(hook);
        check_fail("some/file.c", 42, "a == b");
    }
    close(hook_pipe[1]);
    size_t len = 0;
    ssize_t got = 0;
    while ((got = read(hook_pipe[0], text + len, text_bytes - 1 - len)) > 0) {
        len += (size_t)got;
    }
    text[len] = '\0';
    close(hook_pipe[0]);
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

Test(check, tells_stderr_and_the_hook_before_it_aborts)
{
    char text[1024];
    int status = run_failing(tell_pipe, text, sizeof(text));
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    cr_assert_str_eq(text, "CHECK failed: some/file.c:42: a == b\n"
                           "CHECK failed: some/file.c:42: a == b");
}

Test(check, does_not_run_the_hook_inside_the_hook)
{
    char text[2048];
    int status = run_failing(fail_again, text, sizeof(text));
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    const char *first = strstr(text, "inside the hook");
    cr_assert_not_null(first);
    cr_assert_null(strstr(first + 1, "inside the hook"));
}

Test(check, cuts_a_long_expression)
{
    char expression[2000];
    memset(expression, 'x', sizeof(expression) - 1);
    expression[sizeof(expression) - 1] = '\0';
    cr_assert_eq(pipe(hook_pipe), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(hook_pipe[1], STDERR_FILENO);
        check_fail("f.c", 1, expression);
    }
    char text[4096];
    ssize_t got = read(hook_pipe[0], text, sizeof(text));
    cr_assert_eq(got, 511);
    cr_assert_eq(text[510], '\n');
    cr_assert_eq(waitpid(child, NULL, 0), child);
}

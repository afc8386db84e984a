/* One request to the admin socket, against a server that says what the test wants. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/call.h"
#include "base/limits.h"

static char path[64];
static char why[CALL_WHY_BYTES];
static struct buf body;
static uint16_t status;

/* A child that answers one call with this; it ends with 0 when the request held `expect`. */
static pid_t
serve(const char *expect, const char *answer, size_t answer_bytes)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(path, sizeof path, "/tmp/test-call-%d.sock", (int)getpid());
    unlink(path);
    cr_assert(str_copy(address.sun_path, sizeof address.sun_path, str_of(path)));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char asked[4096];
        size_t used = 0;
        int conn = accept(fd, NULL, NULL);
        while (used < sizeof asked - 1) {
            ssize_t got = recv(conn, asked + used, sizeof asked - 1 - used, 0);
            used += got > 0 ? (size_t)got : 0;
            asked[used] = '\0';
            if (got <= 0 || strstr(asked, expect) != NULL) {
                break;
            }
        }
        bool is_good = strstr(asked, expect) != NULL &&
                       write(conn, answer, answer_bytes) == (ssize_t)answer_bytes;
        close(conn);
        _exit(is_good ? 0 : 1);
    }
    close(fd);
    return pid;
}

static enum err
call(const char *expect, const char *answer, const char *method, const char *target,
     const char *json)
{
    pid_t pid = serve(expect, answer, strlen(answer));
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    why[0] = '\0';
    status = 0;
    enum err err = call_admin(path, method, target, str_of(json), &status, &body, why);
    int code = 0;
    waitpid(pid, &code, 0);
    unlink(path);
    cr_expect_eq(code, 0, "the server did not get \"%s\"", expect);
    return err;
}

Test(call, sends_a_request_and_gives_status_and_body)
{
    cr_assert_eq(call("POST /v1/users HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n"
                      "Content-Type: application/json\r\nContent-Length: 14\r\n\r\n"
                      "{\"name\":\"joe\"}",
                      "HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\n{\"id\":1}", "POST",
                      "/v1/users", "{\"name\":\"joe\"}"),
                 ERR_OK, "%s", why);
    cr_expect_eq(status, 201);
    cr_expect(str_equal(buf_str(&body), STR("{\"id\":1}")));
    buf_fini(&body);
}

Test(call, takes_a_body_that_ends_with_the_connection)
{
    cr_assert_eq(call("\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}", "GET", "/v1/status", ""),
                 ERR_OK, "%s", why);
    cr_expect(str_equal(buf_str(&body), STR("{\"a\":1}")));
    buf_fini(&body);
}

Test(call, takes_chunks_and_notices_when_they_are_cut)
{
    cr_assert_eq(call("\r\n\r\n",
                      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n",
                      "GET", "/v1/status", ""),
                 ERR_OK, "%s", why);
    cr_expect(str_equal(buf_str(&body), STR("{\"a\":1}")));
    buf_fini(&body);
    cr_expect_neq(call("\r\n\r\n",
                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n",
                       "GET", "/v1/status", ""),
                  ERR_OK);
    cr_expect(strstr(why, "was cut") != NULL, "%s", why);
    buf_fini(&body);
}

Test(call, streams_a_good_body_and_keeps_a_refusal)
{
    int ends[2];
    char got[64] = "";
    cr_assert(pipe(ends) == 0);
    const char *good = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    pid_t pid = serve("\r\n\r\n", good, strlen(good));
    buf_init(&body, 1024);
    cr_expect_eq(call_stream(path, "/v1/ledger/export", ends[1], &status, &body, why), ERR_OK);
    waitpid(pid, NULL, 0);
    cr_expect(read(ends[0], got, sizeof got) == 5 && strcmp(got, "hello") == 0);
    const char *bad = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno";
    pid = serve("\r\n\r\n", bad, strlen(bad));
    cr_expect_eq(call_stream(path, "/v1/ledger/export", ends[1], &status, &body, why), ERR_OK);
    waitpid(pid, NULL, 0);
    cr_expect(status == 400 && str_equal(buf_str(&body), STR("no")));
    unlink(path);
    buf_fini(&body);
    close(ends[0]);
    close(ends[1]);
}

Test(call, refuses_what_is_no_whole_answer)
{
    static const char *const bad[] = {
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"a\":1}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{\"a\":1}",
        "220 mail ESMTP\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_neq(call("\r\n\r\n", bad[i], "GET", "/v1/status", ""), ERR_OK, "%s", bad[i]);
        cr_expect_neq(why[0], '\0', "%s", bad[i]);
        buf_fini(&body);
    }
}

Test(call, says_where_it_looked_when_nobody_is_there)
{
    buf_init(&body, 1024);
    cr_expect_eq(call_admin("/nowhere/admin.sock", "GET", "/", STR(""), &status, &body, why),
                 ERR_REFUSED);
    cr_expect_not_null(strstr(why, "/nowhere/admin.sock"), "%s", why);
    char long_path[200];
    memset(long_path, 'a', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    cr_expect_eq(call_admin(long_path, "GET", "/", STR(""), &status, &body, why), ERR_BAD);
    buf_fini(&body);
}

Test(call, does_not_send_a_path_that_is_too_long)
{
    static char target[2000];
    memset(target, 'a', sizeof target - 1);
    pid_t pid = serve("", "", 0);
    buf_init(&body, 1024);
    cr_expect_eq(call_admin(path, "GET", target, STR(""), &status, &body, why), ERR_BAD);
    waitpid(pid, NULL, 0);
    unlink(path);
    buf_fini(&body);
}

/* The admin socket: routes, methods, who may connect. */
#include <sys/stat.h>

#include "tests/unit/admin/office.h"

Test(api, knows_its_resources_and_methods)
{
    struct office *office = office_open();
    EXPECT(office, 404, "GET", "/", "");
    EXPECT(office, 404, "GET", "/v2/status", "");
    EXPECT(office, 404, "GET", "/v1/nonsense", "");
    EXPECT(office, 404, "GET", "/v1/users/a/b/c", "");
    EXPECT(office, 404, "POST", "/v1/status", "{}");
    EXPECT(office, 405, "DELETE", "/v1/users", "");
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 405, "PUT", "/v1/users/joe", "{}");
    EXPECT(office, 405, "POST", "/v1/users/joe/test", "");
    office_close(office);
}

/* One connection of an admin who speaks by hand; the answer's head and body, until it is closed or
 * `mark` stands in it. */
static const char *
talk(struct office *office, const char *text, size_t bytes, const char *mark)
{
    static char answer[65536];
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct timeval patience = { .tv_sec = 5 };
    size_t used = 0;
    cr_assert(str_copy(address.sun_path, sizeof address.sun_path, str_of(office->path)));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    (void)!send(fd, text, bytes, MSG_NOSIGNAL);
    answer[0] = '\0';
    while (used < sizeof answer - 1 && strstr(answer, mark) == NULL) {
        ssize_t got = recv(fd, answer + used, sizeof answer - 1 - used, 0);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
        answer[used] = '\0';
    }
    close(fd);
    return answer;
}

static bool
starts_with(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

Test(api, judges_what_is_no_request_of_its)
{
    static const char *const bad[][2] = {
        { "not http at all\r\n\r\n", "HTTP/1.1 400" },
        { "GET /v1/status HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "HTTP/1.1 400" },
        { "GET /v1/../status HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 4" },
        { "POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n", "HTTP/1.1 413" },
        { "POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 400" },
        { "GET /v1/users/%00 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 4" },
    };
    struct office *office = office_open();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *answer = talk(office, bad[i][0], strlen(bad[i][0]), "}}");
        cr_expect(starts_with(answer, bad[i][1]), "%s: %s", bad[i][0], answer);
        cr_expect(strstr(answer, "\"error\":{\"code\":\"") != NULL, "%s: %s", bad[i][0], answer);
    }
    EXPECT(office, 200, "GET", "/v1/status", "");
    office_close(office);
}

Test(api, keeps_a_connection_and_answers_in_order)
{
    struct office *office = office_open();
    static const char two[] = "GET /v1/users HTTP/1.1\r\nHost: x\r\n\r\n"
                              "GET /v1/nonsense HTTP/1.1\r\nHost: x\r\n\r\n";
    const char *answer = talk(office, two, sizeof two - 1, "not_found");
    const char *good = strstr(answer, "HTTP/1.1 200");
    const char *bad = strstr(answer, "HTTP/1.1 404");
    cr_expect(good != NULL && bad != NULL && good < bad, "%s", answer);
    office_close(office);
}

/* In the test's container everybody is root: another user is tried where that can be done. */
Test(api, refuses_another_user)
{
    struct office *office = office_open();
    if (geteuid() == 0 && chmod(office->path, 0777) == 0 && chmod(tempdir, 0755) == 0) {
        pid_t pid = fork();
        if (pid == 0) {
            testseg_child();
            alarm(30);
            static const char ask[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
            if (setgid(54321) != 0 || setuid(54321) != 0) {
                _exit(2);
            }
            const char *answer = talk(office, ask, sizeof ask - 1, "}}");
            _exit(starts_with(answer, "HTTP/1.1 403") && strstr(answer, "uptime") == NULL ? 0 : 1);
        }
        cr_expect_eq(tempdir_wait(pid), 0);
    }
    office_close(office);
}

Test(api, takes_the_user_that_the_operator_allows)
{
    struct office *office = office_furnish();
    office->confs.admin.allow_uid = 54321;
    office_fork(office, NULL);
    if (geteuid() == 0 && chmod(office->path, 0777) == 0 && chmod(tempdir, 0755) == 0) {
        pid_t pid = fork();
        if (pid == 0) {
            testseg_child();
            alarm(30);
            static const char ask[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
            if (setgid(54321) != 0 || setuid(54321) != 0) {
                _exit(2);
            }
            _exit(starts_with(talk(office, ask, sizeof ask - 1, "}}"), "HTTP/1.1 200") ? 0 : 1);
        }
        cr_expect_eq(tempdir_wait(pid), 0);
    }
    office_close(office);
}

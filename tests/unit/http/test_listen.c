#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/listen.h"

static char why[LISTEN_WHY_BYTES];

Test(listen, takes_every_form_of_an_address)
{
    static const char *const forms[] = { "127.0.0.1:0", "[::1]:0", ":0", "[::]:0", "0.0.0.0:0" };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        int fd = -1;
        enum err err = listen_open(forms[i], 10, true, &fd, why);
        if (err == ERR_REFUSED && strchr(forms[i], '[') != NULL) {
            continue; /* a machine without IPv6 */
        }
        cr_expect(err == ERR_OK, "%s: %s", forms[i], why);
        char text[64];
        cr_expect(listen_address(fd, text, sizeof(text)) == ERR_OK);
        cr_expect(strchr(text, ':') != NULL && strcmp(strrchr(text, ':'), ":0") != 0, "%s", text);
        (void)close(fd);
    }
}

Test(listen, refuses_what_is_no_address)
{
    static const char *const forms[] = { "",          "8080",          "localhost:80", "1.2.3:80",
                                         "::1:80",    "[::1:80",       "[]:80",        "[::1]80",
                                         "1.2.3.4:",  "1.2.3.4:65536", "1.2.3.4:-1",   "1.2.3.4:1x",
                                         "[::1]x:80", "[1.2.3.4]:80" };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        int fd = 7;
        cr_expect(listen_open(forms[i], 10, true, &fd, why) == ERR_BAD, "%s", forms[i]);
        cr_expect(fd == -1);
        cr_expect(strstr(why, "address:port") != NULL, "%s", why);
    }
}

Test(listen, says_why_it_may_not)
{
    int first = -1;
    cr_assert(listen_open("127.0.0.1:0", 10, false, &first, why) == ERR_OK);
    char text[64];
    cr_assert(listen_address(first, text, sizeof(text)) == ERR_OK);
    int second = -1;
    cr_expect(listen_open(text, 10, false, &second, why) == ERR_REFUSED);
    cr_expect(strstr(why, text) != NULL && strstr(why, "in use") != NULL, "%s", why);
    cr_expect(listen_open("192.0.2.1:0", 10, false, &second, why) == ERR_REFUSED);
    cr_expect(strstr(why, "not an address of this machine") != NULL, "%s", why);
    char small[8];
    cr_expect(listen_address(first, small, sizeof(small)) == ERR_FULL);
    (void)close(first);
}

Test(listen, shares_a_port_and_sends_at_once)
{
    int first = -1;
    int second = -1;
    char text[64];
    cr_assert(listen_open("127.0.0.1:0", 10, true, &first, why) == ERR_OK);
    cr_assert(listen_address(first, text, sizeof(text)) == ERR_OK);
    cr_expect(listen_open(text, 10, true, &second, why) == ERR_OK, "%s", why);
    int value = 0;
    socklen_t bytes = sizeof(value);
    cr_expect(getsockopt(first, IPPROTO_TCP, TCP_NODELAY, &value, &bytes) == 0 && value == 1);
    (void)close(first);
    (void)close(second);
}

Test(listen, makes_a_private_unix_socket_and_replaces_an_old_one)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/tmp/test_listen.%d.sock", (int)getpid());
    for (int round = 0; round < 2; round++) {
        int fd = -1;
        cr_assert(listen_open_unix(path, &fd, why) == ERR_OK, "%s", why);
        struct stat st;
        cr_assert(stat(path, &st) == 0);
        cr_expect(S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600, "%o", st.st_mode);
        (void)close(fd);
    }
    (void)unlink(path);
    int fd = -1;
    char longer[200];
    memset(longer, 'a', sizeof(longer));
    longer[0] = '/';
    longer[sizeof(longer) - 1] = '\0';
    cr_expect(listen_open_unix(longer, &fd, why) == ERR_BAD && strstr(why, "too long") != NULL);
    cr_expect(listen_open_unix("/nonexistent/a", &fd, why) == ERR_REFUSED && fd == -1, "%s", why);
}

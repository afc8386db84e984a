#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/httpconf.h"
#include "http/listen.h"
#include "master/sockets.h"

static struct httpconf *
conf_of(const char *first, const char *second)
{
    struct httpconf *conf = calloc(1, sizeof(*conf));
    conf->backlog = 16;
    conf->listen.count = second == NULL ? 1 : 2;
    snprintf(conf->listen.items[0], SETTING_LIST_ITEM_BYTES, "%s", first);
    if (second != NULL) {
        snprintf(conf->listen.items[1], SETTING_LIST_ITEM_BYTES, "%s", second);
    }
    return conf;
}

Test(sockets, binds_one_for_each_worker_to_one_port)
{
    static struct sockets sockets;
    char why[SOCKETS_WHY_BYTES];
    struct httpconf *conf = conf_of("127.0.0.1:0", NULL);
    cr_assert_eq(sockets_open(&sockets, conf, 3, NULL, why), ERR_OK, "%s", why);
    char address[SOCKETS_ADDRESS_BYTES];
    for (int w = 0; w < 3; w++) {
        cr_assert_eq(listen_address(sockets.fds[w][0], address, sizeof(address)), ERR_OK);
        cr_assert_str_eq(address, sockets.addresses[0]);
    }
    sockets_close(&sockets, NULL);
    free(conf);
}

Test(sockets, are_not_shared_with_another_gateway)
{
    static struct sockets first;
    static struct sockets second;
    char why[SOCKETS_WHY_BYTES] = "";
    struct httpconf *conf = conf_of("127.0.0.1:0", NULL);
    cr_assert_eq(sockets_open(&first, conf, 1, NULL, why), ERR_OK, "%s", why);
    snprintf(conf->listen.items[0], SETTING_LIST_ITEM_BYTES, "%s", first.addresses[0]);
    cr_assert_eq(sockets_open(&second, conf, 1, NULL, why), ERR_REFUSED);
    cr_assert(strstr(why, first.addresses[0]) != NULL, "names the address: %s", why);
    sockets_close(&first, NULL);
    free(conf);
}

Test(sockets, of_addresses_that_stay_are_taken_over)
{
    static struct sockets old;
    static struct sockets now;
    char why[SOCKETS_WHY_BYTES];
    struct httpconf *conf = conf_of("127.0.0.1:0", "[::1]:0");
    cr_assert_eq(sockets_open(&old, conf, 2, NULL, why), ERR_OK, "%s", why);
    struct httpconf *next = conf_of("[::1]:0", "127.0.0.2:0");
    cr_assert_eq(sockets_open(&now, next, 3, &old, why), ERR_OK, "%s", why);
    cr_assert_eq(now.fds[0][0], old.fds[0][1]);
    cr_assert_eq(now.fds[1][0], old.fds[1][1]);
    cr_assert_neq(now.fds[2][0], -1);
    cr_assert_str_eq(now.addresses[0], old.addresses[1]);
    sockets_close(&old, &now);
    char address[SOCKETS_ADDRESS_BYTES];
    cr_assert_eq(listen_address(now.fds[0][0], address, sizeof(address)), ERR_OK, "still open");
    sockets_close(&now, NULL);
    free(conf);
    free(next);
}

Test(sockets, change_nothing_when_one_cannot_be_had)
{
    static struct sockets old;
    static struct sockets now;
    char why[SOCKETS_WHY_BYTES] = "";
    struct httpconf *conf = conf_of("127.0.0.1:0", NULL);
    cr_assert_eq(sockets_open(&old, conf, 1, NULL, why), ERR_OK, "%s", why);
    struct httpconf *bad = conf_of("127.0.0.1:0", "not an address");
    cr_assert_neq(sockets_open(&now, bad, 1, &old, why), ERR_OK);
    cr_assert_neq(why[0], '\0');
    char address[SOCKETS_ADDRESS_BYTES];
    cr_assert_eq(listen_address(old.fds[0][0], address, sizeof(address)), ERR_OK, "still open");
    sockets_close(&old, NULL);
    free(conf);
    free(bad);
}

Test(sockets, refuse_an_admin_path_that_is_answered_and_take_a_dead_one)
{
    char dir[] = "/tmp/sub2api-test-XXXXXX";
    char path[64];
    char why[SOCKETS_WHY_BYTES] = "";
    cr_assert(mkdtemp(dir) != NULL);
    snprintf(path, sizeof(path), "%s/admin.sock", dir);
    int first = -1;
    int second = -1;
    cr_assert_eq(sockets_open_admin(path, &first, why), ERR_OK, "%s", why);
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
    cr_assert_eq(sockets_open_admin(path, &second, why), ERR_REFUSED);
    cr_assert(strstr(why, path) != NULL, "names the path: %s", why);
    close(first);
    cr_assert_eq(sockets_open_admin(path, &second, why), ERR_OK, "%s", why);
    close(second);
    unlink(path);
    rmdir(dir);
}

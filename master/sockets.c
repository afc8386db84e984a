#include "master/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/check.h"
#include "base/sys.h"
#include "http/httpconf.h"
#include "http/listen.h"

_Static_assert(SOCKETS_WHY_BYTES == LISTEN_WHY_BYTES, "one sentence is passed through");
_Static_assert(LISTENS_MAX >= SETTING_LIST_ITEMS_MAX, "every listen line has a place");

static bool
find_row(const struct sockets *sockets, const char *text, uint32_t *out_index)
{
    for (uint32_t i = 0; sockets != NULL && i < sockets->listen_count; i++) {
        if (strcmp(sockets->texts[i], text) == 0) {
            *out_index = i;
            return true;
        }
    }
    return false;
}

static bool
is_in(const struct sockets *sockets, int fd)
{
    for (uint32_t w = 0; sockets != NULL && w < sockets->worker_count; w++) {
        for (uint32_t i = 0; i < sockets->listen_count; i++) {
            if (sockets->fds[w][i] == fd) {
                return true;
            }
        }
    }
    return false;
}

void
sockets_close(struct sockets *old, const struct sockets *now)
{
    for (uint32_t w = 0; w < old->worker_count; w++) {
        for (uint32_t i = 0; i < old->listen_count; i++) {
            if (old->fds[w][i] >= 0 && !is_in(now, old->fds[w][i])) {
                sys_close(&old->fds[w][i]);
            }
        }
    }
}

/*
 * SO_REUSEPORT lets a second gateway of the same user bind the same address, and the two would
 * share the connections at random. A socket without it says honestly whether the address is free.
 */
static enum err
check_free(const char *text, char why[SOCKETS_WHY_BYTES])
{
    int fd = -1;
    enum err err = listen_open(text, 1, false, &fd, why);
    sys_close(&fd);
    return err;
}

/* One address for all workers. The first socket settles which port a 0 becomes. */
static enum err
open_column(struct sockets *out, uint32_t index, uint32_t backlog, const struct sockets *old,
            char why[SOCKETS_WHY_BYTES])
{
    uint32_t old_index = 0;
    bool was_open = find_row(old, out->texts[index], &old_index);
    if (!was_open) {
        enum err err = check_free(out->texts[index], why);
        if (err != ERR_OK) {
            return err;
        }
    } else {
        memcpy(out->addresses[index], old->addresses[old_index], SOCKETS_ADDRESS_BYTES);
    }
    for (uint32_t w = 0; w < out->worker_count; w++) {
        if (was_open && w < old->worker_count) {
            out->fds[w][index] = old->fds[w][old_index];
            continue;
        }
        bool is_first = out->addresses[index][0] == '\0';
        enum err err = listen_open(is_first ? out->texts[index] : out->addresses[index], backlog,
                                   true, &out->fds[w][index], why);
        if (err != ERR_OK) {
            return err;
        }
        if (is_first) {
            err = listen_address(out->fds[w][index], out->addresses[index], SOCKETS_ADDRESS_BYTES);
            if (err != ERR_OK) {
                snprintf(why, SOCKETS_WHY_BYTES, "cannot tell where %.100s is bound: %s",
                         out->texts[index], sys_why());
                return err;
            }
        }
    }
    return ERR_OK;
}

enum err
sockets_open(struct sockets *out, const struct httpconf *conf, uint32_t workers,
             const struct sockets *old, char why[SOCKETS_WHY_BYTES])
{
    CHECK(workers > 0 && workers <= WORKERS_MAX);
    CHECK(conf->listen.count <= LISTENS_MAX);
    memset(out, 0, sizeof(*out));
    memset(out->fds, 0xff, sizeof(out->fds)); /* -1 everywhere */
    out->worker_count = workers;
    if (conf->listen.count == 0) {
        snprintf(why, SOCKETS_WHY_BYTES, "[http] listen is empty: nothing to listen on");
        return ERR_BAD;
    }
    for (uint32_t i = 0; i < conf->listen.count; i++) {
        uint32_t same;
        if (find_row(out, conf->listen.items[i], &same)) {
            continue; /* the same line twice is one socket */
        }
        uint32_t index = out->listen_count++;
        memcpy(out->texts[index], conf->listen.items[i], SETTING_LIST_ITEM_BYTES);
        enum err err = open_column(out, index, conf->backlog, old, why);
        if (err != ERR_OK) {
            sockets_close(out, old);
            return err;
        }
    }
    return ERR_OK;
}

/* A socket file outlives its gateway; only an answer tells whether one is still behind it. */
static bool
is_answered(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!str_copy(address.sun_path, sizeof(address.sun_path), str_of(path))) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    /* EAGAIN is a full backlog: somebody is there, and busy. */
    bool answered =
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN;
    sys_close(&fd);
    return answered;
}

enum err
sockets_open_admin(const char *path, int *out_fd, char why[SOCKETS_WHY_BYTES])
{
    if (is_answered(path)) {
        snprintf(
            why, SOCKETS_WHY_BYTES,
            "another sub2api answers on %.100s: stop it (sub2apictl stop), or give this one its "
            "own [admin] socket and [store] dir",
            path);
        return ERR_REFUSED;
    }
    return listen_open_unix(path, out_fd, why);
}

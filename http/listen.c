/*
 * listen.c - see listen.h.
 */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/num.h"
#include "base/str.h"
#include "base/sys.h"

/* Clients of the admin socket are few and short. */
#define UNIX_BACKLOG 64

struct place {
    struct sockaddr_storage address;
    socklen_t bytes;
};

static enum err
read_port(struct str text, uint16_t *out)
{
    uint64_t port = 0;
    if (num_u64(text, &port) != ERR_OK || port > 65535) {
        return ERR_BAD;
    }
    *out = (uint16_t)port;
    return ERR_OK;
}

static void
set_v6(struct place *place, const struct in6_addr *host, uint16_t port)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&place->address;
    *v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
    v6->sin6_addr = *host;
    place->bytes = sizeof(*v6);
}

/* The host without its brackets; empty = every address, both families. */
static enum err
read_host(struct str host, uint16_t port, struct place *place)
{
    char text[INET6_ADDRSTRLEN];
    if (host.len == 0) {
        set_v6(place, &in6addr_any, port);
        return ERR_OK;
    }
    if (host.data[0] == '[') {
        struct in6_addr v6;
        struct str inside = str_make(host.data + 1, host.len < 2 ? 0 : host.len - 2);
        if (host.data[host.len - 1] != ']' || !str_copy(text, sizeof(text), inside) ||
            inet_pton(AF_INET6, text, &v6) != 1) {
            return ERR_BAD;
        }
        set_v6(place, &v6, port);
        return ERR_OK;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&place->address;
    *v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
    place->bytes = sizeof(*v4);
    return str_copy(text, sizeof(text), host) && inet_pton(AF_INET, text, &v4->sin_addr) == 1
               ? ERR_OK
               : ERR_BAD;
}

static enum err
read_place(const char *text, struct place *place)
{
    *place = (struct place){ 0 };
    const char *colon = strrchr(text, ':');
    uint16_t port = 0;
    if (colon == NULL || read_port(str_of(colon + 1), &port) != ERR_OK) {
        return ERR_BAD;
    }
    return read_host(str_make(text, (size_t)(colon - text)), port, place);
}

static bool
set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* Accepted sockets inherit TCP_NODELAY, which saves a system call for each connection. */
static bool
set_options(int fd, const struct place *place, bool reuse_port)
{
    bool is_good =
        set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) && set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (reuse_port) {
        is_good = is_good && set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (place->address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&place->address;
        bool is_any = IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
        is_good = is_good && set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_any ? 0 : 1);
    }
    return is_good;
}

static enum err
explain(char why[LISTEN_WHY_BYTES], const char *text, int code)
{
    const char *what = code == EADDRINUSE
                           ? "is in use: stop the other program or choose another port"
                       : code == EADDRNOTAVAIL ? "is not an address of this machine"
                       : code == EACCES        ? "needs more rights: choose a port from 1024 on"
                                               : strerror(code);
    (void)snprintf(why, LISTEN_WHY_BYTES, "%.*s %s", 120, text, what);
    return ERR_REFUSED;
}

/* A machine without IPv6 gets ":port" as IPv4. */
static int
open_socket(struct place *place)
{
    int kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(place->address.ss_family, kind, 0);
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&place->address;
    if (fd >= 0 || place->address.ss_family != AF_INET6 ||
        !IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
        return fd;
    }
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = v6->sin6_port };
    *place = (struct place){ .bytes = sizeof(v4) };
    memcpy(&place->address, &v4, sizeof(v4));
    return socket(AF_INET, kind, 0);
}

enum err
listen_open(const char *text, uint32_t backlog, bool reuse_port, int *out_fd,
            char why[LISTEN_WHY_BYTES])
{
    *out_fd = -1;
    why[0] = '\0';
    struct place place;
    if (read_place(text, &place) != ERR_OK) {
        (void)snprintf(why, LISTEN_WHY_BYTES,
                       "%.120s is not of the form address:port, [v6 address]:port or :port", text);
        return ERR_BAD;
    }
    int fd = open_socket(&place);
    if (fd < 0) {
        return explain(why, text, errno);
    }
    if (!set_options(fd, &place, reuse_port) ||
        bind(fd, (const struct sockaddr *)&place.address, place.bytes) != 0 ||
        listen(fd, (int)backlog) != 0) {
        int code = errno;
        sys_close(&fd);
        return explain(why, text, code);
    }
    *out_fd = fd;
    return ERR_OK;
}

/* --- UNIX --- */

/* Bound under a name that nobody knows and made private there; the rename makes it reachable. */
static enum err
bind_private(int fd, const char *path, char why[LISTEN_WHY_BYTES])
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int written = snprintf(to.sun_path, sizeof(to.sun_path), "%s.%d", path, (int)getpid());
    if (written < 0 || (size_t)written >= sizeof(to.sun_path)) {
        (void)snprintf(why, LISTEN_WHY_BYTES,
                       "%.120s is too long for a UNIX socket: at most %zu bytes", path,
                       sizeof(to.sun_path) - 12);
        return ERR_BAD;
    }
    (void)unlink(to.sun_path);
    mode_t old_mask = umask(0177);
    int failed = bind(fd, (const struct sockaddr *)&to, sizeof(to));
    int code = errno;
    (void)umask(old_mask);
    if (failed != 0) {
        return explain(why, path, code);
    }
    if (chmod(to.sun_path, 0600) != 0 || listen(fd, UNIX_BACKLOG) != 0 ||
        rename(to.sun_path, path) != 0) {
        code = errno;
        (void)unlink(to.sun_path);
        return explain(why, path, code);
    }
    return ERR_OK;
}

enum err
listen_open_unix(const char *path, int *out_fd, char why[LISTEN_WHY_BYTES])
{
    *out_fd = -1;
    why[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return explain(why, path, errno);
    }
    enum err err = bind_private(fd, path, why);
    if (err != ERR_OK) {
        sys_close(&fd);
        return err;
    }
    *out_fd = fd;
    return ERR_OK;
}

/* --- what a socket is bound to --- */

enum err
listen_address(int fd, char *out, uint32_t out_bytes)
{
    CHECK(out_bytes > 0);
    out[0] = '\0';
    struct sockaddr_storage address = { 0 };
    socklen_t bytes = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0) {
        return ERR_IO;
    }
    char host[INET6_ADDRSTRLEN];
    int written = -1;
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        written = snprintf(out, out_bytes, "%s:%u", host, ntohs(v4->sin_port));
    } else if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&address;
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        written = snprintf(out, out_bytes, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else if (address.ss_family == AF_UNIX) {
        const struct sockaddr_un *local = (const struct sockaddr_un *)(const void *)&address;
        written = snprintf(out, out_bytes, "%s", local->sun_path);
    }
    return written < 0 ? ERR_BAD : (uint32_t)written >= out_bytes ? ERR_FULL : ERR_OK;
}

/*
 * sys.c - system calls as enum err; faults and short transfers for tests; the process's title.
 *
 * Faults are always compiled in: the product that is tested is the product that ships. With none
 * set they cost one branch on a word that never changes.
 */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

#define FAULTS_MAX 16
#define FAULT_CALL_BYTES 24
#define UNSIZED_FILE_BYTES 65536u /* of what has no size of its own: a pipe, /proc */

extern char **environ;

struct fault {
    char call[FAULT_CALL_BYTES]; /* "" while free */
    uint32_t nth;                /* uses left until it strikes */
    enum err err;
};

static const char *why = "no failure";
static bool is_tested; /* any fault or short transfer is set */
static struct fault faults[FAULTS_MAX];
static uint64_t short_state; /* 0: transfers are whole */

const char *
sys_why(void)
{
    return why;
}

static enum err
fail(enum err err, int number)
{
    const char *text = strerrordesc_np(number);
    why = text == NULL ? "unknown error" : text;
    return err;
}

/* --- faults for tests --- */

void
sys_fault(const char *call, uint32_t nth, enum err err)
{
    struct fault *place = NULL;
    for (size_t i = 0; i < FAULTS_MAX; i++) {
        bool is_same = strcmp(faults[i].call, call) == 0;
        if (is_same || (place == NULL && faults[i].call[0] == '\0')) {
            place = &faults[i];
            if (is_same) {
                break;
            }
        }
    }
    CHECK(place != NULL);
    CHECK(nth == 0 || str_copy(place->call, sizeof(place->call), str_of(call)));
    place->nth = nth;
    place->err = err;
    if (nth == 0) {
        place->call[0] = '\0';
    }
    is_tested = short_state != 0;
    for (size_t i = 0; i < FAULTS_MAX; i++) {
        is_tested = is_tested || faults[i].call[0] != '\0';
    }
}

void
sys_short(uint64_t seed)
{
    short_state = seed;
    is_tested = seed != 0;
    for (size_t i = 0; i < FAULTS_MAX; i++) {
        is_tested = is_tested || faults[i].call[0] != '\0';
    }
}

static enum err
fault_find(const char *call)
{
    for (size_t i = 0; i < FAULTS_MAX; i++) {
        if (strcmp(faults[i].call, call) == 0 && --faults[i].nth == 0) {
            faults[i].call[0] = '\0';
            why = "fault asked for by a test";
            return faults[i].err;
        }
    }
    return ERR_OK;
}

static inline enum err
fault(const char *call)
{
    return __builtin_expect(is_tested, 0) ? fault_find(call) : ERR_OK;
}

/* A random part of what was asked, at least one byte. */
static size_t
short_bytes(size_t bytes)
{
    if (short_state == 0 || bytes < 2) {
        return bytes;
    }
    short_state = short_state * 6364136223846793005ULL + 1442695040888963407ULL;
    short_state |= 1; /* never 0: that would switch it off */
    return 1 + (size_t)((short_state >> 33) % bytes);
}

/*
 * A short transfer tells an edge-triggered handler that the kernel has no more for now, and that an
 * event will come. The kernel does not know of the shortening, so the event is provoked: both
 * options, set to what they are, make it look for whom to wake.
 */
static void
provoke_event(int fd)
{
    int lowat = 1;
    int sndbuf = 0;
    socklen_t bytes = sizeof(sndbuf);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat)) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, &bytes) == 0) {
        sndbuf /= 2; /* the kernel doubles what it is told */
        CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)) == 0);
    }
}

/* --- sockets --- */

static enum err
transfer_failed(int number)
{
    if (number == EAGAIN) {
        return ERR_AGAIN; /* no failure: sys_why keeps the last real one */
    }
    bool is_gone = number == ECONNRESET || number == EPIPE || number == ENOTCONN ||
                   number == ETIMEDOUT || number == ECONNABORTED || number == EHOSTUNREACH ||
                   number == ENETUNREACH || number == ENETDOWN || number == ECONNREFUSED;
    return fail(is_gone ? ERR_GONE : ERR_IO, number);
}

enum err
sys_recv(int fd, void *to, size_t bytes, size_t *out_got)
{
    CHECK(bytes > 0);
    *out_got = 0;
    size_t want = bytes;
    if (__builtin_expect(is_tested, 0)) {
        enum err err = fault_find("recv");
        if (err != ERR_OK) {
            return err;
        }
        want = short_bytes(bytes);
    }
    ssize_t got = recv(fd, to, want, 0);
    while (got < 0 && errno == EINTR) {
        got = recv(fd, to, want, 0);
    }
    if (got < 0) {
        return transfer_failed(errno);
    }
    if (got == 0) {
        return ERR_EOF;
    }
    *out_got = (size_t)got;
    if (want < bytes && (size_t)got == want) {
        provoke_event(fd);
    }
    return ERR_OK;
}

static enum err
send_message(int fd, const struct msghdr *message, size_t *out_sent)
{
    ssize_t sent = sendmsg(fd, message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR) {
        sent = sendmsg(fd, message, MSG_NOSIGNAL);
    }
    if (sent < 0) {
        return transfer_failed(errno);
    }
    *out_sent = (size_t)sent;
    return ERR_OK;
}

enum err
sys_send(int fd, const void *from, size_t bytes, size_t *out_sent)
{
    *out_sent = 0;
    size_t want = bytes;
    if (__builtin_expect(is_tested, 0)) {
        enum err err = fault_find("send");
        if (err != ERR_OK) {
            return err;
        }
        want = short_bytes(bytes);
    }
    ssize_t sent = send(fd, from, want, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR) {
        sent = send(fd, from, want, MSG_NOSIGNAL);
    }
    if (sent < 0) {
        return transfer_failed(errno);
    }
    *out_sent = (size_t)sent;
    if (want < bytes && (size_t)sent == want) {
        provoke_event(fd);
    }
    return ERR_OK;
}

enum err
sys_sendv(int fd, const struct iovec *parts, int part_count, size_t *out_sent)
{
    CHECK(part_count > 0 && part_count <= IOV_MAX);
    if (part_count == 1) { /* the kernel has no vector to copy then */
        return sys_send(fd, parts[0].iov_base, parts[0].iov_len, out_sent);
    }
    *out_sent = 0;
    if (__builtin_expect(is_tested, 0)) {
        enum err err = fault_find("send");
        if (err != ERR_OK) {
            return err;
        }
        if (short_state != 0) {
            /* The first part that has bytes, and of it a part: short enough for a test. */
            int i = 0;
            while (i + 1 < part_count && parts[i].iov_len == 0) {
                i++;
            }
            size_t want = short_bytes(parts[i].iov_len);
            struct iovec part = { parts[i].iov_base, want };
            enum err sent =
                send_message(fd, &(struct msghdr){ .msg_iov = &part, .msg_iovlen = 1 }, out_sent);
            if (sent == ERR_OK && *out_sent == want) {
                provoke_event(fd);
            }
            return sent;
        }
    }
    union {
        const struct iovec *given;
        struct iovec *wanted; /* sendmsg does not write there; its prototype does not say so */
    } vector = { .given = parts };
    struct msghdr message = { .msg_iov = vector.wanted, .msg_iovlen = (size_t)part_count };
    return send_message(fd, &message, out_sent);
}

enum err
sys_accept(int fd, struct sockaddr_storage *peer, socklen_t *peer_bytes, int *out_fd)
{
    *out_fd = -1;
    enum err err = fault("accept");
    if (err != ERR_OK) {
        return err;
    }
    socklen_t bytes = sizeof(*peer);
    int got = accept4(fd, (struct sockaddr *)peer, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (got < 0 && (errno == EINTR || errno == ECONNABORTED)) {
        /* Aborted: that client left while it waited in the queue; the next one may be there. */
        bytes = sizeof(*peer);
        got = accept4(fd, (struct sockaddr *)peer, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    if (got < 0) {
        int number = errno;
        if (number == EAGAIN) {
            return ERR_AGAIN;
        }
        bool is_full =
            number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM;
        return fail(is_full ? ERR_FULL : ERR_IO, number);
    }
    *peer_bytes = bytes;
    *out_fd = got;
    return ERR_OK;
}

enum err
sys_connect(const struct sockaddr *to, socklen_t to_bytes, int *out_fd)
{
    *out_fd = -1;
    enum err err = fault("connect");
    if (err != ERR_OK) {
        return err;
    }
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        int number = errno;
        return fail(number == EMFILE || number == ENFILE ? ERR_FULL : ERR_REFUSED, number);
    }
    int yes = 1;
    if (to->sa_family != AF_UNIX &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) != 0) {
        fail(ERR_IO, errno); /* slower, not wrong */
    }
    if (connect(fd, to, to_bytes) == 0) {
        *out_fd = fd;
        return ERR_OK;
    }
    int number = errno;
    if (number == EINPROGRESS || number == EINTR) {
        *out_fd = fd;
        return ERR_AGAIN;
    }
    close(fd);
    return fail(ERR_REFUSED, number);
}

enum err
sys_connect_result(int fd)
{
    enum err err = fault("connect_result");
    if (err != ERR_OK) {
        return err;
    }
    int number = 0;
    socklen_t bytes = sizeof(number);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &bytes) != 0) {
        number = errno;
    }
    if (number == 0) {
        return ERR_OK;
    }
    return fail(number == ETIMEDOUT ? ERR_TIMEOUT : ERR_REFUSED, number);
}

/* Not repeated after EINTR: on Linux the number is free then, and may be somebody else's already.
 */
void
sys_close(int *fd)
{
    if (*fd < 0) {
        return;
    }
    int closed = close(*fd);
    CHECK(closed == 0 || errno != EBADF);
    *fd = -1;
}

/* --- files --- */

static enum err
open_failed(int number)
{
    if (number == ENOENT || number == ENOTDIR) {
        return fail(ERR_GONE, number);
    }
    bool is_denied = number == EACCES || number == EPERM || number == EEXIST || number == EROFS;
    bool is_full = number == EMFILE || number == ENFILE || number == ENOSPC || number == EDQUOT;
    return fail(is_denied ? ERR_DENIED : is_full ? ERR_FULL : ERR_IO, number);
}

static enum err
read_all(int fd, char *to, size_t bytes, size_t *out_got)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = read(fd, to + done, bytes - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail(ERR_IO, errno);
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    *out_got = done;
    return ERR_OK;
}

static enum err
read_open_file(int fd, size_t bytes_max, struct arena *arena, struct str *out)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return fail(ERR_IO, errno);
    }
    size_t want = bytes_max < UNSIZED_FILE_BYTES ? bytes_max : UNSIZED_FILE_BYTES;
    if (S_ISREG(status.st_mode) && status.st_size > 0) {
        want = (size_t)status.st_size;
    }
    if (want > bytes_max) {
        return fail(ERR_FULL, EFBIG);
    }
    char *text = arena_alloc_raw(arena, want + 1);
    if (text == NULL) {
        return fail(ERR_FULL, ENOMEM);
    }
    size_t got = 0;
    enum err err = read_all(fd, text, want + 1, &got);
    if (err != ERR_OK) {
        return err;
    }
    if (got > want) {
        return fail(ERR_FULL, EFBIG); /* more than it said it has: it is being written */
    }
    text[got] = '\0';
    *out = str_make(text, got);
    return ERR_OK;
}

enum err
sys_read_file(const char *path, size_t bytes_max, struct arena *arena, struct str *out)
{
    *out = (struct str){ NULL, 0 };
    enum err err = fault("read_file");
    if (err != ERR_OK) {
        return err;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return open_failed(errno);
    }
    err = read_open_file(fd, bytes_max, arena, out);
    sys_close(&fd);
    return err;
}

static enum err
write_all(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t wrote = write(fd, bytes.data, bytes.len);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote < 0) {
            return fail(errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, errno);
        }
        bytes = str_skip(bytes, (size_t)wrote);
    }
    return ERR_OK;
}

/* A new name is on disk only when its directory is. */
static enum err
sync_directory_of(const char *path)
{
    char copy[PATH_MAX];
    if (!str_copy(copy, sizeof(copy), str_of(path))) {
        return fail(ERR_IO, ENAMETOOLONG);
    }
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return open_failed(errno);
    }
    enum err err = fsync(fd) == 0 ? ERR_OK : fail(ERR_IO, errno);
    sys_close(&fd);
    return err;
}

enum err
sys_write_new_file(const char *path, uint32_t mode, struct str bytes)
{
    enum err err = fault("write_new_file");
    if (err != ERR_OK) {
        return err;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    if (fd < 0) {
        return open_failed(errno);
    }
    /* The umask may have taken bits away that the caller asked for. */
    err = fchmod(fd, (mode_t)mode) == 0 ? write_all(fd, bytes) : fail(ERR_IO, errno);
    if (err == ERR_OK && fsync(fd) != 0) {
        err = fail(ERR_IO, errno);
    }
    sys_close(&fd);
    if (err == ERR_OK) {
        err = sync_directory_of(path);
    }
    if (err != ERR_OK) {
        unlink(path); /* half a file would be taken for a whole one */
    }
    return err;
}

/* --- title --- */

static char *title_area; /* where the kernel looks for the command line */
static size_t title_area_bytes;

/* The strings of a NULL-terminated array that lie one behind the other from `end` on. */
static char *
area_end(char *const *strings, char *end)
{
    for (; *strings != NULL; strings++) {
        if (*strings == end) {
            end = *strings + strlen(*strings) + 1;
        }
    }
    return end;
}

/* Memory for the whole life of the process; when there is none, the string stays where it is. */
static bool
move_strings(char **strings)
{
    for (; *strings != NULL; strings++) {
        char *copy = strdup(*strings);
        if (copy == NULL) {
            return false;
        }
        *strings = copy;
    }
    return true;
}

void
sys_title_init(int argc, char **argv)
{
    if (argc < 1 || argv[0] == NULL || title_area != NULL) {
        return;
    }
    char *area = argv[0];
    char *end = area_end(environ, area_end(argv, area));
    if (!move_strings(argv) || !move_strings(environ)) {
        return; /* no memory: the title stays as it is */
    }
    program_invocation_name = argv[0];
    char *slash = strrchr(argv[0], '/');
    program_invocation_short_name = slash == NULL ? argv[0] : slash + 1;
    title_area = area;
    title_area_bytes = (size_t)(end - area);
}

/* The short name, which `top` and a core file show: the title without blanks, 15 characters. */
static void
set_short_name(const char *title)
{
    char name[16];
    size_t len = 0;
    for (; *title != '\0' && len < sizeof(name) - 1; title++) {
        if (*title != ' ') {
            name[len++] = *title;
        }
    }
    name[len] = '\0';
    CHECK(prctl(PR_SET_NAME, name) == 0);
}

void
sys_title(const char *format, ...)
{
    char title[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(title, sizeof(title), format, args);
    va_end(args);
    CHECK(len >= 0);
    set_short_name(title);
    if (title_area == NULL || title_area_bytes < 2) {
        return;
    }
    memset(title_area, 0, title_area_bytes);
    size_t bytes = strlen(title);
    if (bytes > title_area_bytes - 1) {
        bytes = title_area_bytes - 1;
    }
    memcpy(title_area, title, bytes);
}

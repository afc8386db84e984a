#include "master/seat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"

static const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

static int
open_file(const char *dir, int flags)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/master.lock", dir);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static enum err
deny(int fd, const char *dir, char why[SEAT_WHY_BYTES])
{
    struct flock lock = whole;
    if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) {
        return ERR_OK;
    }
    snprintf(why, SEAT_WHY_BYTES,
             "another sub2api (pid %d) runs with the store in %.100s: stop it (sub2apictl stop), "
             "or give this one its own [store] dir",
             (int)lock.l_pid, dir);
    return ERR_DENIED;
}

enum err
seat_check(const char *dir, char why[SEAT_WHY_BYTES])
{
    int fd = open_file(dir, O_RDONLY);
    if (fd < 0) {
        return ERR_OK; /* Nobody has been here yet; or we may not look, and seat_take will say so.
                        */
    }
    enum err err = deny(fd, dir, why);
    sys_close(&fd);
    return err;
}

enum err
seat_take(const char *dir, char why[SEAT_WHY_BYTES])
{
    int fd = open_file(dir, O_RDWR | O_CREAT);
    if (fd < 0) {
        snprintf(why, SEAT_WHY_BYTES, "cannot open master.lock in %.150s: %s", dir,
                 strerror(errno));
        return ERR_IO;
    }
    struct flock lock = whole;
    if (fcntl(fd, F_SETLK, &lock) == 0) {
        return ERR_OK; /* The descriptor stays open: closing it would give the seat away. */
    }
    snprintf(why, SEAT_WHY_BYTES, "cannot lock master.lock in %.150s: %s", dir, strerror(errno));
    enum err err = deny(fd, dir, why);
    sys_close(&fd);
    return err == ERR_OK ? ERR_IO : err;
}

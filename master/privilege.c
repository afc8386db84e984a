#include "master/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

/* A directory that root made could not be written by the user it is for. */
static enum err
make_dir(const char *dir, const struct passwd *entry, char why[PRIVILEGE_WHY_BYTES])
{
    if (mkdir(dir, 0700) != 0) {
        if (errno == EEXIST) {
            return ERR_OK;
        }
        snprintf(why, PRIVILEGE_WHY_BYTES, "cannot make [store] dir %.150s: %s", dir,
                 strerror(errno));
        return ERR_DENIED;
    }
    if (chown(dir, entry->pw_uid, entry->pw_gid) != 0) {
        snprintf(why, PRIVILEGE_WHY_BYTES, "cannot give [store] dir %.100s to %.50s: %s", dir,
                 entry->pw_name, strerror(errno));
        return ERR_DENIED;
    }
    return ERR_OK;
}

enum err
privilege_drop(const char *user, const char *store_dir, char why[PRIVILEGE_WHY_BYTES])
{
    if (user[0] == '\0') {
        return ERR_OK;
    }
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL) {
        snprintf(why, PRIVILEGE_WHY_BYTES, "[master] user: this system has no user %.60s", user);
        return ERR_GONE;
    }
    if (geteuid() == entry->pw_uid) {
        return ERR_OK;
    }
    if (geteuid() != 0) {
        snprintf(why, PRIVILEGE_WHY_BYTES,
                 "[master] user: only root can become %.60s; start as root, or as that user and "
                 "leave the setting empty",
                 user);
        return ERR_DENIED;
    }
    enum err err = make_dir(store_dir, entry, why);
    if (err != ERR_OK) {
        return err;
    }
    if (initgroups(user, entry->pw_gid) != 0 ||
        setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 ||
        setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0) {
        snprintf(why, PRIVILEGE_WHY_BYTES, "[master] user: cannot become %.60s: %s", user,
                 strerror(errno));
        return ERR_DENIED;
    }
    CHECK(entry->pw_uid == 0 || setuid(0) != 0); /* There is no way back. */
    return ERR_OK;
}

uint64_t
privilege_raise_files(uint64_t wanted)
{
    struct rlimit limit;
    int result = getrlimit(RLIMIT_NOFILE, &limit);
    CHECK(result == 0);
    if (limit.rlim_cur >= wanted) {
        return limit.rlim_cur;
    }
    struct rlimit more = { wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted };
    if (setrlimit(RLIMIT_NOFILE, &more) == 0) {
        return wanted;
    }
    more = (struct rlimit){ limit.rlim_max, limit.rlim_max };
    return setrlimit(RLIMIT_NOFILE, &more) == 0 ? limit.rlim_max : limit.rlim_cur;
}

/* Becoming the configured user. What only root can try is tried where the tests run as root. */
#include <criterion/criterion.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/privilege.h"

/* The user that every system has and nobody uses. */
#define OTHER "nobody"

static char dir[] = "/tmp/sub2api-test-XXXXXX";
static char store[64];

static void
make_place(void)
{
    cr_assert_not_null(mkdtemp(dir));
    snprintf(store, sizeof store, "%s/data", dir);
}

static void
leave(void)
{
    rmdir(store);
    rmdir(dir);
}

/* The exit code of `fn` in a process of its own: who it becomes there, the test does not. */
static int
code_of(int (*fn)(void))
{
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        _exit(fn());
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool
is_away_from_root(void)
{
    const struct passwd *entry = getpwnam(OTHER);
    return entry != NULL && setgroups(0, NULL) == 0 &&
           setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) == 0 &&
           setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) == 0;
}

Test(privilege, stays_who_it_is_unless_told)
{
    char why[PRIVILEGE_WHY_BYTES] = "";
    make_place();
    uid_t before = geteuid();
    cr_expect_eq(privilege_drop("", store, why), ERR_OK);
    const struct passwd *self = getpwuid(before);
    if (self != NULL) {
        cr_expect_eq(privilege_drop(self->pw_name, store, why), ERR_OK, "%s", why);
    }
    cr_expect_eq(geteuid(), before);
    cr_expect_neq(access(store, F_OK), 0, "nothing was made: the store makes its own directory");
    leave();
}

Test(privilege, names_a_user_that_does_not_exist)
{
    char why[PRIVILEGE_WHY_BYTES] = "";
    char long_name[200];
    memset(long_name, 'u', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    make_place();
    cr_expect_eq(privilege_drop("no-such-user-here", store, why), ERR_GONE);
    cr_expect(strstr(why, "no-such-user-here") != NULL && strstr(why, "[master] user") != NULL,
              "%s", why);
    cr_expect_eq(privilege_drop(long_name, store, why), ERR_GONE);
    cr_expect_neq(access(store, F_OK), 0);
    leave();
}

static int
tries_without_root(void)
{
    char why[PRIVILEGE_WHY_BYTES] = "";
    if (geteuid() == 0 && !is_away_from_root()) {
        return 10;
    }
    uid_t before = geteuid();
    if (privilege_drop("root", store, why) != ERR_DENIED) {
        return 11;
    }
    return strstr(why, "only root can become root") == NULL || geteuid() != before ? 12 : 0;
}

Test(privilege, only_root_becomes_somebody_else)
{
    make_place();
    cr_expect_eq(code_of(tries_without_root), 0);
    cr_expect_neq(access(store, F_OK), 0);
    leave();
}

static int
becomes_other(void)
{
    char why[PRIVILEGE_WHY_BYTES] = "";
    const struct passwd *entry = getpwnam(OTHER);
    if (entry == NULL) {
        return 20;
    }
    uid_t uid = entry->pw_uid;
    gid_t gid = entry->pw_gid;
    static const gid_t roots[] = { 0, 4 }; /* something to lose */
    if (setgroups(2, roots) != 0 || privilege_drop(OTHER, store, why) != ERR_OK) {
        return 21;
    }
    uid_t uids[3];
    gid_t gids[3];
    if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
        getresgid(&gids[0], &gids[1], &gids[2]) != 0) {
        return 22;
    }
    for (int i = 0; i < 3; i++) {
        if (uids[i] != uid || gids[i] != gid) {
            return 23;
        }
    }
    gid_t groups[64];
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++) {
        if (groups[i] == 0) {
            return 24; /* root's group would open root's files */
        }
    }
    if (setuid(0) == 0 || setgid(0) == 0) {
        return 25;
    }
    struct stat stat_of;
    if (stat(store, &stat_of) != 0 || stat_of.st_uid != uid || stat_of.st_gid != gid ||
        (stat_of.st_mode & 07777) != 0700) {
        return 26;
    }
    /* A second time, as at a restart within the same life: it is who it should be. */
    return privilege_drop(OTHER, store, why) == ERR_OK ? 0 : 27;
}

Test(privilege, root_becomes_the_user_for_good_and_makes_the_store_for_it)
{
    if (geteuid() != 0) {
        cr_skip_test("only root can try this");
    }
    make_place();
    cr_assert_eq(chmod(dir, 0755), 0);
    umask(022);
    cr_expect_eq(code_of(becomes_other), 0);
    leave();
}

static int
cannot_make_the_store(void)
{
    char why[PRIVILEGE_WHY_BYTES] = "";
    if (privilege_drop(OTHER, "/nowhere/at/all/data", why) != ERR_DENIED) {
        return 30;
    }
    return strstr(why, "/nowhere/at/all/data") == NULL || geteuid() != 0 ? 31 : 0;
}

static int
takes_a_store_that_is_there(void)
{
    char why[PRIVILEGE_WHY_BYTES] = "";
    struct stat stat_of;
    if (mkdir(store, 0750) != 0 || privilege_drop(OTHER, store, why) != ERR_OK) {
        return 40;
    }
    return stat(store, &stat_of) == 0 && stat_of.st_uid == 0 ? 0 : 41;
}

Test(privilege, says_why_a_store_cannot_be_made_and_leaves_an_old_one_alone)
{
    if (geteuid() != 0) {
        cr_skip_test("only root can try this");
    }
    make_place();
    cr_assert_eq(chmod(dir, 0755), 0);
    cr_expect_eq(code_of(cannot_make_the_store), 0);
    cr_expect_eq(code_of(takes_a_store_that_is_there), 0);
    leave();
}

static uint64_t
files_now(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

static int
raises_files(void)
{
    struct rlimit limit = { 128, 256 };
    if (geteuid() == 0 && !is_away_from_root()) {
        return 50;
    }
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 51;
    }
    if (privilege_raise_files(100) != 128 || files_now() != 128) {
        return 52; /* enough already: nothing is lowered */
    }
    if (privilege_raise_files(200) != 200 || files_now() != 200) {
        return 53;
    }
    return privilege_raise_files(1000) == 256 && files_now() == 256 ? 0 : 54;
}

Test(privilege, raises_the_descriptors_as_far_as_it_may)
{
    cr_expect_eq(code_of(raises_files), 0);
}

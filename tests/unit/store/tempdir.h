/*
 * tempdir.h - a directory for one test, removed when the test is over.
 */
#ifndef TESTS_UNIT_STORE_TEMPDIR_H
#define TESTS_UNIT_STORE_TEMPDIR_H

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/ledger.h"
#include "store/object.h"

#define TEMPDIR_MAP_BYTES (64u * 1024 * 1024)

static char tempdir[256];

static int
tempdir_remove_one(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
    (void)stat;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void
tempdir_make(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(tempdir, sizeof(tempdir), "%s/store-test-XXXXXX", base == NULL ? "/tmp" : base);
    cr_assert_not_null(mkdtemp(tempdir));
}

static inline void
tempdir_remove(void)
{
    nftw(tempdir, tempdir_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *
tempdir_path(const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", tempdir, name);
    return path;
}

/* A prepared store, opened by the writer. */
static inline struct ledger *
tempdir_ledger(void)
{
    struct ledger *ledger = NULL;
    char why[256];
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger), ERR_OK);
    return ledger;
}

/* The exit code of a forked child; 128 + the signal that ended it. */
static inline int
tempdir_wait(pid_t pid)
{
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static inline enum err
tempdir_make_user(struct ledger *ledger, const char *name)
{
    struct user user;
    model_defaults(MODEL_USER, &user);
    snprintf(user.name, sizeof(user.name), "%s", name);
    return ledger_create(ledger, MODEL_USER, &user);
}

static inline enum err
tempdir_make_group(struct ledger *ledger, const char *name)
{
    struct group group;
    model_defaults(MODEL_GROUP, &group);
    snprintf(group.name, sizeof(group.name), "%s", name);
    return ledger_create(ledger, MODEL_GROUP, &group);
}

/* The key's text is its name. */
static inline enum err
tempdir_make_key(struct ledger *ledger, const char *name, const char *user, const char *group)
{
    struct key key;
    model_defaults(MODEL_KEY, &key);
    snprintf(key.name, sizeof(key.name), "%s", name);
    snprintf(key.user, sizeof(key.user), "%s", user);
    snprintf(key.group, sizeof(key.group), "%s", group);
    digest_sha256(str_of(name), &key.digest);
    return ledger_create(ledger, MODEL_KEY, &key);
}

static inline enum err
tempdir_make_account(struct ledger *ledger, const char *name, const char *groups, uint32_t priority,
                     struct account *out)
{
    static struct account account;
    model_defaults(MODEL_ACCOUNT, &account);
    snprintf(account.name, sizeof(account.name), "%s", name);
    snprintf(account.groups, sizeof(account.groups), "%s", groups);
    snprintf(account.base_url, sizeof(account.base_url), "https://api.example.com/v1");
    account.priority = priority;
    enum err err = ledger_create(ledger, MODEL_ACCOUNT, &account);
    if (out != NULL) {
        *out = account;
    }
    return err;
}

#endif

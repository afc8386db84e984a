/*
 * secret.c - the key file, sealing, and memory that does not leave the process.
 */
#include "store/secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/rand.h"
#include "base/sys.h"

#define PATH_BYTES 512

struct secret {
    struct secret_area area;
    uint8_t *key; /* DIGEST_KEY_BYTES in the area */
};

static bool
make_path(char path[PATH_BYTES], const char *dir, const char *name, char why[SECRET_WHY_BYTES])
{
    int len = snprintf(path, PATH_BYTES, "%s/%s", dir, name);
    if (len < 0 || len >= PATH_BYTES) {
        snprintf(why, SECRET_WHY_BYTES, "the path of the store's directory is too long");
        return false;
    }
    return true;
}

/* The mode is asked of the open descriptor, so that it is that of the bytes which are read. */
static enum err
read_key(int fd, const char *path, uint8_t key[DIGEST_KEY_BYTES], char why[SECRET_WHY_BYTES])
{
    struct stat stat;
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) {
        snprintf(why, SECRET_WHY_BYTES, "%.180s is not a regular file", path);
        return ERR_BAD;
    }
    if ((stat.st_mode & 077) != 0) {
        snprintf(why, SECRET_WHY_BYTES,
                 "%.120s may be read or written by group or others (mode %03o): chmod 600 it, and "
                 "renew the credentials if somebody may have read it",
                 path, (unsigned)stat.st_mode & 0777u);
        return ERR_DENIED;
    }
    if (stat.st_size != DIGEST_KEY_BYTES || pread(fd, key, DIGEST_KEY_BYTES, 0) != stat.st_size) {
        snprintf(why, SECRET_WHY_BYTES, "%.160s is not a key: it must have %d bytes and has %lld",
                 path, DIGEST_KEY_BYTES, (long long)stat.st_size);
        return ERR_BAD;
    }
    return ERR_OK;
}

static enum err
load_key(const char *dir, uint8_t key[DIGEST_KEY_BYTES], char why[SECRET_WHY_BYTES])
{
    char path[PATH_BYTES];
    if (!make_path(path, dir, "secret.key", why)) {
        return ERR_BAD;
    }
    struct stat stat;
    if (lstat(path, &stat) != 0) {
        snprintf(why, SECRET_WHY_BYTES, "%.180s cannot be found: %m", path);
        return ERR_GONE;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(why, SECRET_WHY_BYTES, "%.180s cannot be read: %m", path);
        return ERR_DENIED;
    }
    enum err err = read_key(fd, path, key, why);
    close(fd);
    return err;
}

static void
sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* Written under another name first: a secret.key that exists is always whole. */
static enum err
make_key(const char *dir, char why[SECRET_WHY_BYTES])
{
    char path[PATH_BYTES];
    char fresh[PATH_BYTES];
    if (!make_path(path, dir, "secret.key", why) || !make_path(fresh, dir, "secret.key.new", why)) {
        return ERR_BAD;
    }
    uint8_t key[DIGEST_KEY_BYTES];
    rand_bytes(key, sizeof(key));
    unlink(fresh);
    enum err err = sys_write_new_file(fresh, 0600, str_make((const char *)key, sizeof(key)));
    digest_wipe(key, sizeof(key));
    if (err != ERR_OK) {
        snprintf(why, SECRET_WHY_BYTES, "%.160s cannot be written: %.64s", fresh, sys_why());
        return err;
    }
    /* link() and not rename(): a key that another start made meanwhile is never replaced. */
    if (link(fresh, path) != 0) {
        snprintf(why, SECRET_WHY_BYTES, "%.180s cannot be made: %m", path);
        err = ERR_IO;
    }
    unlink(fresh);
    sync_dir(dir);
    return err;
}

enum err
secret_prepare(const char *dir, bool may_make, char why[SECRET_WHY_BYTES])
{
    uint8_t key[DIGEST_KEY_BYTES];
    enum err err = load_key(dir, key, why);
    if (err == ERR_GONE && may_make) {
        err = make_key(dir, why);
        if (err == ERR_OK) {
            err = load_key(dir, key, why);
        }
    }
    digest_wipe(key, sizeof(key));
    return err;
}

enum err
secret_load(const char *dir, struct secret **out, char why[SECRET_WHY_BYTES])
{
    *out = NULL;
    struct secret *secret = calloc(1, sizeof(*secret));
    if (secret == NULL || secret_area_make(&secret->area, DIGEST_KEY_BYTES) != ERR_OK) {
        free(secret);
        snprintf(why, SECRET_WHY_BYTES, "no memory for the key");
        return ERR_IO;
    }
    secret->key = secret_area_cut(&secret->area, DIGEST_KEY_BYTES);
    CHECK(secret->key != NULL);
    enum err err = load_key(dir, secret->key, why);
    if (err != ERR_OK) {
        secret_free(secret);
        return err;
    }
    *out = secret;
    return ERR_OK;
}

void
secret_free(struct secret *secret)
{
    if (secret != NULL) {
        secret_area_free(&secret->area);
        free(secret);
    }
}

void
secret_derive(const struct secret *secret, struct str label, struct digest *out)
{
    CHECK(secret != NULL && label.len > 0);
    digest_hmac(str_make((const char *)secret->key, DIGEST_KEY_BYTES), label, out);
}

enum err
secret_seal(const struct secret *secret, struct str context, struct str plain, uint8_t *out)
{
    CHECK(secret->key != NULL);
    return digest_seal(secret->key, context, plain, out);
}

enum err
secret_open(const struct secret *secret, struct str context, struct str sealed, uint8_t *out)
{
    CHECK(secret->key != NULL);
    if (sealed.len < DIGEST_SEAL_EXTRA_BYTES) {
        return ERR_BAD;
    }
    enum err err = digest_open(secret->key, context, sealed, out);
    if (err != ERR_OK) {
        digest_wipe(out, sealed.len - DIGEST_SEAL_EXTRA_BYTES);
    }
    return err;
}

enum err
secret_area_make(struct secret_area *area, size_t bytes)
{
    *area = (struct secret_area){ NULL, 0, 0 };
    if (bytes == 0) {
        return ERR_OK;
    }
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return ERR_IO;
    }
    /* Best effort: a kernel or a memory lock limit that refuses does not make it worse. */
    (void)madvise(at, bytes, MADV_DONTDUMP);
    (void)mlock(at, bytes);
    *area = (struct secret_area){ at, bytes, 0 };
    return ERR_OK;
}

void *
secret_area_cut(struct secret_area *area, size_t bytes)
{
    CHECK(area->used <= area->size);
    if (area->bytes == NULL || bytes > area->size - area->used) {
        return NULL;
    }
    void *at = area->bytes + area->used;
    area->used += bytes;
    return at;
}

void
secret_area_free(struct secret_area *area)
{
    if (area->bytes != NULL) {
        digest_wipe(area->bytes, area->size);
        munmap(area->bytes, area->size);
    }
    *area = (struct secret_area){ NULL, 0, 0 };
}

#include "store/proxy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "store/match.h"

#define CONTEXT_BYTES 40u

static const struct str mark = { "***", 3 };

/* The password's place in the URL; empty when there is none. */
static struct str
password_of(const struct account *account)
{
    struct match_url url;
    if (account->proxy[0] == '\0' || !match_url(str_of(account->proxy), &url)) {
        return str_make(NULL, 0);
    }
    struct str password = url.userinfo;
    (void)str_cut(&password, ':');
    return password;
}

static struct str
make_context(char out[CONTEXT_BYTES], const struct account *account)
{
    CHECK(account->id != 0);
    int len = snprintf(out, CONTEXT_BYTES, "proxy:%" PRIu64, account->id);
    CHECK(len > 0 && (size_t)len < CONTEXT_BYTES);
    return str_make(out, (size_t)len);
}

bool
proxy_is_bare(const struct account *account)
{
    struct str password = password_of(account);
    return password.len > 0 && !str_equal(password, mark);
}

static void
forget(struct account *account)
{
    explicit_bzero(account->proxy_sealed, sizeof(account->proxy_sealed));
    account->proxy_sealed_bytes = 0;
}

/* Puts the mark where the password stands; what was behind it moves, and nothing is left of it. */
static void
put_mark(struct account *account, struct str password)
{
    size_t at = (size_t)(password.data - account->proxy);
    size_t rest = strlen(account->proxy) - at - password.len;
    memmove(account->proxy + at + mark.len, account->proxy + at + password.len, rest);
    memcpy(account->proxy + at, mark.data, mark.len);
    size_t end = at + mark.len + rest;
    explicit_bzero(account->proxy + end, sizeof(account->proxy) - end);
}

enum err
proxy_seal(const struct secret *secret, struct account *account)
{
    char context[CONTEXT_BYTES];
    struct str password = password_of(account);
    if (password.len == 0) {
        forget(account);
        return ERR_OK;
    }
    if (str_equal(password, mark)) {
        return ERR_OK;
    }
    if (strlen(account->proxy) - password.len + mark.len >= sizeof(account->proxy)) {
        return ERR_BAD;
    }
    enum err err =
        secret_seal(secret, make_context(context, account), password, account->proxy_sealed);
    if (err == ERR_OK) {
        account->proxy_sealed_bytes = (uint32_t)(password.len + DIGEST_SEAL_EXTRA_BYTES);
        put_mark(account, password);
    }
    return err;
}

size_t
proxy_password_bytes(const struct account *account)
{
    return account->proxy_sealed_bytes > DIGEST_SEAL_EXTRA_BYTES
               ? account->proxy_sealed_bytes - DIGEST_SEAL_EXTRA_BYTES
               : 0;
}

enum err
proxy_open(const struct secret *secret, const struct account *account, uint8_t *out)
{
    char context[CONTEXT_BYTES];
    struct str sealed = str_make((const char *)account->proxy_sealed, account->proxy_sealed_bytes);
    return secret_open(secret, make_context(context, account), sealed, out);
}

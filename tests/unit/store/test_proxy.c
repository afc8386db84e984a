/* The password of a proxy: in no record as it was written, opened only where it belongs. */
#include "store/proxy.h"

#include "store/match.h"
#include "tests/unit/store/tempdir.h"

TestSuite(proxy, .init = tempdir_make, .fini = tempdir_remove);

static struct account account;

static struct secret *
make_secret(void)
{
    struct secret *secret = NULL;
    char why[SECRET_WHY_BYTES];
    cr_assert_eq(secret_prepare(tempdir, true, why), ERR_OK, "%s", why);
    cr_assert_eq(secret_load(tempdir, &secret, why), ERR_OK, "%s", why);
    return secret;
}

static void
set(uint64_t id, const char *url)
{
    model_defaults(MODEL_ACCOUNT, &account);
    account.id = id;
    cr_assert(str_copy(account.proxy, sizeof(account.proxy), str_of(url)));
}

static void
expect_password(const struct secret *secret, const char *password)
{
    uint8_t plain[URL_BYTES];
    cr_assert_eq(proxy_password_bytes(&account), strlen(password));
    cr_assert_eq(proxy_open(secret, &account, plain), ERR_OK);
    cr_expect_eq(memcmp(plain, password, strlen(password)), 0, "%s", password);
}

Test(proxy, a_password_leaves_the_url_whatever_its_length)
{
    static const struct {
        const char *url;
        const char *stored;
        const char *password;
    } rows[] = {
        { "http://joe:hunter2@p.test:3128", "http://joe:***@p.test:3128", "hunter2" },
        { "socks5://joe:x@[::1]:1080/", "socks5://joe:***@[::1]:1080/", "x" },
        { "http://joe:a:b@c@p.test:1", "http://joe:***@p.test:1", "a:b@c" },
        { "http://:only@p.test:1", "http://:***@p.test:1", "only" },
        { "http://joe:****@p.test:1", "http://joe:***@p.test:1", "****" },
    };
    struct secret *secret = make_secret();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set(i + 1, rows[i].url);
        cr_expect(proxy_is_bare(&account), "%s", rows[i].url);
        cr_assert_eq(proxy_seal(secret, &account), ERR_OK);
        cr_expect_str_eq(account.proxy, rows[i].stored);
        cr_expect_not(proxy_is_bare(&account));
        expect_password(secret, rows[i].password);
        /* Not a byte of it is left in the record. */
        if (strlen(rows[i].password) > 3) {
            cr_expect_null(
                memmem(&account, sizeof(account), rows[i].password, strlen(rows[i].password)));
        }
    }
    secret_free(secret);
}

Test(proxy, without_a_password_nothing_is_sealed)
{
    static const char *const urls[] = { "", "http://p.test:1", "http://joe@p.test:1",
                                        "http://joe:@p.test:1", "no url: at@all" };
    struct secret *secret = make_secret();
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        set(1, urls[i]);
        cr_expect_not(proxy_is_bare(&account), "%s", urls[i]);
        cr_assert_eq(proxy_seal(secret, &account), ERR_OK);
        cr_expect_str_eq(account.proxy, urls[i]);
        cr_expect_eq(proxy_password_bytes(&account), 0);
    }
    secret_free(secret);
}

Test(proxy, the_mark_keeps_a_password_and_a_url_without_one_forgets_it)
{
    struct secret *secret = make_secret();
    set(1, "http://joe:hunter2@p.test:1");
    cr_assert_eq(proxy_seal(secret, &account), ERR_OK);
    cr_assert(str_copy(account.proxy, sizeof(account.proxy), STR("http://joe:***@q.test:2")));
    cr_assert_eq(proxy_seal(secret, &account), ERR_OK);
    expect_password(secret, "hunter2");
    cr_assert(str_copy(account.proxy, sizeof(account.proxy), STR("http://joe:other@q.test:2")));
    cr_assert_eq(proxy_seal(secret, &account), ERR_OK);
    expect_password(secret, "other");
    cr_assert(str_copy(account.proxy, sizeof(account.proxy), STR("http://q.test:2")));
    cr_assert_eq(proxy_seal(secret, &account), ERR_OK);
    cr_expect_eq(account.proxy_sealed_bytes, 0);
    secret_free(secret);
}

Test(proxy, opens_in_its_record_only_and_not_as_a_credential)
{
    struct secret *secret = make_secret();
    uint8_t plain[URL_BYTES];
    set(7, "http://joe:hunter2@p.test:1");
    cr_assert_eq(proxy_seal(secret, &account), ERR_OK);
    struct str sealed = str_make((const char *)account.proxy_sealed, account.proxy_sealed_bytes);
    cr_expect_eq(secret_open(secret, STR("account:7"), sealed, plain), ERR_BAD);
    account.id = 8;
    cr_expect_eq(proxy_open(secret, &account, plain), ERR_BAD);
    account.id = 7;
    account.proxy_sealed[3] ^= 1;
    cr_expect_eq(proxy_open(secret, &account, plain), ERR_BAD);
    account.proxy_sealed[3] ^= 1;
    cr_expect_eq(proxy_open(secret, &account, plain), ERR_OK);
    secret_free(secret);
}

Test(proxy, a_url_without_room_for_the_mark_is_refused_whole)
{
    struct secret *secret = make_secret();
    set(1, "http://j:x@");
    size_t at = strlen(account.proxy);
    while (at < sizeof(account.proxy) - 1) {
        account.proxy[at] = at % 50 == 0 ? '.' : 'h';
        at++;
    }
    struct match_url url;
    cr_expect_not(match_url(str_of(account.proxy), &url), "no host is that long");
    cr_expect_not(proxy_is_bare(&account));
    /* A path may be: the longest URL that there can be, with a password shorter than the mark. */
    set(1, "http://j:x@p.test:1/");
    memset(account.proxy + 20, 'a', sizeof(account.proxy) - 21);
    account.proxy[sizeof(account.proxy) - 1] = '\0';
    cr_assert(proxy_is_bare(&account));
    cr_expect_eq(proxy_seal(secret, &account), ERR_BAD);
    cr_expect(proxy_is_bare(&account), "nothing was changed");
    account.proxy[sizeof(account.proxy) - 3] = '\0';
    cr_expect_eq(proxy_seal(secret, &account), ERR_OK);
    cr_expect_eq(strlen(account.proxy), sizeof(account.proxy) - 1);
    expect_password(secret, "x");
    secret_free(secret);
}

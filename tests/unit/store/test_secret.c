#include "store/secret.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/rand.h"
#include "base/sys.h"
#include "tests/unit/store/tempdir.h"

TestSuite(secret, .init = tempdir_make, .fini = tempdir_remove);

static char why[SECRET_WHY_BYTES];

static struct secret *
make_secret(void)
{
    struct secret *secret = NULL;
    cr_assert_eq(secret_prepare(tempdir, true, why), ERR_OK, "%s", why);
    cr_assert_eq(secret_load(tempdir, &secret, why), ERR_OK, "%s", why);
    return secret;
}

Test(secret, key_is_made_once_and_for_us_alone)
{
    cr_expect_eq(secret_prepare(tempdir, false, why), ERR_GONE);
    cr_expect_not_null(strstr(why, "secret.key"));
    cr_expect_eq(secret_prepare(tempdir, true, why), ERR_OK, "%s", why);
    struct stat first;
    struct stat second;
    cr_assert_eq(stat(tempdir_path("secret.key"), &first), 0);
    cr_expect_eq(first.st_mode & 0777u, 0600);
    cr_expect_eq(first.st_size, 32);
    cr_expect_eq(secret_prepare(tempdir, true, why), ERR_OK, "%s", why);
    cr_assert_eq(stat(tempdir_path("secret.key"), &second), 0);
    cr_expect_eq(first.st_ino, second.st_ino);
    cr_expect_neq(access(tempdir_path("secret.key.new"), F_OK), 0);
}

Test(secret, readable_by_others_or_of_another_size_is_refused)
{
    static const mode_t bad[] = { 0640, 0604, 0620, 0602, 0644, 0601 };
    struct secret *secret = NULL;
    cr_assert_eq(secret_prepare(tempdir, true, why), ERR_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(chmod(tempdir_path("secret.key"), bad[i]), 0);
        cr_expect_eq(secret_prepare(tempdir, true, why), ERR_DENIED);
        cr_expect_eq(secret_load(tempdir, &secret, why), ERR_DENIED);
        cr_expect_not_null(strstr(why, "chmod 600"));
    }
    cr_assert_eq(chmod(tempdir_path("secret.key"), 0600), 0);
    cr_assert_eq(truncate(tempdir_path("secret.key"), 31), 0);
    cr_expect_eq(secret_load(tempdir, &secret, why), ERR_BAD);
    cr_expect_eq(secret_prepare(tempdir, true, why), ERR_BAD);
    cr_assert_eq(truncate(tempdir_path("secret.key"), 33), 0);
    cr_expect_eq(secret_load(tempdir, &secret, why), ERR_BAD);
    cr_expect_null(secret);
}

Test(secret, what_a_died_start_left_is_in_nobodys_way)
{
    cr_assert_eq(sys_write_new_file(tempdir_path("secret.key.new"), 0600, STR("half")), ERR_OK);
    secret_free(make_secret());
}

Test(secret, sealed_opens_for_its_context_only)
{
    struct secret *secret = make_secret();
    uint8_t sealed[11 + DIGEST_SEAL_EXTRA_BYTES];
    uint8_t again[11 + DIGEST_SEAL_EXTRA_BYTES];
    uint8_t plain[11];
    struct str whole = str_make((const char *)sealed, sizeof(sealed));
    cr_assert_eq(secret_seal(secret, STR("account:1"), STR("sk-12345678"), sealed), ERR_OK);
    cr_assert_eq(secret_seal(secret, STR("account:1"), STR("sk-12345678"), again), ERR_OK);
    cr_expect_neq(memcmp(sealed, again, sizeof(sealed)), 0);
    cr_expect_eq(secret_open(secret, STR("account:1"), whole, plain), ERR_OK);
    cr_expect_eq(memcmp(plain, "sk-12345678", 11), 0);
    cr_expect_eq(secret_open(secret, STR("account:2"), whole, plain), ERR_BAD);
    cr_expect_neq(memcmp(plain, "sk-12345678", 11), 0);
    cr_expect_eq(secret_open(secret, STR("account:11"), whole, plain), ERR_BAD);
    cr_expect_eq(secret_open(secret, STR(""), whole, plain), ERR_BAD);
    secret_free(secret);
}

Test(secret, every_changed_or_missing_byte_is_refused)
{
    struct secret *secret = make_secret();
    uint8_t sealed[11 + DIGEST_SEAL_EXTRA_BYTES];
    uint8_t plain[11];
    cr_assert_eq(secret_seal(secret, STR("account:1"), STR("sk-12345678"), sealed), ERR_OK);
    struct str whole = str_make((const char *)sealed, sizeof(sealed));
    for (size_t i = 0; i < sizeof(sealed); i++) {
        for (int bit = 0; bit < 8; bit++) {
            sealed[i] ^= (uint8_t)(1 << bit);
            cr_expect_eq(secret_open(secret, STR("account:1"), whole, plain), ERR_BAD, "%zu", i);
            sealed[i] ^= (uint8_t)(1 << bit);
        }
        cr_expect_eq(secret_open(secret, STR("account:1"), str_make(whole.data, i), plain),
                     ERR_BAD);
    }
    cr_expect_eq(secret_open(secret, STR("account:1"), whole, plain), ERR_OK);
    secret_free(secret);
}

Test(secret, derived_keys_are_the_same_in_every_run)
{
    struct secret *secret = NULL;
    struct digest keys[3];
    for (int run = 0; run < 2; run++) {
        secret = make_secret();
        secret_derive(secret, STR("one"), &keys[run]);
        secret_derive(secret, STR("other"), &keys[2]);
        secret_free(secret);
    }
    cr_expect(digest_equal(&keys[0], &keys[1], sizeof keys[0]));
    cr_expect(!digest_equal(&keys[0], &keys[2], sizeof keys[0]), "a key for each label");
}

Test(secret, another_key_does_not_open)
{
    struct secret *secret = make_secret();
    uint8_t sealed[3 + DIGEST_SEAL_EXTRA_BYTES];
    uint8_t plain[3];
    cr_assert_eq(secret_seal(secret, STR("c"), STR("abc"), sealed), ERR_OK);
    secret_free(secret);
    cr_assert_eq(unlink(tempdir_path("secret.key")), 0);
    secret = make_secret();
    struct str whole = str_make((const char *)sealed, sizeof(sealed));
    cr_expect_eq(secret_open(secret, STR("c"), whole, plain), ERR_BAD);
    secret_free(secret);
}

/* Does the kernel say "dd" (do not dump) of the mapping that holds this address? */
static bool
is_kept_from_dumps(const void *at)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[512];
    bool is_inside = false;
    bool is_kept = false;
    cr_assert_not_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        uintptr_t start = 0;
        uintptr_t end = 0;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
            is_inside = (uintptr_t)at >= start && (uintptr_t)at < end;
        } else if (is_inside && strncmp(line, "VmFlags:", 8) == 0) {
            is_kept = strstr(line, " dd") != NULL;
        }
    }
    fclose(file);
    return is_kept;
}

Test(secret, area_is_kept_out_of_core_dumps_and_bounded)
{
    struct secret_area area;
    int on_stack = 0;
    cr_assert_eq(secret_area_make(&area, 100), ERR_OK);
    char *first = secret_area_cut(&area, 60);
    cr_assert_not_null(first);
    cr_expect_not(is_kept_from_dumps(&on_stack));
    cr_expect(is_kept_from_dumps(first));
    cr_expect_null(secret_area_cut(&area, 41));
    cr_expect_not_null(secret_area_cut(&area, 40));
    cr_expect_null(secret_area_cut(&area, 1));
    secret_area_free(&area);
    secret_area_free(&area);
    cr_assert_eq(secret_area_make(&area, 0), ERR_OK);
    cr_expect_null(secret_area_cut(&area, 1));
    secret_area_free(&area);
}

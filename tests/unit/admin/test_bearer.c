/* Keys and credentials in an admin's request: made, carried over, sealed, never kept as they came.
 */
#include "base/digest.h"
#include "tests/unit/admin/office.h"

static struct office *
open_with_joe(void)
{
    struct office *office = office_open();
    cr_assert_eq(office_ask(office, "POST", "/v1/users", "{\"name\":\"joe\"}"), 201);
    return office;
}

/* Does the data file hold these bytes? */
static bool
is_stored(const char *text)
{
    static char content[8u << 20];
    FILE *file = fopen(tempdir_path("data.mdb"), "rb");
    cr_assert_not_null(file);
    size_t got = fread(content, 1, sizeof content, file);
    fclose(file);
    return memmem(content, got, text, strlen(text)) != NULL;
}

Test(bearer, makes_keys_that_differ_and_stores_their_digests)
{
    struct office *office = open_with_joe();
    char keys[2][64];
    for (int i = 0; i < 2; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"name\":\"k%d\",\"user\":\"joe\"}", i);
        EXPECT(office, 201, "POST", "/v1/keys", json);
        const char *at = strstr(office->body, "\"key\":\"");
        cr_assert_not_null(at);
        cr_assert(str_copy(keys[i], sizeof keys[i], str_make(at + 7, strcspn(at + 7, "\""))));
        cr_expect_eq(strlen(keys[i]), 47, "%s", keys[i]);
        cr_expect(!is_stored(keys[i]));
    }
    cr_expect_str_neq(keys[0], keys[1]);
    office_close(office);
}

Test(bearer, carries_an_existing_key_over)
{
    struct office *office = open_with_joe();
    EXPECT(office, 201, "POST", "/v1/keys",
           "{\"name\":\"k\",\"key\":\"sk-mine-\\u0061nd-long-enough\",\"user\":\"joe\",\"rpm\":7}");
    cr_expect(!office_says(office, "long-enough"), "its owner has it: %s", office->body);
    SAYS(office, "\"rpm\":7"); /* what stands behind it is read as well */
    cr_expect(!is_stored("sk-mine-and-long-enough"));
    struct digest digest;
    struct ledger *ledger = NULL;
    static struct key key;
    cr_assert(kill(office->pid, SIGTERM) == 0);
    cr_assert_eq(tempdir_wait(office->pid), 0);
    cr_assert(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger) == ERR_OK);
    cr_assert(ledger_find(ledger, MODEL_KEY, STR("k"), &key) == ERR_OK);
    digest_sha256(STR("sk-mine-and-long-enough"), &digest);
    cr_expect_eq(memcmp(&digest, &key.digest, sizeof digest), 0);
    cr_expect_leq(strlen(key.prefix), strlen("sk-mine-and-long-enough") / 3);
    ledger_close(ledger);
    office_clear(office);
}

Test(bearer, refuses_what_cannot_be_one)
{
    struct office *office = open_with_joe();
    static const char *const keys[] = { "\"short\"",
                                        "\"fifteen-letters\"",
                                        "\"has a blank in it ...\"",
                                        "\"has\\nlines-in-it....\"",
                                        "\"nul-\\u0000-in-it......\"",
                                        "\"\xc3\xa4\xc3\xa4\xc3\xa4-not-ascii......\"",
                                        "7",
                                        "null",
                                        "[\"sk-mine-and-long-enough\"]" };
    char json[1024];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        snprintf(json, sizeof json, "{\"name\":\"k\",\"user\":\"joe\",\"key\":%s}", keys[i]);
        EXPECT(office, 400, "POST", "/v1/keys", json);
        SAYS(office, "key: must be 16 to 256 visible characters on one line");
    }
    snprintf(json, sizeof json, "{\"name\":\"k\",\"user\":\"joe\",\"key\":\"%0*d\"}", 257, 1);
    EXPECT(office, 400, "POST", "/v1/keys", json);
    snprintf(json, sizeof json, "{\"name\":\"k\",\"user\":\"joe\",\"key\":\"%0*d\"}", 256, 1);
    EXPECT(office, 201, "POST", "/v1/keys", json);
    /* The same key a second time. */
    memcpy(json + 9, "j", 1);
    EXPECT(office, 409, "POST", "/v1/keys", json);
    office_close(office);
}

Test(bearer, seals_secrets)
{
    struct office *office = office_open();
    static const char *const bad[] = { "\"\"", "\"a b\"", "\"a\\tb\"", "7", "{}", "true" };
    char json[256];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(json, sizeof json, "{\"name\":\"a\",\"platform\":\"openai\",\"secret\":%s}",
                 bad[i]);
        EXPECT(office, 400, "POST", "/v1/accounts", json);
        SAYS(office, "secret: ");
    }
    static char text[SECRET_BYTES_MAX + 128];
    snprintf(text, sizeof text, "{\"name\":\"a\",\"platform\":\"openai\",\"secret\":\"%0*d\"}",
             (int)SECRET_BYTES_MAX + 1, 1);
    EXPECT(office, 400, "POST", "/v1/accounts", text);
    SAYS(office, "secret: too long");
    office_account(office, "a", "");
    cr_expect(!is_stored("sk-very-secret-1234"));
    /* A user has neither. */
    EXPECT(office, 400, "POST", "/v1/users", "{\"name\":\"joe\",\"secret\":\"sk-1\"}");
    EXPECT(office, 400, "POST", "/v1/users", "{\"name\":\"joe\",\"key\":\"sk-1\"}");
    office_close(office);
}

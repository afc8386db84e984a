/* Sessions and their accounts, listed and forgotten. */
#include "shm/sticky.h"
#include "tests/unit/admin/office.h"

Test(bindings, are_listed_and_cleared)
{
    struct office *office = office_open();
    struct segment *segment = office->segment;
    EXPECT(office, 201, "POST", "/v1/accounts",
           "{\"name\":\"a\",\"platform\":\"openai\",\"secret\":\"sk-very-secret-1234\"}");
    EXPECT(office, 201, "POST", "/v1/accounts",
           "{\"name\":\"b\",\"platform\":\"openai\",\"secret\":\"sk-very-secret-5678\"}");
    EXPECT(office, 200, "GET", "/v1/sticky", "");
    cr_expect(office_says(office, "\"items\":[]") && office_says(office, "\"total\":0"), "%s",
              office->body);
    for (uint32_t i = 0; i < 3; i++) {
        char text[16];
        snprintf(text, sizeof text, "session %u", i);
        uint64_t key = sticky_key(segment, 1, 2, STICKY_EXPLICIT, str_of(text));
        sticky_put(segment, key, i == 2 ? 1 : 0, clock_now_ms(), 3600000);
    }
    EXPECT(office, 200, "GET", "/v1/sticky", "");
    cr_expect(office_says(office, "\"total\":3") && office_says(office, "\"account\":\"a\"") &&
                  office_says(office, "\"account\":\"b\"") &&
                  office_says(office, "\"expires_s\":36"),
              "%s", office->body);
    EXPECT(office, 404, "DELETE", "/v1/sticky?account=nobody", "");
    EXPECT(office, 400, "DELETE", "/v1/sticky?account=", "");
    EXPECT(office, 400, "DELETE", "/v1/sticky?accounts=a", "");
    EXPECT(office, 200, "DELETE", "/v1/sticky?account=a", "");
    cr_expect(office_says(office, "\"dropped\":2"), "%s", office->body);
    EXPECT(office, 200, "GET", "/v1/sticky", "");
    cr_expect(office_says(office, "\"total\":1") && !office_says(office, "\"account\":\"a\""), "%s",
              office->body);
    EXPECT(office, 200, "DELETE", "/v1/sticky", "");
    cr_expect(office_says(office, "\"dropped\":1"), "%s", office->body);
    office_close(office);
}

Test(bindings, keep_their_number_and_hide_the_session)
{
    struct office *office = office_open();
    struct segment *segment = office->segment;
    char first[64];
    office_account(office, "a", "");
    uint64_t key = sticky_key(segment, 1, 2, STICKY_EXPLICIT, STR("joes-secret-session"));
    sticky_put(segment, key, 0, clock_now_ms(), 3600000);
    EXPECT(office, 200, "GET", "/v1/sticky", "");
    cr_expect(!office_says(office, "joes-secret-session"), "%s", office->body);
    cr_assert(str_copy(first, sizeof first, str_make(office->body, 40)));
    sticky_put(segment, key, 0, clock_now_ms(), 3600000);
    EXPECT(office, 200, "GET", "/v1/sticky", "");
    cr_expect_eq(strncmp(office->body, first, 40), 0, "the same number: %s", office->body);
    SAYS(office, "\"line\":\"1 sessions are bound\"");
    /* An index that no account has any more has no name. */
    EXPECT(office, 200, "DELETE", "/v1/accounts/a", "");
    EXPECT(office, 200, "GET", "/v1/sticky", "");
    cr_expect(!office_says(office, "\"account\":\"a\""), "%s", office->body);
    EXPECT(office, 400, "DELETE", "/v1/sticky?account=%zz", "");
    EXPECT(office, 400, "DELETE", "/v1/sticky?account=a&account=b", "");
    EXPECT(office, 404, "DELETE", "/v1/sticky/all", "");
    EXPECT(office, 404, "GET", "/v1/sticky/all", "");
    office_close(office);
}

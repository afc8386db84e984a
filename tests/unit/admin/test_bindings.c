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

/* The admin socket: routes, methods, who may connect. */
#include "tests/unit/admin/office.h"

Test(api, knows_its_resources_and_methods)
{
    struct office *office = office_open();
    EXPECT(office, 404, "GET", "/", "");
    EXPECT(office, 404, "GET", "/v2/status", "");
    EXPECT(office, 404, "GET", "/v1/nonsense", "");
    EXPECT(office, 404, "GET", "/v1/users/a/b/c", "");
    EXPECT(office, 404, "POST", "/v1/status", "{}");
    EXPECT(office, 405, "DELETE", "/v1/users", "");
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 405, "PUT", "/v1/users/joe", "{}");
    EXPECT(office, 405, "POST", "/v1/users/joe/test", "");
    office_close(office);
}

/* Users, keys, groups and accounts as an admin types them, against a real recorder. */
#include "tests/unit/admin/desk.h"
#include "tests/unit/admin/office.h"

Test(ctlobjects, take_every_verb)
{
    struct office *office = office_open();
    const char *s = office->path;
    DESK(s, 0, "user create joe --concurrency 3 --note hi");
    PRINTED("joe");
    DESK(s, 0, "user list");
    PRINTED("NAME");
    PRINTED("joe");
    DESK(s, 0, "users show joe");
    PRINTED("concurrency");
    DESK(s, 0, "user show --name joe");
    DESK(s, 0, "user set joe --rpm=9");
    DESK(s, 0, "user show joe");
    PRINTED("9");
    DESK(s, 0, "user disable joe");
    DESK(s, 0, "user list");
    PRINTED("yes");
    DESK(s, 0, "user enable joe");
    DESK(s, 0, "user remove joe");
    cr_expect_str_eq(desk_out, "removed\n");
    DESK(s, 1, "user show joe");
    cr_expect_str_eq(desk_out, "");
    cr_expect_neq(desk_err[0], '\0');
    DESK(s, 0, "user list");
    cr_expect(strstr(desk_out, "joe") == NULL);
    office_close(office);
}

Test(ctlobjects, show_a_new_key_alone_and_once)
{
    struct office *office = office_open();
    const char *s = office->path;
    DESK(s, 0, "user add joe");
    DESK(s, 0, "key create k --user joe");
    cr_expect_eq(strncmp(desk_out, "sk-s2a-", 7), 0, "%s", desk_out);
    cr_expect_eq(strcspn(desk_out, "\n") + 1, strlen(desk_out), "one line: %s", desk_out);
    COMPLAINED("only time the key is shown");
    char key[128];
    cr_assert(str_copy(key, sizeof key, str_make(desk_out, strlen(desk_out) - 1)));
    DESK(s, 0, "key show k");
    cr_expect(strstr(desk_out, key) == NULL);
    cr_expect_eq(desk_run(s, true, "key create k2 --user joe"), 0);
    PRINTED("\"key\":\"sk-s2a-");
    office_close(office);
}

Test(ctlobjects, say_what_is_wrong)
{
    static const struct {
        int code;
        const char *line;
        const char *says;
    } cases[] = {
        { 2, "user", "list, show, create" },
        { 2, "user create", "name is needed" },
        { 2, "user create joe jim", "jim" },
        { 2, "user create joe --colour red", "--colour" },
        { 2, "user show", "NAME" },
        { 2, "user show joe --rpm 1", "--rpm" },
        { 2, "user test joe", "not test" },
        { 2, "account create a --api-key-file /nowhere/key", "/nowhere/key" },
        { 1, "user create a!b", "name" },
        { 1, "user create joe --rpm many", "rpm" },
        { 1, "user set nobody --rpm 1", "" },
        { 1, "key create k --user nobody", "nobody" },
        { 1, "account create a --platform pigeon", "platform" },
        { 1, "account reset nobody", "" },
    };
    struct office *office = office_open();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        DESK(office->path, cases[i].code, cases[i].line);
        COMPLAINED(cases[i].says);
        cr_expect_neq(desk_err[0], '\0', "%s", cases[i].line);
    }
    DESK(office->path, 0, "user list");
    PRINTED("(none)");
    office_close(office);
}

Test(ctlobjects, help_with_the_options_of_a_noun)
{
    DESK("/nowhere", 0, "account --help");
    PRINTED("account test NAME");
    PRINTED("--model M");
    PRINTED("--base-url");
    PRINTED("--api-key-file");
    DESK("/nowhere", 0, "user help");
    PRINTED("user create NAME");
    cr_expect(strstr(desk_out, "user test") == NULL && strstr(desk_out, "--base-url") == NULL);
}

/* What models cost, as an admin types it. */
#include "tests/unit/admin/desk.h"
#include "tests/unit/admin/office.h"

static const char *
write_file(const char *name, const char *text)
{
    static char path[300];
    cr_assert(str_copy(path, sizeof path, str_of(tempdir_path(name))));
    FILE *file = fopen(path, "we");
    cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    return path;
}

static int
import(struct office *office, const char *name, const char *text)
{
    char line[400];
    snprintf(line, sizeof line, "price import %s", write_file(name, text));
    return desk_run(office->path, false, line);
}

Test(ctlprice, sets_shows_lists_and_removes)
{
    struct office *office = office_open();
    DESK(office->path, 0,
         "price set mine --input 2.5 --output 10 --above 200 --above-input 5 --above-output 15");
    DESK(office->path, 0, "price show mine");
    PRINTED("2.5");
    PRINTED("200000");
    DESK(office->path, 0, "price set nick --alias-of mine");
    DESK(office->path, 0, "price show nick");
    PRINTED("mine");
    DESK(office->path, 0, "price list --source own");
    PRINTED("mine");
    PRINTED("nick");
    cr_expect_null(strstr(desk_out, "gpt-4o"));
    DESK(office->path, 0, "price remove mine");
    cr_expect(strstr(desk_out, "removed") != NULL, "%s", desk_out);
    DESK(office->path, 1, "price remove mine");
    DESK(office->path, 1, "price show mine");
    office_close(office);
}

Test(ctlprice, refuses_what_is_no_price)
{
    struct office *office = office_open();
    DESK(office->path, 1, "price set mine --input 1");
    COMPLAINED("output");
    DESK(office->path, 1, "price set mine --input cheap --output 1");
    COMPLAINED("dollars a million");
    DESK(office->path, 2, "price set mine --inptu 1");
    DESK(office->path, 1, "price set mine --above many --input 1 --output 1");
    COMPLAINED("above: how many");
    DESK(office->path, 2, "price set");
    DESK(office->path, 2, "price");
    cr_expect_eq(desk_run(office->path, true, "price list --source own"), 0);
    PRINTED("\"items\":[]");
    office_close(office);
}

Test(ctlprice, imports_a_file_and_says_what_it_found)
{
    struct office *office = office_open();
    cr_expect_eq(import(office, "good.json",
                        "{\"a\":{\"input_cost_per_token\":1e-6,\"output_cost_per_token\":2e-6},\n"
                        "\"b\":{\"output_cost_per_token\":2e-6}}"),
                 0, "%s", desk_err);
    PRINTED("b");
    DESK(office->path, 0, "price list --source imported");
    PRINTED("a");
    cr_expect_eq(import(office, "bad.json", "{\"a\":\n{"), 1);
    COMPLAINED("line 2");
    DESK(office->path, 1, "price import /nowhere/at/all.json");
    COMPLAINED("cannot be read");
    DESK(office->path, 1, "price import /");
    COMPLAINED("cannot be read");
    DESK(office->path, 2, "price import");
    DESK(office->path, 2, "price import a b");
    DESK(office->path, 0, "price list --source imported");
    PRINTED("a");
    office_close(office);
}

Test(ctlprice, names_models_without_a_price)
{
    struct office *office = office_open();
    office_account(office, "a", ",\"models\":\"strange,gpt-4o\"");
    DESK(office->path, 0, "price missing");
    PRINTED("strange");
    cr_expect_null(strstr(desk_out, "gpt-4o"));
    DESK(office->path, 0, "price set strange --input 0 --output 0");
    DESK(office->path, 0, "price missing");
    cr_expect_null(strstr(desk_out, "strange"));
    office_close(office);
}

#include <criterion/criterion.h>

#include "http/header.h"

static struct header items[] = {
    { { "Host", 4 }, { "a", 1 } },
    { { "X-Key", 5 }, { "one", 3 } },
    { { "x-key", 5 }, { "two", 3 } },
    { { "Empty", 5 }, { "", 0 } },
    { { "Connection", 10 }, { "close, X-Private ,Host", 22 } },
    { { "connection", 10 }, { "Authorization,content-length,,te", 32 } },
};
static const struct header_list list = { .count = sizeof(items) / sizeof(items[0]),
                                         .items = items };
static const struct header_list none = { .count = 0 };

Test(header, finds_the_first_without_case)
{
    cr_expect(str_equal(header_find(&list, STR("X-KEY")), STR("one")));
    cr_expect(header_find(&list, STR("x-ke")).data == NULL);
    cr_expect(header_has(&list, STR("empty")));
    cr_expect(!header_has(&none, STR("empty")));
}

Test(header, finds_tokens_over_all_fields)
{
    cr_expect(header_has_token(&list, STR("connection"), STR("CLOSE")));
    cr_expect(header_has_token(&list, STR("connection"), STR("x-private")));
    cr_expect(header_has_token(&list, STR("connection"), STR("te")));
    cr_expect(!header_has_token(&list, STR("connection"), STR("clos")));
    cr_expect(!header_has_token(&none, STR("connection"), STR("close")));
}

Test(header, knows_hop_by_hop_fields)
{
    static const struct str hops[] = { { "TE", 2 },
                                       { "trailer", 7 },
                                       { "Keep-Alive", 10 },
                                       { "transfer-encoding", 17 },
                                       { "Upgrade", 7 },
                                       { "Proxy-Authorization", 19 },
                                       { "proxy-connection", 16 },
                                       { "X-Private", 9 },
                                       { "connection", 10 } };
    static const struct str ends[] = { { "Host", 4 },
                                       { "authorization", 13 },
                                       { "Content-Length", 14 },
                                       { "x-key", 5 },
                                       { "proxy", 5 } };
    for (size_t i = 0; i < sizeof(hops) / sizeof(hops[0]); i++) {
        cr_expect(header_is_hop(&list, hops[i]), "%s", hops[i].data);
    }
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        cr_expect(!header_is_hop(&list, ends[i]), "%s", ends[i].data);
    }
    cr_expect(!header_is_hop(&none, STR("x-private")));
}

Test(header, refuses_control_bytes_in_values)
{
    cr_expect(header_value_is_good(STR("")));
    cr_expect(header_value_is_good(STR("a b\t\xc3\xa4~")));
    static const struct str bad[] = {
        { "\r", 1 }, { "a\nb", 3 }, { "\0", 1 }, { "\x7f", 1 }, { "\x1b[", 2 }
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect(!header_value_is_good(bad[i]), "%zu", i);
    }
}

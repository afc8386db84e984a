#include "store/match.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"

Test(match, names_are_short_and_plain)
{
    char longest[NAME_BYTES];
    memset(longest, 'a', sizeof(longest));
    cr_expect(match_name_is_good(STR("a")));
    cr_expect(match_name_is_good(STR("Ab9._-@")));
    cr_expect(match_name_is_good(str_make(longest, NAME_BYTES - 1)));
    cr_expect_not(match_name_is_good(str_make(longest, NAME_BYTES)));
    cr_expect_not(match_name_is_good(STR("")));
    static const char bad[] = " ,/:\n\t\"'\\*?=%#\x7f\x80";
    for (size_t i = 0; i < sizeof(bad); i++) {
        char text[3] = { 'a', bad[i], 'b' };
        cr_expect_not(match_name_is_good(str_make(text, 3)), "byte %d", bad[i]);
    }
}

Test(match, lists_have_items_without_blanks_or_empties)
{
    struct str rest = STR(" a, b ,,\t,c d ,");
    struct str item;
    cr_assert(match_next(&rest, &item) && str_equal(item, STR("a")));
    cr_assert(match_next(&rest, &item) && str_equal(item, STR("b")));
    cr_assert(match_next(&rest, &item) && str_equal(item, STR("c d")));
    cr_assert_not(match_next(&rest, &item));
    cr_expect(match_list_has("chat, responses", STR("responses")));
    cr_expect_not(match_list_has("chat, responses", STR("response")));
    cr_expect_not(match_list_has("", STR("chat")));
    cr_expect_not(match_list_has("", STR("")));
}

Test(match, globs_know_star_and_question_mark)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool matches;
    } cases[] = {
        { "", "", true },
        { "", "a", false },
        { "a", "a", true },
        { "a", "A", false },
        { "a", "ab", false },
        { "ab", "a", false },
        { "*", "", true },
        { "*", "anything/at-all", true },
        { "**", "x", true },
        { "?", "", false },
        { "?", "x", true },
        { "?", "xy", false },
        { "gpt-*", "gpt-", true },
        { "gpt-*", "gpt-4.1", true },
        { "gpt-*", "xgpt-4", false },
        { "*-mini", "gpt-4o-mini", true },
        { "*-mini", "gpt-4o-mini-2", false },
        { "*mini*", "a-mini-b", true },
        { "a*b*c", "aXbXbXc", true },
        { "a*b*c", "aXbXbX", false },
        { "a?c*", "abc", true },
        { "*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
        { "*?", "", false },
        { "*?", "x", true },
        { "[a]", "a", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(match_glob(str_of(cases[i].pattern), str_of(cases[i].text)), cases[i].matches,
                     "%s on %s", cases[i].pattern, cases[i].text);
    }
    cr_expect(match_globs("", STR("anything")));
    cr_expect(match_globs(" , ", STR("anything")));
    cr_expect(match_globs("claude-*, gpt-*", STR("gpt-4")));
    cr_expect_not(match_globs("claude-*, gpt-*", STR("gemini-2")));
    cr_expect_not(match_globs("claude-*", STR("")));
}

Test(match, hostile_glob_ends_soon)
{
    static char pattern[LIST_TEXT_BYTES];
    static char text[LIST_TEXT_BYTES];
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = i % 2 == 0 ? '*' : 'a';
        text[i] = 'a';
    }
    pattern[sizeof(pattern) - 1] = 'b';
    cr_expect_not(match_glob(str_make(pattern, sizeof(pattern)), str_make(text, sizeof(text))));
}

Test(match, addresses_belong_to_networks)
{
    static const struct {
        const char *list;
        const char *address;
        bool matches;
    } cases[] = {
        { "", "1.2.3.4", true },
        { "", "no address", true },
        { "10.0.0.0/8", "10.255.1.2", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "10.1.2.3/8", "10.9.9.9", true },
        { "192.168.1.128/25", "192.168.1.127", false },
        { "192.168.1.128/25", "192.168.1.128", true },
        { "192.168.1.7", "192.168.1.7", true },
        { "192.168.1.7", "192.168.1.8", false },
        { "0.0.0.0/0", "8.8.8.8", true },
        { "0.0.0.0/0", "::1", false },
        { "::/0", "2001:db8::1", true },
        { "::/0", "1.2.3.4", true },
        { "2001:db8::/32", "2001:db8:ffff::1", true },
        { "2001:db8::/32", "2001:db9::1", false },
        { "2001:db8::/33", "2001:db8:8000::1", false },
        { "::1", "::1", true },
        { "10.0.0.0/8", "::ffff:10.1.2.3", true },
        { "::ffff:10.0.0.0/104", "10.1.2.3", true },
        { "1.2.3.4, ::1", "::1", true },
        { "junk, 1.2.3.4", "1.2.3.4", true },
        { "junk", "1.2.3.4", false },
        { "0.0.0.0/0", "junk", false },
        { "0.0.0.0/0", "", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(match_addresses(cases[i].list, str_of(cases[i].address)), cases[i].matches,
                     "%s on %s", cases[i].list, cases[i].address);
    }
}

Test(match, networks_are_well_formed)
{
    static const char *const good[] = { "1.2.3.4", "1.2.3.4/0", "1.2.3.4/32",  "::",
                                        "::1/128", "fe80::/10", "2001:db8::1", "::/0" };
    static const char *const bad[] = { "",          "1.2.3",      "1.2.3.4/33",  "1.2.3.4/",
                                       "1.2.3.4/x", "::1/129",    "/8",          "1.2.3.4/-1",
                                       "host",      "1.2.3.4 /8", "1.2.3.4/8/8", "256.1.1.1" };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_expect(match_network_is_good(str_of(good[i])), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_not(match_network_is_good(str_of(bad[i])), "%s", bad[i]);
    }
}

Test(match, mapping_prefers_exact_then_the_longest_glob)
{
    const char *map = "gpt-*=small, gpt-4*=large, gpt-4.1 = exact ,*=any, broken, =x, y=";
    static const struct {
        const char *asked;
        const char *sent;
    } cases[] = {
        { "gpt-4.1", "exact" }, { "gpt-4.1-mini", "large" }, { "gpt-3.5", "small" },
        { "claude", "any" },    { "broken", "any" },         { "y", "any" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str sent = match_mapped(map, str_of(cases[i].asked));
        cr_expect(str_equal(sent, str_of(cases[i].sent)), "%s -> %.*s", cases[i].asked,
                  STR_ARG(sent));
    }
    cr_expect(str_equal(match_mapped("", STR("m")), STR("m")));
    cr_expect(str_equal(match_mapped("a=b", STR("m")), STR("m")));
    cr_expect(str_equal(match_mapped("a=b=c", STR("a")), STR("b=c")));
}

Test(match, urls_come_apart)
{
    struct match_url url;
    cr_assert(match_url(STR("https://user:p@ss@[::1]:8443/a/b?x=1#y"), &url));
    cr_expect(str_equal(url.scheme, STR("https")));
    cr_expect(str_equal(url.userinfo, STR("user:p@ss")));
    cr_expect(str_equal(url.host, STR("::1")));
    cr_expect_eq(url.port, 8443);
    cr_expect(str_equal(url.path, STR("/a/b")));
    cr_expect(str_equal(url.rest, STR("?x=1#y")));
    cr_assert(match_url(STR("http://host"), &url));
    cr_expect(str_equal(url.host, STR("host")));
    cr_expect_eq(url.port, 0);
    cr_expect_null(url.userinfo.data);
    cr_expect_eq(url.path.len, 0);
    cr_assert(match_url(STR("http://host?q@w"), &url));
    cr_expect(str_equal(url.host, STR("host")));
    cr_expect(str_equal(url.rest, STR("?q@w")));
    static const char *const bad[] = {
        "",
        "host",
        "http:/host",
        "://host",
        "http://",
        "http://:80",
        "http://h:0",
        "http://h:65536",
        "http://h:",
        "http://h:99999999",
        "http://h:x",
        "http://[::1",
        "http://[::1]x",
        "http://[1.2.3.4]",
        "http://a b",
        "http://a\\b",
        "http://a..b",
        "http://.a",
        "http://a\n",
        "http://-a",
        "http://a:80:80",
        "http://\x80",
        "http://[]",
        "http://@",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_not(match_url(str_of(bad[i]), &url), "%s", bad[i]);
    }
}

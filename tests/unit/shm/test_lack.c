/* An account is not asked in a dialect whose endpoint its provider does not have; in others it is.
 */
#include <criterion/criterion.h>

#include "shm/lack.h"
#include "tests/unit/shm/testseg.h"

enum { CHAT, RESPONSES, ANTHROPIC };
#define BOTH 3u /* chat and responses */
#define DAY_MS 86400000ull

static struct segment *
make(struct testseg *test)
{
    testseg_make(test, 4, 16, 16, 16);
    return &test->segment;
}

Test(lack, holds_for_one_dialect_of_one_account_and_ends)
{
    struct testseg test;
    struct segment *segment = make(&test);
    cr_expect(!lack_is(segment, 1, RESPONSES, BOTH, 1000));
    lack_note(segment, 1, RESPONSES, LACK_PROVEN, 404, DAY_MS, 1000);
    cr_expect(lack_is(segment, 1, RESPONSES, BOTH, 1000));
    cr_expect(!lack_is(segment, 1, CHAT, BOTH, 1000));
    cr_expect(!lack_is(segment, 2, RESPONSES, BOTH, 1000));
    struct lack_view view;
    lack_read(segment, 1, RESPONSES, 1000, &view);
    cr_expect(view.kind == LACK_PROVEN && view.status == 404 && view.left_ms == DAY_MS);
    cr_expect(lack_is(segment, 1, RESPONSES, BOTH, DAY_MS + 999));
    cr_expect(!lack_is(segment, 1, RESPONSES, BOTH, DAY_MS + 1000), "asked again");
    lack_read(segment, 1, RESPONSES, DAY_MS + 1000, &view);
    cr_expect_eq(view.kind, LACK_NONE);
}

Test(lack, is_cleared_by_an_answer_and_forgotten_with_the_account)
{
    struct testseg test;
    struct segment *segment = make(&test);
    lack_note(segment, 1, CHAT, LACK_PROVEN, 405, DAY_MS, 0);
    lack_clear(segment, 1, CHAT);
    cr_expect(!lack_is(segment, 1, CHAT, BOTH, 0));
    lack_note(segment, 1, CHAT, LACK_PROVEN, 405, DAY_MS, 0);
    lack_note(segment, 2, CHAT, LACK_PROVEN, 405, DAY_MS, 0);
    lack_forget(segment, 1);
    cr_expect(!lack_is(segment, 1, CHAT, BOTH, 0));
    cr_expect(lack_is(segment, 2, CHAT, BOTH, 0));
}

/* What every endpoint answers tells of the URL or of the request. */
Test(lack, what_is_only_doubted_is_shown_and_asked)
{
    struct testseg test;
    struct segment *segment = make(&test);
    struct lack_view view;
    lack_note(segment, 0, CHAT, LACK_DOUBTED, 404, DAY_MS, 0);
    lack_read(segment, 0, CHAT, 0, &view);
    cr_expect_eq(view.kind, LACK_DOUBTED);
    cr_expect(!lack_is(segment, 0, CHAT, BOTH, 0));
    lack_note(segment, 0, CHAT, LACK_PROVEN, 501, DAY_MS, 0);
    lack_note(segment, 0, CHAT, LACK_DOUBTED, 404, DAY_MS, 0);
    lack_read(segment, 0, CHAT, 0, &view);
    cr_expect(view.kind == LACK_PROVEN && view.status == 501, "a proof stays");
    lack_note(segment, 0, CHAT, LACK_DOUBTED, 404, DAY_MS, DAY_MS);
    lack_read(segment, 0, CHAT, DAY_MS, &view);
    cr_expect_eq(view.kind, LACK_DOUBTED, "until its time is over");
}

Test(lack, who_lacks_all_it_speaks_is_asked_all_the_same)
{
    struct testseg test;
    struct segment *segment = make(&test);
    lack_note(segment, 0, CHAT, LACK_PROVEN, 404, DAY_MS, 0);
    cr_expect(!lack_is(segment, 0, CHAT, 1u << CHAT, 0), "it speaks nothing else");
    lack_note(segment, 0, RESPONSES, LACK_PROVEN, 404, DAY_MS, 0);
    cr_expect(!lack_is(segment, 0, CHAT, BOTH, 0));
    cr_expect(!lack_is(segment, 0, RESPONSES, BOTH, 0));
    cr_expect(lack_is(segment, 0, CHAT, BOTH | 1u << ANTHROPIC, 0));
}

Test(lack, never_holds_longer_than_a_month)
{
    struct testseg test;
    struct segment *segment = make(&test);
    lack_note(segment, 0, CHAT, LACK_PROVEN, 404, UINT64_MAX, 5000);
    cr_expect(lack_is(segment, 0, CHAT, BOTH, 5000 + LACK_MS_MAX - 1));
    cr_expect(!lack_is(segment, 0, CHAT, BOTH, 5000 + LACK_MS_MAX));
}

/* Digests of keys seen lately: always the right one, and never the key. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/memo.h"

static bool
is_right(struct memo *memo, struct str text)
{
    struct digest got;
    struct digest wanted;
    memo_sha256(memo, text, &got);
    digest_sha256(text, &wanted);
    return memcmp(&got, &wanted, sizeof got) == 0;
}

Test(memo, gives_every_key_its_own_digest_however_many_share_its_places)
{
    static struct memo memo;
    memo_init(&memo);
    /* Several times as many keys as places, asked for twice in turns: the second time some are
     * remembered, others were pushed out by a neighbour. */
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < 3 * MEMO_PLACES; i++) {
            char key[64];
            int length = snprintf(key, sizeof key, "sk-s2a-%08u", i * 2654435761u);
            cr_assert(is_right(&memo, str_make(key, (size_t)length)), "%s", key);
            cr_assert(is_right(&memo, str_make(key, (size_t)length)), "%s, asked again", key);
        }
    }
    cr_expect(is_right(&memo, STR("")));
    cr_expect(is_right(&memo, str_make("a\0b", 3)) && is_right(&memo, STR("a")));
}

Test(memo, holds_no_text_of_a_key)
{
    static const char key[] = "sk-s2a-0123456789abcdefghijklmnopqrstuvwxyz";
    struct memo *memo = calloc(1, sizeof *memo);
    cr_assert_not_null(memo);
    memo_init(memo);
    cr_assert(is_right(memo, str_of(key)));
    for (size_t i = 0; i + 8 < sizeof key; i++) {
        cr_expect_null(memmem(memo, sizeof *memo, key + i, 8), "at %zu", i);
    }
    free(memo);
}

Test(memo, remembers_and_draws_its_own_keys_in_each_process)
{
    static struct memo memos[2];
    static struct memo before;
    memo_init(&memos[0]);
    memo_init(&memos[1]);
    cr_expect_neq(memcmp(memos[0].keys, memos[1].keys, sizeof memos[0].keys), 0);
    cr_assert(is_right(&memos[0], STR("one")));
    cr_assert(is_right(&memos[1], STR("one")));
    /* Where a key's digest stands cannot be told from another process's table. */
    cr_expect_neq(memcmp(memos[0].places, memos[1].places, sizeof memos[0].places), 0);
    before = memos[0];
    cr_assert(is_right(&memos[0], STR("one")));
    cr_expect_eq(memcmp(&memos[0], &before, sizeof before), 0, "the same key, the same place");
}

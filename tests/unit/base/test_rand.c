#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rand.h"

Test(rand, does_not_repeat_itself)
{
    uint64_t seen[1000];
    for (size_t i = 0; i < 1000; i++) {
        seen[i] = rand_u64();
        for (size_t j = 0; j < i; j++) {
            cr_assert_neq(seen[i], seen[j]);
        }
    }
    unsigned char large[3000] = { 0 };
    rand_bytes(large, sizeof(large));
    int zeroes = 0;
    for (size_t i = 0; i < sizeof(large); i++) {
        zeroes += large[i] == 0 ? 1 : 0;
    }
    cr_assert(zeroes < 60);
    rand_bytes(large, 0);
}

/* The pool is warm in the parent: without the wipe both children would draw the same bytes. */
Test(rand, differs_after_fork)
{
    (void)rand_u64();
    uint64_t drawn[3];
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        cr_assert(child >= 0);
        if (child == 0) {
            uint64_t value = rand_u64();
            _exit(write(ends[1], &value, sizeof(value)) == sizeof(value) ? 0 : 1);
        }
        int status = 1;
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert_eq(status, 0);
        cr_assert_eq(read(ends[0], &drawn[i], sizeof(drawn[i])), (ssize_t)sizeof(drawn[i]));
    }
    drawn[2] = rand_u64();
    cr_assert(drawn[0] != drawn[1] && drawn[1] != drawn[2] && drawn[0] != drawn[2]);
}

Test(rand, stays_below_its_bound_and_reaches_all_of_it)
{
    int counts[7] = { 0 };
    for (int i = 0; i < 7000; i++) {
        uint64_t value = rand_below(7);
        cr_assert(value < 7);
        counts[value]++;
    }
    for (int i = 0; i < 7; i++) {
        cr_assert(counts[i] > 700 && counts[i] < 1300, "%d came %d times", i, counts[i]);
    }
    cr_assert_eq(rand_below(1), 0);
    for (int i = 0; i < 100; i++) {
        cr_assert(rand_below(UINT64_MAX) < UINT64_MAX);
        cr_assert(rand_below((1ULL << 63) + 1) <= 1ULL << 63);
    }
}

Test(rand, texts_are_letters_and_digits)
{
    char text[201];
    int seen[256] = { 0 };
    for (int round = 0; round < 100; round++) {
        rand_text(text, 200);
        cr_assert_eq(strlen(text), 200);
        for (size_t i = 0; i < 200; i++) {
            cr_assert(isalnum((unsigned char)text[i]));
            seen[(unsigned char)text[i]]++;
        }
    }
    int kinds = 0;
    for (int i = 0; i < 256; i++) {
        kinds += seen[i] > 0 ? 1 : 0;
        cr_assert(seen[i] < 500);
    }
    cr_assert_eq(kinds, 62);
    rand_text(text, 0);
    cr_assert_str_eq(text, "");
}

Test(rand, repeats_itself_when_a_test_asks)
{
    rand_set_seed(42);
    uint64_t first = rand_u64();
    uint64_t second = rand_u64();
    cr_assert_neq(first, second);
    rand_set_seed(42);
    cr_assert_eq(rand_u64(), first);
    cr_assert_eq(rand_u64(), second);
    rand_set_seed(0);
    cr_assert_neq(rand_u64(), first);
}

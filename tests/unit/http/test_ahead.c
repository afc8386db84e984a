/* Small reads out of one large one, and what is kept between them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/ahead.h"

struct pipe_ends {
    struct ahead ahead;
    int fd;    /* read ahead */
    int other; /* the peer's */
};

static void
begin(struct pipe_ends *ends)
{
    int fds[2];
    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    *ends = (struct pipe_ends){ .fd = fds[0], .other = fds[1] };
    ahead_init(&ends->ahead);
}

static void
finish(struct pipe_ends *ends)
{
    ahead_fini(&ends->ahead);
    close(ends->fd);
    if (ends->other >= 0) {
        close(ends->other);
    }
}

static void
say(struct pipe_ends *ends, const char *text)
{
    cr_assert(send(ends->other, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* At most `bytes`, as a text; the error's name instead of what there is none of. */
static const char *
take(struct pipe_ends *ends, size_t bytes)
{
    static char text[64];
    size_t got = 0;
    cr_assert_lt(bytes, sizeof(text));
    enum err err = ahead_recv(&ends->ahead, ends->fd, text, bytes, &got);
    if (err != ERR_OK) {
        return err_name(err);
    }
    cr_assert(got >= 1 && got <= bytes);
    text[got] = '\0';
    return text;
}

static size_t
in_kernel(const struct pipe_ends *ends)
{
    char bytes[256];
    ssize_t got = recv(ends->fd, bytes, sizeof(bytes), MSG_PEEK);
    return got > 0 ? (size_t)got : 0;
}

Test(ahead, asks_the_kernel_once_for_many_small_reads)
{
    struct pipe_ends ends;
    begin(&ends);
    say(&ends, "headbody");
    ahead_enter(&ends.ahead);
    cr_expect_str_eq(take(&ends, 4), "head");
    cr_expect_eq(in_kernel(&ends), 0, "all of it was fetched");
    cr_expect_str_eq(take(&ends, 40), "body");
    cr_expect_str_eq(take(&ends, 4), err_name(ERR_AGAIN));
    cr_expect_eq(ahead_leave(&ends.ahead), ERR_OK);
    cr_expect_null(ends.ahead.kept.data, "nothing is kept while nothing is left");
    finish(&ends);
}

/* What one call left belongs to this connection, whoever uses the scratch memory meanwhile. */
Test(ahead, keeps_what_one_call_did_not_use)
{
    struct pipe_ends one;
    struct pipe_ends two;
    begin(&one);
    begin(&two);
    say(&one, "abcdef");
    say(&two, "123456");
    ahead_enter(&one.ahead);
    cr_expect_str_eq(take(&one, 2), "ab");
    cr_expect_eq(ahead_leave(&one.ahead), ERR_OK);
    ahead_enter(&two.ahead);
    cr_expect_str_eq(take(&two, 3), "123");
    cr_expect_eq(ahead_leave(&two.ahead), ERR_OK);
    say(&one, "gh");
    ahead_enter(&one.ahead);
    cr_expect_str_eq(take(&one, 40), "cdef", "what was kept comes first, alone");
    cr_expect_str_eq(take(&one, 40), "gh");
    cr_expect_eq(ahead_leave(&one.ahead), ERR_OK);
    ahead_enter(&two.ahead);
    cr_expect_str_eq(take(&two, 40), "456");
    cr_expect_eq(ahead_leave(&two.ahead), ERR_OK);
    finish(&one);
    finish(&two);
}

Test(ahead, may_keep_a_whole_read)
{
    struct pipe_ends ends;
    begin(&ends);
    static char large[30000];
    memset(large, 'x', sizeof(large));
    cr_assert(send(ends.other, large, sizeof(large), 0) == (ssize_t)sizeof(large));
    ahead_enter(&ends.ahead);
    cr_expect_str_eq(take(&ends, 1), "x");
    cr_expect_eq(ahead_leave(&ends.ahead), ERR_OK);
    size_t all = 1;
    for (int calls = 0; all < sizeof(large) && calls < 2000; calls++) {
        ahead_enter(&ends.ahead);
        all += strlen(take(&ends, 50));
        cr_assert_eq(ahead_leave(&ends.ahead), ERR_OK);
    }
    cr_expect_eq(all, sizeof(large));
    cr_expect_null(ends.ahead.kept.data);
    finish(&ends);
}

/* Lazy: after a short read the loop is waited for, which saves the call that says "nothing". */
Test(ahead, lazy_waits_for_the_loop_after_a_short_read)
{
    struct pipe_ends ends;
    begin(&ends);
    ends.ahead.is_lazy = true;
    say(&ends, "ab");
    ahead_enter(&ends.ahead);
    cr_expect_str_eq(take(&ends, 40), "ab");
    say(&ends, "cd");
    cr_expect_str_eq(take(&ends, 40), err_name(ERR_AGAIN), "not asked");
    cr_expect_eq(in_kernel(&ends), 2);
    ahead_note(&ends.ahead, false);
    cr_expect_str_eq(take(&ends, 40), "cd");
    cr_expect_eq(ahead_leave(&ends.ahead), ERR_OK);
    finish(&ends);
}

/* No other event follows a FIN: behind it everything is fetched until the end shows. */
Test(ahead, never_dry_behind_an_end)
{
    struct pipe_ends ends;
    begin(&ends);
    ends.ahead.is_lazy = true;
    say(&ends, "last");
    close(ends.other);
    ends.other = -1;
    ahead_note(&ends.ahead, true);
    ahead_enter(&ends.ahead);
    cr_expect_str_eq(take(&ends, 40), "last");
    cr_expect_str_eq(take(&ends, 40), err_name(ERR_EOF));
    cr_expect_eq(ahead_leave(&ends.ahead), ERR_OK);
    finish(&ends);
}

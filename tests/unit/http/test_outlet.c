/*
 * Where answers are put together: in order, one system call a turn, nothing kept that the kernel
 * takes, and never more than a connection may have waiting.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "http/outlet.h"

struct line {
    struct conn conn;
    int fd; /* the reader */
};

struct fixture {
    struct loop *loop;
    struct outlet *outlet;
    struct line lines[2];
};

static void
on_change(struct conn *conn)
{
    (void)conn;
}

static void
begin(struct fixture *f)
{
    *f = (struct fixture){ .outlet = calloc(1, sizeof(*f->outlet)) };
    cr_assert(loop_make(8, 8, &f->loop) == ERR_OK);
    for (int i = 0; i < 2; i++) {
        int fds[2];
        cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
        cr_assert(conn_open(&f->lines[i].conn, f->loop, fds[0], 1024, CONN_OUT_BYTES_MAX,
                            on_change) == ERR_OK);
        f->lines[i].fd = fds[1];
    }
    loop_turn(f->loop, 0);
}

static void
finish(struct fixture *f)
{
    for (int i = 0; i < 2; i++) {
        outlet_drop(f->outlet, &f->lines[i].conn);
        conn_close(&f->lines[i].conn);
        if (f->lines[i].fd >= 0) {
            close(f->lines[i].fd);
        }
    }
    loop_free(f->loop);
    free(f->outlet);
}

static enum err
put(struct fixture *f, int line, const char *text)
{
    struct str part = str_of(text);
    return outlet_put(f->outlet, &f->lines[line].conn, &part, 1);
}

static uint32_t
pending(const struct fixture *f, int line)
{
    return outlet_pending(f->outlet, &f->lines[line].conn);
}

/* All that the reader has now. */
static const char *
read_all(struct fixture *f, int line)
{
    static char text[1 << 20];
    size_t len = 0;
    ssize_t got;
    while ((got = recv(f->lines[line].fd, text + len, sizeof(text) - 1 - len, 0)) > 0) {
        len += (size_t)got;
    }
    text[len] = '\0';
    return text;
}

Test(outlet, collects_a_turns_writes_and_sends_them_in_order)
{
    struct fixture f;
    begin(&f);
    struct str parts[] = { STR("a"), STR(""), STR("b"), STR("c") };
    cr_expect_eq(outlet_put(f.outlet, &f.lines[0].conn, parts, 4), ERR_OK);
    cr_expect_eq(put(&f, 0, "d"), ERR_OK);
    cr_expect_eq(pending(&f, 0), 4);
    cr_expect_str_eq(read_all(&f, 0), "", "nothing leaves before the flush");
    cr_expect_eq(outlet_flush(f.outlet, &f.lines[0].conn), ERR_OK);
    cr_expect_str_eq(read_all(&f, 0), "abcd");
    cr_expect_eq(pending(&f, 0), 0);
    cr_expect_null(f.lines[0].conn.out.data, "no buffer of its own");
    cr_expect_eq(outlet_flush(f.outlet, &f.lines[0].conn), ERR_OK, "nothing to send is fine");
    finish(&f);
}

Test(outlet, changes_hands_without_mixing)
{
    struct fixture f;
    begin(&f);
    cr_expect_eq(put(&f, 0, "one "), ERR_OK);
    cr_expect_eq(put(&f, 1, "uno "), ERR_OK);
    cr_expect_eq(put(&f, 0, "two "), ERR_OK);
    cr_expect_eq(put(&f, 1, "due "), ERR_OK);
    cr_expect_eq(put(&f, 0, "three"), ERR_OK);
    cr_expect(pending(&f, 0) == 13 && pending(&f, 1) == 8);
    cr_expect_eq(outlet_flush(f.outlet, &f.lines[1].conn), ERR_OK);
    cr_expect_str_eq(read_all(&f, 1), "uno due ");
    cr_expect_eq(pending(&f, 0), 13, "another's flush takes nothing from it");
    cr_expect_eq(outlet_flush(f.outlet, &f.lines[0].conn), ERR_OK);
    cr_expect_str_eq(read_all(&f, 0), "one two three");
    finish(&f);
}

static char *
pattern(size_t len)
{
    char *bytes = malloc(len + 1);
    cr_assert_not_null(bytes);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)('a' + i % 23);
    }
    bytes[len] = '\0';
    return bytes;
}

/* Reads and flushes until nothing is left; gives the whole text. */
static char *
drain(struct fixture *f, int line, size_t expected)
{
    char *all = malloc(expected + 1);
    size_t len = 0;
    cr_assert_not_null(all);
    for (int turn = 0; len < expected && turn < 5000; turn++) {
        const char *text = read_all(f, line);
        size_t more = strlen(text);
        cr_assert_leq(len + more, expected);
        memcpy(all + len, text, more);
        len += more;
        loop_turn(f->loop, 0);
        enum err err = outlet_flush(f->outlet, &f->lines[line].conn);
        cr_assert(err == ERR_OK || err == ERR_AGAIN);
    }
    all[len] = '\0';
    return all;
}

Test(outlet, sends_what_is_larger_than_itself_and_keeps_what_is_not_taken)
{
    struct fixture f;
    begin(&f);
    /* More than a UNIX socket takes at once, less than a connection may have waiting. */
    size_t len = CONN_OUT_BYTES_MAX - 100;
    char *bytes = pattern(len);
    struct str part = str_make(bytes + 6, len - 6);
    cr_expect_eq(put(&f, 0, "abcdef"), ERR_OK); /* collected before: it goes first */
    cr_expect_eq(outlet_put(f.outlet, &f.lines[0].conn, &part, 1), ERR_OK);
    cr_expect(pending(&f, 0) > 0 && pending(&f, 0) < len, "%u", pending(&f, 0));
    cr_expect_null(f.outlet->owner, "the rest stands in its own buffer");
    cr_expect_eq(outlet_flush(f.outlet, &f.lines[0].conn), ERR_AGAIN);
    /* Another connection is served meanwhile. */
    cr_expect_eq(put(&f, 1, "quick"), ERR_OK);
    cr_expect_eq(outlet_flush(f.outlet, &f.lines[1].conn), ERR_OK);
    cr_expect_str_eq(read_all(&f, 1), "quick");
    char *all = drain(&f, 0, len);
    cr_expect_str_eq(all, bytes);
    cr_expect_eq(pending(&f, 0), 0);
    free(all);
    free(bytes);
    finish(&f);
}

Test(outlet, takes_all_or_nothing_up_to_the_bound)
{
    struct fixture f;
    begin(&f);
    char *bytes = pattern(2 * CONN_OUT_BYTES_MAX);
    struct str over = str_make(bytes, CONN_OUT_BYTES_MAX + 1);
    cr_expect_eq(outlet_put(f.outlet, &f.lines[0].conn, &over, 1), ERR_FULL);
    cr_expect_eq(pending(&f, 0), 0);
    /* Until the reader's socket is full and the bound is reached to the byte. */
    struct str part = str_make(bytes, 50000);
    enum err err = ERR_OK;
    for (int i = 0; i < 100 && err == ERR_OK; i++) {
        err = outlet_put(f.outlet, &f.lines[0].conn, &part, 1);
    }
    cr_expect_eq(err, ERR_FULL);
    uint32_t before = pending(&f, 0);
    cr_expect_leq(before, CONN_OUT_BYTES_MAX);
    struct str rest = str_make(bytes, CONN_OUT_BYTES_MAX - before);
    cr_expect_eq(outlet_put(f.outlet, &f.lines[0].conn, &rest, 1), ERR_OK);
    cr_expect_eq(pending(&f, 0), CONN_OUT_BYTES_MAX);
    cr_expect_eq(put(&f, 0, "x"), ERR_FULL);
    free(bytes);
    finish(&f);
}

Test(outlet, leaves_to_the_caller_what_does_not_fit)
{
    struct fixture f;
    begin(&f);
    size_t len = 4 * CONN_OUT_BYTES_MAX;
    char *bytes = pattern(len);
    struct str part = str_make(bytes, len);
    size_t left = 0;
    cr_expect_eq(outlet_put_most(f.outlet, &f.lines[0].conn, &part, 1, &left), ERR_OK);
    cr_expect(left > 0 && left < len, "%zu", left);
    cr_expect_eq(pending(&f, 0), CONN_OUT_BYTES_MAX);
    char *all = drain(&f, 0, len - left);
    cr_expect_eq(strncmp(all, bytes, len - left), 0);
    free(all);
    free(bytes);
    finish(&f);
}

Test(outlet, says_when_the_reader_is_gone)
{
    struct fixture f;
    begin(&f);
    close(f.lines[0].fd);
    f.lines[0].fd = -1;
    cr_expect_eq(put(&f, 0, "hello"), ERR_OK, "nobody has looked yet");
    cr_expect_eq(outlet_flush(f.outlet, &f.lines[0].conn), ERR_GONE);
    f.lines[0].conn.is_dead = true;
    struct str part = STR("more");
    size_t left = 7;
    cr_expect_eq(put(&f, 0, "more"), ERR_GONE);
    cr_expect_eq(outlet_put_most(f.outlet, &f.lines[0].conn, &part, 1, &left), ERR_GONE);
    cr_expect_eq(left, 0);
    cr_expect_eq(outlet_flush(f.outlet, &f.lines[0].conn), ERR_GONE);
    finish(&f);
}

Test(outlet, forgets_a_connection_that_closes)
{
    struct fixture f;
    begin(&f);
    cr_expect_eq(put(&f, 0, "never sent"), ERR_OK);
    outlet_drop(f.outlet, &f.lines[1].conn); /* not the owner: nothing happens */
    cr_expect_eq(pending(&f, 0), 10);
    outlet_drop(f.outlet, &f.lines[0].conn);
    cr_expect_eq(pending(&f, 0), 0);
    cr_expect_eq(put(&f, 1, "mine"), ERR_OK);
    cr_expect_eq(outlet_flush(f.outlet, &f.lines[1].conn), ERR_OK);
    cr_expect_str_eq(read_all(&f, 1), "mine");
    cr_expect_str_eq(read_all(&f, 0), "");
    finish(&f);
}

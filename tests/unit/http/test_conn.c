/*
 * One connection: what it remembers of the kernel, what its buffers hold, and its bounds.
 */
#include "tests/unit/http/near.h"

struct end {
    struct loop *loop;
    struct conn conn;
    int fd; /* the other end */
    uint32_t changes;
};

static void
on_change(struct conn *conn)
{
    LIST_OWNER(conn, struct end, conn)->changes++;
}

static void
begin(struct end *end, uint32_t in_max, uint32_t out_max)
{
    *end = (struct end){ .fd = -1 };
    int fds[2];
    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    cr_assert(loop_make(8, 8, &end->loop) == ERR_OK);
    cr_assert(conn_open(&end->conn, end->loop, fds[0], in_max, out_max, on_change) == ERR_OK);
    end->fd = fds[1];
    loop_turn(end->loop, 0);
    end->changes = 0;
}

static void
finish(struct end *end)
{
    conn_close(&end->conn);
    conn_close(&end->conn);
    cr_assert(!conn_is_open(&end->conn));
    if (end->fd >= 0) {
        close(end->fd);
    }
    loop_free(end->loop);
}

static void
put(struct end *end, const char *text)
{
    cr_assert(send(end->fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
    loop_turn(end->loop, 100);
}

Test(conn, reads_until_the_kernel_has_no_more)
{
    struct end end;
    begin(&end, 4096, 4096);
    cr_assert(!end.conn.can_read);
    put(&end, "hello");
    cr_assert(end.conn.can_read);
    cr_assert_eq(end.changes, 1);
    char bytes[4];
    size_t got = 0;
    cr_assert(conn_read(&end.conn, bytes, 4, &got) == ERR_OK);
    cr_assert_eq(got, 4);
    cr_assert(end.conn.can_read, "a full read may leave something");
    cr_assert(conn_read(&end.conn, bytes, 4, &got) == ERR_OK);
    cr_assert_eq(got, 1);
    cr_assert(!end.conn.can_read, "a short read leaves nothing");
    cr_assert(conn_read(&end.conn, bytes, 4, &got) == ERR_AGAIN);
    cr_assert_eq(got, 0);
    cr_assert_eq(end.conn.bytes_in, 5);
    finish(&end);
}

/* The end comes with the same event as the last bytes, and no other event follows. */
Test(conn, finds_an_end_that_came_with_the_last_bytes)
{
    struct end end;
    begin(&end, 4096, 4096);
    cr_assert(send(end.fd, "bye", 3, 0) == 3);
    close(end.fd);
    end.fd = -1;
    loop_turn(end.loop, 100);
    cr_assert(end.conn.peer_ended);
    char bytes[64];
    size_t got = 0;
    cr_assert(conn_read(&end.conn, bytes, sizeof(bytes), &got) == ERR_OK);
    cr_assert_eq(got, 3);
    cr_assert(end.conn.can_read, "the end must still be fetched");
    cr_assert(conn_read(&end.conn, bytes, sizeof(bytes), &got) == ERR_EOF);
    cr_assert(!end.conn.can_read);
    finish(&end);
}

Test(conn, collects_input_up_to_its_bound)
{
    struct end end;
    begin(&end, 10, 4096);
    put(&end, "0123456789abc");
    enum err err = ERR_OK;
    while (buf_len(&end.conn.in) < 10) {
        cr_assert((err = conn_fill(&end.conn)) == ERR_OK);
    }
    cr_assert(conn_fill(&end.conn) == ERR_FULL);
    cr_assert(str_equal(buf_str(&end.conn.in), STR("0123456789")));
    buf_consume(&end.conn.in, 10);
    cr_assert(conn_fill(&end.conn) == ERR_OK);
    cr_assert(str_equal(buf_str(&end.conn.in), STR("abc")));
    buf_consume(&end.conn.in, 3);
    cr_assert(conn_fill(&end.conn) == ERR_AGAIN);
    cr_assert(end.conn.in.data == NULL, "nothing is held while nothing is there");
    finish(&end);
}

Test(conn, sends_several_writes_as_one)
{
    struct end end;
    begin(&end, 4096, 16);
    cr_assert(conn_write(&end.conn, STR("abc")) == ERR_OK);
    cr_assert(conn_write(&end.conn, STR("defgh")) == ERR_OK);
    cr_assert(conn_write(&end.conn, STR("123456789")) == ERR_FULL);
    char bytes[64];
    cr_assert(recv(end.fd, bytes, sizeof(bytes), 0) < 0);
    cr_assert(conn_flush(&end.conn) == ERR_OK);
    cr_assert_eq(recv(end.fd, bytes, sizeof(bytes), 0), 8);
    cr_assert(memcmp(bytes, "abcdefgh", 8) == 0);
    cr_assert(end.conn.out.data == NULL);
    cr_assert_eq(end.conn.bytes_out, 8);
    cr_assert(conn_flush(&end.conn) == ERR_OK, "nothing to do is fine");
    finish(&end);
}

Test(conn, goes_on_sending_when_the_reader_reads)
{
    struct end end;
    begin(&end, 4096, 4u << 20);
    static char bytes[2u << 20];
    memset(bytes, 'x', sizeof(bytes));
    cr_assert(conn_write(&end.conn, str_make(bytes, sizeof(bytes))) == ERR_OK);
    cr_assert(conn_flush(&end.conn) == ERR_AGAIN);
    cr_assert(!end.conn.can_write);
    cr_assert(conn_flush(&end.conn) == ERR_AGAIN);
    size_t got = 0;
    for (int i = 0; i < 1000 && got < sizeof(bytes); i++) {
        ssize_t count;
        while ((count = recv(end.fd, bytes, sizeof(bytes), 0)) > 0) {
            got += (size_t)count;
        }
        loop_turn(end.loop, 10);
        if (end.conn.can_write) {
            enum err err = conn_flush(&end.conn);
            cr_assert(err == ERR_OK || err == ERR_AGAIN);
        }
    }
    cr_assert_eq(got, sizeof(bytes));
    cr_assert(end.conn.out.data == NULL);
    finish(&end);
}

Test(conn, sends_pieces_and_tells_how_much)
{
    struct end end;
    begin(&end, 4096, 4096);
    char one[] = "one ";
    char two[] = "two";
    struct iovec parts[] = { { one, 4 }, { two, 3 } };
    size_t sent = 0;
    cr_assert(conn_sendv(&end.conn, parts, 2, &sent) == ERR_OK);
    cr_assert_eq(sent, 7);
    char bytes[64];
    cr_assert_eq(recv(end.fd, bytes, sizeof(bytes), 0), 7);
    cr_assert(memcmp(bytes, "one two", 7) == 0);
    finish(&end);
}

Test(conn, is_dead_when_the_peer_is_gone)
{
    struct end end;
    begin(&end, 4096, 4096);
    close(end.fd);
    end.fd = -1;
    loop_turn(end.loop, 100);
    cr_assert_eq(end.changes, 1);
    cr_assert(end.conn.can_read);
    cr_assert(conn_write(&end.conn, STR("x")) == ERR_OK);
    cr_assert(conn_flush(&end.conn) == ERR_GONE);
    cr_assert(end.conn.is_dead);
    finish(&end);
}

Test(conn, fails_as_the_system_does)
{
    struct end end;
    begin(&end, 4096, 4096);
    put(&end, "x");
    sys_fault("recv", 1, ERR_GONE);
    char byte;
    size_t got = 0;
    cr_assert(conn_read(&end.conn, &byte, 1, &got) == ERR_GONE);
    cr_assert(end.conn.is_dead);
    finish(&end);

    begin(&end, 4096, 4096);
    sys_fault("send", 1, ERR_AGAIN);
    cr_assert(conn_write(&end.conn, STR("x")) == ERR_OK);
    cr_assert(conn_flush(&end.conn) == ERR_AGAIN);
    cr_assert(!end.conn.can_write);
    finish(&end);
}

Test(conn, calls_again_once_a_turn_and_not_after_closing)
{
    struct end end;
    begin(&end, 4096, 4096);
    conn_again(&end.conn);
    conn_again(&end.conn);
    cr_assert_eq(end.changes, 0);
    loop_turn(end.loop, 0);
    cr_assert_eq(end.changes, 1);
    loop_turn(end.loop, 0);
    cr_assert_eq(end.changes, 1);
    conn_again(&end.conn);
    conn_close(&end.conn);
    loop_turn(end.loop, 0);
    cr_assert_eq(end.changes, 1);
    finish(&end);
}

Test(conn, leaves_the_descriptor_when_the_loop_is_full)
{
    struct loop *loop;
    cr_assert(loop_make(1, 1, &loop) == ERR_OK);
    int fds[2];
    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    struct conn first;
    struct conn second;
    cr_assert(conn_open(&first, loop, fds[0], 16, 16, on_change) == ERR_OK);
    cr_assert(conn_open(&second, loop, fds[1], 16, 16, on_change) == ERR_FULL);
    cr_assert(!conn_is_open(&second));
    conn_close(&second);
    cr_assert(close(fds[1]) == 0, "still ours");
    conn_close(&first);
    loop_free(loop);
}

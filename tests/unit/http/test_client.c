/*
 * A connection to a provider against a server that says what the test wants.
 */
#include "tests/unit/http/near.h"

#define REQUEST "POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"

static void
begin_ready(struct near *near)
{
    near_begin(near);
    near_open(near, NULL, NULL);
    NEAR_UNTIL(near, near->readies == 1 && near->fd >= 0);
    cr_assert_eq(near->client.state, CLIENT_READY);
}

static void
begin_asked(struct near *near)
{
    begin_ready(near);
    near_ask(near, REQUEST);
    NEAR_UNTIL(near, near_has_got(near, "\r\n\r\n{}"));
    cr_assert_eq(near->client.state, CLIENT_HEAD);
    cr_assert(client_is_sent(&near->client));
}

static void
finish(struct near *near)
{
    client_close(&near->client);
    cr_assert_eq(near->client.state, CLIENT_CLOSED);
    near_finish(near);
}

Test(client, keeps_a_connection_for_many_requests)
{
    struct near near;
    begin_ready(&near);
    for (uint32_t i = 1; i <= 5; i++) {
        buf_clear(&near.got);
        buf_clear(&near.body);
        near_ask(&near, REQUEST);
        NEAR_UNTIL(&near, near_has_got(&near, "{}"));
        near_say(&near, STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
        NEAR_UNTIL(&near, near.ends == i);
        cr_assert(near.can_keep);
        cr_assert(near_body_is(&near, "hello"));
        cr_assert_eq(near.client.state, CLIENT_READY);
        cr_assert_eq(near.client.requests, i);
        cr_assert_eq(near.turns, 0, "a whole answer needs no flush before its end");
    }
    cr_assert_eq(near.accepts, 1);
    cr_assert_eq(near.heads, 5);
    cr_assert_eq(near.fails, 0);
    finish(&near);
}

Test(client, sends_pieces_in_order_without_a_copy)
{
    struct near near;
    begin_ready(&near);
    struct str pieces[] = { STR("POST / HTTP/1.1\r\n"), STR(""), STR("Host: a\r\n\r\n"),
                            STR("body") };
    client_send(&near.client, pieces, 4, false);
    cr_assert(client_is_sent(&near.client));
    NEAR_UNTIL(&near, near_has_got(&near, "POST / HTTP/1.1\r\nHost: a\r\n\r\nbody"));
    finish(&near);
}

Test(client, can_be_asked_again_from_on_end)
{
    struct near near;
    begin_asked(&near);
    near.send_in_end = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";
    near_say(&near, STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"));
    NEAR_UNTIL(&near, near_has_got(&near, "GET /second"));
    near_say(&near, STR("HTTP/1.1 204 No Content\r\n\r\n"));
    NEAR_UNTIL(&near, near.ends == 2);
    cr_assert_eq(near.status, 204);
    cr_assert(near.can_keep);
    finish(&near);
}

/* One answer, byte by byte and in one piece. */
static void
expect_answer(const char *answer, bool by_bytes, bool hang_up, const char *body, bool can_keep)
{
    struct near near;
    begin_asked(&near);
    struct str rest = str_of(answer);
    while (rest.len > 0) {
        size_t bytes = by_bytes ? 1 : rest.len;
        near_say(&near, str_make(rest.data, bytes));
        rest = str_skip(rest, bytes);
        if (by_bytes) {
            near_turn(&near);
        }
    }
    if (hang_up) {
        near_hang_up(&near);
    }
    NEAR_UNTIL(&near, near.ends == 1);
    cr_assert(near_body_is(&near, body), "body %.*s", STR_ARG(buf_str(&near.body)));
    cr_assert_eq(near.can_keep, can_keep);
    cr_assert_eq(near.client.state, can_keep ? CLIENT_READY : CLIENT_CLOSED);
    cr_assert_eq(near.fails, 0);
    finish(&near);
}

Test(client, reads_every_framing_under_any_cut)
{
    for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
        expect_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", by_bytes, false, "hello",
                      true);
        expect_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
                      "4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n",
                      by_bytes, false, "abcdefg", true);
        expect_answer("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end", by_bytes,
                      true, "until the end", false);
        expect_answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", by_bytes, false, "", true);
        expect_answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", by_bytes, false, "",
                      true);
        expect_answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
                      by_bytes, false, "ok", false);
        expect_answer("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", by_bytes, false, "ok",
                      false);
        expect_answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
                      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                      by_bytes, false, "ok", true);
    }
}

Test(client, has_no_body_in_an_answer_to_head)
{
    struct near near;
    begin_ready(&near);
    struct str piece = STR("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    client_send(&near.client, &piece, 1, true);
    NEAR_UNTIL(&near, near_has_got(&near, "HEAD"));
    near_say(&near, STR("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"));
    NEAR_UNTIL(&near, near.ends == 1);
    cr_assert(near.can_keep);
    cr_assert_eq(near.bodies, 0);
    finish(&near);
}

Test(client, does_not_keep_a_connection_with_bytes_behind_the_answer)
{
    expect_answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", false,
                  false, "ok", false);
    expect_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nx",
                  false, false, "ok", false);
    expect_answer("HTTP/1.1 204 No Content\r\n\r\nx", false, false, "", false);
}

Test(client, does_not_keep_a_connection_whose_spare_byte_is_in_the_next_read)
{
    struct near near;
    begin_asked(&near);
    const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n";
    static char answer[CLIENT_READ_BYTES * 2];
    size_t head_bytes = strlen(head);
    memcpy(answer, head, head_bytes);
    memset(answer + head_bytes, 'x', 65536);
    /* The first read takes the head alone, the second is filled to the last byte. */
    near_say(&near, str_make(answer, head_bytes));
    NEAR_UNTIL(&near, near.heads == 1);
    near_say(&near, str_make(answer + head_bytes, 65536));
    near_say(&near, STR("y"));
    NEAR_UNTIL(&near, near.ends == 1);
    cr_assert_eq(buf_len(&near.body), 65536);
    cr_assert(!near.can_keep);
    finish(&near);
}

/* A broken answer fails in the state it was in, with ERR_BAD. */
static void
expect_bad(const char *answer, enum client_state state, const char *why)
{
    struct near near;
    begin_asked(&near);
    near_say(&near, str_of(answer));
    NEAR_UNTIL(&near, near.fails == 1);
    cr_assert_eq(near.err, ERR_BAD, "%s", answer);
    cr_assert_eq(near.failed_in, state);
    cr_assert(strstr(near.client.why, why) != NULL, "%s", near.client.why);
    near_some_turns(&near);
    cr_assert_eq(near.fails + near.ends, 1);
    finish(&near);
}

Test(client, refuses_broken_answers)
{
    expect_bad("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
               CLIENT_HEAD, "bad answer");
    expect_bad("HTTP/1.1 200 OK\nContent-Length: 2\n\nok", CLIENT_HEAD, "bad answer");
    expect_bad("SSH-2.0-OpenSSH_9.2\r\n\r\n", CLIENT_HEAD, "bad answer");
    expect_bad("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
               CLIENT_HEAD, "protocols");
    expect_bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", CLIENT_BODY, "chunk");
}

Test(client, bounds_interim_answers_and_heads)
{
    struct buf flood;
    buf_init(&flood, 1u << 20);
    for (uint32_t i = 0; i <= INTERIM_ANSWERS_MAX; i++) {
        cr_assert(buf_append(&flood, STR("HTTP/1.1 100 Continue\r\n\r\n")) == ERR_OK);
    }
    cr_assert(buf_append(&flood, str_make("", 1)) == ERR_OK);
    expect_bad(buf_str(&flood).data, CLIENT_HEAD, "interim");
    buf_fini(&flood);

    struct buf head;
    buf_init(&head, 1u << 20);
    cr_assert(buf_append(&head, STR("HTTP/1.1 200 OK\r\n")) == ERR_OK);
    while (buf_len(&head) <= HEAD_BYTES_MAX) {
        cr_assert(buf_printf(&head, "X-Filler: %0500d\r\n", 0) == ERR_OK);
    }
    cr_assert(buf_append(&head, str_make("", 1)) == ERR_OK);
    expect_bad(buf_str(&head).data, CLIENT_HEAD, "bad answer");
    buf_fini(&head);
}

Test(client, tells_a_dead_kept_connection_from_a_cut_answer)
{
    struct near near;
    begin_asked(&near);
    near_say(&near, STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    NEAR_UNTIL(&near, near.ends == 1);
    /* The server closes and the request crosses that on its way. */
    near_hang_up(&near);
    near_ask(&near, REQUEST);
    NEAR_UNTIL(&near, near.fails == 1);
    cr_assert(near.err == ERR_EOF || near.err == ERR_GONE);
    cr_assert_eq(near.failed_in, CLIENT_HEAD);
    cr_assert_eq(near.client.answer_bytes, 0);
    cr_assert_eq(near.client.requests, 2);
    finish(&near);

    begin_asked(&near);
    near_say(&near, STR("HTTP/1.1 200 OK\r\nContent-Le"));
    near_some_turns(&near);
    near_hang_up(&near);
    NEAR_UNTIL(&near, near.fails == 1);
    cr_assert_eq(near.err, ERR_EOF);
    cr_assert(near.client.answer_bytes > 0);
    finish(&near);

    begin_asked(&near);
    near_say(&near, STR("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
    near_hang_up(&near);
    NEAR_UNTIL(&near, near.fails == 1);
    cr_assert_eq(near.err, ERR_EOF);
    cr_assert_eq(near.failed_in, CLIENT_BODY);
    cr_assert(near_body_is(&near, "half"));
    cr_assert(strstr(near.client.why, "middle of the answer") != NULL);
    finish(&near);
}

Test(client, says_when_an_idle_connection_ends_or_speaks)
{
    struct near near;
    begin_ready(&near);
    near_hang_up(&near);
    NEAR_UNTIL(&near, near.fails == 1);
    cr_assert_eq(near.failed_in, CLIENT_READY);
    cr_assert_eq(near.err, ERR_EOF);
    finish(&near);

    begin_ready(&near);
    near_say(&near, STR("HTTP/1.1 408 Request Timeout\r\n\r\n"));
    NEAR_UNTIL(&near, near.fails == 1);
    cr_assert_eq(near.failed_in, CLIENT_READY);
    cr_assert_eq(near.err, ERR_BAD);
    finish(&near);
}

Test(client, takes_an_answer_that_comes_before_the_request_is_sent)
{
    struct near near;
    begin_ready(&near);
    near.is_deaf = true;
    static char body[8u << 20];
    struct str pieces[] = { STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n"),
                            { body, sizeof(body) } };
    client_send(&near.client, pieces, 2, false);
    near_some_turns(&near);
    cr_assert_eq(near.client.state, CLIENT_SEND);
    cr_assert(!client_is_sent(&near.client));
    near_say(&near, STR("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"));
    NEAR_UNTIL(&near, near.ends == 1);
    cr_assert_eq(near.status, 413);
    cr_assert(!near.can_keep);
    cr_assert(near_body_is(&near, "big"));
    finish(&near);

    /* The same with a server that resets right after. */
    begin_ready(&near);
    near.is_deaf = true;
    client_send(&near.client, pieces, 2, false);
    near_say(&near, STR("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"));
    near_hang_up(&near);
    NEAR_UNTIL(&near, near.ends + near.fails == 1);
    cr_assert_eq(near.ends, 1);
    cr_assert_eq(near.status, 413);
    finish(&near);
}

Test(client, sends_a_large_request_as_it_is_taken)
{
    struct near near;
    begin_ready(&near);
    near.is_deaf = true;
    static char body[4u << 20];
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (char)(i * 31 + i / 251);
    }
    struct str pieces[] = { STR("POST / HTTP/1.1\r\nHost: a\r\n\r\n"), { body, sizeof(body) } };
    client_send(&near.client, pieces, 2, false);
    near_some_turns(&near);
    cr_assert(!client_is_sent(&near.client));
    near.is_deaf = false;
    NEAR_UNTIL(&near, buf_len(&near.got) == pieces[0].len + sizeof(body));
    cr_assert(client_is_sent(&near.client));
    cr_assert(memcmp(buf_str(&near.got).data + pieces[0].len, body, sizeof(body)) == 0);
    finish(&near);
}

Test(client, stops_reading_while_paused)
{
    struct near near;
    begin_asked(&near);
    near_say(&near, STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"));
    near.pause_in_body = true;
    NEAR_UNTIL(&near, near.bodies == 1);
    cr_assert_eq(near.turns, 1);
    near_say(&near, STR("3\r\ntwo\r\n"));
    near_some_turns(&near);
    near_say(&near, STR("0\r\n\r\n"));
    near_some_turns(&near);
    cr_assert(near_body_is(&near, "one"));
    cr_assert_eq(near.ends, 0);

    near.pause_in_body = false;
    client_pause(&near.client, false);
    cr_assert(near_body_is(&near, "one"), "not inside of client_pause");
    NEAR_UNTIL(&near, near.ends == 1);
    cr_assert(near_body_is(&near, "onetwo"));
    cr_assert(near.can_keep);
    finish(&near);
}

Test(client, may_be_closed_by_every_hook)
{
    struct near near;
    near_begin(&near);
    near.close_in_ready = true;
    near_open(&near, NULL, NULL);
    NEAR_UNTIL(&near, near.readies == 1 && near.has_ended);
    finish(&near);

    begin_asked(&near);
    near.close_in_head = true;
    near_say(&near, STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    NEAR_UNTIL(&near, near.heads == 1 && near.has_ended);
    cr_assert_eq(near.bodies + near.ends + near.fails + near.turns, 0);
    near_finish(&near);

    begin_asked(&near);
    near.close_in_body = true;
    near_say(&near,
             STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n"));
    NEAR_UNTIL(&near, near.bodies == 1 && near.has_ended);
    cr_assert_eq(near.ends + near.fails + near.turns, 0);
    near_finish(&near);
}

Test(client, says_why_it_cannot_connect)
{
    struct near near;
    near_begin(&near);
    struct sockaddr_in address = near_address(&near);
    close(near.listen_fd);
    near.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    enum err err = client_open(&near.client, near.loop, (struct sockaddr *)&address,
                               sizeof(address), NULL, NULL, &near_hooks);
    if (err == ERR_OK) {
        NEAR_UNTIL(&near, near.fails == 1);
        cr_assert_eq(near.failed_in, CLIENT_CONNECT);
        err = near.err;
    }
    cr_assert_eq(err, ERR_REFUSED);
    cr_assert_str_eq(near.client.why, "connect: Connection refused");
    finish(&near);
}

Test(client, survives_short_transfers)
{
    sys_short(7);
    static char answer[200000];
    size_t len = (size_t)snprintf(answer, 100, "HTTP/1.1 200 OK\r\nContent-Length: 150000\r\n\r\n");
    memset(answer + len, 'z', 150000);
    struct near near;
    begin_ready(&near);
    for (uint32_t i = 1; i <= 2; i++) {
        buf_clear(&near.got);
        near_ask(&near, REQUEST);
        NEAR_UNTIL(&near, near_has_got(&near, "\r\n\r\n{}"));
        near_say(&near, str_make(answer, len + 150000));
        NEAR_UNTIL(&near, near.ends == i);
        cr_assert_eq(buf_len(&near.body), i * 150000);
    }
    sys_short(0);
    finish(&near);
}

Test(client, has_a_text_for_each_state)
{
    for (int state = CLIENT_CONNECT; state <= CLIENT_CLOSED; state++) {
        cr_assert(strlen(client_state_text((enum client_state)state)) > 3);
    }
}

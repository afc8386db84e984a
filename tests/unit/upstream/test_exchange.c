/* One attempt, phase by phase, against a provider on the same loop. */
#include "shm/names.h"
#include "tests/unit/upstream/yard.h"

static void
know_name(struct yard *yard, const char *host, const uint8_t *last_octets, uint32_t count)
{
    struct names_answer answer = { .state = NAMES_OK, .count = count, .good_ms = 1 };
    for (uint32_t i = 0; i < count; i++) {
        answer.addresses[i] =
            (struct names_address){ .family = 4, .bytes = { 127, 0, 0, last_octets[i] } };
    }
    cr_assert(names_put(&yard->test.segment, str_of(host), &answer) == ERR_OK);
}

Test(exchange, succeeds_and_keeps_the_connection)
{
    struct yard yard;
    yard_begin(&yard);
    cr_expect(!exchange_is_running(&yard.exchange));
    yard_serve_one(&yard, "hello");
    cr_expect(yard.status == 200 && yard.heads == 1 && yard.fails == 0);
    cr_expect_eq(yard.exchange.phase, EXCHANGE_DONE);
    cr_expect(!exchange_is_running(&yard.exchange) && exchange_is_sent(&yard.exchange));
    cr_expect(yard.exchange.head_ms >= yard.exchange.started_ms && yard.exchange.head_ms != 0);
    cr_expect_eq(yard.phases, 1u << EXCHANGE_CONNECT | 1u << EXCHANGE_HEAD | 1u << EXCHANGE_BODY |
                                  1u << EXCHANGE_DONE);
    cr_expect_eq(origin_idle(yard.reach->origins), 1);
    yard_serve_one(&yard, "again");
    cr_expect(yard.near.accepts == 1 && yard.exchange.is_reused);
    cr_expect(yard_count(&yard, COUNTER_POOL_HITS) == 1 &&
              yard_count(&yard, COUNTER_POOL_MISSES) == 1 &&
              yard_count(&yard, COUNTER_UPSTREAM_ATTEMPTS) == 2);
    yard_finish(&yard);
}

Test(exchange, may_be_started_again_inside_its_end)
{
    struct yard yard;
    yard_begin(&yard);
    yard.again_in_end = true;
    yard_serve_one(&yard, "one");
    yard_await_request(&yard);
    yard_answer(&yard, "HTTP/1.1 204 No Content\r\n\r\n");
    YARD_UNTIL(&yard, yard.ends == 2);
    cr_expect_eq(yard.near.accepts, 1);
    yard_finish(&yard);
}

Test(exchange, drops_a_connection_that_may_not_be_kept)
{
    struct yard yard;
    yard_begin(&yard);
    yard_start(&yard);
    yard_await_request(&yard);
    yard_answer(&yard, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
    YARD_UNTIL(&yard, yard.ends == 1);
    cr_expect_eq(origin_idle(yard.reach->origins), 0);
    yard_finish(&yard);
}

Test(exchange, replaces_a_dead_kept_connection_once_and_only_once)
{
    struct yard yard;
    yard_begin(&yard);
    yard_serve_one(&yard, "warm");
    yard_start(&yard);
    cr_expect(yard.exchange.is_reused);
    yard_await_request(&yard);
    near_hang_up(&yard.near); /* without a byte of an answer */
    yard_await_request(&yard);
    cr_expect_eq(yard.near.accepts, 2, "the same request on a new connection");
    cr_expect(yard.exchange.has_retried && !yard.exchange.is_reused);
    cr_expect_eq(yard_count(&yard, COUNTER_POOL_STALE), 1);
    near_hang_up(&yard.near);
    YARD_UNTIL(&yard, yard.fails == 1);
    near_some_turns(&yard.near);
    cr_expect_eq(yard.near.accepts, 2, "not a third time");
    cr_expect(yard.failure.phase == EXCHANGE_HEAD &&
              (yard.failure.err == ERR_EOF || yard.failure.err == ERR_GONE));
    cr_expect(yard.heads == 1 && yard.fails == 1);
    yard_finish(&yard);
}

Test(exchange, does_not_repeat_a_request_on_a_fresh_connection)
{
    struct yard yard;
    yard_begin(&yard);
    yard_start(&yard);
    yard_await_request(&yard);
    near_hang_up(&yard.near);
    YARD_UNTIL(&yard, yard.fails == 1);
    near_some_turns(&yard.near);
    cr_expect_eq(yard.near.accepts, 1);
    yard_finish(&yard);
}

Test(exchange, does_not_repeat_a_request_whose_answer_has_begun)
{
    struct yard yard;
    yard_begin(&yard);
    yard_serve_one(&yard, "warm");
    yard_start(&yard);
    yard_await_request(&yard);
    yard_answer(&yard, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    YARD_UNTIL(&yard, yard.heads == 2);
    near_hang_up(&yard.near);
    YARD_UNTIL(&yard, yard.fails == 1);
    near_some_turns(&yard.near);
    cr_expect_eq(yard.near.accepts, 1);
    cr_expect_eq(yard.failure.phase, EXCHANGE_BODY);
    yard_finish(&yard);
}

Test(exchange, fails_when_nobody_listens)
{
    struct yard yard;
    yard_begin(&yard);
    close(yard.near.listen_fd);
    yard_start(&yard);
    YARD_UNTIL(&yard, yard.fails == 1);
    cr_expect(yard.failure.err == ERR_REFUSED && yard.failure.phase == EXCHANGE_CONNECT, "%s in %s",
              err_name(yard.failure.err), exchange_phase_text(yard.failure.phase));
    cr_expect(strstr(yard.failure.why, "refused") != NULL, "%s", yard.failure.why);
    cr_expect_eq(yard.exchange.phase, EXCHANGE_FAILED);
    cr_expect_eq(yard_count(&yard, COUNTER_CONNECT_FAILURES), 1);
    yard_finish(&yard);
}

Test(exchange, has_a_deadline_for_the_first_byte)
{
    struct yard yard;
    yard_begin(&yard);
    yard.conf.first_byte_ms = 100;
    yard_start(&yard);
    yard_await_request(&yard);
    YARD_UNTIL(&yard, yard.fails == 1);
    cr_expect(yard.failure.err == ERR_TIMEOUT && yard.failure.phase == EXCHANGE_HEAD);
    cr_expect_eq(yard_count(&yard, COUNTER_TIMEOUTS), 1);
    /* A request may have its own. */
    yard.conf.first_byte_ms = 60000;
    yard.exchange.first_byte_ms_max = 50;
    yard_start(&yard);
    YARD_UNTIL(&yard, yard.fails == 2);
    cr_expect(yard.failure.err == ERR_TIMEOUT);
    yard_finish(&yard);
}

Test(exchange, has_a_deadline_for_silence_that_each_byte_renews)
{
    struct yard yard;
    yard_begin(&yard);
    yard.conf.idle_ms = 1200;
    yard_start(&yard);
    yard_await_request(&yard);
    yard_answer(&yard, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    uint64_t began_ms = clock_now_ms();
    for (int i = 0; i < 4; i++) {
        uint64_t until_ms = clock_now_ms() + 400;
        while (clock_now_ms() < until_ms) {
            near_turn(&yard.near);
        }
        yard_answer(&yard, "1\r\nx\r\n");
    }
    YARD_UNTIL(&yard, buf_len(&yard.body) == 4);
    cr_expect_eq(yard.fails, 0, "%u ms in all are no silence",
                 (unsigned)(clock_now_ms() - began_ms));
    YARD_UNTIL(&yard, yard.fails == 1);
    cr_expect(yard.failure.err == ERR_TIMEOUT && yard.failure.phase == EXCHANGE_BODY);
    yard_finish(&yard);
}

Test(exchange, paused_reads_nothing_and_is_not_called_silent)
{
    struct yard yard;
    yard_begin(&yard);
    yard.conf.idle_ms = 100;
    yard_start(&yard);
    yard_await_request(&yard);
    yard_answer(&yard, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
    YARD_UNTIL(&yard, yard.heads == 1);
    exchange_pause(&yard.exchange, true);
    yard_answer(&yard, "body");
    uint64_t until_ms = clock_now_ms() + 250;
    while (clock_now_ms() < until_ms) {
        near_turn(&yard.near);
    }
    cr_expect(buf_len(&yard.body) == 0 && yard.fails == 0);
    exchange_pause(&yard.exchange, false);
    YARD_UNTIL(&yard, yard.ends == 1);
    cr_expect(str_equal(buf_str(&yard.body), STR("body")));
    yard_finish(&yard);
}

Test(exchange, checks_the_address_at_every_connect)
{
    struct yard yard;
    yard_begin(&yard);
    yard.conf.allow_private = false;
    yard_start(&yard);
    YARD_UNTIL(&yard, yard.fails == 1);
    cr_expect_eq(yard.failure.err, ERR_DENIED);
    cr_expect(strstr(yard.failure.why, "allow_private") != NULL);
    /* What a name resolves to counts, not the name. */
    know_name(&yard, "public.example", (const uint8_t[]){ 1 }, 1);
    yard_point_at(&yard, "http", "public.example");
    yard_start(&yard);
    YARD_UNTIL(&yard, yard.fails == 2);
    cr_expect_eq(yard.failure.err, ERR_DENIED);
    near_some_turns(&yard.near);
    cr_expect_eq(yard.near.accepts, 0);
    yard_finish(&yard);
}

Test(exchange, does_not_ask_a_proxy_for_what_it_would_not_connect_to_itself)
{
    struct yard yard;
    yard_begin(&yard);
    yard.conf.allow_private = false;
    snprintf(yard.account.proxy, sizeof yard.account.proxy, "http://proxy.example:3128");
    yard_point_at(&yard, "http", "169.254.169.254");
    yard_start(&yard);
    YARD_UNTIL(&yard, yard.fails == 1);
    cr_expect(yard.failure.err == ERR_DENIED &&
                  strstr(yard.failure.why, "behind the proxy") != NULL,
              "%s", yard.failure.why);
    yard_finish(&yard);
}

Test(exchange, refuses_http_unless_allowed)
{
    struct yard yard;
    yard_begin(&yard);
    yard.conf.allow_http = false;
    yard_start(&yard);
    YARD_UNTIL(&yard, yard.fails == 1);
    cr_expect(yard.failure.err == ERR_DENIED && strstr(yard.failure.why, "allow_http") != NULL);
    near_some_turns(&yard.near);
    cr_expect_eq(yard.near.accepts, 0);
    yard_finish(&yard);
}

Test(exchange, waits_until_the_keeper_knows_the_name)
{
    struct yard yard;
    yard_begin(&yard);
    yard_point_at(&yard, "http", "provider.example");
    yard_start(&yard);
    uint32_t cursor = 0;
    uint32_t cell = 0;
    char host[NAME_HOST_BYTES] = "";
    near_some_turns(&yard.near);
    cr_assert(names_next_wanted(&yard.test.segment, &cursor, &cell, host));
    cr_expect_str_eq(host, "provider.example");
    cr_expect_eq(yard.exchange.phase, EXCHANGE_RESOLVE);
    know_name(&yard, "provider.example", (const uint8_t[]){ 1 }, 1);
    names_answered(&yard.test.segment, cell);
    yard_await_request(&yard);
    cr_expect((yard.phases & 1u << EXCHANGE_RESOLVE) != 0);
    yard_finish(&yard);
}

Test(exchange, fails_when_the_name_does_not_come_in_time)
{
    struct yard yard;
    yard_begin(&yard);
    yard.conf.resolve_ms = 100;
    yard_point_at(&yard, "http", "nowhere.example");
    yard_start(&yard);
    YARD_UNTIL(&yard, yard.fails == 1);
    cr_expect(yard.failure.err == ERR_TIMEOUT && yard.failure.phase == EXCHANGE_RESOLVE);
    yard_finish(&yard);
}

Test(exchange, fails_with_the_resolvers_word)
{
    struct yard yard;
    yard_begin(&yard);
    struct names_answer answer = { .state = NAMES_FAILED, .why = "no such name" };
    cr_assert(names_put(&yard.test.segment, STR("nowhere.example"), &answer) == ERR_OK);
    yard_point_at(&yard, "http", "nowhere.example");
    yard_start(&yard);
    YARD_UNTIL(&yard, yard.fails == 1);
    cr_expect_eq(yard.failure.err, ERR_REFUSED);
    cr_expect(strstr(yard.failure.why, "no such name") != NULL, "%s", yard.failure.why);
    yard_finish(&yard);
}

Test(exchange, tries_the_next_address_of_a_name)
{
    struct yard yard;
    yard_begin(&yard);
    /* Nobody listens at .2 and .3 on this port. */
    know_name(&yard, "many.example", (const uint8_t[]){ 2, 3, 1 }, 3);
    yard_point_at(&yard, "http", "many.example");
    yard_start(&yard);
    yard_await_request(&yard);
    cr_expect_eq(yard_count(&yard, COUNTER_CONNECT_FAILURES), 2);
    cr_expect_eq(yard.fails, 0);
    yard_finish(&yard);
}

Test(exchange, fails_when_all_addresses_do)
{
    struct yard yard;
    yard_begin(&yard);
    know_name(&yard, "many.example", (const uint8_t[]){ 2, 3 }, 2);
    yard_point_at(&yard, "http", "many.example");
    yard_start(&yard);
    YARD_UNTIL(&yard, yard.fails == 1);
    cr_expect_eq(yard.failure.err, ERR_REFUSED);
    cr_expect(strstr(yard.failure.why, "refused") != NULL, "%s", yard.failure.why);
    yard_finish(&yard);
}

/* Stops in the present phase and sees that nothing comes afterwards. */
static void
stop_and_listen(struct yard *yard)
{
    uint32_t before = yard->heads + yard->ends + yard->fails;
    exchange_stop(&yard->exchange);
    cr_expect(!exchange_is_running(&yard->exchange));
    exchange_stop(&yard->exchange); /* a second time changes nothing */
    near_some_turns(&yard->near);
    cr_expect_eq(yard->heads + yard->ends + yard->fails, before, "a hook after the stop");
    cr_expect_eq(origin_idle(yard->reach->origins), 0);
}

Test(exchange, stops_in_every_phase)
{
    struct yard yard;
    yard_begin(&yard);
    exchange_stop(&yard.exchange); /* IDLE */
    cr_expect_eq(yard.exchange.phase, EXCHANGE_IDLE);

    yard_point_at(&yard, "http", "unknown.example");
    yard_start(&yard);
    cr_expect_eq(yard.exchange.phase, EXCHANGE_RESOLVE);
    stop_and_listen(&yard);

    yard_point_at(&yard, "http", "127.0.0.1");
    yard_start(&yard);
    cr_expect_eq(yard.exchange.phase, EXCHANGE_CONNECT);
    stop_and_listen(&yard);

    yard_start(&yard);
    yard_await_request(&yard);
    cr_expect_eq(yard.exchange.phase, EXCHANGE_HEAD);
    stop_and_listen(&yard);

    yard_start(&yard);
    yard_await_request(&yard);
    yard_answer(&yard, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha");
    YARD_UNTIL(&yard, buf_len(&yard.body) == 2);
    cr_expect_eq(yard.exchange.phase, EXCHANGE_BODY);
    stop_and_listen(&yard);
    YARD_UNTIL(&yard, yard.near.has_ended);

    yard.conf.allow_private = false;
    yard_start(&yard); /* a failure that was not told yet */
    stop_and_listen(&yard);
    yard_finish(&yard);
}

Test(exchange, stops_inside_its_hooks)
{
    struct yard yard;
    yard_begin(&yard);
    yard.stop_in_head = true;
    yard_start(&yard);
    yard_await_request(&yard);
    yard_answer(&yard, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
    YARD_UNTIL(&yard, yard.heads == 1);
    near_some_turns(&yard.near);
    cr_expect(buf_len(&yard.body) == 0 && yard.ends == 0 && yard.fails == 0);
    yard.stop_in_head = false;
    yard.stop_in_body = true;
    yard_start(&yard);
    yard_await_request(&yard);
    yard_answer(&yard, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo");
    YARD_UNTIL(&yard, buf_len(&yard.body) == 2);
    near_some_turns(&yard.near);
    cr_expect(yard.ends == 0 && yard.fails == 0 && yard.near.has_ended);
    yard_finish(&yard);
}

Test(exchange, says_when_this_process_has_too_many_connections)
{
    struct yard yard;
    yard_begin(&yard);
    struct client *taken[8];
    for (int i = 0; i < 8; i++) {
        taken[i] = origin_new(yard.reach->origins);
        cr_assert_not_null(taken[i]);
    }
    yard_start(&yard);
    YARD_UNTIL(&yard, yard.fails == 1);
    cr_expect_eq(yard.failure.err, ERR_FULL);
    for (int i = 0; i < 8; i++) {
        origin_drop(yard.reach->origins, taken[i]);
    }
    yard_finish(&yard);
}

Test(exchange, calls_nonsense_bad)
{
    struct yard yard;
    yard_begin(&yard);
    yard_start(&yard);
    yard_await_request(&yard);
    yard_answer(&yard, "220 mail.example ESMTP\r\n\r\n");
    YARD_UNTIL(&yard, yard.fails == 1);
    cr_expect(yard.failure.err == ERR_BAD, "%s", err_name(yard.failure.err));
    yard_finish(&yard);
}

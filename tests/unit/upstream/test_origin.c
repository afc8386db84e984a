/* Kept connections: newest first, bounded, gone when old or when the provider closes. */
#include "tests/unit/upstream/yard.h"

/* Several connections to one listener, with the provider's ends. */
struct pool_test {
    struct near near;
    struct origin_pool *pool;
    uint32_t readies;
    struct client *clients[8];
    int ends[8];
};

static void
on_ready(struct client *client)
{
    ((struct pool_test *)client->owner)->readies++;
}

static void
on_fail(struct client *client, enum err err)
{
    (void)client;
    cr_assert(false, "a connection failed: %s", err_name(err));
}

static const struct client_hooks open_hooks = { .on_ready = on_ready, .on_fail = on_fail };

static void
begin(struct pool_test *test, uint32_t idle_ms, uint32_t idle_per_origin)
{
    *test = (struct pool_test){ .readies = 0 };
    near_begin(&test->near);
    cr_assert(origin_make(test->near.loop, idle_ms, idle_per_origin, 8, &test->pool) == ERR_OK);
}

static struct client *
open_one(struct pool_test *test, int at)
{
    struct sockaddr_in address = near_address(&test->near);
    struct client *client = origin_new(test->pool);
    cr_assert_not_null(client);
    cr_assert(client_open(client, test->near.loop, (struct sockaddr *)&address, sizeof address,
                          NULL, NULL, &open_hooks) == ERR_OK);
    client->owner = test;
    uint32_t want = test->readies + 1;
    for (int i = 0; i < 1000 && test->readies < want; i++) {
        loop_turn(test->near.loop, 1);
    }
    cr_assert_eq(test->readies, want);
    test->ends[at] = accept4(test->near.listen_fd, NULL, NULL, SOCK_NONBLOCK);
    cr_assert(test->ends[at] >= 0);
    test->clients[at] = client;
    return client;
}

static void
finish(struct pool_test *test)
{
    origin_free(test->pool);
    near_finish(&test->near);
}

static void
turns(struct pool_test *test, uint64_t ms)
{
    uint64_t until_ms = clock_now_ms() + ms;
    do {
        loop_turn(test->near.loop, 1);
    } while (clock_now_ms() < until_ms);
}

Test(origin, takes_the_newest_first_and_of_its_own_key_only)
{
    struct pool_test test;
    begin(&test, 10000, 8);
    for (int i = 0; i < 3; i++) {
        origin_keep(test.pool, open_one(&test, i), 5);
    }
    origin_keep(test.pool, open_one(&test, 3), 6);
    /* A key that falls into the same bucket is still another one. */
    cr_expect_null(origin_take(test.pool, 5 + 256));
    cr_expect_eq(origin_idle(test.pool), 4);
    cr_expect_eq(origin_take(test.pool, 5), test.clients[2]);
    cr_expect_eq(origin_take(test.pool, 5), test.clients[1]);
    origin_keep(test.pool, test.clients[2], 5);
    cr_expect_eq(origin_take(test.pool, 5), test.clients[2]);
    cr_expect_eq(origin_take(test.pool, 5), test.clients[0]);
    cr_expect_null(origin_take(test.pool, 5));
    cr_expect_eq(origin_take(test.pool, 6), test.clients[3]);
    cr_expect_eq(origin_idle(test.pool), 0);
    for (int i = 0; i < 4; i++) {
        origin_drop(test.pool, test.clients[i]);
    }
    finish(&test);
}

Test(origin, keeps_so_many_of_one_origin_and_drops_the_oldest)
{
    struct pool_test test;
    begin(&test, 10000, 2);
    for (int i = 0; i < 3; i++) {
        origin_keep(test.pool, open_one(&test, i), 5);
    }
    cr_expect_eq(origin_idle(test.pool), 2);
    cr_expect_eq(origin_take(test.pool, 5), test.clients[2]);
    cr_expect_eq(origin_take(test.pool, 5), test.clients[1]);
    char byte;
    cr_expect_eq(recv(test.ends[0], &byte, 1, 0), 0, "the oldest is closed");
    origin_drop(test.pool, test.clients[1]);
    origin_drop(test.pool, test.clients[2]);
    finish(&test);
}

Test(origin, keeps_none_when_told_so)
{
    struct pool_test test;
    begin(&test, 0, 8);
    origin_keep(test.pool, open_one(&test, 0), 5);
    cr_expect_eq(origin_idle(test.pool), 0);
    turns(&test, 5);
    finish(&test);
    begin(&test, 10000, 0);
    origin_keep(test.pool, open_one(&test, 0), 5);
    cr_expect_eq(origin_idle(test.pool), 0);
    turns(&test, 5);
    finish(&test);
}

Test(origin, closes_what_was_not_used_for_long)
{
    struct pool_test test;
    begin(&test, 1500, 8);
    origin_keep(test.pool, open_one(&test, 0), 5);
    turns(&test, 1200);
    origin_keep(test.pool, open_one(&test, 1), 5);
    uint64_t until_ms = clock_now_ms() + 5000;
    while (origin_idle(test.pool) > 1 && clock_now_ms() < until_ms) {
        loop_turn(test.near.loop, 10);
    }
    cr_expect_eq(origin_idle(test.pool), 1, "the older one only");
    char byte;
    cr_expect_eq(recv(test.ends[0], &byte, 1, 0), 0);
    cr_expect(recv(test.ends[1], &byte, 1, 0) == -1 && errno == EAGAIN);
    finish(&test);
}

Test(origin, lets_go_of_what_the_provider_closes_or_speaks_on)
{
    struct pool_test test;
    begin(&test, 10000, 8);
    for (int i = 0; i < 3; i++) {
        origin_keep(test.pool, open_one(&test, i), 5);
    }
    close(test.ends[1]);
    cr_assert_eq(send(test.ends[2], "HTTP/1.1 408 Late\r\n\r\n", 21, 0), 21);
    turns(&test, 20);
    cr_expect_eq(origin_idle(test.pool), 1);
    cr_expect_eq(origin_take(test.pool, 5), test.clients[0]);
    origin_drop(test.pool, test.clients[0]);
    finish(&test);
}

Test(origin, bounds_its_memory_and_gives_it_back_after_the_turn)
{
    struct pool_test test;
    begin(&test, 10000, 8);
    struct client *clients[8];
    for (int i = 0; i < 8; i++) {
        clients[i] = origin_new(test.pool);
        cr_assert_not_null(clients[i]);
    }
    cr_expect_null(origin_new(test.pool));
    origin_drop(test.pool, clients[3]);
    cr_expect_null(origin_new(test.pool), "the turn is not over");
    loop_turn(test.near.loop, 0);
    cr_expect_eq(origin_new(test.pool), clients[3]);
    for (int i = 0; i < 8; i++) {
        origin_drop(test.pool, clients[i]);
    }
    finish(&test);
}

/*
 * yard.h - for tests: what a process needs to reach providers, over a real segment, and a provider
 * at the other end (tests/unit/http/near.h), all in one process and one loop.
 */
#ifndef TESTS_UNIT_UPSTREAM_YARD_H
#define TESTS_UNIT_UPSTREAM_YARD_H

#include "shm/counter.h"
#include "shm/heritage.h"
#include "tests/unit/http/near.h"
#include "tests/unit/shm/testseg.h"
#include "upstream/exchange.h"
#include "upstream/reach.h"
#include "upstream/target.h"

/* An authority that nothing here is signed by. */
static const char yard_pem[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBgDCCASWgAwIBAgIUF44oj8yEnoLgTAl6w/hpmNlsm6EwCgYIKoZIzj0EAwIw\n"
                               "FDESMBAGA1UEAwwJVW5pdCB0ZXN0MCAXDTI2MTEyMTA1MjQxMloYDzIxMjYxMDI4\n"
                               "MDUyNDEyWjAUMRIwEAYDVQQDDAlVbml0IHRlc3QwWTATBgcqhkjOPQIBBggqhkjO\n"
                               "PQMBBwNCAARozuvVbyAYrrobmMU3iWFX5XCLCUYUKOT6QV7gUnJiHhYJjMmS/GuE\n"
                               "0D0zV5iQnaWNbo7N0ykZlmgry+bzu9N2o1MwUTAdBgNVHQ4EFgQUpA5AM8BqF4M/\n"
                               "fdYK1ZqT2tXeYRswHwYDVR0jBBgwFoAUpA5AM8BqF4M/fdYK1ZqT2tXeYRswDwYD\n"
                               "VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEA2fS9nAAzm1NpvzsTph2S\n"
                               "vjHUhSlXlqGkgeNSZ3Yx7yECIQDD3LAYrv8K4eESVzBr13/KoQzG4SGfIDtqEn6f\n"
                               "E5EAFg==\n"
                               "-----END CERTIFICATE-----\n";

struct yard {
    struct near near; /* its client is not used: near.fd is the provider's end */
    struct testseg test;
    struct heritage heritage;
    struct upconf conf;
    struct tls_roots *roots;
    struct reach *reach;
    struct account account;
    struct target *target;
    struct exchange exchange;
    /* What the hooks saw. */
    uint32_t heads;
    uint32_t ends;
    uint32_t fails;
    uint16_t status;
    struct buf body;
    struct exchange_failure failure;
    uint32_t phases; /* bits of the phases it went through */
    bool stop_in_head;
    bool stop_in_body;
    bool again_in_end; /* starts the same request once more */
};

static inline struct yard *
yard_of(struct exchange *exchange)
{
    return LIST_OWNER(exchange, struct yard, exchange);
}

static inline void
yard_on_head(struct exchange *exchange, const struct parser_head *head)
{
    struct yard *yard = yard_of(exchange);
    yard->heads++;
    yard->status = head->status;
    if (yard->stop_in_head) {
        exchange_stop(exchange);
    }
}

static inline void
yard_on_body(struct exchange *exchange, struct str bytes)
{
    struct yard *yard = yard_of(exchange);
    cr_assert(buf_append(&yard->body, bytes) == ERR_OK);
    if (yard->stop_in_body) {
        exchange_stop(exchange);
    }
}

static const struct str yard_request = { "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27 };

static inline void
yard_start(struct yard *yard)
{
    uint32_t before = yard->heads + yard->ends + yard->fails;
    exchange_start(&yard->exchange, yard->target, &yard_request, 1, false);
    cr_assert_eq(yard->heads + yard->ends + yard->fails, before, "no hook inside exchange_start");
}

static inline void
yard_on_end(struct exchange *exchange)
{
    struct yard *yard = yard_of(exchange);
    yard->ends++;
    if (yard->again_in_end) {
        yard->again_in_end = false;
        exchange_start(exchange, yard->target, &yard_request, 1, false);
    }
}

static inline void
yard_on_fail(struct exchange *exchange, const struct exchange_failure *failure)
{
    struct yard *yard = yard_of(exchange);
    yard->fails++;
    yard->failure = *failure;
}

static inline void
yard_on_phase(struct exchange *exchange)
{
    yard_of(exchange)->phases |= 1u << exchange->phase;
}

static const struct exchange_hooks yard_hooks = { .on_head = yard_on_head,
                                                  .on_body = yard_on_body,
                                                  .on_end = yard_on_end,
                                                  .on_fail = yard_on_fail,
                                                  .on_phase = yard_on_phase };

static inline struct tls_roots *
yard_make_roots(void)
{
    char file[] = "/tmp/test-roots-XXXXXX";
    char why[TLS_WHY_BYTES];
    struct tls_roots *roots = NULL;
    int fd = mkstemp(file);
    cr_assert(fd >= 0 && write(fd, yard_pem, sizeof yard_pem - 1) == sizeof yard_pem - 1);
    close(fd);
    cr_assert(tls_roots_load(file, &roots, why) == ERR_OK, "%s", why);
    unlink(file);
    return roots;
}

static inline void
yard_retarget(struct yard *yard)
{
    target_free(yard->target);
    yard->target = target_make(&yard->test.segment.hash_key, &yard->account, STR(""));
    cr_assert_not_null(yard->target);
}

/* The account's base URL: `host` at the provider's port. */
static inline void
yard_point_at(struct yard *yard, const char *scheme, const char *host)
{
    snprintf(yard->account.base_url, sizeof yard->account.base_url, "%s://%s:%u", scheme, host,
             (unsigned)ntohs(near_address(&yard->near).sin_port));
    yard_retarget(yard);
}

/* Over near, which has begun already. */
static inline void
yard_begin_over(struct yard *yard, const struct near *near)
{
    *yard = (struct yard){ .near = *near };
    testseg_make(&yard->test, 4, 16, 64, 16);
    yard->roots = yard_make_roots();
    yard->conf = (struct upconf){ .allow_http = true,
                                  .allow_private = true,
                                  .resolve_ms = 200,
                                  .connect_ms = 1000,
                                  .handshake_ms = 1000,
                                  .first_byte_ms = 1000,
                                  .idle_ms = 1000,
                                  .pool_idle_ms = 5000,
                                  .pool_per_account = 4 };
    yard->heritage = (struct heritage){ .segment = &yard->test.segment,
                                        .slot = testseg_active(&yard->test, SLOT_WORKER),
                                        .upstream = &yard->conf,
                                        .roots = yard->roots };
    cr_assert(reach_make(yard->near.loop, &yard->heritage, 8, &yard->reach) == ERR_OK);
    buf_init(&yard->body, 1u << 20);
    model_defaults(MODEL_ACCOUNT, &yard->account);
    yard->account.id = 7;
    yard_point_at(yard, "http", "127.0.0.1");
    exchange_init(&yard->exchange, yard->reach, &yard_hooks);
}

static inline void
yard_begin(struct yard *yard)
{
    struct near near;
    near_begin(&near);
    yard_begin_over(yard, &near);
}

static inline void
yard_finish_reach(struct yard *yard)
{
    exchange_stop(&yard->exchange);
    reach_free(yard->reach);
    target_free(yard->target);
    tls_roots_free(yard->roots);
    buf_fini(&yard->body);
}

static inline void
yard_finish(struct yard *yard)
{
    yard_finish_reach(yard);
    near_finish(&yard->near);
}

#define YARD_UNTIL(yard, condition)                                                   \
    do {                                                                              \
        int turns_left = NEAR_TURNS_MAX;                                              \
        while (!(condition) && turns_left-- > 0) {                                    \
            near_turn(&(yard)->near);                                                 \
        }                                                                             \
        cr_assert(condition, "waited in vain; phase %s, why \"%s\"",                  \
                  exchange_phase_text((yard)->exchange.phase), (yard)->exchange.why); \
    } while (0)

/* Until the provider has a whole request; it is forgotten then. */
static inline void
yard_await_request(struct yard *yard)
{
    YARD_UNTIL(yard, near_has_got(&yard->near, "\r\n\r\n"));
    buf_clear(&yard->near.got);
}

static inline void
yard_answer(struct yard *yard, const char *text)
{
    near_say(&yard->near, str_of(text));
}

/* One whole request and answer. */
static inline void
yard_serve_one(struct yard *yard, const char *body)
{
    char text[256];
    uint32_t ends = yard->ends;
    buf_clear(&yard->body);
    yard_start(yard);
    yard_await_request(yard);
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
             body);
    yard_answer(yard, text);
    YARD_UNTIL(yard, yard->ends == ends + 1);
    cr_assert(str_equal(buf_str(&yard->body), str_of(body)));
}

static inline uint64_t
yard_count(const struct yard *yard, enum counter counter)
{
    return counter_of(&yard->test.segment, yard->heritage.slot, counter);
}

#endif

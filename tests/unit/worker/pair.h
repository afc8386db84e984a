/*
 * pair.h - for tests: two accounts at one provider (the test), which send their own names of the
 * model, so that it is seen which of them was asked.
 */
#ifndef TESTS_UNIT_WORKER_PAIR_H
#define TESTS_UNIT_WORKER_PAIR_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "shm/health.h"
#include "tests/unit/worker/mill.h"

#define CHAT "/v1/chat/completions"
#define PLAIN "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define OTHER "{\"model\":\"n\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define FINE "{\"fine\":1}"
/* An error that no dialect knows, so that only its status speaks. */
#define ODD "<html>something is odd</html>"

#define ONE 0u /* indexes in the health table: the order in which they are made */
#define TWO 1u

static inline void
be_one(struct account *account)
{
    account->priority = 1;
    snprintf(account->model_map, sizeof account->model_map, "m=one,n=one-n");
}
static inline void
be_two(struct account *account)
{
    account->priority = 2;
    snprintf(account->model_map, sizeof account->model_map, "m=two,n=two-n");
}

static inline struct mill *
make_two(void)
{
    struct mill *mill = mill_make();
    mill->confs.worker.sticky_ms = 0; /* who served last is no reason */
    mill_account(mill, "one", be_one);
    mill_account(mill, "two", be_two);
    mill_key(mill, "k", NULL);
    return mill;
}

static inline struct mill *
make_one(void)
{
    struct mill *mill = mill_make();
    mill_account(mill, "one", be_one);
    mill_key(mill, "k", NULL);
    return mill;
}

static inline bool
has(const char *answer, const char *text)
{
    return strstr(answer, text) != NULL;
}

static inline int
ask(struct mill *mill, const char *body)
{
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", body);
    return client;
}

/* The next request comes from this account, whole. */
static inline void
take_from(struct mill *mill, const char *name)
{
    char model[64];
    snprintf(model, sizeof model, "\"model\":\"%s\"", name);
    mill_take(mill);
    cr_assert(has(mill->asked, model), "not from %s: %s", name, mill->asked);
    cr_assert(has(mill->asked, "\"content\":\"hi\""), "%s", mill->asked);
}

static inline void
fail_with(struct mill *mill, const char *status)
{
    mill_answer(mill, status, "text/html", ODD);
}

static inline void
expect_fine(struct mill *mill, int client)
{
    mill_answer(mill, "200 OK", "application/json", FINE);
    cr_expect(mill_is(mill_read(mill, client, FINE), 200, NULL), "%s", mill->answer);
    close(client);
}

static inline void
expect_refused(struct mill *mill, int client, int status, const char *code)
{
    cr_expect(mill_is(mill_read(mill, client, "}}"), status, code), "%s", mill->answer);
    close(client);
}

static inline struct health_view
health_of(struct mill *mill, uint32_t index)
{
    struct health_view view;
    health_read(&mill->test.segment, index, &view);
    cr_assert_neq(view.account_id, 0);
    return view;
}

/* As if nothing had happened to them. */
static inline void
forgive(struct mill *mill)
{
    health_reset(&mill->test.segment, ONE, clock_now_ms());
    health_reset(&mill->test.segment, TWO, clock_now_ms());
}

static inline unsigned long
retry_after_of(const char *answer)
{
    const char *after = strstr(answer, "\r\nretry-after: ");
    cr_assert_not_null(after, "%s", answer);
    return strtoul(after + 15, NULL, 10);
}

#endif

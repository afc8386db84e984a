/* How accounts stand is kept, and given to the next segment. */
#include "admin/recorder.h"
#include "admin/remember.h"
#include "base/clock.h"
#include "base/loop.h"
#include "shm/health.h"
#include "tests/unit/shm/testseg.h"
#include "tests/unit/store/tempdir.h"

#define HOUR_MS 3600000u

struct house {
    struct testseg test;
    struct recorder recorder;
    struct remember *remember;
};

/* A run of the gateway: accounts 101, 102 and 103 at the indexes 0, 1 and 2. */
static void
begin(struct house *h)
{
    *h = (struct house){ .remember = NULL };
    testseg_make(&h->test, 4, 16, 16, 16);
    h->recorder.segment = &h->test.segment;
    h->recorder.slot = testseg_active(&h->test, SLOT_RECORDER);
    cr_assert_eq(loop_make(8, 8, &h->recorder.loop), ERR_OK);
    cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &h->recorder.ledger), ERR_OK);
    for (uint32_t i = 0; i < 3; i++) {
        health_assign(&h->test.segment, i, 101 + i);
    }
    cr_assert_eq(remember_make(&h->recorder, &h->remember), ERR_OK);
}

static void
end(struct house *h)
{
    remember_look(h->remember);
    remember_free(h->remember);
    ledger_close(h->recorder.ledger);
    loop_free(h->recorder.loop);
    segment_close(&h->test.segment);
}

static struct health_view
look(const struct house *h, uint32_t index)
{
    struct health_view view;
    health_read(&h->test.segment, index, &view);
    return view;
}

static void
make_store(void)
{
    tempdir_make();
    ledger_close(tempdir_ledger());
}

TestSuite(remember, .init = make_store, .fini = tempdir_remove);

Test(remember, long_benches_and_stopped_accounts_survive_a_restart)
{
    struct house h;
    begin(&h);
    uint64_t now_ms = loop_now_ms(h.recorder.loop);
    health_failure(&h.test.segment, 0, 0, HEALTH_REASON_RATE_LIMITED, HOUR_MS, 429, STR("later"),
                   now_ms);
    health_disable(&h.test.segment, 0, 1, HEALTH_REASON_AUTH, 401, STR("revoked"), now_ms);
    health_failure(&h.test.segment, 0, 2, HEALTH_REASON_OVERLOADED, 5000, 529, STR("busy"), now_ms);
    end(&h);

    begin(&h);
    struct health_view view = look(&h, 0);
    now_ms = loop_now_ms(h.recorder.loop);
    cr_expect(view.state == HEALTH_COOLING && view.reason == HEALTH_REASON_RATE_LIMITED);
    cr_expect(view.until_ms > now_ms + HOUR_MS - 30000 && view.until_ms <= now_ms + HOUR_MS);
    cr_expect(view.last_status == 429);
    cr_expect_str_eq(view.excerpt, "later");
    view = look(&h, 1);
    cr_expect(view.state == HEALTH_DISABLED && view.reason == HEALTH_REASON_AUTH);
    cr_expect_str_eq(view.excerpt, "revoked");
    cr_expect_eq(look(&h, 2).state, HEALTH_OK, "a short one is over by then");
    remember_look(h.remember);
    /* Only the recorder dies: the segment knows better than the store. */
    health_reset(&h.test.segment, 0, now_ms);
    remember_free(h.remember);
    cr_assert_eq(remember_make(&h.recorder, &h.remember), ERR_OK);
    cr_expect_eq(look(&h, 0).state, HEALTH_OK);
    health_reset(&h.test.segment, 1, now_ms);
    end(&h);

    begin(&h);
    cr_expect_eq(look(&h, 0).state, HEALTH_OK, "reset before the restart");
    cr_expect_eq(look(&h, 1).state, HEALTH_OK);
    end(&h);
}

Test(remember, forgets_what_is_over_or_of_nobody)
{
    struct house h;
    begin(&h);
    uint64_t now_ms = loop_now_ms(h.recorder.loop);
    health_failure(&h.test.segment, 0, 0, HEALTH_REASON_BILLING, HOUR_MS, 402, STR(""), now_ms);
    health_disable(&h.test.segment, 0, 1, HEALTH_REASON_AUTH, 401, STR(""), now_ms);
    remember_look(h.remember);
    health_assign(&h.test.segment, 1, 555); /* another account got the index */
    end(&h);

    /* Two hours later. */
    clock_set_fake(clock_now_ns(), clock_wall_ms() + 2ull * HOUR_MS);
    begin(&h);
    cr_expect_eq(look(&h, 0).state, HEALTH_OK);
    cr_expect_eq(look(&h, 1).state, HEALTH_OK);
    end(&h);
    clock_set_fake(0, 0);
}

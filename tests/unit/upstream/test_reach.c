/* TLS to a provider: which authorities count, sessions shared by all, few full handshakes at once.
 */
#include "shm/names.h"
#include "shm/session.h"
#include "tests/unit/http/site.h"
#include "tests/unit/upstream/yard.h"

struct fixture {
    struct site site;
    struct yard yard;
};

static void
begin(struct fixture *f)
{
    struct site_want want = { .name = NULL };
    site_begin(&f->site, &want);
    yard_begin_over(&f->yard, &f->site.near);
    f->yard.conf.handshake_ms = 5000;
    f->yard.conf.connect_ms = 5000;
    f->yard.conf.first_byte_ms = 5000;
    f->yard.conf.resolve_ms = 5000;
    struct names_answer answer = { .state = NAMES_OK,
                                   .count = 1,
                                   .addresses = { { 4, { 127, 0, 0, 1 } } } };
    cr_assert(names_put(&f->yard.test.segment, STR("api.test"), &answer) == ERR_OK);
    snprintf(f->yard.account.tls_ca_file, sizeof f->yard.account.tls_ca_file, "%s",
             f->site.ca_file);
    yard_point_at(&f->yard, "https", "api.test");
}

static void
finish(struct fixture *f)
{
    yard_finish_reach(&f->yard);
    site_finish(&f->site);
}

#define FIXTURE_UNTIL(f, condition)                                                       \
    do {                                                                                  \
        int turns_left = NEAR_TURNS_MAX;                                                  \
        while (!(condition) && turns_left-- > 0) {                                        \
            site_turn(&(f)->site);                                                        \
        }                                                                                 \
        cr_assert(condition, "waited in vain; phase %s, why \"%s\"",                      \
                  exchange_phase_text((f)->yard.exchange.phase), (f)->yard.exchange.why); \
    } while (0)

/* One request, after which the provider does not keep the connection. */
static void
serve(struct fixture *f)
{
    uint32_t ends = f->yard.ends;
    buf_clear(&f->site.plain);
    yard_start(&f->yard);
    FIXTURE_UNTIL(f, site_has_got(&f->site, "\r\n\r\n"));
    site_say(&f->site, STR("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"));
    FIXTURE_UNTIL(f, f->yard.ends == ends + 1);
}

Test(reach, verifies_by_the_accounts_own_file_and_resumes)
{
    struct fixture f;
    begin(&f);
    serve(&f);
    cr_expect_eq(yard_count(&f.yard, COUNTER_HANDSHAKES_FULL), 1);
    cr_expect_eq(f.yard.reach->cold_count, 0);
    serve(&f);
    cr_expect_eq(yard_count(&f.yard, COUNTER_HANDSHAKES_RESUMED), 1, "by the shared session");
    cr_expect_eq(yard_count(&f.yard, COUNTER_HANDSHAKES_FULL), 1);
    cr_expect_eq(f.yard.reach->authority_count, 1, "the file was read once");
    finish(&f);
}

Test(reach, refuses_a_certificate_that_the_default_roots_do_not_know)
{
    struct fixture f;
    begin(&f);
    f.yard.account.tls_ca_file[0] = '\0';
    yard_retarget(&f.yard);
    yard_start(&f.yard);
    FIXTURE_UNTIL(&f, f.yard.fails == 1);
    cr_expect(f.yard.failure.phase == EXCHANGE_CONNECT && f.yard.heads == 0);
    cr_expect_neq(f.yard.failure.why[0], '\0');
    cr_expect_eq(yard_count(&f.yard, COUNTER_TLS_FAILURES), 1);
    cr_expect_eq(f.yard.reach->cold_count, 0);
    cr_expect(!site_has_got(&f.site, "GET"), "nothing was sent");
    finish(&f);
}

Test(reach, checks_nothing_for_an_account_that_says_so)
{
    struct fixture f;
    begin(&f);
    f.yard.account.tls_ca_file[0] = '\0';
    f.yard.account.tls_insecure = true;
    yard_retarget(&f.yard);
    serve(&f);
    cr_expect_eq(f.yard.fails, 0);
    finish(&f);
}

Test(reach, names_a_file_that_cannot_be_used)
{
    struct fixture f;
    begin(&f);
    snprintf(f.yard.account.tls_ca_file, sizeof f.yard.account.tls_ca_file, "/nowhere/ca.pem");
    yard_retarget(&f.yard);
    yard_start(&f.yard);
    FIXTURE_UNTIL(&f, f.yard.fails == 1);
    cr_expect_eq(f.yard.failure.err, ERR_BAD);
    cr_expect(strstr(f.yard.failure.why, "/nowhere/ca.pem") != NULL, "%s", f.yard.failure.why);
    finish(&f);
}

Test(reach, bounds_the_files_of_one_process)
{
    struct fixture f;
    begin(&f);
    f.yard.reach->authority_count = REACH_CA_FILES_MAX;
    struct tls_config *config = NULL;
    char why[TLS_WHY_BYTES] = "";
    cr_expect_eq(reach_tls_config(f.yard.reach, f.yard.target, &config, why), ERR_BAD);
    cr_expect_neq(why[0], '\0');
    f.yard.reach->authority_count = 0;
    finish(&f);
}

Test(reach, lets_few_shake_hands_in_full_at_once)
{
    struct fixture f;
    begin(&f);
    f.yard.reach->cold_count = REACH_COLD_MAX;
    yard_start(&f.yard);
    for (int i = 0; i < 20; i++) {
        site_turn(&f.site);
    }
    cr_expect_eq(f.yard.exchange.phase, EXCHANGE_RESOLVE);
    cr_expect_eq(f.site.near.accepts, 0);
    f.yard.reach->cold_count = 0;
    FIXTURE_UNTIL(&f, f.yard.exchange.phase == EXCHANGE_HEAD);
    cr_expect_eq(f.yard.reach->cold_count, 0);
    finish(&f);
}

Test(reach, gives_the_handshake_its_own_time)
{
    struct fixture f;
    begin(&f);
    f.yard.conf.connect_ms = 50;
    f.yard.conf.handshake_ms = 150;
    f.site.is_deaf = true; /* accepts, and says nothing */
    uint64_t began_ms = clock_now_ms();
    yard_start(&f.yard);
    FIXTURE_UNTIL(&f, f.yard.fails == 1);
    uint64_t took_ms = clock_now_ms() - began_ms;
    cr_expect(f.yard.failure.err == ERR_TIMEOUT && took_ms >= 150, "%u ms", (unsigned)took_ms);
    cr_expect(strstr(f.yard.failure.why, "handshake") != NULL, "%s", f.yard.failure.why);
    cr_expect_eq(f.yard.reach->cold_count, 0);
    finish(&f);
}

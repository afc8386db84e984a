/* TLS sessions made before anybody needs them: for whom, when again, and what a failure costs. */
#include "admin/warm.h"
#include "base/log.h"
#include "shm/names.h"
#include "shm/session.h"
#include "tests/unit/http/site.h"
#include "tests/unit/upstream/yard.h"

#define INTERVAL_MS 1800000u

struct fixture {
    struct site site;
    struct yard yard;
    struct catalog_account entries[2];
    struct catalog_view view;
    struct warm *warm;
};

static void
begin(struct fixture *f, uint32_t interval_ms)
{
    struct site_want want = { .name = NULL };
    memset(f, 0, sizeof *f);
    site_begin(&f->site, &want);
    yard_begin_over(&f->yard, &f->site.near);
    f->yard.conf.handshake_ms = 5000;
    f->yard.conf.connect_ms = 5000;
    f->yard.conf.first_byte_ms = 5000;
    struct names_answer answer = { .state = NAMES_OK,
                                   .count = 1,
                                   .addresses = { { 4, { 127, 0, 0, 1 } } } };
    cr_assert(names_put(&f->yard.test.segment, STR("api.test"), &answer) == ERR_OK);
    snprintf(f->yard.account.tls_ca_file, sizeof f->yard.account.tls_ca_file, "%s",
             f->site.ca_file);
    yard_point_at(&f->yard, "https", "api.test");
    f->entries[0].account = f->yard.account;
    f->entries[0].extra = f->yard.target;
    f->view = (struct catalog_view){ .references = 1, .accounts = f->entries, .account_count = 1 };
    cr_assert(warm_make(f->yard.reach, interval_ms, &f->warm) == ERR_OK);
}

static void
finish(struct fixture *f)
{
    warm_free(f->warm);
    yard_finish_reach(&f->yard);
    site_finish(&f->site);
}

static bool
has_session(struct fixture *f)
{
    uint8_t session[TLS_SESSION_BYTES_MAX];
    size_t bytes = 0;
    return session_find(&f->yard.test.segment, f->yard.target->session_key, clock_now_ms(), session,
                        sizeof session, &bytes, NULL) == ERR_OK &&
           bytes > 0;
}

static void
some_turns(struct fixture *f)
{
    for (int i = 0; i < 30; i++) {
        site_turn(&f->site);
    }
}

#define FIXTURE_UNTIL(f, condition)                          \
    do {                                                     \
        int turns_left = NEAR_TURNS_MAX;                     \
        while (!(condition) && turns_left-- > 0) {           \
            site_turn(&(f)->site);                           \
        }                                                    \
        cr_assert(condition, "waited in vain: " #condition); \
    } while (0)

Test(warm, makes_the_session_that_the_first_request_resumes)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    warm_look(f.warm, &f.view);
    warm_look(f.warm, &f.view); /* one is under way */
    FIXTURE_UNTIL(&f, has_session(&f));
    some_turns(&f);
    cr_expect_eq(f.site.near.accepts, 1);
    cr_expect_eq(yard_count(&f.yard, COUNTER_HANDSHAKES_FULL), 1);
    cr_expect(!site_has_got(&f.site, "GET"), "nothing is sent");
    warm_look(f.warm, &f.view);
    some_turns(&f);
    cr_expect_eq(f.site.near.accepts, 1, "it is fresh");
    yard_start(&f.yard);
    FIXTURE_UNTIL(&f, site_has_got(&f.site, "\r\n\r\n"));
    cr_expect_eq(yard_count(&f.yard, COUNTER_HANDSHAKES_RESUMED), 1);
    cr_expect_eq(yard_count(&f.yard, COUNTER_HANDSHAKES_FULL), 1);
    finish(&f);
}

Test(warm, makes_it_anew_when_it_is_old)
{
    struct fixture f;
    begin(&f, 1);
    warm_look(f.warm, &f.view);
    FIXTURE_UNTIL(&f, has_session(&f));
    some_turns(&f);
    warm_look(f.warm, &f.view);
    FIXTURE_UNTIL(&f, yard_count(&f.yard, COUNTER_HANDSHAKES_FULL) == 2);
    finish(&f);
}

Test(warm, passes_over_who_needs_none)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    f.entries[0].account.is_disabled = true;
    warm_look(f.warm, &f.view);
    f.entries[0].account.is_disabled = false;
    f.entries[0].extra = NULL; /* its URL cannot be used */
    warm_look(f.warm, &f.view);
    snprintf(f.yard.account.proxy, sizeof f.yard.account.proxy, "http://127.0.0.1:1");
    yard_retarget(&f.yard);
    f.entries[0].extra = f.yard.target;
    warm_look(f.warm, &f.view);
    f.yard.account.proxy[0] = '\0';
    yard_point_at(&f.yard, "http", "api.test");
    f.entries[0].extra = f.yard.target;
    warm_look(f.warm, &f.view);
    yard_point_at(&f.yard, "https", "unknown.test"); /* no address yet */
    f.entries[0].extra = f.yard.target;
    warm_look(f.warm, &f.view);
    some_turns(&f);
    cr_expect_eq(f.site.near.accepts, 0);
    finish(&f);
}

/* What the process logs from here on, in a file. */
static int
catch_log(FILE **file)
{
    int was = dup(STDERR_FILENO);
    *file = tmpfile();
    cr_assert(was >= 0 && *file != NULL && dup2(fileno(*file), STDERR_FILENO) >= 0);
    return was;
}

static bool
log_says(FILE *file, int was, const char *what)
{
    char text[4096] = "";
    log_flush();
    dup2(was, STDERR_FILENO);
    close(was);
    rewind(file);
    size_t got = fread(text, 1, sizeof text - 1, file);
    text[got] = '\0';
    fclose(file);
    return strstr(text, what) != NULL;
}

Test(warm, leaves_who_failed_alone_and_names_the_host)
{
    struct fixture f;
    FILE *file = NULL;
    begin(&f, INTERVAL_MS);
    f.yard.account.tls_ca_file[0] = '\0'; /* nobody trusts it then */
    yard_retarget(&f.yard);
    f.entries[0].extra = f.yard.target;
    int was = catch_log(&file);
    warm_look(f.warm, &f.view);
    FIXTURE_UNTIL(&f, f.site.result != 0 || f.site.near.has_ended);
    some_turns(&f);
    cr_expect(log_says(file, was, "act=warm host=api.test why="));
    cr_expect(!has_session(&f));
    uint32_t accepts = f.site.near.accepts;
    for (int i = 0; i < 5; i++) {
        warm_look(f.warm, &f.view);
        some_turns(&f);
    }
    cr_expect_eq(f.site.near.accepts, accepts, "not at each look");
    /* Another one gets its turn meanwhile. */
    f.entries[1].account = f.yard.account;
    snprintf(f.entries[1].account.tls_ca_file, sizeof f.entries[1].account.tls_ca_file, "%s",
             f.site.ca_file);
    struct target *target =
        target_make(&f.yard.test.segment.hash_key, &f.entries[1].account, STR(""));
    cr_assert_not_null(target);
    f.entries[1].extra = target;
    f.view.account_count = 2;
    warm_look(f.warm, &f.view);
    FIXTURE_UNTIL(&f, f.site.near.accepts == accepts + 1);
    some_turns(&f);
    target_free(target);
    finish(&f);
}

Test(warm, gives_up_on_who_says_nothing)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    f.yard.conf.connect_ms = 50;
    f.yard.conf.handshake_ms = 100;
    f.site.is_deaf = true;
    warm_look(f.warm, &f.view);
    uint64_t until_ms = clock_now_ms() + 250;
    while (clock_now_ms() < until_ms) {
        site_turn(&f.site);
    }
    warm_look(f.warm, &f.view);
    some_turns(&f);
    cr_expect_eq(f.site.near.accepts, 1);
    cr_expect(!has_session(&f));
    finish(&f);
}

Test(warm, may_end_in_the_middle)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    f.site.is_deaf = true;
    warm_look(f.warm, &f.view);
    some_turns(&f);
    finish(&f);
    begin(&f, INTERVAL_MS);
    finish(&f);
}

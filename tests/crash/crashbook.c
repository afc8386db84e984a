/*
 * crashbook.c - see crash.h: what the ledger and the provider wrote down, and what must be equal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crash/crash.h"

#define LEDGER_SHOWS 1000u /* records the admin API shows at a time */
#define READ_EVERY 600u    /* requests started between two looks: what runs comes on top */
#define COMPLAINTS 10u

struct totals {
    uint64_t requests;
    uint64_t in;
    uint64_t out;
};

static uint64_t last_sequence;
static uint32_t started_at_read;
static size_t log_offset;
static struct totals before; /* of all accounts */
static struct totals seen;   /* records read */
static uint32_t complaints;

/* The number behind `name` in text; 0 when absent. */
static uint64_t
number_at(const char *text, const char *name)
{
    const char *p = strstr(text, name);
    return p == NULL ? 0 : strtoull(p + strlen(name), NULL, 10);
}

static uint64_t
sum_of(const char *text, const char *name)
{
    uint64_t sum = 0;
    for (const char *p = text; p != NULL && (p = strstr(p, name)) != NULL;) {
        p += strlen(name);
        sum += strtoull(p, NULL, 10);
    }
    return sum;
}

static void
text_at(const char *text, const char *name, char *out, size_t bytes)
{
    const char *p = strstr(text, name);
    size_t n = 0;
    if (p != NULL) {
        p += strlen(name);
        n = strcspn(p, "\"");
        n = n < bytes ? n : bytes - 1;
        memcpy(out, p, n);
    }
    out[n] = '\0';
}

/* The request's number as its model's name says; UINT32_MAX when it is none of ours. */
static uint32_t
number_of(const char *text)
{
    for (const char *p = text; (p = strstr(p, "-q")) != NULL; p++) {
        if (strspn(p + 2, "0123456789") == 6) {
            return (uint32_t)strtoul(p + 2, NULL, 10);
        }
    }
    return UINT32_MAX;
}

static bool
read_totals(struct totals *out)
{
    const char *text = crashproc_admin("/v1/accounts");
    if (text == NULL) {
        return false;
    }
    *out = (struct totals){ sum_of(text, "\"totals\":{\"requests\":"),
                            sum_of(text, "\"tokens_in\":"), sum_of(text, "\"tokens_out\":") };
    return true;
}

void
crashbook_begin(void)
{
    const char *text = crashproc_admin("/v1/usage/recent?count=1");
    PLAY_NEED(text != NULL && read_totals(&before), "the admin socket does not answer");
    text = crashproc_admin("/v1/usage/recent?count=1");
    last_sequence = text == NULL ? 0 : number_at(text, "\"sequence\":");
    started_at_read = 0;
    seen = (struct totals){ 0 };
    complaints = 0;
    log_offset = strlen(play_read_file(crash_fake_log));
}

bool
crashbook_is_behind(void)
{
    return crashload_started() - started_at_read >= READ_EVERY;
}

static void
note_record(const char *text)
{
    struct crash_request *r = crashload_request(number_of(text));
    PLAY_NEED(r != NULL, "a record of a request that nobody made: %.300s", text);
    uint64_t in = number_at(text, "\"in\":");
    uint64_t out = number_at(text, "\"out\":");
    r->records++;
    r->record_status = (uint16_t)number_at(text, "\"status\":");
    r->in = in;
    r->out = out;
    text_at(text, "\"request\":\"", r->record_id, sizeof(r->record_id));
    text_at(text, "\"code\":\"", r->code, sizeof(r->code));
    seen.requests++;
    seen.in += in;
    seen.out += out;
}

bool
crashbook_read(void)
{
    uint32_t started = crashload_started();
    char path[64];
    snprintf(path, sizeof(path), "/v1/usage/recent?count=%u", LEDGER_SHOWS);
    char *text = crashproc_admin(path);
    if (text == NULL) {
        return false;
    }
    static const char mark[] = "{\"sequence\":";
    uint64_t newest = last_sequence;
    uint64_t lowest = UINT64_MAX;
    for (char *p = strstr(text, mark); p != NULL;) {
        char *end = strchr(p, '}'); /* A record is flat; alone it is quick to search. */
        PLAY_NEED(end != NULL, "the ledger's answer is cut");
        *end = '\0';
        uint64_t sequence = number_at(p, mark);
        lowest = sequence;
        if (sequence <= last_sequence) {
            break;
        }
        newest = sequence > newest ? sequence : newest;
        note_record(p);
        p = end[1] == ',' ? end + 2 : NULL;
    }
    PLAY_NEED(lowest == UINT64_MAX || lowest <= last_sequence + 1,
              "the ledger grew by more than it shows: the test reads too rarely");
    last_sequence = newest;
    started_at_read = started;
    return true;
}

/* --- at rest, and alive --- */

static const char *
what_is_held(void)
{
    static const char *const paths[] = { "/v1/accounts", "/v1/keys", "/v1/users", "/v1/groups" };
    for (size_t i = 0; i < 4; i++) {
        const char *text = crashproc_admin(paths[i]);
        if (text == NULL) {
            return "the admin socket does not answer";
        }
        uint64_t held = sum_of(text, "\"in_flight\":");
        uint64_t waiting = sum_of(text, "\"waiting\":");
        uint64_t reserved = sum_of(text, "\"reserved_tokens\":");
        if (held + waiting + reserved != 0) {
            return play_text("%s: %llu in flight, %llu waiting, %llu tokens reserved", paths[i],
                             (unsigned long long)held, (unsigned long long)waiting,
                             (unsigned long long)reserved);
        }
    }
    const char *text = crashproc_admin("/v1/top");
    if (text == NULL || strstr(text, "\"request\"") != NULL) {
        return play_text("top shows %.300s", text == NULL ? "nothing" : text);
    }
    text = crashproc_admin("/v1/status");
    if (text == NULL || sum_of(text, "\"unrecorded\":") != 0 ||
        strstr(text, "\"state\":\"dead\"") != NULL) {
        return play_text("status shows %.900s", text == NULL ? "nothing" : text);
    }
    if (number_at(text, "\"checks_failed\":") != 0) {
        return play_text("a check failed: %.900s", text);
    }
    return NULL;
}

static uint64_t
fake_open(void)
{
    struct play_answer a = play_request(crash_fake_port, "GET", "/__fake/stats", NULL, NULL, 0);
    return a.status == 200 ? number_at(a.body, "\"open\":") : UINT64_MAX;
}

void
crashbook_check_idle(unsigned ms)
{
    uint64_t start = play_now_ms();
    const char *why = what_is_held();
    while (why != NULL && play_now_ms() - start < ms) {
        play_sleep(50);
        why = what_is_held();
    }
    PLAY_CHECK(why == NULL, "%u ms after the last request: %s", ms, why);
    while (fake_open() > 0 && play_now_ms() - start < ms) {
        play_sleep(50);
    }
    PLAY_CHECK(fake_open() == 0, "requests still run at the provider");
}

/* Leases that have an account: each holds one slot of it. */
static uint64_t
count_leases(const char *top)
{
    static const char mark[] = "\"account\":\"";
    uint64_t count = 0;
    for (const char *p = top; (p = strstr(p, mark)) != NULL; p++) {
        count += p[sizeof(mark) - 1] != '"' ? 1 : 0;
    }
    return count;
}

static const char *
what_is_wrong_alive(void)
{
    const char *text = crashproc_admin("/v1/status");
    if (text == NULL) {
        return "the admin socket does not answer";
    }
    if (strstr(text, "\"state\":\"dead\"") != NULL) {
        return "a dead process's slot is not swept";
    }
    text = crashproc_admin("/v1/top");
    uint64_t leases = text == NULL ? UINT64_MAX : count_leases(text);
    text = crashproc_admin("/v1/accounts");
    uint64_t held = text == NULL ? 0 : sum_of(text, "\"in_flight\":");
    if (held > leases) {
        return play_text("%llu slots are held by %llu requests", (unsigned long long)held,
                         (unsigned long long)leases);
    }
    return NULL;
}

/* Two looks at a running system need not fit, so one moment at which they do is enough. What leaks
 * slowly enough to escape here is found when all is at rest. */
void
crashbook_check_live(unsigned ms)
{
    uint64_t start = play_now_ms();
    const char *why = what_is_wrong_alive();
    while (why != NULL && play_now_ms() - start < ms) {
        crashload_run(5);
        why = what_is_wrong_alive();
    }
    PLAY_CHECK(why == NULL, "%u ms after a kill: %s", ms, why);
}

/* --- the books --- */

static void
read_fake_log(void)
{
    char *text = play_read_file(crash_fake_log);
    if (strlen(text) < log_offset) {
        return;
    }
    for (char *line = text + log_offset; *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end == NULL) {
            break;
        }
        *end = '\0';
        struct crash_request *r = crashload_request(number_of(line));
        if (r != NULL) {
            r->arrivals++;
        }
        line = end + 1;
    }
}

static const char *
wrong_record(const struct crash_request *r)
{
    bool has_died = strcmp(r->code, "worker_died") == 0;
    if (has_died && !r->is_excused && r->outcome != CRASH_LEFT) {
        return "its record says that its worker died";
    }
    if (r->outcome == CRASH_WHOLE && !has_died &&
        (r->record_status != 200 || r->code[0] != '\0' || r->in != 11 || r->out != 7)) {
        return "its record does not say what it got";
    }
    if (r->outcome == CRASH_ERROR && r->record_status != r->status) {
        return "its record has another status";
    }
    if (r->id[0] != '\0' && strcmp(r->id, r->record_id) != 0) {
        return "its record has another id";
    }
    return NULL;
}

static const char *
what_is_wrong(const struct crash_request *r)
{
    if (r->records > 1) {
        return "it is in the ledger twice";
    }
    if (r->arrivals > 1) {
        return "the provider was asked twice";
    }
    if (r->arrivals > 0 && r->records == 0) {
        return "the provider was asked, the ledger has nothing";
    }
    if (r->outcome == CRASH_WHOLE && r->arrivals == 0) {
        return "its answer came from nowhere";
    }
    if (r->outcome == CRASH_RUNNING) {
        return "it never ended";
    }
    return r->records == 0 ? NULL : wrong_record(r);
}

static void
check_totals(void)
{
    struct totals after = { 0 };
    PLAY_NEED(read_totals(&after), "the admin socket does not answer");
    PLAY_CHECK(after.requests - before.requests == seen.requests &&
                   after.in - before.in == seen.in && after.out - before.out == seen.out,
               "the accounts' totals grew by %llu requests, %llu in, %llu out; their records say "
               "%llu, %llu, %llu",
               (unsigned long long)(after.requests - before.requests),
               (unsigned long long)(after.in - before.in),
               (unsigned long long)(after.out - before.out), (unsigned long long)seen.requests,
               (unsigned long long)seen.in, (unsigned long long)seen.out);
}

void
crashbook_check(uint32_t missed_max)
{
    PLAY_NEED(crashbook_read(), "the ledger cannot be read");
    read_fake_log();
    uint32_t died = 0;
    for (uint32_t i = 0; i < crashload_started(); i++) {
        const struct crash_request *r = crashload_request(i);
        const char *why = what_is_wrong(r);
        died += strcmp(r->code, "worker_died") == 0 ? 1 : 0;
        if (why != NULL && complaints++ < COMPLAINTS) {
            PLAY_CHECK(false,
                       "request %u: %s (outcome %d, status %u, id %s; provider %u; ledger %u: "
                       "status %u, code %s, id %s, in %llu, out %llu)%s",
                       i, why, (int)r->outcome, r->status, r->id, r->arrivals, r->records,
                       r->record_status, r->code, r->record_id, (unsigned long long)r->in,
                       (unsigned long long)r->out, r->is_excused ? " [killed]" : "");
        }
    }
    PLAY_CHECK(complaints <= COMPLAINTS, "and %u more", complaints - COMPLAINTS);
    PLAY_CHECK(crashload_count(CRASH_MISSED) <= missed_max, "kept connections were closed: %s",
               crashload_text());
    check_totals();
    fprintf(stderr, "note %s; %llu in the ledger, %u of them as worker_died\n", crashload_text(),
            (unsigned long long)seen.requests, died);
}

/* --- a test's frame --- */

void
crash_start_load(const char *name)
{
    crash_begin(name);
    crashload_begin(CRASH_CONNS);
    crashbook_begin();
    crashslots_begin();
    crashload_run(1000);
}

/* Whoever was killed when: records, hourly sums, totals and costs agree. */
static void
check_ledger(void)
{
    struct play_run run = play_ctl("--json", "ledger", "verify", NULL);
    PLAY_CHECK(run.status == 0 && play_json_is(run.out, "ok", "true"), "ledger verify: %s%s",
               run.out, run.err);
}

void
crash_end_load(uint32_t missed_max)
{
    PLAY_CHECK(crashload_finish(90000), "requests do not end: %s", crashload_text());
    crashbook_check_idle(CRASH_REST_MS);
    crashbook_check(missed_max);
    crashslots_check();
    check_ledger();
    crashload_end();
    PLAY_CHECK(crashload_count(CRASH_WHOLE) > 100, "too little load: %s", crashload_text());
    PLAY_CHECK(crashproc_log_count("last_words=") == 0, "somebody died of a failed check");
}

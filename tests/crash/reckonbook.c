/*
 * reckonbook.c - see reckon.h: the ledger record by record against the provider's bill, and all
 * sums against all balances.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crash/reckon.h"

#define COMPLAINTS 12u

struct entry {
    struct reckon_served served[RECKON_ACCOUNTS];
    uint32_t arrivals;
    uint32_t records; /* the last of the request */
};

static struct entry entries[RECKON_REQUESTS_MAX];
static uint64_t account_ids[RECKON_ACCOUNTS];

/* Nanodollars. */
static int64_t user_cost[RECKON_USERS];
static int64_t user_group_cost[RECKON_USERS][RECKON_GROUPS];
static int64_t group_cost[RECKON_GROUPS];
static int64_t account_cost[RECKON_ACCOUNTS];
static struct reckon_tokens stated;   /* by the provider, in whole */
static struct reckon_tokens recorded; /* in the ledger, as the provider stated it */
static struct reckon_tokens excused;  /* stated, and its reader was dead or had been told to stop */
static uint32_t complaints;
static uint32_t record_count;
static uint32_t died_count;
static uint32_t estimated_count;

/* --- reading lines --- */

static const char *
value_of(const char *line, const char *name)
{
    const char *p = strstr(line, play_text("\"%s\":", name));
    return p == NULL ? "" : p + strlen(name) + 3;
}

static uint64_t
number_of(const char *line, const char *name)
{
    const char *p = value_of(line, name);
    return strtoull(*p == '"' ? p + 1 : p, NULL, 10);
}

static void
word_of(const char *line, const char *name, char *out, size_t bytes)
{
    const char *p = value_of(line, name);
    size_t n = *p == '"' ? strcspn(p + 1, "\"") : 0;
    n = n < bytes ? n : bytes - 1;
    memcpy(out, p + 1, n);
    out[n] = '\0';
}

/* Dollars to nanodollars, exactly. */
static int64_t
nano_at(const char *text)
{
    text += *text == '"' ? 1 : 0;
    bool is_negative = *text == '-';
    text += is_negative ? 1 : 0;
    int64_t nano = 0;
    unsigned places = 0;
    bool is_fraction = false;
    for (; (*text >= '0' && *text <= '9') || *text == '.'; text++) {
        if (*text == '.') {
            is_fraction = true;
        } else {
            nano = nano * 10 + (*text - '0');
            places += is_fraction ? 1 : 0;
        }
    }
    PLAY_NEED(places <= 9, "an amount finer than a nanodollar");
    for (; places < 9; places++) {
        nano *= 10;
    }
    return is_negative ? -nano : nano;
}

/* The request's number as its model's name says. */
static uint32_t
request_of(const char *line)
{
    const char *p = strstr(line, "fake-q");
    return p == NULL ? UINT32_MAX : (uint32_t)strtoul(p + 6, NULL, 10);
}

static uint32_t
account_named(const char *name)
{
    for (uint32_t i = 0; i < RECKON_ACCOUNTS; i++) {
        if (strcmp(name, reckonplan_accounts[i]) == 0) {
            return i;
        }
    }
    PLAY_NEED(false, "an account that nobody made: %s", name);
    return 0;
}

/* Calls `fn` for each line of a file that is changed in place. */
static void
each_line(char *text, void (*fn)(const char *line))
{
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        PLAY_NEED(end != NULL, "a line is cut: %.200s", line);
        *end = '\0';
        fn(line);
        line = end + 1;
    }
}

static void
add_tokens(struct reckon_tokens *to, const struct reckon_tokens *from)
{
    to->fresh += from->fresh;
    to->cached += from->cached;
    to->write += from->write;
    to->write1h += from->write1h;
    to->out += from->out;
    to->reason += from->reason;
}

/* --- the provider's bill --- */

static void
on_served(const char *line)
{
    uint32_t number = request_of(line);
    if (number >= reckonload_started()) {
        return; /* a count of itself */
    }
    char account[64];
    word_of(line, "account", account, sizeof(account));
    PLAY_NEED(strncmp(account, "sk-up-", 6) == 0, "asked with the key %s", account);
    struct entry *entry = &entries[number];
    struct reckon_served *served = &entry->served[account_named(account + 6)];
    /* A kept connection that turns out dead is replaced once: then nothing was served on it. */
    bool was_served = served->is_there && (served->text_bytes > 0 || served->stated[0] != 'n');
    PLAY_CHECK(!was_served || complaints++ > COMPLAINTS, "request %u was served twice with %s",
               number, account);
    served->is_there = true;
    served->is_stream = strncmp(value_of(line, "stream"), "true", 4) == 0;
    served->is_finished = strncmp(value_of(line, "finished"), "true", 4) == 0;
    word_of(line, "dialect", served->dialect, sizeof(served->dialect));
    word_of(line, "stated", served->stated, sizeof(served->stated));
    served->tokens = (struct reckon_tokens){
        .fresh = number_of(line, "fresh"),
        .cached = number_of(line, "cached"),
        .write = number_of(line, "write"),
        .write1h = number_of(line, "write1h"),
        .out = number_of(line, "out"),
        .reason = number_of(line, "reason"),
    };
    served->text_bytes = number_of(line, "text_bytes");
    entry->arrivals++;
    if (strcmp(served->stated, "all") == 0) {
        add_tokens(&stated, &served->tokens);
        add_tokens(&excused, &served->tokens); /* until a record says the same */
    }
}

/* --- the ledger --- */

static void
read_record(const char *line, struct reckon_record *record)
{
    char last[8];
    *record = (struct reckon_record){
        .tokens = { .fresh = number_of(line, "in"),
                    .cached = number_of(line, "cached"),
                    .write = number_of(line, "cache_write_5m"),
                    .write1h = number_of(line, "cache_write_1h"),
                    .out = number_of(line, "out"),
                    .reason = number_of(line, "reasoning") },
        .status = (uint32_t)number_of(line, "status"),
        .cost_nano = nano_at(value_of(line, "cost")),
        .upstream_nano = nano_at(value_of(line, "upstream_cost")),
        .bytes_out = number_of(line, "bytes_out"),
    };
    memcpy(last, value_of(line, "last"), 5);
    record->is_last = strncmp(last, "true", 4) == 0;
    word_of(line, "usage", record->usage, sizeof(record->usage));
    word_of(line, "code", record->code, sizeof(record->code));
    uint64_t id = number_of(line, "account_id");
    while (record->account < RECKON_ACCOUNTS && account_ids[record->account] != id) {
        record->account++;
    }
    PLAY_NEED(record->account < RECKON_ACCOUNTS, "a record of no account: %s", line);
}

static void
add_record(const struct reckon_ask *ask, const struct reckon_served *served,
           const struct reckon_record *record)
{
    user_cost[ask->user] += record->cost_nano;
    user_group_cost[ask->user][ask->group] += record->cost_nano;
    group_cost[ask->group] += record->cost_nano;
    account_cost[record->account] += record->upstream_nano;
    record_count++;
    died_count += strcmp(record->code, "worker_died") == 0 ? 1 : 0;
    estimated_count += strcmp(record->usage, "estimated") == 0 ? 1 : 0;
    if (strcmp(record->usage, "upstream") == 0) {
        add_tokens(&recorded, &record->tokens);
        struct reckon_tokens *e = &excused;
        e->fresh -= served->tokens.fresh;
        e->cached -= served->tokens.cached;
        e->write -= served->tokens.write;
        e->write1h -= served->tokens.write1h;
        e->out -= served->tokens.out;
        e->reason -= served->tokens.reason;
    }
}

static void
complain(const char *why, const char *line, const struct reckon_request *request,
         const struct reckon_served *served)
{
    if (complaints++ < COMPLAINTS) {
        PLAY_CHECK(false,
                   "%s: %s\n  provider: there %d finished %d stated %s fresh %llu cached %llu out "
                   "%llu text %llu\n  client: outcome %d status %u body %u text %u%s",
                   why, line, served->is_there, served->is_finished, served->stated,
                   (unsigned long long)served->tokens.fresh,
                   (unsigned long long)served->tokens.cached,
                   (unsigned long long)served->tokens.out, (unsigned long long)served->text_bytes,
                   (int)request->outcome, request->status, request->body_bytes, request->text_bytes,
                   reckonload_is_excused(request) ? " [killed]" : "");
    }
}

static void
on_record(const char *line)
{
    struct reckon_record record;
    uint32_t number = request_of(line);
    const struct reckon_request *request = reckonload_request(number);
    PLAY_NEED(request != NULL, "a record of a request that nobody made: %s", line);
    struct reckon_ask ask = reckonplan_ask(number);
    read_record(line, &record);
    const struct reckon_served *served = &entries[number].served[record.account];
    const char *why = reckonbill_judge(&ask, request, served, &record);
    entries[number].records += record.is_last ? 1 : 0;
    why = why == NULL && entries[number].records > 1 ? "it is in the ledger twice" : why;
    if (why != NULL) {
        complain(why, line, request, served);
    }
    add_record(&ask, served, &record);
}

/* --- the sums --- */

static int64_t
shown(const char *noun, const char *name, const char *member)
{
    struct play_run run = play_must_ctl("--json", noun, "show", name, NULL);
    char *text = play_json(run.out, member);
    PLAY_NEED(text != NULL, "%s %s has no %s: %s", noun, name, member, run.out);
    return nano_at(text);
}

static void
expect(const char *what, const char *name, int64_t is, int64_t should)
{
    PLAY_CHECK(is == should, "%s %s: %lld nanodollars, its records say %lld", what, name,
               (long long)is, (long long)should);
}

static void
check_balances(uint32_t topup)
{
    for (uint32_t i = 0; i < RECKON_USERS; i++) {
        expect("user", reckonplan_users[i], shown("user", reckonplan_users[i], "totals.cost"),
               user_cost[i]);
        for (uint32_t k = 0; k < RECKON_GROUPS; k++) {
            const char *key = play_text("%s-%s", reckonplan_users[i], reckonplan_groups[k]);
            expect("key", key, shown("key", key, "totals.cost"), user_group_cost[i][k]);
        }
    }
    for (uint32_t i = 0; i < RECKON_GROUPS; i++) {
        expect("group", reckonplan_groups[i], shown("group", reckonplan_groups[i], "totals.cost"),
               group_cost[i]);
    }
    for (uint32_t i = 0; i < RECKON_ACCOUNTS; i++) {
        expect("account", reckonplan_accounts[i],
               shown("account", reckonplan_accounts[i], "totals.upstream_cost"), account_cost[i]);
    }
    expect("plan", "plan", shown("plan", "plan", "totals.cost"), user_group_cost[2][0]);
    struct play_run run = play_must_ctl("--json", "user", "balance", reckonplan_users[0], NULL);
    int64_t balance = nano_at(play_json(run.out, "balance"));
    expect("what the balance lost of", reckonplan_users[0], (int64_t)topup * 1000000000 - balance,
           user_cost[0]);
}

static void
learn_accounts(void)
{
    for (uint32_t i = 0; i < RECKON_ACCOUNTS; i++) {
        struct play_run run =
            play_must_ctl("--json", "account", "show", reckonplan_accounts[i], NULL);
        account_ids[i] = play_json_number(run.out, "id");
    }
}

/* Who reached the provider is in the ledger once. */
static void
check_requests(void)
{
    for (uint32_t i = 0; i < reckonload_started(); i++) {
        const struct entry *entry = &entries[i];
        if (entry->arrivals > 0 && entry->records == 0 && complaints++ < COMPLAINTS) {
            PLAY_CHECK(false, "request %u reached the provider, the ledger has nothing (%s)", i,
                       reckonplan_ask(i).model);
        }
    }
}

static void
check_tokens(void)
{
    struct reckon_tokens sum = recorded;
    add_tokens(&sum, &excused);
    PLAY_CHECK(memcmp(&sum, &stated, sizeof(sum)) == 0, "tokens of ledger and provider differ");
    fprintf(stderr,
            "note %u requests, %u records (%u estimated, %u worker_died); provider stated %llu in, "
            "%llu out; of that not read before an end: %llu, %llu\n",
            reckonload_started(), record_count, estimated_count, died_count,
            (unsigned long long)(stated.fresh + stated.cached + stated.write + stated.write1h),
            (unsigned long long)stated.out,
            (unsigned long long)(excused.fresh + excused.cached + excused.write + excused.write1h),
            (unsigned long long)excused.out);
}

void
reckonbook_check(uint32_t topup)
{
    char *path = play_text("%s/export.jsonl", play_world.dir);
    const char *ctl = getenv("SUB2APICTL");
    learn_accounts();
    char *command = play_text("%s -s %s ledger export --jsonl >%s",
                              ctl == NULL ? "build/asan/sub2apictl" : ctl, play_world.socket, path);
    const char *const argv[] = { "/bin/sh", "-c", command, NULL };
    struct play_run run = play_command(argv, 60000);
    PLAY_NEED(run.status == 0, "export: %s", run.err);
    each_line(play_read_file(play_text("%s/fake0.served", play_world.dir)), on_served);
    each_line(play_read_file(path), on_record);
    check_requests();
    PLAY_CHECK(complaints <= COMPLAINTS, "and %u more", complaints - COMPLAINTS);
    check_tokens();
    check_balances(topup);
}

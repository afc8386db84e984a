/* Requests and tokens a minute of key, user and group, through a real worker: what is reserved,
 * what is given back, and what the client is told. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "shm/gate.h"
#include "shm/window.h"
#include "tests/unit/worker/mill.h"

#define CHAT "/v1/chat/completions"
#define TALK "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define BODY "{\"model\":\"gpt-4o\"," TALK
#define ANSWER                                                                              \
    "{\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7," \
    "\"total_tokens\":18}}"

static void
limit_key(struct key *key)
{
    key->rpm = 10;
    key->tpm = 1000;
}
static void
limit_user(struct user *user)
{
    user->rpm = 3;
    user->tpm = 5000;
}
static void
limit_group(struct group *group)
{
    group->rpm = 50;
}

/* So that what follows lies in one minute. */
static void
await_room(void)
{
    uint64_t left_ms = WINDOW_MS - clock_now_ms() % WINDOW_MS;
    if (left_ms < 4000) {
        usleep((useconds_t)left_ms * 1000);
    }
}

static struct mill *
limited_mill(void)
{
    struct mill *mill = mill_make();
    mill->confs.worker.output_tokens_guess = 300;
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", limit_key);
    mill_key(mill, "free", NULL);
    mill_user(mill, limit_user);
    mill_group(mill, limit_group);
    await_room();
    mill_run(mill);
    return mill;
}

static struct window_view
window_of(struct mill *mill, enum gate_kind kind)
{
    struct window_view view = { .requests = UINT64_MAX };
    for (uint32_t gate = 0; gate < mill->test.segment.gates; gate++) {
        struct gate_view it;
        gate_read(&mill->test.segment, gate, &it);
        if (it.kind == kind) {
            window_read(&mill->test.segment, gate, clock_now_ms(), &view);
        }
    }
    return view;
}

static void
say(struct mill *mill, const char *text)
{
    mill_say(mill, text, strlen(text));
}

/* The number in this field of the answer; -1: it is not there. */
static long
field(const char *answer, const char *name)
{
    char line[64];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strstr(answer, line);
    return at == NULL ? -1 : strtol(at + strlen(line), NULL, 10);
}

Test(minute, reserves_what_may_be_used_and_counts_what_was)
{
    struct mill *mill = limited_mill();
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", "{\"model\":\"gpt-4o\",\"max_tokens\":200," TALK);
    mill_take(mill);
    struct window_view key = window_of(mill, GATE_KEY);
    struct window_view user = window_of(mill, GATE_USER);
    cr_expect(key.requests == 1 && key.tokens == 0 && key.reserved > 200 && key.reserved < 250,
              "%lu", (unsigned long)key.reserved);
    cr_expect(user.reserved == key.reserved);
    cr_expect(window_of(mill, GATE_GROUP).reserved == 0, "it has no limit of tokens");
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    const char *answer = mill_read(mill, client, "}}");
    close(client);
    cr_expect(field(answer, "x-ratelimit-limit-requests") == 3, "the user's is tighter: %s",
              answer);
    cr_expect(field(answer, "x-ratelimit-remaining-requests") == 2, "%s", answer);
    long reset_s = field(answer, "x-ratelimit-reset-requests");
    cr_expect(reset_s >= 1 && reset_s <= 60, "%ld", reset_s);
    cr_expect(field(answer, "x-ratelimit-limit-tokens") == 1000, "the key's is tighter: %s",
              answer);
    long left = field(answer, "x-ratelimit-remaining-tokens");
    cr_expect(left == 1000 - (long)key.reserved, "%ld", left);
    cr_expect(strstr(answer, "anthropic-") == NULL, "%s", answer);

    struct ledger_record record;
    mill_record(mill, &record);
    key = window_of(mill, GATE_KEY);
    cr_expect(key.tokens == 18 && key.reserved == 0, "%lu used", (unsigned long)key.tokens);
    cr_expect(window_of(mill, GATE_GROUP).tokens == 18, "for a limit that may be set later");
    mill_stop(mill);
}

Test(minute, refuses_what_would_not_fit_and_reserves_nothing_for_it)
{
    struct mill *mill = limited_mill();
    int first = mill_connect(mill);
    mill_post(first, CHAT, "k", "{\"model\":\"gpt-4o\",\"max_completion_tokens\":700," TALK);
    mill_take(mill);
    struct window_view before = window_of(mill, GATE_KEY);
    const char *answer = mill_talk(mill, CHAT, "k", BODY); /* needs 300 and its input */
    cr_expect(strstr(answer, "HTTP/1.1 429 ") == answer, "%s", answer);
    cr_expect(strstr(answer, "The key's limit of 1000 tokens a minute is reached") != NULL, "%s",
              answer);
    cr_expect(field(answer, "retry-after") >= 1 && field(answer, "retry-after") <= 60);
    cr_expect(field(answer, "x-ratelimit-remaining-tokens") == 1000 - (long)before.reserved, "%s",
              answer);
    struct window_view key = window_of(mill, GATE_KEY);
    cr_expect(key.requests == 1 && key.reserved == before.reserved);
    cr_expect(window_of(mill, GATE_USER).requests == 1 &&
              window_of(mill, GATE_GROUP).requests == 1);

    /* The first one's client leaves: nothing was used, all is free. */
    close(first);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect(window_of(mill, GATE_KEY).reserved == 0);
    mill_stop(mill);
}

Test(minute, tells_anthropics_clients_in_anthropics_fields)
{
    struct mill *mill = limited_mill();
    int client = mill_connect(mill);
    mill_post(client, "/v1/messages", "k", "{\"model\":\"claude-x\",\"max_tokens\":10," TALK);
    mill_take(mill);
    say(mill, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
              "anthropic-ratelimit-requests-remaining: 4711\r\n\r\n{}");
    const char *answer = mill_read(mill, client, "{}");
    close(client);
    cr_expect(field(answer, "anthropic-ratelimit-requests-limit") == 3, "%s", answer);
    cr_expect(field(answer, "anthropic-ratelimit-requests-remaining") == 2, "%s", answer);
    cr_expect(strstr(answer, "4711") == NULL, "the account's is not the client's: %s", answer);
    const char *reset = strstr(answer, "\r\nanthropic-ratelimit-tokens-reset: 20");
    cr_assert_not_null(reset, "%s", answer);
    cr_expect(reset[36 + 19] == 'Z' && reset[36 + 20] == '\r', "%.60s", reset);
    cr_expect(strstr(answer, "x-ratelimit-") == NULL, "%s", answer);
    mill_stop(mill);
}

static void
no_limit_user(struct user *user)
{
    user->rpm = 0;
    user->tpm = 0;
}
static void
no_limit_group(struct group *group)
{
    group->rpm = 0;
}

Test(minute, says_nothing_without_a_limit_and_passes_the_providers_fields)
{
    struct mill *mill = limited_mill();
    mill_user(mill, no_limit_user);
    mill_group(mill, no_limit_group);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "free", BODY);
    mill_take(mill);
    say(mill, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
              "x-ratelimit-remaining-requests: 4711\r\n\r\n{}");
    const char *answer = mill_read(mill, client, "{}");
    close(client);
    cr_expect(field(answer, "x-ratelimit-remaining-requests") == 4711, "%s", answer);
    cr_expect(field(answer, "x-ratelimit-limit-requests") == -1, "%s", answer);
    mill_stop(mill);
}

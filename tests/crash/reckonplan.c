/*
 * reckonplan.c - see reckon.h: all of a request follows from its number and the seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crash/reckon.h"

#define PICO_MAX 20000000u /* $20 a million tokens */

const char *const reckonplan_groups[RECKON_GROUPS] = { "to-openai", "to-chat", "to-claude",
                                                       "to-gemini", "native" };
const char *const reckonplan_accounts[RECKON_ACCOUNTS] = { "openai-0", "openai-1", "claude-0",
                                                           "claude-1", "gemini-0", "gemini-1" };
const char *const reckonplan_users[RECKON_USERS] = { "prepaid", "favoured", "subscriber" };

static const uint32_t group_ppm[RECKON_GROUPS] = { 1250000, 1000000, 800000, 1100001, 1000000 };

static uint64_t seed;
static uint64_t state;

void
reckonplan_begin(void)
{
    const char *text = getenv("SEED");
    seed = text == NULL ? 1 : strtoull(text, NULL, 10);
}

static uint32_t
dice(uint32_t below)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (uint32_t)(z % below);
}

uint64_t
reckonplan_user_ppm(uint32_t user, uint32_t group)
{
    return user == 1 ? 750000 : group_ppm[group];
}

uint64_t
reckonplan_account_ppm(uint32_t account)
{
    return account % 2 == 0 ? 1000000 : 333333;
}

const char *
reckonplan_key(uint32_t group, uint32_t user)
{
    return play_text("sk-reckon-%u-%u-0123456789abcdefghijABCDEFGHIJ", group, user);
}

static void
make_rates(struct reckon_rates *rates)
{
    rates->fresh = dice(PICO_MAX);
    rates->cached = dice(PICO_MAX);
    rates->write = dice(PICO_MAX);
    rates->write1h = dice(PICO_MAX);
    rates->out = dice(PICO_MAX);
    rates->reason = dice(PICO_MAX);
    rates->request = dice(3) == 0 ? 1 + dice(1000000000) : 0;
}

static enum reckon_fault
make_fault(bool is_stream)
{
    uint32_t roll = dice(100);
    if (roll < 60) {
        return RECKON_FINE;
    }
    if (roll < 70) {
        return RECKON_SWITCHED;
    }
    if (roll < 72) {
        return RECKON_SILENT;
    }
    if (roll < 77) {
        return RECKON_REFUSED;
    }
    if (roll < 90) {
        return RECKON_BROKEN;
    }
    return roll < 92 && is_stream ? RECKON_STOPS : RECKON_NO_USAGE;
}

/* The words that make the fault; `at` pieces are sent before it. Errors name the model, so that the
 * account goes on with others. */
static const char *
fault_words(const struct reckon_ask *ask, uint32_t at)
{
    static const char *const first[] = { "-first1-status500-named", "-first1-status429-named",
                                         "-first1-status529-named", "-first1-garbage",
                                         "-first1-cut0" };
    static const char *const refused[] = { "-status400", "-status500-named", "-status429-named" };
    static const char *const broken[] = { "cut", "eof", "errstream", "badjson", "badchunk" };
    switch (ask->fault) {
    case RECKON_FINE:
        return "";
    case RECKON_SWITCHED:
        return first[dice(5)];
    case RECKON_SILENT:
        return "-first1-hang0";
    case RECKON_REFUSED:
        return refused[dice(3)];
    case RECKON_BROKEN:
        return ask->is_stream ? play_text("-%s%u", broken[dice(5)], at) : "-cut1";
    case RECKON_STOPS:
        return play_text("-hang%u", at);
    case RECKON_NO_USAGE:
        return "-nousage";
    }
    return "";
}

/* Blanks in it, or a long run of letters would be taken for data. */
static void
make_text(char *text, size_t bytes, uint32_t number)
{
    static const char words[] = "who pays for what was said before the line went dead and when ";
    size_t length = 12 + dice(150);
    snprintf(text, bytes, "n%06u ", number);
    size_t at = strlen(text);
    for (; at < length && at + 2 < bytes; at++) {
        text[at] = words[at % (sizeof(words) - 1)];
    }
    text[at] = '.';
    text[at + 1] = '\0';
}

static void
make_model(struct reckon_ask *ask, uint32_t number)
{
    bool has_kinds = ask->fault != RECKON_NO_USAGE;
    uint32_t in = dice(20) == 0 ? 150000 + dice(100000) : 20 + dice(5000);
    uint32_t cached = has_kinds && dice(2) == 0 ? dice(in / 2) : 0;
    uint32_t write = has_kinds && dice(3) == 0 ? dice(in / 8) : 0;
    uint32_t write1h = has_kinds && dice(4) == 0 ? dice(in / 8) : 0;
    uint32_t out = 1 + dice(3000);
    uint32_t reason = has_kinds && dice(3) == 0 ? dice(out) : 0;
    char *words = play_text("-n%u-in%u-out%u", ask->pieces, in, out);
    words = cached > 0 ? play_text("%s-cached%u", words, cached) : words;
    words = write > 0 ? play_text("%s-write%u", words, write) : words;
    words = write1h > 0 ? play_text("%s-write1h%u", words, write1h) : words;
    words = reason > 0 ? play_text("%s-reason%u", words, reason) : words;
    words = ask->is_stream ? play_text("%s-gap%u", words, dice(25))
                           : play_text("%s-slowhead%u", words, 1 + dice(200));
    snprintf(ask->model, sizeof(ask->model), "fake-q%06u%s%s", number, words,
             fault_words(ask, 1 + dice(ask->pieces)));
}

struct reckon_ask
reckonplan_ask(uint32_t number)
{
    struct reckon_ask ask = { .fault = RECKON_FINE };
    state = seed * 1000003u + number;
    ask.dialect = (enum reckon_dialect)dice(RECKON_DIALECTS);
    ask.group = dice(RECKON_GROUPS);
    ask.user = dice(RECKON_USERS);
    ask.is_stream = dice(2) == 0;
    ask.pieces = 2 + dice(20);
    ask.fault = make_fault(ask.is_stream);
    ask.leave_ms = dice(8) == 0 ? 1 + dice(300) : 0;
    make_text(ask.text, sizeof(ask.text), number);
    make_model(&ask, number);
    make_rates(&ask.rates[0]);
    make_rates(&ask.rates[1]);
    ask.rates[1].request = ask.rates[0].request;
    return ask;
}

uint32_t
reckonplan_text_bytes(const struct reckon_ask *ask, uint32_t pieces)
{
    uint32_t first = (uint32_t)(sizeof("You said: ") - 1 + strlen(ask->text));
    return pieces == 0 ? 0 : first + 7 * (pieces - 1);
}

static char *
make_body(const struct reckon_ask *ask)
{
    const char *stream = ask->is_stream ? "true" : "false";
    switch (ask->dialect) {
    case RECKON_CHAT:
        return play_text("{\"model\":\"%s\",\"stream\":%s,\"max_tokens\":64,\"messages\":"
                         "[{\"role\":\"user\",\"content\":\"%s\"}]}",
                         ask->model, stream, ask->text);
    case RECKON_RESPONSES:
        return play_text("{\"model\":\"%s\",\"stream\":%s,\"max_output_tokens\":64,"
                         "\"input\":\"%s\"}",
                         ask->model, stream, ask->text);
    case RECKON_ANTHROPIC:
        return play_text("{\"model\":\"%s\",\"stream\":%s,\"max_tokens\":64,\"messages\":"
                         "[{\"role\":\"user\",\"content\":\"%s\"}]}",
                         ask->model, stream, ask->text);
    case RECKON_GEMINI:
        return play_text("{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"%s\"}]}],"
                         "\"generationConfig\":{\"maxOutputTokens\":64}}",
                         ask->text);
    }
    return NULL;
}

size_t
reckonplan_write(const struct reckon_ask *ask, const char *key, char *out, size_t bytes,
                 uint32_t *out_body_bytes)
{
    static const char *const paths[] = { "/v1/chat/completions", "/v1/responses", "/v1/messages" };
    const char *path =
        ask->dialect != RECKON_GEMINI
            ? paths[ask->dialect]
            : play_text("/v1beta/models/%s:%s", ask->model,
                        ask->is_stream ? "streamGenerateContent?alt=sse" : "generateContent");
    char *body = make_body(ask);
    *out_body_bytes = (uint32_t)strlen(body);
    int n = snprintf(out, bytes,
                     "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                     "Content-Type: application/json\r\nConnection: close\r\n"
                     "Content-Length: %u\r\n\r\n%s",
                     path, key, *out_body_bytes, body);
    PLAY_NEED(n > 0 && (size_t)n < bytes, "a request is too long");
    return (size_t)n;
}

static void
put_rates(FILE *file, const struct reckon_rates *rates, const char *suffix)
{
    fprintf(file, "\"input_cost_per_token%s\":%llue-12,", suffix, (unsigned long long)rates->fresh);
    fprintf(file, "\"cache_read_input_token_cost%s\":%llue-12,", suffix,
            (unsigned long long)rates->cached);
    fprintf(file, "\"cache_creation_input_token_cost%s\":%llue-12,", suffix,
            (unsigned long long)rates->write);
    fprintf(file, "\"cache_creation_input_token_cost_above_1hr%s\":%llue-12,", suffix,
            (unsigned long long)rates->write1h);
    fprintf(file, "\"output_cost_per_token%s\":%llue-12,", suffix, (unsigned long long)rates->out);
    fprintf(file, "\"output_cost_per_reasoning_token%s\":%llue-12,", suffix,
            (unsigned long long)rates->reason);
}

void
reckonplan_prices(const char *path, uint32_t count)
{
    FILE *file = fopen(path, "we");
    PLAY_NEED(file != NULL, "%s cannot be written", path);
    fprintf(file, "{");
    for (uint32_t i = 0; i < count; i++) {
        struct reckon_ask ask = reckonplan_ask(i);
        fprintf(file, "%s\n\"%s\":{", i == 0 ? "" : ",", ask.model);
        put_rates(file, &ask.rates[0], "");
        put_rates(file, &ask.rates[1], "_above_200k_tokens");
        fprintf(file, "\"input_cost_per_request\":%llue-12}",
                (unsigned long long)ask.rates[0].request);
    }
    fprintf(file, "\n}\n");
    PLAY_NEED(fclose(file) == 0, "%s is not written", path);
}

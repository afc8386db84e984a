/* The head that goes to a provider: what is in it, and what never is. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "upstream/request.h"

static const struct hash_key hash = { 1, 2 };
static const char secret[] = "sk-upstream-secret";

struct fixture {
    struct catalog_account account;
    struct target *target;
    struct arena arena;
    struct header items[64];
    struct header_list headers;
    struct request_want want;
};

static void
begin(struct fixture *f, const char *url)
{
    *f = (struct fixture){ .headers = { 0, NULL } };
    f->headers.items = f->items;
    model_defaults(MODEL_ACCOUNT, &f->account.account);
    f->account.account.id = 1;
    snprintf(f->account.account.base_url, sizeof f->account.account.base_url, "%s", url);
    f->account.secret = str_of(secret);
    f->target = target_make(&hash, &f->account.account, STR(""));
    cr_assert_not_null(f->target);
    arena_init(&f->arena, REQUEST_ARENA_BYTES_MAX);
    f->want = (struct request_want){ .target = f->target,
                                     .account = &f->account,
                                     .endpoint = ENDPOINT_CHAT,
                                     .method = STR("POST"),
                                     .headers = &f->headers,
                                     .body_bytes = 12,
                                     .has_body = true };
}

static void
finish(struct fixture *f)
{
    target_free(f->target);
    arena_reset(&f->arena);
}

static void
field(struct fixture *f, const char *name, const char *value)
{
    cr_assert(f->headers.count < 64);
    f->items[f->headers.count++] = (struct header){ str_of(name), str_of(value) };
}

/* The head as a terminated text. */
static const char *
head_of(struct fixture *f)
{
    struct str head;
    cr_assert(request_head(&f->want, &f->arena, &head) == ERR_OK);
    struct str copy = arena_dup(&f->arena, head);
    cr_assert_not_null(copy.data);
    return copy.data;
}

static uint32_t
times(const char *text, const char *what)
{
    uint32_t count = 0;
    for (const char *at = text; (at = strcasestr(at, what)) != NULL; at++) {
        count++;
    }
    return count;
}

Test(request, has_start_line_host_length_and_an_end)
{
    struct fixture f;
    begin(&f, "https://x.test:8443/v1");
    const char *head = head_of(&f);
    cr_expect(str_starts(str_of(head), STR("POST /v1/chat/completions HTTP/1.1\r\n"
                                           "Host: x.test:8443\r\n")),
              "%s", head);
    cr_expect_eq(times(head, "\r\nContent-Length: 12\r\n"), 1);
    cr_expect_eq(times(head, "\r\nAccept-Encoding: identity\r\n"), 1);
    cr_expect(str_ends(str_of(head), STR("\r\n\r\n")));
    cr_expect_eq(times(head, "\r\n\r\n"), 1);
    finish(&f);
}

Test(request, adds_the_fields_that_an_api_needs_only_when_they_are_missing)
{
    struct fixture f;
    begin(&f, "https://x.test");
    f.want.endpoint = ENDPOINT_MESSAGES;
    const char *head = head_of(&f);
    cr_expect_eq(times(head, "\r\nUser-Agent: sub2api\r\n"), 1);
    cr_expect_eq(times(head, "\r\nAccept: */*\r\n"), 1);
    cr_expect_eq(times(head, "\r\nanthropic-version: 2023-06-01\r\n"), 1);
    cr_expect_eq(times(head, "\r\nContent-Type: application/json\r\n"), 1);
    field(&f, "user-agent", "claude-cli/2");
    field(&f, "ACCEPT", "text/event-stream");
    field(&f, "Anthropic-Version", "2024-01-01");
    field(&f, "content-type", "application/json; charset=utf-8");
    head = head_of(&f);
    cr_expect_eq(times(head, "user-agent:"), 1);
    cr_expect_eq(times(head, "\r\naccept:"), 1);
    cr_expect_eq(times(head, "anthropic-version: 2024-01-01\r\n"), 1);
    cr_expect_eq(times(head, "anthropic-version:"), 1);
    cr_expect_eq(times(head, "content-type: application/json; charset=utf-8\r\n"), 1);
    cr_expect_eq(times(head, "content-type:"), 1);
    finish(&f);
}

Test(request, without_a_body_says_nothing_of_one)
{
    struct fixture f;
    begin(&f, "https://x.test");
    f.want.has_body = false;
    f.want.body_bytes = 0;
    f.want.method = STR("GET");
    f.want.endpoint = ENDPOINT_MODELS_LIST;
    field(&f, "content-type", "application/json");
    field(&f, "content-length", "99");
    const char *head = head_of(&f);
    cr_expect(str_starts(str_of(head), STR("GET /v1/models HTTP/1.1\r\n")), "%s", head);
    cr_expect_eq(times(head, "content-"), 0);
    f.want.headers = NULL;
    head = head_of(&f);
    cr_expect_eq(times(head, "user-agent: sub2api"), 1);
    finish(&f);
}

Test(request, carries_the_credential_as_each_dialect_wants_it)
{
    static const struct {
        enum endpoint endpoint;
        const char *field;
    } rows[] = {
        { ENDPOINT_CHAT, "\r\nAuthorization: Bearer sk-upstream-secret\r\n" },
        { ENDPOINT_RESPONSES, "\r\nAuthorization: Bearer sk-upstream-secret\r\n" },
        { ENDPOINT_EMBEDDINGS, "\r\nAuthorization: Bearer sk-upstream-secret\r\n" },
        { ENDPOINT_MESSAGES, "\r\nx-api-key: sk-upstream-secret\r\n" },
        { ENDPOINT_COUNT_TOKENS, "\r\nx-api-key: sk-upstream-secret\r\n" },
        { ENDPOINT_GEMINI_GENERATE, "\r\nx-goog-api-key: sk-upstream-secret\r\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        begin(&f, "https://x.test");
        f.want.endpoint = rows[i].endpoint;
        f.want.model = STR("m");
        const char *head = head_of(&f);
        cr_expect_eq(times(head, rows[i].field), 1, "%s", head);
        cr_expect_eq(times(head, secret), 1, "once");
        finish(&f);
    }
}

Test(request, passes_what_the_dialects_define)
{
    static const char *const names[] = {
        "accept",
        "Accept-Language",
        "anthropic-beta",
        "anthropic-version",
        "OpenAI-Beta",
        "originator",
        "session_id",
        "session-id",
        "conversation_id",
        "thread-id",
        "traceparent",
        "User-Agent",
        "version",
        "x-app",
        "x-claude-code-session-id",
        "x-codex-turn",
        "x-client-request-id",
        "x-goog-api-client",
        "x-session-affinity",
        "x-session-id",
        "x-stainless-lang",
        "X-Stainless-Retry-Count",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cr_expect(request_may_pass(str_of(names[i])), "%s", names[i]);
    }
}

static const char *const never[] = {
    "idempotency-key", /* behind one account the keys of all clients would meet */
    "Authorization",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "Cookie",
    "Host",
    "Content-Length",
    "Content-Type",
    "Content-Encoding",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "Upgrade",
    "TE",
    "Trailer",
    "Expect",
    "Proxy-Authorization",
    "Accept-Encoding",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Real-IP",
    "Forwarded",
    "Via",
    "CF-Connecting-IP",
    "OpenAI-Organization",
    "OpenAI-Project",
    "x-goog-user-project",
    "Referer",
    "Origin",
    "acce",
    "accept-",
    "acceptx",
    "x-app-secret",
    "version2",
    "",
};

Test(request, passes_nothing_else)
{
    struct fixture f;
    begin(&f, "https://x.test");
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        cr_expect(!request_may_pass(str_of(never[i])), "%s", never[i]);
        if (never[i][0] != '\0' && strcmp(never[i], "Content-Type") != 0) {
            field(&f, never[i], "LEAKED");
        }
    }
    f.want.query = STR("key=LEAKED&api_key=LEAKED");
    const char *head = head_of(&f);
    cr_expect_eq(times(head, "LEAKED"), 0, "%s", head);
    finish(&f);
}

Test(request, knows_the_sdks_fields_by_every_byte)
{
    char name[] = "X-sTainless-Lang";
    cr_expect(request_may_pass(str_of(name)));
    cr_expect(request_may_pass(STR("x-stainless-")));
    for (size_t i = 0; i < 12; i++) {
        cr_expect(!request_may_pass(str_make(name, i)));
        for (int c = 1; c < 256; c++) {
            char kept = name[i];
            bool is_same = str_lower((char)c) == str_lower(kept);
            name[i] = (char)c;
            cr_expect_eq(request_may_pass(str_of(name)), is_same, "%zu %d", i, c);
            name[i] = kept;
        }
    }
}

Test(request, passes_no_field_that_the_connection_field_names)
{
    struct fixture f;
    begin(&f, "https://x.test");
    field(&f, "x-session-id", "kept");
    field(&f, "x-app", "hop");
    field(&f, "Connection", "close, X-App");
    const char *head = head_of(&f);
    cr_expect_eq(times(head, "kept"), 1);
    cr_expect_eq(times(head, "hop"), 0);
    cr_expect_eq(times(head, "connection"), 0);
    finish(&f);
}

static struct str
cleaned(struct arena *arena, const char *query)
{
    struct str out;
    cr_assert(request_clean_query(str_of(query), arena, &out) == ERR_OK);
    return out;
}

Test(request, takes_keys_and_alt_out_of_the_query)
{
    static const char *const rows[][2] = {
        { "", "" },
        { "beta=true", "beta=true" },
        { "key=k", "" },
        { "key", "" },
        { "key=", "" },
        { "api_key=k&beta=true", "beta=true" },
        { "a=1&key=k&b=2", "a=1&b=2" },
        { "a=1&key=k", "a=1" },
        { "key=1&key=2&a", "a" },
        { "alt=sse&a=1", "a=1" },
        { "$alt=json", "" },
        { "%24alt=json", "" },
        { "alternative=1&keys=2&monkey=3", "alternative=1&keys=2&monkey=3" },
        { "&&a=1&&", "a=1" },
        { "a=key=1", "a=key=1" },
        { "a=1=2&b", "a=1=2&b" },
    };
    struct arena arena;
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str got = cleaned(&arena, rows[i][0]);
        cr_expect(str_equal(got, str_of(rows[i][1])), "%s became %.*s", rows[i][0], STR_ARG(got));
    }
    arena_reset(&arena);
}

Test(request, finds_a_key_however_its_name_is_spelled)
{
    /* Providers decode names before they look: so must whoever takes a credential out. */
    static const char *const spelled[] = { "%6bey=k",     "%6Bey=k",     "k%65y=k",
                                           "%6b%65%79=k", "api%5fkey=k", "api%5Fkey=k",
                                           "%61pi_key=k", "al%74=sse",   "%24al%74=x" };
    struct arena arena;
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    for (size_t i = 0; i < sizeof spelled / sizeof spelled[0]; i++) {
        cr_expect_eq(cleaned(&arena, spelled[i]).len, 0, "%s", spelled[i]);
    }
    cr_expect(str_equal(cleaned(&arena, "%6=1&%zz=2&ke%79s=3"), STR("%6=1&%zz=2&ke%79s=3")));
    arena_reset(&arena);
}

Test(request, puts_the_query_behind_the_path)
{
    struct fixture f;
    begin(&f, "https://x.test/v1");
    f.want.query = STR("beta=true&key=no");
    cr_expect(str_starts(str_of(head_of(&f)), STR("POST /v1/chat/completions?beta=true HTTP")));
    f.want.query = STR("key=no&alt=sse");
    cr_expect(str_starts(str_of(head_of(&f)), STR("POST /v1/chat/completions HTTP")));
    finish(&f);
}

Test(request, streams_gemini_as_events)
{
    struct fixture f;
    begin(&f, "https://x.test");
    f.want.endpoint = ENDPOINT_GEMINI_STREAM;
    f.want.model = STR("gemini-2.5-pro");
    f.want.query = STR("alt=json&key=no");
    f.want.wants_sse = true;
    cr_expect(str_starts(
        str_of(head_of(&f)),
        STR("POST /v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse HTTP/1.1\r\n")));
    finish(&f);
}

Test(request, may_be_sent_to_another_path)
{
    struct fixture f;
    begin(&f, "https://x.test/v1");
    f.want.path = STR("/v1/models/gpt-4o");
    f.want.method = STR("GET");
    cr_expect(str_starts(str_of(head_of(&f)), STR("GET /v1/models/gpt-4o HTTP/1.1\r\n")));
    finish(&f);
}

Test(request, has_no_credential_that_ends_its_line)
{
    static const char *const bad[] = { "sk\r\nX-Evil: 1", "sk\n", "\rsk", "s\x01k", "sk\x7f" };
    struct fixture f;
    struct str head;
    begin(&f, "https://api.example/v1");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        f.account.secret = str_of(bad[i]);
        cr_expect_eq(request_head(&f.want, &f.arena, &head), ERR_BAD, "row %zu", i);
    }
    f.account.secret = str_make("s\0k", 3);
    cr_expect_eq(request_head(&f.want, &f.arena, &head), ERR_BAD, "a NUL");
    finish(&f);
}

Test(request, fails_when_the_arena_is_full)
{
    struct fixture f;
    begin(&f, "https://x.test");
    struct arena small;
    arena_init(&small, 256);
    struct str head;
    cr_expect_eq(request_head(&f.want, &small, &head), ERR_FULL);
    cr_expect_eq(request_clean_query(STR("a=1"), &small, &head), ERR_OK);
    arena_reset(&small);
    finish(&f);
}

/*
 * Events of a stream: however it is cut, the same ones come out.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "http/sse.h"

struct seen {
    struct buf text; /* "name|data|flags;" of each event */
    struct buf raw;  /* all raw bytes one after the other */
    struct str feed;
    uint32_t count;
    uint32_t spans; /* events whose raw bytes lie in the feed itself */
    size_t last_end;
};

static void
on_event(void *context, const struct sse_event *event)
{
    struct seen *seen = context;
    cr_assert(buf_printf(&seen->text, "%.*s|%.*s|%s%s;", STR_ARG(event->name), STR_ARG(event->data),
                         event->is_cut ? "cut" : "", event->is_comment ? "comment" : "") == ERR_OK);
    cr_assert(buf_append(&seen->raw, event->raw) == ERR_OK);
    seen->count++;
    seen->spans += event->raw.data >= seen->feed.data &&
                   event->raw.data + event->raw.len <= seen->feed.data + seen->feed.len;
    seen->last_end = event->end;
}

static void
seen_init(struct seen *seen)
{
    *seen = (struct seen){ .count = 0 };
    buf_init(&seen->text, 1 << 22);
    buf_init(&seen->raw, 1 << 22);
}

static void
seen_fini(struct seen *seen)
{
    buf_fini(&seen->text);
    buf_fini(&seen->raw);
}

/* In memory of its exact size, so that a look behind its end is caught. */
static void
feed(struct sse *sse, struct seen *seen, struct str bytes)
{
    char *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    seen->feed = str_make(copy, bytes.len);
    sse_feed(sse, seen->feed, on_event, seen);
    seen->feed = str_make(NULL, 0);
    free(copy);
}

/* `step` 0: cut once at `at`; else pieces of `step` bytes. */
static void
run_cut(struct seen *seen, struct str text, size_t at, size_t step)
{
    struct sse sse;
    sse_init(&sse);
    seen_init(seen);
    if (step == 0) {
        feed(&sse, seen, str_make(text.data, at));
        feed(&sse, seen, str_make(text.data + at, text.len - at));
    } else {
        for (size_t i = 0; i < text.len; i += step) {
            feed(&sse, seen, str_make(text.data + i, text.len - i < step ? text.len - i : step));
        }
    }
    sse_finish(&sse, on_event, seen);
    cr_assert(!sse_is_inside(&sse));
    cr_assert(sse.kept.data == NULL, "memory is given back");
    sse_fini(&sse);
}

static void
expect(const char *text, size_t len, const char *want)
{
    struct str all = { text, len };
    struct seen seen;
    for (size_t at = 0; at <= len; at++) {
        run_cut(&seen, all, at, 0);
        cr_assert(str_equal(buf_str(&seen.text), str_of(want)), "cut at %zu: %.*s instead of %s",
                  at, STR_ARG(buf_str(&seen.text)), want);
        seen_fini(&seen);
    }
    for (size_t step = 1; step < 5 && len > 0; step++) {
        run_cut(&seen, all, 0, step);
        cr_assert(str_equal(buf_str(&seen.text), str_of(want)), "step %zu: %.*s instead of %s",
                  step, STR_ARG(buf_str(&seen.text)), want);
        seen_fini(&seen);
    }
}

#define EXPECT(text, want) expect(text, sizeof(text) - 1, want)

Test(sse, reads_fields_under_any_cut)
{
    EXPECT("data: {\"a\":1}\n\ndata: [DONE]\n\n", "|{\"a\":1}|;|[DONE]|;");
    EXPECT("event: ping\ndata: x\n\n", "ping|x|;");
    EXPECT("event:ping\ndata:x\nid: 7\nretry: 10\n\n", "ping|x|;");
    EXPECT("data: a\ndata: b\ndata\ndata:  c\n\n", "|a\nb\n\n c|;");
    EXPECT("event: first\nevent: last\ndata: x\n\n", "last|x|;");
    EXPECT("database: no\neventful: no\ndata: yes\n\n", "|yes|;");
    EXPECT("data:\n\n", "||;");
    EXPECT("event: only\n\n", "only||;");
    EXPECT("", "");
}

Test(sse, knows_all_line_ends)
{
    EXPECT("event: a\r\ndata: x\r\n\r\ndata: y\r\n\r\n", "a|x|;|y|;");
    EXPECT("event: a\rdata: x\r\rdata: y\r\r", "a|x|;|y|;");
    EXPECT("data: x\r\n\ndata: y\n\r\n", "|x|;|y|;");
    EXPECT("data: x\n\rdata: y\r\r\n", "|x|;|y|;");
    EXPECT("data: a\r\ndata: b\rdata: c\ndata: d\r\n\r\n", "|a\nb\nc\nd|;");
}

Test(sse, skips_a_byte_order_mark_once)
{
    EXPECT("\xef\xbb\xbf"
           "data: x\n\n\xef\xbb\xbf"
           "data: y\n\n",
           "|x|;||comment;");
    EXPECT("\xef\xbb\xbf: hello\n\n", "||comment;");
}

Test(sse, reports_comments_and_empty_lines_as_such)
{
    EXPECT(": keep-alive\n\ndata: x\n\n", "||comment;|x|;");
    EXPECT(": note\ndata: x\n\n", "|x|;");
    EXPECT("\n\ndata: x\n\n\n", "||comment;||comment;|x|;||comment;");
}

Test(sse, gives_the_last_event_at_the_end_when_it_has_data)
{
    EXPECT("data: a\n\ndata: last", "|a|;|last|;");
    EXPECT("data: a\n\ndata: last\n", "|a|;|last|;");
    EXPECT("data: a\n\n: nothing", "|a|;");
    EXPECT("data: a\n\nevent: nothing\n", "|a|;");
}

Test(sse, reports_spans_of_the_feed_without_a_copy)
{
    struct str text = STR("data: one\n\nevent: e\ndata: two\n\ndata: thr");
    struct sse sse;
    struct seen seen;
    sse_init(&sse);
    seen_init(&seen);
    seen.feed = text;
    sse_feed(&sse, text, on_event, &seen);
    cr_assert_eq(seen.count, 2);
    cr_assert_eq(seen.spans, 2);
    cr_assert_eq(seen.last_end, strlen("data: one\n\nevent: e\ndata: two\n\n"));
    cr_assert(sse_is_inside(&sse));
    cr_assert_eq(buf_len(&sse.kept), strlen("data: thr"));

    seen.feed = STR("ee\n\nrest");
    sse_feed(&sse, seen.feed, on_event, &seen);
    cr_assert_eq(seen.count, 3);
    cr_assert_eq(seen.spans, 2);
    cr_assert_eq(seen.last_end, 4);
    cr_assert(
        str_equal(buf_str(&seen.raw), STR("data: one\n\nevent: e\ndata: two\n\ndata: three\n\n")));
    sse_fini(&sse);
    seen_fini(&seen);
}

Test(sse, is_not_inside_after_a_line_end_cut_in_two)
{
    struct sse sse;
    struct seen seen;
    sse_init(&sse);
    seen_init(&seen);
    feed(&sse, &seen, STR("data: x\r\n\r"));
    cr_assert_eq(seen.count, 1);
    cr_assert(!sse_is_inside(&sse));
    feed(&sse, &seen, STR("\n"));
    cr_assert(!sse_is_inside(&sse));
    cr_assert_eq(seen.count, 1);
    feed(&sse, &seen, STR("data: y\r\n\r\n"));
    cr_assert(str_equal(buf_str(&seen.text), STR("|x|;|y|;")));
    sse_fini(&sse);
    seen_fini(&seen);
}

/* Too long to keep: reported without its data, under any cut; what follows is whole again. */
Test(sse, reports_an_overlong_event_as_cut)
{
    const size_t body = SSE_KEPT_BYTES_MAX + 10;
    char *text = malloc(body + 64);
    size_t len = (size_t)snprintf(text, 64, "event: big\ndata: ");
    memset(text + len, 'x', body);
    len += body;
    len += (size_t)snprintf(text + len, 32, "\n\ndata: small\n\n");
    static const size_t steps[] = { 65536, 4099, 1 << 22 };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct seen seen;
        run_cut(&seen, str_make(text, len), 0, steps[i]);
        cr_assert(str_equal(buf_str(&seen.text), STR("||cut;|small|;")), "step %zu: %.60s",
                  steps[i], seen.text.data);
        seen_fini(&seen);
    }
    struct seen seen;
    run_cut(&seen, str_make(text, SSE_KEPT_BYTES_MAX + 5), 0, 65536);
    cr_assert(str_equal(buf_str(&seen.text), STR("||cut;")));
    seen_fini(&seen);
    free(text);
}

struct big {
    size_t data_bytes;
    uint32_t cut;
    uint32_t count;
};

static void
on_big(void *context, const struct sse_event *event)
{
    struct big *big = context;
    big->count++;
    big->cut += event->is_cut;
    big->data_bytes = event->data.len > big->data_bytes ? event->data.len : big->data_bytes;
}

/* Who needs the whole event says how long one may be. */
Test(sse, keeps_longer_events_when_asked_to)
{
    const size_t body = 3u * SSE_KEPT_BYTES_MAX;
    char *text = malloc(body + 64);
    size_t len = (size_t)snprintf(text, 64, "data: ");
    memset(text + len, 'x', body);
    len += body;
    len += (size_t)snprintf(text + len, 32, "\n\ndata: small\n\n");
    static const uint32_t bounds[] = { 4u * SSE_KEPT_BYTES_MAX, 2u * SSE_KEPT_BYTES_MAX };
    for (size_t i = 0; i < 2; i++) {
        struct sse sse;
        struct big big = { .count = 0 };
        sse_init(&sse);
        sse_bound(&sse, bounds[i]);
        for (size_t at = 0; at < len; at += 65536) {
            size_t step = len - at < 65536 ? len - at : 65536;
            sse_feed(&sse, str_make(text + at, step), on_big, &big);
        }
        cr_expect_eq(big.count, 2);
        cr_expect_eq(big.cut, i == 0 ? 0 : 1, "longer than the bound");
        cr_expect_eq(big.data_bytes, i == 0 ? body : strlen("small"));
        sse_fini(&sse);
    }
    free(text);
}

Test(sse, gives_up_what_it_keeps)
{
    struct sse sse;
    struct seen seen = { .count = 0 };
    buf_init(&seen.text, 4096);
    buf_init(&seen.raw, 4096);
    sse_init(&sse);
    sse_drop(&sse);
    sse_feed(&sse, STR("data: whole\n\ndata: ha"), on_event, &seen);
    sse_drop(&sse);
    cr_expect(sse.kept.data == NULL && sse_is_inside(&sse));
    sse_feed(&sse, STR("lf\n\ndata: next\n\n"), on_event, &seen);
    cr_expect(str_equal(buf_str(&seen.text), STR("|whole|;||cut;|next|;")), "%.*s",
              STR_ARG(buf_str(&seen.text)));
    sse_fini(&sse);
    buf_fini(&seen.text);
    buf_fini(&seen.raw);
}

/* One feed takes the quick way where it can; bytes one by one never do. */
Test(sse, reads_random_streams_whole_as_it_reads_them_byte_by_byte)
{
    static const char *const pieces[] = {
        "data: ", "data:", "data", "event: ", "event:", "id: 1", "\n",     "\n\n",        "\n\n",
        "\r\n",   "\r",    ":",    "{\"a\"}", "x",      " ",     "[DONE]", "\xef\xbb\xbf"
    };
    uint32_t seed = 7;
    for (int round = 0; round < 3000; round++) {
        char text[256];
        size_t len = 0;
        for (int i = 0; i < 20; i++) {
            seed = seed * 1103515245u + 12345u;
            struct str piece = str_of(pieces[(seed >> 8) % (sizeof pieces / sizeof pieces[0])]);
            memcpy(text + len, piece.data, piece.len);
            len += piece.len;
        }
        struct seen whole;
        struct seen bytes;
        run_cut(&whole, str_make(text, len), len, 0);
        run_cut(&bytes, str_make(text, len), 0, 1);
        cr_assert(str_equal(buf_str(&whole.text), buf_str(&bytes.text)),
                  "%.*s\nnot\n%.*s\nof\n%.*s", STR_ARG(buf_str(&whole.text)),
                  STR_ARG(buf_str(&bytes.text)), (int)len, text);
        seen_fini(&whole);
        seen_fini(&bytes);
    }
}

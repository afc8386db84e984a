/*
 * One answer from its bytes: under any cut the same events, and nothing of what stands behind it.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/limits.h"
#include "http/harvest.h"

struct seen {
    struct harvest harvest;
    struct buf text; /* "head 200;" "body" "end;" "broken;" */
    bool is_over;
};

static void
take(struct seen *seen, struct str bytes)
{
    char *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    struct str rest = { copy, bytes.len };
    struct str body;
    enum harvest_event event = HARVEST_MORE;
    while (!seen->is_over && (event = harvest_next(&seen->harvest, &rest, &body)) != HARVEST_MORE) {
        seen->is_over = event == HARVEST_END || event == HARVEST_BROKEN;
        enum err err = ERR_OK;
        if (event == HARVEST_HEAD) {
            err = buf_printf(&seen->text, "head %u;", seen->harvest.head.status);
        } else if (event == HARVEST_BODY) {
            cr_assert(body.data >= copy && body.data + body.len <= copy + bytes.len, "no copy");
            err = buf_append(&seen->text, body);
        } else {
            err = buf_append(&seen->text, event == HARVEST_END ? STR(";end") : STR(";broken"));
        }
        cr_assert(err == ERR_OK);
    }
    if (!seen->is_over) {
        cr_assert_eq(rest.len, 0, "everything is used");
    }
    free(copy);
}

static void
expect(const char *answer, bool of_head, const char *want)
{
    size_t len = strlen(answer);
    for (size_t at = 0; at <= len; at++) {
        struct seen seen = { .is_over = false };
        harvest_init(&seen.harvest);
        harvest_begin(&seen.harvest, of_head);
        buf_init(&seen.text, 1 << 20);
        take(&seen, str_make(answer, at));
        take(&seen, str_make(answer + at, len - at));
        if (!seen.is_over) {
            bool is_end = harvest_finish(&seen.harvest) == HARVEST_END;
            cr_assert(buf_append(&seen.text, is_end ? STR(";end") : STR(";cut")) == ERR_OK);
        }
        cr_assert(str_equal(buf_str(&seen.text), str_of(want)), "cut at %zu: %.*s instead of %s",
                  at, STR_ARG(buf_str(&seen.text)), want);
        buf_fini(&seen.text);
        harvest_fini(&seen.harvest);
    }
}

Test(harvest, finds_the_end_of_every_framing)
{
    expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcxyz", false, "head 200;abc;end");
    expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", false, "head 200;ab;cut");
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\nx",
           false, "head 200;abc;end");
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", false,
           "head 200;ab;cut");
    expect("HTTP/1.1 200 OK\r\n\r\nall of it", false, "head 200;all of it;end");
    expect("HTTP/1.1 204 No Content\r\n\r\n", false, "head 204;;end");
    expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true, "head 200;;end");
    expect("HTTP/1.1 200 O", false, ";cut");
    expect("", false, ";cut");
}

Test(harvest, skips_interim_answers)
{
    expect("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\n"
           "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nz",
           false, "head 201;z;end");
    expect("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", false,
           ";broken");
}

Test(harvest, refuses_broken_framing)
{
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nq\r\n", false, "head 200;;broken");
    expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", false,
           ";broken");
    expect("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, ";broken");
    expect("ICY 200 OK\r\n\r\n", false, ";broken");
}

/* What an operator reads must not speak of a request: it is the provider that talks nonsense. */
Test(harvest, says_that_it_is_the_answer_which_is_no_http)
{
    static const char *const answers[] = { "220 mail.example ESMTP\r\n\r\n",
                                           "\x15\x03\x01",
                                           "SSH-2.0-x\r\n",
                                           "HTTP/2 200 OK\r\n\r\n",
                                           "HTTP/1.2 200 OK\r\n\r\n",
                                           "HTTQ",
                                           "\r\nHTTP/1.1 200 OK\r\n\r\n" };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct harvest harvest;
        struct str bytes = str_of(answers[i]);
        struct str body;
        harvest_init(&harvest);
        harvest_begin(&harvest, false);
        cr_expect_eq(harvest_next(&harvest, &bytes, &body), HARVEST_BROKEN, "%s", answers[i]);
        cr_expect_str_eq(harvest.why, "The answer is not HTTP/1.1.", "%s", answers[i]);
        harvest_fini(&harvest);
    }
}

Test(harvest, holds_no_memory_between_answers)
{
    struct seen seen = { .is_over = false };
    harvest_init(&seen.harvest);
    buf_init(&seen.text, 1 << 20);
    for (int i = 0; i < 3; i++) {
        seen.is_over = false;
        harvest_begin(&seen.harvest, false);
        take(&seen, STR("HTTP/1.1 200 OK\r\nContent-"));
        cr_assert(seen.harvest.kept.data != NULL);
        take(&seen, STR("Length: 2\r\n\r\no"));
        cr_assert(seen.harvest.kept.data == NULL);
        take(&seen, STR("k"));
        cr_assert(seen.is_over);
        harvest_fini(&seen.harvest);
        cr_assert(seen.harvest.arena.blocks == NULL);
    }
    buf_fini(&seen.text);
}

/*
 * test_respsay.c - the response object and single events.
 */
#include "deal.h"

#include "proto/respsay.h"

Test(respsay, states)
{
    static const struct {
        enum hub_finish finish;
        bool has_refusal;
        const char *status;
        const char *reason;
    } cases[] = {
        { HUB_FINISH_STOP, false, "completed", NULL },
        { HUB_FINISH_STOP_SEQUENCE, false, "completed", NULL },
        { HUB_FINISH_TOOL_CALLS, false, "completed", NULL },
        { HUB_FINISH_OTHER, false, "completed", NULL },
        { HUB_FINISH_LENGTH, false, "incomplete", "max_output_tokens" },
        { HUB_FINISH_CONTEXT_FULL, false, "incomplete", "max_output_tokens" },
        { HUB_FINISH_PAUSE, false, "incomplete", "max_output_tokens" },
        { HUB_FINISH_CONTENT_FILTER, false, "incomplete", "content_filter" },
        { HUB_FINISH_RECITATION, false, "incomplete", "content_filter" },
        { HUB_FINISH_REFUSAL, true, "completed", NULL },
        { HUB_FINISH_REFUSAL, false, "incomplete", "content_filter" },
        { HUB_FINISH_MALFORMED_TOOL, false, "failed", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct respsay_end_state state = { .status = NULL };
        respsay_state(cases[i].finish, cases[i].has_refusal, &state);
        cr_expect_str_eq(state.status, cases[i].status);
        cr_expect((state.reason == NULL) == (cases[i].reason == NULL));
        cr_expect(state.reason == NULL || strcmp(state.reason, cases[i].reason) == 0);
        cr_expect((state.error != NULL) == (strcmp(state.status, "failed") == 0));
    }
}

/* Events are numbered without gaps; of a whole answer none goes out. */
Test(respsay, events)
{
    struct buf to;
    struct jsonw w;
    buf_init(&to, 1024);
    struct respsay say = { .to = &to };
    for (int i = 0; i < 2; i++) {
        respsay_begin(&say, &w, "response.x");
        cr_assert_eq(respsay_end(&say, &w), ERR_OK);
    }
    HAS(to, "event: response.x\ndata: {'type':'response.x','sequence_number':0}\n\n");
    HAS(to, "'sequence_number':1}\n\n");
    say.is_silent = true;
    buf_clear(&to);
    respsay_begin(&say, &w, "response.x");
    cr_assert_eq(respsay_end(&say, &w), ERR_OK);
    cr_expect_eq(buf_len(&to), 0);
    buf_fini(&to);
}

Test(respsay, annotations)
{
    struct buf to;
    struct jsonw w;
    buf_init(&to, 1024);
    struct hub_annotation url = {
        .kind = HUB_CITE_URL, .url = STR("u"), .title = STR("t"), .start = 1, .end = 2
    };
    struct hub_annotation file = { .kind = HUB_CITE_FILE, .url = STR("f"), .title = STR("n") };
    cr_assert_eq(respsay_element(&to, &w), ERR_OK);
    respsay_annotation(&w, &url);
    cr_assert_eq(jsonw_end(&w), ERR_OK);
    cr_assert_eq(respsay_element(&to, &w), ERR_OK);
    respsay_annotation(&w, &file);
    cr_assert_eq(jsonw_end(&w), ERR_OK);
    HAS(to, "{'type':'url_citation','url':'u','title':'t','start_index':1,'end_index':2},"
            "{'type':'file_citation','file_id':'f','filename':'n','index':0}");
    buf_fini(&to);
}

/* Reasoning between tags at the beginning of a text, cut anywhere. */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/thinktag.h"

struct said {
    char reasoning[256];
    char text[256];
};

static enum err
note(void *context, bool is_reasoning, struct str text)
{
    struct said *said = context;
    char *to = is_reasoning ? said->reasoning : said->text;
    cr_assert(text.len > 0 && strlen(to) + text.len < sizeof said->text);
    strncat(to, text.data, text.len);
    return ERR_OK;
}

static void
feed(const char *text, size_t piece, struct said *said)
{
    struct thinktag tag = { 0 };
    *said = (struct said){ .text = "" };
    for (struct str rest = str_of(text); rest.len > 0;) {
        struct str part = str_make(rest.data, rest.len < piece ? rest.len : piece);
        cr_assert_eq(thinktag_feed(&tag, part, note, said), ERR_OK);
        rest = str_skip(rest, part.len);
    }
    cr_assert_eq(thinktag_flush(&tag, note, said), ERR_OK);
}

Test(thinktag, parts_reasoning_from_text_wherever_it_is_cut)
{
    static const struct {
        const char *whole, *reasoning, *text;
    } rows[] = {
        { "<think>plan</think>Hi", "plan", "Hi" },
        { "\n <think>\nplan a<b </thin k></think>\n\nHi\n", "\nplan a<b </thin k>", "Hi\n" },
        { "<think></think>Hi", "", "Hi" },
        { "<think>never closed </thi", "never closed </thi", "" },
        { "<think>a<</think>b", "a<", "b" },
        { "Hi <think>no</think>", "", "Hi <think>no</think>" },
        { "  Hi", "", "  Hi" },
        { "<thin", "", "<thin" },
        { "<thinking>x", "", "<thinking>x" },
        { "<<think>x", "", "<<think>x" },
        { "", "", "" },
        { " \n", "", " \n" },
        { "                              <think>x", "", "                              <think>x" },
        { "<think>a</think><think>b</think>", "a", "<think>b</think>" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t piece = 1; piece <= 64; piece++) {
            struct said said;
            feed(rows[i].whole, piece, &said);
            cr_expect_str_eq(said.reasoning, rows[i].reasoning, "%s by %zu", rows[i].whole, piece);
            cr_expect_str_eq(said.text, rows[i].text, "%s by %zu", rows[i].whole, piece);
        }
    }
}

static enum err
refuse(void *context, bool is_reasoning, struct str text)
{
    (void)context, (void)is_reasoning, (void)text;
    return ERR_FULL;
}

Test(thinktag, stops_where_its_listener_cannot_go_on)
{
    static const char *const texts[] = { "Hi", "<think>a", "<think></think>b" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct thinktag tag = { 0 };
        cr_expect_eq(thinktag_feed(&tag, str_of(texts[i]), refuse, NULL), ERR_FULL, "%s", texts[i]);
    }
    struct thinktag tag = { 0 };
    cr_assert_eq(thinktag_feed(&tag, STR("<th"), refuse, NULL), ERR_OK);
    cr_expect_eq(thinktag_flush(&tag, refuse, NULL), ERR_FULL);
}

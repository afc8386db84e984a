/* The same conversation at every turn, and only that. */
#include <criterion/criterion.h>

#include "proto/opening.h"

static const struct hash_key hash_key = { 11, 12 };

/* 0: nothing was said (a hash of 0 is as likely as any other number). */
static uint64_t
open_of(enum endpoint endpoint, const char *body)
{
    struct peek peek;
    struct peek_error error;
    uint64_t hash = 0;
    cr_assert_eq(peek_json(endpoint, str_of(body), &peek, &error), ERR_OK, "%s", error.message);
    return opening_hash(&hash_key, str_of(body), &peek, &hash) ? hash : 0;
}

#define CHAT(body) open_of(ENDPOINT_CHAT, "{\"model\":\"m\"," body "}")
#define RESPONSES(body) open_of(ENDPOINT_RESPONSES, "{\"model\":\"m\"," body "}")
#define MESSAGES(body) open_of(ENDPOINT_MESSAGES, "{\"model\":\"m\"," body "}")
#define GEMINI(body) open_of(ENDPOINT_GEMINI_STREAM, "{" body "}")

#define SYS "{\"role\":\"system\",\"content\":\"Be kind.\"}"
#define ASK "{\"role\":\"user\",\"content\":\"Why?\"}"
#define SAY "{\"role\":\"assistant\",\"content\":\"Because.\"}"

Test(opening, of_chat_is_the_same_at_every_turn)
{
    uint64_t first = CHAT("\"messages\":[" SYS "," ASK "]");
    cr_assert_neq(first, 0);
    cr_expect_eq(
        CHAT("\"messages\":[" SYS "," ASK "," SAY ",{\"role\":\"user\",\"content\":\"x\"}]"),
        first);
    cr_expect_eq(CHAT("\"temperature\":0,\"messages\": [ " SYS " , {\"content\" : \"Why?\" ,"
                      "\"role\" : \"user\"} ]"),
                 first, "spelling does not count");
    cr_expect_eq(CHAT("\"messages\":[" SYS ",{\"role\":\"user\",\"content\":[{\"type\":\"text\","
                      "\"text\":\"Why?\",\"cache_control\":{\"type\":\"ephemeral\"}}]}]"),
                 first, "nor how a text is wrapped");
    cr_expect_neq(CHAT("\"messages\":[" ASK "]"), first, "another system text");
    cr_expect_neq(CHAT("\"messages\":[" SYS ",{\"role\":\"user\",\"content\":\"Who?\"}]"), first);
    cr_expect_eq(CHAT("\"messages\":[" SYS "," SAY "]"), 0, "no user said anything");
    cr_expect_eq(CHAT("\"messages\":[]"), 0);
    cr_expect_eq(CHAT("\"messages\":7"), 0);
    cr_expect_eq(CHAT("\"messages\":null"), 0);
    cr_expect_eq(CHAT("\"stream\":true"), 0);
    cr_expect_eq(CHAT("\"messages\":[1,\"a\",null,[],{\"role\":7,\"content\":\"Why?\"}]"), 0);
}

Test(opening, tells_pictures_and_places_of_text_apart)
{
    uint64_t one = CHAT("\"messages\":[{\"role\":\"user\",\"content\":[{\"image_url\":\"a\"}]}]");
    uint64_t two = CHAT("\"messages\":[{\"role\":\"user\",\"content\":[{\"image_url\":\"b\"}]}]");
    cr_expect(one != 0 && two != 0 && one != two);
    cr_expect_neq(CHAT("\"messages\":[{\"role\":\"user\",\"content\":[\"ab\",\"c\"]}]"),
                  CHAT("\"messages\":[{\"role\":\"user\",\"content\":[\"a\",\"bc\"]}]"));
    cr_expect_neq(CHAT("\"messages\":[{\"role\":\"user\",\"content\":\"\"}]"), 0);
}

Test(opening, of_responses_takes_text_and_items)
{
    uint64_t text = RESPONSES("\"instructions\":\"Be kind.\",\"input\":\"Why?\"");
    cr_assert_neq(text, 0);
    cr_expect_eq(RESPONSES("\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
                           "\"type\":\"input_text\",\"text\":\"Why?\"}]},{\"type\":\"reasoning\"}],"
                           "\"instructions\":\"Be kind.\""),
                 text);
    uint64_t developer = RESPONSES("\"input\":[{\"type\":\"message\",\"role\":\"developer\","
                                   "\"content\":\"Be kind.\"}," ASK "]");
    cr_expect_eq(developer, text, "a developer's message is system text");
    cr_expect_eq(RESPONSES("\"input\":[{\"type\":\"function_call_output\",\"output\":\"x\"}]"), 0);
}

Test(opening, of_anthropic_ignores_cache_marks)
{
    uint64_t first = MESSAGES(
        "\"system\":[{\"type\":\"text\",\"text\":\"Be kind.\",\"cache_control\":{}}],"
        "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Why?\","
        "\"cache_control\":{\"type\":\"ephemeral\"}}]}]");
    cr_assert_neq(first, 0);
    cr_expect_eq(MESSAGES("\"system\":\"Be kind.\",\"messages\":[" ASK "," SAY "]"), first);
    cr_expect_neq(MESSAGES("\"messages\":[" ASK "," SAY "]"), first);
}

Test(opening, of_gemini_reads_parts)
{
    uint64_t first = GEMINI("\"systemInstruction\":{\"parts\":[{\"text\":\"Be kind.\"}]},"
                            "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Why?\"}]}]");
    cr_assert_neq(first, 0);
    cr_expect_eq(GEMINI("\"system_instruction\":{\"role\":\"user\",\"parts\":[{\"text\":"
                        "\"Be kind.\"}]},\"contents\":[{\"parts\":[{\"text\":\"Why?\"}]},"
                        "{\"role\":\"model\",\"parts\":[{\"text\":\"So.\"}]}]"),
                 first);
    cr_expect_neq(GEMINI("\"contents\":[{\"parts\":[{\"text\":\"Why?\"}]}]"), first);
}

Test(opening, of_long_texts_counts_their_length)
{
    static char bodies[3][3 * OPENING_TEXT_BYTES];
    uint64_t hashes[3];
    for (int i = 0; i < 3; i++) {
        char *at = stpcpy(bodies[i], "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
                                     "\"content\":\"");
        memset(at, 'x', 2 * OPENING_TEXT_BYTES);
        at[100] = i == 1 ? 'y' : 'x';
        at += 2 * OPENING_TEXT_BYTES - (i == 2 ? 1u : 0u);
        stpcpy(at, "\"}]}");
        hashes[i] = open_of(ENDPOINT_CHAT, bodies[i]);
        cr_expect_neq(hashes[i], 0);
    }
    cr_expect(hashes[0] != hashes[1] && hashes[0] != hashes[2] && hashes[1] != hashes[2]);
}

Test(opening, looks_at_a_bounded_number_of_messages)
{
    static char body[OPENING_MESSAGES_MAX * 64 + 256];
    char *at = stpcpy(body, "{\"model\":\"m\",\"messages\":[");
    for (uint32_t i = 0; i < OPENING_MESSAGES_MAX; i++) {
        at = stpcpy(at, SAY ",");
    }
    stpcpy(at, ASK "]}");
    cr_expect_eq(open_of(ENDPOINT_CHAT, body), 0);
}

/*
 * test_openai.c - what both OpenAI dialects are told alike.
 */
#include "deal.h"

#include "proto/openai.h"

Test(openai, tiers)
{
    cr_expect(str_equal(openai_tier(STR("standard_only")), STR("default")));
    cr_expect(str_equal(openai_tier(STR("flex")), STR("flex")));
    cr_expect_eq(openai_tier(STR("UNSPECIFIED")).len, 0);
    cr_expect_eq(openai_tier(STR("")).len, 0);
}

/* Anthropic's user ids hold account and session: OpenAI sees a hash, and the same one each time. */
Test(openai, foreign_user_is_hashed)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT,
             "{'model':'m','max_tokens':9,'metadata':{'user_id':'user_1'},"
             "'messages':[{'role':'user','content':'q'}]}");
    LACKS(deal.body, "user_1");
    HAS(deal.body, "'safety_identifier':'"
                   "79b0aa0042b3c05617c378046a6553ec");
    deal_fini(&deal);
}

/* json_object is refused by OpenAI when no message speaks of JSON. */
Test(openai, json_is_spoken_of)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_RESPONSES,
             "{'model':'m','response_format':{'type':'json_object'},"
             "'messages':[{'role':'user','content':'q'}]}");
    HAS(deal.body, "'instructions':'Answer with a single JSON object.'");
    deal_fini(&deal);
    deal_ask(&deal, DIALECT_CHAT, DIALECT_RESPONSES,
             "{'model':'m','response_format':{'type':'json_object'},"
             "'messages':[{'role':'user','content':'as Json please'}]}");
    LACKS(deal.body, "single JSON object");
    deal_fini(&deal);
}

Test(openai, effort_degrades)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_RESPONSES,
             "{'model':'m','max_tokens':40000,'thinking':{'type':'enabled','budget_tokens':32000},"
             "'messages':[{'role':'user','content':'q'}]}");
    HAS(deal.body, "'effort':'high'");
    HAS(deal.body, "'summary':'auto'");
    deal_fini(&deal);
}

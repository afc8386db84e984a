/* Media by URL that a target cannot load itself. */
#include <criterion/criterion.h>

#include "proto/remote.h"

static struct arena arena;

/* A user's image, a document in a tool's result, an image that the provider has itself. */
static struct hub_request
asking(void)
{
    static struct hub_request request;
    arena_init(&arena, 1 << 20);
    request = (struct hub_request){ .arena = &arena };
    struct hub_message *message = hub_message_add(&request, HUB_USER, 0);
    struct hub_part *part = hub_part_to(&arena, &message->parts, HUB_IMAGE);
    part->media = (struct hub_media){ .source = HUB_URL, .reference = STR("https://a/1") };
    part = hub_part_to(&arena, &message->parts, HUB_RESULT);
    part = hub_part_to(&arena, &part->result.parts, HUB_DOCUMENT);
    part->media = (struct hub_media){ .source = HUB_URL, .reference = STR("https://a/2") };
    part = hub_part_to(&arena, &message->parts, HUB_IMAGE);
    part->media = (struct hub_media){ .source = HUB_URL, .reference = STR("gs://b/3") };
    return request;
}

static uint32_t
count(const struct hub_request *request, enum dialect dialect)
{
    struct hub_target target = { .dialect = dialect };
    struct str url;
    uint32_t index = 0;
    while (remote_find(request, &target, index, &url)) {
        cr_expect(str_starts(url, STR("https://a/")));
        index++;
    }
    cr_expect_eq(url.len, 0);
    return index;
}

Test(remote, counts_what_a_target_cannot_load_until_it_is_supplied)
{
    struct hub_request request = asking();
    cr_expect_eq(count(&request, DIALECT_GEMINI), 2);
    cr_expect_eq(count(&request, DIALECT_CHAT), 1, "documents only");
    cr_expect_eq(count(&request, DIALECT_ANTHROPIC), 0);
    cr_assert_eq(remote_supply(&request, STR("https://a/1"), STR(""), STR("\x89PNG\r\n\x1a\n....")),
                 ERR_OK);
    cr_expect_eq(count(&request, DIALECT_GEMINI), 1);
    const struct hub_media *media = &request.messages->parts->media;
    cr_expect(media->source == HUB_BASE64 && str_equal(media->mime, STR("image/png")));
    cr_assert_eq(remote_supply(&request, STR("https://a/2"), STR("Text/HTML; charset=x"), STR("")),
                 ERR_OK);
    cr_expect_eq(count(&request, DIALECT_GEMINI), 0);
    media = &request.messages->parts->next->result.parts->media;
    cr_expect(str_equal(media->mime, STR("text/html")) && media->data.len == 0);
    cr_assert_eq(remote_supply(&request, STR("https://nobody"), STR(""), STR("x")), ERR_OK);
    arena_reset(&arena);
}

/* Images, sounds and files as clients write them. */
#include <criterion/criterion.h>

#include "proto/media.h"

#define PNG "iVBORw0KGgo="

static struct arena arena;

Test(media, is_read_from_urls_as_clients_write_them)
{
    static const struct {
        const char *url;
        enum err err;
        enum hub_media_source source;
        const char *mime;
        const char *data;
    } cases[] = {
        { "data:image/jpg;base64,AAAA", ERR_OK, HUB_BASE64, "image/jpeg", "AAAA" },
        { "DATA:Image/PNG;charset=x;BASE64," PNG, ERR_OK, HUB_BASE64, "image/png", PNG },
        { "data:;base64," PNG, ERR_OK, HUB_BASE64, "image/png", PNG },
        { "data:text/plain,a%20b%zz", ERR_OK, HUB_BASE64, "text/plain", "YSBiJXp6" },
        { "data:,", ERR_OK, HUB_BASE64, "", "" },
        { "data:image/png;base64", ERR_BAD, HUB_URL, "", "" },
        { "data:", ERR_BAD, HUB_URL, "", "" },
        { "https://a/b.png", ERR_OK, HUB_URL, "", "" },
        { "", ERR_OK, HUB_URL, "", "" },
    };
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hub_media media = { .source = HUB_PLAIN };
        enum err err = media_from_url(str_of(cases[i].url), &arena, &media);
        cr_expect_eq(err, cases[i].err, "%s", cases[i].url);
        if (err == ERR_OK) {
            cr_expect_eq(media.source, cases[i].source, "%s", cases[i].url);
            cr_expect(str_equal(media.mime, str_of(cases[i].mime)), "%s: %.*s", cases[i].url,
                      STR_ARG(media.mime));
            cr_expect(str_equal(media.data, str_of(cases[i].data)), "%s: %.*s", cases[i].url,
                      STR_ARG(media.data));
        }
    }
    arena_reset(&arena);
}

Test(media, goes_out_as_a_url)
{
    struct hub_media media = { .source = HUB_BASE64, .mime = STR("image/png"), .data = STR(PNG) };
    struct str url;
    arena_init(&arena, 1 << 16);
    cr_assert_eq(media_url(&media, &arena, &url), ERR_OK);
    cr_expect(str_equal(url, STR("data:image/png;base64," PNG)));
    media = (struct hub_media){ .source = HUB_URL, .reference = STR("https://a") };
    cr_assert_eq(media_url(&media, &arena, &url), ERR_OK);
    cr_expect(str_equal(url, STR("https://a")));
    media.source = HUB_FILE_ID;
    cr_expect_eq(media_url(&media, &arena, &url), ERR_BAD);
    arena_reset(&arena);
}

Test(media, turns_base64_of_any_alphabet_into_bytes_and_back)
{
    struct str out, back;
    arena_init(&arena, 1 << 20);
    for (size_t len = 0; len < 8; len++) {
        struct str bytes = str_make("\xff\xfe\x00\x01\xfb\xef\xbe", len > 7 ? 7 : len);
        cr_assert_eq(media_encode(bytes, &arena, &out), ERR_OK);
        cr_expect_eq(out.len, (len + 2) / 3 * 4);
        cr_assert_eq(media_decode(out, &arena, &back), ERR_OK);
        cr_expect(str_equal(back, bytes), "%zu bytes", len);
    }
    cr_assert_eq(media_base64(STR("_-\n A"), &arena, &out), ERR_OK);
    cr_expect(str_equal(out, STR("/+A=")), "%.*s", STR_ARG(out));
    struct str clean = STR("AAAA");
    cr_assert_eq(media_base64(clean, &arena, &out), ERR_OK);
    cr_expect_eq(out.data, clean.data, "borrowed");
    static const char *const bad[] = { "A", "AAAAA", "A*AA", "AA=A", "\xc3\xa4" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(media_decode(str_of(bad[i]), &arena, &back), ERR_BAD, "%s", bad[i]);
    }
    arena_reset(&arena);
}

Test(media, knows_a_format_by_its_first_bytes)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *mime;
    } cases[] = {
        { "\x89PNG\r\n\x1a\n....", 12, "image/png" },
        { "\xff\xd8\xff\xe0....", 8, "image/jpeg" },
        { "GIF89a....", 10, "image/gif" },
        { "%PDF-1.7..", 10, "application/pdf" },
        { "RIFF\x10\x20\x30\x40WEBPVP8 ", 16, "image/webp" },
        { "RIFF\xff\xff\xff\xffWAVEfmt ", 16, "audio/wav" },
        { "RIFF....AVI LIST", 16, "" },
        { "", 0, "" },
        { "RIFF", 4, "" },
    };
    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str base64;
        cr_assert_eq(media_encode(str_make(cases[i].bytes, cases[i].len), &arena, &base64), ERR_OK);
        struct str mime = media_sniff(base64);
        cr_expect(str_equal(mime, str_of(cases[i].mime)), "case %zu: %.*s", i, STR_ARG(mime));
    }
    cr_expect_eq(media_kind(STR("image/png")), HUB_IMAGE);
    cr_expect_eq(media_kind(STR("audio/wav")), HUB_AUDIO);
    cr_expect_eq(media_kind(STR("video/mp4")), HUB_VIDEO);
    cr_expect_eq(media_kind(STR("")), HUB_DOCUMENT);
    arena_reset(&arena);
}

/*
 * The parts of a form: the fields that any other parser would find, or none. Each body is read from
 * memory of its exact size.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "proto/multipart.h"

#define TYPE "multipart/form-data; boundary=b0"
#define DISPOSITION "Content-Disposition: form-data; name="
#define END "\r\n--b0--\r\n"

/* "name=content;" a part, "name@content;" a file; the reason when it is refused. */
static const char *
read_form(struct str body, const char *type)
{
    static char text[4096];
    struct multipart form;
    struct multipart_part part;
    size_t len = 0;
    char *copy = malloc(body.len == 0 ? 1 : body.len);
    memcpy(copy, body.data, body.len);
    enum err err = multipart_begin(&form, str_make(copy, body.len), str_of(type));
    text[0] = '\0';
    while (err == ERR_OK && (err = multipart_next(&form, &part)) == ERR_OK) {
        cr_assert(part.content.data >= copy &&
                  part.content.data + part.content.len <= copy + body.len);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s%c%.*s;", STR_ARG(part.name),
                                part.is_file ? '@' : '=', STR_ARG(part.content));
    }
    if (err == ERR_BAD) {
        cr_assert_not_null(form.reason);
        snprintf(text, sizeof(text), "bad: %s", form.reason);
    } else {
        cr_assert_eq(err, ERR_EOF);
    }
    free(copy);
    return text;
}

static bool
is_bad(const char *body, const char *type)
{
    return strncmp(read_form(str_of(body), type), "bad: ", 5) == 0;
}

Test(multipart, gives_the_parts_in_order)
{
    static const char form[] = "--b0\r\n" DISPOSITION "\"model\"\r\n\r\nwhisper\r\n"
                               "--b0\r\n" DISPOSITION "file; filename=\"a.wav\"\r\n"
                               "Content-Type: audio/wav\r\n\r\n\r\n--b1\r\n--\r\n"
                               "--b0\r\nX-Other: y\r\n" DISPOSITION "\"empty\"\r\n\r\n" END;
    cr_expect_str_eq(read_form(str_of(form), TYPE), "model=whisper;file@\r\n--b1\r\n--;empty=;");
    cr_expect_str_eq(read_form(STR("--b0--"), TYPE), "", "a form without a part");
    cr_expect_str_eq(read_form(STR("--b0--epilogue --b0\r\n"), TYPE), "");
}

Test(multipart, an_empty_part_may_share_its_line_end_with_the_boundary)
{
    cr_expect_str_eq(read_form(STR("--b0\r\n" DISPOSITION "a\r\n\r\n--b0--"), TYPE), "a=;");
    cr_expect_str_eq(read_form(STR("--b0\r\n" DISPOSITION "a\r\n\r\n\r\n--b0--"), TYPE), "a=;");
}

Test(multipart, takes_the_boundary_as_the_type_says_it)
{
    static const char *const good[] = {
        "multipart/form-data; boundary=b0",
        "Multipart/Form-Data;BOUNDARY=\"b0\"",
        "multipart/form-data ; boundary = b0 ",
        "multipart/form-data; charset=x; boundary=b0",
    };
    static const char *const bad[] = {
        "",
        "multipart/form-data",
        "multipart/mixed; boundary=b0",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"b0",
        "multipart/form-data; boundary=b0; boundary=b0",
        "multipart/form-data; boundary=\"b0 \"",
        "multipart/form-data; boundary=b\x01",
        "multipart/form-data; boundary=b{0}",
        "multipart/form-data; boundary=b",
        "multipart/form-data; boundary=b00",
        "multipart/form-data b0",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_expect_str_eq(read_form(STR("--b0--"), good[i]), "", "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect(is_bad("--b0\r\n" DISPOSITION "a\r\n\r\nx" END, bad[i]), "%s", bad[i]);
    }
}

Test(multipart, bounds_the_boundary)
{
    for (size_t len = MULTIPART_BOUNDARY_BYTES; len <= MULTIPART_BOUNDARY_BYTES + 1; len++) {
        char type[256] = "multipart/form-data; boundary=";
        char body[256] = "--";
        memset(type + strlen(type), 'x', len);
        memset(body + 2, 'x', len);
        memcpy(body + 2 + len, "--", 3);
        cr_expect_eq(is_bad(body, type), len > MULTIPART_BOUNDARY_BYTES, "%zu", len);
    }
}

Test(multipart, refuses_what_another_parser_could_read_otherwise)
{
    static const char *const bodies[] = {
        "",
        "preamble\r\n--b0--",
        "\r\n--b0--",
        "--b0",
        "--b0\r\n",
        "--b0 \r\n" DISPOSITION "a\r\n\r\nx" END,
        "--b0\n" DISPOSITION "a\n\nx\n--b0--",
        "--b0\r\n" DISPOSITION "a\r\n\r\nx",
        "--b0\r\n" DISPOSITION "a\r\n\r\nx\r\n--b0",
        "--b0\r\n" DISPOSITION "a\r\n\r\nx\r\n--b0x",
        "--b0\r\n" DISPOSITION "a\n\r\n\r\nx" END,
        "--b0\r\n" DISPOSITION "a\r\n folded: y\r\n\r\nx" END,
        "--b0\r\nno colon\r\n" DISPOSITION "a\r\n\r\nx" END,
        "--b0\r\nX: y\r\n\r\nx" END,
        "--b0\r\n" DISPOSITION "a\r\n" DISPOSITION "b\r\n\r\nx" END,
        "--b0\r\n" DISPOSITION "a; name=b\r\n\r\nx" END,
        "--b0\r\n" DISPOSITION "a; name*=utf-8''b\r\n\r\nx" END,
        "--b0\r\n" DISPOSITION "\"\"\r\n\r\nx" END,
        "--b0\r\n" DISPOSITION "\"a\\\"b\"\r\n\r\nx" END,
        "--b0\r\n" DISPOSITION "\"a\r\n\r\nx" END,
        "--b0\r\nContent-Disposition: attachment; name=a\r\n\r\nx" END,
        "--b0\r\nContent-Disposition: form-data name=a\r\n\r\nx" END,
        "--b0\r\nContent-Disposition: form-data\r\n\r\nx" END,
        "--b0\r\n" DISPOSITION "a\r\nContent-Transfer-Encoding: base64\r\n\r\nx" END,
        "--b0\r\n" DISPOSITION "a\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nx" END,
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        cr_expect(is_bad(bodies[i], TYPE), "row %zu: %s", i, read_form(str_of(bodies[i]), TYPE));
    }
    cr_expect_str_eq(
        read_form(STR("--b0\r\n" DISPOSITION "a\r\nContent-Transfer-Encoding: Binary\r\n\r\nx" END),
                  TYPE),
        "a=x;", "what says nothing is fine");
    struct str nul = str_make("--b0\r\n" DISPOSITION "a\0b\r\n\r\nx" END,
                              sizeof("--b0\r\n" DISPOSITION "a\0b\r\n\r\nx" END) - 1);
    cr_expect_eq(strncmp(read_form(nul, TYPE), "bad: ", 5), 0, "a NUL in a head");
}

/* Cut at any byte, a form is never read beyond its end and never gives more than the whole one. */
Test(multipart, is_refused_cut_anywhere)
{
    static const char form[] = "--b0\r\n" DISPOSITION "\"model\"\r\n\r\nwhisper\r\n"
                               "--b0\r\n" DISPOSITION "file; filename=\"a\"\r\n\r\nbytes\r\n--b0--";
    for (size_t len = 0; len < sizeof(form) - 1; len++) {
        cr_expect_eq(strncmp(read_form(str_make(form, len), TYPE), "bad: ", 5), 0, "%zu: %s", len,
                     read_form(str_make(form, len), TYPE));
    }
    cr_expect_str_eq(read_form(str_make(form, sizeof(form) - 1), TYPE),
                     "model=whisper;file@bytes;");
}

Test(multipart, bounds_parts_and_their_heads)
{
    static const char one[] = "--b0\r\n" DISPOSITION "a\r\n\r\nx\r\n";
    static char many[(MULTIPART_PARTS_MAX + 2) * sizeof(one) + 16];
    for (uint32_t parts = MULTIPART_PARTS_MAX; parts <= MULTIPART_PARTS_MAX + 1; parts++) {
        char *at = many;
        for (uint32_t i = 0; i < parts; i++) {
            at = mempcpy(at, one, sizeof(one) - 1);
        }
        memcpy(at, "--b0--", 7);
        cr_expect_eq(is_bad(many, TYPE), parts > MULTIPART_PARTS_MAX, "%u", parts);
    }
    static char head[2 * MULTIPART_HEAD_BYTES_MAX];
    for (int is_over = 0; is_over < 2; is_over++) {
        char *at = head + snprintf(head, sizeof head, "--b0\r\n" DISPOSITION "a\r\nX: ");
        size_t fixed = (size_t)(at - head) - strlen("--b0\r\n") + 4;
        size_t more = MULTIPART_HEAD_BYTES_MAX - fixed + (size_t)is_over;
        memset(at, 'y', more);
        memcpy(at + more, "\r\n\r\nx" END, sizeof "\r\n\r\nx" END);
        cr_expect_eq(is_bad(head, TYPE), is_over == 1, "%s", read_form(str_of(head), TYPE));
    }
}

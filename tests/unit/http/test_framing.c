/* What a head's fields say about its body, before anybody else has looked at them. */
#include <criterion/criterion.h>

#include "http/framing.h"

struct row {
    const char *name; /* of up to two fields */
    const char *value;
    const char *other;
    const char *other_value;
    uint16_t status; /* 0 = accepted */
    bool is_plain;
    enum parser_framing framing;
    uint64_t length;
};

static void
check_row(const struct row *row)
{
    struct header items[2] = { { str_of(row->name), str_of(row->value) },
                               { str_of(row->other), str_of(row->other_value) } };
    struct header_list list = { .count = row->other == NULL ? 1 : 2, .items = items };
    struct parser_head head = { 0 };
    struct parser_error error = { 0 };
    struct framing framing = framing_read(&list);
    enum err err = framing_take(&framing, &head, &error);
    cr_expect(error.status == row->status && (err == ERR_OK) == (row->status == 0),
              "%s: %s, %u instead of %u", row->name, row->value, error.status, row->status);
    cr_expect(framing_is_plain(&framing) == row->is_plain, "%s: %s", row->name, row->value);
    if (err == ERR_OK) {
        cr_expect(head.framing == row->framing && head.content_length == row->length, "%s: %s",
                  row->name, row->value);
    }
    cr_expect((list.names & header_name_bit(items[0].name)) != 0);
}

Test(framing, has_one_length_or_is_chunked)
{
    static const struct row rows[] = {
        { "Host", "a", NULL, NULL, 0, true, PARSER_NO_BODY, 0 },
        { "content-length", "12", "Host", "a", 0, true, PARSER_LENGTH, 12 },
        { "Transfer-Encoding", "Chunked", NULL, NULL, 0, true, PARSER_CHUNKED, 0 },
        { "Content-Length", "1x", NULL, NULL, 400, false, 0, 0 },
        { "Content-Length", "", NULL, NULL, 400, false, 0, 0 },
        { "Content-Length", "1", "Content-Length", "1", 400, false, 0, 0 },
        { "Content-Length", "1", "Transfer-Encoding", "chunked", 400, false, 0, 0 },
        { "Transfer-Encoding", "chunked", "transfer-encoding", "chunked", 400, false, 0, 0 },
        { "Transfer-Encoding", "gzip", NULL, NULL, 501, false, 0, 0 },
        { "Transfer-Encoding", "gzip, chunked", NULL, NULL, 501, false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(&rows[i]);
    }
}

Test(framing, reads_every_token_of_connection)
{
    struct header items[] = { { STR("Connection"), STR("Keep-Alive, x") },
                              { STR("connection"), STR("UPGRADE ,close") },
                              { STR("Expect"), STR("100-continue") } };
    struct header_list list = { .count = 1, .items = items };
    struct framing framing = framing_read(&list);
    cr_expect(framing.keeps && !framing.closes && !framing.upgrades && !framing.has_expect);
    list.count = 3;
    framing = framing_read(&list);
    cr_expect(framing.keeps && framing.closes && framing.upgrades && framing.has_expect);
}

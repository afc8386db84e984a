/*
 * framing.c - see framing.h.
 */
#include "http/framing.h"

#include "base/num.h"

static enum err
refuse(struct parser_error *error, uint16_t status, const char *message)
{
    *error =
        (struct parser_error){ .status = status, .code = "invalid_request", .message = message };
    return ERR_BAD;
}

static void
note_connection(struct str value, struct framing *framing)
{
    while (value.len > 0) {
        struct str token = str_trim(str_cut(&value, ','));
        framing->closes |= str_equal_nocase(token, STR("close"));
        framing->keeps |= str_equal_nocase(token, STR("keep-alive"));
        framing->upgrades |= str_equal_nocase(token, STR("upgrade"));
    }
}

static void
note_field(const struct header *field, struct framing *framing)
{
    switch (field->name.len) {
    case 4:
        framing->hosts += str_equal_nocase(field->name, STR("host")) ? 1 : 0;
        break;
    case 6:
        if (str_equal_nocase(field->name, STR("expect"))) {
            framing->has_expect = true;
            framing->expect = field->value;
        }
        break;
    case 10:
        if (str_equal_nocase(field->name, STR("connection"))) {
            note_connection(field->value, framing);
        }
        break;
    case 14:
        if (str_equal_nocase(field->name, STR("content-length"))) {
            framing->lengths++;
            framing->length = field->value;
        }
        break;
    case 17:
        if (str_equal_nocase(field->name, STR("transfer-encoding"))) {
            framing->codings++;
            framing->coding = field->value;
        }
        break;
    default:
        break;
    }
}

struct framing
framing_read(struct header_list *list)
{
    struct framing framing = { 0 };
    list->names = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        note_field(&list->items[i], &framing);
        list->names |= header_name_bit(list->items[i].name);
    }
    return framing;
}

bool
framing_is_plain(const struct framing *framing)
{
    uint64_t length;
    if (framing->lengths + framing->codings > 1) {
        return false;
    }
    return (framing->lengths == 0 || num_u64(framing->length, &length) == ERR_OK) &&
           (framing->codings == 0 || str_equal_nocase(framing->coding, STR("chunked")));
}

enum err
framing_take(const struct framing *framing, struct parser_head *out, struct parser_error *error)
{
    if (framing->codings > 0 && framing->lengths > 0) {
        return refuse(error, 400, "Content-Length and Transfer-Encoding exclude each other.");
    }
    if (framing->codings > 1) {
        return refuse(error, 400, "Transfer-Encoding is given twice.");
    }
    if (framing->codings == 1) {
        out->framing = PARSER_CHUNKED;
        return str_equal_nocase(framing->coding, STR("chunked"))
                   ? ERR_OK
                   : refuse(error, 501, "Transfer-Encoding must be chunked.");
    }
    if (framing->lengths > 0) {
        out->framing = PARSER_LENGTH;
        return framing->lengths == 1 && num_u64(framing->length, &out->content_length) == ERR_OK
                   ? ERR_OK
                   : refuse(error, 400, "Content-Length is not one number.");
    }
    return ERR_OK;
}

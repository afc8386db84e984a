/*
 * parser.c - see parser.h.
 *
 * Three passes over a head, each cheap: parser_head_end looks at line ends and control bytes while
 * the bytes come in (a block at a time), one walk finds the fields, and one walk over the fields
 * decides framing. Who judges the fields: llhttp, but for heads in which every line is plain
 * (scan_fields, and ask_llhttp below). Those are nearly all; with the checks on, llhttp judges them
 * too and must say the same. llhttp 8.1 joins folded lines, takes LF behind CRLF as the end of a
 * head, empty names, versions other than 1.0 and 1.1 and any list that ends in "chunked"; the first
 * and the last pass are there to refuse all that, also with versions that no longer do it.
 */
#include "http/parser.h"

#include <llhttp.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/num.h"
#include "http/chunk.h"
#include "http/scan.h"

#if LLHTTP_VERSION_MAJOR < 9 && LLHTTP_STRICT_MODE != 1
#error "llhttp 8 must be built with -DLLHTTP_STRICT_MODE=1"
#endif

static enum err
refuse(struct parser_error *error, uint16_t status, const char *code, const char *message)
{
    *error = (struct parser_error){ .status = status, .code = code, .message = message };
    return ERR_BAD;
}

static enum err
refuse_400(struct parser_error *error, const char *message)
{
    return refuse(error, 400, "invalid_request", message);
}

/* --- where a head ends --- */

enum err
parser_head_end(struct str bytes, size_t *scanned, size_t *out_bytes, struct parser_error *error)
{
    return scan_head_end(SCAN_REQUEST, bytes, scanned, out_bytes, error);
}

enum err
parser_answer_end(struct str bytes, size_t *scanned, size_t *out_bytes, struct parser_error *error)
{
    return scan_head_end(SCAN_ANSWER, bytes, scanned, out_bytes, error);
}

/* --- llhttp --- */

/* What the callbacks fill while one head is parsed. */
struct parse {
    struct header *items; /* HEAD_FIELDS_MAX of them */
    uint32_t count;
    uint16_t status; /* of an answer */
    bool is_full;    /* there are more */
    bool is_whole;
};

static int
on_field(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct parse *parse = llhttp->data;
    parse->is_full = parse->count == HEAD_FIELDS_MAX;
    if (parse->is_full || bytes == 0) {
        return -1;
    }
    parse->items[parse->count] = (struct header){ .name = { at, bytes } };
    return 0;
}

/* An empty value may come without a span, so the field counts when its value is complete. */
static int
on_value(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct parse *parse = llhttp->data;
    if (parse->items[parse->count].value.data != NULL) {
        return -1;
    }
    parse->items[parse->count].value = str_make(at, bytes);
    return 0;
}

static int
on_value_end(llhttp_t *llhttp)
{
    struct parse *parse = llhttp->data;
    struct header *item = &parse->items[parse->count++];
    item->value = item->value.data == NULL ? STR("") : str_trim(item->value);
    return 0;
}

static int
on_head_end(llhttp_t *llhttp)
{
    struct parse *parse = llhttp->data;
    parse->is_whole = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_end,
    .on_headers_complete = on_head_end,
};

static enum err
refuse_llhttp(llhttp_errno_t code, bool has_length, struct parser_error *error)
{
    /* Only the codes that ask for something else than 400. */
    if (code == HPE_INVALID_METHOD) {
        return refuse(error, 501, "method_not_allowed", "The request method is not known.");
    }
    /* With a length before it, version 9 gives this code even to "chunked". */
    if (code == HPE_INVALID_TRANSFER_ENCODING && !has_length) {
        return refuse(error, 501, "invalid_request", "Transfer-Encoding must be chunked.");
    }
    if (code == HPE_UNEXPECTED_CONTENT_LENGTH) {
        return refuse_400(error, "Content-Length is given twice, or beside Transfer-Encoding.");
    }
    if (code == HPE_INVALID_CONTENT_LENGTH) {
        return refuse_400(error, "Content-Length is not one number.");
    }
    return refuse_400(error, "The head is malformed.");
}

static enum err
ask_llhttp(llhttp_type_t type, struct str head, struct parse *parse, struct parser_error *error)
{
    llhttp_t llhttp;
    llhttp_init(&llhttp, type, &settings);
    llhttp.data = parse;
    llhttp_errno_t code = llhttp_execute(&llhttp, head.data, head.len);
    parse->status = llhttp.status_code;
    if (parse->is_full) {
        return refuse(error, 431, "header_too_large", "There are too many header fields.");
    }
    return parse->is_whole ? ERR_OK
                           : refuse_llhttp(code, (llhttp.flags & F_CONTENT_LENGTH) != 0, error);
}

/* --- what the fields mean --- */

/* The fields that decide framing, counted in one walk. */
struct meaning {
    uint32_t hosts;
    uint32_t lengths;
    uint32_t codings;
    struct str length;
    struct str coding;
    struct str expect;
    bool has_expect;
    bool closes;
    bool keeps;
    bool upgrades;
};

static void
note_connection(struct str value, struct meaning *meaning)
{
    while (value.len > 0) {
        struct str token = str_trim(str_cut(&value, ','));
        meaning->closes |= str_equal_nocase(token, STR("close"));
        meaning->keeps |= str_equal_nocase(token, STR("keep-alive"));
        meaning->upgrades |= str_equal_nocase(token, STR("upgrade"));
    }
}

static void
note_field(const struct header *field, struct meaning *meaning)
{
    switch (field->name.len) {
    case 4:
        meaning->hosts += str_equal_nocase(field->name, STR("host")) ? 1 : 0;
        break;
    case 6:
        if (str_equal_nocase(field->name, STR("expect"))) {
            meaning->has_expect = true;
            meaning->expect = field->value;
        }
        break;
    case 10:
        if (str_equal_nocase(field->name, STR("connection"))) {
            note_connection(field->value, meaning);
        }
        break;
    case 14:
        if (str_equal_nocase(field->name, STR("content-length"))) {
            meaning->lengths++;
            meaning->length = field->value;
        }
        break;
    case 17:
        if (str_equal_nocase(field->name, STR("transfer-encoding"))) {
            meaning->codings++;
            meaning->coding = field->value;
        }
        break;
    default:
        break;
    }
}

/* "api_key" and "api-key" must not be two spellings of one thing, but real clients send these. */
static bool
name_is_kept(struct str name)
{
    return memchr(name.data, '_', name.len) == NULL || str_equal_nocase(name, STR("session_id")) ||
           str_equal_nocase(name, STR("conversation_id"));
}

static void
drop_names(struct header_list *list)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (name_is_kept(list->items[i].name)) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
}

static struct meaning
read_fields(struct header_list *list)
{
    struct meaning meaning = { 0 };
    list->names = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        note_field(&list->items[i], &meaning);
        list->names |= header_name_bit(list->items[i].name);
    }
    return meaning;
}

/* Framing that nobody could object to: at most one field, a length of digits or "chunked". */
static bool
framing_is_plain(const struct meaning *meaning)
{
    uint64_t length;
    if (meaning->lengths + meaning->codings > 1) {
        return false;
    }
    return (meaning->lengths == 0 || num_u64(meaning->length, &length) == ERR_OK) &&
           (meaning->codings == 0 || str_equal_nocase(meaning->coding, STR("chunked")));
}

/* Both sides: never two lengths, never a coding that is not exactly chunked. */
static enum err
read_framing(const struct meaning *meaning, struct parser_head *out, struct parser_error *error)
{
    if (meaning->codings > 0 && meaning->lengths > 0) {
        return refuse_400(error, "Content-Length and Transfer-Encoding exclude each other.");
    }
    if (meaning->codings > 1) {
        return refuse_400(error, "Transfer-Encoding is given twice.");
    }
    if (meaning->codings == 1) {
        out->framing = PARSER_CHUNKED;
        return str_equal_nocase(meaning->coding, STR("chunked"))
                   ? ERR_OK
                   : refuse(error, 501, "invalid_request", "Transfer-Encoding must be chunked.");
    }
    if (meaning->lengths > 0) {
        out->framing = PARSER_LENGTH;
        return meaning->lengths == 1 && num_u64(meaning->length, &out->content_length) == ERR_OK
                   ? ERR_OK
                   : refuse_400(error, "Content-Length is not one number.");
    }
    return ERR_OK;
}

/* --- the fields of a head --- */

/* What is known of a head when its fields are looked at. */
struct lines {
    llhttp_type_t type;
    struct str head;
    size_t first_bytes;  /* its first line with the CRLF */
    bool first_is_plain; /* llhttp would not object to it */
    uint16_t status;     /* of an answer */
};

#ifdef DCHECK_ON
/* Dear, so only here: whatever is plain, llhttp takes, and understands as we do. */
static void
check_plain(const struct lines *lines, const struct header_list *list)
{
    static struct header items[HEAD_FIELDS_MAX];
    struct parse parse = { .items = items };
    struct parser_error error;
    CHECK(ask_llhttp(lines->type, lines->head, &parse, &error) == ERR_OK);
    CHECK(parse.count == list->count && parse.status == lines->status);
    for (uint32_t i = 0; i < parse.count; i++) {
        CHECK(str_equal(items[i].name, list->items[i].name));
        CHECK(str_equal(items[i].value, list->items[i].value));
    }
}
#endif

static bool
fields_are_plain(const struct lines *lines, struct header_list *list, struct meaning *out)
{
    if (!lines->first_is_plain || !scan_fields(str_skip(lines->head, lines->first_bytes),
                                               list->items, HEAD_FIELDS_MAX, &list->count)) {
        return false;
    }
    *out = read_fields(list);
    if (!framing_is_plain(out)) {
        return false;
    }
#ifdef DCHECK_ON
    check_plain(lines, list);
#endif
    return true;
}

/* The list lasts until the next head is read. */
static enum err
read_lines(struct lines *lines, struct header_list *list, struct meaning *out,
           struct parser_error *error)
{
    static struct header items[HEAD_FIELDS_MAX];
    *list = (struct header_list){ .items = items };
    if (fields_are_plain(lines, list, out)) {
        return ERR_OK;
    }
    struct parse parse = { .items = items };
    enum err err = ask_llhttp(lines->type, lines->head, &parse, error);
    list->count = parse.count;
    lines->status = parse.status;
    *out = err == ERR_OK ? read_fields(list) : (struct meaning){ 0 };
    return err;
}

static enum err
keep_fields(const struct header_list *list, struct arena *arena, struct parser_head *out,
            struct parser_error *error)
{
    size_t bytes = list->count * sizeof(struct header);
    struct header *items = arena_alloc_raw(arena, bytes);
    if (items == NULL) {
        return refuse(error, 503, "overloaded", "There is no memory for this head.");
    }
    memcpy(items, list->items, bytes);
    out->headers = *list;
    out->headers.items = items;
    return ERR_OK;
}

/* --- requests --- */

/* "HTTP/1.0" or "HTTP/1.1". */
static bool
take_version(struct str version, struct parser_head *out)
{
    if (version.len != 8 || memcmp(version.data, "HTTP/1.", 7) != 0 ||
        (version.data[7] != '0' && version.data[7] != '1')) {
        return false;
    }
    out->minor = (uint8_t)(version.data[7] - '0');
    return true;
}

/* Anything else of the form "HTTP/d.d" is a version we do not speak. */
static enum err
read_version(struct str version, struct parser_head *out, struct parser_error *error)
{
    if (take_version(version, out)) {
        return ERR_OK;
    }
    if (version.len == 8 && memcmp(version.data, "HTTP/", 5) == 0 && version.data[6] == '.') {
        return refuse(error, 505, "invalid_request", "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    }
    return refuse_400(error, "The request line is malformed.");
}

/* What follows the host in "http://host/path?query"; the host is never used. */
static bool
skip_authority(struct str target, struct str *out_rest)
{
    static const struct str schemes[] = { { "http://", 7 }, { "https://", 8 } };
    for (size_t i = 0; i < 2; i++) {
        size_t at = schemes[i].len;
        if (target.len <= at || !str_equal_nocase(str_make(target.data, at), schemes[i])) {
            continue;
        }
        while (at < target.len && target.data[at] != '/' && target.data[at] != '?') {
            at++;
        }
        *out_rest = str_make(target.data + at, target.len - at);
        return at > schemes[i].len;
    }
    return false;
}

static enum err
read_target(struct parser_head *out, struct parser_error *error)
{
    struct str rest = out->target;
    if (rest.len > TARGET_BYTES_MAX) {
        return refuse(error, 414, "request_too_large", "The request target is too long.");
    }
    if (memchr(rest.data, '#', rest.len) != NULL) {
        return refuse_400(error, "The request target has a fragment.");
    }
    bool is_path = rest.data[0] == '/' || str_equal(rest, STR("*"));
    if (!is_path && !skip_authority(out->target, &rest)) {
        return refuse_400(error, "The request target is malformed.");
    }
    out->path = str_cut(&rest, '?');
    out->path = out->path.len == 0 ? STR("/") : out->path;
    out->query = rest;
    return ERR_OK;
}

/* Exactly "METHOD target HTTP/1.x": llhttp takes more blanks and other protocols' names. */
static enum err
read_request_line(struct str line, struct parser_head *out, struct parser_error *error)
{
    out->method = str_cut(&line, ' ');
    out->target = str_cut(&line, ' ');
    if (out->method.len == 0 || out->target.len == 0 || line.len == 0) {
        return refuse_400(error, "The request line is malformed.");
    }
    enum err err = read_version(line, out, error);
    return err != ERR_OK ? err : read_target(out, error);
}

/* A usual method and a target of printable characters without a fragment (read_target). */
static bool
request_line_is_plain(const struct parser_head *head)
{
    bool is_usual = str_equal(head->method, STR("POST")) || str_equal(head->method, STR("GET"));
    if (!is_usual || head->target.data[0] != '/') {
        return false;
    }
    return str_is_printable(head->target);
}

static enum err
check_request(const struct meaning *meaning, const struct parser_head *head,
              struct parser_error *error)
{
    if (meaning->hosts > 1 || (meaning->hosts == 0 && head->minor == 1)) {
        return refuse_400(error, "A request must have exactly one Host field.");
    }
    if (meaning->codings > 0 && head->minor == 0) {
        return refuse_400(error, "HTTP/1.0 has no Transfer-Encoding.");
    }
    if (meaning->has_expect && !str_equal_nocase(meaning->expect, STR("100-continue"))) {
        return refuse(error, 417, "invalid_request", "Only Expect: 100-continue is known.");
    }
    return ERR_OK;
}

static bool
stays_open(const struct meaning *meaning, uint8_t minor)
{
    return !meaning->closes && (minor == 1 || meaning->keeps);
}

/* The head's first line without its CRLF. */
static struct str
first_line(struct str head)
{
    const char *end = memchr(head.data, '\r', head.len);
    CHECK(end != NULL);
    return str_make(head.data, (size_t)(end - head.data));
}

enum err
parser_request(struct str head, struct arena *arena, struct parser_head *out,
               struct parser_error *error)
{
    *out = (struct parser_head){ 0 };
    if (str_starts(head, STR("\r\n"))) {
        head = str_skip(head, 2);
    }
    struct str line = first_line(head);
    enum err err = read_request_line(line, out, error);
    if (err != ERR_OK) {
        return err;
    }
    if (str_equal(out->method, STR("CONNECT")) || str_equal(out->method, STR("TRACE"))) {
        return refuse(error, 405, "method_not_allowed", "This method is not allowed.");
    }
    struct lines lines = { .type = HTTP_REQUEST,
                           .head = head,
                           .first_bytes = line.len + 2,
                           .first_is_plain = request_line_is_plain(out) };
    struct header_list list;
    struct meaning meaning;
    err = read_lines(&lines, &list, &meaning, error);
    if (err == ERR_OK) {
        err = check_request(&meaning, out, error);
    }
    if (err != ERR_OK) {
        return err;
    }
    /* One look at the whole head spares one at each name. */
    if (memchr(head.data, '_', head.len) != NULL) {
        drop_names(&list);
    }
    out->keep_alive = stays_open(&meaning, out->minor);
    out->expects_continue = meaning.has_expect && out->minor == 1;
    out->wants_upgrade = meaning.upgrades;
    err = read_framing(&meaning, out, error);
    return err == ERR_OK ? keep_fields(&list, arena, out, error) : err;
}

/* --- answers --- */

static bool
answer_has_no_body(uint16_t status, bool of_head)
{
    return of_head || status < 200 || status == 204 || status == 304;
}

/* Exactly "HTTP/1.x nnn" with nothing or a blank and a reason behind it; the version is known. */
static bool
status_is_plain(struct str line, uint16_t *out)
{
    uint64_t status = 0;
    if (line.len < 12 || line.data[8] != ' ' || (line.len > 12 && line.data[12] != ' ') ||
        num_u64(str_make(line.data + 9, 3), &status) != ERR_OK) {
        return false;
    }
    *out = (uint16_t)status;
    return true;
}

enum err
parser_answer(struct str head, bool of_head, struct arena *arena, struct parser_head *out,
              struct parser_error *error)
{
    *out = (struct parser_head){ 0 };
    struct str line = first_line(head);
    if (!take_version(str_make(line.data, line.len < 8 ? line.len : 8), out)) {
        return refuse_400(error, "The answer is not HTTP/1.1.");
    }
    struct lines lines = { .type = HTTP_RESPONSE, .head = head, .first_bytes = line.len + 2 };
    lines.first_is_plain = status_is_plain(line, &lines.status);
    struct header_list list;
    struct meaning meaning;
    enum err err = read_lines(&lines, &list, &meaning, error);
    if (err != ERR_OK) {
        return err;
    }
    out->status = lines.status;
    if (out->status < 100 || out->status > 599) {
        return refuse_400(error, "The status of the answer is out of range.");
    }
    out->framing = PARSER_UNTIL_CLOSE;
    err = read_framing(&meaning, out, error);
    if (err != ERR_OK) {
        return err;
    }
    if (answer_has_no_body(out->status, of_head)) {
        out->framing = PARSER_NO_BODY;
    }
    /* HTTP/1.0 knows no chunks: what follows such an answer cannot be trusted. */
    bool is_odd = out->framing == PARSER_CHUNKED && out->minor == 0;
    out->keep_alive =
        stays_open(&meaning, out->minor) && out->framing != PARSER_UNTIL_CLOSE && !is_odd;
    out->wants_upgrade = meaning.upgrades;
    return keep_fields(&list, arena, out, error);
}

/* --- chunked bodies --- */

void
parser_chunked_init(struct parser_chunked *chunked)
{
    chunk_init(chunked);
}

enum err
parser_chunked_feed(struct parser_chunked *chunked, struct str bytes, struct str *out_body,
                    size_t *out_used)
{
    return chunk_feed(chunked, bytes, out_body, out_used);
}

/*
 * parser.c - see parser.h.
 *
 * A plain head that comes whole is walked over once for its fields and once over these, which
 * decides framing. Any other has a pass before that: parser_head_end looks at line ends and control
 * bytes while the bytes come in (a block at a time). Who judges the fields: llhttp, but for heads
 * in which every line is plain (scan_fields, and ask_llhttp below). Those are nearly all; with the
 * checks on, llhttp judges them too and must say the same. llhttp 8.1 joins folded lines, takes LF
 * behind CRLF as the end of a head, empty names, versions other than 1.0 and 1.1 and any list that
 * ends in "chunked"; the first and the last pass are there to refuse all that, also with versions
 * that no longer do it.
 */
#include "http/parser.h"

#include <llhttp.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/num.h"
#include "http/chunk.h"
#include "http/framing.h"
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

/* --- the fields of a head --- */

/* What is known of a head when its fields are looked at. */
struct lines {
    llhttp_type_t type;
    struct str head;
    size_t first_bytes;  /* its first line with the CRLF */
    bool first_is_plain; /* llhttp would not object to it */
    bool is_scanned;     /* the list has its fields, which are plain */
    uint16_t status;     /* of an answer */
};

/* Of the head that is read; until the next one. */
static struct header items_now[HEAD_FIELDS_MAX];

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
fields_are_plain(const struct lines *lines, struct header_list *list, struct framing *out)
{
    struct str rest = str_skip(lines->head, lines->first_bytes);
    size_t bytes = rest.len;
    if (!lines->first_is_plain ||
        (!lines->is_scanned &&
         !scan_fields(rest, list->items, HEAD_FIELDS_MAX, &list->count, &bytes)) ||
        bytes != rest.len) {
        return false;
    }
    *out = framing_read(list);
    if (!framing_is_plain(out)) {
        return false;
    }
#ifdef DCHECK_ON
    check_plain(lines, list);
#endif
    return true;
}

static enum err
read_lines(struct lines *lines, struct header_list *list, struct framing *out,
           struct parser_error *error)
{
    if (fields_are_plain(lines, list, out)) {
        return ERR_OK;
    }
    struct parse parse = { .items = items_now };
    enum err err = ask_llhttp(lines->type, lines->head, &parse, error);
    list->count = parse.count;
    lines->status = parse.status;
    *out = err == ERR_OK ? framing_read(list) : (struct framing){ 0 };
    return err;
}

#ifdef DCHECK_ON
/* Dear as well: the walk that knows all heads finds the same end. */
static void
check_end(enum scan_side side, struct str bytes, size_t head_bytes)
{
    size_t scanned = 0;
    size_t found = 0;
    struct parser_error error;
    CHECK(scan_head_end(side, bytes, &scanned, &found, &error) == ERR_OK && found == head_bytes);
}
#endif

/*
 * The head at the start of `bytes`, copied to the arena, when it is all there and plain: one walk
 * instead of one for its end and one for its fields.
 */
static bool
take_whole(enum scan_side side, struct str bytes, struct arena *arena, struct lines *lines,
           struct header_list *list)
{
    size_t rest_bytes = 0;
    bytes.len = bytes.len < HEAD_BYTES_MAX ? bytes.len : HEAD_BYTES_MAX;
    size_t first_bytes = scan_first_line(side, bytes);
    if (first_bytes == 0 || !scan_fields(str_skip(bytes, first_bytes), list->items, HEAD_FIELDS_MAX,
                                         &list->count, &rest_bytes)) {
        return false;
    }
    struct str head = arena_dup(arena, str_make(bytes.data, first_bytes + rest_bytes));
    for (uint32_t i = 0; head.data != NULL && i < list->count; i++) {
        struct header *item = &list->items[i];
        item->name.data = head.data + (item->name.data - bytes.data);
        item->value.data = head.data + (item->value.data - bytes.data);
    }
    lines->head = head;
    lines->first_bytes = first_bytes;
    lines->is_scanned = true;
#ifdef DCHECK_ON
    check_end(side, bytes, first_bytes + rest_bytes);
#endif
    return head.data != NULL;
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
check_request(const struct framing *framing, const struct parser_head *head,
              struct parser_error *error)
{
    if (framing->hosts > 1 || (framing->hosts == 0 && head->minor == 1)) {
        return refuse_400(error, "A request must have exactly one Host field.");
    }
    if (framing->codings > 0 && head->minor == 0) {
        return refuse_400(error, "HTTP/1.0 has no Transfer-Encoding.");
    }
    if (framing->has_expect && !str_equal_nocase(framing->expect, STR("100-continue"))) {
        return refuse(error, 417, "invalid_request", "Only Expect: 100-continue is known.");
    }
    return ERR_OK;
}

static bool
stays_open(const struct framing *framing, uint8_t minor)
{
    return !framing->closes && (minor == 1 || framing->keeps);
}

/* The head's first line with its CRLF. */
static size_t
first_line_bytes(struct str head)
{
    const char *end = memchr(head.data, '\r', head.len);
    CHECK(end != NULL);
    return (size_t)(end - head.data) + 2;
}

/* `lines` has the head and its first line, and `list` the fields if they are known. */
static enum err
judge_request(struct lines *lines, struct header_list *list, struct arena *arena,
              struct parser_head *out, struct parser_error *error)
{
    *out = (struct parser_head){ 0 };
    enum err err =
        read_request_line(str_make(lines->head.data, lines->first_bytes - 2), out, error);
    if (err != ERR_OK) {
        return err;
    }
    if (str_equal(out->method, STR("CONNECT")) || str_equal(out->method, STR("TRACE"))) {
        return refuse(error, 405, "method_not_allowed", "This method is not allowed.");
    }
    lines->first_is_plain = request_line_is_plain(out);
    struct framing framing;
    err = read_lines(lines, list, &framing, error);
    if (err == ERR_OK) {
        err = check_request(&framing, out, error);
    }
    if (err != ERR_OK) {
        return err;
    }
    /* One look at the whole head spares one at each name. */
    if (memchr(lines->head.data, '_', lines->head.len) != NULL) {
        header_drop_twins(list);
    }
    out->keep_alive = stays_open(&framing, out->minor);
    out->expects_continue = framing.has_expect && out->minor == 1;
    out->wants_upgrade = framing.upgrades;
    err = framing_take(&framing, out, error);
    return err == ERR_OK ? keep_fields(list, arena, out, error) : err;
}

enum err
parser_request(struct str head, struct arena *arena, struct parser_head *out,
               struct parser_error *error)
{
    if (str_starts(head, STR("\r\n"))) {
        head = str_skip(head, 2);
    }
    struct header_list list = { .items = items_now };
    struct lines lines = { .type = HTTP_REQUEST, .head = head };
    lines.first_bytes = first_line_bytes(head);
    return judge_request(&lines, &list, arena, out, error);
}

enum err
parser_request_whole(struct str bytes, struct arena *arena, struct parser_head *out,
                     size_t *out_bytes, struct parser_error *error)
{
    struct header_list list = { .items = items_now };
    struct lines lines = { .type = HTTP_REQUEST };
    bool is_whole = take_whole(SCAN_REQUEST, bytes, arena, &lines, &list);
    *out_bytes = is_whole ? lines.head.len : 0;
    return is_whole ? judge_request(&lines, &list, arena, out, error) : ERR_OK;
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

static enum err
judge_answer(struct lines *lines, struct header_list *list, bool of_head, struct arena *arena,
             struct parser_head *out, struct parser_error *error)
{
    *out = (struct parser_head){ 0 };
    struct str line = str_make(lines->head.data, lines->first_bytes - 2);
    if (!take_version(str_make(line.data, line.len < 8 ? line.len : 8), out)) {
        return refuse_400(error, "The answer is not HTTP/1.1.");
    }
    lines->first_is_plain = status_is_plain(line, &lines->status);
    struct framing framing;
    enum err err = read_lines(lines, list, &framing, error);
    if (err != ERR_OK) {
        return err;
    }
    out->status = lines->status;
    if (out->status < 100 || out->status > 599) {
        return refuse_400(error, "The status of the answer is out of range.");
    }
    out->framing = PARSER_UNTIL_CLOSE;
    err = framing_take(&framing, out, error);
    if (err != ERR_OK) {
        return err;
    }
    if (answer_has_no_body(out->status, of_head)) {
        out->framing = PARSER_NO_BODY;
    }
    /* HTTP/1.0 knows no chunks: what follows such an answer cannot be trusted. */
    bool is_odd = out->framing == PARSER_CHUNKED && out->minor == 0;
    out->keep_alive =
        stays_open(&framing, out->minor) && out->framing != PARSER_UNTIL_CLOSE && !is_odd;
    out->wants_upgrade = framing.upgrades;
    return keep_fields(list, arena, out, error);
}

enum err
parser_answer(struct str head, bool of_head, struct arena *arena, struct parser_head *out,
              struct parser_error *error)
{
    struct header_list list = { .items = items_now };
    struct lines lines = { .type = HTTP_RESPONSE, .head = head };
    lines.first_bytes = first_line_bytes(head);
    return judge_answer(&lines, &list, of_head, arena, out, error);
}

enum err
parser_answer_whole(struct str bytes, bool of_head, struct arena *arena, struct parser_head *out,
                    size_t *out_bytes, struct parser_error *error)
{
    struct header_list list = { .items = items_now };
    struct lines lines = { .type = HTTP_RESPONSE };
    bool is_whole = take_whole(SCAN_ANSWER, bytes, arena, &lines, &list);
    *out_bytes = is_whole ? lines.head.len : 0;
    return is_whole ? judge_answer(&lines, &list, of_head, arena, out, error) : ERR_OK;
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

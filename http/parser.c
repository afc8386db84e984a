/*
 * parser.c - see parser.h.
 *
 * Three passes over a head, each cheap: parser_head_end looks at line ends and control bytes while
 * the bytes come in (a block at a time), llhttp parses the whole head, and one walk over the fields
 * decides framing. llhttp 8.1 joins folded lines, takes LF behind CRLF as the end of a head, empty
 * names, versions other than 1.0 and 1.1 and any list that ends in "chunked"; the first and the
 * last pass are there to refuse all that, also with versions that no longer do it.
 */
#include "http/parser.h"

#include <llhttp.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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
    struct header *items;
    uint32_t count;
    uint32_t count_max;
    bool is_whole;
};

static int
on_field(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct parse *parse = llhttp->data;
    if (parse->count >= parse->count_max || bytes == 0) {
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
    if (code == HPE_INVALID_CONTENT_LENGTH || code == HPE_UNEXPECTED_CONTENT_LENGTH) {
        return refuse_400(error, "Content-Length is not one number.");
    }
    return refuse_400(error, "The head is malformed.");
}

/* At most the lines of this head, so that a short head takes a short array. */
static uint32_t
count_lines(struct str head)
{
    uint32_t lines = 0;
    size_t at = 0;
#ifdef __SSE2__
    /* A comparison gives -1 for each LF: sixteen counters a byte wide, added up every 255 steps. */
    while (head.len - at >= 16) {
        __m128i counters = _mm_setzero_si128();
        size_t steps = (head.len - at) / 16;
        for (steps = steps < 255 ? steps : 255; steps > 0; steps--, at += 16) {
            __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(head.data + at));
            counters = _mm_sub_epi8(counters, _mm_cmpeq_epi8(x, _mm_set1_epi8('\n')));
        }
        __m128i sums = _mm_sad_epu8(counters, _mm_setzero_si128());
        lines += (uint32_t)_mm_cvtsi128_si32(sums);
        lines += (uint32_t)_mm_cvtsi128_si32(_mm_srli_si128(sums, 8));
    }
#endif
    for (; at < head.len; at++) {
        lines += head.data[at] == '\n' ? 1 : 0;
    }
    bool is_open = head.len == 0 || head.data[head.len - 1] != '\n';
    return lines + (is_open ? 1 : 0);
}

static enum err
run_llhttp(llhttp_type_t type, struct str head, struct arena *arena, struct parser_head *out,
           struct parser_error *error)
{
    uint32_t lines = count_lines(head);
    if (lines > HEAD_FIELDS_MAX + 2) {
        return refuse(error, 431, "header_too_large", "There are too many header fields.");
    }
    struct parse parse = { .count_max = lines };
    parse.items = arena_alloc_raw(arena, lines * sizeof(struct header));
    if (parse.items == NULL) {
        return refuse(error, 503, "overloaded", "There is no memory for this head.");
    }
    llhttp_t llhttp;
    llhttp_init(&llhttp, type, &settings);
    llhttp.data = &parse;
    llhttp_errno_t code = llhttp_execute(&llhttp, head.data, head.len);
    if (!parse.is_whole) {
        return refuse_llhttp(code, (llhttp.flags & F_CONTENT_LENGTH) != 0, error);
    }
    out->status = llhttp.status_code;
    out->headers = (struct header_list){ .count = parse.count, .items = parse.items };
    return ERR_OK;
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

/* `may_drop`: a request of which some name may have to go. */
static struct meaning
read_fields(struct header_list *list, bool may_drop)
{
    struct meaning meaning = { 0 };
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (may_drop && !name_is_kept(list->items[i].name)) {
            continue;
        }
        note_field(&list->items[i], &meaning);
        if (kept != i) {
            list->items[kept] = list->items[i];
        }
        kept++;
    }
    list->count = kept;
    return meaning;
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
read_request_line(struct str head, struct parser_head *out, struct parser_error *error)
{
    const char *end = memchr(head.data, '\r', head.len);
    CHECK(end != NULL);
    struct str rest = { head.data, (size_t)(end - head.data) };
    out->method = str_cut(&rest, ' ');
    out->target = str_cut(&rest, ' ');
    if (out->method.len == 0 || out->target.len == 0 || rest.len == 0) {
        return refuse_400(error, "The request line is malformed.");
    }
    enum err err = read_version(rest, out, error);
    return err != ERR_OK ? err : read_target(out, error);
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

enum err
parser_request(struct str head, struct arena *arena, struct parser_head *out,
               struct parser_error *error)
{
    *out = (struct parser_head){ 0 };
    if (str_starts(head, STR("\r\n"))) {
        head = str_skip(head, 2);
    }
    enum err err = read_request_line(head, out, error);
    if (err != ERR_OK) {
        return err;
    }
    if (str_equal(out->method, STR("CONNECT")) || str_equal(out->method, STR("TRACE"))) {
        return refuse(error, 405, "method_not_allowed", "This method is not allowed.");
    }
    err = run_llhttp(HTTP_REQUEST, head, arena, out, error);
    if (err != ERR_OK) {
        return err;
    }
    /* One look at the whole head spares one at each name. */
    bool has_underscore = memchr(head.data, '_', head.len) != NULL;
    struct meaning meaning = read_fields(&out->headers, has_underscore);
    err = check_request(&meaning, out, error);
    if (err != ERR_OK) {
        return err;
    }
    out->keep_alive = stays_open(&meaning, out->minor);
    out->expects_continue = meaning.has_expect && out->minor == 1;
    out->wants_upgrade = meaning.upgrades;
    out->status = 0;
    return read_framing(&meaning, out, error);
}

/* --- answers --- */

static bool
answer_has_no_body(uint16_t status, bool of_head)
{
    return of_head || status < 200 || status == 204 || status == 304;
}

enum err
parser_answer(struct str head, bool of_head, struct arena *arena, struct parser_head *out,
              struct parser_error *error)
{
    *out = (struct parser_head){ 0 };
    if (!take_version(str_make(head.data, head.len < 8 ? head.len : 8), out)) {
        return refuse_400(error, "The answer is not HTTP/1.1.");
    }
    enum err err = run_llhttp(HTTP_RESPONSE, head, arena, out, error);
    if (err != ERR_OK) {
        return err;
    }
    if (out->status < 100 || out->status > 599) {
        return refuse_400(error, "The status of the answer is out of range.");
    }
    struct meaning meaning = read_fields(&out->headers, false);
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
    return ERR_OK;
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

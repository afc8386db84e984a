/*
 * upload.c - see upload.h.
 */
#include "http/upload.h"

#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "http/inflate.h"

/* First block of a body whose size is not known; it doubles from there. */
#define GROWING_BYTES 16384u

static enum err
refuse(struct parser_error *error, uint16_t status, const char *code, const char *message)
{
    *error = (struct parser_error){ .status = status, .code = code, .message = message };
    return ERR_BAD;
}

static enum err
refuse_size(struct parser_error *error)
{
    return refuse(error, 413, "request_too_large", "The request body is too large.");
}

/* Memory that could not be had, as the client shall see it. */
static enum err
check_memory(enum err err, struct parser_error *error)
{
    return err == ERR_OK ? ERR_OK
                         : refuse(error, 503, "overloaded",
                                  "There is no memory for this request body now: try again.");
}

/* Two fields are a list of two codings, and lists are not taken. */
static enum err
read_coding(const struct header_list *list, enum inflate_kind *out)
{
    uint32_t count = 0;
    enum err err = ERR_OK;
    *out = INFLATE_NONE;
    for (uint32_t i = 0; i < list->count && err == ERR_OK; i++) {
        if (str_equal_nocase(list->items[i].name, STR("content-encoding"))) {
            err = ++count > 1 ? ERR_BAD : inflate_kind_of(list->items[i].value, out);
        }
    }
    return err;
}

static enum err
begin_inflate(struct upload *upload, const struct parser_head *head, struct parser_error *error)
{
    enum inflate_kind kind = INFLATE_NONE;
    if (read_coding(&head->headers, &kind) != ERR_OK) {
        return refuse(error, 415, "unsupported_media_type",
                      "Content-Encoding must be gzip, deflate, zstd or identity.");
    }
    if (kind == INFLATE_NONE || upload->is_whole) {
        return ERR_OK;
    }
    return check_memory(inflate_make(kind, &upload->inflate), error);
}

enum err
upload_begin(struct upload *upload, struct body_pool *pool, const struct parser_head *head,
             uint64_t bytes_max, struct parser_error *error)
{
    *upload = (struct upload){ .framing = head->framing, .bytes_max = bytes_max };
    upload->left = head->framing == PARSER_LENGTH ? head->content_length : 0;
    upload->is_whole = head->framing != PARSER_CHUNKED && upload->left == 0;
    parser_chunked_init(&upload->chunked);
    if (upload->left > bytes_max) {
        return refuse_size(error);
    }
    enum err err = begin_inflate(upload, head, error);
    if (err != ERR_OK || upload->is_whole || upload->inflate != NULL ||
        head->framing != PARSER_LENGTH) {
        return err;
    }
    return check_memory(body_take(pool, &upload->body, (size_t)upload->left), error);
}

char *
upload_place(const struct upload *upload, size_t *out_bytes)
{
    if (upload->framing != PARSER_LENGTH || upload->inflate != NULL || upload->left == 0) {
        return NULL;
    }
    CHECK(upload->body.cap - upload->body.len >= upload->left);
    *out_bytes = (size_t)upload->left;
    return upload->body.data + upload->body.len;
}

void
upload_placed(struct upload *upload, size_t bytes)
{
    CHECK(bytes <= upload->left);
    upload->body.len += bytes;
    upload->left -= bytes;
    upload->wire_bytes += bytes;
    upload->is_whole = upload->left == 0;
}

/* Room for at least one more byte, or as many as `bytes`. */
static enum err
make_room(struct upload *upload, struct body_pool *pool, size_t bytes, struct parser_error *error)
{
    struct body *body = &upload->body;
    if (bytes > upload->bytes_max - body->len) {
        return refuse_size(error);
    }
    size_t wanted = body->len + bytes;
    if (body->data == NULL && wanted < GROWING_BYTES) {
        wanted = upload->bytes_max < GROWING_BYTES ? (size_t)upload->bytes_max : GROWING_BYTES;
    }
    return check_memory(body_grow(pool, body, wanted, (size_t)upload->bytes_max), error);
}

static enum err
keep_plain(struct upload *upload, struct body_pool *pool, struct str bytes,
           struct parser_error *error)
{
    enum err err = bytes.len == 0 ? ERR_OK : make_room(upload, pool, bytes.len, error);
    if (err == ERR_OK && bytes.len > 0) {
        memcpy(upload->body.data + upload->body.len, bytes.data, bytes.len);
        upload->body.len += bytes.len;
    }
    return err;
}

static enum err
refuse_inflate(enum err err, struct parser_error *error)
{
    if (err == ERR_FULL) {
        return refuse(error, 413, "request_too_large",
                      "The request body expands out of proportion.");
    }
    return err == ERR_IO ? check_memory(err, error)
                         : refuse(error, 400, "invalid_request",
                                  "The request body is not what Content-Encoding says.");
}

/* Ends when all is taken and nothing more comes out: a full piece of memory may mean more. */
static enum err
keep_inflated(struct upload *upload, struct body_pool *pool, struct str bytes,
              struct parser_error *error)
{
    struct body *body = &upload->body;
    for (;;) {
        size_t room = body->cap - body->len;
        if (room > upload->bytes_max - body->len) {
            room = (size_t)upload->bytes_max - body->len;
        }
        if (room == 0) {
            enum err err = make_room(upload, pool, 1, error);
            if (err != ERR_OK) {
                return err;
            }
            continue;
        }
        size_t used = 0;
        size_t made = 0;
        enum err err =
            inflate_step(upload->inflate, bytes, body->data + body->len, room, &used, &made);
        if (err != ERR_OK) {
            return refuse_inflate(err, error);
        }
        bytes = str_skip(bytes, used);
        body->len += made;
        if (bytes.len == 0 && made < room) {
            return ERR_OK;
        }
        if (used == 0 && made == 0) {
            return refuse_inflate(ERR_BAD, error);
        }
    }
}

static enum err
keep(struct upload *upload, struct body_pool *pool, struct str bytes, struct parser_error *error)
{
    if (bytes.len == 0) {
        return ERR_OK;
    }
    return upload->inflate != NULL ? keep_inflated(upload, pool, bytes, error)
                                   : keep_plain(upload, pool, bytes, error);
}

static enum err
feed_chunked(struct upload *upload, struct body_pool *pool, struct str bytes, size_t *out_used,
             struct parser_error *error)
{
    while (*out_used < bytes.len && !upload->chunked.is_done) {
        struct str run;
        size_t used = 0;
        struct str rest = str_skip(bytes, *out_used);
        if (parser_chunked_feed(&upload->chunked, rest, &run, &used) != ERR_OK) {
            return refuse(error, 400, "invalid_request", "The chunked body is malformed.");
        }
        *out_used += used;
        enum err err = keep(upload, pool, run, error);
        if (err != ERR_OK) {
            return err;
        }
    }
    upload->is_whole = upload->chunked.is_done;
    return ERR_OK;
}

enum err
upload_feed(struct upload *upload, struct body_pool *pool, struct str bytes, size_t *out_used,
            struct parser_error *error)
{
    *out_used = 0;
    enum err err;
    if (upload->framing == PARSER_CHUNKED) {
        err = feed_chunked(upload, pool, bytes, out_used, error);
    } else {
        size_t used = bytes.len < upload->left ? bytes.len : (size_t)upload->left;
        err = keep(upload, pool, str_make(bytes.data, used), error);
        upload->left -= used;
        *out_used = used;
        upload->is_whole = upload->left == 0;
    }
    upload->wire_bytes += *out_used;
    /* Framing and empty compressed blocks may cost at most as much again as the body may. */
    if (err == ERR_OK && upload->wire_bytes / 2 > upload->bytes_max + CONN_READ_BYTES) {
        return refuse_size(error);
    }
    if (err == ERR_OK && upload->is_whole && upload->inflate != NULL) {
        if (!inflate_is_whole(upload->inflate)) {
            return refuse(error, 400, "invalid_request", "The compressed body ends too early.");
        }
        inflate_free(upload->inflate);
        upload->inflate = NULL;
    }
    return err;
}

void
upload_end(struct upload *upload, struct body_pool *pool)
{
    inflate_free(upload->inflate);
    upload->inflate = NULL;
    body_give(pool, &upload->body);
}

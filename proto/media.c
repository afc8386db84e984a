/*
 * media.c - data: URLs, base64, types (see media.h).
 */
#include "proto/media.h"

#include <string.h>

#include "base/check.h"
#include "base/jsonscan.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* --- base64 --- */

/* The value of a character of either alphabet; -1 for anything else. */
static int
value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    return c == '/' || c == '_' ? 63 : -1;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* A byte that a strict reader refuses. */
static bool
is_odd(char c)
{
    return is_blank(c) || c == '-' || c == '_';
}

enum err
media_base64(struct str data, struct arena *arena, struct str *out)
{
    size_t clean = 0;
    while (clean < data.len && !is_odd(data.data[clean])) {
        clean++;
    }
    *out = data;
    if (clean == data.len) {
        return ERR_OK;
    }
    char *to = arena_alloc_raw(arena, data.len + 3);
    if (to == NULL) {
        return ERR_FULL;
    }
    size_t len = 0;
    bool is_url_alphabet = false;
    for (size_t i = 0; i < data.len; i++) {
        char c = data.data[i];
        if (is_blank(c)) {
            continue;
        }
        is_url_alphabet = is_url_alphabet || c == '-' || c == '_';
        to[len++] = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    while (is_url_alphabet && len % 4 != 0 && len % 4 != 1) {
        to[len++] = '=';
    }
    *out = str_make(to, len);
    return ERR_OK;
}

enum err
media_encode(struct str bytes, struct arena *arena, struct str *out)
{
    if (bytes.len > SIZE_MAX / 2) {
        return ERR_FULL;
    }
    char *to = arena_alloc_raw(arena, (bytes.len + 2) / 3 * 4 + 1);
    if (to == NULL) {
        return ERR_FULL;
    }
    size_t len = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        uint32_t left = bytes.len - i > 3 ? 3 : (uint32_t)(bytes.len - i);
        uint32_t group = 0;
        for (uint32_t k = 0; k < 3; k++) {
            group = group << 8 | (k < left ? (uint8_t)bytes.data[i + k] : 0u);
        }
        for (uint32_t k = 0; k < 4; k++) {
            to[len++] = k <= left ? alphabet[group >> (18 - 6 * k) & 63] : '=';
        }
    }
    *out = str_make(to, len);
    return ERR_OK;
}

enum err
media_decode(struct str base64, struct arena *arena, struct str *out)
{
    char *to = arena_alloc_raw(arena, base64.len / 4 * 3 + 3);
    if (to == NULL) {
        return ERR_FULL;
    }
    size_t len = 0;
    uint32_t group = 0;
    uint32_t bits = 0;
    bool is_ended = false;
    for (size_t i = 0; i < base64.len; i++) {
        char c = base64.data[i];
        if (is_blank(c)) {
            continue;
        }
        int value = value_of(c);
        if (c == '=') {
            is_ended = true;
        } else if (value < 0 || is_ended) {
            return ERR_BAD;
        } else {
            group = (group << 6 | (uint32_t)value) & 0xffffff;
            bits += 6;
            if (bits >= 8) {
                bits -= 8;
                to[len++] = (char)(group >> bits & 0xff);
            }
        }
    }
    *out = str_make(to, len);
    return bits == 6 ? ERR_BAD : ERR_OK;
}

/* --- types --- */

/* The first bytes of a format, base64 of whole groups and what stands for sure of the next. */
static const struct {
    const char *base64;
    const char *mime;
} beginnings[] = {
    { "iVBORw0KGgo", "image/png" },  { "/9j/", "image/jpeg" },  { "R0lGOD", "image/gif" },
    { "JVBERi", "application/pdf" }, { "T2dnUw", "audio/ogg" }, { "SUQz", "audio/mpeg" },
    { "//uQ", "audio/mpeg" },        { "//vA", "audio/mpeg" },
};

struct str
media_sniff(struct str base64)
{
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        if (str_starts(base64, str_of(beginnings[i].base64))) {
            return str_of(beginnings[i].mime);
        }
    }
    /* RIFF....WEBP and RIFF....WAVE: the kind stands at byte 8, characters 11 to 14 are its own. */
    if (base64.len >= 16 && str_starts(base64, STR("UklGR"))) {
        struct str kind = str_make(base64.data + 11, 4);
        if (str_equal(kind, STR("XRUJ"))) {
            return STR("image/webp");
        }
        if (str_equal(kind, STR("XQVZ"))) {
            return STR("audio/wav");
        }
    }
    return str_make(NULL, 0);
}

enum hub_part_kind
media_kind(struct str mime)
{
    if (str_starts(mime, STR("image/"))) {
        return HUB_IMAGE;
    }
    if (str_starts(mime, STR("audio/"))) {
        return HUB_AUDIO;
    }
    return str_starts(mime, STR("video/")) ? HUB_VIDEO : HUB_DOCUMENT;
}

/* Lower case, without parameters; image/jpg is corrected. */
static enum err
mime_clean(struct str mime, struct arena *arena, struct str *out)
{
    struct str head = str_trim(str_cut(&mime, ';'));
    *out = head;
    bool is_lower = true;
    for (size_t i = 0; i < head.len; i++) {
        is_lower = is_lower && head.data[i] == str_lower(head.data[i]);
    }
    if (!is_lower) {
        char *to = arena_alloc_raw(arena, head.len);
        if (to == NULL) {
            return ERR_FULL;
        }
        for (size_t i = 0; i < head.len; i++) {
            to[i] = str_lower(head.data[i]);
        }
        *out = str_make(to, head.len);
    }
    if (str_equal(*out, STR("image/jpg"))) {
        *out = STR("image/jpeg");
    }
    return ERR_OK;
}

/* --- what clients write --- */

enum err
media_from_base64(struct str data, struct str mime, struct arena *arena, struct hub_media *media)
{
    media->source = HUB_BASE64;
    enum err err = media_base64(data, arena, &media->data);
    if (err == ERR_OK) {
        err = mime_clean(mime, arena, &media->mime);
    }
    if (err == ERR_OK && media->mime.len == 0) {
        media->mime = media_sniff(media->data);
    }
    return err;
}

/* A data: URL without base64: decoded, and encoded again. */
static enum err
from_percent(struct str text, struct str mime, struct arena *arena, struct hub_media *media)
{
    char *to = arena_alloc_raw(arena, text.len + 1);
    if (to == NULL) {
        return ERR_FULL;
    }
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool is_escape = text.data[i] == '%' && text.len - i > 2 &&
                         jsonscan_hex((uint8_t)text.data[i + 1]) >= 0 &&
                         jsonscan_hex((uint8_t)text.data[i + 2]) >= 0;
        if (!is_escape) {
            to[len++] = text.data[i];
            continue;
        }
        to[len++] = (char)(jsonscan_hex((uint8_t)text.data[i + 1]) << 4 |
                           jsonscan_hex((uint8_t)text.data[i + 2]));
        i += 2;
    }
    struct str encoded;
    enum err err = media_encode(str_make(to, len), arena, &encoded);
    return err != ERR_OK ? err : media_from_base64(encoded, mime, arena, media);
}

enum err
media_from_url(struct str url, struct arena *arena, struct hub_media *media)
{
    if (url.len < 5 || !str_equal_nocase(str_make(url.data, 5), STR("data:"))) {
        media->source = HUB_URL;
        media->reference = url;
        return ERR_OK;
    }
    struct str rest = str_skip(url, 5);
    if (rest.len == 0 || memchr(rest.data, ',', rest.len) == NULL) {
        return ERR_BAD;
    }
    struct str head = str_cut(&rest, ',');
    bool is_base64 =
        head.len >= 7 && str_equal_nocase(str_skip(head, head.len - 7), STR(";base64"));
    return is_base64 ? media_from_base64(rest, head, arena, media)
                     : from_percent(rest, head, arena, media);
}

enum err
media_url(const struct hub_media *media, struct arena *arena, struct str *out)
{
    if (media->source == HUB_URL) {
        *out = media->reference;
        return ERR_OK;
    }
    if (media->source != HUB_BASE64) {
        return ERR_BAD;
    }
    struct str mime = media->mime.len > 0 ? media->mime : STR("application/octet-stream");
    size_t bytes = 5 + mime.len + 8 + media->data.len;
    char *to = arena_alloc_raw(arena, bytes);
    if (to == NULL) {
        return ERR_FULL;
    }
    memcpy(to, "data:", 5);
    memcpy(to + 5, mime.data, mime.len);
    memcpy(to + 5 + mime.len, ";base64,", 8);
    if (media->data.len > 0) {
        memcpy(to + 13 + mime.len, media->data.data, media->data.len);
    }
    *out = str_make(to, bytes);
    return ERR_OK;
}

/*
 * carrier.c - signatures of one provider through a client of another dialect (see carrier.h).
 *
 * Payload: the lengths of the segments as decimal numbers joined by ',', a '|', the item's id, a
 * '|', the value. Neither ids nor numbers hold a '|'.
 */
#include "proto/carrier.h"

#include <string.h>

#include "base/check.h"
#include "base/num.h"
#include "proto/media.h"

#define HASH_CHARS 8u
#define SCOPE_CHARS 8u

static const char *const names[] = {
    [HUB_FAMILY_NONE] = "none",     [HUB_FAMILY_OPENAI] = "oai",
    [HUB_FAMILY_ANTHROPIC] = "ant", [HUB_FAMILY_ANTHROPIC_REDACTED] = "antr",
    [HUB_FAMILY_GEMINI] = "gem",    [HUB_FAMILY_GATEWAY] = "gw",
};

const char *
carrier_family_name(enum hub_family family)
{
    CHECK(family <= HUB_FAMILY_GATEWAY);
    return names[family];
}

enum hub_family
carrier_family_parse(struct str name)
{
    for (int i = HUB_FAMILY_OPENAI; i <= HUB_FAMILY_GATEWAY; i++) {
        if (str_equal(name, str_of(names[i]))) {
            return (enum hub_family)i;
        }
    }
    return HUB_FAMILY_NONE;
}

/* `chars` hex digits of the low bits. */
static void
put_hex(uint64_t value, uint32_t chars, char *out)
{
    for (uint32_t i = 0; i < chars; i++) {
        out[i] = "0123456789abcdef"[value >> (4 * (chars - 1 - i)) & 15];
    }
}

/* The payload before base64. */
static enum err
payload_make(const struct hub_signature *signature, const struct hub_segment *segments,
             struct arena *arena, struct str *out)
{
    struct buf buf;
    buf_init(&buf, UINT32_MAX);
    enum err err = ERR_OK;
    for (const struct hub_segment *at = segments; at != NULL && err == ERR_OK; at = at->next) {
        char number[NUM_TEXT_BYTES];
        uint32_t len = num_text(at->text.len, number);
        err = buf_append(&buf, str_make(number, len));
        if (err == ERR_OK && at->next != NULL) {
            err = buf_append(&buf, STR(","));
        }
    }
    struct str rest[] = { STR("|"), signature->id, STR("|"), signature->bytes };
    for (size_t i = 0; i < 4 && err == ERR_OK; i++) {
        err = buf_append(&buf, rest[i]);
    }
    if (err == ERR_OK) {
        *out = arena_dup(arena, buf_str(&buf));
        err = out->data == NULL ? ERR_FULL : ERR_OK;
    }
    buf_fini(&buf);
    return err;
}

/* Standard base64 becomes the URL alphabet without padding, in place of a copy. */
static enum err
encode_url(struct str bytes, struct arena *arena, struct str *out)
{
    struct str standard;
    enum err err = media_encode(bytes, arena, &standard);
    if (err != ERR_OK) {
        return err;
    }
    char *to = arena_alloc_raw(arena, standard.len + 1);
    if (to == NULL) {
        return ERR_FULL;
    }
    size_t len = 0;
    for (; len < standard.len && standard.data[len] != '='; len++) {
        char c = standard.data[len];
        to[len] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    *out = str_make(to, len);
    return ERR_OK;
}

enum err
carrier_wrap(const struct carrier *carrier, const struct hub_signature *signature,
             const struct hub_segment *segments, struct arena *arena, struct str *out)
{
    CHECK(signature->family != HUB_FAMILY_NONE);
    struct str payload, encoded;
    enum err err = payload_make(signature, segments, arena, &payload);
    if (err == ERR_OK) {
        err = encode_url(payload, arena, &encoded);
    }
    if (err != ERR_OK) {
        return err;
    }
    char scope[SCOPE_CHARS];
    put_hex(carrier->scope, SCOPE_CHARS, scope);
    struct str family = str_of(names[signature->family]);
    struct str pieces[] = { STR("gw1."), family,  STR(".sig."), str_make(scope, SCOPE_CHARS),
                            STR("."),    encoded, STR(".") };
    size_t bytes = HASH_CHARS;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        bytes += pieces[i].len;
    }
    char *to = arena_alloc_raw(arena, bytes);
    if (to == NULL) {
        return ERR_FULL;
    }
    size_t len = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        memcpy(to + len, pieces[i].data, pieces[i].len);
        len += pieces[i].len;
    }
    put_hex(hash_bytes(&carrier->key, str_make(to, len)), HASH_CHARS, to + len);
    *out = str_make(to, bytes);
    return ERR_OK;
}

/* --- back --- */

bool
carrier_is(struct str text)
{
    return str_starts(text, STR("gw1."));
}

struct opened {
    struct hub_signature signature;
    struct str lengths; /* "12,40" */
};

/* false: it is not one of ours for this scope. */
static enum err
unwrap(const struct carrier *carrier, struct str text, struct arena *arena, struct opened *out)
{
    *out = (struct opened){ .signature = { .family = HUB_FAMILY_NONE } };
    if (text.len < HASH_CHARS) {
        return ERR_OK;
    }
    struct str signed_part = str_make(text.data, text.len - HASH_CHARS);
    char hash[HASH_CHARS];
    put_hex(hash_bytes(&carrier->key, signed_part), HASH_CHARS, hash);
    char scope[SCOPE_CHARS];
    put_hex(carrier->scope, SCOPE_CHARS, scope);
    struct str rest = str_skip(text, 4);
    enum hub_family family = carrier_family_parse(str_cut(&rest, '.'));
    (void)str_cut(&rest, '.'); /* the kind: there is one */
    struct str its_scope = str_cut(&rest, '.');
    struct str encoded = str_cut(&rest, '.');
    if (!str_equal(rest, str_make(hash, HASH_CHARS)) || family == HUB_FAMILY_NONE ||
        !str_equal(its_scope, str_make(scope, SCOPE_CHARS))) {
        return ERR_OK;
    }
    struct str payload;
    enum err err = media_decode(encoded, arena, &payload);
    if (err != ERR_OK) {
        return err == ERR_FULL ? err : ERR_OK;
    }
    out->lengths = str_cut(&payload, '|');
    out->signature.id = str_cut(&payload, '|');
    out->signature.bytes = payload;
    out->signature.family = family;
    return ERR_OK;
}

/* Base64 of a carrier, as Gemini's own field needs it, becomes the carrier. */
static enum err
unbase(struct str *text, struct arena *arena)
{
    if (!str_starts(*text, STR("Z3cxL"))) {
        return ERR_OK;
    }
    struct str decoded;
    enum err err = media_decode(*text, arena, &decoded);
    if (err == ERR_OK && carrier_is(decoded)) {
        *text = decoded;
    }
    return err == ERR_FULL ? err : ERR_OK;
}

static enum err
open_any(const struct carrier *carrier, enum hub_family native, struct str text,
         struct arena *arena, struct opened *out)
{
    *out = (struct opened){ .signature = { .family = HUB_FAMILY_NONE } };
    enum err err = unbase(&text, arena);
    if (err != ERR_OK || text.len == 0) {
        return err;
    }
    if (carrier_is(text)) {
        return unwrap(carrier, text, arena, out);
    }
    out->signature = (struct hub_signature){ .family = native, .bytes = text };
    return ERR_OK;
}

enum err
carrier_open(const struct carrier *carrier, enum hub_family native, struct str text,
             struct arena *arena, struct hub_signature *out)
{
    struct opened opened;
    enum err err = open_any(carrier, native, text, arena, &opened);
    *out = opened.signature;
    return err;
}

/* The one text that a client sent back, cut where the segments were; as it is when the client
 * changed it. Between two segments stands a blank line. */
static enum err
split(struct str lengths, struct arena *arena, struct hub_reasoning *reasoning)
{
    if (reasoning->segments == NULL || reasoning->segments->next != NULL) {
        return ERR_OK;
    }
    struct str text = reasoning->segments->text;
    struct hub_segment *segments = NULL;
    while (lengths.len > 0) {
        uint64_t bytes;
        if (num_u64(str_cut(&lengths, ','), &bytes) != ERR_OK || bytes > text.len) {
            return ERR_OK;
        }
        if (!hub_segment_to(arena, &segments, str_make(text.data, (size_t)bytes))) {
            return ERR_FULL;
        }
        text = str_skip(text, (size_t)bytes);
        if (lengths.len > 0 && !str_starts(text, STR("\n\n"))) {
            return ERR_OK;
        }
        text = str_skip(text, lengths.len > 0 ? 2 : 0);
    }
    reasoning->segments = text.len == 0 && segments != NULL ? segments : reasoning->segments;
    return ERR_OK;
}

enum err
carrier_restore(const struct carrier *carrier, enum hub_family native, struct str text,
                struct arena *arena, struct hub_reasoning *reasoning)
{
    struct opened opened;
    enum err err = open_any(carrier, native, text, arena, &opened);
    reasoning->signature = opened.signature;
    return err != ERR_OK ? err : split(opened.lengths, arena, reasoning);
}

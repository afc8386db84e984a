/*
 * media.h - images, sounds and files as the dialects write them: data: URLs, base64, types.
 *
 * Base64 is passed on as it is and never decoded to check it, except for what a target rejects:
 * blanks, and the URL alphabet.
 *
 * Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_MEDIA_H
#define PROTO_MEDIA_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/hub.h"

/*
 * Fills source, mime, data or reference from a URL as clients write it: data: (base64 or percent
 * encoded, parameters skipped) or anything else. A missing type is sniffed; image/jpg becomes
 * image/jpeg. ERR_BAD: a malformed data: URL. ERR_FULL: the arena.
 */
MUST_CHECK enum err media_from_url(struct str url, struct arena *arena, struct hub_media *media);
/* The same from base64 with a type or without one (empty: sniffed); bare base64 of a file too. */
MUST_CHECK enum err
media_from_base64(struct str data, struct str mime, struct arena *arena, struct hub_media *media);
/* "data:<mime>;base64,<data>" or the URL. ERR_BAD: neither (a file id, a plain text). */
MUST_CHECK enum err media_url(const struct hub_media *media, struct arena *arena, struct str *out);

/* Standard alphabet without blanks; borrowed when it already is. */
MUST_CHECK enum err media_base64(struct str data, struct arena *arena, struct str *out);
/* Of bytes. */
MUST_CHECK enum err media_encode(struct str bytes, struct arena *arena, struct str *out);
/* To bytes; both alphabets. ERR_BAD: it is none. */
MUST_CHECK enum err media_decode(struct str base64, struct arena *arena, struct str *out);
/* "image/png", ... by the first bytes of base64; empty when unknown. */
struct str media_sniff(struct str base64);
/* HUB_IMAGE, HUB_AUDIO, HUB_VIDEO or HUB_DOCUMENT by type. */
enum hub_part_kind media_kind(struct str mime);

#endif

/*
 * remote.c - media by URL that a target cannot load itself (see remote.h).
 */
#include "proto/remote.h"

#include "proto/media.h"

static bool
is_media(const struct hub_part *part)
{
    return part->kind == HUB_IMAGE || part->kind == HUB_AUDIO || part->kind == HUB_VIDEO ||
           part->kind == HUB_DOCUMENT;
}

/* Can the target itself not load it? */
static bool
is_remote(const struct hub_part *part, const struct hub_target *target)
{
    if (!is_media(part) || part->media.source != HUB_URL) {
        return false;
    }
    struct str url = part->media.reference;
    bool is_google = str_starts(url, STR("gs://")) ||
                     str_starts(url, STR("https://www.youtube.com/")) ||
                     str_starts(url, STR("https://youtu.be/")) ||
                     str_starts(url, STR("https://generativelanguage.googleapis.com/"));
    return (target->dialect == DIALECT_GEMINI && !is_google) ||
           (target->dialect == DIALECT_CHAT && part->kind == HUB_DOCUMENT);
}

/* Calls fn for each media part, also those inside results, until it returns false. */
static void
each_media(const struct hub_request *request, bool (*fn)(void *context, struct hub_part *part),
           void *context)
{
    for (struct hub_message *message = request->messages; message != NULL;
         message = message->next) {
        for (struct hub_part *part = message->parts; part != NULL; part = part->next) {
            struct hub_part *inner = part->kind == HUB_RESULT ? part->result.parts : NULL;
            for (; inner != NULL; inner = inner->next) {
                if (!fn(context, inner)) {
                    return;
                }
            }
            if (!fn(context, part)) {
                return;
            }
        }
    }
}

struct asked {
    const struct hub_target *target;
    uint32_t left;
    struct str url;
    bool is_found;
};

static bool
ask(void *context, struct hub_part *part)
{
    struct asked *asked = context;
    if (!is_remote(part, asked->target)) {
        return true;
    }
    asked->is_found = asked->left == 0;
    asked->url = part->media.reference;
    return asked->left-- > 0;
}

bool
remote_find(const struct hub_request *request, const struct hub_target *target, uint32_t index,
            struct str *out_url)
{
    struct asked asked = { .target = target, .left = index };
    each_media(request, ask, &asked);
    *out_url = asked.is_found ? asked.url : str_make(NULL, 0);
    return asked.is_found;
}

struct supply {
    struct str url;
    struct hub_media media;
};

static bool
replace(void *context, struct hub_part *part)
{
    const struct supply *supply = context;
    bool is_wanted = is_media(part) && part->media.source == HUB_URL &&
                     str_equal(part->media.reference, supply->url);
    if (is_wanted) {
        part->media.source = HUB_BASE64;
        part->media.data = supply->media.data;
        part->media.mime = supply->media.mime;
    }
    return true;
}

enum err
remote_supply(struct hub_request *request, struct str url, struct str mime, struct str bytes)
{
    struct arena *arena = request->arena;
    struct supply supply = { .url = arena_dup(arena, url) };
    struct str type = arena_dup(arena, mime);
    if (supply.url.data == NULL || type.data == NULL) {
        return ERR_FULL;
    }
    struct str encoded;
    enum err err = media_encode(bytes, arena, &encoded);
    if (err == ERR_OK) {
        err = media_from_base64(encoded, type, arena, &supply.media);
    }
    if (err == ERR_OK) {
        each_media(request, replace, &supply);
    }
    return err;
}

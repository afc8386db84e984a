/*
 * header.c - see header.h. Lists are short (a few dozen fields), so one word that tells which names
 * are not there, and a walk for the others, beat any index.
 */
#include "http/header.h"

struct str
header_search(const struct header_list *list, struct str name)
{
    const struct header *end = list->items + list->count;
    for (const struct header *item = list->items; item < end; item++) {
        if (item->name.len == name.len && str_equal_nocase(item->name, name)) {
            return item->value;
        }
    }
    return (struct str){ NULL, 0 };
}

bool
header_has(const struct header_list *list, struct str name)
{
    return header_find(list, name).data != NULL;
}

static bool
value_has_token(struct str value, struct str token)
{
    while (value.len > 0) {
        if (str_equal_nocase(str_trim(str_cut(&value, ',')), token)) {
            return true;
        }
    }
    return false;
}

bool
header_has_token(const struct header_list *list, struct str name, struct str token)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (str_equal_nocase(list->items[i].name, name) &&
            value_has_token(list->items[i].value, token)) {
            return true;
        }
    }
    return false;
}

/* Connection may not declare these hop-by-hop: dropping them would change what a message means. */
static bool
is_end_to_end(struct str name)
{
    return str_equal_nocase(name, STR("host")) || str_equal_nocase(name, STR("authorization")) ||
           str_equal_nocase(name, STR("content-length"));
}

bool
header_is_hop(const struct header_list *list, struct str name)
{
    static const struct str hops[] = {
        { "connection", 10 }, { "keep-alive", 10 },        { "te", 2 },
        { "trailer", 7 },     { "transfer-encoding", 17 }, { "upgrade", 7 },
    };
    for (size_t i = 0; i < sizeof(hops) / sizeof(hops[0]); i++) {
        if (str_equal_nocase(name, hops[i])) {
            return true;
        }
    }
    if (name.len > 6 && str_equal_nocase(str_make(name.data, 6), STR("proxy-"))) {
        return true;
    }
    return !is_end_to_end(name) && header_has_token(list, STR("connection"), name);
}

/* "api_key" and "api-key" must not be two spellings of one thing, but real clients send these. */
static bool
name_is_kept(struct str name)
{
    return memchr(name.data, '_', name.len) == NULL || str_equal_nocase(name, STR("session_id")) ||
           str_equal_nocase(name, STR("conversation_id"));
}

void
header_drop_twins(struct header_list *list)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (name_is_kept(list->items[i].name)) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
}

bool
header_value_is_good(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

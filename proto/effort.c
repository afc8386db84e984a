/*
 * effort.c - levels and budgets of thinking (see effort.h).
 */
#include "proto/effort.h"

#include "base/check.h"

/* The specification's table 4.6; `up_to` is the largest budget that still means this level. */
static const struct level {
    const char *name;
    uint64_t budget;
    uint64_t up_to;
} levels[] = {
    [HUB_EFFORT_UNSET] = { NULL, 0, 0 },
    [HUB_EFFORT_OFF] = { "none", 0, 0 },
    [HUB_EFFORT_MINIMAL] = { "minimal", 512, 512 },
    [HUB_EFFORT_LOW] = { "low", 1024, 1024 },
    [HUB_EFFORT_MEDIUM] = { "medium", 8192, 8192 },
    [HUB_EFFORT_HIGH] = { "high", 24576, 24576 },
    [HUB_EFFORT_XHIGH] = { "xhigh", 32768, UINT64_MAX },
    [HUB_EFFORT_MAX] = { "max", 0, UINT64_MAX },
    [HUB_EFFORT_AUTO] = { NULL, 0, 0 },
};

enum hub_effort
effort_parse(struct str word)
{
    for (int i = HUB_EFFORT_OFF; i <= HUB_EFFORT_MAX; i++) {
        if (str_equal(word, str_of(levels[i].name))) {
            return (enum hub_effort)i;
        }
    }
    return HUB_EFFORT_UNSET;
}

const char *
effort_name(enum hub_effort effort)
{
    CHECK(effort <= HUB_EFFORT_AUTO);
    return levels[effort].name;
}

enum hub_effort
effort_of_budget(uint64_t tokens)
{
    int level = HUB_EFFORT_OFF;
    while (tokens > levels[level].up_to) {
        level++;
    }
    return (enum hub_effort)level;
}

uint64_t
effort_budget(enum hub_effort effort, uint64_t model_max)
{
    CHECK(effort <= HUB_EFFORT_AUTO);
    return effort == HUB_EFFORT_MAX ? model_max : levels[effort].budget;
}

enum hub_effort
effort_degrade(enum hub_effort effort, uint32_t mask)
{
    if (effort == HUB_EFFORT_UNSET || effort == HUB_EFFORT_AUTO) {
        return HUB_EFFORT_UNSET;
    }
    /* Downwards first, but never from thinking to none; then upwards; "off" finds only minimal. */
    for (int i = (int)effort; i >= (effort == HUB_EFFORT_OFF ? HUB_EFFORT_OFF : HUB_EFFORT_MINIMAL);
         i--) {
        if ((mask >> i & 1) != 0) {
            return (enum hub_effort)i;
        }
    }
    int top = effort == HUB_EFFORT_OFF ? HUB_EFFORT_MINIMAL : HUB_EFFORT_MAX;
    for (int i = (int)effort + 1; i <= top; i++) {
        if ((mask >> i & 1) != 0) {
            return (enum hub_effort)i;
        }
    }
    return HUB_EFFORT_UNSET;
}

/* The next pair; false at the end of the map. UNSET stands for what is no word. */
static bool
next_pair(struct str *map, enum hub_effort *asked, enum hub_effort *sent)
{
    while (map->len > 0) {
        struct str right = str_trim(str_cut(map, ','));
        if (right.len > 0) {
            struct str left = str_cut(&right, '=');
            *asked = effort_parse(str_trim(left));
            *sent = effort_parse(str_trim(right));
            return true;
        }
    }
    return false;
}

enum hub_effort
effort_mapped(struct str map, enum hub_effort effort)
{
    enum hub_effort asked;
    enum hub_effort sent;
    while (effort_name(effort) != NULL && next_pair(&map, &asked, &sent)) {
        if (asked == effort && sent != HUB_EFFORT_UNSET) {
            return sent;
        }
    }
    return effort;
}

bool
effort_map_is_good(struct str map)
{
    enum hub_effort asked;
    enum hub_effort sent;
    while (next_pair(&map, &asked, &sent)) {
        if (asked == HUB_EFFORT_UNSET || sent == HUB_EFFORT_UNSET) {
            return false;
        }
    }
    return true;
}

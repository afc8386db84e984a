/*
 * valid.c - the validators by dialect (see valid.h).
 */
#include "tests/tools/valid.h"

#include <stdarg.h>
#include <stdio.h>

struct valid {
    const struct valid_rules *rules;
    void *state;
};

bool
valid_why(char *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, VALID_WHY_BYTES, format, args);
    va_end(args);
    return false;
}

struct valid *
valid_open(enum dialect dialect, struct arena *arena)
{
    static const struct valid_rules *const rules[] = { &validchat, &validresponses, &validanthropic,
                                                       &validgemini };
    struct valid *valid = arena_alloc(arena, sizeof(*valid));
    if (valid != NULL && rules[dialect] != NULL) {
        valid->rules = rules[dialect];
        valid->state = arena_alloc(arena, rules[dialect]->state_bytes + 1);
    }
    return valid;
}

bool
valid_event(struct valid *valid, struct str name, struct str data, char why[VALID_WHY_BYTES])
{
    if (valid->rules == NULL) {
        return true;
    }
    struct arena arena;
    arena_init(&arena, 64u * 1024 * 1024);
    struct walk root = { .doc = NULL };
    bool is_done = str_equal(data, STR("[DONE]"));
    bool is_fine;
    if (!is_done && walk_parse(data, &arena, &root) != ERR_OK) {
        is_fine = valid_why(why, "the data is no JSON");
    } else {
        is_fine = valid->rules->event(valid->state, name, root, data, why);
    }
    arena_reset(&arena);
    return is_fine;
}

bool
valid_end(struct valid *valid, char why[VALID_WHY_BYTES])
{
    return valid->rules == NULL || valid->rules->end(valid->state, why);
}

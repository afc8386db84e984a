/*
 * valid.h - is a client's stream what its dialect allows? One validator a dialect, used by tests on
 * every stream that the gateway writes.
 */
#ifndef TOOLS_VALID_H
#define TOOLS_VALID_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"
#include "proto/dialect.h"
#include "proto/walk.h"

#define VALID_WHY_BYTES 160

/* A dialect's validator: its state is one zeroed block. `data` is nowhere for [DONE]; *why is then
 * filled when it returns false. */
struct valid_rules {
    size_t state_bytes;
    bool (*event)(void *state, struct str name, struct walk data, struct str raw, char *why);
    bool (*end)(void *state, char *why); /* the stream may end here */
};

/* Weak: a dialect whose file is not linked is not checked. */
extern const struct valid_rules validchat __attribute__((weak));
extern const struct valid_rules validresponses __attribute__((weak));
extern const struct valid_rules validanthropic __attribute__((weak));
extern const struct valid_rules validgemini __attribute__((weak));

struct valid;

struct valid *valid_open(enum dialect dialect, struct arena *arena);
bool valid_event(struct valid *valid, struct str name, struct str data, char why[VALID_WHY_BYTES]);
bool valid_end(struct valid *valid, char why[VALID_WHY_BYTES]);

/* Fills why and is false. */
__attribute__((format(printf, 2, 3))) bool valid_why(char *why, const char *format, ...);

#endif

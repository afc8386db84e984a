/*
 * lore.h - what providers do not have: endpoints are told to people, and both endpoints and models
 * are kept over a restart.
 *
 * Now and then the recorder looks at what was learned of all accounts (shm/lack.h, shm/spell.h) and
 * keeps what is proven and what rests (store/lesson.h). A new segment begins with what was kept;
 * one that is in use knows better than the store, also what was cleared a moment ago. Doubts are
 * not kept: the next request raises them again.
 *
 * Runs in: recorder. Dying here: what was learned in the last second is learned again.
 */
#ifndef ADMIN_LORE_H
#define ADMIN_LORE_H

#include "base/err.h"
#include "store/catalog.h"

struct jsonw;
struct lore;
struct recorder;
struct segment;

/* Once, when accounts have their indexes: gives accounts of a new segment what was kept of them.
 * ERR_FULL: no memory. ERR_IO: the store cannot be read. */
MUST_CHECK enum err lore_make(struct recorder *recorder, struct lore **out);
void lore_free(struct lore *lore);

/* Keeps what has changed. Costs a look at each account's words, and at all spells while any holds.
 */
void lore_look(struct lore *lore);

#define LORE_TEXT_BYTES 400u
/* "no /v1/responses (404); asked again in 23 h" for people; "" when nothing is known. */
const char *lore_text(const struct segment *segment, const struct account *account, uint64_t now_ms,
                      char out[LORE_TEXT_BYTES]);
/* Members of an account's object: `lacks` is that text, `missing` a list of what it is made of. */
void lore_put(struct jsonw *w, const struct segment *segment, const struct account *account,
              uint64_t now_ms);

#endif

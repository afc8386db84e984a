/*
 * version.h - single words that everybody reads: the catalog's version and the process-wide flags.
 *
 * Writers: catalog, is_writable, is_loaded, usable_accounts the recorder; is_draining the master;
 * is_resolving the keeper. Each is one store; a reader may see it a moment later.
 * If the writer dies: the last word stands; the next recorder sets its words again at its start.
 * Runs in: every process.
 */
#ifndef SHM_VERSION_H
#define SHM_VERSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shm/guard.h"
#include "shm/segment.h"

#define VERSION_WHY_BYTES 512u

struct version_words {
    _Atomic uint64_t
        catalog; /* grows with every change of the configuration records: the lower
                  * half with accounts, groups, prices, the upper one with the others */
    uint64_t pad[7];
    _Atomic uint32_t is_draining;     /* the whole service stops: no new work */
    _Atomic uint32_t is_writable;     /* the last commit worked */
    _Atomic uint32_t is_loaded;       /* budgets and health are filled from the store */
    _Atomic uint32_t is_resolving;    /* the keeper is up */
    _Atomic uint32_t usable_accounts; /* enabled accounts, as the recorder counted them */
    _Atomic uint32_t accounts;        /* rows of health in use or used before: no index beyond */
    _Atomic uint32_t generation;      /* newest generation of the configuration [master] */
    _Atomic uint32_t reloads;         /* reloads that ended, well or not [master] */
    struct guard reload_guard;
    char reload_why[VERSION_WHY_BYTES]; /* of the last one; empty = it went well [master] */
} __attribute__((aligned(64)));

/* What is read again when which half of it changes: catalog_view() in store/catalog.h. */
uint64_t version_catalog(const struct segment *segment);
/* Recorder, after the commit of a change: then workers read the store again at their next request.
 */
void version_bump_catalog(struct segment *segment);
/* The same for a change of keys, users or plans. */
void version_bump_keys(struct segment *segment);

void version_set_draining(struct segment *segment, bool is);
void version_set_writable(struct segment *segment, bool is);
void version_set_loaded(struct segment *segment, bool is);
void version_set_resolving(struct segment *segment, bool is);
void version_set_usable_accounts(struct segment *segment, uint32_t count);
/* Recorder, from health_assign(): an account has the index `count` - 1. */
void version_raise_accounts(struct segment *segment, uint32_t count);
void version_set_generation(struct segment *segment, uint32_t generation);

/* Master: a reload ended; why empty = well. */
void version_set_reload(struct segment *segment, const char *why);
/* How many have ended, and the last one's reason (empty = it went well). */
uint32_t version_reload(const struct segment *segment, char why[VERSION_WHY_BYTES]);

bool version_is_draining(const struct segment *segment);
bool version_is_writable(const struct segment *segment);
bool version_is_loaded(const struct segment *segment);
bool version_is_resolving(const struct segment *segment);
uint32_t version_usable_accounts(const struct segment *segment);
/* Rows of health from here on were never anybody's: who walks over all stops there. */
uint32_t version_accounts(const struct segment *segment);
uint32_t version_generation(const struct segment *segment);

/* For /readyz: NULL = ready, else the first reason why not, as a word: "draining", "loading",
 * "store_not_writable", "no_account". */
const char *version_why_not_ready(const struct segment *segment);

#endif

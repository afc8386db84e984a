/*
 * catalog.h - what workers and keeper read of the store.
 *
 * Accounts and groups are few and are read whole into a snapshot, which is immutable and replaced
 * when the segment's version word moves (the recorder bumps it after each commit that changed a
 * record). Keys are many: they are looked up by digest, one read transaction each, through a small
 * cache that lives as long as the snapshot. Credentials are opened (unsealed) in the snapshot, in
 * memory that is kept out of core dumps and wiped when it goes.
 *
 * A snapshot in use by a request is kept by a reference count: a request started on it ends on it.
 *
 * Runs in: worker, keeper (read-only environment opened after fork). Dying here holds nothing: the
 * reader slot is cleared by mdb_reader_check in the recorder.
 */
#ifndef STORE_CATALOG_H
#define STORE_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include "store/ledger.h"
#include "store/model.h"
#include "store/pricelist.h"

struct catalog; /* one a process */

/* One account as a worker uses it: the record and what is made of it once. */
struct catalog_account {
    struct account account;    /* sealed bytes cleared */
    struct str secret;         /* opened credential; never log */
    struct str proxy_password; /* opened; empty = none; never log; lives as long as the view */
    uint32_t dialects; /* bit mask of the dialect numbers named in account.dialects; 0 = default */
    uint32_t group_count;
    uint32_t groups[GROUPS_PER_ACCOUNT_MAX]; /* indexes into catalog_view.groups */
    void *extra;    /* upstream's: parsed URL and so on; freed by extra_free */
    bool is_broken; /* credential or dialects cannot be used; the log says why */
};

/* What every choice looks at, in one cache line: a record is sixteen kilobytes long, and a choice
 * looks at all of a group's. */
struct catalog_brief {
    uint64_t id;
    uint64_t tpm;
    uint32_t index;
    uint32_t priority;
    uint32_t weight;
    uint32_t concurrency;
    uint32_t rpm;
    uint32_t dialects; /* what hooks.speaks says; all without it */
    bool is_disabled;
    bool is_broken;  /* or without extra */
    bool has_models; /* a list or a mapping decides which models it serves */
} __attribute__((aligned(64)));

struct catalog_group {
    struct group group;
    const uint32_t *accounts; /* into catalog_view.accounts, by priority then id; disabled and
                               * broken ones included */
    uint32_t account_count;
};

struct catalog_view {
    uint64_t version;
    uint64_t serial; /* of what it shows: views of one serial show the same; 0 = it may change */
    uint32_t references;
    struct catalog_account *accounts; /* by id, disabled ones included */
    uint32_t account_count;
    const struct catalog_brief *briefs; /* [account_count], of `accounts` */
    struct catalog_group *groups;
    uint32_t group_count;
    struct pricelist *prices; /* held by who wants to go on using them: pricelist_hold */
};

/* dialects: how to turn account.dialects text into a mask (proto/dialect.h's function);
 * extra_make/extra_free, speaks: called for each account of a new view; may be NULL. */
struct catalog_hooks {
    enum err (*dialects)(struct str comma_list, uint32_t *out_mask);
    void *(*extra_make)(void *context, const struct catalog_account *account);
    void (*extra_free)(void *context, void *extra);
    uint32_t (*speaks)(const void *extra); /* mask of the dialects that the account speaks */
    uint32_t accounts; /* those whose index is not below are left out; 0 = none is */
    void *context;
};

/* Opens the environment read-only in this process and reads secret.key. After fork only. */
MUST_CHECK enum err catalog_open(const char *store_dir, uint64_t map_bytes,
                                 const struct catalog_hooks *hooks, struct catalog **out);
void catalog_close(struct catalog *catalog);

/* A key for what `label` says, of secret.key: the same in every process and every run. */
void catalog_derive(const struct catalog *catalog, struct str label, struct digest *out);

/* `speaks` may be NULL. */
void catalog_brief(const struct catalog_account *account, uint32_t (*speaks)(const void *extra),
                   struct catalog_brief *out);

/*
 * The current view for `version` (segment's word, read by the caller). Accounts, groups and prices
 * are read only when the lower half of it is another than last time; with another upper half only
 * keys are read anew, each when it is asked for. On failure the old view stays and *out is it (NULL
 * when there never was one); the store is asked again at most once a second then. The pointer is
 * good until the next catalog_view() call unless catalog_hold() is called. Accounts that take long
 * to read (thousands) are read again at the earliest after ten times as long: until then the view
 * shows them as they were, with keys as they are.
 */
MUST_CHECK enum err
catalog_view(struct catalog *catalog, uint64_t version, struct catalog_view **out);
void catalog_hold(struct catalog_view *view);
/* Index into view->groups; UINT32_MAX: none has this id. */
uint32_t catalog_find_group(const struct catalog_view *view, uint64_t id);
void catalog_drop(struct catalog *catalog, struct catalog_view *view);

/*
 * A key and its owner by the key's digest, from the current view's cache or from the store.
 * ERR_GONE: unknown. ERR_FULL: CATALOG_KEYS_MAX keys without a catalog_view() in between. The
 * pointer is good as long as the view: until catalog_view() returns another, or while it is held.
 */
struct catalog_key {
    struct key key;
    struct user user;
    struct plan plan; /* what the user has for the key's group; id 0 = no plan */
    uint32_t group;   /* index into view->groups; UINT32_MAX when its group is gone */
};
MUST_CHECK enum err
catalog_key(struct catalog *catalog, const struct digest *digest, const struct catalog_key **out);

/* Running totals of one object, as the store has them now. ERR_IO: it cannot be read. */
MUST_CHECK enum err
catalog_total(struct catalog *catalog, enum model_kind kind, uint64_t id, struct ledger_total *out);

/* What became of the request of this name (store/outcome.h), with every commit so far: the row's
 * bytes, behind what stands in `out`. ERR_GONE: nothing is known. */
MUST_CHECK enum err
catalog_outcome(struct catalog *catalog, const uint8_t name[CLAIM_NAME_BYTES], struct buf *out);

#endif

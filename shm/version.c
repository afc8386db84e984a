/*
 * version.c - see version.h. Loads and stores of single words; the order that matters is the
 * store's: a record is committed before the catalog's version says so.
 *
 * Runs in: every process.
 */
#include "shm/version.h"

#include <stddef.h>

#include "base/check.h"

#define VERSION_FLAG(name)                                        \
    void version_set_##name(struct segment *segment, bool is)     \
    {                                                             \
        CHECK(segment->version != NULL);                          \
        atomic_store(&segment->version->is_##name, is ? 1u : 0u); \
    }                                                             \
    bool version_is_##name(const struct segment *segment)         \
    {                                                             \
        return atomic_load(&segment->version->is_##name) != 0;    \
    }

VERSION_FLAG(draining)
VERSION_FLAG(writable)
VERSION_FLAG(loaded)
VERSION_FLAG(resolving)

uint64_t
version_catalog(const struct segment *segment)
{
    return atomic_load(&segment->version->catalog);
}

void
version_bump_catalog(struct segment *segment)
{
    CHECK(segment->version != NULL);
    atomic_fetch_add(&segment->version->catalog, 1);
}

void
version_set_usable_accounts(struct segment *segment, uint32_t count)
{
    CHECK(count <= segment->accounts);
    atomic_store(&segment->version->usable_accounts, count);
}

uint32_t
version_usable_accounts(const struct segment *segment)
{
    return atomic_load(&segment->version->usable_accounts);
}

void
version_set_generation(struct segment *segment, uint32_t generation)
{
    CHECK(generation >= version_generation(segment));
    atomic_store(&segment->version->generation, generation);
}

uint32_t
version_generation(const struct segment *segment)
{
    return atomic_load(&segment->version->generation);
}

const char *
version_why_not_ready(const struct segment *segment)
{
    if (version_is_draining(segment)) {
        return "draining";
    }
    if (!version_is_loaded(segment) || !version_is_resolving(segment)) {
        return "loading";
    }
    if (!version_is_writable(segment)) {
        return "store_not_writable";
    }
    return version_usable_accounts(segment) == 0 ? "no_account" : NULL;
}

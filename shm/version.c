/*
 * version.c - see version.h. Loads and stores of single words; the order that matters is the
 * store's: a record is committed before the catalog's version says so.
 *
 * Runs in: every process.
 */
#include "shm/version.h"

#include <string.h>

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
version_bump_keys(struct segment *segment)
{
    CHECK(segment->version != NULL);
    atomic_fetch_add(&segment->version->catalog, 1ull << 32);
}

void
version_raise_accounts(struct segment *segment, uint32_t count)
{
    CHECK(count <= segment->accounts);
    if (atomic_load(&segment->version->accounts) < count) {
        atomic_store(&segment->version->accounts, count);
    }
}

uint32_t
version_accounts(const struct segment *segment)
{
    return atomic_load(&segment->version->accounts);
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

void
version_set_reload(struct segment *segment, const char *why)
{
    struct version_words *words = segment->version;
    guard_write_begin(&words->reload_guard);
    size_t length = strnlen(why, VERSION_WHY_BYTES - 1);
    memcpy(words->reload_why, why, length);
    words->reload_why[length] = '\0';
    guard_write_end(&words->reload_guard);
    atomic_fetch_add(&words->reloads, 1);
}

uint32_t
version_reload(const struct segment *segment, char why[VERSION_WHY_BYTES])
{
    const struct version_words *words = segment->version;
    uint32_t count = atomic_load(&words->reloads);
    uint64_t word = guard_read_begin(&words->reload_guard);
    memcpy(why, words->reload_why, VERSION_WHY_BYTES);
    why[VERSION_WHY_BYTES - 1] = '\0';
    if (!guard_read_ok(&words->reload_guard, word)) {
        memcpy(why, "?", 2);
    }
    return count;
}

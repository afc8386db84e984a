#include "admin/census.h"

#include "admin/recorder.h"
#include "base/check.h"
#include "base/log.h"
#include "shm/health.h"
#include "shm/segment.h"
#include "shm/version.h"
#include "store/ledger.h"

static bool
has_bit(const uint64_t *bits, uint32_t i)
{
    return (bits[i / 64] >> (i % 64) & 1) != 0;
}

/* 1, -1 or 0: by how many there are more now. */
static int
set_bit(uint64_t *bits, uint32_t i, bool is)
{
    int more = (int)is - (int)has_bit(bits, i);
    bits[i / 64] = (bits[i / 64] & ~(1ull << (i % 64))) | (uint64_t)is << (i % 64);
    return more;
}

/* False: the segment has no row for it. */
static bool
count(struct recorder *recorder, const struct account *account, bool is_gone)
{
    struct census *census = &recorder->census;
    uint32_t index = account->index;
    if (index >= recorder->segment->accounts) {
        return false;
    }
    bool is_usable = !is_gone && !account->is_disabled;
    census->known_count += (uint32_t)set_bit(census->known, index, !is_gone);
    census->usable_count += (uint32_t)set_bit(census->usable, index, is_usable);
    CHECK(census->usable_count <= census->known_count);
    CHECK(census->known_count <= recorder->segment->accounts);
    if (!is_gone) {
        health_assign(recorder->segment, index, account->id);
    }
    return true;
}

enum err
census_take(struct recorder *recorder)
{
    static struct account account;
    uint64_t cursor = 0;
    uint32_t beyond = 0;
    enum err err;
    recorder->census = (struct census){ .known_count = 0 };
    while ((err = ledger_next(recorder->ledger, MODEL_ACCOUNT, &cursor, &account)) == ERR_OK) {
        beyond += count(recorder, &account, false) ? 0 : 1;
    }
    if (beyond > 0) {
        log_event(LOG_ERROR, "census",
                  "unused=%u why=\"there are more accounts than [shm] accounts\"", beyond);
    }
    version_set_usable_accounts(recorder->segment, recorder->census.usable_count);
    return err == ERR_EOF ? ERR_OK : err;
}

void
census_note(struct recorder *recorder, const struct account *account, bool is_gone)
{
    (void)count(recorder, account, is_gone);
    version_set_usable_accounts(recorder->segment, recorder->census.usable_count);
}

bool
census_has_room(const struct recorder *recorder)
{
    return recorder->census.known_count < recorder->segment->accounts;
}

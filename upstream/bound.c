#include "upstream/bound.h"

#include "base/check.h"
#include "shm/health.h"

/* Index of the account in the view, which is sorted by id; UINT32_MAX: gone. */
static uint32_t
index_of(const struct catalog_view *view, uint64_t id)
{
    uint32_t low = 0;
    uint32_t high = view->account_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (view->accounts[middle].account.id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < view->account_count && view->accounts[low].account.id == id ? low : UINT32_MAX;
}

static bool
is_in_group(const struct catalog_account *account, uint32_t group)
{
    for (uint32_t i = 0; i < account->group_count; i++) {
        if (account->groups[i] == group) {
            return true;
        }
    }
    return false;
}

const char *
bound_complaint(const struct select_want *want, const struct catalog_account *account)
{
    const struct segment *segment = want->segment;
    uint32_t index = account->account.index;
    if (want->slow_ms != 0 && health_first_byte_ms(segment, index) > want->slow_ms) {
        return "its first bytes take too long";
    }
    if (want->failing_ppm != 0 && health_failure_ppm(segment, index) > want->failing_ppm) {
        return "too many of its requests fail";
    }
    return NULL;
}

/* What is to be said of the bound account; *out_index is its place, when it has one. */
static enum select_result
judge(const struct select_want *want, uint32_t *out_index)
{
    CHECK(want->group < want->view->group_count);
    *out_index = want->bound == 0 ? UINT32_MAX : index_of(want->view, want->bound);
    if (*out_index == UINT32_MAX) {
        return SELECT_NONE;
    }
    const struct catalog_account *account = &want->view->accounts[*out_index];
    bool is_good = is_in_group(account, want->group) && bound_complaint(want, account) == NULL;
    return is_good ? select_judge(want, account) : SELECT_NONE;
}

enum select_result
bound_judge(const struct select_want *want)
{
    uint32_t index = 0;
    return judge(want, &index);
}

enum select_result
bound_take(const struct select_want *want, bool is_queued, struct select_choice *out)
{
    uint32_t index = 0;
    enum select_result result = judge(want, &index);
    if (index == UINT32_MAX) {
        return SELECT_NONE;
    }
    const struct catalog_account *account = &want->view->accounts[index];
    if (result == SELECT_OK && is_queued) {
        return SELECT_NONE;
    }
    if (result == SELECT_OK) {
        result = select_take_account(want, index, out);
    }
    if (result == SELECT_FULL) {
        uint32_t gate = 0;
        if (gate_find(want->segment, GATE_ACCOUNT, account->account.id, &gate) != ERR_OK) {
            return SELECT_NONE;
        }
        *out = (struct select_choice){ .account = account, .gate = gate };
    }
    if (result == SELECT_OK || result == SELECT_FULL) {
        out->account_index = index;
    }
    return result;
}

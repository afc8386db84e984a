#include "admin/recall.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/loop.h"
#include "shm/counter.h"
#include "shm/health.h"
#include "upstream/probe.h"
#include "upstream/reach.h"

/* Both requests of a visit; a provider that dribbles is not waited for longer. */
#define VISIT_MS 60000u

_Static_assert(VISIT_MS < HEALTH_PROBE_MS, "the claim outlives the visit");

/* One account that is being asked. */
struct visit {
    struct probe probe;
    struct loop_timer deadline;
    struct loop_task done; /* frees outside the probe's own call */
    struct recall *recall;
    struct catalog_view *view;
    const struct account *account;
    enum health_reason reason; /* why it rests */
    uint64_t until_ms;
    bool is_used;
    bool is_ended;
};

struct recall {
    struct reach *reach;
    struct catalog *catalog;
    uint32_t interval_ms;
    uint32_t next; /* where in the view the next look begins: all get their turn */
    struct visit visits[RECALL_VISITS];
};

/* --- what is found --- */

enum proof { PROOF_ANSWER, PROOF_ACCEPTED, PROOF_SERVED };

static enum proof
proof_for(enum health_reason reason)
{
    switch (reason) {
    case HEALTH_REASON_CONNECT:
    case HEALTH_REASON_NAME:
    case HEALTH_REASON_TLS:
        return PROOF_ANSWER;
    case HEALTH_REASON_AUTH:
    case HEALTH_REASON_FORBIDDEN:
        return PROOF_ACCEPTED;
    case HEALTH_REASON_NONE:
    case HEALTH_REASON_RATE_LIMITED:
    case HEALTH_REASON_OVERLOADED:
    case HEALTH_REASON_SERVER_ERROR:
    case HEALTH_REASON_TIMEOUT:
    case HEALTH_REASON_PROTOCOL:
    case HEALTH_REASON_BILLING:
    case HEALTH_REASON_ADMIN:
        return PROOF_SERVED;
    }
    return PROOF_SERVED;
}

static enum health_found
judge(enum proof proof, const struct probe_result *result)
{
    bool is_answer = result->status != 0;
    bool is_refused = result->decision.blame == RETRY_BLAME_AUTH;
    bool is_blamed = result->decision.verdict == RETRY_SWITCH;
    switch (proof) {
    case PROOF_ANSWER:
        if (is_answer && (!is_blamed || is_refused)) {
            return HEALTH_FOUND_WELL;
        }
        break;
    case PROOF_ACCEPTED:
        if (is_answer && !is_blamed) {
            return HEALTH_FOUND_WELL;
        }
        break;
    case PROOF_SERVED:
        if (result->is_ok) {
            return HEALTH_FOUND_WELL;
        }
        break;
    }
    return is_blamed && result->decision.blame != RETRY_NO_BLAME ? HEALTH_FOUND_ILL
                                                                 : HEALTH_FOUND_NOTHING;
}

static void
log_visit(const struct visit *visit, const struct health_finding *finding, const char *why)
{
    static const char *const texts[] = {
        [HEALTH_FOUND_NOTHING] = "nothing", [HEALTH_FOUND_WELL] = "well", [HEALTH_FOUND_ILL] = "ill"
    };
    const struct reach *reach = visit->recall->reach;
    uint64_t now_ms = loop_now_ms(reach->loop);
    struct health_view health;
    struct log_line line;
    health_read(reach->segment, visit->account->index, &health);
    log_begin(&line, LOG_INFO, "probe");
    log_text(&line, "account", visit->account->name);
    log_text(&line, "found", texts[finding->found]);
    log_u64(&line, "status", finding->status);
    log_text(&line, "was", health_reason_text(visit->reason));
    log_text(&line, "why", why);
    log_u64(&line, "rest_ms", health.until_ms > now_ms ? health.until_ms - now_ms : 0);
    log_end(&line);
}

/* Deadline and answer may come in one turn: the first one counts. */
static void
end_visit(struct visit *visit, struct health_finding *finding, const char *why)
{
    if (visit->is_ended) {
        return;
    }
    struct reach *reach = visit->recall->reach;
    visit->is_ended = true;
    finding->account_id = visit->account->id;
    finding->until_ms = visit->until_ms;
    health_recalled(reach->segment, reach->slot, visit->account->index, finding,
                    loop_now_ms(reach->loop));
    log_visit(visit, finding, why);
    loop_timer_clear(reach->loop, &visit->deadline);
    loop_defer(reach->loop, &visit->done);
}

static void
on_probed(struct probe *probe, struct str json)
{
    struct visit *visit = LIST_OWNER(probe, struct visit, probe);
    const struct probe_result *result = probe_decided(probe);
    (void)json;
    struct health_finding finding = {
        .found = judge(proof_for(visit->reason), result),
        .reason = retry_reason(result->decision.blame, result->status, result->phase),
        .retry_after_ms = result->retry_after_ms,
        .excerpt = str_of(result->why),
        .status = result->status,
    };
    end_visit(visit, &finding, result->why);
}

static void
on_deadline(struct loop_timer *timer)
{
    struct visit *visit = LIST_OWNER(timer, struct visit, deadline);
    const char *why = "the provider did not answer in time";
    struct health_finding finding = { .found = HEALTH_FOUND_ILL,
                                      .reason = HEALTH_REASON_TIMEOUT,
                                      .excerpt = str_of(why) };
    end_visit(visit, &finding, why);
}

static void
on_done(struct loop_task *task)
{
    struct visit *visit = LIST_OWNER(task, struct visit, done);
    probe_stop(&visit->probe);
    catalog_drop(visit->recall->catalog, visit->view);
    visit->is_used = false;
}

/* --- who is asked --- */

static struct visit *
free_visit(struct recall *recall)
{
    for (uint32_t i = 0; i < RECALL_VISITS; i++) {
        if (!recall->visits[i].is_used) {
            return &recall->visits[i];
        }
    }
    return NULL;
}

static bool
is_due(const struct recall *recall, const struct catalog_account *entry, struct health_view *health)
{
    const struct reach *reach = recall->reach;
    const struct account *account = &entry->account;
    uint64_t now_ms = loop_now_ms(reach->loop);
    if (account->is_disabled || entry->is_broken || entry->extra == NULL ||
        account->index >= reach->segment->accounts ||
        health_ok(reach->segment, account->index, now_ms)) {
        return false;
    }
    health_read(reach->segment, account->index, health);
    uint32_t doublings =
        health->probe_misses < RECALL_DOUBLINGS_MAX ? health->probe_misses : RECALL_DOUBLINGS_MAX;
    return health->account_id == account->id && health->state == HEALTH_COOLING &&
           now_ms >= health->since_ms + ((uint64_t)recall->interval_ms << doublings);
}

static void
start(struct recall *recall, struct visit *visit, struct catalog_view *view,
      const struct catalog_account *entry, enum health_reason reason)
{
    struct reach *reach = recall->reach;
    uint64_t now_ms = loop_now_ms(reach->loop);
    uint64_t until_ms = 0;
    if (!health_recall(reach->segment, entry->account.index, now_ms, &until_ms)) {
        return; /* a request or another keeper was quicker */
    }
    catalog_hold(view);
    visit->recall = recall;
    visit->view = view;
    visit->account = &entry->account;
    visit->reason = reason;
    visit->until_ms = until_ms;
    visit->is_used = true;
    visit->is_ended = false;
    visit->deadline.on_due = on_deadline;
    loop_task_init(&visit->done, on_done);
    loop_timer_set(reach->loop, &visit->deadline, now_ms + VISIT_MS);
    counter_add(reach->segment, reach->slot, COUNTER_PROBES, 1);
    probe_checkup(&visit->probe, reach, entry, proof_for(reason) == PROOF_ANSWER, on_probed);
}

void
recall_look(struct recall *recall, struct catalog_view *view)
{
    struct visit *visit = recall->interval_ms == 0 ? NULL : free_visit(recall);
    for (uint32_t i = 0; visit != NULL && i < view->account_count; i++) {
        const struct catalog_account *entry = &view->accounts[recall->next++ % view->account_count];
        struct health_view health;
        if (is_due(recall, entry, &health)) {
            start(recall, visit, view, entry, health.reason);
            visit = free_visit(recall);
        }
    }
}

void
recall_welcome(struct reach *reach, const struct account *account)
{
    uint64_t now_ms = loop_now_ms(reach->loop);
    struct health_finding finding = { .found = HEALTH_FOUND_WELL,
                                      .account_id = account->id,
                                      .status = 200 };
    if (account->index >= reach->segment->accounts) {
        return;
    }
    if (health_is_disabled(reach->segment, account->index)) {
        health_reset(reach->segment, account->index, now_ms);
    } else if (health_recall(reach->segment, account->index, now_ms, &finding.until_ms)) {
        health_recalled(reach->segment, reach->slot, account->index, &finding, now_ms);
    }
}

/* --- making --- */

enum err
recall_make(struct reach *reach, struct catalog *catalog, uint32_t interval_ms, struct recall **out)
{
    struct recall *recall = calloc(1, sizeof *recall);
    if (recall == NULL) {
        return ERR_FULL;
    }
    bool is_short = interval_ms != 0 && interval_ms < RECALL_INTERVAL_MS_MIN;
    recall->reach = reach;
    recall->catalog = catalog;
    recall->interval_ms = is_short ? RECALL_INTERVAL_MS_MIN : interval_ms;
    *out = recall;
    return ERR_OK;
}

void
recall_free(struct recall *recall)
{
    for (uint32_t i = 0; recall != NULL && i < RECALL_VISITS; i++) {
        struct visit *visit = &recall->visits[i];
        if (visit->is_used) {
            struct health_finding finding = { .found = HEALTH_FOUND_NOTHING };
            end_visit(visit, &finding, "the keeper stops");
            loop_undefer(&visit->done);
            on_done(&visit->done);
        }
    }
    free(recall);
}

#include "admin/trial.h"

#include <stdlib.h>
#include <string.h>

#include "admin/adminconf.h"
#include "admin/api.h"
#include "admin/recorder.h"
#include "base/check.h"
#include "base/loop.h"
#include "http/server.h"
#include "shm/heritage.h"
#include "shm/job.h"

/* One test under way. Lives in its request's arena. */
struct trial {
    struct api_owner owner;
    struct list link;
    struct server_request *request;
    struct recorder *recorder;
    uint32_t job;
    struct loop_timer deadline;
};

static void
end_trial(struct trial *trial)
{
    loop_timer_clear(trial->recorder->loop, &trial->deadline);
    list_remove(&trial->link);
    trial->request->owner = NULL;
}

static void
on_deadline(struct loop_timer *timer)
{
    struct trial *trial = LIST_OWNER(timer, struct trial, deadline);
    struct server_request *request = trial->request;
    job_cancel(trial->recorder->segment, trial->job);
    end_trial(trial);
    api_error(request, 504, "timeout", "The keeper did not finish the test in time");
}

/* The admin hung up. */
static void
on_gone(struct server_request *request)
{
    struct trial *trial = request->owner;
    CHECK(trial != NULL && trial->request == request);
    job_cancel(trial->recorder->segment, trial->job);
    end_trial(trial);
    server_end(request, false);
}

void
trial_start(struct recorder *recorder, struct server_request *request, uint64_t account_id,
            struct str options)
{
    CHECK(request->owner == NULL);
    struct trial *trial = arena_alloc(&request->arena, sizeof *trial);
    if (trial == NULL) {
        api_error(request, 500, "internal_error", "Out of memory");
        return;
    }
    uint64_t deadline_ms = loop_now_ms(recorder->loop) + recorder->heritage->admin->test_timeout_ms;
    enum err err = job_ask(recorder->segment, account_id, options.len == 0 ? STR("{}") : options,
                           deadline_ms, &trial->job);
    if (err != ERR_OK) {
        api_error(request, err == ERR_BAD ? 400 : 503, err == ERR_BAD ? "invalid_request" : "busy",
                  err == ERR_BAD ? "The options are too long" : "Too many tests are under way");
        return;
    }
    trial->owner.on_gone = on_gone;
    trial->request = request;
    trial->recorder = recorder;
    trial->deadline.on_due = on_deadline;
    request->owner = trial;
    list_push_tail(&recorder->trials, &trial->link);
    loop_timer_set(recorder->loop, &trial->deadline, deadline_ms + 1000);
}

void
trial_look(struct recorder *recorder)
{
    struct list *next = NULL;
    for (struct list *link = recorder->trials.next; link != &recorder->trials; link = next) {
        next = link->next;
        struct trial *trial = LIST_OWNER(link, struct trial, link);
        char result[JOB_TEXT_BYTES];
        if (job_take(recorder->segment, trial->job, result) == ERR_OK) {
            struct server_request *request = trial->request;
            end_trial(trial);
            api_answer(request, 200, str_of(result));
        }
    }
    job_tidy(recorder->segment);
}

void
trial_reborn(struct recorder *recorder)
{
    job_reborn(recorder->segment);
}

#include "admin/wish.h"

#include <unistd.h>

#include "admin/api.h"
#include "admin/recorder.h"
#include "base/check.h"
#include "base/loop.h"
#include "http/server.h"
#include "shm/heritage.h"
#include "shm/version.h"

/* A reload waits for the streams of the one before it: as long as that may take. */
#define LOOK_MS 50u
#define PATIENCE_MS 60000u

struct wait {
    struct api_owner owner;
    struct server_request *request;
    struct recorder *recorder;
    struct loop_timer timer;
    uint64_t deadline_ms;
    uint32_t reloads; /* that had ended before */
};

static bool
tell_master(struct server_request *request, char what)
{
    const struct recorder *recorder = server_context(request);
    if (write(recorder->heritage->master_fd, &what, 1) == 1) {
        return true;
    }
    api_error(request, 503, "unavailable", "The master does not listen");
    return false;
}

void
wish_stop(struct server_request *request)
{
    if (tell_master(request, HERITAGE_WISH_STOP)) {
        api_answer(request, 202, STR("{\"ok\":true}"));
    }
}

static void
end(struct wait *wait, const char *why)
{
    struct server_request *request = wait->request;
    loop_timer_clear(wait->recorder->loop, &wait->timer);
    request->owner = NULL;
    if (why[0] == '\0') {
        api_answer(request, 200, STR("{\"ok\":true}"));
    } else {
        api_error(request, 422, "reload_refused", why);
    }
}

static void
on_look(struct loop_timer *timer)
{
    struct wait *wait = LIST_OWNER(timer, struct wait, timer);
    struct loop *loop = wait->recorder->loop;
    char why[VERSION_WHY_BYTES];
    if (version_reload(wait->recorder->segment, why) != wait->reloads) {
        end(wait, why);
    } else if (loop_now_ms(loop) >= wait->deadline_ms) {
        end(wait, "The last reload's streams are still being finished; this one follows then");
    } else {
        loop_timer_set(loop, timer, loop_now_ms(loop) + LOOK_MS);
    }
}

static void
on_gone(struct server_request *request)
{
    struct wait *wait = request->owner;
    CHECK(wait != NULL && wait->request == request);
    loop_timer_clear(wait->recorder->loop, &wait->timer);
    request->owner = NULL;
    server_end(request, false);
}

void
wish_reload(struct server_request *request)
{
    struct recorder *recorder = server_context(request);
    struct wait *wait = arena_alloc(&request->arena, sizeof *wait);
    char why[VERSION_WHY_BYTES];
    if (wait == NULL) {
        api_error(request, 500, "internal_error", "Out of memory");
        return;
    }
    uint64_t now_ms = loop_now_ms(recorder->loop);
    *wait = (struct wait){ .owner = { on_gone },
                           .request = request,
                           .recorder = recorder,
                           .timer = { .on_due = on_look },
                           .deadline_ms = now_ms + PATIENCE_MS,
                           .reloads = version_reload(recorder->segment, why) };
    if (!tell_master(request, HERITAGE_WISH_RELOAD)) {
        return;
    }
    request->owner = wait;
    loop_timer_set(recorder->loop, &wait->timer, now_ms + LOOK_MS);
}

#include "master/care.h"

#include "base/limits.h"

void
care_died(struct care_post *post, uint64_t now_ms, uint64_t lived_ms)
{
    if (lived_ms >= CHILD_QUICK_MS) {
        *post = (struct care_post){ 0 };
        return;
    }
    post->quick_count++;
    if (post->quick_count == 1) {
        post->retry_ms = 0;
        return;
    }
    uint64_t delay_ms = CHILD_DELAY_MS_MIN;
    for (uint32_t i = 2; i < post->quick_count && delay_ms < CHILD_DELAY_MS_MAX; i++) {
        delay_ms *= 2;
    }
    post->retry_ms = now_ms + (delay_ms < CHILD_DELAY_MS_MAX ? delay_ms : CHILD_DELAY_MS_MAX);
}

enum care_act
care_judge(const struct care_child *child, uint64_t now_ms)
{
    if (child->kill_ms != 0) {
        return now_ms >= child->kill_ms ? CARE_KILL : CARE_NOTHING;
    }
    if (child->quit_ms != 0 && now_ms >= child->quit_ms) {
        return CARE_QUIT;
    }
    /* One that never beat gets the same time from its birth on. */
    uint64_t last_ms = child->heartbeat_ms > child->born_ms ? child->heartbeat_ms : child->born_ms;
    if (now_ms > last_ms && now_ms - last_ms >= HEARTBEAT_MS_MAX) {
        return CARE_ABORT;
    }
    return CARE_NOTHING;
}

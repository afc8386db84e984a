#include "worker/penalty.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/check.h"

void
penalty_init(struct penalty *penalty, const struct hash_key *hash, uint32_t failures_max,
             uint32_t window_ms)
{
    memset(penalty, 0, sizeof *penalty);
    penalty->hash = *hash;
    penalty->failures_max = failures_max;
    penalty->window_ms = window_ms;
}

/* A whole IPv4 address, or an IPv6 network: one customer of a provider has all of it. */
static uint64_t
who_is(const struct penalty *penalty, struct str address)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    uint64_t who;
    if (str_copy(text, sizeof text, address) && inet_pton(AF_INET6, text, &v6) == 1 &&
        !IN6_IS_ADDR_V4MAPPED(&v6)) {
        who = hash_bytes(&penalty->hash, str_make((const char *)v6.s6_addr, 8));
    } else {
        who = hash_bytes(&penalty->hash, address);
    }
    return who == 0 ? 1 : who;
}

bool
penalty_is_refused(const struct penalty *penalty, struct str address, uint64_t now_ms,
                   uint64_t *out_retry_after_ms)
{
    if (penalty->failures_max == 0 || now_ms >= penalty->until_ms) {
        return false;
    }
    uint64_t who = who_is(penalty, address);
    const struct penalty_place *place = &penalty->places[who % PENALTY_PLACES];
    uint64_t end_ms = place->since_ms + penalty->window_ms;
    if (place->who != who || place->failures < penalty->failures_max || now_ms >= end_ms) {
        return false;
    }
    *out_retry_after_ms = end_ms - now_ms;
    return true;
}

void
penalty_add(struct penalty *penalty, struct str address, uint64_t now_ms)
{
    CHECK(penalty->window_ms > 0);
    uint64_t who = who_is(penalty, address);
    struct penalty_place *place = &penalty->places[who % PENALTY_PLACES];
    bool is_old = now_ms >= place->since_ms + penalty->window_ms;
    if (place->who != who && place->who != 0 && !is_old) {
        return;
    }
    if (place->who != who || is_old) {
        *place = (struct penalty_place){ .who = who, .since_ms = now_ms };
    }
    place->failures++;
    penalty->until_ms = now_ms + penalty->window_ms;
    if (place->failures == penalty->failures_max) {
        place->since_ms = now_ms; /* the refusal lasts a whole window */
    }
}

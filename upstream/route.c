#include "upstream/route.h"

#include <stdio.h>

#include "shm/names.h"
#include "upstream/address.h"

/* The host that is connected to: the proxy's, or the target's own. */
static struct str
next_hop(const struct target *target, uint16_t *out_port)
{
    if (target->proxy == TARGET_DIRECT) {
        *out_port = target->port;
        return str_of(target->host);
    }
    *out_port = target->proxy_port;
    return str_of(target->proxy_host);
}

static void
set_why(char why[ROUTE_WHY_BYTES], const char *what, const char *detail)
{
    snprintf(why, ROUTE_WHY_BYTES, "%s: %s", what, detail);
}

/* What can be said before an address is known: nobody shall wait for a look-up to hear it. */
static enum err
judge_target(const struct reach *reach, const struct target *target, char why[ROUTE_WHY_BYTES])
{
    if (!target->is_tls && !reach->conf->allow_http) {
        set_why(why, "connect", "http:// base URLs need [upstream] allow_http = yes");
        return ERR_DENIED;
    }
    if (target->proxy != TARGET_DIRECT && !reach->conf->allow_private &&
        !address_may_hand_over(str_of(target->host))) {
        set_why(why, "connect",
                "the address behind the proxy is private or loopback; "
                "[upstream] allow_private = yes allows it");
        return ERR_DENIED;
    }
    return ERR_OK;
}

/* The index-th address that the keeper found. */
static enum err
look_up(const struct reach *reach, struct str host, uint16_t port, uint32_t index,
        struct route *out, char why[ROUTE_WHY_BYTES])
{
    struct names_answer answer;
    enum err err = names_find(reach->segment, host, &answer);
    if (err == ERR_GONE || (err == ERR_OK && answer.state == NAMES_UNKNOWN)) {
        err = names_want(reach->segment, reach->slot, host);
        return err == ERR_OK || err == ERR_FULL ? ERR_AGAIN : ERR_REFUSED;
    }
    if (err != ERR_OK) {
        set_why(why, "resolve", "not a host name");
        return ERR_REFUSED;
    }
    if (answer.count == 0) {
        set_why(why, "resolve", answer.why);
        return ERR_REFUSED;
    }
    if (index >= answer.count) {
        return ERR_REFUSED;
    }
    out->address_bytes = address_make(&answer.addresses[index], port, &out->address);
    return ERR_OK;
}

enum err
route_find(const struct reach *reach, const struct target *target, uint32_t index,
           struct route *out, char why[ROUTE_WHY_BYTES])
{
    enum err err = judge_target(reach, target, why);
    if (err != ERR_OK) {
        return err;
    }
    uint16_t port = 0;
    struct str host = next_hop(target, &port);
    if (address_literal(host, port, &out->address, &out->address_bytes)) {
        err = index == 0 ? ERR_OK : ERR_REFUSED;
    } else {
        err = look_up(reach, host, port, index, out, why);
    }
    if (err == ERR_OK && !reach->conf->allow_private &&
        !address_is_public((const struct sockaddr *)&out->address)) {
        set_why(why, "connect",
                "the address is private or loopback; [upstream] allow_private = yes allows it");
        return ERR_DENIED;
    }
    return err;
}

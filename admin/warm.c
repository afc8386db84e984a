#include "admin/warm.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "http/client.h"
#include "shm/counter.h"
#include "shm/session.h"
#include "upstream/reach.h"
#include "upstream/route.h"
#include "upstream/target.h"

#define LIFE_MS (4u * 3600u * 1000u)
/* A target that failed is left alone for this long. */
#define BACKOFF_MS 60000u
#define FAILED_MAX 256u

struct failed {
    uint64_t session_key;
    uint64_t until_ms;
};

struct warm {
    struct reach *reach;
    uint32_t interval_ms;
    struct client *client; /* NULL = none under way */
    uint64_t session_key;
    char host[TARGET_HOST_BYTES]; /* for the log */
    struct loop_timer deadline;
    struct failed failed[FAILED_MAX];
    uint32_t failed_next;
};

static void
end(struct warm *warm, bool is_good, const char *why)
{
    struct reach *reach = warm->reach;
    loop_timer_clear(reach->loop, &warm->deadline);
    if (!is_good) {
        uint64_t until_ms = loop_now_ms(reach->loop) + BACKOFF_MS;
        warm->failed[warm->failed_next++ % FAILED_MAX] =
            (struct failed){ warm->session_key, until_ms };
        log_event(LOG_WARN, "warm", "host=%s why=\"%s\"", warm->host, why);
    }
    struct client *client = warm->client;
    warm->client = NULL;
    origin_drop(reach->origins, client);
}

static void
on_ready(struct client *client)
{
    struct warm *warm = client->owner;
    struct reach *reach = warm->reach;
    uint8_t session[TLS_SESSION_BYTES_MAX];
    size_t bytes = 0;
    enum err err = tls_session_save(client->conn.tls, session, &bytes);
    if (err == ERR_OK) {
        uint64_t now_ms = loop_now_ms(reach->loop);
        err = session_put(reach->segment, reach->slot, warm->session_key, session, bytes, now_ms,
                          now_ms + LIFE_MS);
        counter_add(reach->segment, reach->slot, COUNTER_HANDSHAKES_FULL, 1);
    }
    explicit_bzero(session, bytes);
    end(warm, err == ERR_OK, "the session could not be kept");
}

static void
on_fail(struct client *client, enum err err)
{
    (void)err;
    struct warm *warm = client->owner;
    end(warm, false, client->why);
}

static const struct client_hooks hooks = { .on_ready = on_ready, .on_fail = on_fail };

static void
on_deadline(struct loop_timer *timer)
{
    struct warm *warm = LIST_OWNER(timer, struct warm, deadline);
    end(warm, false, "no answer in time");
}

static bool
needs_one(const struct warm *warm, const struct target *target)
{
    const struct reach *reach = warm->reach;
    uint64_t now_ms = loop_now_ms(reach->loop);
    /* Through a proxy the first request does it. */
    if (!target->is_tls || target->proxy != TARGET_DIRECT) {
        return false;
    }
    for (uint32_t i = 0; i < FAILED_MAX; i++) {
        if (warm->failed[i].session_key == target->session_key &&
            now_ms < warm->failed[i].until_ms) {
            return false;
        }
    }
    uint8_t session[TLS_SESSION_BYTES_MAX];
    size_t bytes = 0;
    uint64_t stored_ms = 0;
    enum err err = session_find(reach->segment, target->session_key, now_ms, session,
                                sizeof session, &bytes, &stored_ms);
    explicit_bzero(session, sizeof session);
    return err != ERR_OK || now_ms >= stored_ms + warm->interval_ms;
}

static void
start(struct warm *warm, const struct target *target)
{
    struct reach *reach = warm->reach;
    struct route route;
    struct tls_config *config = NULL;
    struct tls *tls = NULL;
    char unreachable[ROUTE_WHY_BYTES];
    char why[TLS_WHY_BYTES];
    if (route_find(reach, target, 0, &route, unreachable) != ERR_OK ||
        reach_tls_config(reach, target, &config, why) != ERR_OK ||
        tls_make(config, str_of(target->host), STR(""), &tls) != ERR_OK) {
        return;
    }
    struct client *client = origin_new(reach->origins);
    if (client == NULL) {
        tls_free(tls);
        return;
    }
    warm->session_key = target->session_key;
    memcpy(warm->host, target->host, sizeof warm->host);
    warm->client = client;
    enum err err = client_open(client, reach->loop, (const struct sockaddr *)&route.address,
                               route.address_bytes, tls, NULL, &hooks);
    client->owner = warm;
    if (err != ERR_OK) {
        end(warm, false, client->why);
        return;
    }
    loop_timer_set(reach->loop, &warm->deadline,
                   loop_now_ms(reach->loop) + reach->conf->connect_ms + reach->conf->handshake_ms);
}

void
warm_look(struct warm *warm, const struct catalog_view *view)
{
    for (uint32_t i = 0; warm->client == NULL && i < view->account_count; i++) {
        const struct catalog_account *account = &view->accounts[i];
        if (!account->account.is_disabled && account->extra != NULL &&
            needs_one(warm, account->extra)) {
            start(warm, account->extra);
        }
    }
}

enum err
warm_make(struct reach *reach, uint32_t interval_ms, struct warm **out)
{
    struct warm *warm = calloc(1, sizeof *warm);
    if (warm == NULL) {
        return ERR_FULL;
    }
    warm->reach = reach;
    warm->interval_ms = interval_ms;
    warm->deadline.on_due = on_deadline;
    *out = warm;
    return ERR_OK;
}

void
warm_free(struct warm *warm)
{
    if (warm != NULL && warm->client != NULL) {
        end(warm, true, "");
    }
    free(warm);
}

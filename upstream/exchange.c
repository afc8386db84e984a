#include "upstream/exchange.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/log.h"
#include "shm/counter.h"
#include "shm/session.h"
#include "upstream/route.h"

/* While a name or a TLS session is awaited: how often to look (the keeper's wake is not ours to
 * see). */
#define POLL_MS 5u
/* Longest wait for another's full handshake; then it is made all the same. */
#define COLD_WAIT_MS 1000u
/* A session is worth keeping as long as servers usually take it back. */
#define SESSION_LIFE_MS (4u * 3600u * 1000u)

static const struct client_hooks hooks;

static void try_address(struct exchange *exchange);

static void
set_phase(struct exchange *exchange, enum exchange_phase phase)
{
    if (exchange->phase == phase) {
        return;
    }
    exchange->phase = phase;
    if (exchange->hooks->on_phase != NULL) {
        exchange->hooks->on_phase(exchange);
    }
}

static void
set_deadline(struct exchange *exchange, uint32_t ms)
{
    struct loop *loop = exchange->reach->loop;
    loop_timer_set(loop, &exchange->timer, loop_now_ms(loop) + ms);
}

static void
count(struct exchange *exchange, enum counter counter)
{
    counter_add(exchange->reach->segment, exchange->reach->slot, counter, 1);
}

static void
release_cold(struct exchange *exchange)
{
    if (exchange->is_cold) {
        CHECK(exchange->reach->cold_count > 0);
        exchange->reach->cold_count--;
        exchange->is_cold = false;
    }
}

static void
drop_client(struct exchange *exchange)
{
    release_cold(exchange);
    if (exchange->client != NULL) {
        exchange->client->owner = NULL;
        origin_drop(exchange->reach->origins, exchange->client);
        exchange->client = NULL;
    }
}

/* Tells the owner at the end of the turn: the caller may be deep inside exchange_start. */
static void
fail(struct exchange *exchange, enum err err)
{
    CHECK(err != ERR_OK);
    drop_client(exchange);
    loop_timer_clear(exchange->reach->loop, &exchange->timer);
    exchange->task_err = err;
    loop_defer(exchange->reach->loop, &exchange->task);
}

static void
on_task(struct loop_task *task)
{
    struct exchange *exchange = LIST_OWNER(task, struct exchange, task);
    struct exchange_failure failure = { .phase = exchange->phase,
                                        .err = exchange->task_err,
                                        .why = exchange->why };
    set_phase(exchange, EXCHANGE_FAILED);
    exchange->hooks->on_fail(exchange, &failure);
}

static void
set_why(struct exchange *exchange, const char *what, const char *detail)
{
    snprintf(exchange->why, sizeof exchange->why, "%s%s%s", what, detail[0] == '\0' ? "" : ": ",
             detail);
}

/* --- sending --- */

static void
send_request(struct exchange *exchange)
{
    struct client *client = exchange->client;
    CHECK(client != NULL && client->state == CLIENT_READY);
    client->hooks = &hooks;
    client->owner = exchange;
    exchange->got_byte = false;
    set_phase(exchange, EXCHANGE_HEAD);
    set_deadline(exchange, exchange->first_byte_ms_max != 0 ? exchange->first_byte_ms_max
                                                            : exchange->reach->conf->first_byte_ms);
    FAULT("exchange.before_send");
    client_send(client, exchange->pieces, exchange->piece_count, exchange->of_head);
}

/* --- connecting --- */

static enum err
find_route(struct exchange *exchange, struct route *out)
{
    return route_find(exchange->reach, exchange->target, exchange->address_index, out,
                      exchange->why);
}

static bool
may_wait_for_session(const struct exchange *exchange)
{
    uint32_t resolve_ms = exchange->reach->conf->resolve_ms;
    uint32_t wait_ms = resolve_ms / 2 < COLD_WAIT_MS ? resolve_ms / 2 : COLD_WAIT_MS;
    return loop_now_ms(exchange->reach->loop) < exchange->started_ms + wait_ms;
}

/* The TLS state for this connection. ERR_AGAIN: enough full handshakes are under way. */
static enum err
make_tls(struct exchange *exchange, struct tls **out)
{
    struct reach *reach = exchange->reach;
    const struct target *target = exchange->target;
    struct tls_config *config = NULL;
    char why[TLS_WHY_BYTES];
    enum err err = reach_tls_config(reach, target, &config, why);
    if (err != ERR_OK) {
        set_why(exchange, "TLS", why);
        return ERR_BAD;
    }
    uint8_t session[TLS_SESSION_BYTES_MAX];
    size_t session_bytes = 0;
    if (session_find(reach->segment, target->session_key, loop_now_ms(reach->loop), session,
                     sizeof session, &session_bytes, NULL) != ERR_OK) {
        session_bytes = 0;
        if (reach->cold_count >= REACH_COLD_MAX && may_wait_for_session(exchange)) {
            return ERR_AGAIN;
        }
        reach->cold_count++;
        exchange->is_cold = true;
    }
    err =
        tls_make(config, str_of(target->host), str_make((const char *)session, session_bytes), out);
    explicit_bzero(session, session_bytes);
    if (err != ERR_OK) {
        release_cold(exchange);
        set_why(exchange, "TLS", "no memory for a connection");
        return ERR_FULL;
    }
    return ERR_OK;
}

static void
connect_to(struct exchange *exchange, const struct route *route, struct tls *tls)
{
    struct reach *reach = exchange->reach;
    const struct target *target = exchange->target;
    struct client *client = origin_new(reach->origins);
    if (client == NULL) {
        tls_free(tls);
        set_why(exchange, "connect", "too many upstream connections in this worker");
        fail(exchange, ERR_FULL);
        return;
    }
    exchange->client = client;
    client->owner = exchange;
    /* Through a plain HTTP proxy a tunnel is used for both schemes: one way for all targets. */
    struct client_proxy proxy = { .host = str_of(target->host),
                                  .port = target->port,
                                  .user = target->proxy_user,
                                  .password = target->proxy_password };
    proxy.kind = target->proxy == TARGET_HTTP_PROXY ? CLIENT_HTTP_PROXY : CLIENT_SOCKS5_PROXY;
    count(exchange, COUNTER_POOL_MISSES);
    set_phase(exchange, EXCHANGE_CONNECT);
    exchange->has_extended = false;
    set_deadline(exchange, reach->conf->connect_ms);
    enum err err = client_open(client, reach->loop, (const struct sockaddr *)&route->address,
                               route->address_bytes, tls,
                               target->proxy == TARGET_DIRECT ? NULL : &proxy, &hooks);
    client->owner = exchange;
    if (err != ERR_OK) {
        set_why(exchange, "connect", client->why);
        exchange->address_index++;
        drop_client(exchange);
        try_address(exchange);
    }
}

/* Looks again shortly, until the phase's deadline. */
static void
poll_again(struct exchange *exchange)
{
    struct loop *loop = exchange->reach->loop;
    uint64_t deadline_ms = exchange->started_ms + exchange->reach->conf->resolve_ms;
    if (loop_now_ms(loop) >= deadline_ms) {
        set_why(exchange, "resolve", "no answer in time");
        fail(exchange, ERR_TIMEOUT);
        return;
    }
    set_phase(exchange, EXCHANGE_RESOLVE);
    loop_timer_set(loop, &exchange->timer, loop_now_ms(loop) + POLL_MS);
}

static void
try_address(struct exchange *exchange)
{
    struct route route;
    enum err err = find_route(exchange, &route);
    if (err == ERR_AGAIN) {
        poll_again(exchange);
        return;
    }
    if (err != ERR_OK) {
        fail(exchange, err == ERR_DENIED ? ERR_DENIED : ERR_REFUSED);
        return;
    }
    struct tls *tls = NULL;
    err = exchange->target->is_tls ? make_tls(exchange, &tls) : ERR_OK;
    if (err == ERR_AGAIN) {
        poll_again(exchange);
        return;
    }
    if (err != ERR_OK) {
        fail(exchange, err);
        return;
    }
    connect_to(exchange, &route, tls);
}

/* --- hooks of the connection --- */

/* A session that was made here, for the others. ERR_AGAIN of tls_session_save: it comes later. */
static void
keep_session(struct exchange *exchange)
{
    struct reach *reach = exchange->reach;
    struct tls *tls = exchange->client->conn.tls;
    uint8_t session[TLS_SESSION_BYTES_MAX];
    size_t bytes = 0;
    if (tls == NULL || tls_was_resumed(tls) || tls_session_save(tls, session, &bytes) != ERR_OK) {
        return;
    }
    uint64_t now_ms = loop_now_ms(reach->loop);
    enum err err = session_put(reach->segment, reach->slot, exchange->target->session_key, session,
                               bytes, now_ms, now_ms + SESSION_LIFE_MS);
    (void)err; /* only a hint: the next connection makes a full handshake */
    explicit_bzero(session, bytes);
}

static void
count_handshake(struct exchange *exchange)
{
    const struct tls *tls = exchange->client->conn.tls;
    if (tls != NULL) {
        count(exchange,
              tls_was_resumed(tls) ? COUNTER_HANDSHAKES_RESUMED : COUNTER_HANDSHAKES_FULL);
    }
}

static void
on_ready(struct client *client)
{
    struct exchange *exchange = client->owner;
    count_handshake(exchange);
    keep_session(exchange);
    release_cold(exchange);
    send_request(exchange);
}

static void
on_head(struct client *client, const struct parser_head *head)
{
    struct exchange *exchange = client->owner;
    exchange->got_byte = true;
    exchange->head_ms = loop_now_ms(exchange->reach->loop);
    set_phase(exchange, EXCHANGE_BODY);
    set_deadline(exchange, exchange->reach->conf->idle_ms);
    exchange->hooks->on_head(exchange, head);
}

static void
on_body(struct client *client, struct str bytes)
{
    struct exchange *exchange = client->owner;
    set_deadline(exchange, exchange->reach->conf->idle_ms);
    exchange->hooks->on_body(exchange, bytes);
}

static void
on_turn(struct client *client)
{
    struct exchange *exchange = client->owner;
    if (exchange != NULL && exchange->hooks->on_turn != NULL) {
        exchange->hooks->on_turn(exchange);
    }
}

static void
on_end(struct client *client, bool can_keep)
{
    struct exchange *exchange = client->owner;
    struct reach *reach = exchange->reach;
    loop_timer_clear(reach->loop, &exchange->timer);
    /* TLS 1.3 sends its ticket after the handshake. */
    if (can_keep && !exchange->is_reused) {
        keep_session(exchange);
    }
    exchange->client = NULL;
    client->owner = NULL;
    if (can_keep) {
        origin_keep(reach->origins, client, exchange->target->origin_key);
    } else {
        origin_drop(reach->origins, client);
    }
    set_phase(exchange, EXCHANGE_DONE);
    exchange->hooks->on_end(exchange);
}

/* A dead kept-alive connection says nothing about the provider: once more on a new one. */
static bool
may_retry(const struct exchange *exchange, enum err err)
{
    return exchange->is_reused && !exchange->has_retried && !exchange->got_byte &&
           (err == ERR_EOF || err == ERR_GONE);
}

static void
on_fail(struct client *client, enum err err)
{
    struct exchange *exchange = client->owner;
    enum client_state state = client->state;
    bool was_tls = state == CLIENT_TLS;
    set_why(exchange, client_state_text(state), client->why);
    if (may_retry(exchange, err)) {
        count(exchange, COUNTER_POOL_STALE);
        exchange->has_retried = true;
        exchange->is_reused = false;
        drop_client(exchange);
        try_address(exchange);
        return;
    }
    if (was_tls) {
        count(exchange, COUNTER_TLS_FAILURES);
        session_drop(exchange->reach->segment, exchange->reach->slot, exchange->target->session_key,
                     loop_now_ms(exchange->reach->loop));
    }
    if (state == CLIENT_CONNECT) {
        count(exchange, COUNTER_CONNECT_FAILURES);
        drop_client(exchange);
        exchange->address_index++;
        try_address(exchange);
        return;
    }
    fail(exchange, err == ERR_OK || err == ERR_AGAIN ? ERR_GONE : err);
}

static const struct client_hooks hooks = { .on_ready = on_ready,
                                           .on_head = on_head,
                                           .on_body = on_body,
                                           .on_turn = on_turn,
                                           .on_end = on_end,
                                           .on_fail = on_fail };

/* --- deadlines --- */

/* The connect deadline came: a connection that is made already gets the handshake's time. */
static bool
extend_connect(struct exchange *exchange)
{
    struct client *client = exchange->client;
    if (exchange->has_extended || client == NULL ||
        (client->state != CLIENT_PROXY && client->state != CLIENT_TLS)) {
        return false;
    }
    exchange->has_extended = true;
    set_deadline(exchange, exchange->reach->conf->handshake_ms);
    return true;
}

static void
on_timer(struct loop_timer *timer)
{
    struct exchange *exchange = LIST_OWNER(timer, struct exchange, timer);
    switch (exchange->phase) {
    case EXCHANGE_RESOLVE:
        try_address(exchange);
        return;
    case EXCHANGE_CONNECT:
        if (extend_connect(exchange)) {
            return;
        }
        if (exchange->client != NULL && exchange->client->state == CLIENT_CONNECT) {
            set_why(exchange, "connecting", "no answer in time");
            drop_client(exchange);
            exchange->address_index++;
            struct route route;
            if (find_route(exchange, &route) == ERR_OK) {
                try_address(exchange);
                return;
            }
        } else {
            set_why(exchange, "handshake", "no answer in time");
        }
        break;
    case EXCHANGE_SEND:
    case EXCHANGE_HEAD:
        set_why(exchange, "first byte", "no answer in time");
        break;
    case EXCHANGE_BODY:
        set_why(exchange, "answer", "silent for too long");
        break;
    case EXCHANGE_IDLE:
    case EXCHANGE_DONE:
    case EXCHANGE_FAILED:
        return;
    }
    count(exchange, COUNTER_TIMEOUTS);
    fail(exchange, ERR_TIMEOUT);
}

/* --- the owner's side --- */

void
exchange_init(struct exchange *exchange, struct reach *reach, const struct exchange_hooks *its)
{
    *exchange = (struct exchange){ .reach = reach, .hooks = its };
    exchange->timer.on_due = on_timer;
    loop_task_init(&exchange->task, on_task);
}

bool
exchange_is_running(const struct exchange *exchange)
{
    return exchange->phase != EXCHANGE_IDLE && exchange->phase != EXCHANGE_DONE &&
           exchange->phase != EXCHANGE_FAILED;
}

bool
exchange_is_sent(const struct exchange *exchange)
{
    return exchange->client == NULL || client_is_sent(exchange->client);
}

void
exchange_forget(struct exchange *exchange)
{
    CHECK(exchange->got_byte || exchange_is_sent(exchange));
    exchange->has_retried = true;
    exchange->piece_count = 0;
}

void
exchange_start(struct exchange *exchange, const struct target *target, const struct str *pieces,
               uint32_t piece_count, bool of_head)
{
    CHECK(!exchange_is_running(exchange) && exchange->client == NULL);
    CHECK(piece_count > 0 && piece_count <= CLIENT_PIECES_MAX);
    exchange->target = target;
    exchange->of_head = of_head;
    exchange->piece_count = piece_count;
    memcpy(exchange->pieces, pieces, piece_count * sizeof pieces[0]);
    exchange->address_index = 0;
    exchange->has_retried = false;
    exchange->head_ms = 0;
    exchange->why[0] = '\0';
    exchange->started_ms = loop_now_ms(exchange->reach->loop);
    count(exchange, COUNTER_UPSTREAM_ATTEMPTS);
    exchange->client = origin_take(exchange->reach->origins, target->origin_key);
    exchange->is_reused = exchange->client != NULL;
    if (exchange->is_reused) {
        count(exchange, COUNTER_POOL_HITS);
        send_request(exchange);
        return;
    }
    try_address(exchange);
}

void
exchange_stop(struct exchange *exchange)
{
    loop_timer_clear(exchange->reach->loop, &exchange->timer);
    loop_undefer(&exchange->task);
    drop_client(exchange);
    if (exchange_is_running(exchange)) {
        exchange->phase = EXCHANGE_FAILED;
    }
}

void
exchange_pause(struct exchange *exchange, bool paused)
{
    if (exchange->client != NULL && exchange->phase == EXCHANGE_BODY) {
        client_pause(exchange->client, paused);
        /* A reader that is slow is not a provider that is silent. */
        if (paused) {
            loop_timer_clear(exchange->reach->loop, &exchange->timer);
        } else {
            set_deadline(exchange, exchange->reach->conf->idle_ms);
        }
    }
}

const char *
exchange_phase_text(enum exchange_phase phase)
{
    switch (phase) {
#define EXCHANGE_TEXT(name, text) \
    case EXCHANGE_##name:         \
        return text;
        EXCHANGE_PHASE_ROWS(EXCHANGE_TEXT)
#undef EXCHANGE_TEXT
    }
    return "unknown";
}

/*
 * client.c - the life of one connection to a provider.
 *
 * Every hook may close the client and give its memory away. So each call of a hook is followed by
 * a look at a flag on the stack (work->is_gone points to it), and nothing is touched when it is
 * set.
 */
#include "http/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/sys.h"
#include "http/tls.h"
#include "http/tunnel.h"

/* One connection's share of a turn, in reads of the scratch buffer: others wait, too. */
#define CLIENT_READS_PER_TURN 4

struct client_work {
    struct iovec parts[CLIENT_PIECES_MAX];
    int part_first; /* not sent whole */
    int part_count;
    bool is_cut;     /* sending ended before the last byte: the answer came first, or an error */
    bool *is_gone;   /* set by client_close; NULL while no hook runs */
    struct tls *tls; /* until the TLS handshake begins */
    struct client_proxy proxy;
    struct tunnel tunnel;
};

/* What one read brought. All connections of the process share it: it is empty between calls. */
static char client_scratch[CLIENT_READ_BYTES];

static void client_advance(struct client *client);

static const char *const client_state_texts[] = {
#define CLIENT_TEXT(name, text) text,
    CLIENT_STATE_ROWS(CLIENT_TEXT)
#undef CLIENT_TEXT
};

const char *
client_state_text(enum client_state state)
{
    CHECK((size_t)state < sizeof(client_state_texts) / sizeof(client_state_texts[0]));
    return client_state_texts[state];
}

/* --- the end --- */

/* Everything but the answer, whose spans a last hook may still read. */
static void
client_shut(struct client *client)
{
    struct client_work *work = client->work;
    client->work = NULL;
    if (work != NULL) {
        if (work->is_gone != NULL) {
            *work->is_gone = true;
        }
        tls_free(work->tls);
        free(work);
    }
    conn_close(&client->conn);
}

void
client_close(struct client *client)
{
    client_shut(client);
    harvest_fini(&client->answer);
    client->state = CLIENT_CLOSED;
}

static void client_explain(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
client_explain(struct client *client, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(client->why, sizeof(client->why), format, args);
    va_end(args);
}

/* The hook may give the client's memory away: it is the last to see it. */
static void
client_fail(struct client *client, enum err err)
{
    CHECK(client->state != CLIENT_CLOSED);
    struct harvest answer = client->answer;
    harvest_init(&client->answer);
    client_shut(client);
    client->hooks->on_fail(client, err);
    harvest_fini(&answer);
}

/* A hook that may close; false: it did, and the client is not to be touched. */
static bool
client_ready(struct client *client)
{
    bool is_gone = false;
    client->state = CLIENT_READY;
    client->work->is_gone = &is_gone;
    client->hooks->on_ready(client);
    if (!is_gone) {
        client->work->is_gone = NULL;
    }
    return !is_gone;
}

/* --- connecting --- */

static void
client_step_tls(struct client *client)
{
    struct conn *conn = &client->conn;
    bool is_done = false;
    enum err err = tls_step(conn->tls, conn->io.fd, &is_done);
    if (err == ERR_AGAIN) {
        return;
    }
    if (err != ERR_OK) {
        client_explain(client, "%s", tls_why(conn->tls));
        client_fail(client, err);
        return;
    }
    if (!is_done) {
        /* The next step may take milliseconds: the other connections come first. */
        conn_again(conn);
        return;
    }
    client->tls_was_resumed = tls_was_resumed(conn->tls);
    conn->can_read = true;
    conn->can_write = true;
    (void)client_ready(client);
}

static void
client_begin_tls(struct client *client)
{
    CHECK(client->conn.tls == NULL);
    if (client->work->tls == NULL) {
        (void)client_ready(client);
        return;
    }
    client->state = CLIENT_TLS;
    client->conn.tls = client->work->tls;
    client->work->tls = NULL;
    client_step_tls(client);
}

/* What the proxy is to be told; it fits the socket's buffer. */
static bool
client_flush_proxy(struct client *client)
{
    enum err err = conn_flush(&client->conn);
    if (err == ERR_OK || err == ERR_AGAIN) {
        return true;
    }
    client_explain(client, "proxy: connection lost while asking");
    client_fail(client, err);
    return false;
}

static void
client_step_proxy(struct client *client)
{
    struct conn *conn = &client->conn;
    while (conn->can_read) {
        enum err read_err = conn_fill(conn);
        if (read_err != ERR_OK && read_err != ERR_AGAIN) {
            client_explain(client, "proxy: %s",
                           read_err == ERR_FULL ? "answer head too large"
                                                : "connection closed before its answer");
            client_fail(client, read_err);
            return;
        }
        enum err err = tunnel_feed(&client->work->tunnel, &conn->in, &conn->out, client->why,
                                   sizeof(client->why));
        if (err == ERR_OK) {
            buf_shrink(&conn->in);
            client_begin_tls(client);
            return;
        }
        if (err != ERR_AGAIN) {
            client_fail(client, err);
            return;
        }
    }
    (void)client_flush_proxy(client);
}

static void
client_step_connect(struct client *client)
{
    if (!client->conn.can_write) {
        return;
    }
    enum err err = sys_connect_result(client->conn.io.fd);
    if (err != ERR_OK) {
        client_explain(client, "connect: %s", sys_why());
        client_fail(client, err);
        return;
    }
    struct client_work *work = client->work;
    if (work->proxy.kind == CLIENT_NO_PROXY) {
        client_begin_tls(client);
        return;
    }
    client->state = CLIENT_PROXY;
    err = tunnel_begin(&work->tunnel, &work->proxy, &client->conn.out);
    if (err != ERR_OK) {
        client_explain(client, "proxy: the target's name or the proxy's password cannot be sent");
        client_fail(client, err);
        return;
    }
    (void)client_flush_proxy(client);
}

static void
client_on_change(struct conn *conn)
{
    struct client *client = LIST_OWNER(conn, struct client, conn);
    switch (client->state) {
    case CLIENT_CONNECT:
        client_step_connect(client);
        break;
    case CLIENT_PROXY:
        client_step_proxy(client);
        break;
    case CLIENT_TLS:
        client_step_tls(client);
        break;
    case CLIENT_READY:
    case CLIENT_SEND:
    case CLIENT_HEAD:
    case CLIENT_BODY:
        client_advance(client);
        break;
    case CLIENT_CLOSED:
        CHECK(!"a closed client gets no events");
    }
}

/* Own fields only: the others are the owner's, also between two lives. */
static void
client_init(struct client *client, const struct client_hooks *hooks)
{
    client->conn = (struct conn){ .io = { .fd = -1 } };
    client->state = CLIENT_CONNECT;
    client->hooks = hooks;
    harvest_init(&client->answer);
    client->answer_bytes = 0;
    client->requests = 0;
    client->is_paused = false;
    client->tls_was_resumed = false;
    client->why[0] = '\0';
    client->work = NULL;
}

/* Connects and registers; what it takes is freed by client_close. */
static enum err
client_connect(struct client *client, struct loop *loop, const struct sockaddr *address,
               socklen_t address_bytes)
{
    int fd = -1;
    enum err err = sys_connect(address, address_bytes, &fd);
    if (err != ERR_OK && err != ERR_AGAIN) {
        client_explain(client, "connect: %s", sys_why());
        return err;
    }
    err =
        conn_open(&client->conn, loop, fd, HEAD_BYTES_MAX, TUNNEL_OUT_BYTES_MAX, client_on_change);
    if (err != ERR_OK) {
        client_explain(client, "too many connections of this process");
        sys_close(&fd);
        return err;
    }
    client->conn.can_write = false; /* the event that says connected sets it */
    return ERR_OK;
}

enum err
client_open(struct client *client, struct loop *loop, const struct sockaddr *address,
            socklen_t address_bytes, struct tls *tls, const struct client_proxy *proxy,
            const struct client_hooks *hooks)
{
    client_init(client, hooks);
    client->work = calloc(1, sizeof(*client->work));
    if (client->work == NULL) {
        tls_free(tls);
        client_explain(client, "no memory");
        client_close(client);
        return ERR_IO;
    }
    client->work->tls = tls;
    if (proxy != NULL) {
        client->work->proxy = *proxy;
    }
    enum err err = client_connect(client, loop, address, address_bytes);
    if (err != ERR_OK) {
        client_close(client);
    }
    return err;
}

/* --- sending --- */

bool
client_is_sent(const struct client *client)
{
    return client->work != NULL && !client->work->is_cut &&
           client->work->part_first == client->work->part_count;
}

static void
client_count_sent(struct client_work *work, size_t sent)
{
    while (work->part_first < work->part_count && sent >= work->parts[work->part_first].iov_len) {
        sent -= work->parts[work->part_first++].iov_len;
    }
    if (sent > 0) {
        CHECK(work->part_first < work->part_count);
        struct iovec *part = &work->parts[work->part_first];
        part->iov_base = (char *)part->iov_base + sent;
        part->iov_len -= sent;
    }
}

/* A provider that refuses may answer and close before it has read everything: after an error the
 * answer is looked for, and only its absence is the failure. */
static void
client_push(struct client *client)
{
    struct client_work *work = client->work;
    struct conn *conn = &client->conn;
    while (!work->is_cut && work->part_first < work->part_count && conn->can_write) {
        size_t sent = 0;
        enum err err = conn_sendv(conn, work->parts + work->part_first,
                                  work->part_count - work->part_first, &sent);
        client_count_sent(work, sent);
        if (err != ERR_OK && err != ERR_AGAIN) {
            work->is_cut = true;
            conn->can_read = true;
            if (conn->tls != NULL) {
                tls_note_readable(conn->tls, true);
            }
            conn_again(conn);
        }
    }
    if (client_is_sent(client)) {
        client->state = CLIENT_HEAD;
    }
}

void
client_send(struct client *client, const struct str *pieces, uint32_t piece_count,
            bool is_head_request)
{
    CHECK(client->state == CLIENT_READY);
    CHECK(piece_count <= CLIENT_PIECES_MAX);
    struct client_work *work = client->work;
    work->part_first = 0;
    work->part_count = 0;
    for (uint32_t i = 0; i < piece_count; i++) {
        if (pieces[i].len > 0) {
            /* iovec has no const; sending does not write. */
            union {
                const char *in;
                void *out;
            } data = { .in = pieces[i].data };
            work->parts[work->part_count++] = (struct iovec){ data.out, pieces[i].len };
        }
    }
    CHECK(work->part_count > 0);
    work->is_cut = false;
    harvest_begin(&client->answer, is_head_request);
    client->answer_bytes = 0;
    client->is_paused = false;
    client->why[0] = '\0';
    client->requests++;
    client->state = CLIENT_SEND;
    client_push(client);
}

/* --- an answer --- */

/* May the connection be used again? Not when anything is left that no request belongs to. */
static bool
client_can_keep(struct client *client, size_t spare_bytes)
{
    struct conn *conn = &client->conn;
    if (!client->answer.head.keep_alive || client->answer.head.framing == PARSER_UNTIL_CLOSE ||
        spare_bytes > 0 || !client_is_sent(client) || client->requests >= REQUESTS_PER_CONN_MAX) {
        return false;
    }
    /* The last read filled the whole buffer: is there one byte more? */
    if (conn->can_read) {
        char spare;
        size_t got = 0;
        if (conn_read(conn, &spare, 1, &got) != ERR_AGAIN) {
            return false;
        }
    }
    return !conn->peer_ended && !conn->is_dead;
}

/* The head's spans live until the hook returns; nothing of the client is touched after it. */
static void
client_end(struct client *client, size_t spare_bytes)
{
    bool can_keep = client_can_keep(client, spare_bytes);
    struct harvest answer = client->answer;
    harvest_init(&client->answer);
    client->is_paused = false;
    if (can_keep) {
        client->state = CLIENT_READY;
    } else {
        client_shut(client);
        client->state = CLIENT_CLOSED;
    }
    client->hooks->on_end(client, can_keep);
    harvest_fini(&answer);
}

/* false: the hook closed the client. */
static bool
client_give(struct client *client, enum harvest_event event, struct str body)
{
    bool is_gone = false;
    client->work->is_gone = &is_gone;
    if (event == HARVEST_HEAD) {
        /* Pieces need to live until on_head only: what is not sent by now is never sent. */
        client->work->is_cut = client->work->is_cut || !client_is_sent(client);
        client->state = CLIENT_BODY;
        client->hooks->on_head(client, &client->answer.head);
    } else {
        client->hooks->on_body(client, body);
    }
    if (!is_gone) {
        client->work->is_gone = NULL;
    }
    return !is_gone;
}

/* false: the client is closed, or its answer is over. */
static bool
client_take(struct client *client, struct str bytes)
{
    for (;;) {
        struct str body;
        enum harvest_event event = harvest_next(&client->answer, &bytes, &body);
        switch (event) {
        case HARVEST_MORE:
            return true;
        case HARVEST_HEAD:
        case HARVEST_BODY:
            if (!client_give(client, event, body)) {
                return false;
            }
            break;
        case HARVEST_END:
            client_end(client, bytes.len);
            return false;
        case HARVEST_BROKEN:
            client_explain(client, "bad answer: %s", client->answer.why);
            client_fail(client, ERR_BAD);
            return false;
        }
    }
}

static void
client_on_read_end(struct client *client, enum err err)
{
    const char *how = err == ERR_EOF ? "closed" : "reset or cut";
    if (client->state == CLIENT_READY) {
        client_explain(client, "idle connection %s by the provider", how);
    } else if (err == ERR_EOF && harvest_finish(&client->answer) == HARVEST_END) {
        client_end(client, 0);
        return;
    } else if (client->answer_bytes == 0) {
        client_explain(client, "connection %s before an answer", how);
    } else {
        client_explain(client, "connection %s in the middle of the answer", how);
    }
    client_fail(client, err);
}

/* Reads what there is. false: the client is closed, or its answer is over. */
static bool
client_pull(struct client *client)
{
    struct conn *conn = &client->conn;
    for (int reads = 0; conn->can_read && !client->is_paused; reads++) {
        if (reads == CLIENT_READS_PER_TURN) {
            conn_again(conn);
            return true;
        }
        size_t got = 0;
        enum err err = conn_read(conn, client_scratch, sizeof(client_scratch), &got);
        if (err == ERR_AGAIN && client->state == CLIENT_SEND && client->work->is_cut) {
            err = ERR_GONE; /* sending failed and no answer explains it */
        }
        if (err == ERR_AGAIN) {
            return true;
        }
        if (err != ERR_OK) {
            client_on_read_end(client, err);
            return false;
        }
        if (client->state == CLIENT_READY) {
            client_explain(client, "the provider spoke without being asked");
            client_fail(client, ERR_BAD);
            return false;
        }
        client->answer_bytes += got;
        if (!client_take(client, str_make(client_scratch, got))) {
            return false;
        }
    }
    return true;
}

static void
client_advance(struct client *client)
{
    if (client->state == CLIENT_SEND) {
        client_push(client);
    }
    uint64_t before = client->answer_bytes;
    if (client_pull(client) && client->state == CLIENT_BODY && client->answer_bytes != before) {
        client->hooks->on_turn(client);
    }
}

void
client_pause(struct client *client, bool paused)
{
    if (client->is_paused == paused || !conn_is_open(&client->conn)) {
        return;
    }
    client->is_paused = paused;
    if (!paused && client->conn.can_read) {
        conn_again(&client->conn);
    }
}

/*
 * client.h - our side of a provider: one connection, one request at a time.
 *
 *   CONNECT -> PROXY? -> TLS? -> READY -client_send-> SEND -> HEAD -> BODY -on_end-> READY | CLOSED
 *
 * The body of a request is sent from the caller's spans without a copy. An answer's head is
 * collected bounded and parsed; body bytes are handed over as spans of a scratch buffer shared by
 * all connections of the process, valid during the call only. Compressed answers are handed over as
 * they come (we ask for identity). Interim 1xx answers are skipped, bounded.
 *
 * No deadlines in here: exchange.c knows which phase may take how long and calls client_close.
 * Every hook may call client_close; after it nothing more is called.
 *
 * Runs in: worker, keeper. Process death: the kernel closes the socket.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/str.h"
#include "http/conn.h"
#include "http/harvest.h"
#include "http/parser.h"
#include "http/tls.h"

struct client;

#define CLIENT_WHY_BYTES 160
#define CLIENT_READ_BYTES 65536u /* the scratch buffer: one read of an answer */

/* X(name, text) */
#define CLIENT_STATE_ROWS(X)          \
    X(CONNECT, "connecting")          \
    X(PROXY, "asking the proxy")      \
    X(TLS, "TLS handshake")           \
    X(READY, "ready")                 \
    X(SEND, "sending the request")    \
    X(HEAD, "waiting for the answer") \
    X(BODY, "reading the answer")     \
    X(CLOSED, "closed")

enum client_state {
#define CLIENT_ENUM(name, text) CLIENT_##name,
    CLIENT_STATE_ROWS(CLIENT_ENUM)
#undef CLIENT_ENUM
};

struct client_hooks {
    /* Connected, proxied and encrypted as wanted: client_send may be called. */
    void (*on_ready)(struct client *client);
    /* A final answer's head; spans live until on_end, on_fail or client_close. */
    void (*on_head)(struct client *client, const struct parser_head *head);
    /* Body bytes in order, unframed. `bytes` is valid during the call only. What one read brought
     * (at most CLIENT_READ_BYTES) is handed over also when client_pause is called meanwhile. */
    void (*on_body)(struct client *client, struct str bytes);
    /* All bytes that one turn's reads brought were handed over: the place to flush to the other
     * side. Not called behind on_end. */
    void (*on_turn)(struct client *client);
    /* The answer is whole. can_keep: the connection may serve another request (client_send may be
     * called here); else it is closed already. */
    void (*on_end)(struct client *client, bool can_keep);
    /*
     * It failed in `client->state` (as it was); err and client->why tell. ERR_EOF/ERR_GONE in HEAD
     * without a byte of the answer on a kept-alive connection is what retries on a new one. The
     * connection is closed already. An idle (READY, kept) connection that the provider closes also
     * comes here.
     */
    void (*on_fail)(struct client *client, enum err err);
};

struct client_proxy {
    enum { CLIENT_NO_PROXY, CLIENT_HTTP_PROXY, CLIENT_SOCKS5_PROXY } kind;
    struct str host; /* the target's, as the proxy shall resolve it */
    uint16_t port;
    struct str user; /* of the proxy; empty = none */
    struct str password;
};

struct client {
    struct conn conn; /* conn.tls is there from the TLS handshake on (tls_session_save) */
    enum client_state state;
    const struct client_hooks *hooks;
    struct harvest answer; /* its head: answer.head */
    uint64_t answer_bytes; /* of the current answer, on the wire */
    uint32_t requests;     /* sent over this connection */
    bool is_paused;
    bool tls_was_resumed;
    char why[CLIENT_WHY_BYTES]; /* for the log and account test: "certificate has expired" */
    struct client_work *work;   /* private: what is being connected or sent */
    struct list idle_link;      /* origin.c's, while kept */
    void *owner;
    uint64_t origin_key;    /* origin.c's */
    uint64_t idle_since_ms; /* origin.c's */
};

/*
 * Starts connecting to one address. `tls`: NULL for plain; taken over (also on failure). The proxy
 * spans need to live until on_ready. on_ready or on_fail follows, never from inside this call.
 * Memory of *client is the caller's (from a pool, zeroed before its first use) and must stay until
 * closed; owner, idle_link, origin_key and idle_since_ms are not touched.
 * Not ERR_OK: no hook follows, client->why tells; ERR_REFUSED: the network's word, else our own.
 */
MUST_CHECK enum err
client_open(struct client *client, struct loop *loop, const struct sockaddr *address,
            socklen_t address_bytes, struct tls *tls, const struct client_proxy *proxy,
            const struct client_hooks *hooks);

/* In READY: sends the pieces in order; they must live until on_head, on_end or on_fail. At most
 * CLIENT_PIECES_MAX. */
#define CLIENT_PIECES_MAX 16
void client_send(struct client *client, const struct str *pieces, uint32_t piece_count,
                 bool is_head_request);
/* Are all request bytes handed to the kernel? An answer may come before. */
bool client_is_sent(const struct client *client);

/* Stops and resumes reading (back-pressure). */
void client_pause(struct client *client, bool paused);

/* Closes at once; no hook is called any more. */
void client_close(struct client *client);

const char *client_state_text(enum client_state state);

#endif

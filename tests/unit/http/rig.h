/*
 * rig.h - a server on loopback with an owner that answers by path, and clients to talk to it, all
 * in one process and one loop.
 *
 *   /deny      401 at on_head, the body is not taken
 *   /later     answered when rig_release() is called
 *   /stream    chunks "one", "two", "three", each flushed
 *   /cut       one chunk, then cut
 *   /big       an answer of rig->big_bytes
 *   /bytes     an answer without body, the body's length in x-bytes
 *   others     200, "METHOD path length:body"
 */
#ifndef TESTS_UNIT_HTTP_RIG_H
#define TESTS_UNIT_HTTP_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "http/httpconf.h"
#include "http/server.h"

struct rig {
    struct loop *loop;
    struct server *server;
    struct httpconf conf;
    int listen_fd;
    char path[108];              /* of a UNIX socket; empty = TCP */
    struct server_request *held; /* by /later */
    struct buf events;           /* "head ", "body ", "half ", "gone ", "room ", "bad:408 " */
    bool ends_when_gone;         /* on_gone(false) ends the request */
    bool ends_when_half;
    uint64_t take_max; /* given to server_take_body */
    size_t big_bytes;
    uint64_t body_bytes; /* of the last request */
    uint32_t uid;        /* what server_peer_uid said last */
};

/* Small deadlines; fields of rig->conf may be changed before rig_start. */
void rig_init(struct rig *rig);
void rig_start(struct rig *rig, uint32_t conns_max);
void rig_stop(struct rig *rig);

/* A client's socket, nonblocking. */
int rig_connect(struct rig *rig);
void rig_send(struct rig *rig, int fd, const char *text);
void rig_send_bytes(struct rig *rig, int fd, const void *bytes, size_t len);
/* Turns of the loop for so long. */
void rig_pump(struct rig *rig, uint64_t ms);
/* What the client reads until `mark` stands in it, the peer closes, or 3 s pass; static memory. */
const char *rig_read(struct rig *rig, int fd, const char *mark);
/* Bytes of the last rig_read. */
size_t rig_read_bytes(void);
/* Has the server closed this connection? ('E' end, 'R' reset, 0 open) within ms. */
char rig_closed(struct rig *rig, int fd, uint64_t ms);
/* Pumps until this stands in the events, at most 3 s. */
bool rig_saw(struct rig *rig, const char *event);
/* Answers the held request. */
void rig_release(struct rig *rig, const char *text);
/* connect + send + read + close. */
const char *rig_talk(struct rig *rig, const char *text, const char *mark);

#endif

/*
 * accept.c - new connections: a bounded number a turn, paused while there are no descriptors.
 *
 * Runs in: worker, recorder.
 */
#include "base/check.h"
#include "base/log.h"
#include "base/sys.h"
#include "http/caller.h"

/* How long accepting rests when the process is out of descriptors and nothing could be closed. */
#define PAUSE_MS 100u

static void
pause_all(struct server *server, bool paused)
{
    server->is_paused = paused;
    for (uint32_t i = 0; i < server->listener_count; i++) {
        loop_pause(server->loop, &server->listeners[i].io, paused);
    }
}

static void
on_pause_over(struct loop_timer *timer)
{
    struct server *server = LIST_OWNER(timer, struct server, pause_timer);
    if (server->is_paused) {
        pause_all(server, false);
    }
}

/* A level-triggered descriptor that cannot be served would spin the loop. */
static void
pause_accepting(struct server *server)
{
    log_event(LOG_WARN, "accept", "why=%s conns=%u", sys_why(), server->conn_count);
    (void)caller_close_idle(server);
    pause_all(server, true);
    server->pause_timer.on_due = on_pause_over;
    loop_timer_set(server->loop, &server->pause_timer, loop_now_ms(server->loop) + PAUSE_MS);
}

void
accept_resume(struct server *server)
{
    if (server->is_paused) {
        loop_timer_clear(server->loop, &server->pause_timer);
        pause_all(server, false);
    }
}

static void
on_connections(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct listener *listener = LIST_OWNER(io, struct listener, io);
    struct server *server = listener->server;
    for (uint32_t i = 0; i < ACCEPTS_PER_TURN && !server->is_paused; i++) {
        struct sockaddr_storage address;
        socklen_t bytes = sizeof(address);
        int fd = -1;
        enum err err = sys_accept(io->fd, &address, &bytes, &fd);
        if (err == ERR_FULL) {
            pause_accepting(server);
        }
        if (err != ERR_OK) {
            return;
        }
        caller_make(server, fd, &address);
        if (server->listener_count == 0) {
            return;
        }
    }
}

enum err
accept_add(struct server *server, int listen_fd)
{
    CHECK(!server->is_draining);
    if (server->listener_count == LISTENS_MAX) {
        return ERR_FULL;
    }
    struct listener *listener = &server->listeners[server->listener_count];
    *listener = (struct listener){ .server = server };
    listener->io.fd = -1;
    listener->io.on_ready = on_connections;
    enum err err = loop_add_level(server->loop, &listener->io, listen_fd);
    if (err == ERR_OK) {
        server->listener_count++;
    }
    return err;
}

void
accept_stop(struct server *server)
{
    for (uint32_t i = 0; i < server->listener_count; i++) {
        /* A copy that stays open has its share of the new connections, and nobody to take them. */
        int fd = server->listeners[i].io.fd;
        loop_remove(server->loop, &server->listeners[i].io);
        sys_close(&fd);
    }
    server->listener_count = 0;
    loop_timer_clear(server->loop, &server->pause_timer);
    server->is_paused = false;
}

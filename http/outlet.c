/*
 * outlet.c - see outlet.h.
 */
#include "http/outlet.h"

#include <string.h>

#include "base/check.h"

uint32_t
outlet_pending(const struct outlet *outlet, const struct conn *conn)
{
    uint32_t held = outlet->owner == conn ? outlet->len : 0;
    CHECK(held == 0 || buf_len(&conn->out) == 0);
    return held + buf_len(&conn->out);
}

/* Moves what is collected to its connection's own buffer. A connection that cannot have the memory
 * is dead: its answer would have a hole. */
static void
move_out(struct outlet *outlet)
{
    struct conn *conn = outlet->owner;
    outlet->owner = NULL;
    if (conn != NULL && outlet->len > 0 &&
        conn_write(conn, str_make(outlet->bytes, outlet->len)) != ERR_OK) {
        conn->is_dead = true;
        conn_again(conn);
    }
    outlet->len = 0;
}

static size_t
parts_bytes(const struct str *parts, uint32_t part_count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < part_count; i++) {
        bytes += parts[i].len;
    }
    return bytes;
}

/* Skips `sent` bytes of the parts and keeps the rest in conn->out, as far as there is room. */
static enum err
keep_rest(struct conn *conn, const struct str *parts, uint32_t part_count, size_t sent,
          size_t *out_left)
{
    for (uint32_t i = 0; i < part_count; i++) {
        if (sent >= parts[i].len) {
            sent -= parts[i].len;
            continue;
        }
        struct str rest = str_skip(parts[i], sent);
        sent = 0;
        struct str fits = rest;
        uint32_t room = buf_room(&conn->out);
        if (fits.len > room) {
            fits.len = room;
        }
        if (fits.len > 0 && conn_write(conn, fits) != ERR_OK) {
            conn->is_dead = true;
            return ERR_GONE;
        }
        *out_left += rest.len - fits.len;
    }
    return ERR_OK;
}

/* Too much for the outlet: everything goes to the kernel at once, without being copied first. */
static enum err
send_through(struct outlet *outlet, struct conn *conn, const struct str *parts, uint32_t part_count,
             size_t *out_left)
{
    struct str all[OUTLET_PARTS_MAX + 1];
    struct iovec vec[OUTLET_PARTS_MAX + 1];
    uint32_t count = 0;
    if (outlet->owner == conn && outlet->len > 0) {
        all[count++] = str_make(outlet->bytes, outlet->len);
    }
    for (uint32_t i = 0; i < part_count; i++) {
        all[count++] = parts[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        vec[i] = (struct iovec){ (void *)(uintptr_t)all[i].data, all[i].len };
    }
    size_t sent = 0;
    enum err err = buf_len(&conn->out) > 0 || !conn->can_write
                       ? ERR_AGAIN
                       : conn_sendv(conn, vec, (int)count, &sent);
    if (outlet->owner == conn) {
        outlet->owner = NULL;
    }
    if (err != ERR_OK && err != ERR_AGAIN) {
        return ERR_GONE;
    }
    return keep_rest(conn, all, count, sent, out_left);
}

/* `bytes`: of all parts. */
static inline enum err
put_most(struct outlet *outlet, struct conn *conn, const struct str *parts, uint32_t part_count,
         size_t bytes, size_t *out_left)
{
    CHECK(part_count <= OUTLET_PARTS_MAX);
    *out_left = 0;
    uint32_t held = outlet->owner == conn ? outlet->len : 0;
    if (buf_len(&conn->out) > 0 || bytes > SERVER_OUT_BYTES - held) {
        return send_through(outlet, conn, parts, part_count, out_left);
    }
    if (outlet->owner != conn) {
        move_out(outlet);
        outlet->owner = conn;
    }
    for (uint32_t i = 0; i < part_count; i++) {
        if (parts[i].len > 0) {
            memcpy(outlet->bytes + outlet->len, parts[i].data, parts[i].len);
            outlet->len += (uint32_t)parts[i].len;
        }
    }
    return ERR_OK;
}

enum err
outlet_put_most(struct outlet *outlet, struct conn *conn, const struct str *parts,
                uint32_t part_count, size_t *out_left)
{
    if (conn->is_dead) {
        *out_left = 0;
        return ERR_GONE;
    }
    return put_most(outlet, conn, parts, part_count, parts_bytes(parts, part_count), out_left);
}

enum err
outlet_put(struct outlet *outlet, struct conn *conn, const struct str *parts, uint32_t part_count)
{
    if (conn->is_dead) {
        return ERR_GONE;
    }
    size_t bytes = parts_bytes(parts, part_count);
    if (bytes > CONN_OUT_BYTES_MAX - outlet_pending(outlet, conn)) {
        return ERR_FULL;
    }
    size_t left = 0;
    enum err err = put_most(outlet, conn, parts, part_count, bytes, &left);
    CHECK(left == 0);
    return err;
}

enum err
outlet_flush(struct outlet *outlet, struct conn *conn)
{
    if (conn->is_dead) {
        return ERR_GONE;
    }
    if (outlet->owner == conn) {
        size_t left = 0;
        enum err err = send_through(outlet, conn, NULL, 0, &left);
        CHECK(left == 0);
        if (err != ERR_OK) {
            return ERR_GONE;
        }
    }
    /* Until the kernel says no: only then does it tell when there is room again. */
    enum err err = buf_len(&conn->out) == 0 ? ERR_OK : conn_flush(conn);
    return err == ERR_OK || err == ERR_AGAIN ? err : ERR_GONE;
}

void
outlet_drop(struct outlet *outlet, const struct conn *conn)
{
    if (outlet->owner == conn) {
        outlet->owner = NULL;
        outlet->len = 0;
    }
}

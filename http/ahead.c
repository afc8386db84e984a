/*
 * ahead.c - one read for many small ones.
 */
#include "http/ahead.h"

#include "base/check.h"
#include "base/sys.h"

#define AHEAD_BYTES 32768u /* one read: two of the largest TLS records */

static unsigned char ahead_scratch[AHEAD_BYTES];
static size_t ahead_start;
static size_t ahead_end;

void
ahead_init(struct ahead *ahead)
{
    *ahead = (struct ahead){ .is_lazy = false };
    buf_init(&ahead->kept, AHEAD_BYTES);
}

void
ahead_fini(struct ahead *ahead)
{
    buf_fini(&ahead->kept);
}

void
ahead_enter(const struct ahead *ahead)
{
    (void)ahead;
    CHECK(ahead_start == ahead_end);
}

enum err
ahead_leave(struct ahead *ahead)
{
    struct str rest = { (const char *)ahead_scratch + ahead_start, ahead_end - ahead_start };
    ahead_start = 0;
    ahead_end = 0;
    /* The kernel is asked only when nothing is kept, so the rest of one read always fits. */
    CHECK(rest.len <= buf_room(&ahead->kept));
    enum err err = rest.len == 0 ? ERR_OK : buf_append(&ahead->kept, rest);
    buf_shrink(&ahead->kept);
    return err;
}

static enum err
ahead_fill(struct ahead *ahead, int fd)
{
    if (ahead->is_dry) {
        return ERR_AGAIN;
    }
    size_t got = 0;
    enum err err = sys_recv(fd, ahead_scratch, sizeof(ahead_scratch), &got);
    if (err == ERR_OK) {
        ahead->is_dry = ahead->is_lazy && !ahead->is_ended && got < sizeof(ahead_scratch);
        ahead_start = 0;
        ahead_end = got;
    }
    return err;
}

enum err
ahead_recv(struct ahead *ahead, int fd, void *to, size_t bytes, size_t *out_got)
{
    struct str there = buf_str(&ahead->kept);
    bool is_kept = there.len > 0;
    if (!is_kept) {
        enum err err = ahead_start == ahead_end ? ahead_fill(ahead, fd) : ERR_OK;
        if (err != ERR_OK) {
            return err;
        }
        there = str_make((const char *)ahead_scratch + ahead_start, ahead_end - ahead_start);
    }
    size_t taken = bytes < there.len ? bytes : there.len;
    memcpy(to, there.data, taken);
    if (is_kept) {
        buf_consume(&ahead->kept, (uint32_t)taken);
    } else {
        ahead_start += taken;
    }
    *out_got = taken;
    return ERR_OK;
}

void
ahead_note(struct ahead *ahead, bool ended)
{
    ahead->is_dry = false;
    ahead->is_ended = ahead->is_ended || ended;
}

/* TLS sessions: whole or not at all, and no death blocks an entry. */
#include <criterion/criterion.h>

#include "shm/session.h"
#include "tests/unit/shm/testseg.h"

static unsigned char bytes[TLS_SESSION_BYTES_MAX];

static enum err
find(struct segment *segment, uint64_t key, uint64_t now_ms, unsigned char *out, size_t *out_bytes)
{
    return session_find(segment, key, now_ms, out, TLS_SESSION_BYTES_MAX, out_bytes, NULL);
}

Test(session, is_kept_until_it_expires_or_is_dropped)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    unsigned char out[TLS_SESSION_BYTES_MAX];
    size_t got = 0;
    uint64_t stored_ms = 0;
    memset(bytes, 42, sizeof bytes);
    cr_expect(find(segment, 9, 0, out, &got) == ERR_GONE);
    cr_expect(session_put(segment, 0, 9, bytes, sizeof bytes, 100, 200) == ERR_OK);
    cr_expect(session_find(segment, 9, 150, out, sizeof out, &got, &stored_ms) == ERR_OK);
    cr_expect(got == sizeof bytes && memcmp(out, bytes, got) == 0 && stored_ms == 100);
    cr_expect(session_find(segment, 9, 150, out, 10, &got, NULL) == ERR_GONE, "no room");
    cr_expect(find(segment, 9, 200, out, &got) == ERR_GONE, "expired");
    cr_expect(session_put(segment, 1, 9, bytes, 10, 300, 400) == ERR_OK);
    cr_expect(find(segment, 9, 301, out, &got) == ERR_OK && got == 10);
    session_drop(segment, 2, 9, 302);
    cr_expect(find(segment, 9, 303, out, &got) == ERR_GONE);
    cr_expect(session_put(segment, 0, 9, bytes, sizeof bytes + 1, 1, 2) == ERR_FULL);
}

Test(session, makes_room_by_forgetting_the_oldest)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    unsigned char out[TLS_SESSION_BYTES_MAX];
    size_t got;
    for (uint64_t key = 1; key <= 3 * TLS_SESSIONS_MAX; key++) {
        memset(bytes, (int)(key & 0xff), 64);
        cr_assert(session_put(segment, 0, key, bytes, 64, key, 1000000) == ERR_OK);
        cr_assert(find(segment, key, key, out, &got) == ERR_OK && out[63] == (key & 0xff));
    }
    uint32_t kept = 0;
    for (uint64_t key = 1; key <= 3 * TLS_SESSIONS_MAX; key++) {
        kept += find(segment, key, 9999, out, &got) == ERR_OK ? 1u : 0u;
    }
    cr_expect(kept > TLS_SESSIONS_MAX * 9 / 10 && kept <= TLS_SESSIONS_MAX, "%u", kept);
}

static void
put(void *context)
{
    memset(bytes, 1, sizeof bytes);
    (void)!session_put(context, 1, 9, bytes, 500, 1000, 99999);
}

Test(session, of_a_writer_that_died_is_unreadable_and_then_replaced)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    unsigned char out[TLS_SESSION_BYTES_MAX];
    size_t got;
    memset(bytes, 2, sizeof bytes);
    cr_assert(session_put(segment, 0, 9, bytes, 500, 900, 99999) == ERR_OK);
    cr_assert(testseg_dies("session.mid_put=kill", put, segment));
    cr_expect(find(segment, 9, 1000, out, &got) == ERR_GONE);
    cr_expect(session_put(segment, 0, 9, bytes, 500, 1000, 99999) == ERR_AGAIN);
    uint64_t later_ms = 1000 + GUARD_CLAIM_MS;
    cr_expect(session_put(segment, 0, 9, bytes, 500, later_ms, 99999) == ERR_OK);
    cr_expect(find(segment, 9, later_ms, out, &got) == ERR_OK && out[499] == 2);
}

static void
put_forever(struct segment *segment, uint32_t slot)
{
    for (unsigned i = 0;; i++) {
        size_t count = 100 + (i * 37) % 2000;
        memset(bytes, (int)(slot * 100 + i % 100), count);
        bytes[0] = (unsigned char)(count & 0xff);
        (void)!session_put(segment, slot, 9, bytes, count, clock_now_ms(), UINT64_MAX >> 1);
        usleep(i % 64); /* or readers would never meet it at rest */
    }
}

Test(session, is_never_torn_between_two_writers, .timeout = 90)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    pid_t pids[2];
    for (uint32_t i = 0; i < 2; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            testseg_child();
            put_forever(&test.segment, i);
        }
    }
    uint32_t good = 0;
    uint64_t start_ms = clock_now_ms();
    while (clock_now_ms() - start_ms < (good > 10 ? 300 : 60000)) {
        unsigned char out[TLS_SESSION_BYTES_MAX];
        size_t got;
        if (find(&test.segment, 9, clock_now_ms(), out, &got) != ERR_OK) {
            continue;
        }
        good++;
        cr_assert(out[0] == (got & 0xff));
        for (size_t i = 2; i < got; i++) {
            cr_assert(out[i] == out[1]);
        }
    }
    for (uint32_t i = 0; i < 2; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    cr_expect(good > 10, "%u", good);
}

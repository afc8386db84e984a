/*
 * rand.c - getrandom(2) behind a page that the kernel wipes in every child.
 *
 * The page is marked MADV_WIPEONFORK: a fork gives the child a page of zeroes, so `left_bytes`
 * reads 0 there and the first use fills it anew; no pid is compared and no system call is made to
 * find out. Bytes handed out are overwritten, so a core dump shows none of them (MADV_DONTDUMP also
 * keeps those not yet handed out from it).
 */
#include "base/rand.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/check.h"

#define POOL_PAGE_BYTES 4096
#define POOL_BYTES 512

struct pool_page {
    uint32_t left_bytes; /* not yet handed out, at the end of bytes[]; 0 after a fork */
    unsigned char bytes[POOL_BYTES];
};

_Static_assert(sizeof(struct pool_page) <= POOL_PAGE_BYTES, "one page");

static struct pool_page *pool;
static bool is_seeded;
static uint64_t seed_state;

static void
fill(void *out, size_t bytes)
{
    unsigned char *at = out;
    while (bytes > 0) {
        ssize_t got = getrandom(at, bytes, 0);
        if (got < 0) {
            CHECK(errno == EINTR);
            continue;
        }
        at += got;
        bytes -= (size_t)got;
    }
}

/* Without the wipe (a kernel before 4.14) there is no pool: every call asks the kernel. */
static bool
pool_is_there(void)
{
    static bool is_tried;
    if (pool != NULL || is_tried) {
        return pool != NULL;
    }
    is_tried = true;
    void *page =
        mmap(NULL, POOL_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return false;
    }
    if (madvise(page, POOL_PAGE_BYTES, MADV_WIPEONFORK) != 0) {
        munmap(page, POOL_PAGE_BYTES);
        return false;
    }
    if (madvise(page, POOL_PAGE_BYTES, MADV_DONTDUMP) != 0) {
        /* A nicety: without it a core dump may show bytes not yet used. */
    }
    pool = page;
    return true;
}

/* splitmix64: good enough for repeatable tests, never used otherwise. */
static uint64_t
seeded_u64(void)
{
    seed_state += 0x9e3779b97f4a7c15ULL;
    uint64_t word = seed_state;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
    return word ^ (word >> 31);
}

static void
seeded_bytes(unsigned char *out, size_t bytes)
{
    while (bytes > 0) {
        uint64_t word = seeded_u64();
        size_t part = bytes < sizeof(word) ? bytes : sizeof(word);
        memcpy(out, &word, part);
        out += part;
        bytes -= part;
    }
}

void
rand_bytes(void *out, size_t out_bytes)
{
    if (out_bytes == 0) {
        return;
    }
    if (__builtin_expect(is_seeded, 0)) {
        seeded_bytes(out, out_bytes);
        return;
    }
    if (out_bytes > POOL_BYTES / 2 || !pool_is_there()) {
        fill(out, out_bytes);
        return;
    }
    if (pool->left_bytes < out_bytes) {
        fill(pool->bytes, POOL_BYTES);
        pool->left_bytes = POOL_BYTES;
    }
    CHECK(pool->left_bytes <= POOL_BYTES);
    unsigned char *from = pool->bytes + POOL_BYTES - pool->left_bytes;
    memcpy(out, from, out_bytes);
    explicit_bzero(from, out_bytes);
    pool->left_bytes -= (uint32_t)out_bytes;
}

uint64_t
rand_u64(void)
{
    uint64_t value = 0;
    rand_bytes(&value, sizeof(value));
    return value;
}

/* Values in the incomplete last run of `bound` are drawn again, else small results come too often.
 */
uint64_t
rand_below(uint64_t bound)
{
    CHECK(bound > 0);
    uint64_t surplus = (UINT64_MAX % bound + 1) % bound; /* 2^64 mod bound */
    uint64_t value = rand_u64();
    while (value > UINT64_MAX - surplus) {
        value = rand_u64();
    }
    return value % bound;
}

void
rand_text(char *out, size_t out_chars)
{
    static const char letters[64] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const unsigned letter_count = 62;
    unsigned char bytes[64];
    size_t done = 0;
    while (done < out_chars) {
        size_t want = out_chars - done < sizeof(bytes) ? out_chars - done : sizeof(bytes);
        rand_bytes(bytes, want);
        for (size_t i = 0; i < want; i++) {
            unsigned letter = bytes[i] & 63u;
            out[done] = letters[letter];
            done += letter < letter_count ? 1 : 0; /* even odds for every letter */
        }
    }
    out[out_chars] = '\0';
    explicit_bzero(bytes, sizeof(bytes));
}

void
rand_set_seed(uint64_t seed)
{
    is_seeded = seed != 0;
    seed_state = seed;
}

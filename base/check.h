/*
 * check.h - assertions about ourselves, always on.
 *
 * CHECK guards our own invariants and never a peer's input (that is ERR_BAD and a test). A failed
 * CHECK writes one line with file, line and expression to stderr, runs the panic hook (which a
 * process sets to flush its log and to leave the text in its slot) and aborts. The master forks a
 * replacement; the price is this process's streams. DCHECK is for dear checks and compiles to
 * nothing unless -DDCHECK_ON.
 *
 * Runs in: every process.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define CHECK(condition)                                \
    do {                                                \
        if (__builtin_expect(!(condition), 0)) {        \
            check_fail(__FILE__, __LINE__, #condition); \
        }                                               \
    } while (0)

#ifdef DCHECK_ON
#define DCHECK(condition) CHECK(condition)
#else
#define DCHECK(condition) ((void)sizeof(!(condition)))
#endif

/*
 * Memory that is kept for reuse: under the address sanitizer a touch of it is reported as a touch
 * of freed memory would be; otherwise nothing.
 */
#if defined(__SANITIZE_ADDRESS__)
#define CHECK_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHECK_HAS_ASAN 1
#endif
#endif
#ifdef CHECK_HAS_ASAN
#include <sanitizer/asan_interface.h>
#define CHECK_POISON(address, bytes) __asan_poison_memory_region((address), (bytes))
#define CHECK_UNPOISON(address, bytes) __asan_unpoison_memory_region((address), (bytes))
#else
#define CHECK_POISON(address, bytes) ((void)(address), (void)(bytes))
#define CHECK_UNPOISON(address, bytes) ((void)(address), (void)(bytes))
#endif

typedef void (*check_hook_fn)(const char *text);

/* At most one hook a process; NULL removes it. The hook must not CHECK and must not allocate. */
void check_set_hook(check_hook_fn hook);

__attribute__((noreturn, cold)) void check_fail(const char *file, int line, const char *expression);

#endif

/* fakeplan.c - see fakeplan.h. */
#include "tests/fake/fakeplan.h"

#include <stddef.h>
#include <string.h>

#define NUMBER_MAX 1000000000 /* a billion: of bytes, milliseconds or tokens */

struct word {
    const char *name;
    size_t offset;
    int64_t absent;
    int64_t bare;
};

static const struct word words[] = {
#define FAKEPLAN_ROW(name, absent, bare) { #name, offsetof(struct fakeplan, name), absent, bare },
    FAKEPLAN_WORDS(FAKEPLAN_ROW)
#undef FAKEPLAN_ROW
};

#define WORD_COUNT (sizeof(words) / sizeof(words[0]))

static int64_t *
field(struct fakeplan *plan, const struct word *word)
{
    return (int64_t *)(void *)((char *)plan + word->offset);
}

void
fakeplan_init(struct fakeplan *plan)
{
    static struct fakeplan fresh;
    static bool made;
    if (!made) {
        for (size_t i = 0; i < WORD_COUNT; i++) {
            *field(&fresh, &words[i]) = words[i].absent;
        }
        made = true;
    }
    *plan = fresh;
}

/* The number behind the word's name; false when something else stands there. */
static bool
read_number(const char *p, size_t n, int64_t bare, int64_t *out)
{
    if (n > 0 && *p == '=') {
        p++;
        n--;
    }
    if (n == 0) {
        *out = bare;
        return true;
    }
    int64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
        value = value * 10 + (p[i] - '0');
        if (value > NUMBER_MAX) {
            value = NUMBER_MAX;
        }
    }
    *out = value;
    return true;
}

static void
read_word(struct fakeplan *plan, const char *p, size_t n)
{
    for (size_t i = 0; i < WORD_COUNT; i++) {
        size_t len = strlen(words[i].name);
        int64_t value;
        if (n >= len && memcmp(p, words[i].name, len) == 0 &&
            read_number(p + len, n - len, words[i].bare, &value)) {
            *field(plan, &words[i]) = value;
            plan->steered = true;
            return;
        }
    }
}

void
fakeplan_read_words(struct fakeplan *plan, struct fakespan text)
{
    const char *p = text.p;
    const char *end = text.p + text.n;
    while (p < end) {
        const char *start = p;
        while (p < end && *p != '-' && *p != ',' && *p != ' ') {
            p++;
        }
        read_word(plan, start, (size_t)(p - start));
        if (p < end) {
            p++;
        }
    }
}

void
fakeplan_read_name(struct fakeplan *plan, struct fakespan name)
{
    if (name.n < 5 || memcmp(name.p, "fake-", 5) != 0) {
        return;
    }
    plan->steered = true;
    fakeplan_read_words(plan, (struct fakespan){ name.p + 5, name.n - 5 });
}

void
fakeplan_heal(struct fakeplan *plan)
{
    struct fakeplan fresh;
    fakeplan_init(&fresh);
    size_t sound = offsetof(struct fakeplan, status);
    memcpy(&fresh, plan, sound);
    fresh.steered = plan->steered;
    *plan = fresh;
}

/*
 * fakelaw.h - whether a dialogue is one that the real provider would take.
 *
 * A gateway that translates must write what the provider's own API allows, so the fake refuses what
 * the real ones refuse: members that do not exist, parts in the wrong role, calls without results,
 * ids and names in letters that are not allowed, signatures that it did not make. One file a
 * dialect; this one has what they share. The first thing that is wrong becomes the 400's message.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKELAW_H
#define TESTS_FAKE_FAKELAW_H

#include "tests/fake/fakeask.h"
#include "tests/fake/fakejson.h"

#define FAKELAW_CALLS_MAX 128u /* of one turn */

struct fakelaw {
    struct fakeask *ask;
    char where[128];                         /* what is being judged: "messages[3].content[0]" */
    size_t where_len;                        /* bytes of it */
    struct fakespan open[FAKELAW_CALLS_MAX]; /* ids (or names) of calls without a result yet */
    uint32_t open_count;
    uint64_t calls;   /* of the whole dialogue */
    bool has_tools;   /* the request offers some */
    bool is_beta;     /* anthropic: a beta was named, so more may come */
    bool wants_proof; /* gemini 3: calls of the current turn are signed */
};

/* Sets ask->wrong when something is, and counts the images. */
void fakelaw_judge(struct fakeask *ask, const struct fakehead *head, struct fakespan body);

/* One function a dialect: false when something is wrong. */
bool fakelawchat_judge(struct fakelaw *law, struct fakespan body);
bool fakelawresp_judge(struct fakelaw *law, struct fakespan body);
bool fakelawanth_judge(struct fakelaw *law, struct fakespan body);
bool fakelawgem_judge(struct fakelaw *law, struct fakespan body);

/* Always false, so that one can `return fakelaw_fail(...)`. */
bool
fakelaw_fail(struct fakelaw *law, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Goes one step down: ".name" or "[index]"; fakelaw_up takes back what it returned. */
size_t fakelaw_down(struct fakelaw *law, const char *name, uint64_t index);
void fakelaw_up(struct fakelaw *law, size_t before);

/* The object has no members but these (a list that ends with NULL). */
bool fakelaw_members(struct fakelaw *law, struct fakespan object, const char *const *allowed);

/* The value is one of the strings of a list that ends with NULL; true when absent. */
bool fakelaw_one_of(struct fakelaw *law, struct fakespan value, const char *const *allowed);

/* A number between the two; true when absent. */
bool fakelaw_number(struct fakelaw *law, struct fakespan value, double low, double high);

/* A string of 1..max letters, digits, '_', '-' and the others. */
bool fakelaw_name(struct fakelaw *law, struct fakespan value, size_t max, const char *others);

/* The arguments of a call: a string with JSON in it. */
bool fakelaw_arguments(struct fakelaw *law, struct fakespan value);

/* A JSON Schema of an object. */
bool fakelaw_object_schema(struct fakelaw *law, struct fakespan schema);

/* An image's type and its base64, both quoted; counts it. */
bool fakelaw_image(struct fakelaw *law, struct fakespan mime, struct fakespan data);
/* data: or https: */
bool fakelaw_image_url(struct fakelaw *law, struct fakespan url);
bool fakelaw_base64(struct fakelaw *law, struct fakespan text, uint64_t *bytes);

/* A call was made; a result has come for one of the open ones. */
bool fakelaw_call(struct fakelaw *law, struct fakespan id);
bool fakelaw_result(struct fakelaw *law, struct fakespan id);
/* No call may wait for its result here. */
bool fakelaw_all_answered(struct fakelaw *law);

/* The asked model's name begins with one of these (a list that ends with NULL). */
bool fakelaw_is_model(const struct fakelaw *law, const char *const *names);

/* None of these members is there (a list that ends with NULL). */
bool fakelaw_without(struct fakelaw *law, struct fakespan object, const char *const *names);

bool fakelaw_is_empty_text(struct fakespan value);

#endif

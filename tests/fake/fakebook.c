/* fakebook.c - see fakebook.h. */
#include "tests/fake/fakebook.h"

#include "tests/fake/fakesha.h"

#include <string.h>
#include <unistd.h>

struct fakebook fakebook_all = {
    .record = true, .log_fd = -1, .served_fd = -1, .total.model = "all"
};

#define PLACES (2u * FAKEBOOK_MODELS_MAX) /* never full: a search ends at an empty one */

static struct fakestat stats[FAKEBOOK_MODELS_MAX];
static size_t stat_count;
static uint32_t places[PLACES]; /* by a model's hash: its index in stats, +1 */
static struct fakestat others = { .model = "others" };

static struct fakebuf kept[FAKEBOOK_REQUESTS_MAX]; /* one JSON object each, a ring */
static uint64_t kept_count;

/* Where the model's number stands, or would. */
static uint32_t *
place_of(const char *model)
{
    uint32_t hash = 2166136261u;
    for (const char *p = model; *p != '\0'; p++) {
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    }
    uint32_t at = hash % PLACES;
    while (places[at] != 0 && strcmp(stats[places[at] - 1].model, model) != 0) {
        at = (at + 1) % PLACES;
    }
    return &places[at];
}

struct fakestat *
fakebook_stat(const char *model)
{
    uint32_t *place = place_of(model);
    if (*place != 0) {
        return &stats[*place - 1];
    }
    if (stat_count == FAKEBOOK_MODELS_MAX) {
        return &others;
    }
    struct fakestat *stat = &stats[stat_count++];
    *stat = (struct fakestat){ 0 };
    strncpy(stat->model, model, sizeof(stat->model) - 1);
    *place = (uint32_t)stat_count;
    return stat;
}

static void
put_lower(struct fakebuf *out, struct fakespan name)
{
    char text[256];
    size_t n = name.n < sizeof(text) ? name.n : sizeof(text);
    for (size_t i = 0; i < n; i++) {
        char c = name.p[i];
        text[i] = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
    }
    fakebuf_json(out, text, n);
}

static void
write_entry(const struct fakehead *head, struct fakespan body, uint64_t images, struct fakebuf *out)
{
    char sha[65];
    size_t shown = body.n < FAKEBOOK_BODY_BYTES ? body.n : FAKEBOOK_BODY_BYTES;
    fakesha_hex(body, sha);
    fakebuf_add(out, "{'seq':%u,'method':%j,'path':%j,'headers':[", kept_count + 1, head->method.p,
                head->method.n, head->target.p, head->target.n);
    for (size_t i = 0; i < head->field_count; i++) {
        const struct fakefield *field = &head->fields[i];
        fakebuf_add(out, i == 0 ? "[" : ",[");
        put_lower(out, field->name);
        fakebuf_add(out, ",%j]", field->value.p, field->value.n);
    }
    fakebuf_add(out, "],'images':%u,'body_bytes':%u,'body_sha256':'%s','body':%j}", images,
                (uint64_t)body.n, sha, body.p, shown);
}

void
fakebook_request(const struct fakehead *head, struct fakespan body, uint64_t images)
{
    if (!fakebook_all.record) {
        return;
    }
    struct fakebuf *entry = &kept[kept_count % FAKEBOOK_REQUESTS_MAX];
    entry->len = 0;
    write_entry(head, body, images, entry);
    kept_count++;
    if (fakebook_all.log_fd >= 0) {
        fakebuf_put(entry, "\n", 1);
        ssize_t n = write(fakebook_all.log_fd, entry->data, entry->len);
        entry->len -= 1;
        if (n < 0) {
            fakebook_all.log_fd = -1; /* A full disk must not stop the peer. */
        }
    }
}

void
fakebook_served(const struct fakeserved *served)
{
    static const char *const stated[] = { "none", "input", "all" };
    if (fakebook_all.served_fd < 0) {
        return;
    }
    struct fakebuf line = { 0 };
    fakebuf_add(&line, "{'account':%j,'model':%j,'dialect':'%s','stream':%s,'finished':%s,",
                served->account, strlen(served->account), served->model, strlen(served->model),
                served->dialect, served->stream ? "true" : "false",
                served->finished ? "true" : "false");
    fakebuf_add(&line,
                "'stated':'%s','fresh':%u,'cached':%u,'write':%u,'write1h':%u,'out':%u,"
                "'reason':%u,'text_bytes':%u}\n",
                stated[served->stated], served->fresh, served->cached, served->write,
                served->write1h, served->out, served->reason, served->text_bytes);
    if (write(fakebook_all.served_fd, line.data, line.len) < 0) {
        fakebook_all.served_fd = -1;
    }
    fakebuf_free(&line);
}

void
fakebook_reset(void)
{
    /* Rows stay where they are: answers under way point at them. */
    for (size_t i = 0; i < stat_count; i++) {
        char model[sizeof(stats[i].model)];
        memcpy(model, stats[i].model, sizeof(model));
        stats[i] = (struct fakestat){ 0 };
        memcpy(stats[i].model, model, sizeof(model));
    }
    others = (struct fakestat){ .model = "others" };
    fakebook_all.total = (struct fakestat){ .model = "all" };
    fakebook_all.bad = 0;
    fakebook_all.denied = 0;
    fakebook_all.bytes_sent = 0;
    kept_count = 0;
}

static void
put_stat(const struct fakestat *stat, struct fakebuf *out)
{
    fakebuf_add(out, "{'requests':%u,'finished':%u,'aborted':%u,'usage':{'input':%u,'output':%u}}",
                stat->requests, stat->finished, stat->aborted, stat->in, stat->out);
}

void
fakebook_write_stats(struct fakebuf *out)
{
    const struct fakebook *book = &fakebook_all;
    fakebuf_add(out,
                "{'requests':%u,'finished':%u,'aborted':%u,'open':%u,'bad':%u,'denied':%u,"
                "'connections':%u,'accepted':%u,'bytes_sent':%u,'usage':{'input':%u,"
                "'output':%u},'models':{",
                book->total.requests, book->total.finished, book->total.aborted, book->open,
                book->bad, book->denied, book->connections, book->accepted, book->bytes_sent,
                book->total.in, book->total.out);
    bool first = true;
    for (size_t i = 0; i < stat_count; i++) {
        if (stats[i].requests > 0) {
            fakebuf_add(out, "%s%j:", first ? "" : ",", stats[i].model, strlen(stats[i].model));
            put_stat(&stats[i], out);
            first = false;
        }
    }
    fakebuf_add(out, "}}");
}

void
fakebook_write_requests(uint64_t last, struct fakebuf *out)
{
    uint64_t have = kept_count < FAKEBOOK_REQUESTS_MAX ? kept_count : FAKEBOOK_REQUESTS_MAX;
    uint64_t show = last < have ? last : have;
    fakebuf_add(out, "{'count':%u,'requests':[", kept_count);
    for (uint64_t i = kept_count - show; i < kept_count; i++) {
        fakebuf_add(out, i == kept_count - show ? "\n%b" : ",\n%b",
                    &kept[i % FAKEBOOK_REQUESTS_MAX]);
    }
    fakebuf_add(out, "]}");
}

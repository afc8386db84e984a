/*
 * sse.c - finds where events end, then reads the lines of one that is whole.
 *
 * Two passes with memchr: over the feed for the empty line that ends an event, and over the event
 * for its fields. Both know three line ends: LF, CRLF and CR. A CR ends its line at once, so that
 * an event is never held back; an LF that comes right after it, be it in the next feed, is its
 * second half. Before all that, one look tells whether the next event is an ordinary one, as nearly
 * all are: then a memchr for each line end is all it takes.
 */
#include "http/sse.h"

#include "base/check.h"
#include "base/limits.h"

enum sse_line_state {
    SSE_LINE_START,    /* nothing stands on this line yet */
    SSE_LINE_INSIDE,   /* something does */
    SSE_LINE_AFTER_CR, /* as START; an LF here belongs to the CR at the end of the last feed */
};

#define SSE_BOM "\xef\xbb\xbf"

void
sse_init(struct sse *sse)
{
    *sse = (struct sse){ .line_state = SSE_LINE_START, .kept_bytes_max = SSE_KEPT_BYTES_MAX };
    buf_init(&sse->kept, SSE_KEPT_BYTES_MAX);
}

void
sse_bound(struct sse *sse, uint32_t kept_bytes_max)
{
    CHECK(!sse_is_inside(sse));
    buf_fini(&sse->kept);
    buf_init(&sse->kept, kept_bytes_max);
    sse->kept_bytes_max = kept_bytes_max;
}

void
sse_fini(struct sse *sse)
{
    buf_fini(&sse->kept);
}

bool
sse_is_inside(const struct sse *sse)
{
    return sse->is_overlong || buf_len(&sse->kept) > 0;
}

/* --- the fields of one event --- */

/* Cuts one line without its end off `rest`. The last line may lack its end. */
static struct str
sse_cut_line(struct str *rest)
{
    const char *lf = memchr(rest->data, '\n', rest->len);
    size_t len = lf == NULL ? rest->len : (size_t)(lf - rest->data);
    const char *cr = memchr(rest->data, '\r', len);
    size_t end_bytes = lf == NULL ? 0 : 1;
    if (cr != NULL) {
        /* "\r\n" is one end, "\r" followed by anything else another. */
        end_bytes = lf != NULL && cr + 1 == lf ? 2 : 1;
        len = (size_t)(cr - rest->data);
    }
    struct str line = { rest->data, len };
    *rest = str_skip(*rest, len + end_bytes);
    return line;
}

/* The value of a line "name: value"; NULL data when it is another field. */
static struct str
sse_value(struct str line, struct str name)
{
    if (!str_starts(line, name)) {
        return str_make(NULL, 0);
    }
    struct str value = { line.data + name.len, line.len - name.len };
    if (value.len == 0) {
        return value; /* a name alone has an empty value */
    }
    if (value.data[0] != ':') {
        return str_make(NULL, 0);
    }
    value = str_make(value.data + 1, value.len - 1);
    return value.len > 0 && value.data[0] == ' ' ? str_make(value.data + 1, value.len - 1) : value;
}

/* Further data lines are seldom: they are put together in memory of their own. */
static enum err
sse_join(struct buf *joined, struct str first, struct str next)
{
    enum err err = joined->data == NULL ? buf_append(joined, first) : ERR_OK;
    if (err == ERR_OK) {
        err = buf_append(joined, STR("\n"));
    }
    return err == ERR_OK ? buf_append(joined, next) : err;
}

/* true: it has data. */
static bool
sse_read_fields(struct str raw, struct sse_event *event, struct buf *joined)
{
    bool has_data = false;
    while (raw.len > 0) {
        struct str line = sse_cut_line(&raw);
        struct str value = sse_value(line, STR("data"));
        if (value.data != NULL) {
            if (!has_data) {
                event->data = value;
            } else if (sse_join(joined, event->data, value) != ERR_OK) {
                event->is_cut = true;
            } else {
                event->data = buf_str(joined);
            }
            has_data = true;
            continue;
        }
        value = sse_value(line, STR("event"));
        if (value.data != NULL) {
            event->name = value;
        }
    }
    return has_data;
}

static void
sse_report(struct sse *sse, struct str raw, size_t end, bool only_with_data, sse_fn on_event,
           void *context)
{
    struct sse_event event = { .raw = raw, .end = end };
    struct buf joined;
    buf_init(&joined, sse->kept_bytes_max);
    struct str fields = raw;
    if (!sse->is_started && str_starts(raw, STR(SSE_BOM))) {
        fields = str_skip(raw, sizeof(SSE_BOM) - 1);
    }
    sse->is_started = true;
    bool has_data = sse_read_fields(fields, &event, &joined);
    event.is_comment = !has_data && event.name.len == 0;
    if (event.is_cut) {
        event.data = str_make(NULL, 0);
    }
    if (has_data || !only_with_data) {
        on_event(context, &event);
    }
    buf_fini(&joined);
}

static void
sse_report_overlong(struct sse *sse, size_t end, sse_fn on_event, void *context)
{
    sse->is_started = true;
    sse->is_overlong = false;
    const struct sse_event event = { .is_cut = true, .end = end };
    on_event(context, &event);
}

/* --- where events end --- */

/*
 * Length of the line end at `at`, which is LF or CR. A CR at the very end of the feed leaves open
 * whether an LF follows.
 */
static size_t
sse_line_end(struct sse *sse, struct str bytes, size_t at)
{
    sse->line_state = SSE_LINE_START;
    if (bytes.data[at] == '\n') {
        return 1;
    }
    if (at + 1 == bytes.len) {
        sse->line_state = SSE_LINE_AFTER_CR;
        return 1;
    }
    return bytes.data[at + 1] == '\n' ? 2 : 1;
}

/* Offset behind the next empty line from `at` on; 0: none ends in here. */
static size_t
sse_find_end(struct sse *sse, struct str bytes, size_t at)
{
    while (at < bytes.len) {
        if (bytes.data[at] == '\n' || bytes.data[at] == '\r') {
            bool is_empty_line = sse->line_state == SSE_LINE_START;
            at += sse_line_end(sse, bytes, at);
            if (is_empty_line) {
                return at;
            }
            continue;
        }
        sse->line_state = SSE_LINE_INSIDE;
        const char *lf = memchr(bytes.data + at, '\n', bytes.len - at);
        size_t end = lf == NULL ? bytes.len : (size_t)(lf - bytes.data);
        const char *cr = memchr(bytes.data + at, '\r', end - at);
        at = cr == NULL ? end : (size_t)(cr - bytes.data);
    }
    return 0;
}

void
sse_drop(struct sse *sse)
{
    sse->is_overlong = sse_is_inside(sse);
    buf_clear(&sse->kept);
    buf_shrink(&sse->kept);
}

/* Keeps a part of an event, or gives up keeping it. */
static void
sse_keep(struct sse *sse, struct str part)
{
    if (part.len == 0 || sse->is_overlong) {
        return;
    }
    if (buf_append(&sse->kept, part) != ERR_OK) {
        sse->is_overlong = true;
        sse_drop(sse);
    }
}

/* `part` is the event's end, and all of it unless something is kept. */
static void
sse_end_event(struct sse *sse, struct str part, size_t end, sse_fn on_event, void *context)
{
    bool is_whole = buf_len(&sse->kept) == 0 && part.len <= sse->kept_bytes_max;
    if (!is_whole) {
        sse_keep(sse, part);
    }
    if (sse->is_overlong) {
        sse_report_overlong(sse, end, on_event, context);
        return;
    }
    sse_report(sse, is_whole ? part : buf_str(&sse->kept), end, false, on_event, context);
    buf_clear(&sse->kept);
    buf_shrink(&sse->kept);
}

/* --- the ordinary event --- */

/* The value of a field line at `at` that begins with `name` and ends in a plain LF; *next is behind
 * that. NULL data: it is another line, or cut off, or has a CR. */
static inline struct str
sse_plain_line(struct str bytes, size_t at, struct str name, size_t *next)
{
    const char *from = bytes.data + at;
    size_t left = bytes.len - at;
    if (left <= name.len || memcmp(from, name.data, name.len) != 0) {
        return str_make(NULL, 0);
    }
    const char *lf = memchr(from, '\n', left);
    if (lf == NULL || memchr(from, '\r', (size_t)(lf - from)) != NULL) {
        return str_make(NULL, 0);
    }
    *next = (size_t)(lf + 1 - bytes.data);
    from += name.len;
    from += from < lf && *from == ' ' ? 1 : 0;
    return str_make(from, (size_t)(lf - from));
}

/*
 * What nearly all events look like, when one lies whole at `at`:
 *
 *      [event: name LF] data: one line LF LF
 *
 * Returns the offset behind it, 0 for any other: those go the general way.
 */
static inline size_t
sse_plain_event(struct str bytes, size_t at, struct sse_event *event)
{
    size_t next = at;
    event->name = sse_plain_line(bytes, at, STR("event:"), &next);
    event->data = sse_plain_line(bytes, next, STR("data:"), &next);
    bool is_whole = event->data.data != NULL && next < bytes.len && bytes.data[next] == '\n';
    if (!is_whole || next + 1 - at > SSE_KEPT_BYTES_MAX) {
        return 0;
    }
    event->raw = str_make(bytes.data + at, next + 1 - at);
    event->end = next + 1;
    return next + 1;
}

/* Reports the ordinary events at `at`; returns where the first other thing begins. */
static size_t
sse_feed_plain(struct sse *sse, struct str bytes, size_t at, sse_fn on_event, void *context)
{
    while (at < bytes.len) {
        struct sse_event event = { .is_cut = false };
        size_t end = sse_plain_event(bytes, at, &event);
        if (end == 0) {
            break;
        }
        sse->is_started = true;
        on_event(context, &event);
        at = end;
    }
    return at;
}

void
sse_feed(struct sse *sse, struct str bytes, sse_fn on_event, void *context)
{
    size_t at = 0;
    size_t start = 0;
    if (sse->line_state == SSE_LINE_AFTER_CR && bytes.len > 0) {
        sse->line_state = SSE_LINE_START;
        if (bytes.data[0] == '\n') {
            at = 1;
            /* Between two events it belongs to neither. */
            start = sse_is_inside(sse) ? 0 : 1;
        }
    }
    if (sse->line_state == SSE_LINE_START && !sse_is_inside(sse)) {
        at = sse_feed_plain(sse, bytes, start, on_event, context);
        start = at;
    }
    size_t end;
    while ((end = sse_find_end(sse, bytes, at)) != 0) {
        sse_end_event(sse, str_make(bytes.data + start, end - start), end, on_event, context);
        at = sse_feed_plain(sse, bytes, end, on_event, context);
        start = at;
    }
    sse_keep(sse, str_skip(bytes, start));
}

void
sse_finish(struct sse *sse, sse_fn on_event, void *context)
{
    if (sse->is_overlong) {
        sse_report_overlong(sse, 0, on_event, context);
    } else if (buf_len(&sse->kept) > 0) {
        sse_report(sse, buf_str(&sse->kept), 0, true, on_event, context);
    }
    buf_clear(&sse->kept);
    buf_shrink(&sse->kept);
    sse->line_state = SSE_LINE_START;
}

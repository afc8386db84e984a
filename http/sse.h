/*
 * sse.h - splits a byte stream into server-sent events without delaying or copying it.
 *
 * Fed with whatever a read brought; calls back at the end of each event with its name, its data
 * (the data lines joined by LF) and where the event ends in the fed bytes. An event that lies whole
 * in one feed is reported as spans of it, without a copy; one that is cut is kept (bounded by
 * SSE_KEPT_BYTES_MAX unless sse_bound() says otherwise: a longer one is reported with is_cut and no
 * data, and passes all the same).
 * Line ends LF, CRLF, CR; BOM; comments; as the standard says.
 *
 * Runs in: worker, keeper. Pure but for its kept bytes. A fuzz target: any cut gives the same
 * events.
 */
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct sse_event {
    struct str name; /* "event:" field; empty when there was none */
    struct str data; /* joined data lines */
    bool is_cut;     /* too long to keep: data is empty */
    bool is_comment; /* no data and no name: a keep-alive */
    struct str raw;  /* the event's bytes with its empty line when it lay whole in this feed or was
                      * kept whole; empty when is_cut */
    size_t end;      /* offset behind the event in this feed */
};

typedef void (*sse_fn)(void *context, const struct sse_event *event);

struct sse {
    struct buf kept; /* bytes of an event whose end has not come */
    uint32_t kept_bytes_max;
    bool is_overlong;
    uint8_t line_state; /* the splitter's own */
    bool is_started;    /* past a possible BOM */
};

void sse_init(struct sse *sse);
/* Before the first bytes: events up to this long are reported whole. */
void sse_bound(struct sse *sse, uint32_t kept_bytes_max);
/* Gives back what is kept: the event under way will be reported as too long. */
void sse_drop(struct sse *sse);
void sse_fini(struct sse *sse);
void sse_feed(struct sse *sse, struct str bytes, sse_fn on_event, void *context);
/* At the end of the stream: an event without its empty line is reported when it has data. */
void sse_finish(struct sse *sse, sse_fn on_event, void *context);
/* Are there bytes of an unfinished event? */
bool sse_is_inside(const struct sse *sse);

#endif

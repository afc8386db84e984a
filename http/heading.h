/*
 * heading.h - the head of an answer as text: status line, Date, framing and Connection.
 *
 * Runs in: worker, recorder. Pure but for the date, which is formatted once a second.
 */
#ifndef HTTP_HEADING_H
#define HTTP_HEADING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define HEADING_DATE_BYTES 30 /* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL */

struct heading_date {
    uint64_t until_ms; /* on the loop's clock: then it is written anew */
    char text[HEADING_DATE_BYTES];
};

enum heading_framing {
    HEADING_NO_BODY, /* 1xx, 204, 304: neither length nor coding is sent */
    HEADING_LENGTH,
    HEADING_CHUNKED,
    HEADING_UNTIL_CLOSE, /* HTTP/1.0 */
};

enum heading_connection { HEADING_SILENT, HEADING_CLOSE, HEADING_KEEP_ALIVE };

struct heading {
    uint16_t status; /* 200 to 599 */
    enum heading_framing framing;
    enum heading_connection connection;
    uint64_t length; /* HEADING_LENGTH */
};

/* Everything before the caller's own fields; returns the length, at most HEADING_BYTES. */
#define HEADING_BYTES 256
uint32_t heading_text(const struct heading *heading, const struct heading_date *date,
                      char out[HEADING_BYTES]);

/* Brings the text up to date when its second is over; now_ms is the loop's clock. */
void heading_date_refresh(struct heading_date *date, uint64_t now_ms);
/* "Sun, 06 Nov 1994 08:49:37 GMT" of seconds since 1970 (until the year 9999). */
void heading_date_text(uint64_t wall_s, char out[HEADING_DATE_BYTES]);

/* "Not Found"; "Unknown" for a status that has no name. Static. */
struct str heading_reason(uint16_t status);

#endif

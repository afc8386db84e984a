/*
 * answer.h - the head of an answer as text: status line, Date, framing and Connection.
 *
 * Runs in: worker, recorder. Pure but for the date, which is formatted once a second.
 */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define ANSWER_DATE_BYTES 30 /* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL */

struct answer_date {
    uint64_t until_ms; /* on the loop's clock: then it is written anew */
    char text[ANSWER_DATE_BYTES];
};

enum answer_framing {
    ANSWER_NO_BODY, /* 1xx, 204, 304: neither length nor coding is sent */
    ANSWER_LENGTH,
    ANSWER_CHUNKED,
    ANSWER_UNTIL_CLOSE, /* HTTP/1.0 */
};

enum answer_connection { ANSWER_SILENT, ANSWER_CLOSE, ANSWER_KEEP_ALIVE };

struct answer {
    uint16_t status; /* 200 to 599 */
    enum answer_framing framing;
    enum answer_connection connection;
    uint64_t length; /* ANSWER_LENGTH */
};

/* Everything before the caller's own fields; returns the length, at most ANSWER_HEAD_BYTES. */
#define ANSWER_HEAD_BYTES 256
uint32_t answer_head(const struct answer *answer, const struct answer_date *date,
                     char out[ANSWER_HEAD_BYTES]);

/* Brings the text up to date when its second is over; now_ms is the loop's clock. */
void answer_date_refresh(struct answer_date *date, uint64_t now_ms);
/* "Sun, 06 Nov 1994 08:49:37 GMT" of seconds since 1970 (until the year 9999). */
void answer_date_text(uint64_t wall_s, char out[ANSWER_DATE_BYTES]);

/* "Not Found"; "Unknown" for a status that has no name. Static. */
struct str answer_reason(uint16_t status);

#endif

/*
 * httpconf.c - the rows of [http].
 */
#include "http/httpconf.h"

#include "base/limits.h"

#define ROW(field, kind, low, high, value, unit_text, reloads, text)                 \
    {                                                                                \
        .key = #field, .type = kind, .offset = offsetof(struct httpconf, field),     \
        .size = sizeof(((struct httpconf *)NULL)->field), .min = low, .max = high,   \
        .standard = value, .unit = unit_text, .is_reloadable = reloads, .help = text \
    }
#define ROW_MS(name, low, high, value, text)                                              \
    {                                                                                     \
        .key = #name, .type = SETTING_MS, .offset = offsetof(struct httpconf, name##_ms), \
        .size = sizeof(((struct httpconf *)NULL)->name##_ms), .min = low, .max = high,    \
        .standard = value, .unit = "", .is_reloadable = true, .help = text                \
    }

const struct setting httpconf_rows[] = {
    ROW(listen, SETTING_LIST, 0, 0, "127.0.0.1:8080", "", true,
        "Where clients connect: address:port, [v6 address]:port, or :port for every address. May "
        "be given several times. Put TLS in front when it is reachable from elsewhere."),
    ROW(body_bytes_max, SETTING_BYTES, 1024, BODY_BYTES_LIMIT, "64m", "", true,
        "Largest request body, also after decompression. A larger one is refused with 413 before "
        "it is read when its length is declared."),
    ROW(body_pool_bytes, SETTING_BYTES, 1024 * 1024, 1ull << 40, "1g", "", true,
        "All request bodies that one worker holds at a time, and what translations hold beyond "
        "256 KiB each. When it is used up, new bodies and larger answers under translation are "
        "refused with 503 overloaded."),
    ROW(conns_max, SETTING_U32, 1, CONNS_MAX, "10000", "connections", false,
        "Client connections of one worker. At the limit the connection that has been idle "
        "longest is closed; when none is idle, new ones are answered 503 overloaded."),
    ROW(conns_per_address, SETTING_U32, 1, CONNS_PER_ADDRESS_MAX, "1024", "connections", true,
        "Connections of one client address (of one /64 network for IPv6) and worker. Raise it "
        "when all clients come through one proxy."),
    ROW_MS(head_timeout, 100, 600000, "10s",
           "A request's head must be complete this long after its first byte, and the first head "
           "this long after the connection was opened."),
    ROW_MS(body_timeout, 100, 600000, "10s", "Longest pause between two parts of a request body."),
    ROW(body_rate_min, SETTING_U32, 0, 1024 * 1024 * 1024, "1024", "bytes a second", true,
        "A request body that takes longer than body_timeout must arrive at least this fast on "
        "average. 0 turns it off."),
    ROW_MS(idle_timeout, 100, 3600000, "75s",
           "A kept-alive connection is closed after this long without a request."),
    ROW_MS(send_timeout, 100, 3600000, "60s",
           "A client that takes none of its answer for this long is disconnected and its request "
           "ends."),
    ROW(requests_per_conn, SETTING_U32, 1, REQUESTS_PER_CONN_MAX, "1000", "requests", true,
        "Then the connection is closed after the answer, in good order."),
    ROW(backlog, SETTING_U32, 1, 65535, "1024", "connections", false,
        "Connections that may wait in the kernel to be accepted, for each listening socket."),
};

const size_t httpconf_row_count = sizeof(httpconf_rows) / sizeof(httpconf_rows[0]);

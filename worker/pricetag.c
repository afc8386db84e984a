#include "worker/pricetag.h"

#include "base/money.h"
#include "http/server.h"
#include "shm/heritage.h"
#include "worker/carbon.h"
#include "worker/relay.h"
#include "worker/settle.h"
#include "worker/workerconf.h"

bool
pricetag_hold(struct relay *relay, uint16_t status, struct str fields)
{
    struct stream *stream = &relay->stream;
    if (stream->is_held) {
        return true;
    }
    if (!relay->worker->heritage->worker_conf->cost_header || relay->wants_stream ||
        stream->is_sse || (relay->carbon == NULL && !carbon_begin(relay))) {
        return false;
    }
    carbon_head(relay, status, fields);
    stream->held_fields = fields;
    stream->is_held = true;
    return true;
}

/* It is longer than may wait: the rest goes out as it comes, and nobody is told its cost. */
static void
show_early(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    struct str held = carbon_bytes(relay->carbon);
    stream->is_held = false;
    if (relay->request == NULL || relay->is_client_gone) {
        return;
    }
    stream_note_status(relay, relay->carbon->status);
    server_begin(relay->request, relay->status, stream->held_fields, SERVER_CHUNKED);
    stream_note_answer(relay);
    if (held.len > 0 && server_write(relay->request, held) == ERR_OK) {
        stream->has_content = true;
        stream->turn_bytes += held.len;
    }
}

bool
pricetag_keep(struct relay *relay, struct str bytes)
{
    if (carbon_has_room(relay, bytes, COST_HOLD_BYTES_MAX)) {
        carbon_body(relay, bytes);
        return true;
    }
    show_early(relay);
    return false;
}

/* The head's fields, with the cost where there is one. */
static struct str
priced(struct relay *relay)
{
    struct str fields = relay->stream.held_fields;
    char text[MONEY_TEXT_BYTES];
    int64_t nano = 0;
    if (!settle_cost(relay, relay->carbon->status, &nano)) {
        return fields;
    }
    money_text(nano, 9, text);
    struct str more =
        arena_printf(&relay->request->arena, "%.*sx-sub2api-cost: %s\r\n", STR_ARG(fields), text);
    return more.data == NULL ? fields : more;
}

void
pricetag_drop(struct relay *relay)
{
    relay->stream.is_held = false;
    carbon_restart(relay);
}

void
pricetag_show(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    struct server_request *request = relay->request;
    if (!stream->is_held) {
        return;
    }
    struct str body = carbon_bytes(relay->carbon);
    stream->is_held = false;
    stream->has_content = body.len > 0;
    if (request == NULL || relay->is_client_gone) {
        return;
    }
    struct str fields = priced(relay);
    stream_note_status(relay, relay->carbon->status);
    stream->is_answered = true;
    stream->turn_bytes += body.len;
    relay->request = NULL;
    server_answer(request, relay->status, fields, body);
}

#include "worker/carbon.h"

#include "base/check.h"
#include "http/parser.h"
#include "worker/bridge.h"
#include "worker/relay.h"

/* Lines of a head that belong to the answer; a prefix ends in '-'. */
static const struct str kept[] = {
    { "content-disposition", 19 },    { "content-encoding", 16 }, { "content-language", 16 },
    { "content-type", 12 },           { "openai-model", 12 },     { "openai-processing-ms", 20 },
    { "x-protocol-translation", 22 },
};

static bool
is_kept(struct str name)
{
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (str_equal_nocase(name, kept[i])) {
            return true;
        }
    }
    return false;
}

/* The memory goes back. */
static void
clear(struct relay *relay)
{
    struct carbon *carbon = relay->carbon;
    CHECK(relay->worker->carbon_bytes >= buf_len(&carbon->bytes));
    relay->worker->carbon_bytes -= buf_len(&carbon->bytes);
    buf_fini(&carbon->bytes);
    buf_init(&carbon->bytes, PARCEL_BYTES_MAX - OUTCOME_HEAD_BYTES);
    carbon->field_bytes = 0;
}

/* It will not be kept, and needs no memory any more. */
static void
lose(struct relay *relay, enum outcome_state why)
{
    struct carbon *carbon = relay->carbon;
    clear(relay);
    carbon->lost = (uint8_t)why;
}

static void
add(struct relay *relay, struct str bytes)
{
    struct carbon *carbon = relay->carbon;
    struct worker *worker = relay->worker;
    if (carbon->lost != OUTCOME_NONE) {
        return;
    }
    if (buf_room(&carbon->bytes) < bytes.len) {
        lose(relay, OUTCOME_LARGE);
    } else if (worker->carbon_bytes + bytes.len > CARBON_BYTES_MAX ||
               buf_append(&carbon->bytes, bytes) != ERR_OK) {
        lose(relay, OUTCOME_CROWDED);
    } else {
        worker->carbon_bytes += bytes.len;
    }
}

bool
carbon_begin(struct relay *relay)
{
    CHECK(relay->carbon == NULL && !relay->stream.is_begun);
    struct carbon *carbon = pool_take(&relay->worker->carbons);
    if (carbon == NULL) {
        return false;
    }
    buf_init(&carbon->bytes, PARCEL_BYTES_MAX - OUTCOME_HEAD_BYTES);
    carbon->lost = relay->wants_stream ? OUTCOME_STREAM : OUTCOME_NONE;
    relay->carbon = carbon;
    return true;
}

void
carbon_head(struct relay *relay, uint16_t status, struct str fields)
{
    struct carbon *carbon = relay->carbon;
    if (carbon == NULL) {
        return;
    }
    carbon->status = status;
    while (fields.len > 0) {
        const char *start = fields.data;
        struct str line = str_cut(&fields, '\n');
        struct str rest = line;
        if (is_kept(str_cut(&rest, ':'))) {
            add(relay, str_make(start, line.len + 1));
        }
    }
    carbon->field_bytes = buf_len(&carbon->bytes);
}

void
carbon_head_unseen(struct relay *relay, const struct parser_head *head)
{
    struct carbon *carbon = relay->carbon;
    if (carbon == NULL) {
        return;
    }
    carbon->status = head->status;
    for (uint32_t i = 0; i < head->headers.count; i++) {
        const struct header *header = &head->headers.items[i];
        if (is_kept(header->name)) {
            add(relay, header->name);
            add(relay, STR(": "));
            add(relay, header->value);
            add(relay, STR("\r\n"));
        }
    }
    carbon->field_bytes = buf_len(&carbon->bytes);
}

void
carbon_body(struct relay *relay, struct str bytes)
{
    if (relay->carbon != NULL) {
        add(relay, bytes);
    }
}

bool
carbon_has_room(const struct relay *relay, struct str bytes, uint32_t bytes_max)
{
    const struct carbon *carbon = relay->carbon;
    return carbon->lost == OUTCOME_NONE && bytes.len <= bytes_max &&
           buf_len(&carbon->bytes) + bytes.len <= bytes_max &&
           relay->worker->carbon_bytes + bytes.len <= CARBON_BYTES_MAX;
}

void
carbon_restart(struct relay *relay)
{
    struct carbon *carbon = relay->carbon;
    if (carbon != NULL) {
        clear(relay);
        carbon->status = 0;
        carbon->is_whole = false;
    }
}

void
carbon_end(struct relay *relay)
{
    struct carbon *carbon = relay->carbon;
    if (carbon == NULL) {
        return;
    }
    /* What is translated for a client is not made any more when it has left. */
    bool is_made = !bridge_is_on(relay) || !relay->is_client_gone;
    carbon->is_whole = carbon->status != 0 && is_made && !relay->stream.is_lossy;
}

enum outcome_state
carbon_state(const struct relay *relay)
{
    const struct carbon *carbon = relay->carbon;
    CHECK(carbon != NULL);
    if (carbon->lost != OUTCOME_NONE) {
        return (enum outcome_state)carbon->lost;
    }
    return carbon->is_whole ? OUTCOME_KEPT : OUTCOME_CUT;
}

struct str
carbon_fields(const struct carbon *carbon)
{
    struct str all = buf_str(&carbon->bytes);
    CHECK(carbon->field_bytes <= all.len);
    return str_make(all.data, carbon->field_bytes);
}

struct str
carbon_bytes(const struct carbon *carbon)
{
    return str_skip(buf_str(&carbon->bytes), carbon->field_bytes);
}

void
carbon_fini(struct relay *relay)
{
    if (relay->carbon != NULL) {
        clear(relay);
        pool_give(&relay->worker->carbons, relay->carbon);
        relay->carbon = NULL;
    }
}

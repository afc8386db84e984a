#include "worker/tokens.h"

#include "proto/usage.h"
#include "shm/counter.h"
#include "shm/lease.h"
#include "worker/relay.h"

static struct lease_tokens
tokens_of(const struct usage *usage)
{
    return (struct lease_tokens){ .in_fresh = usage->in_fresh,
                                  .in_cache_read = usage->in_cache_read,
                                  .in_cache_write_5m = usage->in_cache_write_5m,
                                  .in_cache_write_1h = usage->in_cache_write_1h,
                                  .out = usage->out_total,
                                  .out_reasoning = usage->out_reasoning,
                                  .in_audio = usage->in_audio,
                                  .in_image = usage->in_image,
                                  .out_audio = usage->out_audio };
}

/* What the provider has not said yet is estimated as usage_finish() does: most say it at the end.
 */
static struct lease_tokens
tokens_so_far(const struct stream *stream)
{
    const struct usage *usage = &stream->usage.usage;
    struct lease_tokens tokens = tokens_of(usage);
    uint64_t seen = (stream->usage.text_quarters + 3) / 4;
    if (!stream->counts_usage) {
        return tokens;
    }
    if ((usage->known & USAGE_INPUT) == 0) {
        tokens.in_fresh = stream->input_tokens;
        tokens.is_estimated = 1;
    }
    if ((usage->known & USAGE_OUTPUT) == 0 || tokens.out < seen) {
        tokens.out = tokens.out > seen ? tokens.out : seen;
        tokens.is_estimated = 1;
    }
    return tokens;
}

void
tokens_note(struct relay *relay)
{
    const struct stream *stream = &relay->stream;
    if (stream->usage.usage.known != 0 || stream->usage.deltas > 0) {
        struct lease_tokens tokens = tokens_so_far(stream);
        lease_set_tokens(&relay->worker->leases, relay->lease, &tokens);
        charge_update(relay);
    }
}

void
tokens_close(struct relay *relay, bool is_complete)
{
    struct stream *stream = &relay->stream;
    if (!stream->counts_usage || stream->status == 0) {
        return;
    }
    if (stream->reads_sse) {
        usage_finish(&stream->usage, stream->input_tokens, is_complete);
    } else if (!usage_read_body(bridge_row(relay)->dialect, buf_str(&stream->tail),
                                &stream->usage.usage)) {
        counter_add(relay->worker->segment, relay->worker->slot, COUNTER_USAGE_MISSING, 1);
        usage_estimate(&stream->usage.usage, stream->input_tokens, buf_str(&stream->tail));
    }
    struct lease_tokens tokens = tokens_of(&stream->usage.usage);
    tokens.is_estimated = stream->usage.usage.source == USAGE_ESTIMATED;
    lease_set_tokens(&relay->worker->leases, relay->lease, &tokens);
    stream->counts_usage = false;
}

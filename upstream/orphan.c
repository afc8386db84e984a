#include "upstream/orphan.h"

#include <string.h>

#include "base/check.h"
#include "upstream/bill.h"

/* What the client got when it got no head: its connection was cut. */
#define CUT_STATUS 500u

/* Copies as much as fits, always terminated. */
static void
copy_cut(char *to, size_t to_bytes, const char *from, size_t from_bytes)
{
    CHECK(to_bytes > 0);
    size_t length = strnlen(from, from_bytes < to_bytes ? from_bytes : to_bytes - 1);
    memcpy(to, from, length);
    to[length] = '\0';
}

static uint32_t
cap32(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* Milliseconds from start to `at`; 0 when that never came. */
static uint32_t
since(uint64_t start_ms, uint64_t at_ms)
{
    if (at_ms <= start_ms) {
        return 0;
    }
    return cap32(at_ms - start_ms);
}

static uint8_t
source_of(const struct lease_tokens *tokens)
{
    bool has_tokens = (tokens->in_fresh | tokens->in_cache_read | tokens->in_cache_write_5m |
                       tokens->in_cache_write_1h | tokens->out) != 0;
    if (!has_tokens) {
        return LEDGER_NONE;
    }
    return tokens->is_estimated != 0 ? LEDGER_ESTIMATED : LEDGER_PARTIAL;
}

bool
orphan_bill(const struct lease_view *lease, struct ledger_record *out)
{
    const struct lease_data *data = &lease->data;
    const struct lease_tokens *tokens = &data->tokens;
    if (data->account_id == 0) {
        return false;
    }
    *out = (struct ledger_record){
        .version = LEDGER_RECORD_VERSION,
        .status = data->status == 0 ? CUT_STATUS : data->status,
        .endpoint = data->endpoint,
        .source = source_of(tokens),
        .key_id = data->key_id,
        .user_id = data->user_id,
        .group_id = data->group_id,
        .account_id = data->account_id,
        .start_wall_ms = data->start_wall_ms,
        .first_byte_ms = since(data->start_ms, data->first_byte_ms),
        .duration_ms = since(data->start_ms, data->last_byte_ms),
        .in_fresh = tokens->in_fresh,
        .in_cache_read = tokens->in_cache_read,
        .in_cache_write_5m = tokens->in_cache_write_5m,
        .in_cache_write_1h = tokens->in_cache_write_1h,
        .out_total = tokens->out,
        .out_reasoning = tokens->out_reasoning,
        .media_tokens = { cap32(tokens->in_audio), cap32(tokens->in_image),
                          cap32(tokens->out_audio) },
        .bytes_in = data->bytes_in,
        .bytes_out = data->bytes_out,
        .is_stream = data->is_stream,
        .client_dialect = data->client_dialect,
        .upstream_dialect = data->upstream_dialect,
        .attempt = data->attempt,
        .is_last = 1,
        .charged = data->charged,
        .subscription_id = data->subscription_id,
        .code = "worker_died",
    };
    /* A client that got a byte pays for what is known; one that got nothing pays nothing. */
    bill_fill(&data->bill, data->bytes_out > 0, out);
    copy_cut(out->request_id, sizeof out->request_id, data->request_id, sizeof data->request_id);
    copy_cut(out->model, sizeof out->model, data->model, sizeof data->model);
    copy_cut(out->model_sent, sizeof out->model_sent, data->model_sent, sizeof data->model_sent);
    copy_cut(out->address, sizeof out->address, data->address, sizeof data->address);
    return true;
}

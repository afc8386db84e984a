#include "store/record.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"

/* Layout 1, before there were prices. */
struct record_old {
    uint32_t version;
    uint16_t status;
    uint8_t endpoint;
    uint8_t source;
    uint64_t key_id;
    uint64_t user_id;
    uint64_t group_id;
    uint64_t account_id;
    uint64_t start_wall_ms;
    uint32_t first_byte_ms;
    uint32_t duration_ms;
    uint64_t tokens[6];
    uint64_t bytes_in;
    uint64_t bytes_out;
    int64_t cost_nano;
    uint8_t is_stream;
    uint8_t client_dialect;
    uint8_t upstream_dialect;
    uint8_t attempt;
    uint8_t is_last;
    uint8_t reserved[3];
    char request_id[REQUEST_ID_BYTES];
    char code[ERROR_CODE_BYTES];
    char model[96];
    char model_sent[96];
    char address[46];
    uint8_t pad[74];
};

_Static_assert(sizeof(struct record_old) == 512, "as it was written");
_Static_assert(REQUEST_ID_BYTES == 32 && ERROR_CODE_BYTES == 32, "as it was written");

static void
read_old(const struct record_old *old, struct ledger_record *out)
{
    *out = (struct ledger_record){ .version = LEDGER_RECORD_VERSION,
                                   .status = old->status,
                                   .endpoint = old->endpoint,
                                   .source = old->source,
                                   .key_id = old->key_id,
                                   .user_id = old->user_id,
                                   .group_id = old->group_id,
                                   .account_id = old->account_id,
                                   .start_wall_ms = old->start_wall_ms,
                                   .first_byte_ms = old->first_byte_ms,
                                   .duration_ms = old->duration_ms,
                                   .in_fresh = old->tokens[0],
                                   .in_cache_read = old->tokens[1],
                                   .in_cache_write_5m = old->tokens[2],
                                   .in_cache_write_1h = old->tokens[3],
                                   .out_total = old->tokens[4],
                                   .out_reasoning = old->tokens[5],
                                   .bytes_in = old->bytes_in,
                                   .bytes_out = old->bytes_out,
                                   .multiplier_ppm = MONEY_PPM_ONE,
                                   .account_ppm = MONEY_PPM_ONE,
                                   .is_stream = old->is_stream,
                                   .client_dialect = old->client_dialect,
                                   .upstream_dialect = old->upstream_dialect,
                                   .attempt = old->attempt,
                                   .is_last = old->is_last,
                                   .flags = LEDGER_UNPRICED };
    memcpy(out->request_id, old->request_id, sizeof(out->request_id));
    memcpy(out->code, old->code, sizeof(out->code));
    memcpy(out->model, old->model, sizeof(out->model));
    memcpy(out->model_sent, old->model_sent, sizeof(out->model_sent));
    memcpy(out->address, old->address, sizeof(out->address));
}

/* Layout 2 before records were packed. What it has grown by since is 0 in all of those, and in
 * packed ones from before. */
#define PLAIN_BYTES 560u

_Static_assert(sizeof(struct ledger_record) >= PLAIN_BYTES, "it only grows");

/* --- packed --- */

#define PACKED_VERSION 3u

_Static_assert(LEDGER_RECORD_BYTES % sizeof(uint64_t) == 0, "a record is whole words");
_Static_assert(offsetof(struct record_packed, words) == 16, "as it is written, no padding");
_Static_assert(LEDGER_RECORD_VERSION == 2, "1 and 2 are whole records, 3 is a packed one");

struct str
record_pack(const struct ledger_record *record, struct record_packed *out)
{
    uint64_t words[RECORD_WORDS];
    memcpy(words, record, sizeof(words));
    size_t used = 0;
    out->version = PACKED_VERSION;
    for (size_t j = 0; j < RECORD_MASKS; j++) {
        uint32_t mask = 0;
        for (size_t i = 0; i < 32 && 32 * j + i < RECORD_WORDS; i++) {
            uint64_t word = words[32 * j + i];
            uint32_t is_used = word != 0;
            out->words[used] = word; /* the next one takes its place when it is 0 */
            used += is_used;
            mask |= is_used << i;
        }
        out->masks[j] = mask;
    }
    size_t bytes = offsetof(struct record_packed, words) + used * sizeof(uint64_t);
    return str_make((const char *)out, bytes);
}

/* As many words as the masks have bits, and none behind the record's end. */
static bool
is_packed_well(const struct record_packed *packed, size_t bytes)
{
    size_t used = 0;
    for (size_t j = 0; j < RECORD_MASKS; j++) {
        used += (size_t)__builtin_popcount(packed->masks[j]);
    }
    uint32_t beyond = RECORD_WORDS % 32 == 0 ? 0 : UINT32_MAX << RECORD_WORDS % 32;
    return (packed->masks[RECORD_MASKS - 1] & beyond) == 0 &&
           bytes == offsetof(struct record_packed, words) + used * sizeof(uint64_t);
}

static enum err
unpack(struct str value, struct ledger_record *out)
{
    struct record_packed packed = { 0 };
    uint64_t words[RECORD_WORDS] = { 0 };
    if (value.len < offsetof(struct record_packed, words) || value.len > sizeof(packed)) {
        return ERR_BAD;
    }
    memcpy(&packed, value.data, value.len);
    if (!is_packed_well(&packed, value.len)) {
        return ERR_BAD;
    }
    size_t used = 0;
    for (size_t j = 0; j < RECORD_MASKS; j++) {
        for (uint32_t mask = packed.masks[j]; mask != 0; mask &= mask - 1) {
            words[32 * j + (size_t)__builtin_ctz(mask)] = packed.words[used++];
        }
    }
    memcpy(out, words, sizeof(*out));
    return out->version == LEDGER_RECORD_VERSION ? ERR_OK : ERR_BAD;
}

enum err
record_read(struct str value, struct ledger_record *out)
{
    uint32_t version = 0;
    struct record_old old;
    if (value.len < sizeof(version)) {
        return ERR_BAD;
    }
    memcpy(&version, value.data, sizeof(version));
    if (version == PACKED_VERSION) {
        return unpack(value, out);
    }
    if (version == LEDGER_RECORD_VERSION && value.len == PLAIN_BYTES) {
        memset(out, 0, sizeof(*out));
        memcpy(out, value.data, PLAIN_BYTES);
        return ERR_OK;
    }
    if (version == 1 && value.len == sizeof(old)) {
        memcpy(&old, value.data, sizeof(old));
        read_old(&old, out);
        return ERR_OK;
    }
    return ERR_BAD;
}

/* Takes at most what is left of `from`. */
static uint64_t
take(uint64_t *from, uint64_t count)
{
    uint64_t taken = count < *from ? count : *from;
    *from -= taken;
    return taken;
}

void
record_amounts(const struct ledger_record *record, struct money_amounts *out)
{
    uint64_t in = record->in_fresh;
    uint64_t text = record->out_total;
    const uint32_t *media = record->media_tokens;
    *out = (struct money_amounts){ .count = { [MONEY_IN_CACHE_READ] = record->in_cache_read,
                                              [MONEY_IN_CACHE_WRITE_5M] = record->in_cache_write_5m,
                                              [MONEY_IN_CACHE_WRITE_1H] = record->in_cache_write_1h,
                                              [MONEY_OUT_REASONING] =
                                                  take(&text, record->out_reasoning),
                                              [MONEY_IMAGE] = record->images,
                                              [MONEY_REQUEST] = record->requests } };
    out->count[MONEY_IN_AUDIO] = take(&in, media[MONEY_IN_AUDIO - MONEY_MEDIA]);
    out->count[MONEY_IN_IMAGE] = take(&in, media[MONEY_IN_IMAGE - MONEY_MEDIA]);
    out->count[MONEY_OUT_AUDIO] = take(&text, media[MONEY_OUT_AUDIO - MONEY_MEDIA]);
    out->count[MONEY_IN_FRESH] = in;
    out->count[MONEY_OUT_TEXT] = text;
}

void
record_set_rates(struct ledger_record *record, const struct money_rates *rates)
{
    memcpy(record->rates.pico, rates->pico, sizeof(record->rates.pico));
    for (uint32_t i = 0; i < MONEY_MEDIA_KINDS; i++) {
        uint64_t pico = rates->pico[MONEY_MEDIA + i];
        /* What followed a price too dear for here is not told apart: it costs the same. */
        record->media_tokens[i] = pico > MONEY_MEDIA_PICO_MAX ? 0 : record->media_tokens[i];
        record->media_pico[i] = pico > MONEY_MEDIA_PICO_MAX ? 0 : (uint32_t)pico;
    }
}

void
record_rates(const struct ledger_record *record, struct money_rates *out)
{
    memcpy(out->pico, record->rates.pico, sizeof(record->rates.pico));
    for (uint32_t i = 0; i < MONEY_MEDIA_KINDS; i++) {
        out->pico[MONEY_MEDIA + i] = record->media_pico[i];
    }
}

int64_t
record_cost(const struct ledger_record *record)
{
    struct money_amounts amounts;
    struct money_rates rates;
    int64_t nano = 0;
    if (record->is_last == 0 || (record->flags & (LEDGER_UNPRICED | LEDGER_FREE)) != 0) {
        return 0;
    }
    record_amounts(record, &amounts);
    record_rates(record, &rates);
    bool fits = money_cost(&rates, &amounts, record->multiplier_ppm, &nano);
    CHECK(fits || nano == INT64_MAX);
    return nano;
}

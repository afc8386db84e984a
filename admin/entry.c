#include "admin/entry.h"

#include <string.h>

#include "base/clock.h"
#include "base/money.h"
#include "base/num.h"
#include "proto/dialect.h"
#include "proto/endpoint.h"
#include "proto/usage.h"
#include "store/price.h"
#include "store/record.h"

#define VALUE_BYTES 128u
#define NANO_SCALE 9u

enum kind { TEXT, NUMBER, DOLLARS, PRICE, BOOL };

struct value {
    enum kind kind;
    char text[VALUE_BYTES]; /* as it is written; of a TEXT without quotes */
};

static void
set_text(struct value *value, const char *text)
{
    size_t at = 0;
    value->kind = TEXT;
    while (text[at] != '\0' && at < sizeof value->text - 1) {
        value->text[at] = text[at];
        at++;
    }
    value->text[at] = '\0';
}

static void
set_number(struct value *value, uint64_t number)
{
    char text[NUM_TEXT_BYTES];
    num_text(number, text);
    set_text(value, text);
    value->kind = NUMBER;
}

static void
set_money(struct value *value, int64_t amount, uint32_t scale, enum kind kind)
{
    char text[MONEY_TEXT_BYTES];
    money_text(amount, scale, text);
    set_text(value, text);
    value->kind = kind;
}

static void
set_bool(struct value *value, bool is_true)
{
    set_text(value, is_true ? "true" : "false");
    value->kind = BOOL;
}

static void
set_time(struct value *value, uint64_t wall_ms)
{
    char text[CLOCK_TEXT_BYTES];
    set_text(value, clock_text(wall_ms, text));
}

static const char *
endpoint_text(uint8_t endpoint)
{
    return endpoint < ENDPOINT_NUMBER ? endpoint_row((enum endpoint)endpoint)->name : "";
}

static const char *
dialect_text(uint8_t dialect)
{
    return dialect < DIALECT_COUNT ? dialect_name((enum dialect)dialect) : "";
}

static const char *
charged_text(uint8_t charged)
{
    if ((charged & LEDGER_SUBSCRIPTION) != 0) {
        return "plan";
    }
    return (charged & LEDGER_BALANCE) != 0 ? "balance" : "";
}

/* Picodollars a token are dollars a million tokens times 10^6, and dollars for one times 10^12. */
static void
set_rate(struct value *value, const struct ledger_record *record, enum money_kind kind,
         uint32_t scale)
{
    struct money_rates rates;
    record_rates(record, &rates);
    uint64_t pico = rates.pico[kind];
    set_money(value, pico > INT64_MAX ? INT64_MAX : (int64_t)pico, scale, PRICE);
}

/* X(name, statement that sets *v from r) */
#define ENTRY_ROWS(X)                                                                          \
    X("time", set_time(v, r->start_wall_ms))                                                   \
    X("request", set_text(v, r->request_id))                                                   \
    X("status", set_number(v, r->status))                                                      \
    X("code", set_text(v, r->code))                                                            \
    X("endpoint", set_text(v, endpoint_text(r->endpoint)))                                     \
    X("key_id", set_number(v, r->key_id))                                                      \
    X("user_id", set_number(v, r->user_id))                                                    \
    X("group_id", set_number(v, r->group_id))                                                  \
    X("account_id", set_number(v, r->account_id))                                              \
    X("plan_id", set_number(v, r->subscription_id))                                            \
    X("model", set_text(v, r->model))                                                          \
    X("sent", set_text(v, r->model_sent))                                                      \
    X("dialect", set_text(v, dialect_text(r->client_dialect)))                                 \
    X("dialect_sent", set_text(v, dialect_text(r->upstream_dialect)))                          \
    X("stream", set_bool(v, r->is_stream != 0))                                                \
    X("attempt", set_number(v, r->attempt))                                                    \
    X("last", set_bool(v, r->is_last != 0))                                                    \
    X("in", set_number(v, r->in_fresh))                                                        \
    X("cached", set_number(v, r->in_cache_read))                                               \
    X("cache_write_5m", set_number(v, r->in_cache_write_5m))                                   \
    X("cache_write_1h", set_number(v, r->in_cache_write_1h))                                   \
    X("out", set_number(v, r->out_total))                                                      \
    X("reasoning", set_number(v, r->out_reasoning))                                            \
    X("usage", set_text(v, usage_source_name((enum usage_source)r->source)))                   \
    X("cost", set_money(v, r->cost_nano, NANO_SCALE, DOLLARS))                                 \
    X("upstream_cost", set_money(v, r->upstream_nano, NANO_SCALE, DOLLARS))                    \
    X("charged_to", set_text(v, charged_text(r->charged)))                                     \
    X("priced", set_bool(v, (r->flags & LEDGER_UNPRICED) == 0))                                \
    X("multiplier", set_money(v, r->multiplier_ppm, 6, PRICE))                                 \
    X("price_input", set_rate(v, r, MONEY_IN_FRESH, 6))                                        \
    X("price_cache_read", set_rate(v, r, MONEY_IN_CACHE_READ, 6))                              \
    X("price_cache_write", set_rate(v, r, MONEY_IN_CACHE_WRITE_5M, 6))                         \
    X("price_cache_write_1h", set_rate(v, r, MONEY_IN_CACHE_WRITE_1H, 6))                      \
    X("price_output", set_rate(v, r, MONEY_OUT_TEXT, 6))                                       \
    X("price_reasoning", set_rate(v, r, MONEY_OUT_REASONING, 6))                               \
    X("price_image", set_rate(v, r, MONEY_IMAGE, 12))                                          \
    X("price_request", set_rate(v, r, MONEY_REQUEST, 12))                                      \
    X("price_source",                                                                          \
      set_text(v, price_source_text((enum price_source)(r->price_source % PRICE_SOURCES))))    \
    X("tier", set_text(v, price_service_text((enum price_service)(r->tier % PRICE_SERVICES)))) \
    X("first_byte_ms", set_number(v, r->first_byte_ms))                                        \
    X("duration_ms", set_number(v, r->duration_ms))                                            \
    X("bytes_in", set_number(v, r->bytes_in))                                                  \
    X("bytes_out", set_number(v, r->bytes_out))                                                \
    X("client", set_text(v, r->address))                                                       \
    X("in_audio", set_number(v, r->media_tokens[MONEY_IN_AUDIO - MONEY_MEDIA]))                \
    X("in_image", set_number(v, r->media_tokens[MONEY_IN_IMAGE - MONEY_MEDIA]))                \
    X("out_audio", set_number(v, r->media_tokens[MONEY_OUT_AUDIO - MONEY_MEDIA]))              \
    X("price_audio_input", set_rate(v, r, MONEY_IN_AUDIO, 6))                                  \
    X("price_image_input", set_rate(v, r, MONEY_IN_IMAGE, 6))                                  \
    X("price_audio_output", set_rate(v, r, MONEY_OUT_AUDIO, 6))

static const char *const names[] = {
#define ENTRY_NAME(name, set) name,
    ENTRY_ROWS(ENTRY_NAME)
#undef ENTRY_NAME
};
#define FIELDS (sizeof names / sizeof names[0])

static void
set_field(size_t field, const struct ledger_record *r, struct value *v)
{
    size_t at = 0;
#define ENTRY_SET(name, set) \
    if (at++ == field) {     \
        set;                 \
        return;              \
    }
    ENTRY_ROWS(ENTRY_SET)
#undef ENTRY_SET
}

void
entry_put(struct jsonw *w, const struct ledger_record *record, uint64_t sequence)
{
    struct value value;
    jsonw_object(w);
    jsonw_put_u64(w, "sequence", sequence);
    for (size_t i = 0; i < FIELDS; i++) {
        set_field(i, record, &value);
        jsonw_name(w, names[i]);
        if (value.kind == TEXT) {
            jsonw_text(w, value.text);
        } else {
            jsonw_raw(w, str_of(value.text));
        }
    }
    jsonw_close(w);
}

enum err
entry_csv_head(struct buf *out)
{
    enum err err = buf_append(out, STR("sequence"));
    for (size_t i = 0; i < FIELDS && err == ERR_OK; i++) {
        err = buf_append(out, STR(","));
        err = err != ERR_OK ? err : buf_append(out, str_of(names[i]));
    }
    return err != ERR_OK ? err : buf_append(out, STR("\r\n"));
}

/* Texts are quoted; one that a spreadsheet would take for a formula gets a blank before it. */
static enum err
append_quoted(struct buf *out, const char *text)
{
    enum err err = buf_append(out, STR("\""));
    if (err == ERR_OK && text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL) {
        err = buf_append(out, STR(" "));
    }
    for (const char *at = text; *at != '\0' && err == ERR_OK; at++) {
        err = buf_append(out, str_make(at, 1));
        if (err == ERR_OK && *at == '"') {
            err = buf_append(out, STR("\""));
        }
    }
    return err != ERR_OK ? err : buf_append(out, STR("\""));
}

enum err
entry_csv(const struct ledger_record *record, uint64_t sequence, struct buf *out)
{
    char text[NUM_TEXT_BYTES];
    struct value value;
    enum err err = buf_append(out, str_make(text, num_text(sequence, text)));
    for (size_t i = 0; i < FIELDS && err == ERR_OK; i++) {
        set_field(i, record, &value);
        err = buf_append(out, STR(","));
        if (err == ERR_OK) {
            err = value.kind == TEXT ? append_quoted(out, value.text)
                                     : buf_append(out, str_of(value.text));
        }
    }
    return err != ERR_OK ? err : buf_append(out, STR("\r\n"));
}

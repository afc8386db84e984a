/* One record, the same as JSON and as CSV, exactly. */
#include "admin/entry.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/json.h"
#include "proto/endpoint.h"
#include "store/price.h"

static struct ledger_record
make(void)
{
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .status = 200,
                                    .endpoint = ENDPOINT_CHAT,
                                    .source = LEDGER_UPSTREAM,
                                    .key_id = 3,
                                    .start_wall_ms = 1795234125123ull,
                                    .in_fresh = 11,
                                    .cost_nano = 97500,
                                    .upstream_nano = 1,
                                    .multiplier_ppm = 1500000,
                                    .charged = LEDGER_SUBSCRIPTION | LEDGER_KEY_QUOTA,
                                    .is_last = 1,
                                    .tier = PRICE_FLEX };
    record.rates.pico[MONEY_IN_FRESH] = 2500000;
    memcpy(record.request_id, "req_1", 6);
    memcpy(record.model, "=1+1 \"x\"\n", 10);
    return record;
}

static uint32_t
count_fields(const char *line)
{
    uint32_t count = 1;
    bool is_quoted = false;
    for (const char *at = line; *at != '\0'; at++) {
        is_quoted = *at == '"' ? !is_quoted : is_quoted;
        count += *at == ',' && !is_quoted ? 1 : 0;
    }
    return count;
}

Test(entry, is_exact_in_json)
{
    struct ledger_record record = make();
    struct json_value root;
    struct json_value value;
    struct buf buf;
    struct jsonw w;
    buf_init(&buf, 16384);
    jsonw_begin(&w, &buf);
    entry_put(&w, &record, 7);
    cr_assert(jsonw_end(&w) == ERR_OK);
    cr_assert(json_read(buf_str(&buf), &root, NULL) == ERR_OK);
    static const char *const want[][2] = {
        { "sequence", "7" },          { "time", "\"2026-11-21T04:08:45.123Z\"" },
        { "cost", "0.0000975" },      { "upstream_cost", "0.000000001" },
        { "multiplier", "1.5" },      { "price_input", "2.5" },
        { "charged_to", "\"plan\"" }, { "tier", "\"flex\"" },
        { "stream", "false" },        { "last", "true" },
        { "endpoint", "\"chat\"" },   { "model", "\"=1+1 \\\"x\\\"\\n\"" },
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        cr_assert(json_get(root, str_of(want[i][0]), &value), "%s", want[i][0]);
        cr_expect(str_equal(value.raw, str_of(want[i][1])), "%s: %.*s", want[i][0],
                  STR_ARG(value.raw));
    }
    buf_fini(&buf);
}

Test(entry, has_the_same_fields_in_csv_and_no_formulas)
{
    struct ledger_record record = make();
    char head[4096];
    char line[4096];
    struct buf buf;
    buf_init(&buf, 16384);
    cr_assert(entry_csv_head(&buf) == ERR_OK && str_copy(head, sizeof head, buf_str(&buf)));
    buf_consume(&buf, buf_len(&buf));
    cr_assert(entry_csv(&record, 7, &buf) == ERR_OK && str_copy(line, sizeof line, buf_str(&buf)));
    cr_expect_eq(count_fields(head), count_fields(line), "%s%s", head, line);
    cr_expect(strncmp(line, "7,\"2026-11-21T04:08:45.123Z\",\"req_1\",200,", 40) == 0, "%s", line);
    cr_expect(strstr(line, ",\" =1+1 \"\"x\"\"\n\",") != NULL, "%s", line);
    cr_expect(strstr(line, ",0.0000975,0.000000001,\"plan\",") != NULL, "%s", line);
    buf_fini(&buf);
}

Test(entry, of_bytes_that_no_program_wrote_stays_within_its_bounds)
{
    struct ledger_record record;
    struct buf buf;
    memset(&record, 0xff, sizeof record);
    record.request_id[REQUEST_ID_BYTES - 1] = '\0';
    record.code[ERROR_CODE_BYTES - 1] = '\0';
    record.model[95] = record.model_sent[95] = record.address[45] = '\0';
    record.source = LEDGER_NONE;
    buf_init(&buf, 16384);
    cr_expect(entry_csv(&record, UINT64_MAX, &buf) == ERR_OK);
    buf_fini(&buf);
}

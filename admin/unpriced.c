#include "admin/unpriced.h"

#include <stdio.h>
#include <string.h>

#include "admin/api.h"
#include "admin/recorder.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "http/server.h"
#include "store/match.h"
#include "store/pricedesk.h"

#define RECORDS_LOOKED_AT 20000u /* some milliseconds of the recorder's time */
#define NAMES_MAX_SHOWN 500u
#define BLOCK 16u

struct name {
    char model[MODEL_NAME_BYTES];
    uint64_t requests;
    uint64_t last_ms;
    char account[NAME_BYTES]; /* one that names it; "" = none */
};

struct search {
    const struct pricelist *list;
    struct name names[NAMES_MAX_SHOWN];
    uint32_t count;
};

/* The place of a name without a price; NULL: it has one, or there is no room. */
static struct name *
find_name(struct search *search, struct str model)
{
    for (uint32_t i = 0; i < search->count; i++) {
        if (str_equal(str_of(search->names[i].model), model)) {
            return &search->names[i];
        }
    }
    if (model.len == 0 || search->count == NAMES_MAX_SHOWN ||
        pricelist_find(search->list, model) != NULL) {
        return NULL;
    }
    struct name *name = &search->names[search->count];
    if (!str_copy(name->model, sizeof name->model, model)) {
        return NULL;
    }
    search->count++;
    return name;
}

static enum err
look_at_records(struct search *search, struct ledger *ledger)
{
    struct ledger_record records[BLOCK];
    uint64_t sequences[BLOCK];
    uint64_t before = 0;
    uint32_t count = BLOCK;
    for (uint32_t seen = 0; seen < RECORDS_LOOKED_AT && count == BLOCK; seen += BLOCK) {
        enum err err = ledger_recent(ledger, before, records, sequences, BLOCK, &count);
        if (err != ERR_OK) {
            return err;
        }
        for (uint32_t i = 0; i < count; i++) {
            struct name *name = (records[i].flags & LEDGER_UNPRICED) == 0
                                    ? NULL
                                    : find_name(search, str_of(records[i].model));
            if (name != NULL) {
                name->requests++;
                name->last_ms = name->last_ms == 0 ? records[i].start_wall_ms : name->last_ms;
            }
            before = sequences[i];
        }
    }
    return ERR_OK;
}

static void
note_account(struct search *search, const struct account *account, struct str model)
{
    bool is_glob = memchr(model.data, '*', model.len) != NULL;
    struct name *name = is_glob ? NULL : find_name(search, model);
    if (name != NULL && name->account[0] == '\0') {
        str_copy(name->account, sizeof name->account, str_of(account->name));
    }
}

/* A mapped name may have its price from either side. */
static void
look_at_account(struct search *search, const struct account *account)
{
    struct str rest = str_of(account->models);
    struct str item;
    while (match_next(&rest, &item)) {
        struct str sent = match_mapped(account->model_map, item);
        if (pricelist_find(search->list, sent) == NULL) {
            note_account(search, account, item);
        }
    }
    rest = str_of(account->model_map);
    while (match_next(&rest, &item)) {
        struct str sent = item;
        struct str asked = str_trim(str_cut(&sent, '='));
        sent = str_trim(sent);
        if (sent.len > 0 && pricelist_find(search->list, sent) == NULL &&
            (memchr(asked.data, '*', asked.len) != NULL ||
             pricelist_find(search->list, asked) == NULL)) {
            note_account(search, account, sent);
        }
    }
}

static enum err
look(struct search *search, struct ledger *ledger)
{
    static struct account account;
    uint64_t cursor = 0;
    enum err err = look_at_records(search, ledger);
    while (err == ERR_OK) {
        err = ledger_next(ledger, MODEL_ACCOUNT, &cursor, &account);
        if (err == ERR_OK) {
            look_at_account(search, &account);
        }
    }
    return err == ERR_EOF ? ERR_OK : err;
}

static void
put_name(struct jsonw *w, const struct name *name)
{
    char time[CLOCK_TEXT_BYTES] = "";
    jsonw_object(w);
    jsonw_put_text(w, "model", name->model);
    jsonw_put_u64(w, "requests", name->requests);
    jsonw_put_text(w, "last", name->last_ms == 0 ? "" : clock_text(name->last_ms, time));
    jsonw_put_text(w, "account", name->account);
    jsonw_close(w);
}

void
unpriced_handle(struct server_request *request)
{
    const struct recorder *recorder = server_context(request);
    static struct search search;
    struct pricelist *list = NULL;
    search.count = 0;
    memset(search.names, 0, sizeof search.names);
    enum err err = pricedesk_list(recorder->ledger, NULL, &list);
    search.list = list;
    err = err != ERR_OK ? err : look(&search, recorder->ledger);
    struct buf body;
    struct jsonw w;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    jsonw_name(&w, "items");
    jsonw_array(&w);
    for (uint32_t i = 0; i < search.count; i++) {
        put_name(&w, &search.names[i]);
    }
    jsonw_close(&w);
    jsonw_close(&w);
    pricelist_drop(list);
    enum err ended = jsonw_end(&w);
    api_answer_buf(request, err != ERR_OK ? err : ended, &body);
}

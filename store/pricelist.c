#include "store/pricelist.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/pricebook.h"
#include "store/shipped.h"

/* A name that was asked for lately, and what was found: most requests ask for the same few. */
struct asked {
    const struct pricecard *card; /* NULL: there is no price */
    uint32_t name_bytes;          /* 0 = free */
    char name[MODEL_NAME_BYTES];
};

#define ASKED_BITS 6u

/*
 * One mapping, as large as PRICES_MAX rows with every tier and the longest names could need, so
 * that loading cannot find it too small; untouched pages cost nothing.
 */
struct room {
    struct pricecard rows[PRICES_MAX];
    struct money_rates rates[PRICES_MAX * PRICE_SERVICES * PRICE_STEPS_MAX];
    char names[PRICES_MAX * 2u * MODEL_NAME_BYTES];
    struct asked asked[1u << ASKED_BITS]; /* each process has its own */
};

struct pricelist {
    uint32_t references;
    uint64_t version; /* of the store's prices */
    struct room *room;
    uint32_t row_count;
    uint32_t rate_count;
    uint32_t name_bytes;
    uint32_t first[PRICE_SOURCES + 1]; /* of each source's rows; [s + 1] is behind them */
};

void
pricelist_hold(struct pricelist *list)
{
    CHECK(list->references > 0);
    list->references++;
}

void
pricelist_drop(struct pricelist *list)
{
    if (list == NULL) {
        return;
    }
    CHECK(list->references > 0);
    list->references--;
    if (list->references == 0) {
        munmap(list->room, sizeof(*list->room));
        free(list);
    }
}

/* --- loading --- */

static struct str
put_name(struct pricelist *list, const char *text)
{
    size_t len = strlen(text);
    char *at = list->room->names + list->name_bytes;
    CHECK(len <= sizeof(list->room->names) - list->name_bytes);
    memcpy(at, text, len);
    list->name_bytes += (uint32_t)len;
    return str_make(at, len);
}

static void
put_rates(struct pricelist *list, const struct price *price, struct pricecard *card)
{
    card->steps = price->steps;
    memcpy(card->above, price->above, sizeof(card->above));
    card->rates = &list->room->rates[list->rate_count];
    for (uint32_t service = 0; service < PRICE_SERVICES; service++) {
        if (!price_has_service(price, (enum price_service)service)) {
            continue;
        }
        card->services |= 1u << service;
        for (uint32_t step = 0; step < price->steps; step++) {
            pricecard_resolve(price, (enum price_service)service, step,
                              &list->room->rates[list->rate_count++]);
        }
    }
}

/* A row more: they come source by source. */
static enum err
put_row(void *context, enum price_source source, const struct price *price)
{
    struct pricelist *list = context;
    if (list->row_count == PRICES_MAX) {
        return ERR_FULL;
    }
    struct pricecard *row = &list->room->rows[list->row_count++];
    row->source = source;
    row->model = put_name(list, price->model);
    if (price->alias_of[0] != '\0') {
        row->alias_of = put_name(list, price->alias_of);
    } else {
        put_rates(list, price, row);
    }
    for (uint32_t next = (uint32_t)source + 1; next <= PRICE_SOURCES; next++) {
        list->first[next] = list->row_count;
    }
    return ERR_OK;
}

static int
compare_rows(const void *a, const void *b)
{
    const struct str left = ((const struct pricecard *)a)->model;
    const struct str right = ((const struct pricecard *)b)->model;
    size_t len = left.len < right.len ? left.len : right.len;
    int order = memcmp(left.data, right.data, len);
    return order != 0 ? order : (left.len > right.len) - (left.len < right.len);
}

static enum err
fill(struct pricelist *list, struct kv_txn *txn)
{
    enum err err = pricebook_each(txn, put_row, list);
    err = err != ERR_OK ? err : shipped_each(put_row, list);
    for (uint32_t source = 0; source < PRICE_SOURCES && err == ERR_OK; source++) {
        qsort(list->room->rows + list->first[source], list->first[source + 1] - list->first[source],
              sizeof(struct pricecard), compare_rows);
    }
    return err;
}

static struct pricelist *
make_list(uint64_t version)
{
    struct pricelist *list = calloc(1, sizeof(*list));
    if (list == NULL) {
        return NULL;
    }
    list->references = 1;
    list->version = version;
    list->room = mmap(NULL, sizeof(*list->room), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (list->room == MAP_FAILED) {
        free(list);
        return NULL;
    }
    return list;
}

enum err
pricelist_load(struct kv_txn *txn, struct pricelist *old, struct pricelist **out)
{
    uint64_t version = 0;
    *out = NULL;
    enum err err = pricebook_version(txn, &version);
    if (err != ERR_OK) {
        return err;
    }
    if (old != NULL && old->version == version) {
        pricelist_hold(old);
        *out = old;
        return ERR_OK;
    }
    struct pricelist *list = make_list(version);
    if (list == NULL) {
        return ERR_IO;
    }
    err = fill(list, txn);
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "store", "call=prices err=%s rows=%u", err_name(err), list->row_count);
        pricelist_drop(list);
        return ERR_IO;
    }
    *out = list;
    return ERR_OK;
}

/* --- finding --- */

static const struct pricecard *
find_exact(const struct pricelist *list, enum price_source source, struct str name)
{
    struct pricecard key = { .model = name };
    uint32_t first = list->first[source];
    uint32_t count = list->first[source + 1] - first;
    return count == 0 ? NULL
                      : bsearch(&key, list->room->rows + first, count, sizeof(struct pricecard),
                                compare_rows);
}

/* Whom an alias leads to; NULL: to nothing, or to another alias. */
static const struct pricecard *
follow_alias(const struct pricelist *list, const struct pricecard *row)
{
    for (uint32_t source = PRICE_OWN; source < PRICE_SOURCES; source++) {
        const struct pricecard *to = find_exact(list, (enum price_source)source, row->alias_of);
        if (to != NULL && to->alias_of.len == 0) {
            return to;
        }
    }
    return NULL;
}

struct search {
    const struct pricelist *list;
    enum price_source source;
    struct pricelist_found *found;
};

static bool
on_name(void *context, struct str name, enum pricename_rule rule)
{
    struct search *search = context;
    const struct pricecard *row = find_exact(search->list, search->source, name);
    const struct pricecard *to = row;
    if (row != NULL && row->alias_of.len > 0) {
        to = follow_alias(search->list, row);
    }
    if (to == NULL) {
        return false;
    }
    *search->found = (struct pricelist_found){ to, row, rule };
    return true;
}

bool
pricelist_explain(const struct pricelist *list, struct str model, struct pricelist_found *out)
{
    struct search search = { .list = list, .found = out };
    for (uint32_t source = PRICE_OWN; source < PRICE_SOURCES; source++) {
        search.source = (enum price_source)source;
        if (pricename_each(model, on_name, &search)) {
            return true;
        }
    }
    return false;
}

static const struct pricecard *
search_all(const struct pricelist *list, struct str model)
{
    struct pricelist_found found;
    return pricelist_explain(list, model, &found) ? found.card : NULL;
}

/* Where a name is remembered: by its length, its first and its last eight bytes. */
static struct asked *
asked_of(const struct pricelist *list, struct str model)
{
    uint64_t first = 0;
    uint64_t last = 0;
    size_t bytes = model.len < sizeof(first) ? model.len : sizeof(first);
    if (bytes > 0) {
        memcpy(&first, model.data, bytes);
        memcpy(&last, model.data + model.len - bytes, bytes);
    }
    uint64_t mixed = (first ^ last << 7 ^ last >> 57 ^ model.len) * 0x9e3779b97f4a7c15ull;
    return &list->room->asked[mixed >> (64 - ASKED_BITS)];
}

const struct pricecard *
pricelist_find(const struct pricelist *list, struct str model)
{
    if (model.len == 0 || model.len >= MODEL_NAME_BYTES) {
        return NULL;
    }
    struct asked *asked = asked_of(list, model);
    if (!str_equal(str_make(asked->name, asked->name_bytes), model)) {
        asked->card = search_all(list, model);
        asked->name_bytes = (uint32_t)model.len;
        memcpy(asked->name, model.data, model.len);
    }
    DCHECK(asked->card == search_all(list, model));
    return asked->card;
}

uint32_t
pricelist_count(const struct pricelist *list, enum price_source source)
{
    CHECK((uint32_t)source < PRICE_SOURCES);
    return list->first[source + 1] - list->first[source];
}

const struct pricecard *
pricelist_at(const struct pricelist *list, enum price_source source, uint32_t index)
{
    CHECK(index < pricelist_count(list, source));
    return &list->room->rows[list->first[source] + index];
}

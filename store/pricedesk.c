#include "store/pricedesk.h"

#include <stdio.h>
#include <string.h>

#include "store/kv.h"
#include "store/pricebook.h"
#include "store/pricefile.h"
#include "store/shipped.h"

enum err
pricedesk_list(struct ledger *ledger, struct pricelist *old, struct pricelist **out)
{
    struct kv_txn *txn = NULL;
    *out = NULL;
    enum err err = kv_begin(ledger_kv(ledger), &txn);
    if (err == ERR_OK) {
        err = pricelist_load(txn, old, out);
        kv_end(txn);
    }
    return err;
}

struct wanted {
    struct str model;
    struct price *out;
    bool is_found;
};

static enum err
on_shipped(void *context, enum price_source source, const struct price *price)
{
    struct wanted *wanted = context;
    (void)source;
    if (str_equal_nocase(wanted->model, str_of(price->model))) {
        *wanted->out = *price;
        wanted->is_found = true;
    }
    return ERR_OK;
}

enum err
pricedesk_get(struct ledger *ledger, enum price_source source, struct str model, struct price *out)
{
    struct kv_txn *txn = NULL;
    if (source == PRICE_SHIPPED) {
        struct wanted wanted = { model, out, false };
        enum err err = shipped_each(on_shipped, &wanted);
        return err == ERR_OK && !wanted.is_found ? ERR_GONE : err;
    }
    enum err err = kv_begin(ledger_kv(ledger), &txn);
    if (err == ERR_OK) {
        err = pricebook_get(txn, source, model, out);
        kv_end(txn);
    }
    return err;
}

static enum err
set_in_txn(struct kv_txn *txn, void *context)
{
    return pricebook_set(txn, context);
}

enum err
pricedesk_set(struct ledger *ledger, const struct price *price)
{
    struct price copy = *price;
    return kv_write(ledger_kv(ledger), set_in_txn, &copy);
}

static enum err
remove_in_txn(struct kv_txn *txn, void *context)
{
    const struct str *model = context;
    return pricebook_remove(txn, *model);
}

enum err
pricedesk_remove(struct ledger *ledger, struct str model)
{
    return kv_write(ledger_kv(ledger), remove_in_txn, &model);
}

/* --- import --- */

struct import {
    struct str text;
    struct kv_txn *txn;
    struct pricedesk_import *out;
    char *why;
    enum err err; /* of the store */
};

static void
note_refusal(struct pricedesk_import *out, const struct pricefile_row *row, const char *why)
{
    if (out->refused < PRICEDESK_REFUSED_MAX) {
        struct pricedesk_refusal *refusal = &out->refusals[out->refused];
        struct str shown = row->model;
        shown.len = shown.len < sizeof(refusal->model) ? shown.len : sizeof(refusal->model) - 1;
        refusal->line = row->line;
        snprintf(refusal->model, sizeof(refusal->model), "%.*s", STR_ARG(shown));
        snprintf(refusal->why, sizeof(refusal->why), "%s", why);
    }
    out->refused++;
}

static bool
on_row(void *context, const struct pricefile_row *row)
{
    struct import *import = context;
    if (row->err == ERR_GONE) {
        import->out->unpriced++;
        return true;
    }
    if (row->err != ERR_OK) {
        note_refusal(import->out, row, row->why);
        return true;
    }
    enum err err = pricebook_add(import->txn, row->price);
    if (err == ERR_DENIED) {
        note_refusal(import->out, row, "the model is there twice");
        return true;
    }
    import->err = err;
    import->out->imported++;
    return err == ERR_OK;
}

/* May run twice: it begins anew each time. */
static enum err
import_in_txn(struct kv_txn *txn, void *context)
{
    struct import *import = context;
    import->txn = txn;
    import->err = ERR_OK;
    *import->out = (struct pricedesk_import){ 0 };
    enum err err = pricebook_clear(txn);
    err = err != ERR_OK ? err : pricefile_read(import->text, on_row, import, import->why);
    if (err != ERR_OK || import->err != ERR_OK) {
        return err != ERR_OK ? err : import->err;
    }
    if (import->out->imported == 0) {
        snprintf(import->why, PRICE_WHY_BYTES, "no row of it is a price");
        return ERR_BAD;
    }
    return ERR_OK;
}

enum err
pricedesk_import(struct ledger *ledger, struct str text, struct pricedesk_import *out,
                 char why[PRICE_WHY_BYTES])
{
    struct import import = { .text = text, .out = out, .why = why };
    why[0] = '\0';
    return kv_write(ledger_kv(ledger), import_in_txn, &import);
}

/*
 * columns.h - which members of an answer sub2apictl shows as columns, and in which order.
 *
 * Runs in: sub2apictl.
 */
#ifndef ADMIN_COLUMNS_H
#define ADMIN_COLUMNS_H

#include "admin/table.h"
#include "store/model.h"

extern const struct table_columns columns_of_kind[MODEL_KINDS];
extern const struct table_columns columns_top;
extern const struct table_columns columns_explain;
extern const struct table_columns columns_slots;
extern const struct table_columns columns_sticky;
extern const struct table_columns columns_prices;
extern const struct table_columns columns_price;
extern const struct table_columns columns_import;
extern const struct table_columns columns_unpriced;
extern const struct table_columns columns_usage;
extern const struct table_columns columns_report;
extern const struct table_columns columns_processes;

#endif

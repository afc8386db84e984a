#include "store/storeconf.h"

#include <stddef.h>

static const char *const budgets[] = { "strict", "soft", NULL };
static const char *const unpriced_choices[] = { "refuse", "refuse_all", "zero", NULL };

const struct setting storeconf_rows[] = {
    { .key = "dir",
      .type = SETTING_TEXT,
      .offset = offsetof(struct storeconf, dir),
      .size = sizeof(((struct storeconf *)0)->dir),
      .standard = "data",
      .unit = "",
      .is_reloadable = false,
      .help = "Directory of everything that survives a restart: data.mdb (users, keys, groups, "
              "accounts, usage), lock.mdb and secret.key, which opens the sealed credentials. Made "
              "with mode 0700 when missing. Back up data.mdb and secret.key, apart from each "
              "other." },
    { .key = "map_bytes",
      .type = SETTING_BYTES,
      .offset = offsetof(struct storeconf, map_bytes),
      .size = sizeof(uint64_t),
      .min = 1024u * 1024,
      .max = 16ull * 1024 * 1024 * 1024 * 1024,
      .standard = "64g",
      .unit = "",
      .is_reloadable = false,
      .help = "Address space set aside for the store. The file grows only as it is used. When it "
              "does not suffice the space is doubled and the log says so." },
    { .key = "commit_interval",
      .type = SETTING_MS,
      .offset = offsetof(struct storeconf, commit_ms),
      .size = sizeof(uint32_t),
      .min = 1,
      .max = 10000,
      .standard = "50ms",
      .unit = "",
      .is_reloadable = true,
      .help = "Usage records of finished requests are written together, this often. Only a crash "
              "of the whole machine can lose the last of them." },
    { .key = "budget",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct storeconf, budget),
      .size = sizeof(uint32_t),
      .choices = budgets,
      .standard = "strict",
      .unit = "",
      .is_reloadable = true,
      .help = "strict: a request reserves what it may cost before it goes out, so that no quota, "
              "balance or plan is passed however many requests race. soft: it is asked only "
              "whether anything is left; the requests under way may pass the limit." },
    { .key = "keep_days",
      .type = SETTING_U32,
      .offset = offsetof(struct storeconf, keep_days),
      .size = sizeof(uint32_t),
      .min = 1,
      .max = 36500,
      .standard = "90",
      .unit = "days",
      .is_reloadable = true,
      .help = "Usage records of requests older than this are removed. Totals stay." },
    { .key = "idempotency_time",
      .type = SETTING_MS,
      .offset = offsetof(struct storeconf, idempotency_ms),
      .size = sizeof(uint32_t),
      .min = 0,
      .max = 7u * 24 * 3600 * 1000,
      .standard = "24h",
      .unit = "time",
      .is_reloadable = true,
      .help = "What became of a request with an Idempotency-Key is kept so long, and given to "
              "whoever sends the same request with the same key again: it is served and billed "
              "once. Answers up to 1 MiB are kept as they are, readable in data.mdb. 0: the "
              "header means nothing." },
    { .key = "unpriced",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct storeconf, unpriced),
      .size = sizeof(uint32_t),
      .standard = "refuse",
      .unit = "",
      .choices = unpriced_choices,
      .is_reloadable = true,
      .help = "Requests for models that no price is known of (sub2apictl price missing). refuse: "
              "keys with a budget of money are refused with model_not_priced, the others are "
              "served and charged nothing. refuse_all: every key is refused. zero: every key is "
              "served and charged nothing. What is served unpriced is marked in its record and "
              "its log line." },
};
const size_t storeconf_row_count = sizeof(storeconf_rows) / sizeof(storeconf_rows[0]);

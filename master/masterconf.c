#include "master/masterconf.h"

#include "base/limits.h"

static const char *const levels[] = { "debug", "info", "warn", "error", NULL };

const struct setting masterconf_rows[] = {
    { .key = "workers",
      .type = SETTING_U32,
      .offset = offsetof(struct masterconf, workers),
      .size = sizeof(uint32_t),
      .min = 0,
      .max = WORKERS_MAX,
      .standard = "0",
      .unit = "processes",
      .is_reloadable = true,
      .help = "Worker processes that carry the traffic. 0 means one for each core." },
    { .key = "grace",
      .type = SETTING_MS,
      .offset = offsetof(struct masterconf, grace_ms),
      .size = sizeof(uint32_t),
      .min = 0,
      .max = 3600u * 1000,
      .standard = "30s",
      .unit = "",
      .is_reloadable = true,
      .help =
          "How long streams under way may go on after a stop or a reload. What is left then "
          "ends with the code draining: an answer where none has begun, an event in a stream." },
    { .key = "log_level",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct masterconf, log_level),
      .size = sizeof(uint32_t),
      .standard = "info",
      .unit = "",
      .choices = levels,
      .is_reloadable = true,
      .help = "Events below this level are not written to the log on standard error." },
    { .key = "user",
      .type = SETTING_TEXT,
      .offset = offsetof(struct masterconf, user),
      .size = sizeof(((struct masterconf *)0)->user),
      .standard = "",
      .unit = "",
      .is_reloadable = false,
      .help = "When started by root: the user that all processes become once the sockets are "
              "open. Empty means to stay what we are." },
};
const size_t masterconf_row_count = sizeof masterconf_rows / sizeof masterconf_rows[0];

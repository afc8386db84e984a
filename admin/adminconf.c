#include "admin/adminconf.h"

#define ROW(field) \
    .offset = offsetof(struct adminconf, field), .size = sizeof(((struct adminconf *)0)->field)

const struct setting adminconf_rows[] = {
    { .key = "socket",
      .type = SETTING_TEXT,
      ROW(socket),
      .standard = "",
      .unit = "path",
      .is_reloadable = false,
      .help = "UNIX socket of the admin API, which sub2apictl talks to. Mode 0600. Empty: "
              "admin.sock in [store] dir." },
    { .key = "allow_uid",
      .type = SETTING_U32,
      ROW(allow_uid),
      .min = 0,
      .max = UINT32_MAX,
      .standard = "0",
      .unit = "user id",
      .is_reloadable = true,
      .help = "One more user that may use the admin socket, besides root and the gateway's own; "
              "the socket's mode must let it in too. 0: none." },
    { .key = "resolve_interval",
      .type = SETTING_MS,
      ROW(resolve_interval_ms),
      .min = 1000,
      .max = 86400000,
      .standard = "60s",
      .unit = "time",
      .is_reloadable = true,
      .help = "The keeper looks the providers' host names up again after this time; the last good "
              "addresses are used meanwhile and when a look-up fails." },
    { .key = "session_interval",
      .type = SETTING_MS,
      ROW(session_interval_ms),
      .min = 1000,
      .max = 86400000,
      .standard = "30m",
      .unit = "time",
      .is_reloadable = true,
      .help = "The keeper makes a full TLS handshake with each provider after this time, so that "
              "workers only resume sessions." },
    { .key = "probe_interval",
      .type = SETTING_MS,
      ROW(probe_interval_ms),
      .min = 0,
      .max = 3600000,
      .standard = "30s",
      .unit = "time",
      .is_reloadable = true,
      .help =
          "The keeper asks an account that has rested for this time, and would rest on, whether "
          "it is well again: its list of models, and when that answers, one small request. "
          "After each time in vain it waits twice as long, up to 16 times this. 0: a client's "
          "request is the first to try it." },
    { .key = "test_timeout",
      .type = SETTING_MS,
      ROW(test_timeout_ms),
      .min = 1000,
      .max = 600000,
      .standard = "30s",
      .unit = "time",
      .is_reloadable = true,
      .help = "Longest account test, all dialects together." },
};

const size_t adminconf_row_count = sizeof adminconf_rows / sizeof adminconf_rows[0];

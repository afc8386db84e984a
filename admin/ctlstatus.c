/*
 * ctlstatus.c - `status`: processes, readiness, counters.
 *
 * Runs in: sub2apictl.
 */
#include "admin/columns.h"
#include "admin/nouns.h"
#include "base/json.h"
#include "base/limits.h"

/* The members, and below them the processes as a table. */
static int
show_status(const struct errand *errand, struct str body)
{
    struct json_value root;
    struct json_value processes;
    struct buf list;
    (void)errand;
    int code = errand_show_object(body);
    buf_init(&list, ADMIN_ANSWER_BYTES_MAX);
    if (code == ERRAND_DONE && json_read(body, &root, NULL) == ERR_OK &&
        json_get(root, STR("processes"), &processes) &&
        buf_printf(&list, "{\"items\":%.*s}", STR_ARG(processes.raw)) == ERR_OK) {
        putchar('\n');
        code = errand_show_table(buf_str(&list), &columns_processes);
    }
    buf_fini(&list);
    return code;
}

static const struct errand_verb verbs[] = {
    { .word = "",
      .help = "whether it is ready and why not, its processes, store and counters",
      .method = "GET",
      .path = "/v1/status",
      .show = show_status },
    { .word = NULL },
};

const struct errand_noun ctlstatus_noun = { .word = "status",
                                            .help = "processes, readiness, counters",
                                            .verbs = verbs };

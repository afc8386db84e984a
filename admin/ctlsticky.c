/*
 * ctlsticky.c - see ctlsticky.h. Exit codes as in ctl.c: 0 done, 1 refused, 2 the command line.
 */
#include "admin/ctlsticky.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/call.h"
#include "admin/columns.h"
#include "admin/table.h"
#include "base/json.h"
#include "base/limits.h"

#define EXIT_REFUSED 1
#define EXIT_USAGE 2

static int
complain(const char *text, struct str more)
{
    fprintf(stderr, "sub2apictl: %s%.*s\n", text, STR_ARG(more));
    return EXIT_REFUSED;
}

static int
show_list(struct str body)
{
    struct buf text;
    struct json_value root;
    struct json_value value;
    uint64_t total = 0;
    buf_init(&text, ADMIN_ANSWER_BYTES_MAX);
    enum err err = table_list(body, &columns_sticky, &text);
    if (err == ERR_OK) {
        fwrite(buf_str(&text).data, 1, buf_str(&text).len, stdout);
    }
    buf_fini(&text);
    if (err != ERR_OK || json_read(body, &root, NULL) != ERR_OK ||
        !json_get(root, STR("total"), &value) || json_u64(value, &total) != ERR_OK) {
        return complain("the gateway's answer cannot be shown", STR(""));
    }
    printf("\n%" PRIu64 " sessions are bound\n", total);
    return 0;
}

static int
show_cleared(struct str body)
{
    struct json_value root;
    struct json_value value;
    uint64_t dropped = 0;
    if (json_read(body, &root, NULL) != ERR_OK || !json_get(root, STR("dropped"), &value) ||
        json_u64(value, &dropped) != ERR_OK) {
        return complain("the gateway's answer cannot be shown", STR(""));
    }
    printf("%" PRIu64 " sessions forgotten\n", dropped);
    return 0;
}

/* What stands in a path as it is; the gateway judges the rest. */
static bool
is_plain(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length < NAME_BYTES && strcspn(name, " /?#%\t\r\n\v\f\"\\") == length;
}

int
ctlsticky_run(const char *socket, bool wants_json, int argc, char **argv)
{
    bool is_list = argc == 1 && strcmp(argv[0], "list") == 0;
    bool is_clear = argc >= 1 && strcmp(argv[0], "clear") == 0;
    bool has_account = is_clear && argc == 3 && strcmp(argv[1], "--account") == 0;
    if ((!is_list && !is_clear) || (is_clear && argc != 1 && !has_account) ||
        (has_account && !is_plain(argv[2]))) {
        fputs("sub2apictl: sticky takes list, or clear [--account NAME]\n", stderr);
        return EXIT_USAGE;
    }
    char path[NAME_BYTES + 32] = "/v1/sticky";
    if (has_account) {
        snprintf(path, sizeof path, "/v1/sticky/account/%s", argv[2]);
    }
    struct buf body;
    uint16_t status = 0;
    char why[CALL_WHY_BYTES];
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    int code;
    if (call_admin(socket, is_list ? "GET" : "DELETE", path, STR(""), &status, &body, why) !=
        ERR_OK) {
        code = complain("", str_of(why));
    } else if (status >= 300) {
        code = complain("refused: ", buf_str(&body));
    } else if (wants_json) {
        printf("%.*s\n", STR_ARG(buf_str(&body)));
        code = 0;
    } else {
        code = is_list ? show_list(buf_str(&body)) : show_cleared(buf_str(&body));
    }
    buf_fini(&body);
    return code;
}

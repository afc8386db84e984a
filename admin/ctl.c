/*
 * ctl.c - sub2apictl: the admin's command line over the UNIX socket.
 *
 * Exit codes: 0 done, 1 the gateway refused or a test failed, 2 the command line is not right.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin/call.h"
#include "admin/columns.h"
#include "admin/ctlsticky.h"
#include "admin/form.h"
#include "admin/table.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "store/model.h"

#define EXIT_REFUSED 1
#define EXIT_USAGE 2
#define DEFAULT_SOCKET "data/admin.sock"

struct ctl {
    const char *socket;
    bool wants_json;
    int argc;
    char **argv;
    int at; /* next argument */
};

static const char usage_text[] =
    "usage: sub2apictl [-s SOCKET] [--json] COMMAND ...\n"
    "\n"
    "  user|key|group|account list\n"
    "  user|key|group|account show|enable|disable|remove NAME\n"
    "  user|key|group|account create NAME --OPTION VALUE ...   (add is the same)\n"
    "  user|key|group|account set NAME --OPTION VALUE ...\n"
    "  account test NAME [--model M]      one small request to the provider in each dialect\n"
    "  account reset NAME                 forget the account's failures\n"
    "  status                             processes, readiness, counters\n"
    "  top [--once] [--sort MEMBER]       requests in flight, refreshed each second\n"
    "  slots [--all]                      gates: held and waiting, checked against the leases\n"
    "  explain --key K --model M [--dialect D]   who would serve it and why not the others\n"
    "  sticky list|clear [--account NAME] sessions and the accounts they stay at\n"
    "  usage [--count N]                  finished requests, newest first\n"
    "  kill REQUEST                       end a request in flight\n"
    "  reload | stop                      as SIGHUP and SIGTERM to the master\n"
    "\n"
    "  -s, --socket SOCKET   the gateway's admin socket (default: $SUB2API_SOCKET "
    "or " DEFAULT_SOCKET ")\n"
    "  --json                print the gateway's JSON\n"
    "  sub2apictl NOUN --help lists the options of a noun; the manual is sub2apictl(1)\n";

/* --- talking --- */

static void
print_str(struct str text)
{
    fwrite(text.data, 1, text.len, stdout);
}

/* "code: message" of an error answer, or the body. */
static void
print_error(struct str body)
{
    struct json_value root;
    struct json_value message;
    struct str text;
    struct arena arena;
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    if (json_read(body, &root, NULL) == ERR_OK &&
        json_get_path(root, STR("error.message"), &message) &&
        json_string(message, &arena, &text) == ERR_OK) {
        fprintf(stderr, "sub2apictl: %.*s\n", STR_ARG(text));
    } else {
        fprintf(stderr, "sub2apictl: %.*s\n", STR_ARG(body));
    }
    arena_reset(&arena);
}

/* 0 with the body, or an exit code after saying why. */
static int
ask(const struct ctl *ctl, const char *method, const char *path, struct str json, struct buf *body)
{
    uint16_t status = 0;
    char why[CALL_WHY_BYTES];
    enum err err = call_admin(ctl->socket, method, path, json, &status, body, why);
    if (err != ERR_OK) {
        fprintf(stderr, "sub2apictl: %s\n", why);
        return EXIT_REFUSED;
    }
    if (status >= 300) {
        print_error(buf_str(body));
        return EXIT_REFUSED;
    }
    return 0;
}

static int
print_raw(struct str body)
{
    print_str(body);
    fputc('\n', stdout);
    return 0;
}

/* What a formatter wrote, or an internal complaint. */
static int
print_made(enum err err, struct buf *text)
{
    if (err == ERR_OK) {
        print_str(buf_str(text));
    } else {
        fprintf(stderr, "sub2apictl: the gateway's answer cannot be shown (%s)\n", err_text(err));
    }
    buf_fini(text);
    return err == ERR_OK ? 0 : EXIT_REFUSED;
}

/* --- objects --- */

static int
print_list(const struct ctl *ctl, enum model_kind kind, struct str body)
{
    if (ctl->wants_json) {
        return print_raw(body);
    }
    struct buf text;
    buf_init(&text, ADMIN_ANSWER_BYTES_MAX);
    return print_made(table_list(body, &columns_of_kind[kind], &text), &text);
}

static int
print_object(const struct ctl *ctl, struct str body)
{
    if (ctl->wants_json) {
        return print_raw(body);
    }
    struct buf text;
    buf_init(&text, ADMIN_ANSWER_BYTES_MAX);
    return print_made(table_object(body, &text), &text);
}

/* A new key is shown by itself, so that it is not overlooked. */
static int
print_created(const struct ctl *ctl, enum model_kind kind, struct str body)
{
    struct json_value root;
    struct json_value key;
    if (!ctl->wants_json && kind == MODEL_KEY && json_read(body, &root, NULL) == ERR_OK &&
        json_get(root, STR("key"), &key) && key.raw.len > 2) {
        printf("%.*s\n", (int)(key.raw.len - 2), key.raw.data + 1);
        fprintf(stderr, "This is the only time the key is shown: only its hash is stored.\n");
        return 0;
    }
    return print_object(ctl, body);
}

static int
print_test(const struct ctl *ctl, struct str body)
{
    struct json_value root;
    struct json_value value;
    bool is_ok = false;
    if (json_read(body, &root, NULL) != ERR_OK) {
        return EXIT_REFUSED;
    }
    if (json_get(root, STR("ok"), &value) && json_bool(value, &is_ok) != ERR_OK) {
        is_ok = false;
    }
    if (ctl->wants_json) {
        print_raw(body);
        return is_ok ? 0 : EXIT_REFUSED;
    }
    struct arena arena;
    struct str line = STR("");
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    if (json_get(root, STR("line"), &value) && json_string(value, &arena, &line) != ERR_OK) {
        line = STR("");
    }
    printf("%s: %.*s\n", is_ok ? "ok" : "failed", STR_ARG(line));
    arena_reset(&arena);
    return is_ok ? 0 : EXIT_REFUSED;
}

struct verb {
    const char *word;
    const char *method;
    const char *suffix; /* behind the name; NULL = none */
    bool is_create;
    bool is_account_only;
};

static const struct verb verbs[] = {
    { "list", "GET", NULL, false, false },         { "show", "GET", NULL, false, false },
    { "create", "POST", NULL, true, false },       { "add", "POST", NULL, true, false },
    { "set", "PATCH", NULL, false, false },        { "remove", "DELETE", NULL, false, false },
    { "enable", "POST", "/enable", false, false }, { "disable", "POST", "/disable", false, false },
    { "test", "POST", "/test", false, true },      { "reset", "POST", "/reset", false, true },
};

static const struct verb *
find_verb(const char *word, enum model_kind kind)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].word, word) == 0 &&
            (!verbs[i].is_account_only || kind == MODEL_ACCOUNT)) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int
usage_error(const char *what, const char *detail)
{
    fprintf(stderr, "sub2apictl: %s%s\n", what, detail);
    return EXIT_USAGE;
}

static int
print_verb(const struct ctl *ctl, enum model_kind kind, const struct verb *verb, struct str body)
{
    if (strcmp(verb->word, "list") == 0) {
        return print_list(ctl, kind, body);
    }
    if (strcmp(verb->word, "test") == 0) {
        return print_test(ctl, body);
    }
    if (verb->is_create) {
        return print_created(ctl, kind, body);
    }
    if (strcmp(verb->word, "remove") == 0) {
        return ctl->wants_json ? print_raw(body) : (puts("removed"), 0);
    }
    return print_object(ctl, body);
}

/* The body for a verb that is neither create nor set. */
static struct str
options_body(const struct verb *verb, const struct form *form, struct buf *json)
{
    if (strcmp(verb->word, "test") != 0 || form->model[0] == '\0') {
        return STR("");
    }
    struct jsonw w;
    buf_clear(json);
    jsonw_begin(&w, json);
    jsonw_object(&w);
    jsonw_put_text(&w, "model", form->model);
    jsonw_close(&w);
    return jsonw_end(&w) == ERR_OK ? buf_str(json) : STR("");
}

static int
run_verb(const struct ctl *ctl, enum model_kind kind, const struct verb *verb)
{
    struct form form = { .kind = kind, .is_create = verb->is_create };
    char why[FORM_WHY_BYTES];
    char path[256];
    struct buf json;
    struct buf body;
    buf_init(&json, ADMIN_BODY_BYTES_MAX);
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    int code = EXIT_USAGE;
    bool is_list = strcmp(verb->word, "list") == 0;
    bool has_fields = verb->is_create || strcmp(verb->word, "set") == 0;
    if (form_read(&form, ctl->argc, ctl->argv, ctl->at, &json, why) != ERR_OK) {
        usage_error(why, "");
    } else if (!is_list && form.name[0] == '\0') {
        usage_error("a name is needed: sub2apictl ", "NOUN VERB NAME");
    } else if (!is_list && !has_fields && buf_len(&json) > 2) {
        usage_error("this verb takes no options: ", verb->word);
    } else {
        bool is_named = !is_list && !verb->is_create;
        snprintf(path, sizeof path, "/v1/%s%s%s%s", model_tables[kind].nouns, is_named ? "/" : "",
                 is_named ? form.name : "", verb->suffix == NULL ? "" : verb->suffix);
        struct str sent = has_fields ? buf_str(&json) : options_body(verb, &form, &json);
        code = ask(ctl, verb->method, path, sent, &body);
        if (code == 0) {
            code = print_verb(ctl, kind, verb, buf_str(&body));
        }
    }
    if (json.data != NULL) {
        explicit_bzero(json.data, json.cap);
    }
    buf_fini(&json);
    buf_fini(&body);
    return code;
}

static int
run_noun(struct ctl *ctl, enum model_kind kind)
{
    const char *word = ctl->at < ctl->argc ? ctl->argv[ctl->at++] : "";
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        printf("options of %s create and %s set:\n", model_tables[kind].noun,
               model_tables[kind].noun);
        form_help(kind);
        return 0;
    }
    const struct verb *verb = find_verb(word, kind);
    if (verb == NULL) {
        return usage_error("list, show, create, set, enable, disable or remove is needed, not ",
                           word[0] == '\0' ? "nothing" : word);
    }
    return run_verb(ctl, kind, verb);
}

/* --- the rest --- */

static int
run_status(const struct ctl *ctl)
{
    struct buf body;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    int code = ask(ctl, "GET", "/v1/status", STR(""), &body);
    if (code == 0 && ctl->wants_json) {
        print_raw(buf_str(&body));
    } else if (code == 0) {
        code = print_object(ctl, buf_str(&body));
        struct json_value root;
        struct json_value processes;
        struct buf list;
        struct buf text;
        buf_init(&list, ADMIN_ANSWER_BYTES_MAX);
        buf_init(&text, ADMIN_ANSWER_BYTES_MAX);
        if (json_read(buf_str(&body), &root, NULL) == ERR_OK &&
            json_get(root, STR("processes"), &processes) &&
            buf_printf(&list, "{\"items\":%.*s}", STR_ARG(processes.raw)) == ERR_OK) {
            fputc('\n', stdout);
            code = print_made(table_list(buf_str(&list), &columns_processes, &text), &text);
        }
        buf_fini(&text);
        buf_fini(&list);
    }
    buf_fini(&body);
    return code;
}

static int
show_top(const struct ctl *ctl, const char *sort_by, bool clears)
{
    struct buf body;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    int code = ask(ctl, "GET", "/v1/top", STR(""), &body);
    if (code == 0 && ctl->wants_json) {
        print_raw(buf_str(&body));
    } else if (code == 0) {
        struct buf text;
        buf_init(&text, ADMIN_ANSWER_BYTES_MAX);
        enum err err = table_sorted(buf_str(&body), &columns_top, sort_by, &text);
        if (clears) {
            fputs("\033[H\033[2J", stdout);
        }
        code = print_made(err, &text);
        fflush(stdout);
    }
    buf_fini(&body);
    return code;
}

static int
run_top(struct ctl *ctl)
{
    const char *sort_by = "age_ms";
    bool is_once = ctl->wants_json || !isatty(STDOUT_FILENO);
    while (ctl->at < ctl->argc) {
        const char *arg = ctl->argv[ctl->at++];
        if (strcmp(arg, "--once") == 0) {
            is_once = true;
        } else if (strcmp(arg, "--sort") == 0 && ctl->at < ctl->argc) {
            sort_by = ctl->argv[ctl->at++];
        } else {
            return usage_error("top takes --once and --sort MEMBER, not ", arg);
        }
    }
    int code = show_top(ctl, sort_by, !is_once);
    while (code == 0 && !is_once) {
        sleep(1);
        code = show_top(ctl, sort_by, true);
    }
    return code;
}

/* A table, and below it one line that says whether all is well. */
static int
print_judged(const struct ctl *ctl, struct str body, const struct table_columns *columns)
{
    struct json_value root;
    struct json_value value;
    bool is_ok = false;
    struct str line = STR("");
    struct arena arena;
    if (json_read(body, &root, NULL) != ERR_OK) {
        return EXIT_REFUSED;
    }
    if (json_get(root, STR("ok"), &value) && json_bool(value, &is_ok) != ERR_OK) {
        is_ok = false;
    }
    if (ctl->wants_json) {
        print_raw(body);
        return is_ok ? 0 : EXIT_REFUSED;
    }
    struct buf text;
    buf_init(&text, ADMIN_ANSWER_BYTES_MAX);
    int code = print_made(table_list(body, columns, &text), &text);
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    if (code == 0 && json_get(root, STR("line"), &value) &&
        json_string(value, &arena, &line) == ERR_OK) {
        printf("\n%.*s\n", STR_ARG(line));
    }
    arena_reset(&arena);
    return code != 0 || is_ok ? code : EXIT_REFUSED;
}

static int
run_slots(struct ctl *ctl)
{
    const char *path = "/v1/slots";
    if (ctl->at < ctl->argc && strcmp(ctl->argv[ctl->at], "--all") == 0) {
        path = "/v1/slots?all=1";
        ctl->at++;
    }
    if (ctl->at < ctl->argc) {
        return usage_error("slots takes --all, not ", ctl->argv[ctl->at]);
    }
    struct buf body;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    int code = ask(ctl, "GET", path, STR(""), &body);
    if (code == 0) {
        code = print_judged(ctl, buf_str(&body), &columns_slots);
    }
    buf_fini(&body);
    return code;
}

static int
run_explain(struct ctl *ctl)
{
    static const char *const names[] = { "key", "model", "dialect", NULL };
    struct buf path;
    struct buf body;
    buf_init(&path, HEAD_BYTES_MAX);
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    int code = EXIT_USAGE;
    if (buf_append(&path, STR("/v1/explain")) != ERR_OK ||
        form_query(names, ctl->argc, ctl->argv, ctl->at, &path) != ERR_OK) {
        usage_error("explain takes --key K --model M [--dialect D]", "");
    } else {
        code = ask(ctl, "GET", buf_str(&path).data, STR(""), &body);
        if (code == 0) {
            code = print_judged(ctl, buf_str(&body), &columns_explain);
        }
    }
    buf_fini(&path);
    buf_fini(&body);
    return code;
}

static int
run_usage(struct ctl *ctl)
{
    char path[128] = "/v1/usage/recent";
    if (ctl->at + 1 < ctl->argc && strcmp(ctl->argv[ctl->at], "--count") == 0) {
        snprintf(path, sizeof path, "/v1/usage/recent?count=%s", ctl->argv[ctl->at + 1]);
    } else if (ctl->at < ctl->argc) {
        return usage_error("usage takes --count N, not ", ctl->argv[ctl->at]);
    }
    struct buf body;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    int code = ask(ctl, "GET", path, STR(""), &body);
    if (code == 0 && ctl->wants_json) {
        print_raw(buf_str(&body));
    } else if (code == 0) {
        struct buf text;
        buf_init(&text, ADMIN_ANSWER_BYTES_MAX);
        code = print_made(table_list(buf_str(&body), &columns_usage, &text), &text);
    }
    buf_fini(&body);
    return code;
}

static int
run_simple(const struct ctl *ctl, const char *path, const char *done)
{
    struct buf body;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    int code = ask(ctl, "POST", path, STR(""), &body);
    if (code == 0 && ctl->wants_json) {
        print_raw(buf_str(&body));
    } else if (code == 0) {
        puts(done);
    }
    buf_fini(&body);
    return code;
}

static int
run_kill(struct ctl *ctl)
{
    char path[128];
    if (ctl->at >= ctl->argc) {
        return usage_error("kill needs a request's id (see top)", "");
    }
    snprintf(path, sizeof path, "/v1/requests/%s/kill", ctl->argv[ctl->at]);
    return run_simple(ctl, path, "ending");
}

static int
run(struct ctl *ctl, const char *command)
{
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        if (strcmp(command, model_tables[kind].noun) == 0 ||
            strcmp(command, model_tables[kind].nouns) == 0) {
            return run_noun(ctl, (enum model_kind)kind);
        }
    }
    if (strcmp(command, "status") == 0) {
        return run_status(ctl);
    }
    if (strcmp(command, "top") == 0) {
        return run_top(ctl);
    }
    if (strcmp(command, "slots") == 0) {
        return run_slots(ctl);
    }
    if (strcmp(command, "sticky") == 0) {
        return ctlsticky_run(ctl->socket, ctl->wants_json, ctl->argc - ctl->at,
                             ctl->argv + ctl->at);
    }
    if (strcmp(command, "explain") == 0) {
        return run_explain(ctl);
    }
    if (strcmp(command, "usage") == 0) {
        return run_usage(ctl);
    }
    if (strcmp(command, "kill") == 0) {
        return run_kill(ctl);
    }
    if (strcmp(command, "reload") == 0) {
        return run_simple(ctl, "/v1/reload", "reloading (the log tells the result)");
    }
    if (strcmp(command, "stop") == 0) {
        return run_simple(ctl, "/v1/stop", "stopping");
    }
    usage_error("unknown command: ", command);
    fputs(usage_text, stderr);
    return EXIT_USAGE;
}

/* --json may stand anywhere: it is taken out here. */
static void
take_json_flag(struct ctl *ctl)
{
    int to = 1;
    for (int from = 1; from < ctl->argc; from++) {
        if (strcmp(ctl->argv[from], "--json") == 0) {
            ctl->wants_json = true;
        } else {
            ctl->argv[to++] = ctl->argv[from];
        }
    }
    ctl->argc = to;
}

int
main(int argc, char **argv)
{
    const char *standard = getenv("SUB2API_SOCKET");
    struct ctl ctl = {
        .socket = standard != NULL ? standard : DEFAULT_SOCKET, .argc = argc, .argv = argv, .at = 1
    };
    signal(SIGPIPE, SIG_IGN);
    take_json_flag(&ctl);
    while (ctl.at < ctl.argc && ctl.argv[ctl.at][0] == '-') {
        const char *arg = ctl.argv[ctl.at++];
        if ((strcmp(arg, "-s") == 0 || strcmp(arg, "--socket") == 0) && ctl.at < ctl.argc) {
            ctl.socket = ctl.argv[ctl.at++];
        } else if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0) {
            fputs(usage_text, stdout);
            return 0;
        } else {
            usage_error("unknown option ", arg);
            return EXIT_USAGE;
        }
    }
    if (ctl.at >= ctl.argc) {
        fputs(usage_text, stderr);
        return EXIT_USAGE;
    }
    const char *command = ctl.argv[ctl.at++];
    return run(&ctl, command);
}

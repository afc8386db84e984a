/*
 * main.c - the gateway's program: arguments, then the steps of a start in their order.
 *
 * Exit codes: 0 after a stop that was asked for, 1 when something outside said no (an address in
 * use, a store that does not open), 2 for wrong arguments or a wrong configuration.
 *
 * Runs in: master.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sys.h"
#include "http/tls.h"
#include "master/config.h"
#include "master/memory.h"
#include "master/privilege.h"
#include "master/recover.h"
#include "master/seat.h"
#include "master/signals.h"
#include "master/supervise.h"
#include "store/ledger.h"

#define EXIT_REFUSED 1
#define EXIT_WRONG 2
#define STANDARD_FILE "sub2api.ini"
#define PRINT_BYTES_MAX (1024u * 1024)
#define BUSY_POLL_NS 100000000L

static const char usage[] =
    "sub2api - AI API gateway\n"
    "\n"
    "  sub2api [-c FILE] [--set SECTION.KEY=VALUE]...\n"
    "\n"
    "  -c FILE            configuration (" STANDARD_FILE " in the current directory, if there)\n"
    "  --set S.K=VALUE    overrides the file; may be given many times\n"
    "  --check            validate, print the effective values and what they cost, and end\n"
    "  --print-ini        print all settings with their defaults and what they mean, and end\n"
    "  --version          print the version, and end\n"
    "  --help             this text\n"
    "\n"
    "Runs in the foreground and logs on standard error. SIGTERM and SIGINT: drain, then stop.\n"
    "SIGHUP: reload the configuration. Manual: man 8 sub2api, man 5 sub2api.ini.\n";

enum wish { WISH_RUN, WISH_CHECK, WISH_PRINT_INI, WISH_VERSION, WISH_HELP };

struct arguments {
    enum wish wish;
    bool has_file; /* named by -c: it must be there */
    struct reload_source source;
    char *sets[SETTING_LIST_ITEMS_MAX * CONFIG_SECTIONS * 4];
};

/* --- arguments --- */

static char *
copy_text(const char *text)
{
    /* The title overwrites what main was given. */
    char *copy = strdup(text);
    CHECK(copy != NULL);
    return copy;
}

static int
refuse(const char *what, const char *why)
{
    fprintf(stderr, "sub2api: %s: %s (sub2api --help tells what there is)\n", what, why);
    return EXIT_WRONG;
}

static int
add_set(struct arguments *arguments, const char *text)
{
    if ((size_t)arguments->source.set_count >= sizeof(arguments->sets) / sizeof(char *)) {
        return refuse(text, "too many --set, write them into a file");
    }
    arguments->sets[arguments->source.set_count++] = copy_text(text);
    arguments->source.sets = arguments->sets;
    return 0;
}

/* Options with a value. 0: taken; *i has moved past the value. */
static int
read_pair(struct arguments *arguments, int argc, char **argv, int *i)
{
    const char *name = argv[*i];
    if (*i + 1 >= argc) {
        return refuse(name, "needs a value");
    }
    (*i)++;
    if (strcmp(name, "--set") == 0) {
        return add_set(arguments, argv[*i]);
    }
    arguments->source.file = copy_text(argv[*i]);
    arguments->has_file = true;
    return 0;
}

static int
read_arguments(struct arguments *arguments, int argc, char **argv)
{
    static const struct {
        const char *name;
        enum wish wish;
    } wishes[] = {
        { "--check", WISH_CHECK },     { "--print-ini", WISH_PRINT_INI },
        { "--version", WISH_VERSION }, { "--help", WISH_HELP },
        { "-h", WISH_HELP },
    };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--set") == 0) {
            int code = read_pair(arguments, argc, argv, &i);
            if (code != 0) {
                return code;
            }
            continue;
        }
        bool found = false;
        for (size_t w = 0; w < sizeof(wishes) / sizeof(wishes[0]); w++) {
            if (strcmp(argv[i], wishes[w].name) == 0) {
                arguments->wish = wishes[w].wish;
                found = true;
            }
        }
        if (!found) {
            return refuse(argv[i], "unknown argument");
        }
    }
    if (!arguments->has_file && access(STANDARD_FILE, R_OK) == 0) {
        arguments->source.file = STANDARD_FILE;
    }
    return 0;
}

/* --- what only prints --- */

static int
print_buf(struct buf *buf, enum err err)
{
    if (err == ERR_OK) {
        struct str text = buf_str(buf);
        fwrite(text.data, 1, text.len, stdout);
    }
    buf_fini(buf);
    return err == ERR_OK && fflush(stdout) == 0 ? 0 : EXIT_REFUSED;
}

static int
print_ini(void)
{
    struct config config = { .admin = { .allow_uid = 0 } };
    setting_defaults(config_sections(), CONFIG_SECTIONS, &config);
    struct buf buf;
    buf_init(&buf, PRINT_BYTES_MAX);
    enum err err = setting_print(config_sections(), CONFIG_SECTIONS, &config, true, &buf);
    return print_buf(&buf, err);
}

static int
check_config(const struct config *config)
{
    uint32_t workers = reload_worker_count(config);
    struct memory memory = memory_of(config, workers);
    struct buf buf;
    buf_init(&buf, PRINT_BYTES_MAX);
    enum err err = setting_print(config_sections(), CONFIG_SECTIONS, config, false, &buf);
    if (err == ERR_OK) {
        err = buf_printf(&buf, "\n# Memory and files with %u workers:\n", workers);
    }
    if (err == ERR_OK) {
        struct buf lines;
        buf_init(&lines, PRINT_BYTES_MAX);
        err = memory_print(&memory, workers, &lines);
        struct str rest = buf_str(&lines);
        while (err == ERR_OK && rest.len > 0) {
            struct str line = str_cut(&rest, '\n');
            err = buf_printf(&buf, "# %.*s\n", STR_ARG(line));
        }
        buf_fini(&lines);
    }
    return print_buf(&buf, err);
}

/* --- the steps of a start --- */

static int
fail(const char *why)
{
    fprintf(stderr, "sub2api: %s\n", why);
    return EXIT_REFUSED;
}

/*
 * Children whose parent was killed may hold the addresses for a moment until they have seen it;
 * that is worth waiting for, and somebody else's socket is not.
 */
static int
open_sockets(struct process_ground *ground)
{
    char path[RECOVER_PATH_BYTES];
    char why[SOCKETS_WHY_BYTES] = "";
    recover_path(ground->config, path);
    uint64_t until = clock_now_ms() + ground->config->master.grace_ms + RECOVER_WAIT_MS;
    bool is_said = false;
    for (;;) {
        enum err err =
            sockets_open(&ground->sockets, &ground->config->http, ground->worker_count, NULL, why);
        if (err == ERR_OK) {
            return 0;
        }
        if (err != ERR_REFUSED || !recover_is_busy(path) || clock_now_ms() >= until) {
            return fail(why);
        }
        if (!is_said) {
            is_said = true;
            fprintf(stderr, "sub2api: waiting for children of a killed master: %s\n", why);
        }
        nanosleep(&(struct timespec){ 0, BUSY_POLL_NS }, NULL);
    }
}

/* The segment's name comes from the real path of the store, which is known once it is there. */
static int
prepare_store(const struct config *config, char path[RECOVER_PATH_BYTES])
{
    char why[RECOVER_WHY_BYTES] = "";
    enum err err = ledger_prepare(config->store.dir, config->store.map_bytes, why);
    if (err == ERR_OK) {
        err = seat_take(config->store.dir, why);
    }
    if (err != ERR_OK) {
        return fail(why);
    }
    uint64_t records = 0;
    uint64_t orphans = 0;
    recover_path(config, path);
    err = recover_run(path, config, &records, &orphans, why);
    if (err != ERR_OK) {
        return fail(why);
    }
    if (records + orphans > 0) {
        log_event(LOG_WARN, "recover", "records=%llu requests_cut_off=%llu",
                  (unsigned long long)records, (unsigned long long)orphans);
    }
    return 0;
}

static int
prepare_shared(struct process_ground *ground, const char *path)
{
    char why[SEGMENT_WHY_BYTES] = "";
    struct segment_want want = memory_segment(ground->config, ground->worker_count);
    enum err err = segment_create(path, &want, &ground->segment, why);
    if (err != ERR_OK) {
        return fail(why);
    }
    err = sockets_open_admin(ground->config->admin.socket, &ground->admin_fd, why);
    if (err == ERR_OK && process_prepare(ground) != ERR_OK) {
        snprintf(why, sizeof(why), "cannot open descriptors: %s", strerror(errno));
        err = ERR_IO;
    }
    if (err != ERR_OK) {
        segment_close(&ground->segment);
        segment_remove(path);
        return fail(why);
    }
    return 0;
}

static void
print_start(const struct process_ground *ground, const char *path, uint64_t files)
{
    struct memory memory = memory_of(ground->config, ground->worker_count);
    printf("sub2api %s, pid %d\n", VERSION, (int)getpid());
    for (uint32_t i = 0; i < ground->sockets.listen_count; i++) {
        printf("  listening   http://%s\n", ground->sockets.addresses[i]);
    }
    printf("  workers     %u\n", ground->worker_count);
    printf("  store       %s\n", ground->config->store.dir);
    printf("  admin       %s\n", ground->config->admin.socket);
    printf("  segment     %s\n", path);
    struct buf buf;
    buf_init(&buf, PRINT_BYTES_MAX);
    int printed = print_buf(&buf, memory_print(&memory, ground->worker_count, &buf));
    if (printed != 0 || files < memory.files_per_worker) {
        printf("  note        only %llu descriptors are allowed here (ulimit -n): fewer "
               "connections than configured\n",
               (unsigned long long)files);
    }
    fflush(stdout);
}

/* Authorities, addresses, the store, the segment: 0, or the exit code. */
static int
prepare(struct process_ground *ground, char path[RECOVER_PATH_BYTES])
{
    char why[PRIVILEGE_WHY_BYTES] = "";
    enum err err = seat_check(ground->config->store.dir, why);
    if (err != ERR_OK) {
        return fail(why);
    }
    err = tls_roots_load(ground->config->upstream.ca_file, &ground->roots, why);
    if (err != ERR_OK) {
        return fail(why);
    }
    int code = open_sockets(ground);
    if (code != 0) {
        return code;
    }
    err = privilege_drop(ground->config->master.user, ground->config->store.dir, why);
    if (err != ERR_OK) {
        return fail(why);
    }
    code = prepare_store(ground->config, path);
    return code != 0 ? code : prepare_shared(ground, path);
}

static int
run(struct supervise *supervise)
{
    struct process_ground *ground = &supervise->ground;
    char path[RECOVER_PATH_BYTES];
    int signal_fd = -1;
    ground->worker_count = reload_worker_count(ground->config);
    ground->generation = 1;
    uint64_t files =
        privilege_raise_files(memory_of(ground->config, ground->worker_count).files_per_worker);
    if (signals_open(&signal_fd) != ERR_OK) {
        return fail(strerror(errno));
    }
    int code = prepare(ground, path);
    if (code != 0) {
        return code;
    }
    print_start(ground, path, files);
    code = supervise_run(supervise, signal_fd);
    if (supervise_is_clean(supervise)) {
        segment_remove(path);
    } else {
        log_event(LOG_WARN, "stop", "segment=%s state=kept why=\"the next start reads the rest\"",
                  path);
    }
    unlink(ground->config->admin.socket);
    log_event(LOG_INFO, "stopped", "code=%d", code);
    log_flush();
    return code;
}

static int
load_and_run(struct arguments *arguments)
{
    static struct supervise supervise; /* large, and lives as long as the process */
    struct setting_error error;
    struct config *config = malloc(sizeof(*config));
    CHECK(config != NULL);
    enum err err = config_load(arguments->source.file, arguments->source.sets,
                               arguments->source.set_count, config, &error);
    if (err != ERR_OK) {
        fprintf(stderr, "sub2api: %s\n", error.text);
        free(config);
        return EXIT_WRONG;
    }
    if (arguments->wish == WISH_CHECK) {
        int code = check_config(config);
        free(config);
        return code;
    }
    log_init("master", (enum log_level)config->master.log_level);
    sys_title("sub2api: master");
    supervise.ground.config = config;
    supervise.source = arguments->source;
    return run(&supervise);
}

int
main(int argc, char **argv)
{
    static struct arguments arguments;
    sys_title_init(argc, argv);
    int code = read_arguments(&arguments, argc, argv);
    if (code != 0) {
        return code;
    }
    switch (arguments.wish) {
    case WISH_HELP:
        fputs(usage, stdout);
        return 0;
    case WISH_VERSION:
        printf("sub2api %s\n", VERSION);
        return 0;
    case WISH_PRINT_INI:
        return print_ini();
    case WISH_RUN:
    case WISH_CHECK:
        break;
    }
    return load_and_run(&arguments);
}

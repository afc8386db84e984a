/*
 * 92_disks.c - the store's disk is full, read-only, slow, or its map is: what could not be recorded
 * is refused before it goes out, what is under way is recorded when there is space again, the
 * operator sees why, and nothing is lost.
 *
 * A disk is filled in two ways. A limit on the size of files (RLIMIT_FSIZE of the recorder) works
 * for everybody, everywhere. A tmpfs of its own size is the real thing and needs a mount: as root,
 * or in a user namespace; where neither is allowed the test says so and fails only if that is a
 * surprise: PLAY_TMPFS=1 makes it one.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/scenario/play.h"

#define RING 64u           /* cells of each worker, as the settings say */
#define TRIES 600u         /* requests until a full disk must have been noticed */
#define TMPFS "size=3m"    /* little more than an empty store */
#define LOUD_LINES_MAX 12u /* errors in the log of a disk that stays full */
#define FULL_MS 4000u      /* so long it stays full: eight commits are tried meanwhile */

#define BODY "{\"model\":\"fake-usage\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define STREAMED                                                                  \
    "{\"model\":\"fake-n150-gap20\",\"stream\":true,\"messages\":[{\"role\":\"us" \
    "er\",\"content\":\"hi\"}]}"

static uint64_t served; /* of this group: each has to be in the ledger */

static uint64_t
recorded(void)
{
    struct play_run run = play_must_ctl("--json", "user", "show", "tester", NULL);
    return play_json_number(run.out, "totals.requests");
}

/* One request; true: served, false: refused as it must be. */
static bool
ask(void)
{
    struct play_answer a = play_post("/v1/chat/completions", BODY);
    if (a.status == 200) {
        served++;
        return true;
    }
    PLAY_NEED(a.status == 503 && play_json_is(a.body, "error.code", "overloaded"), "%d %s",
              a.status, a.body);
    return false;
}

static int
ready_status(void)
{
    return play_request(play_world.port, "GET", "/readyz", NULL, NULL, 0).status;
}

static bool
wait_ready_is(int status)
{
    for (unsigned i = 0; i < 300; i++) {
        if (ready_status() == status) {
            return true;
        }
        play_sleep(50);
    }
    return false;
}

static unsigned
errors_in_log(size_t from)
{
    unsigned count = 0;
    char *text = play_read_file(play_world.log);
    for (const char *p = text + from; (p = strstr(p, "lvl=error")) != NULL; p++) {
        count++;
    }
    return count;
}

static void
await_records(void)
{
    for (unsigned i = 0; i < 400 && recorded() < served; i++) {
        play_sleep(50);
    }
    PLAY_CHECK(recorded() == served, "%llu requests are recorded, %llu were served",
               (unsigned long long)recorded(), (unsigned long long)served);
    struct play_run run = play_ctl("--json", "ledger", "verify", NULL);
    PLAY_CHECK(run.status == 0 && play_json_is(run.out, "ok", "true"), "%s%s", run.out, run.err);
}

/* Serves until it refuses; the provider must not hear of what is refused. */
static void
fill_rings(void)
{
    unsigned tries = 0;
    while (tries++ < TRIES && ask()) {
    }
    PLAY_NEED(tries <= TRIES, "%u requests, and none is refused", TRIES);
    uint64_t asked = play_fake_stat("requests");
    uint64_t served_before = served;
    unsigned refused = 0;
    for (unsigned i = 0; i < 4 * RING && refused < 20; i++) {
        refused += ask() ? 0 : 1; /* the other worker may have room */
    }
    PLAY_CHECK(refused == 20, "only %u are refused", refused);
    PLAY_CHECK(play_fake_stat("requests") - asked == served - served_before,
               "refused requests reached the provider");
}

/* From full to well again, whatever is done to the disk. */
static void
run_full(void (*fill)(void), void (*mend)(void), const char *why, const char *in_log)
{
    struct play_conn *stream = play_open(play_world.port);
    ask();
    await_records();
    size_t log_at = strlen(play_read_file(play_world.log));
    play_print(stream, "%s", play_post_text("/v1/chat/completions", STREAMED));
    PLAY_NEED(play_read_head(stream, 5000).status == 200, "no stream");
    fill();
    fill_rings();
    PLAY_CHECK(wait_ready_is(503), "still ready");
    struct play_answer a = play_request(play_world.port, "GET", "/readyz", NULL, NULL, 0);
    PLAY_CHECK(strstr(a.body, "store_not_writable") != NULL, "%s", a.body);
    struct play_run run = play_must_ctl("--json", "status", NULL);
    PLAY_CHECK(play_json_is(run.out, "store.writable", "false") &&
                   play_json_is(run.out, "store.why", why),
               "%s", run.out);
    PLAY_CHECK(play_log_has(in_log, 1000), "the log does not say why");
    while (!stream->ended && play_more(stream, 10000)) {
    }
    PLAY_CHECK(stream->ended && strstr(stream->body.data, "[DONE]") != NULL,
               "what was under way is cut");
    served++;
    play_sleep(FULL_MS);
    PLAY_CHECK(errors_in_log(log_at) <= LOUD_LINES_MAX, "%u errors in the log",
               errors_in_log(log_at));
    mend();
    PLAY_CHECK(wait_ready_is(200), "not ready again");
    PLAY_CHECK(ask(), "refused with space");
    await_records();
    PLAY_CHECK(play_process("sub2api: recorder") != 0, "no recorder");
}

/* --- a limit on the size of files --- */

static void
limit_recorder(rlim_t bytes)
{
    struct rlimit limit;
    pid_t pid = play_process("sub2api: recorder");
    PLAY_NEED(prlimit(pid, RLIMIT_FSIZE, NULL, &limit) == 0, "prlimit: %s", strerror(errno));
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    PLAY_NEED(prlimit(pid, RLIMIT_FSIZE, &limit, NULL) == 0, "prlimit: %s", strerror(errno));
}

/* As large as it is now: pages that are free already are all there is. */
static void
limit_to_size(void)
{
    struct stat file;
    PLAY_NEED(stat(play_text("%s/data/data.mdb", play_world.dir), &file) == 0, "no data.mdb");
    PLAY_NEED(file.st_size > (off_t)strlen(play_read_file(play_world.log)) * 2,
              "the recorder could not log any more either");
    limit_recorder((rlim_t)file.st_size);
}

static void
unlimited(void)
{
    limit_recorder(RLIM_INFINITY);
}

static void
files_may_not_grow(void)
{
    run_full(limit_to_size, unlimited, "the disk or the map is full", "writable=no");
}

/* --- a tmpfs --- */

static void
write_map(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, text, strlen(text));
        close(fd);
    }
}

/* A mount of our own, seen by us and by who is started from now on. */
static bool
mount_small(const char *dir)
{
    char *uid = play_text("%u %u 1", (unsigned)getuid(), (unsigned)getuid());
    char *gid = play_text("%u %u 1", (unsigned)getgid(), (unsigned)getgid());
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
            return false;
        }
        write_map("/proc/self/setgroups", "deny");
        write_map("/proc/self/uid_map", uid);
        write_map("/proc/self/gid_map", gid);
    }
    (void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    return mount("small", dir, "tmpfs", 0, TMPFS) == 0;
}

static char *
filler(void)
{
    return play_text("%s/data/filler", play_world.dir);
}

static void
fill_disk(void)
{
    static const char zeros[4096];
    int fd = open(filler(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    PLAY_NEED(fd >= 0, "filler: %s", strerror(errno));
    while (write(fd, zeros, sizeof(zeros)) > 0) {
    }
    PLAY_CHECK(errno == ENOSPC, "%s", strerror(errno));
    close(fd);
}

static void
empty_disk(void)
{
    PLAY_NEED(unlink(filler()) == 0, "filler: %s", strerror(errno));
}

static void
disk_is_full(void)
{
    char *data = play_text("%s/data", play_world.dir);
    char *copy = play_text("cp -a %s/. %s.old && rm -rf %s/*", data, data, data);
    PLAY_NEED(play_stop_gateway(20000) == 0, "it does not stop");
    mkdir(play_text("%s.old", data), 0700);
    const char *const keep[] = { "/bin/sh", "-c", copy, NULL };
    PLAY_NEED(play_command(keep, 10000).status == 0, "cp");
    bool is_mounted = mount_small(data);
    PLAY_CHECK(is_mounted || getenv("PLAY_TMPFS") == NULL, "mount: %s", strerror(errno));
    if (!is_mounted) {
        fprintf(stderr,
                "note disks.disk_is_full: no mount is allowed here (%s): the limit on the "
                "size of files stands for it\n",
                strerror(errno));
    }
    const char *const back[] = { "/bin/sh", "-c",
                                 play_text("cp -a %s.old/. %s && chmod 700 %s", data, data, data),
                                 NULL };
    PLAY_NEED(play_command(back, 10000).status == 0, "cp back");
    play_start_gateway();
    if (is_mounted) {
        run_full(fill_disk, empty_disk, "the disk or the map is full", "No space left on device");
    } else {
        run_full(limit_to_size, unlimited, "the disk or the map is full", "writable=no");
    }
}

/* --- faults --- */

static char *
switch_file(void)
{
    return play_text("%s/fault.on", play_world.dir);
}

static void
turn_on(void)
{
    play_write_file(switch_file(), "on");
}

static void
turn_off(void)
{
    PLAY_NEED(unlink(switch_file()) == 0, "unlink");
}

static void
start_with_fault(const char *fault)
{
    PLAY_NEED(play_stop_gateway(20000) == 0, "it does not stop");
    setenv("SUB2API_FAULT", play_text("%s@%s", fault, switch_file()), 1);
    play_start_gateway();
    unsetenv("SUB2API_FAULT");
}

static void
disk_is_read_only(void)
{
    start_with_fault("kv.commit_read_only=fail");
    run_full(turn_on, turn_off, "the disk fails", "Read-only file system");
}

/* Each commit takes a second and a half: more comes meanwhile than the rings hold. */
static void
disk_is_slow(void)
{
    start_with_fault("ledger.before_commit=sleep1500");
    ask();
    await_records();
    turn_on();
    unsigned refused = 0;
    for (unsigned i = 0; i < 8 * RING && refused < 3; i++) {
        refused += ask() ? 0 : 1;
    }
    PLAY_CHECK(refused == 3, "the rings never fill");
    turn_off();
    await_records();
    PLAY_CHECK(ask(), "refused by a fast disk");
    await_records();
}

/* --- the map --- */

#define PRICES "8000"

/* So many rows of prices do not fit the map of a megabyte that the store begins with. */
static void
map_grows_by_itself(void)
{
    static const char *const small[] = { "store.map_bytes=1m", NULL };
    char *data = play_text("%s/data", play_world.dir);
    const char *const away[] = { "/bin/sh", "-c", play_text("rm -rf %s/*", data), NULL };
    PLAY_NEED(play_stop_gateway(20000) == 0, "it does not stop");
    PLAY_NEED(play_command(away, 10000).status == 0, "rm");
    play_write_ini(small);
    play_start_gateway();
    play_standard();
    served = 0;
    ask();
    char *path = play_text("%s/prices.json", play_world.dir);
    FILE *file = fopen(path, "we");
    PLAY_NEED(file != NULL, "prices");
    fprintf(file, "{");
    for (int i = 0; i < atoi(PRICES); i++) {
        fprintf(file,
                "%s\"grow-%d\":{\"input_cost_per_token\":1e-6,\"output_cost_per_token\":2e-6,"
                "\"cache_read_input_token_cost\":3e-7,\"cache_creation_input_token_cost\":4e-7}",
                i == 0 ? "" : ",", i);
    }
    fprintf(file, "}\n");
    fclose(file);
    struct play_run run = play_must_ctl("price", "import", path, NULL);
    PLAY_CHECK(strstr(run.out, PRICES " prices imported") != NULL, "%.300s", run.out);
    PLAY_CHECK(play_log_has("call=grow", 1000), "the map has not grown");
    run = play_must_ctl("--json", "status", NULL);
    PLAY_CHECK(play_json_number(run.out, "store.map_bytes") >= 2u << 20 &&
                   play_json_is(run.out, "store.writable", "true"),
               "%s", run.out);
    for (unsigned i = 0; i < 20; i++) {
        PLAY_CHECK(ask(), "refused after the map grew"); /* both workers read the larger one */
    }
    await_records();
    play_stop_gateway(20000);
    play_start_gateway();
    PLAY_CHECK(ask(), "refused after a restart");
    await_records();
}

static const struct play_test tests[] = {
    { "files_may_not_grow", files_may_not_grow, 120 },   { "disk_is_full", disk_is_full, 120 },
    { "disk_is_read_only", disk_is_read_only, 120 },     { "disk_is_slow", disk_is_slow, 120 },
    { "map_grows_by_itself", map_grows_by_itself, 120 }, { NULL, NULL, 0 },
};

static const char *const settings[] = { "shm.ring_cells=64", "worker.sticky_time=0", NULL };

PLAY_GROUP(group, "disks", tests, settings, NULL)

/*
 * 50_cli.c - what an operator types: every noun and verb, tables and JSON, and the admin socket.
 */
#include "tests/scenario/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool
has(const struct play_run *run, const char *text)
{
    return strstr(run->out, text) != NULL;
}

static void
accounts(void)
{
    char *secret = play_text("%s/other.key", play_world.dir);
    char *url = play_text("http://127.0.0.1:%u", play_world.fake_port);
    play_write_file(secret, "sk-other-secret-ABCDwxyz\n");
    struct play_run run =
        play_must_ctl("account", "add", "--name", "second", "--platform", "openai", "--base-url",
                      url, "--api-key-file", secret, "--group", "default", "--priority", "7",
                      "--concurrency", "3", "--models", "gpt-*,fake-*", "--dialects", "chat", NULL);
    run = play_must_ctl("account", "list", NULL);
    PLAY_CHECK(has(&run, "second") && has(&run, "openai") && has(&run, "claude"), "list: %s",
               run.out);
    PLAY_CHECK(!has(&run, "sk-other-secret"), "the secret is shown: %s", run.out);
    run = play_must_ctl("--json", "account", "list", NULL);
    PLAY_CHECK(strpbrk(run.out, "[{") != NULL, "no JSON: %s", run.out);
    run = play_must_ctl("account", "show", "second", NULL);
    PLAY_CHECK(has(&run, "gpt-*") && has(&run, "7"), "show: %s", run.out);
    PLAY_CHECK(!has(&run, "sk-other-secret"), "the secret is shown: %s", run.out);
    run = play_must_ctl("--json", "account", "show", "second", NULL);
    PLAY_CHECK(play_json_number(run.out, "concurrency") == 3, "show --json: %s", run.out);
    play_must_ctl("account", "set", "second", "--concurrency", "9", "--note", "hello there", NULL);
    run = play_must_ctl("--json", "account", "show", "second", NULL);
    PLAY_CHECK(play_json_number(run.out, "concurrency") == 9 &&
                   play_json_is(run.out, "note", "hello there"),
               "after set: %s", run.out);
    play_must_ctl("account", "disable", "second", NULL);
    run = play_must_ctl("--json", "account", "show", "second", NULL);
    PLAY_CHECK(play_json_is(run.out, "disabled", "true"), "after disable: %s", run.out);
    play_must_ctl("account", "enable", "second", NULL);
    run = play_must_ctl("--json", "account", "show", "second", NULL);
    PLAY_CHECK(play_json_is(run.out, "disabled", "false"), "after enable: %s", run.out);
    play_must_ctl("account", "remove", "second", NULL);
    run = play_ctl("account", "show", "second", NULL);
    PLAY_CHECK(run.status != 0, "a removed account is shown: %s", run.out);
}

static void
users_keys_and_groups(void)
{
    play_must_ctl("group", "add", "--name", "team", "--concurrency", "5", NULL);
    play_must_ctl("user", "add", "--name", "ann", "--rpm", "100", NULL);
    struct play_run run = play_must_ctl("--json", "key", "create", "--user", "ann", "--name",
                                        "laptop", "--group", "team", NULL);
    char *key = play_json(run.out, "key");
    PLAY_NEED(key != NULL && strlen(key) > 20, "no key in %s", run.out);
    run = play_must_ctl("--json", "key", "show", "laptop", NULL);
    PLAY_CHECK(strstr(run.out, key) == NULL, "the key is shown again: %s", run.out);
    PLAY_CHECK(play_json_is(run.out, "user", "ann") && play_json_is(run.out, "group", "team"),
               "show: %s", run.out);
    run = play_must_ctl("key", "list", NULL);
    PLAY_CHECK(has(&run, "laptop") && !has(&run, key), "list: %s", run.out);
    play_must_ctl("group", "set", "team", "--concurrency", "6", NULL);
    run = play_must_ctl("--json", "group", "show", "team", NULL);
    PLAY_CHECK(play_json_number(run.out, "concurrency") == 6, "group: %s", run.out);
    play_must_ctl("user", "disable", "ann", NULL);
    run = play_must_ctl("--json", "user", "show", "ann", NULL);
    PLAY_CHECK(play_json_is(run.out, "disabled", "true"), "user: %s", run.out);
    play_must_ctl("user", "enable", "ann", NULL);
    play_must_ctl("key", "remove", "laptop", NULL);
    play_must_ctl("user", "remove", "ann", NULL);
    play_must_ctl("group", "remove", "team", NULL);
    run = play_must_ctl("user", "list", NULL);
    PLAY_CHECK(!has(&run, "ann"), "a removed user is listed: %s", run.out);
    run = play_must_ctl("group", "list", NULL);
    PLAY_CHECK(has(&run, "default") && !has(&run, "team"), "groups: %s", run.out);
}

static void
a_fresh_key_works_at_once(void)
{
    struct play_run run =
        play_must_ctl("--json", "key", "create", "--user", "tester", "--name", "fresh", NULL);
    char *key = play_json(run.out, "key");
    PLAY_NEED(key != NULL, "no key in %s", run.out);
    static const char body[] =
        "{\"model\":\"fake-n3\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}";
    char *fields = play_text("Authorization: Bearer %s\r\nContent-Type: application/json\r\n", key);
    struct play_answer a = play_request(play_world.port, "POST", "/v1/chat/completions", fields,
                                        body, sizeof(body) - 1);
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    const char *const grep[] = { "/bin/grep", "-rFc", key, play_world.dir, NULL };
    struct play_run found = play_command(grep, 5000);
    PLAY_CHECK(strstr(found.out, ":1") == NULL && strstr(found.out, ":2") == NULL,
               "the key itself is on the disk: %s", found.out);
}

static void
mistakes_are_explained(void)
{
    struct play_run run = play_ctl("account", "add", "--name", "openai", "--platform", "openai",
                                   "--api-key-file", play_world.ini, NULL);
    PLAY_CHECK(run.status != 0 && run.err[0] != '\0', "a second openai: %d %s", run.status,
               run.err);
    run = play_ctl("account", "add", "--name", "bad name!", "--platform", "openai", NULL);
    PLAY_CHECK(run.status != 0, "a bad name was taken");
    run = play_ctl("account", "set", "openai", "--priority", "many", NULL);
    PLAY_CHECK(run.status != 0 && strstr(run.err, "priority") != NULL, "%s", run.err);
    run = play_ctl("account", "set", "openai", "--no-such-option", "1", NULL);
    PLAY_CHECK(run.status != 0, "an unknown option was taken");
    run = play_ctl("account", "frobnicate", NULL);
    PLAY_CHECK(run.status != 0 && run.err[0] != '\0', "an unknown verb: %s", run.err);
    run = play_ctl("key", "create", "--user", "nobody", "--name", "x", NULL);
    PLAY_CHECK(run.status != 0 && strstr(run.err, "nobody") != NULL, "%s", run.err);
    run = play_ctl("account", "add", "--name", "inner", "--platform", "openai", "--base-url",
                   "ftp://127.0.0.1/", "--api-key-file", play_world.ini, NULL);
    PLAY_CHECK(run.status != 0, "an ftp URL was taken");
}

static void
account_tests(void)
{
    struct play_run run = play_must_ctl("account", "test", "openai", NULL);
    PLAY_CHECK(has(&run, "chat") || has(&run, "ok"), "a good account: %s", run.out);
    char *secret = play_text("%s/test.key", play_world.dir);
    char *url = play_text("http://127.0.0.1:%u", play_world.fake_port);
    play_write_file(secret, "fake-status401");
    play_must_ctl("account", "add", "--name", "refused", "--platform", "openai", "--base-url", url,
                  "--api-key-file", secret, "--group", "default", NULL);
    run = play_ctl("account", "test", "refused", NULL);
    PLAY_CHECK(strstr(play_text("%s%s", run.out, run.err), "401") != NULL, "a wrong key: %s%s",
               run.out, run.err);
    play_must_ctl("account", "set", "refused", "--base-url", "http://no-such-host.invalid", NULL);
    run = play_ctl("account", "test", "refused", NULL);
    char *said = play_text("%s%s", run.out, run.err);
    PLAY_CHECK(strstr(said, "name") != NULL || strstr(said, "resol") != NULL, "no such host: %s",
               said);
    play_must_ctl("account", "set", "refused", "--base-url", "http://127.0.0.1:1", NULL);
    run = play_ctl("account", "test", "refused", NULL);
    said = play_text("%s%s", run.out, run.err);
    PLAY_CHECK(strstr(said, "refused") != NULL || strstr(said, "connect") != NULL, "no server: %s",
               said);
    play_must_ctl("account", "remove", "refused", NULL);
}

static void
status_and_top(void)
{
    struct play_run run = play_must_ctl("status", NULL);
    PLAY_CHECK(has(&run, "worker"), "status: %s", run.out);
    run = play_must_ctl("--json", "status", NULL);
    PLAY_CHECK(run.out[0] == '{', "status --json: %s", run.out);
    struct play_conn *c = play_open(play_world.port);
    char *text = play_post_text("/v1/chat/completions",
                                "{\"model\":\"fake-n100-gap100\",\"stream\":true,\"messages\":[{"
                                "\"role\":\"user\",\"content\":\"hello\"}]}");
    play_write(c, text, strlen(text));
    struct play_answer a = play_read_head(c, 3000);
    PLAY_CHECK(a.status == 200, "%d", a.status);
    play_sleep(200);
    run = play_must_ctl("--json", "top", NULL);
    PLAY_CHECK(has(&run, "fake-n100-gap100"), "the stream is not in top: %s", run.out);
    PLAY_CHECK(has(&run, "scenario"), "its key is not in top: %s", run.out);
    run = play_must_ctl("top", NULL);
    PLAY_CHECK(has(&run, "fake-n100-gap100"), "the stream is not in the table: %s", run.out);
    play_close(c);
    play_sleep(500);
    run = play_must_ctl("--json", "top", NULL);
    PLAY_CHECK(!has(&run, "fake-n100-gap100"), "the stream is still in top: %s", run.out);
}

static void
the_socket_speaks_http(void)
{
    struct stat st;
    PLAY_CHECK(stat(play_world.socket, &st) == 0 && (st.st_mode & 0777) == 0600, "mode %o",
               (unsigned)st.st_mode & 0777);
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", play_world.socket);
    struct play_conn *c = play_open(play_world.port); /* Its buffers serve the other socket. */
    close(c->fd);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    PLAY_NEED(connect(c->fd, (struct sockaddr *)&at, sizeof(at)) == 0, "cannot connect");
    play_print(c, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
    struct play_answer a = play_read(c, 5000);
    PLAY_CHECK(a.status == 404 && a.body[0] == '{', "%d %s", a.status, a.body);
    play_print(c, "not http at all\r\n\r\n");
    a = play_read(c, 5000);
    PLAY_CHECK(a.status == 400, "garbage: %d", a.status);
    play_close(c);
}

static void
version_and_check(void)
{
    const char *path =
        access("build/asan/sub2api", X_OK) == 0 ? "build/asan/sub2api" : "build/sub2api";
    const char *const version[] = { path, "--version", NULL };
    struct play_run run = play_command(version, 10000);
    PLAY_CHECK(run.status == 0 && strstr(run.out, "sub2api") != NULL, "%d %s", run.status, run.out);
    const char *const check[] = { path, "-c", play_world.ini, "--check", NULL };
    run = play_command(check, 10000);
    PLAY_CHECK(run.status == 0 && strstr(run.out, "listen") != NULL, "%d %s%s", run.status, run.out,
               run.err);
    const char *const bad[] = { path,      "-c", play_world.ini, "--set", "http.no_such=1",
                                "--check", NULL };
    run = play_command(bad, 10000);
    PLAY_CHECK(run.status != 0 && strstr(run.err, "no_such") != NULL, "%d %s", run.status, run.err);
    char *ini = play_text("%s/bad.ini", play_world.dir);
    play_write_file(ini, "[http]\nlisten = 127.0.0.1:1\nhead_timeout = never\n");
    const char *const file[] = { path, "-c", ini, "--check", NULL };
    run = play_command(file, 10000);
    PLAY_CHECK(run.status != 0 && strstr(run.err, ":3") != NULL, "file and line: %s", run.err);
}

static void
stop(void)
{
    play_must_ctl("stop", NULL);
    uint64_t end = play_now_ms() + 10000;
    struct play_conn *c;
    do {
        play_sleep(50);
        c = play_open(play_world.port);
        play_close(c);
    } while (!c->closed && play_now_ms() < end);
    play_sleep(500);
    c = play_open(play_world.port);
    PLAY_CHECK(c->fd < 0, "it still listens");
}

static const struct play_test tests[] = {
    { "accounts", accounts, 60 },
    { "users_keys_and_groups", users_keys_and_groups, 60 },
    { "a_fresh_key_works_at_once", a_fresh_key_works_at_once, 0 },
    { "mistakes_are_explained", mistakes_are_explained, 0 },
    { "account_tests", account_tests, 60 },
    { "status_and_top", status_and_top, 0 },
    { "the_socket_speaks_http", the_socket_speaks_http, 0 },
    { "version_and_check", version_and_check, 0 },
    { "stop", stop, 60 },
    { NULL, NULL, 0 },
};

PLAY_GROUP(group, "cli", tests, NULL, NULL)

/*
 * 75_tls.c - providers whose certificate is not good: what the client, the log and the account's
 * test say. The provider is openssl's, so that nothing of the gateway judges the gateway.
 */
#include "tests/scenario/play.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* One key, made for this file, and three certificates that it signed itself. */
static const char key_pem[] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "MHcCAQEEIOJhDYRjx98MkB6SVlo+nw4MUSWyYK5lvPNUQVk3oaePoAoGCCqGSM49\n"
                              "AwEHoUQDQgAEy5aZuEUx5X4XDRq4T9wgnQtohMFzDZFF7rJxOYW3/fKu7geidaDK\n"
                              "is1On/GfqoDDBtuki5gCshtIeAyBcQVuEg==\n"
                              "-----END EC PRIVATE KEY-----\n";
/* 127.0.0.1, until 2021. */
static const char expired_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBTjCB9qADAgECAgEBMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBHRlc3QwHhcN\n"
    "MjAwMTAxMDAwMDAwWhcNMjEwMTAxMDAwMDAwWjAPMQ0wCwYDVQQDDAR0ZXN0MFkw\n"
    "EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEy5aZuEUx5X4XDRq4T9wgnQtohMFzDZFF\n"
    "7rJxOYW3/fKu7geidaDKis1On/GfqoDDBtuki5gCshtIeAyBcQVuEqNDMEEwDwYD\n"
    "VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMB0GA1UdDgQWBBTFvEOXCGbW\n"
    "hMPU2h8eqa6Sg/r4nzAKBggqhkjOPQQDAgNHADBEAiBCzfrULfgO3TjeaPIEJUdS\n"
    "VkfeE1GK853YLWQkQoWPvgIgc7waEeRQkDc6HlBZVVNlRVar+JOXKcYkCEkw0Ce1\n"
    "6HE=\n"
    "-----END CERTIFICATE-----\n";
/* 127.0.0.1, until 2049. */
static const char good_pem[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBUDCB9qADAgECAgECMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBHRlc3QwHhcN\n"
                               "MjAwMTAxMDAwMDAwWhcNNDkxMjMxMDAwMDAwWjAPMQ0wCwYDVQQDDAR0ZXN0MFkw\n"
                               "EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEy5aZuEUx5X4XDRq4T9wgnQtohMFzDZFF\n"
                               "7rJxOYW3/fKu7geidaDKis1On/GfqoDDBtuki5gCshtIeAyBcQVuEqNDMEEwDwYD\n"
                               "VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMB0GA1UdDgQWBBTFvEOXCGbW\n"
                               "hMPU2h8eqa6Sg/r4nzAKBggqhkjOPQQDAgNJADBGAiEA0LfA6ZVKjJ/6M4xNKcEF\n"
                               "vfYXj1Vf5DNTkObR4lXqkhgCIQCduWWIqVN/uYtteatWplxgSCPBOV1Y/nWPGBe5\n"
                               "MZiH4w==\n"
                               "-----END CERTIFICATE-----\n";
/* other.test, until 2049. */
static const char other_pem[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIIBVjCB/KADAgECAgEDMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBHRlc3QwHhcN\n"
                                "MjAwMTAxMDAwMDAwWhcNNDkxMjMxMDAwMDAwWjAPMQ0wCwYDVQQDDAR0ZXN0MFkw\n"
                                "EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEy5aZuEUx5X4XDRq4T9wgnQtohMFzDZFF\n"
                                "7rJxOYW3/fKu7geidaDKis1On/GfqoDDBtuki5gCshtIeAyBcQVuEqNJMEcwDwYD\n"
                                "VR0TAQH/BAUwAwEB/zAVBgNVHREEDjAMggpvdGhlci50ZXN0MB0GA1UdDgQWBBTF\n"
                                "vEOXCGbWhMPU2h8eqa6Sg/r4nzAKBggqhkjOPQQDAgNJADBGAiEA0+Hxr6egAQi0\n"
                                "x+Dzt2ZzbZgVpdtiKJXf/f+VajSd2IQCIQDVGc7Nje048OJao6Pe+UokkY+nVGPw\n"
                                "2/VfHifHupiR+Q==\n"
                                "-----END CERTIFICATE-----\n";

static char *
put_file(const char *name, const char *text)
{
    char *path = play_text("%s/%s", play_world.dir, name);
    play_write_file(path, text);
    return path;
}

/* The port that s_server says it listens at; 0 when it does not. */
static unsigned
read_port(const char *log)
{
    for (int tries = 0; tries < 200; tries++) {
        char *text = play_read_file(log);
        char *at = text == NULL ? NULL : strstr(text, "ACCEPT 127.0.0.1:");
        if (at != NULL && strchr(at, '\n') != NULL) {
            return (unsigned)strtoul(at + strlen("ACCEPT 127.0.0.1:"), NULL, 10);
        }
        play_sleep(25);
    }
    return 0;
}

/* A server with this certificate that says each line backwards; it dies with the test. */
static pid_t
serve(const char *certificate, const char *key, unsigned *port)
{
    char *log = play_text("%s.log", certificate);
    play_write_file(log, "");
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_APPEND);
        int none = open("/dev/null", O_RDONLY);
        if (fd < 0 || none < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || dup2(none, 0) < 0 ||
            dup2(fd, 1) < 0 || dup2(fd, 2) < 0) {
            _exit(126);
        }
        execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate,
               "-key", key, "-rev", (char *)NULL);
        _exit(127);
    }
    PLAY_NEED(pid > 0, "fork");
    *port = read_port(log);
    PLAY_NEED(*port != 0, "openssl s_server does not listen: %s", play_read_file(log));
    return pid;
}

/* In a group of its own: nobody else may answer for it. */
static char *
add_account(const char *name, unsigned port, const char *ca_file)
{
    char *secret = play_text("%s/upstream.key", play_world.dir);
    char *url = play_text("https://127.0.0.1:%u", port);
    play_must_ctl("group", "add", "--name", name, NULL);
    play_must_ctl("account", "add", "--name", name, "--platform", "openai", "--base-url", url,
                  "--api-key-file", secret, "--group", name, NULL);
    if (ca_file != NULL) {
        play_must_ctl("account", "set", name, "--tls-ca-file", ca_file, NULL);
    }
    struct play_run run = play_must_ctl("--json", "key", "create", "--user", "tester", "--name",
                                        name, "--group", name, NULL);
    char *key = play_json(run.out, "key");
    PLAY_NEED(key != NULL, "no key in %s", run.out);
    return key;
}

static struct play_answer
ask(const char *key)
{
    static const char body[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
                               "\"content\":\"hello\"}]}";
    char *fields = play_text("Authorization: Bearer %s\r\nContent-Type: application/json\r\n", key);
    return play_request(play_world.port, "POST", "/v1/chat/completions", fields, body,
                        sizeof(body) - 1);
}

/* What one certificate is, and who is trusted: NULL = the system's authorities. */
struct verdict {
    const char *name;
    const char *certificate;
    const char *ca_file;
    const char *why; /* NULL: the handshake is good, and what comes then is no HTTP */
};

static void
expect_refused(const struct verdict *want, const struct play_answer *a, const struct play_run *test)
{
    PLAY_CHECK(a->status == 502 && play_json_is(a->body, "error.code", "upstream_error"),
               "%s: %d %s", want->name, a->status, a->body);
    PLAY_CHECK(strstr(a->body, "certificate") == NULL && strstr(a->body, want->name) == NULL,
               "%s: the client is told of the provider: %s", want->name, a->body);
    char *line = play_text("account=%s attempt=0 status=0 blame=network why=\"TLS handshake: %s\"",
                           want->name, want->why);
    PLAY_CHECK(play_log_has(line, 3000), "the log does not say: %s", line);
    char *said = play_text("%s: chat: TLS handshake: %s\n", want->name, want->why);
    PLAY_CHECK(test->status != 0 && strstr(test->out, said) != NULL, "%s: test says %s%s",
               want->name, test->out, test->err);
}

static void
judge(const struct verdict *want, const char *key)
{
    unsigned port = 0;
    pid_t pid = serve(want->certificate, key, &port);
    struct play_answer a = ask(add_account(want->name, port, want->ca_file));
    struct play_run test = play_ctl("account", "test", want->name, NULL);
    if (want->why != NULL) {
        expect_refused(want, &a, &test);
    } else {
        PLAY_CHECK(strstr(test.out, "The answer is not HTTP/1.1.") != NULL, "%s: test says %s%s",
                   want->name, test.out, test.err);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void
a_bad_certificate_is_named_by_what_is_wrong_with_it(void)
{
    char *key = put_file("tls.key", key_pem);
    char *expired = put_file("expired.pem", expired_pem);
    char *good = put_file("good.pem", good_pem);
    char *other = put_file("other.pem", other_pem);
    const struct verdict rows[] = {
        { "tls-expired", expired, expired, "certificate has expired" },
        { "tls-name", other, other, "certificate is not for this name" },
        { "tls-self", good, NULL, "certificate is self-signed (trust it with --tls-ca-file)" },
        { "tls-all", expired, NULL,
          "certificate has expired, is self-signed (trust it with --tls-ca-file)" },
        { "tls-good", good, good, NULL },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        judge(&rows[i], key);
    }
}

static const struct play_test tests[] = {
    { "a_bad_certificate_is_named_by_what_is_wrong_with_it",
      a_bad_certificate_is_named_by_what_is_wrong_with_it, 60 },
    { NULL, NULL, 0 },
};

PLAY_GROUP(group, "tls", tests, NULL, NULL)

/*
 * 80_sticky.c - sessions stay at their account, over turns and workers, and leave it when it fails.
 */
#include "tests/scenario/play.h"

#include <stdio.h>
#include <string.h>

static const char *const settings[] = { "master.workers=2", NULL };

static void
set_secret(const char *verb, const char *account, const char *secret, const char *url)
{
    char *file = play_text("%s/account.key", play_world.dir);
    play_write_file(file, secret);
    if (url == NULL) {
        play_must_ctl("account", verb, account, "--api-key-file", file, NULL);
    } else {
        play_must_ctl("account", verb, account, "--platform", "openai", "--base-url", url,
                      "--api-key-file", file, NULL);
    }
}

/* Two more accounts of the group, for the same dialect as `openai`. */
static void
prepare(void)
{
    play_standard();
    char *url = play_text("http://127.0.0.1:%u", play_world.fake_port);
    set_secret("create", "second", "fake-usage", url);
    set_secret("create", "third", "fake-usage", url);
}

static void
send_turn(struct play_conn *c, const char *key, const char *session, const char *text)
{
    char *body = play_text("{\"model\":\"fake-usage\",\"messages\":[{\"role\":\"user\","
                           "\"content\":\"%s\"}]}",
                           text);
    play_print(c,
               "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
               "%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               key, session, strlen(body), body);
}

/* The account that served the newest finished request of this id. */
static char *
account_of(const char *request_id)
{
    char *mark = play_text("req=%s ", request_id);
    uint64_t end = play_now_ms() + 5000;
    while (play_now_ms() < end) {
        char *log = play_read_file(play_world.log);
        for (char *line = strstr(log, mark); line != NULL; line = strstr(line + 1, mark)) {
            char *account = strstr(line, " account=");
            char *stop = strchr(line, '\n');
            char *is_done = strstr(line, " sticky=");
            if (account != NULL && stop != NULL && account < stop && is_done != NULL &&
                is_done < stop) {
                return play_text("%.*s", (int)strcspn(account + 9, " \n"), account + 9);
            }
        }
        play_sleep(20);
    }
    PLAY_CHECK(false, "no line of the log for %s", request_id);
    return play_text("%s", "nobody");
}

/* One turn on a connection of its own, so that any worker may get it. */
static char *
turn(const char *key, const char *session, const char *text)
{
    struct play_conn *c = play_open(play_world.port);
    send_turn(c, key, session, text);
    struct play_answer answer = play_read(c, 10000);
    PLAY_NEED(answer.status == 200, "status %d: %s", answer.status, answer.body);
    char *id = play_field(&answer, "x-request-id");
    play_close(c);
    return account_of(id);
}

static void
a_session_stays_at_its_account(void)
{
    for (unsigned s = 0; s < 4; s++) {
        char *session = play_text("session-id: stay-%u\r\n", s);
        char *first = turn(play_world.key, session, "one");
        for (unsigned i = 0; i < 6; i++) {
            char *again = turn(play_world.key, session, play_text("turn %u", i));
            PLAY_CHECK(strcmp(first, again) == 0, "session %u: %s, then %s", s, first, again);
        }
    }
    /* Without an id: what was said first. */
    char *first = turn(play_world.key, "", "What was said first?");
    for (unsigned i = 0; i < 6; i++) {
        turn(play_world.key, "", play_text("something else %u", i));
        char *again = turn(play_world.key, "", "What was said first?");
        PLAY_CHECK(strcmp(first, again) == 0, "%s, then %s", first, again);
    }
}

/* Both workers see what either has bound. */
static void
a_session_stays_whichever_worker_serves(void)
{
    char *first = turn(play_world.key, "session-id: both\r\n", "one");
    struct play_conn *conns[12];
    for (unsigned i = 0; i < 12; i++) {
        conns[i] = play_open(play_world.port);
    }
    for (unsigned i = 0; i < 12; i++) {
        send_turn(conns[i], play_world.key, "session-id: both\r\n", "two");
    }
    for (unsigned i = 0; i < 12; i++) {
        struct play_answer answer = play_read(conns[i], 10000);
        PLAY_NEED(answer.status == 200, "status %d", answer.status);
        char *again = account_of(play_field(&answer, "x-request-id"));
        PLAY_CHECK(strcmp(first, again) == 0, "%s, then %s", first, again);
    }
    PLAY_CHECK(play_log_has("sticky=hit", 5000), "no hit in the log");
}

static void
two_keys_never_share(void)
{
    struct play_run run =
        play_must_ctl("--json", "key", "create", "other", "--user", "tester", NULL);
    char *other = play_json(run.out, "key");
    PLAY_NEED(other != NULL, "%s", run.out);
    play_must_ctl("sticky", "clear", NULL);
    for (unsigned i = 0; i < 3; i++) {
        turn(play_world.key, "x-session-id: shared\r\n", "one");
        turn(other, "x-session-id: shared\r\n", "one");
    }
    run = play_must_ctl("--json", "sticky", "list", NULL);
    PLAY_CHECK(play_json_number(run.out, "total") == 2, "one session each: %s", run.out);
    play_must_ctl("key", "remove", "other", NULL);
}

static void
a_session_escapes_from_a_failure(void)
{
    char *session = play_text("%s", "thread-id: escape\r\n");
    char *first = turn(play_world.key, session, "one");
    play_must_ctl("account", "disable", first, NULL);
    char *second = turn(play_world.key, session, "two");
    PLAY_CHECK(strcmp(first, second) != 0, "it stays at a disabled account");
    PLAY_CHECK(play_log_has("sticky=moved", 5000), "no move in the log");
    play_must_ctl("account", "enable", first, NULL);
    char *third = turn(play_world.key, session, "three");
    PLAY_CHECK(strcmp(second, third) == 0, "it goes back although it has moved");
    set_secret("set", second, "fake-status401", NULL);
    char *fourth = turn(play_world.key, session, "four");
    PLAY_CHECK(strcmp(second, fourth) != 0, "the failing account served");
    PLAY_CHECK(strcmp(turn(play_world.key, session, "five"), fourth) == 0, "not bound anew");
    set_secret("set", second, "fake-usage", NULL);
    play_must_ctl("account", "reset", second, NULL);
}

static void
clear_forgets(void)
{
    play_must_ctl("sticky", "clear", NULL);
    char *first = turn(play_world.key, "session-id: forget\r\n", "one");
    struct play_run run = play_must_ctl("sticky", "list", NULL);
    PLAY_CHECK(strstr(run.out, first) != NULL && strstr(run.out, "1 sessions are bound") != NULL,
               "%s", run.out);
    run = play_must_ctl("sticky", "clear", "--account", first, NULL);
    PLAY_CHECK(strstr(run.out, "1 sessions forgotten") != NULL, "%s", run.out);
    char *second = turn(play_world.key, "session-id: forget\r\n", "two");
    PLAY_CHECK(strcmp(first, second) != 0, "the account used last is not the next one's");
    run = play_ctl("sticky", "clear", "--account", "nobody", NULL);
    PLAY_CHECK(run.status == 1 && strstr(run.err, "no account") != NULL, "%d %s", run.status,
               run.err);
    PLAY_CHECK(play_ctl("sticky", "forget", NULL).status == 2, "an unknown verb");
    PLAY_CHECK(play_ctl("sticky", "clear", "--all", NULL).status == 2, "an unknown option");
}

static const struct play_test tests[] = {
    { "a_session_stays_at_its_account", a_session_stays_at_its_account, 60 },
    { "a_session_stays_whichever_worker_serves", a_session_stays_whichever_worker_serves, 60 },
    { "two_keys_never_share", two_keys_never_share, 60 },
    { "a_session_escapes_from_a_failure", a_session_escapes_from_a_failure, 60 },
    { "clear_forgets", clear_forgets, 60 },
    { NULL, NULL, 0 },
};

PLAY_GROUP(group, "sticky", tests, settings, prepare)

/*
 * crash.h - the crash tests: a gateway under load whose processes are killed, and the books that
 * must balance afterwards.
 *
 * Every request has a number. It stands in its model's name and in its text, so that one request
 * can be followed through everything that knows of it: what its client got, what the provider was
 * asked, what the ledger says. The provider's answer to a number is known byte for byte.
 *
 *   crashload   the clients: connections, requests, what became of each
 *   crashbook   the ledger, the provider's log, and how the three must agree
 *   crashproc   processes: finding, killing, whose connections they are; the admin socket
 *   crashslots  how long after a kill until slots held == leases of the living
 *
 * All of it is one process with one thread; nothing here needs to be reset between tests but by
 * crash_begin. A failure is noted with PLAY_CHECK, as in every scenario test.
 *
 * Runs in: a group's process of build/asan/tests/crash/run.
 */
#ifndef TESTS_CRASH_CRASH_H
#define TESTS_CRASH_CRASH_H

#include "tests/scenario/play.h"

#define CRASH_CONNS 96u
#define CRASH_KEYS 6u
#define CRASH_REQUESTS_MAX 400000u /* of one test */
#define CRASH_ID_BYTES 40u
#define CRASH_CODE_BYTES 40u
#define CRASH_TEST_SECONDS 3000u /* a hang costs that at most; run.sh has its own time */

/* What the client saw. */
enum crash_outcome {
    CRASH_RUNNING,
    CRASH_WHOLE, /* the right answer, to its last byte */
    CRASH_ERROR, /* another status than 200 */
    CRASH_CUT,   /* the connection ended before the answer did */
    CRASH_LEFT,  /* the client went away, as it meant to */
    CRASH_MISSED /* a kept connection was closed before any byte of the answer came */
};

struct crash_request {
    enum crash_outcome outcome;
    uint32_t kind;     /* of crashload's table */
    bool is_excused;   /* its process was killed by us, or told to cut it */
    uint16_t status;   /* the client got; 0 = none */
    uint16_t arrivals; /* times the provider was asked */
    uint16_t records;  /* in the ledger */
    uint16_t record_status;
    uint64_t in; /* tokens of the record */
    uint64_t out;
    char id[CRASH_ID_BYTES]; /* x-request-id of the answer */
    char record_id[CRASH_ID_BYTES];
    char code[CRASH_CODE_BYTES]; /* of the record */
};

/* --- one test --- */

/* Everything from nothing: fake, accounts, keys, counts. The gateway runs. */
void crash_prepare(void);
void crash_begin(const char *name);
bool crash_is_full(void);
/* A size: `small` in `make test`, `full` in `make crash`. */
unsigned crash_size(unsigned small, unsigned full);
uint32_t crash_random(uint32_t below);
extern const char *crash_fake_log;
extern uint16_t crash_fake_port;

/* --- clients --- */

/* Opens the connections' places and learns the right answers. */
void crashload_begin(uint32_t conns);
/* Runs the clients for so long. */
void crashload_run(unsigned ms);
/* No new requests; until all have their answer or the time is over. False: some have none. */
bool crashload_finish(unsigned ms);
/* Closes all connections. */
void crashload_end(void);
/* Connections are opened, requests sent only while this is on (it is after crashload_begin). */
void crashload_allow(bool is_allowed);
/* What happens from now on to connections with these local ports is our doing; NULL = to all. */
void crashload_excuse(const bool ports[65536]);
/* Processes will die by themselves: any request from now on may be cut, but none may fail
 * otherwise. */
void crashload_excuse_cuts(void);
/* Percent of the requests whose clients leave in the middle. */
void crashload_set_leaving(uint32_t percent);
uint32_t crashload_running(void);
uint32_t crashload_started(void);
struct crash_request *crashload_request(uint32_t number); /* NULL: there was none */
uint32_t crashload_count(enum crash_outcome outcome);
/* "7 whole, 1 error, ..." */
char *crashload_text(void);

/* --- books --- */

/* The usual beginning and end of a test: a running load; everything at rest, all books checked. */
void crash_start_load(const char *name);
void crash_end_load(uint32_t missed_max);
#define CRASH_BACK_MS 15000u /* a new process, generous: sanitizers on a busy machine */
/* Who died at every start is started again after up to CHILD_DELAY_MS_MAX, and may do so a few
 * times more before it has recorded what was left: three such delays were once not enough. */
#define CRASH_REST_MS 60000u

/* Before the first request of a test: what is in the ledger already does not count. */
void crashbook_begin(void);
/* Reads what is new in the ledger; false when nobody answers. */
bool crashbook_read(void);
/* Requests started since the ledger was last read: more than it shows at once must not be. */
bool crashbook_is_behind(void);
/* After the load: waits until nothing is in flight, waiting, reserved or unrecorded. */
void crashbook_check_idle(unsigned ms);
/* While clients run: nothing is held that no client waits for, no dead slot is left. */
void crashbook_check_live(unsigned ms);
/* Provider, clients and ledger agree; errors: how many requests may have failed otherwise. */
void crashbook_check(uint32_t errors);

/* --- slots --- */

/* Forgets the times of the test before. */
void crashslots_begin(void);
/* Right after a kill: runs the clients until what the gates hold is what the leases of the living
 * say, and notes how long that took; has_recorder: the one that sweeps was not among the dead. */
void crashslots_watch(const pid_t *dead, unsigned count, bool has_recorder);
/* Reports the times; the median must not be far from what is promised. */
void crashslots_check(void);

/* --- processes --- */

enum crash_kind { CRASH_WORKER_0, CRASH_WORKER_1, CRASH_RECORDER, CRASH_KEEPER, CRASH_KINDS };

pid_t crashproc_find(enum crash_kind kind);
const char *crashproc_title(enum crash_kind kind);
/* Stops the process, excuses its connections, kills it. False: it was not there. */
bool crashproc_kill(enum crash_kind kind);
/* Runs the clients until another process has taken the place of `old`; false after the time. */
bool crashproc_wait(enum crash_kind kind, pid_t old, unsigned ms);
/* True when the ports of a process's connections were put into `ports`. */
bool crashproc_ports(pid_t pid, bool ports[65536]);
/* GET on the admin socket; NULL when there is no answer. Good until the next call. */
char *crashproc_admin(const char *path);
/* Times that a word stands in the gateway's log since crash_begin. */
uint32_t crashproc_log_count(const char *word);
/* What is in the log by now does not count. */
void crashproc_mark_log(void);

#endif

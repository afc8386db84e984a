/*
 * reckon.h - the reconciliation: what the provider says it served, what the ledger says it cost,
 * and what every balance lost, to the nanodollar.
 *
 * A request is a number: dialect, words for the provider, tokens, prices, what goes wrong and when
 * its client leaves all follow from it and the seed. So its bill can be made here, by other code
 * than the gateway's, from the documented rule alone (README.md, What breaks).
 *
 *   reckonplan   what request number N asks for, and its prices
 *   reckonload   the clients
 *   reckonbill   what may stand in the ledger for it
 *   reckonbook   ledger, provider, balances: read and compared
 *
 * Runs in: a group's process of build/asan/tests/crash/run.
 */
#ifndef TESTS_CRASH_RECKON_H
#define TESTS_CRASH_RECKON_H

#include "tests/crash/crash.h"

#define RECKON_REQUESTS_MAX 12000u /* each is a row of the price list */
#define RECKON_MODEL_BYTES 128u
#define RECKON_STEP_TOKENS 200000u /* more input than that has other prices */

enum reckon_dialect { RECKON_CHAT, RECKON_RESPONSES, RECKON_ANTHROPIC, RECKON_GEMINI };
#define RECKON_DIALECTS 4u

/* Groups by what their accounts speak; in the last all of them are. */
#define RECKON_GROUPS 5u
#define RECKON_ACCOUNTS 6u /* two a platform */
#define RECKON_USERS 3u    /* prepaid; with a multiplier of its own; with a plan */

enum reckon_fault {
    RECKON_FINE,
    RECKON_SWITCHED, /* the first account fails, the next one answers */
    RECKON_SILENT,   /* the first account is silent, the next one answers */
    RECKON_REFUSED,  /* no account will */
    RECKON_BROKEN,   /* the answer breaks off */
    RECKON_STOPS,    /* the answer stops and its connection stays */
    RECKON_NO_USAGE  /* whole, and without a report */
};

/* By kind, as the ledger has them: disjoint, but for reasoning, which is a part of out. */
struct reckon_tokens {
    uint64_t fresh;
    uint64_t cached;
    uint64_t write;
    uint64_t write1h;
    uint64_t out;
    uint64_t reason;
};

/* Picodollars for one. */
struct reckon_rates {
    uint64_t fresh;
    uint64_t cached;
    uint64_t write;
    uint64_t write1h;
    uint64_t out;
    uint64_t reason;
    uint64_t request;
};

struct reckon_ask {
    enum reckon_dialect dialect; /* the client's */
    enum reckon_fault fault;
    bool is_stream;
    uint32_t group;
    uint32_t user;
    uint32_t pieces;   /* of the answer's text */
    uint32_t leave_ms; /* the client leaves then; 0 = it stays */
    char model[RECKON_MODEL_BYTES];
    char text[192];               /* what the user says; the answer repeats it */
    struct reckon_rates rates[2]; /* up to RECKON_STEP_TOKENS of input, and above */
};

/* What became of a request, for its client. */
struct reckon_request {
    enum crash_outcome outcome;
    bool has_begun;    /* 200 */
    uint64_t start_ms; /* monotonic */
    uint64_t end_ms;
    uint32_t body_bytes; /* of what was asked */
    uint32_t text_bytes; /* of the answer's text that it got for certain */
    uint16_t status;
};

/* --- reckonplan --- */

void reckonplan_begin(void);
struct reckon_ask reckonplan_ask(uint32_t number);
/* The first piece of the answer's text, and all of the first `pieces`. */
uint32_t reckonplan_text_bytes(const struct reckon_ask *ask, uint32_t pieces);
/* Head and body of the request; its length. */
size_t reckonplan_write(const struct reckon_ask *ask, const char *key, char *out, size_t bytes,
                        uint32_t *out_body_bytes);
/* A file of prices in the field's convention, for the first `count` requests. */
void reckonplan_prices(const char *path, uint32_t count);
const char *reckonplan_key(uint32_t group, uint32_t user);
extern const char *const reckonplan_groups[RECKON_GROUPS];
extern const char *const reckonplan_accounts[RECKON_ACCOUNTS];
extern const char *const reckonplan_users[RECKON_USERS];

/* Parts per million. */
uint64_t reckonplan_user_ppm(uint32_t user, uint32_t group);
uint64_t reckonplan_account_ppm(uint32_t account);

/* --- reckonload --- */

void reckonload_begin(uint32_t conns, uint32_t requests_max);
void reckonload_run(unsigned ms);
/* No new ones; until all have ended. */
bool reckonload_finish(unsigned ms);
void reckonload_allow(bool is_allowed);
uint32_t reckonload_started(void);
const struct reckon_request *reckonload_request(uint32_t number);
/* From here on back, who was being served may have been cut by us. */
void reckonload_killed(void);
/* Did a kill fall into the request's time, or right behind it? */
bool reckonload_is_excused(const struct reckon_request *request);

/* --- reckonbill --- */

/* One line of what the provider served. */
struct reckon_served {
    bool is_there;
    bool is_stream;
    bool is_finished;
    char dialect[12];
    char stated[8]; /* none, input, all */
    struct reckon_tokens tokens;
    uint64_t text_bytes;
};

/* One record of the ledger. */
struct reckon_record {
    struct reckon_tokens tokens;
    char usage[12];
    char code[CRASH_CODE_BYTES];
    uint32_t status;
    bool is_last;
    int64_t cost_nano;
    int64_t upstream_nano;
    uint64_t bytes_out;
    uint32_t account; /* of reckonplan_accounts */
};

/* NULL: the record is what it must be; else what is wrong with it. */
const char *
reckonbill_judge(const struct reckon_ask *ask, const struct reckon_request *request,
                 const struct reckon_served *served, const struct reckon_record *record);

/* --- reckonbook --- */

/* The ledger, the provider's bill and the balances agree. `topup` dollars were paid in. */
void reckonbook_check(uint32_t topup);

#endif

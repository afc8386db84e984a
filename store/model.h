/*
 * model.h - user, key, group, account and plan: what an operator configures at run time.
 *
 * Each is one struct and one table of fields. The table is the only description: the store's record
 * codec, the admin API's JSON, the CLI's options and their help are all made from it, so that a new
 * field is one row. Records are stored as JSON under their id: unknown members of a record written
 * by a newer version survive being read by an older one only as far as they are not rewritten.
 *
 * Ids are assigned by the recorder, rising, never used again. Limits: 0 = no limit.
 *
 * The rules that records and requests share (names, globs, addresses, mappings) are in match.h.
 *
 * Runs in: recorder (writes), workers and keeper (read), CLI (tables only).
 */
#ifndef STORE_MODEL_H
#define STORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/period.h"
#include "base/str.h"

enum model_kind { MODEL_USER, MODEL_KEY, MODEL_GROUP, MODEL_ACCOUNT, MODEL_PLAN };
#define MODEL_KINDS 5

enum model_platform { MODEL_OPENAI, MODEL_ANTHROPIC, MODEL_GEMINI };

/* What happens to hints that an account's dialect has no word for. */
enum model_translate { MODEL_LENIENT, MODEL_STRICT };

struct user {
    uint64_t id;
    char name[NAME_BYTES];
    bool is_disabled;
    uint32_t concurrency;    /* requests in flight over all keys */
    uint32_t rpm;            /* requests a minute */
    uint64_t tpm;            /* tokens a minute, input and output */
    bool is_prepaid;         /* pays from a balance; from its first top-up on */
    int64_t credit_nano;     /* nanodollars: all top-ups, less what was taken back */
    uint64_t multiplier_ppm; /* of prices, in place of the group's; 0 = the group's */
    char note[256];
    uint64_t created_ms; /* wall */
};

struct key {
    uint64_t id;
    char name[NAME_BYTES]; /* unique */
    char prefix[16];       /* the first characters of the key, for people: "sk-s2a-AbCd" */
    struct digest digest;  /* SHA-256 of the whole key; the key itself is never stored */
    char user[NAME_BYTES]; /* owner */
    uint64_t user_id;
    char group[NAME_BYTES]; /* whose accounts it may use */
    uint64_t group_id;
    bool is_disabled;
    uint64_t expires_ms;             /* wall; 0 = never */
    char models[LIST_TEXT_BYTES];    /* globs, comma separated; empty = all */
    char addresses[LIST_TEXT_BYTES]; /* CIDRs that may use it, comma separated; empty = all */
    uint32_t concurrency;
    uint32_t rpm;
    uint64_t tpm;
    uint64_t input_tokens_max;     /* of one request, estimated; refused with input_too_large */
    uint64_t quota_tokens;         /* input + output tokens over the key's life; quota_exhausted */
    uint64_t quota_nano;           /* nanodollars over the key's life; 0 = no limit */
    uint64_t window_nano[PERIODS]; /* in each 5 hours, day, week, month */
    char note[256];
    uint64_t created_ms;
};

struct group {
    uint64_t id;
    char name[NAME_BYTES];
    bool is_disabled;
    uint32_t concurrency;
    uint32_t rpm;
    uint64_t tpm;
    char models[LIST_TEXT_BYTES];    /* globs its keys may ask for; empty = all */
    char model_map[LIST_TEXT_BYTES]; /* "asked=wanted", left may be a glob; before any account's */
    char instructions[LIST_TEXT_BYTES];  /* for Responses accounts whose client sends none */
    char effort_map[WORDS_TEXT_BYTES];   /* "asked=sent" of reasoning efforts */
    enum model_translate translate_mode; /* when translating */
    uint64_t multiplier_ppm; /* of prices, for its keys; 1,000,000 unless set; 0 = free */
    char note[256];
    uint64_t created_ms;
};

struct account {
    uint64_t id;
    uint32_t index; /* dense, < ACCOUNTS_MAX, of the health table; used again after removal */
    char name[NAME_BYTES];
    enum model_platform platform;
    char base_url[URL_BYTES];
    char groups[LIST_TEXT_BYTES]; /* names, comma separated */
    uint32_t priority;            /* lower is better; 50 unless set */
    uint32_t weight;              /* among equals; 1 unless set */
    uint32_t concurrency;
    uint32_t rpm;
    uint64_t tpm;
    char models[LIST_TEXT_BYTES];    /* globs it serves; empty = all */
    char model_map[LIST_TEXT_BYTES]; /* "asked=sent", left may be a glob; comma separated */
    char dialects[64];               /* "chat,responses"; empty = what the platform speaks */
    char caps[WORDS_TEXT_BYTES]; /* what it can do else than its dialect: proto/caps.h's words */
    char proxy[URL_BYTES];       /* http://[user:***@]host:port or socks5://...; empty = none */
    uint8_t proxy_sealed[URL_BYTES + DIGEST_SEAL_EXTRA_BYTES]; /* its password (store/proxy.h) */
    uint32_t proxy_sealed_bytes;
    char tls_ca_file[256];
    uint64_t
        multiplier_ppm; /* what it costs the operator of the listed prices; 1,000,000 unless set */
    bool tls_insecure;  /* no certificate check; said in every list and log line of the account */
    bool is_disabled;
    char disabled_why[128];
    uint8_t sealed[SECRET_BYTES_MAX + DIGEST_SEAL_EXTRA_BYTES]; /* the credential, sealed */
    uint32_t sealed_bytes;
    char secret_hint[16]; /* its last 4 characters, for people: "...x7Qd" */
    char note[256];
    uint64_t created_ms;
};

/* What a user may use in a group instead of the balance: a subscription. One for a user and group.
 */
struct plan {
    uint64_t id;
    char name[NAME_BYTES]; /* unique */
    char user[NAME_BYTES];
    uint64_t user_id;
    char group[NAME_BYTES];
    uint64_t group_id;
    bool is_disabled;
    uint64_t expires_ms; /* wall; 0 = never */
    uint64_t window_nano[PERIODS];
    char note[256];
    uint64_t created_ms;
};

/* --- the tables --- */

enum model_field_type {
    MODEL_TEXT, /* char[size] */
    MODEL_U32,
    MODEL_U64,
    MODEL_BOOL,
    MODEL_TIME,    /* uint64_t wall ms; JSON: RFC 3339 text or null; CLI also "30d", "never" */
    MODEL_CHOICE,  /* uint32_t/enum index into choices */
    MODEL_DECIMAL, /* uint64_t, times 10^scale; JSON: a decimal number, exactly (base/money.h) */
    MODEL_BYTES,   /* digest, sealed: hex in the store, never shown */
};

#define MODEL_IS_KEY 1u      /* with MODEL_IS_SETTABLE: by create only */
#define MODEL_IS_SHOWN 2u    /* in list and show */
#define MODEL_IS_LISTED 4u   /* in list's table */
#define MODEL_IS_SETTABLE 8u /* by create and set */
#define MODEL_IS_HIDDEN 16u  /* stored only: digests, sealed secrets */
#define MODEL_IS_URL 32u     /* a password in it is shown as *** */

struct model_field {
    const char *name; /* JSON member and, with '-' for '_', CLI option */
    enum model_field_type type;
    size_t offset;
    size_t size;
    size_t length_offset; /* MODEL_BYTES: of the uint32_t that holds the length; 0 = size is it */
    uint64_t max;
    uint32_t scale; /* MODEL_DECIMAL: 9 = dollars kept as nanodollars, 6 = parts per million */
    const char *const *choices;
    uint32_t flags;
    const char *standard; /* value when not given; NULL = empty or 0 */
    const char *help;
};

struct model_table {
    enum model_kind kind;
    const char *noun;  /* "account" */
    const char *nouns; /* "accounts" */
    size_t size;       /* of the struct */
    const struct model_field *fields;
    size_t field_count;
};

const struct model_table *model_table(enum model_kind kind);

/* Defaults of every field. */
void model_defaults(enum model_kind kind, void *object);

/* Stored form: all fields. ERR_FULL: the buffer's bound. */
MUST_CHECK enum err model_encode(enum model_kind kind, const void *object, struct buf *out);
/* Form for people: only shown fields. */
MUST_CHECK enum err model_show(enum model_kind kind, const void *object, struct buf *out);
/* ERR_BAD: not a record (any more). Missing members keep defaults. */
MUST_CHECK enum err model_decode(enum model_kind kind, struct str json, void *object);

/*
 * Applies the settable members of an admin's JSON object. ERR_BAD with a sentence in why that names
 * the member: unknown, not settable (now), wrong type, too long, out of range.
 */
#define MODEL_WHY_BYTES 256
MUST_CHECK enum err model_apply(enum model_kind kind, void *object, struct str json, bool is_create,
                                char why[MODEL_WHY_BYTES]);

/* Consistency of one whole object (URL shape, globs, CIDRs, names); why names the field. */
MUST_CHECK enum err
model_check(enum model_kind kind, const void *object, char why[MODEL_WHY_BYTES]);

/* "openai", "anthropic", "gemini"; static. */
const char *model_platform_name(enum model_platform platform);

#endif

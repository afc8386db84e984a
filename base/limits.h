/*
 * limits.h - every bound of the product, with unit and reason, and the asserts that relate them.
 *
 * The ini may lower a bound, never raise it. A bound that is reached means: refuse, count, say so.
 *
 * Runs in: every process.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* --- processes --- */
#define WORKERS_MAX 64u                   /* more cores than one gateway host has use for */
#define SLOTS_MAX (2u * WORKERS_MAX + 8u) /* two generations of workers, and the others */
#define LISTENS_MAX 16u                   /* [http] listen lines */

/* --- one worker's connections and requests --- */
#define CONNS_MAX 20000u            /* client connections of one worker */
#define CONNS_PER_ADDRESS_MAX 4096u /* of one client address and worker; ini default is lower */
#define LEASES_PER_SLOT_MAX 20000u  /* requests in flight of one worker */
#define ORIGIN_IDLE_MAX 1024u       /* kept-alive upstream connections of one worker */
#define LOOP_EVENTS_PER_TURN 256    /* epoll_wait's batch: fairness between sockets and timers */
#define ACCEPTS_PER_TURN 32u        /* one turn's accepts: streams under way come first */

/* --- HTTP, both sides --- */
#define HEAD_BYTES_MAX 65536u      /* request or response head; Codex and agents send over 32 KiB */
#define HEAD_FIELDS_MAX 200u       /* fields of a head; real clients send up to about 40 */
#define TARGET_BYTES_MAX 8192u     /* request target; anchors: nginx 8 kB */
#define FIELD_BYTES_MAX 32768u     /* one field line */
#define TRAILER_BYTES_MAX 8192u    /* validated, counted, dropped */
#define CHUNK_LINE_BYTES_MAX 1024u /* a chunk-size line with its extensions */
#define INTERIM_ANSWERS_MAX 20u    /* 1xx before an answer; curl's figure */
#define REQUESTS_PER_CONN_MAX 10000u        /* then the connection is closed in good order */
#define CONN_IN_BYTES (2u * HEAD_BYTES_MAX) /* input buffer bound: one head and pipelined bytes */
#define CONN_OUT_BYTES_MAX 262144u          /* bytes for a slow reader; then the other side stops */
#define CONN_OUT_HIGH_BYTES 65536u /* above this the source is not read (Envoy 32 kB, ours 64) */
#define CONN_READ_BYTES 16384u     /* one recv; also a TLS record's size */
#define BODY_BYTES_LIMIT (1024ull * 1024 * 1024) /* [http] body_bytes_max may go up to here */
#define INFLATE_RATIO_MAX 200u      /* expanded : compressed body, beyond it is a bomb */
#define INFLATE_FREE_BYTES 1048576u /* expanded before the ratio counts: small bodies repeat */
#define INFLATE_WINDOW_LOG_MAX 23   /* zstd's memory for one body: 8 MiB, the usual */
#define SERVER_SPARE_CONNS 32u  /* connections above conns_max that are told 503 before they go */
#define SERVER_OUT_BYTES 65536u /* a turn's answer bytes before they are sent */
#define LINGER_BYTES_MAX (2u * 1024 * 1024) /* read and dropped after a refusal */
#define LINGER_MS_MAX 1000u                 /* for how long */
#define DRAIN_FIRST_MS 1000u         /* a fresh connection has for its first request in a drain */
#define BODY_TURN_BYTES_MAX 1048576u /* read or expanded for one body in one turn */
#define BODY_POOLED_BYTES_MAX 65536u /* blocks up to here are kept for the next body */
#define BODY_KEPT_BLOCKS_MAX 64u     /* of each size class */

/* --- JSON, SSE --- */
#define JSON_DEPTH_MAX 512u      /* real tool schemas pass 32; iterative scanner */
#define JSON_NODES_MAX 1000000u  /* 16 MB of nodes */
#define JSONW_DEPTH_MAX 64u      /* what we write ourselves nests little */
#define MULTIPART_PARTS_MAX 256u /* of a form; image edits send up to 16 files and a few fields */
#define MULTIPART_HEAD_BYTES_MAX 8192u         /* one part's head; real ones have two short lines */
#define SSE_LINE_BYTES_MAX (64u * 1024 * 1024) /* a data line with an inline image */
#define SSE_KEPT_BYTES_MAX 1048576u /* the part of an event that is kept to read usage from it */

/* --- translation between dialects --- */
#define HUB_STOPS_MAX 16u    /* stop sequences; OpenAI takes 4, Gemini 5, the rest is ours */
#define HUB_TOOLS_MAX 1024u  /* of a request; agents with many servers send some 200 */
#define HUB_OPEN_MAX 128u    /* parts of an answer open at once; parallel calls stay below 30 */
#define HUB_PARTS_MAX 10000u /* of one answer */
#define HUB_ANNOTATIONS_MAX 1000u /* citations of one text; more are not repeated */
#define HUB_STOP_BYTES_MAX 1024u  /* a stop sequence that the gateway watches for */
#define TRANSLATE_STATE_BYTES_MAX (32u * 1024 * 1024) /* readers, filters, writers of an answer */
#define HUB_CHOICES_MAX 128u                          /* n, candidateCount */
#define HUB_ECHO_BYTES_MAX 16384u /* of a request, repeated in a responses answer */
#define TRANSLATE_REQUEST_BYTES_MAX (256u * 1024 * 1024) /* tree and decoded texts of a request */
#define TRANSLATE_ANSWER_BYTES_MAX \
    (64u * 1024 * 1024) /* texts kept of an answer; images are in it */
#define TRANSLATE_QUEUE_BYTES_MAX (16u * 1024 * 1024) /* deltas that wait for their turn */
#define TRANSLATE_EVENT_BYTES_MAX (64u * 1024 * 1024) /* one event; an inline image */
#define TRANSLATE_SMALL_BYTES 262144u /* of one request: so much is not counted with the bodies */
#define SCHEMA_BYTES_MAX (4u * 1024 * 1024) /* a schema with its references put in place */
#define SCHEMA_DEPTH_MAX 64u                /* of the same */

/* --- memory of one process --- */
#define ARENA_BLOCK_BYTES 4096u                /* first block of a request */
#define REQUEST_ARENA_BYTES_MAX (1024u * 1024) /* head copies, built heads, answers */
#define REFUSAL_BYTES_MAX (256u * 1024) /* a provider's error answer; some repeat the request */
#define ARENA_SPARES_MAX 256u           /* blocks kept for the next request: 1 MiB a process */
#define BUF_SPARES_MAX 256u             /* pieces kept of each standard size: 5 MiB a process */
#define LOG_LINE_BYTES 8192u            /* one event; longer is cut and marked */
#define LOG_BUFFER_BYTES 65536u         /* lines waiting for one write */
#define INI_FILE_BYTES_MAX 1048576u
#define SETTINGS_MAX 1024u /* rows of all folders' tables */

/* --- names and records --- */
#define NAME_BYTES 64u         /* of a user, key, group, account; with its NUL */
#define MODEL_NAME_BYTES 192u  /* a model name; with its NUL. Tuned Gemini names are long */
#define URL_BYTES 512u         /* base URL, proxy URL; with NUL */
#define KEY_BYTES_MAX 256u     /* a client's credential; longer is not looked up */
#define SECRET_BYTES_MAX 8192u /* an upstream credential (service tokens are long) */
#define LIST_TEXT_BYTES 4096u  /* a comma list: models, mappings, addresses */
#define WORDS_TEXT_BYTES 512u  /* a comma list of short words: efforts, capabilities */
#define GROUPS_PER_ACCOUNT_MAX 16u
#define ACCOUNTS_MAX 16384u /* a table in the segment; each costs a worker about 20 KB */
#define GROUPS_MAX 1024u
#define ROSTERS 64u              /* a worker remembers: large groups times models in use */
#define REQUEST_ID_BYTES 32u     /* "req_" + 24 characters + NUL, room to spare */
#define ERROR_CODE_BYTES 32u     /* stable error code with NUL */
#define OPENING_TEXT_BYTES 4096u /* of a text that tells conversations apart; and its length */
#define OPENING_MESSAGES_MAX 64u /* looked at until the first one of a user */
#define SESSION_TEXT_BYTES 128u  /* a client's session id that is kept (longer ones are hashed) */
#define RECORD_BYTES_MAX 98304u  /* a stored object as JSON: with every list full, all escaped */
#define STORE_READERS_MAX 256u   /* processes that read the store: every slot and some tools */
#define PRICES_MAX 16384u        /* rows of prices; the field's file has about 3,000 models */
#define PRICES_SHIPPED_MAX 512u  /* of them in the program itself */
#define PRICE_FILE_BYTES_MAX (16u * 1024 * 1024) /* the field's file has about 2 MB */
#define SUMMARY_LINES_MAX 65536u       /* of a report; what is beyond is shown as one line */
#define IDEMPOTENCY_KEY_BYTES_MAX 255u /* of a client's Idempotency-Key; the usual bound */
#define OUTCOMES_BYTES_MAX                                                                    \
    (4ull * 1024 * 1024 * 1024)                     /* answers kept for retries, in the store \
                                                     */
#define OUTCOMES_TURN_BYTES_MAX (16u * 1024 * 1024) /* of them in one transaction */
#define COST_HOLD_BYTES_MAX \
    131072u /* of an answer that waits for its cost; half of what may wait */
#define CARBON_BYTES_MAX (64u * 1024 * 1024) /* copies of answers under way, of one worker */
#define AUDIT_HOURS_MAX 200000u              /* that the records of a store may span: 22 years */
#define AUDIT_OBJECTS_MAX 1048576u           /* users, keys, groups, accounts, plans with totals */
#define AUDIT_PROBLEMS_MAX 50u               /* told one by one; the others are counted */
#define CATALOG_KEYS_MAX 1024u /* keys a worker remembers, 9 KB each; then it starts anew */

/* --- shared segment --- */
#define GATES_MAX 65536u
#define RING_CELLS_MAX 65536u
#define NAMES_MAX 1024u                        /* upstream and proxy host names */
#define NAME_ADDRESSES_MAX 8u                  /* addresses kept of one name */
#define STICKY_MAX (8u * 1024 * 1024)          /* sessions bound to accounts; 8 bytes each */
#define STICKY_TIME_MS_MAX (24u * 3600 * 1000) /* of one binding; longer than caches live */
#define TLS_SESSIONS_MAX 1024u
#define TLS_SESSION_BYTES_MAX 4096u /* measured: 729 B (EC) to about 2 KB with real leaf certs */
#define TLS_ROOTS_BYTES_MAX (4u * 1024 * 1024) /* a CA file; Debian's bundle has 220 KB */
#define TLS_MESSAGES_MAX 256u   /* without data on one connection; servers send 1 to 4 tickets */
#define NAME_HOST_BYTES 256u    /* 253 characters is the longest name there is */
#define NAME_WHY_BYTES 96u      /* a resolver's reason */
#define NAME_WANTS 4u           /* names one slot may ask for at once; more wait their turn */
#define JOB_OPTIONS_BYTES 1024u /* what an account test is asked to do */
#define JOBS_MAX 16u            /* account tests under way */
#define JOB_TEXT_BYTES 4096u
#define CRASH_TEXT_BYTES 256u
#define CLAIMS_MAX 65536u         /* requests with an Idempotency-Key under way; a power of two */
#define CLAIM_NAME_BYTES 16u      /* of the digest that names one: half a SHA-256 */
#define PARCEL_BYTES_MAX 1048576u /* an answer kept for a retry, with its head */
#define PARCEL_RING_BYTES (4u * 1024 * 1024) /* of one slot, on their way into the store */

/* --- the parent's care for its children --- */
#define HEARTBEAT_MS_MAX 30000u /* a child silent for so long hangs and is killed */
#define CHILD_KILL_MS 2000u     /* between a firm signal and SIGKILL */
#define DRAIN_TAIL_MS 1500u     /* beyond [master] grace: the last refusals leave and are read */
#define CHILD_QUICK_MS 1000u    /* a life shorter than this counts as a failed start */
#define CHILD_DELAY_MS_MIN 100u /* before the third start in a row; doubles up to ... */
#define CHILD_DELAY_MS_MAX 10000u
#define RECORDER_STOP_MS 10000u /* at stop: to bring the last records into the store */
#define RECOVER_WAIT_MS 10000u  /* beyond [master] grace: orphans end their streams */

/* --- admin --- */
#define ADMIN_CONNS_MAX 32u
#define ADMIN_BODY_BYTES_MAX 1048576u
#define ADMIN_ANSWER_BYTES_MAX (64u * 1024 * 1024)
#define REPORTS_MAX 4u        /* children of the recorder that make reports */
#define REPORT_MS_MAX 600000u /* one of them may take; ten million records take half a minute */

/* --- one request's attempts --- */
#define ATTEMPTS_MAX 16u   /* [upstream] max_switches + 1 and the dead-pool retries */
#define EXCERPT_BYTES 300u /* of a provider's error text in a log line or test result */

_Static_assert(SLOTS_MAX >= 2 * WORKERS_MAX + 4, "two generations, recorder, keeper, exporter");
_Static_assert(CONN_OUT_BYTES_MAX > CONN_OUT_HIGH_BYTES + 2 * CONN_READ_BYTES,
               "one more read must fit behind the high mark");
_Static_assert(CONN_IN_BYTES >= HEAD_BYTES_MAX, "a whole head fits the input buffer");
_Static_assert(RING_CELLS_MAX >= LEASES_PER_SLOT_MAX, "every request in flight may end at once");
_Static_assert(COST_HOLD_BYTES_MAX + CONN_OUT_HIGH_BYTES + 2 * CONN_READ_BYTES <=
                   CONN_OUT_BYTES_MAX,
               "what waited for its cost goes out in one write");
_Static_assert(PARCEL_RING_BYTES >= 2 * PARCEL_BYTES_MAX, "one fits beside a gap at the end");
_Static_assert(TARGET_BYTES_MAX < HEAD_BYTES_MAX && FIELD_BYTES_MAX < HEAD_BYTES_MAX,
               "a part fits the whole");

_Static_assert(STORE_READERS_MAX >= SLOTS_MAX + 8, "every process of two generations reads");

#endif

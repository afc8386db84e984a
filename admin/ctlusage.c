/*
 * ctlusage.c - `usage`: what finished requests used, one by one and in sums.
 *
 * Runs in: sub2apictl.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/columns.h"
#include "admin/nouns.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/num.h"

#define PATH_BYTES 1024u
#define TAIL_COUNT 1000u /* records of one look; more than that a second are skipped and told */

static const struct option_row options[] = {
    { "by", OPTION_TEXT, "WHAT", "sums by user, key, group, account, model, day or hour" },
    { "since", OPTION_TEXT, "TIME", "sums from then on: 24h, 30d, 2026-11-01; 24h unless given" },
    { "until", OPTION_TEXT, "TIME", "sums up to then; now unless given" },
    { "csv", OPTION_SWITCH, NULL, "sums as CSV" },
    { "count", OPTION_NUMBER, "N", "how many finished requests; 20 unless given" },
    { .name = NULL },
};

/* Is one of the words that ask for sums on the command line? */
static bool
wants_sums(const struct errand *errand)
{
    static const char *const words[] = { "--by", "--since", "--until", "--csv" };
    for (int i = errand->at; i < errand->argc; i++) {
        for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
            size_t length = strlen(words[k]);
            if (strncmp(errand->argv[i], words[k], length) == 0 &&
                (errand->argv[i][length] == '\0' || errand->argv[i][length] == '=')) {
                return true;
            }
        }
    }
    return false;
}

/* "?by=user&csv=1" to "?by=user&format=csv". */
static bool
make_path(const char *base, struct str query, bool *is_csv, char path[PATH_BYTES])
{
    size_t at = (size_t)snprintf(path, PATH_BYTES, "%s", base);
    char mark = '?';
    query = str_skip(query, query.len > 0 ? 1 : 0);
    while (query.len > 0) {
        struct str item = str_cut(&query, '&');
        if (str_equal(item, STR("csv=1"))) {
            *is_csv = true;
            item = STR("format=csv");
        }
        int length = snprintf(path + at, PATH_BYTES - at, "%c%.*s", mark, STR_ARG(item));
        if (length < 0 || (size_t)length >= PATH_BYTES - at) {
            return false;
        }
        at += (size_t)length;
        mark = '&';
    }
    return true;
}

static int
run_usage(struct errand *errand)
{
    bool is_sums = wants_sums(errand);
    bool is_csv = false;
    const char *argument = NULL;
    char why[OPTION_WHY_BYTES];
    char path[PATH_BYTES];
    struct option_line line = { .rows = options, .is_query = true };
    struct buf query;
    buf_init(&query, HEAD_BYTES_MAX);
    int code = ERRAND_DONE;
    if (option_read(&line, errand->argc, errand->argv, errand->at, &argument, &query, why) !=
        ERR_OK) {
        code = errand_misuse(why, "");
    } else if (!make_path(is_sums ? "/v1/usage/report" : "/v1/usage/recent", buf_str(&query),
                          &is_csv, path)) {
        code = errand_misuse("the command line is too long", "");
    }
    buf_fini(&query);
    if (code != ERRAND_DONE) {
        return code;
    }
    if (is_csv) {
        return errand_stream(errand, path);
    }
    struct buf body;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    code = errand_ask(errand, "GET", path, STR(""), &body);
    if (code == ERRAND_DONE) {
        code = errand->wants_json
                   ? errand_show_raw(buf_str(&body))
                   : errand_show_table(buf_str(&body), is_sums ? &columns_report : &columns_usage);
    }
    buf_fini(&body);
    return code;
}

/* --- tail --- */

static const struct option_row tail_options[] = {
    { "follow", OPTION_SWITCH, NULL, "(-f) go on showing what finishes, until interrupted" },
    { "count", OPTION_NUMBER, "N", "how many to begin with; 10 unless given" },
    { .name = NULL },
};

static void
print_line(const struct errand *errand, struct json_value item)
{
    static const char *const fields[] = { "time", "status", "model", "in",          "out",
                                          "cost", "usage",  "code",  "duration_ms", "request" };
    if (errand->wants_json) {
        printf("%.*s\n", STR_ARG(item.raw));
        return;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct json_value value;
        if (!json_get(item, str_of(fields[i]), &value)) {
            continue;
        }
        struct str text = value.raw;
        if (value.kind == JSON_STRING) {
            text = str_make(text.data + 1, text.len - 2);
        }
        printf("%s%s%.*s", i == 0 ? "" : "  ",
               strcmp(fields[i], "cost") == 0  ? "$"
               : strcmp(fields[i], "in") == 0  ? "in "
               : strcmp(fields[i], "out") == 0 ? "out "
                                               : "",
               STR_ARG(text));
    }
    putchar('\n');
}

struct news {
    const struct errand *errand;
    uint64_t last;   /* shown already */
    uint64_t newest; /* of what came */
    uint32_t count;
    struct json_value items[TAIL_COUNT];
};

static bool
on_item(void *context, const struct json_member *member)
{
    struct news *news = context;
    struct json_value sequence;
    uint64_t number = 0;
    if (news->count == TAIL_COUNT || !json_get(member->value, STR("sequence"), &sequence) ||
        json_u64(sequence, &number) != ERR_OK || number <= news->last) {
        return false; /* the items are newest first: the rest is known */
    }
    news->newest = number > news->newest ? number : news->newest;
    news->items[news->count++] = member->value;
    return true;
}

static int
print_news(struct news *news, struct str body)
{
    struct json_value root;
    struct json_value list;
    news->count = 0;
    if (json_read(body, &root, NULL) != ERR_OK || !json_get(root, STR("items"), &list) ||
        json_scan_array(list, on_item, news) != ERR_OK) {
        return ERRAND_REFUSED;
    }
    for (uint32_t i = news->count; i-- > 0;) {
        print_line(news->errand, news->items[i]);
    }
    if (news->count == TAIL_COUNT) {
        fprintf(stderr, "sub2apictl: more finished than can be shown\n");
    }
    fflush(stdout);
    news->last = news->newest;
    return ferror(stdout) ? ERRAND_REFUSED : ERRAND_DONE;
}

static int
run_tail(struct errand *errand)
{
    static struct news news;
    uint64_t count = 10;
    bool is_following = false;
    char path[PATH_BYTES];
    int code = ERRAND_DONE;
    for (int i = errand->at; i < errand->argc && code == ERRAND_DONE; i++) {
        const char *word = errand->argv[i];
        if (strcmp(word, "-f") == 0 || strcmp(word, "--follow") == 0) {
            is_following = true;
        } else if (strcmp(word, "--count") == 0 && i + 1 < errand->argc &&
                   num_u64(str_of(errand->argv[i + 1]), &count) == ERR_OK && count > 0) {
            i++;
        } else {
            code = errand_misuse("usage tail takes -f and --count N, not ", word);
        }
    }
    news.errand = errand;
    while (code == ERRAND_DONE) {
        struct buf body;
        buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
        snprintf(path, sizeof path, "/v1/usage/recent?count=%" PRIu64, count);
        code = errand_ask(errand, "GET", path, STR(""), &body);
        code = code == ERRAND_DONE ? print_news(&news, buf_str(&body)) : code;
        buf_fini(&body);
        if (!is_following) {
            break;
        }
        count = TAIL_COUNT;
        sleep(1);
    }
    return code;
}

static const struct errand_verb verbs[] = {
    { .word = "",
      .help = "finished requests, newest first; with --by, --since or --until their sums",
      .options = options,
      .run = run_usage },
    { .word = "tail",
      .help = "finished requests, newest last",
      .options = tail_options,
      .run = run_tail },
    { .word = NULL },
};

const struct errand_noun ctlusage_noun = { .word = "usage",
                                           .help = "finished requests, one by one and in sums",
                                           .verbs = verbs };

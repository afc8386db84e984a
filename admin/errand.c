#include "admin/errand.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/call.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/limits.h"

#define WORDS_BYTES 256u

/* --- showing --- */

int
errand_misuse(const char *what, const char *detail)
{
    fprintf(stderr, "sub2apictl: %s%s\n", what, detail);
    return ERRAND_MISUSE;
}

bool
errand_member(struct str body, const char *member, char *out, size_t out_bytes)
{
    struct json_value root;
    struct json_value value;
    struct str text;
    struct arena arena;
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    bool is_there = json_read(body, &root, NULL) == ERR_OK &&
                    json_get_path(root, str_of(member), &value) &&
                    json_string(value, &arena, &text) == ERR_OK && str_copy(out, out_bytes, text);
    arena_reset(&arena);
    return is_there;
}

bool
errand_is_ok(struct str body)
{
    struct json_value root;
    struct json_value value;
    bool is_ok = false;
    if (json_read(body, &root, NULL) != ERR_OK) {
        return false;
    }
    return !json_get(root, STR("ok"), &value) || (json_bool(value, &is_ok) == ERR_OK && is_ok);
}

int
errand_show_raw(struct str body)
{
    printf("%.*s\n", STR_ARG(body));
    return ERRAND_DONE;
}

int
errand_show_made(enum err err, struct buf *text)
{
    if (err == ERR_OK) {
        fwrite(buf_str(text).data, 1, buf_str(text).len, stdout);
    } else {
        fprintf(stderr, "sub2apictl: the gateway's answer cannot be shown (%s)\n", err_text(err));
    }
    buf_fini(text);
    return err == ERR_OK ? ERRAND_DONE : ERRAND_REFUSED;
}

int
errand_show_table(struct str body, const struct table_columns *columns)
{
    struct buf text;
    char line[512];
    buf_init(&text, ADMIN_ANSWER_BYTES_MAX);
    int code = errand_show_made(table_list(body, columns, &text), &text);
    if (code == ERRAND_DONE && errand_member(body, "line", line, sizeof line)) {
        printf("\n%s\n", line);
    }
    return code;
}

int
errand_show_object(struct str body)
{
    struct buf text;
    buf_init(&text, ADMIN_ANSWER_BYTES_MAX);
    return errand_show_made(table_object(body, &text), &text);
}

int
errand_show(const struct errand *errand, struct str body)
{
    const struct errand_verb *verb = errand->verb;
    int code;
    if (errand->wants_json) {
        code = errand_show_raw(body);
    } else if (verb->show != NULL) {
        code = verb->show(errand, body);
    } else if (verb->done != NULL) {
        code = puts(verb->done) < 0 ? ERRAND_REFUSED : ERRAND_DONE;
    } else if (verb->columns != NULL) {
        code = errand_show_table(body, verb->columns);
    } else {
        code = errand_show_object(body);
    }
    return code != ERRAND_DONE || errand_is_ok(body) ? code : ERRAND_REFUSED;
}

/* --- asking --- */

/* "code: message" of an error answer, or the body. */
static void
complain(struct str body)
{
    char message[1024];
    if (errand_member(body, "error.message", message, sizeof message)) {
        fprintf(stderr, "sub2apictl: %s\n", message);
    } else {
        fprintf(stderr, "sub2apictl: %.*s\n", STR_ARG(body));
    }
}

int
errand_ask(const struct errand *errand, const char *method, const char *path, struct str json,
           struct buf *body)
{
    uint16_t status = 0;
    char why[CALL_WHY_BYTES];
    enum err err = call_admin(errand->socket, method, path, json, &status, body, why);
    if (err != ERR_OK) {
        fprintf(stderr, "sub2apictl: %s\n", why);
        return ERRAND_REFUSED;
    }
    if (status >= 300) {
        complain(buf_str(body));
        return ERRAND_REFUSED;
    }
    return ERRAND_DONE;
}

int
errand_stream(const struct errand *errand, const char *path)
{
    uint16_t status = 0;
    char why[CALL_WHY_BYTES];
    struct buf body;
    buf_init(&body, ADMIN_BODY_BYTES_MAX);
    fflush(stdout);
    enum err err = call_stream(errand->socket, path, fileno(stdout), &status, &body, why);
    if (err != ERR_OK) {
        fprintf(stderr, "sub2apictl: %s\n", why);
    } else if (status >= 300) {
        complain(buf_str(&body));
    }
    buf_fini(&body);
    return err == ERR_OK && status < 300 ? ERRAND_DONE : ERRAND_REFUSED;
}

static enum err
put_path(const struct errand *errand, const char *argument, struct buf *path)
{
    enum err err = ERR_OK;
    for (const char *at = errand->verb->path; err == ERR_OK && *at != '\0'; at++) {
        if (*at == '@') {
            err = buf_append(path, str_of(errand->noun->plural));
        } else if (*at == '%') {
            err = option_encode(path, argument);
        } else {
            err = buf_append(path, str_make(at, 1));
        }
    }
    return err;
}

static bool
is_query(const struct errand_verb *verb)
{
    return strcmp(verb->method, "GET") == 0 || strcmp(verb->method, "DELETE") == 0;
}

/* The path with its query, and the body. */
static int
ask_row(const struct errand *errand, const char *argument, struct str options, struct buf *body)
{
    const struct errand_verb *verb = errand->verb;
    struct buf path;
    buf_init(&path, HEAD_BYTES_MAX);
    bool has_query = is_query(verb);
    bool has_body = !has_query && verb->options != NULL;
    enum err err = put_path(errand, argument, &path);
    if (err == ERR_OK && has_query) {
        err = buf_append(&path, options);
    }
    if (err == ERR_OK) {
        err = buf_append(&path, str_make("", 1));
    }
    int code = err != ERR_OK ? errand_misuse("the command line is too long", "")
                             : errand_ask(errand, verb->method, buf_str(&path).data,
                                          has_body ? options : STR(""), body);
    buf_fini(&path);
    return code;
}

static int
run_row(const struct errand *errand)
{
    const struct errand_verb *verb = errand->verb;
    struct option_line line = { .rows = verb->options,
                                .has_argument = verb->argument != NULL,
                                .is_query = is_query(verb) };
    const char *argument = NULL;
    char why[OPTION_WHY_BYTES];
    struct buf options;
    struct buf body;
    buf_init(&options, ADMIN_BODY_BYTES_MAX);
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    int code;
    if (option_read(&line, errand->argc, errand->argv, errand->at, &argument, &options, why) !=
        ERR_OK) {
        code = errand_misuse(why, "");
    } else if (verb->argument != NULL && argument == NULL) {
        code = errand_misuse("what is needed here: ", verb->argument);
    } else {
        code = ask_row(errand, argument, buf_str(&options), &body);
        code = code == ERRAND_DONE ? errand_show(errand, buf_str(&body)) : code;
    }
    buf_fini(&options);
    buf_fini(&body);
    return code;
}

/* --- finding --- */

/* The verbs of both tables, by number; NULL = no more. */
static const struct errand_verb *
verb_at(const struct errand_noun *noun, uint32_t index)
{
    const struct errand_verb *const tables[] = { noun->verbs, noun->more };
    for (uint32_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const struct errand_verb *verb = tables[i];
        for (; verb != NULL && verb->word != NULL; verb++) {
            if (index-- == 0) {
                return verb;
            }
        }
    }
    return NULL;
}

static const struct errand_verb *
find_verb(const struct errand_noun *noun, const char *word)
{
    const struct errand_verb *verb;
    for (uint32_t i = 0; (verb = verb_at(noun, i)) != NULL; i++) {
        if (strcmp(verb->word, word) == 0) {
            return verb;
        }
    }
    return NULL;
}

static const struct errand_noun *
find_noun(const struct errand_noun *const *nouns, const char *word)
{
    for (; *nouns != NULL; nouns++) {
        if (strcmp((*nouns)->word, word) == 0 ||
            ((*nouns)->plural != NULL && strcmp((*nouns)->plural, word) == 0)) {
            return *nouns;
        }
    }
    return NULL;
}

/* "list, show, create"; those without help of their own are other spellings. */
static void
list_words(const struct errand_noun *noun, char words[WORDS_BYTES])
{
    const struct errand_verb *verb;
    size_t used = 0;
    words[0] = '\0';
    for (uint32_t i = 0; (verb = verb_at(noun, i)) != NULL; i++) {
        if (verb->word[0] != '\0' && verb->help != NULL && used < WORDS_BYTES) {
            int length = snprintf(words + used, WORDS_BYTES - used, "%s%s", used == 0 ? "" : ", ",
                                  verb->word);
            used += length > 0 ? (size_t)length : 0;
        }
    }
}

static void
help_noun(const struct errand_noun *noun)
{
    const struct errand_verb *verb;
    printf("sub2apictl %s: %s\n", noun->word, noun->help);
    for (uint32_t i = 0; (verb = verb_at(noun, i)) != NULL; i++) {
        if (verb->help != NULL) {
            printf("\n  %s%s%s%s%s\n      %s\n", noun->word, verb->word[0] == '\0' ? "" : " ",
                   verb->word, verb->argument == NULL ? "" : " ",
                   verb->argument == NULL ? "" : verb->argument, verb->help);
            option_help(verb->options);
        }
    }
    if (noun->help_more != NULL) {
        putchar('\n');
        noun->help_more(noun);
    }
}

static bool
is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

int
errand_run(struct errand *errand, const struct errand_noun *const *nouns)
{
    const char *command = errand->argv[errand->at++];
    const char *word = errand->at < errand->argc ? errand->argv[errand->at] : "";
    errand->noun = find_noun(nouns, command);
    if (errand->noun == NULL) {
        return errand_misuse("unknown command (see sub2apictl --help): ", command);
    }
    if (is_help(word)) {
        help_noun(errand->noun);
        return ERRAND_DONE;
    }
    errand->verb = find_verb(errand->noun, word);
    if (errand->verb != NULL) {
        errand->at += word[0] == '\0' ? 0 : 1;
    } else {
        errand->verb = find_verb(errand->noun, "");
    }
    if (errand->verb == NULL) {
        char words[WORDS_BYTES];
        list_words(errand->noun, words);
        fprintf(stderr, "sub2apictl: %s takes %s; not %s\n", errand->noun->word, words,
                word[0] == '\0' ? "nothing" : word);
        return ERRAND_MISUSE;
    }
    return errand->verb->run != NULL ? errand->verb->run(errand) : run_row(errand);
}

void
errand_help(const struct errand_noun *const *nouns, FILE *to)
{
    for (; *nouns != NULL; nouns++) {
        char words[WORDS_BYTES];
        list_words(*nouns, words);
        fprintf(to, "  %-9s %s%s%s\n", (*nouns)->word, (*nouns)->help, words[0] == '\0' ? "" : ": ",
                words);
    }
}

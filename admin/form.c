#include "admin/form.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/sys.h"

/* "--base-url" is the field "base_url". */
static bool
is_option_of(const char *option, const char *field)
{
    for (; *option != '\0' && *field != '\0'; option++, field++) {
        if (*option != *field && !(*option == '-' && *field == '_')) {
            return false;
        }
    }
    return *option == '\0' && *field == '\0';
}

static const struct model_field *
find_field(enum model_kind kind, const char *option)
{
    const struct model_table *table = model_table(kind);
    for (size_t i = 0; i < table->field_count; i++) {
        const struct model_field *field = &table->fields[i];
        if ((field->flags & MODEL_IS_SETTABLE) != 0 && is_option_of(option, field->name)) {
            return field;
        }
    }
    return NULL;
}

/* Values keep the type that the field has; what is no number stays text, and the gateway says why
 * it does not like it. */
static void
put_value(struct jsonw *w, const struct model_field *field, const char *text)
{
    uint64_t number = 0;
    jsonw_name(w, field->name);
    if (field->type == MODEL_BOOL) {
        bool is_true = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0 ||
                       strcmp(text, "on") == 0 || strcmp(text, "1") == 0;
        bool is_false = strcmp(text, "no") == 0 || strcmp(text, "false") == 0 ||
                        strcmp(text, "off") == 0 || strcmp(text, "0") == 0;
        if (is_true || is_false) {
            jsonw_bool(w, is_true);
            return;
        }
    }
    bool is_number = field->type == MODEL_U32 || field->type == MODEL_U64;
    if (is_number && num_u64(str_of(text), &number) == ERR_OK) {
        jsonw_u64(w, number);
        return;
    }
    jsonw_text(w, text);
}

/* The first line of a file; "-" is standard input. */
static enum err
read_secret(const char *path, struct arena *arena, struct str *out, char why[FORM_WHY_BYTES])
{
    const char *file = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    enum err err = sys_read_file(file, SECRET_BYTES_MAX, arena, out);
    if (err != ERR_OK) {
        snprintf(why, FORM_WHY_BYTES, "cannot read %s: %s", path,
                 err == ERR_FULL ? "it is too long for a key" : sys_why());
        return ERR_BAD;
    }
    struct str rest = *out;
    *out = str_cut(&rest, '\n');
    while (out->len > 0 && out->data[out->len - 1] == '\r') {
        out->len--;
    }
    *out = str_trim(*out);
    if (out->len == 0) {
        snprintf(why, FORM_WHY_BYTES, "%s is empty", path);
        return ERR_BAD;
    }
    return ERR_OK;
}

/* Options that are no fields. ERR_GONE: not one of them. */
static enum err
read_special(struct form *form, const char *option, const char *value, struct jsonw *w,
             struct arena *arena, char why[FORM_WHY_BYTES])
{
    bool is_secret = form->kind == MODEL_ACCOUNT && strcmp(option, "api-key-file") == 0;
    bool is_key = form->kind == MODEL_KEY && form->is_create && strcmp(option, "key-file") == 0;
    if (is_secret || is_key) {
        struct str secret;
        enum err err = read_secret(value, arena, &secret, why);
        if (err == ERR_OK) {
            jsonw_put_str(w, is_secret ? "secret" : "key", secret);
        }
        return err;
    }
    if (strcmp(option, "name") == 0 && !form->is_create) {
        return str_copy(form->name, sizeof form->name, str_of(value)) ? ERR_OK : ERR_BAD;
    }
    return ERR_GONE;
}

static enum err
read_option(struct form *form, const char *option, const char *value, struct jsonw *w,
            struct arena *arena, char why[FORM_WHY_BYTES])
{
    enum err err = read_special(form, option, value, w, arena, why);
    if (err != ERR_GONE) {
        return err;
    }
    const struct model_field *field = find_field(form->kind, option);
    if (field == NULL) {
        snprintf(why, FORM_WHY_BYTES, "unknown option --%s (see sub2apictl %s --help)", option,
                 model_table(form->kind)->noun);
        return ERR_BAD;
    }
    put_value(w, field, value);
    if (strcmp(option, "name") == 0 && !str_copy(form->name, sizeof form->name, str_of(value))) {
        snprintf(why, FORM_WHY_BYTES, "--name is too long");
        return ERR_BAD;
    }
    return ERR_OK;
}

/* Is this a yes/no option given without its value? */
static bool
is_bare_flag(enum model_kind kind, const char *option, const char *next)
{
    const struct model_field *field = find_field(kind, option);
    return field != NULL && field->type == MODEL_BOOL &&
           (next == NULL || strncmp(next, "--", 2) == 0);
}

static enum err
read_positional(struct form *form, const char *arg, struct jsonw *w, char why[FORM_WHY_BYTES])
{
    if (form->name[0] != '\0' || !str_copy(form->name, sizeof form->name, str_of(arg))) {
        snprintf(why, FORM_WHY_BYTES, "unexpected argument: %s", arg);
        return ERR_BAD;
    }
    if (form->is_create) {
        jsonw_put_text(w, "name", arg);
    }
    return ERR_OK;
}

static enum err
read_args(struct form *form, int argc, char **argv, int at, struct jsonw *w, struct arena *arena,
          char why[FORM_WHY_BYTES])
{
    enum err err = ERR_OK;
    while (at < argc && err == ERR_OK) {
        const char *arg = argv[at++];
        if (strncmp(arg, "--", 2) != 0) {
            err = read_positional(form, arg, w, why);
            continue;
        }
        char option[64];
        struct str rest = str_of(arg + 2);
        struct str name = str_cut(&rest, '=');
        if (!str_copy(option, sizeof option, name)) {
            snprintf(why, FORM_WHY_BYTES, "unknown option %s", arg);
            return ERR_BAD;
        }
        const char *value = rest.data;
        if (value == NULL && is_bare_flag(form->kind, option, at < argc ? argv[at] : NULL)) {
            value = "yes";
        } else if (value == NULL && at < argc) {
            value = argv[at++];
        }
        if (value == NULL) {
            snprintf(why, FORM_WHY_BYTES, "--%s needs a value", option);
            return ERR_BAD;
        }
        err = read_option(form, option, value, w, arena, why);
    }
    return err;
}

enum err
form_read(struct form *form, int argc, char **argv, int at, struct buf *json,
          char why[FORM_WHY_BYTES])
{
    struct jsonw w;
    struct arena arena;
    why[0] = '\0';
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    jsonw_begin(&w, json);
    jsonw_object(&w);
    enum err err = read_args(form, argc, argv, at, &w, &arena, why);
    jsonw_close(&w);
    enum err ended = jsonw_end(&w);
    arena_reset(&arena);
    if (err == ERR_OK && ended != ERR_OK) {
        snprintf(why, FORM_WHY_BYTES, "the options are too long");
        err = ERR_BAD;
    }
    if (err == ERR_BAD && why[0] == '\0') {
        snprintf(why, FORM_WHY_BYTES, "a value is too long");
    }
    return err;
}

static void
print_option(const char *name, const char *help)
{
    char option[64];
    size_t i = 0;
    for (; name[i] != '\0' && i + 1 < sizeof option; i++) {
        option[i] = name[i] == '_' ? '-' : name[i];
    }
    option[i] = '\0';
    printf("  --%-18s %s\n", option, help);
}

void
form_help(enum model_kind kind)
{
    const struct model_table *table = model_table(kind);
    for (size_t i = 0; i < table->field_count; i++) {
        const struct model_field *field = &table->fields[i];
        if ((field->flags & MODEL_IS_SETTABLE) != 0) {
            print_option(field->name, field->help);
        }
    }
    if (kind == MODEL_ACCOUNT) {
        print_option("api-key-file", "File with the provider's key on its first line; - is stdin.");
    }
    if (kind == MODEL_KEY) {
        print_option("key-file",
                     "With create: file with an existing key to carry over; - is stdin.");
    }
}

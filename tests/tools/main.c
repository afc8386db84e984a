/*
 * main.c - translate-vector [--cut N] FILE: runs one vector through the real code and prints what
 * `check.py eval FILE OUTPUT` judges. --cut N feeds an upstream stream in reads of N bytes.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tools/vector.h"

#define VECTOR_BYTES_MAX (256u * 1024 * 1024)

void
vector_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "translate-vector: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(2);
}

static struct str
read_file(struct vector *vector, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        vector_die("cannot read %s", path);
    }
    struct buf text;
    buf_init(&text, VECTOR_BYTES_MAX);
    char block[65536];
    for (size_t got; (got = fread(block, 1, sizeof block, file)) > 0;) {
        if (buf_append(&text, str_make(block, got)) != ERR_OK) {
            vector_die("%s is too large", path);
        }
    }
    fclose(file);
    struct str copy = arena_dup(&vector->arena, buf_str(&text));
    buf_fini(&text);
    return copy;
}

/* @NAME in quotes becomes a carrier made by the product's own function. */
static struct str
carry(struct vector *vector, struct walk spec)
{
    struct hub_segment *segments = NULL;
    struct walk list = walk_get(spec, STR("segments"));
    for (struct walk at = walk_first(list); walk_is_there(at); at = walk_next(at)) {
        if (!hub_segment_to(&vector->arena, &segments, walk_string(at, &vector->arena))) {
            vector_die("no memory");
        }
    }
    struct hub_signature signature = {
        .family = carrier_family_parse(walk_string(walk_get(spec, STR("family")), &vector->arena)),
        .bytes = walk_string(walk_get(spec, STR("value")), &vector->arena),
        .id = walk_string(walk_get(spec, STR("ref_id")), &vector->arena),
    };
    struct str text;
    if (signature.family == HUB_FAMILY_NONE ||
        carrier_wrap(&vector->carrier, &signature, segments, &vector->arena, &text) != ERR_OK) {
        vector_die("a carrier of an unknown family");
    }
    return text;
}

/* As a client's serialiser writes it: the files are indented for people. */
static struct str
squeezed(struct vector *vector, struct str json)
{
    char *to = arena_alloc_raw(&vector->arena, json.len + 1);
    if (to == NULL) {
        vector_die("no memory");
    }
    size_t len = 0;
    bool in_string = false;
    for (size_t i = 0; i < json.len; i++) {
        char c = json.data[i];
        if (in_string && c == '\\' && i + 1 < json.len) {
            to[len++] = c;
            to[len++] = json.data[++i];
            continue;
        }
        in_string = in_string != (c == '"');
        if (in_string || (c != ' ' && c != '\n' && c != '\r' && c != '\t')) {
            to[len++] = c;
        }
    }
    return str_make(to, len);
}

struct str
vector_text(struct vector *vector, struct walk value)
{
    struct str text = squeezed(vector, walk_raw(value));
    struct walk carriers = walk_get(vector->context, STR("carriers"));
    struct str name;
    for (struct walk spec = walk_first_member(carriers, &vector->arena, &name); walk_is_there(spec);
         spec = walk_next_member(spec, &vector->arena, &name)) {
        struct str carrier = carry(vector, spec);
        struct buf replaced;
        buf_init(&replaced, VECTOR_BYTES_MAX);
        const char *at;
        while (text.len > 0 && (at = memmem(text.data, text.len, name.data, name.len)) != NULL) {
            size_t before = (size_t)(at - text.data);
            if (buf_append(&replaced, str_make(text.data, before)) != ERR_OK ||
                buf_append(&replaced, carrier) != ERR_OK) {
                vector_die("no memory");
            }
            text = str_skip(text, before + name.len);
        }
        if (buf_append(&replaced, text) != ERR_OK) {
            vector_die("no memory");
        }
        text = arena_dup(&vector->arena, buf_str(&replaced));
        buf_fini(&replaced);
    }
    return text;
}

void
vector_caps(struct vector *vector, enum dialect dialect)
{
    caps_default(&vector->caps, dialect);
    struct walk caps = walk_get(vector->context, STR("caps"));
    struct walk family = walk_get(caps, STR("family"));
    /* The family changes what others stand at: it goes first. */
    if (walk_is_there(family) &&
        caps_set(&vector->caps, dialect, STR("family"), walk_value(family)) != ERR_OK) {
        vector_die("caps: family");
    }
    struct str name;
    for (struct walk at = walk_first_member(caps, &vector->arena, &name); walk_is_there(at);
         at = walk_next_member(at, &vector->arena, &name)) {
        if (str_equal(name, STR("family")) || str_equal(name, STR("fetch"))) {
            continue;
        }
        if (caps_set(&vector->caps, dialect, name, walk_value(at)) != ERR_OK) {
            fprintf(stderr, "translate-vector: caps: %.*s is unknown for %s\n", STR_ARG(name),
                    dialect_name(dialect));
        }
    }
}

struct translate_setup
vector_setup(struct vector *vector, enum dialect client)
{
    return (struct translate_setup){ .client = client,
                                     .carrier = vector->carrier,
                                     .seed = 20261121,
                                     .now_s = 1760000000,
                                     .is_strict = walk_is_text(
                                         walk_get(vector->context, STR("translate_mode")),
                                         STR("strict")) };
}

static void
load(struct vector *vector, const char *path)
{
    struct str text = read_file(vector, path);
    if (walk_parse(text, &vector->arena, &vector->root) != ERR_OK) {
        vector_die("%s is no JSON", path);
    }
    vector->context = walk_get(vector->root, STR("context"));
    vector->input = walk_get(vector->root, STR("input"));
    struct str from = walk_string(walk_get(vector->root, STR("from")), &vector->arena);
    struct str to = walk_string(walk_get(vector->root, STR("to")), &vector->arena);
    vector->is_gateway = str_equal(from, STR("gateway"));
    vector->is_usage = str_equal(to, STR("usage"));
    vector->is_stream = walk_is_text(walk_get(vector->root, STR("kind")), STR("stream"));
    bool is_from = vector->is_gateway || dialect_parse(from, &vector->from);
    bool is_to =
        vector->is_usage || str_equal(to, STR("gateway")) || dialect_parse(to, &vector->to);
    if (!is_from || !is_to) {
        vector_die("%s: unknown dialect", path);
    }
}

static void
run(struct vector *vector)
{
    struct str endpoint = walk_string(walk_get(vector->context, STR("endpoint")), &vector->arena);
    bool is_request = walk_is_text(walk_get(vector->root, STR("kind")), STR("request"));
    if (vector->is_usage) {
        usage_run(vector);
    } else if (vector->is_gateway) {
        gateway_run(vector);
    } else if (endpoint.len > 0) {
        endpoint_run(vector, endpoint);
    } else if (vector->from == vector->to) {
        same_run(vector);
    } else if (is_request) {
        request_run(vector);
    } else {
        answer_run(vector);
    }
}

int
main(int argc, char **argv)
{
    struct vector vector = { .carrier = { .key = { 7, 11 }, .scope = 1 } };
    arena_init(&vector.arena, VECTOR_BYTES_MAX);
    buf_init(&vector.out, VECTOR_BYTES_MAX);
    int first = 1;
    if (argc == 4 && strcmp(argv[1], "--cut") == 0) {
        vector.cut = strtoul(argv[2], NULL, 10);
        first = 3;
    }
    if (argc != first + 1) {
        vector_die("usage: translate-vector [--cut N] FILE");
    }
    load(&vector, argv[first]);
    run(&vector);
    struct str out = buf_str(&vector.out);
    fwrite(out.data == NULL ? "" : out.data, 1, out.len, stdout);
    putchar('\n');
    buf_fini(&vector.out);
    arena_reset(&vector.arena);
    return vector.is_broken ? 1 : 0;
}

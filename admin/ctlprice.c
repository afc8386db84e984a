/*
 * ctlprice.c - `price`: what models cost.
 *
 * Runs in: sub2apictl.
 */
#include <stdio.h>
#include <stdlib.h>

#include "admin/columns.h"
#include "admin/nouns.h"
#include "base/limits.h"

static const struct option_row list_options[] = {
    { "source", OPTION_TEXT, "SOURCE", "own, imported or shipped; all unless given" },
    { "match", OPTION_TEXT, "GLOB", "models of this shape" },
    { .name = NULL },
};

#define TIER(prefix, tier)                                                                \
    { prefix "input", OPTION_TEXT, "DOLLARS", "a million input tokens" tier },            \
        { prefix "output", OPTION_TEXT, "DOLLARS", "a million output tokens" tier },      \
    {                                                                                     \
        prefix "cache-read", OPTION_TEXT, "DOLLARS", "a million tokens from a cache" tier \
    }

static const struct option_row set_options[] = {
    TIER("", ""),
    { "cache-write", OPTION_TEXT, "DOLLARS", "a million tokens into a cache, for 5 minutes" },
    { "cache-write-1h", OPTION_TEXT, "DOLLARS", "a million tokens into a cache, for an hour" },
    { "reasoning", OPTION_TEXT, "DOLLARS", "a million reasoning tokens, if not as output" },
    { "audio-input", OPTION_TEXT, "DOLLARS", "a million tokens of sounds, if not as input" },
    { "audio-output", OPTION_TEXT, "DOLLARS", "a million tokens of sounds, if not as output" },
    { "image-input", OPTION_TEXT, "DOLLARS", "a million tokens of pictures, if not as input" },
    { "image", OPTION_TEXT, "DOLLARS", "an image that is answered without tokens" },
    { "request", OPTION_TEXT, "DOLLARS", "each request that is answered" },
    { "above", OPTION_NUMBER, "K", "for --above-...: thousands of input tokens" },
    TIER("above-", " of requests whose input is more than --above"),
    TIER("priority-", " in the priority tier"),
    TIER("flex-", " in the flex tier"),
    { "alias-of", OPTION_TEXT, "MODEL", "it costs what this model costs" },
    { "mode", OPTION_TEXT, "MODE", "chat, embedding, image_generation, ..." },
    { "provider", OPTION_TEXT, "NAME", "whose it is, for people" },
    { .name = NULL },
};

static enum err
read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rbe");
    enum err err = file == NULL ? ERR_IO : ERR_OK;
    while (err == ERR_OK) {
        char block[65536];
        size_t count = fread(block, 1, sizeof block, file);
        if (count == 0) {
            err = ferror(file) ? ERR_IO : ERR_EOF;
        } else {
            err = buf_append(out, str_make(block, count));
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return err == ERR_EOF ? ERR_OK : err;
}

static int
run_import(struct errand *errand)
{
    const char *path = errand->at < errand->argc ? errand->argv[errand->at] : NULL;
    if (path == NULL || errand->at + 1 < errand->argc) {
        return errand_misuse("price import takes one FILE", "");
    }
    struct buf text;
    struct buf body;
    buf_init(&text, PRICE_FILE_BYTES_MAX);
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    enum err err = read_file(path, &text);
    int code = ERRAND_REFUSED;
    if (err != ERR_OK) {
        fprintf(stderr, "sub2apictl: %s cannot be read (%s)\n", path, err_text(err));
    } else {
        code = errand_ask(errand, "POST", "/v1/prices", buf_str(&text), &body);
    }
    if (code == ERRAND_DONE) {
        code = errand_show(errand, buf_str(&body));
    }
    buf_fini(&text);
    buf_fini(&body);
    return code;
}

static const struct errand_verb verbs[] = {
    { .word = "list",
      .help = "prices in dollars a million tokens: own, imported, shipped",
      .method = "GET",
      .path = "/v1/prices",
      .options = list_options,
      .columns = &columns_prices },
    { .word = "show",
      .help = "the price that a request for a model has, in every tier, and why this one",
      .argument = "MODEL",
      .method = "GET",
      .path = "/v1/prices/%",
      .columns = &columns_price },
    { .word = "set",
      .help = "a price of your own: it wins over imported and shipped ones",
      .argument = "MODEL",
      .method = "PUT",
      .path = "/v1/prices/%",
      .options = set_options,
      .columns = &columns_price },
    { .word = "remove",
      .help = "removes a price of your own",
      .argument = "MODEL",
      .method = "DELETE",
      .path = "/v1/prices/%",
      .done = "removed" },
    { .word = "import",
      .help = "replaces the imported prices by those of FILE "
              "(model_prices_and_context_window.json)",
      .argument = "FILE",
      .columns = &columns_import,
      .run = run_import },
    { .word = "missing",
      .help = "models of requests and accounts that have no price",
      .method = "GET",
      .path = "/v1/unpriced",
      .columns = &columns_unpriced },
    { .word = NULL },
};

const struct errand_noun ctlprice_noun = {
    .word = "price", .plural = "prices", .help = "what models cost", .verbs = verbs
};

/*
 * fakeask.h - what one request asks for: route, model, stream or not, what the user said, tools.
 *
 * Runs in: build/fake-provider only.
 */
#ifndef TESTS_FAKE_FAKEASK_H
#define TESTS_FAKE_FAKEASK_H

#include "tests/fake/fakehttp.h"

#define FAKEASK_NAME_BYTES 128u /* of a model or tool name, with NUL */
#define FAKEASK_ECHO_BYTES 201u /* of the user's text that is said back, with NUL */

enum fakedialect {
    FAKEDIALECT_CHAT, /* also every other OpenAI endpoint, for the form of errors */
    FAKEDIALECT_RESPONSES,
    FAKEDIALECT_ANTHROPIC,
    FAKEDIALECT_GEMINI,
};

enum fakeop {
    FAKEOP_NONE,   /* unknown path */
    FAKEOP_METHOD, /* known path, wrong method */
    FAKEOP_ROOT,
    FAKEOP_CONTROL, /* /__fake/... */
    FAKEOP_GENERATE,
    FAKEOP_COMPACT,
    FAKEOP_COUNT,
    FAKEOP_EMBED,
    FAKEOP_BATCH_EMBED,
    FAKEOP_COMPLETION,
    FAKEOP_IMAGE,
    FAKEOP_SPEECH,
    FAKEOP_TRANSCRIPT,
    FAKEOP_MODERATION,
    FAKEOP_RERANK,
    FAKEOP_MODELS,
    FAKEOP_MODEL,
};

struct fakeask {
    enum fakedialect dialect;
    enum fakeop op;
    bool stream;
    bool array;         /* Gemini's stream as one JSON array */
    bool include_usage; /* chat: stream_options.include_usage */
    bool json;          /* the answer must be JSON */
    bool base64;        /* embeddings */
    bool from_tool;     /* the text is a tool's result */
    bool compaction;    /* Responses: the input ends in a compaction_trigger */
    bool plain_text;    /* transcription: response_format text */
    const char *wrong;  /* why this is a bad request, or NULL */
    const char *wrong_field;
    uint64_t dimensions;
    uint64_t messages; /* count of messages, inputs or documents */
    uint64_t images;   /* in a dialogue, results of tools included */
    uint64_t image_bytes;
    char model[FAKEASK_NAME_BYTES];
    char text[FAKEASK_ECHO_BYTES]; /* what the user said last */
    size_t text_len;
    struct fakespan tools;  /* raw array, or empty */
    struct fakespan schema; /* raw JSON schema of the answer, or empty */
    struct fakespan inputs; /* raw input of embeddings, or empty */
};

/* The route alone; the body is not looked at. */
void fakeask_route(struct fakeask *ask, const struct fakehead *head);

void fakeask_read(struct fakeask *ask, const struct fakehead *head, struct fakespan body);

#endif

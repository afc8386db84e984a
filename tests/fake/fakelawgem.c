/* fakelawgem.c - what generateContent takes (fakelaw.h). Names in camelCase only: the gateway
 * writes these, and no client of ours writes others. */
#include "tests/fake/fakelaw.h"

#include "tests/fake/fakereply.h"

#include <string.h>

#define TOOL_NAME_BYTES 64u

/* What one content has shown so far. */
struct turn {
    bool is_model;
    uint64_t parts;
    uint64_t calls;
    uint64_t results;
};

static bool
judge_signature(struct fakelaw *law, struct fakespan secret)
{
    static const char *const good[] = { FAKEREPLY_SIGNATURE, "skip_thought_signature_validator",
                                        "context_engineering_is_the_way_to_go", NULL };
    return fakelaw_one_of(law, secret, good);
}

static bool
judge_call(struct fakelaw *law, struct fakespan call, struct fakespan secret, struct turn *turn)
{
    static const char *const members[] = { "name", "args", "id", NULL };
    struct fakespan name = fakejson_get(call, "name");
    struct fakespan args = fakejson_get(call, "args");
    if (!turn->is_model || !fakelaw_members(law, call, members)) {
        return fakelaw_fail(law, "a functionCall belongs to the model");
    }
    if (args.n > 0 && !fakejson_is_object(args)) {
        return fakelaw_fail(law, "args should be an object");
    }
    if (turn->calls++ == 0 && secret.n == 0 && law->wants_proof) {
        return fakelaw_fail(law, "Function call is missing a thought_signature");
    }
    if (law->open_count == FAKELAW_CALLS_MAX) {
        return fakelaw_fail(law, "too many calls");
    }
    law->open[law->open_count++] = name; /* two calls of one function are usual */
    law->calls++;
    return fakelaw_name(law, name, TOOL_NAME_BYTES, ".:");
}

/* Images are counted; of other media only the form is looked at. */
static bool
judge_data(struct fakelaw *law, struct fakespan data)
{
    struct fakespan mime = fakejson_get(data, "mimeType");
    struct fakespan text = fakejson_get(data, "data");
    uint64_t bytes = 0;
    if (mime.n > 7 && memcmp(mime.p, "\"image/", 7) == 0) {
        return fakelaw_image(law, mime, text);
    }
    return (mime.n > 2 && fakejson_is_string(text) &&
            fakelaw_base64(law, (struct fakespan){ text.p + 1, text.n - 2 }, &bytes)) ||
           fakelaw_fail(law, "inlineData has a mimeType and data");
}

static bool
judge_result(struct fakelaw *law, struct fakespan result, struct turn *turn)
{
    static const char *const members[] = { "name",         "response",   "id", "parts",
                                           "willContinue", "scheduling", NULL };
    struct fakejson walk = fakejson_walk(fakejson_get(result, "parts"));
    struct fakespan key;
    struct fakespan part;
    turn->results++;
    while (walk.open == '[' && fakejson_next(&walk, &key, &part)) {
        if (!judge_data(law, fakejson_get(part, "inlineData"))) {
            return false;
        }
    }
    return (!turn->is_model || fakelaw_fail(law, "a functionResponse belongs to the user")) &&
           fakelaw_members(law, result, members) &&
           (fakejson_is_object(fakejson_get(result, "response")) ||
            fakelaw_fail(law, "response should be an object")) &&
           fakelaw_result(law, fakejson_get(result, "name"));
}

static bool
judge_part(struct fakelaw *law, struct fakespan part, struct turn *turn)
{
    static const char *const members[] = { "text",
                                           "inlineData",
                                           "fileData",
                                           "functionCall",
                                           "functionResponse",
                                           "executableCode",
                                           "codeExecutionResult",
                                           "thought",
                                           "thoughtSignature",
                                           "videoMetadata",
                                           "mediaResolution",
                                           NULL };
    static const char *const keys[] = { "text",         "inlineData",       "fileData",
                                        "functionCall", "functionResponse", "thoughtSignature" };
    struct fakespan seen[6];
    uint64_t kinds = 0;
    if (!fakelaw_members(law, part, members) || !fakejson_pick(part, keys, 6, seen)) {
        return false;
    }
    for (size_t i = 0; i < 5; i++) {
        kinds += seen[i].n > 0;
    }
    turn->parts++;
    if (kinds > 1 || (kinds == 0 && seen[5].n == 0)) {
        return fakelaw_fail(law, "required oneof field 'data' must have one initialized field");
    }
    return judge_signature(law, seen[5]) && (seen[1].n == 0 || judge_data(law, seen[1])) &&
           (seen[3].n == 0 || judge_call(law, seen[3], seen[5], turn)) &&
           (seen[4].n == 0 || judge_result(law, seen[4], turn));
}

/* Calls and their results are next to each other, and as many. */
static bool
judge_content(struct fakelaw *law, struct fakespan content, struct turn *turn)
{
    static const char *const members[] = { "role", "parts", NULL };
    static const char *const roles[] = { "user", "model", NULL };
    struct fakespan role = fakejson_get(content, "role");
    struct fakejson walk = fakejson_walk(fakejson_get(content, "parts"));
    struct fakespan key;
    struct fakespan part;
    bool waits = law->open_count > 0;
    *turn = (struct turn){ .is_model = fakejson_is(role, "model") };
    if (!fakelaw_members(law, content, members) || !fakelaw_one_of(law, role, roles)) {
        return false;
    }
    while (walk.open == '[' && fakejson_next(&walk, &key, &part)) {
        size_t up = fakelaw_down(law, "parts", 0);
        (void)fakelaw_down(law, NULL, turn->parts);
        if (!judge_part(law, part, turn)) {
            return fakelaw_fail(law, "malformed part");
        }
        fakelaw_up(law, up);
    }
    if (waits && (turn->is_model || law->open_count > 0)) {
        return fakelaw_fail(law, "the number of function response parts must be equal to the "
                                 "number of function call parts of the function call turn");
    }
    return turn->parts > 0 || fakelaw_fail(law, "must include at least one parts field");
}

static bool
judge_contents(struct fakelaw *law, struct fakespan contents)
{
    struct fakejson walk = fakejson_walk(contents);
    struct fakespan key;
    struct fakespan content;
    struct turn turn = { 0 };
    for (uint64_t i = 0; fakejson_next(&walk, &key, &content); i++) {
        size_t top = fakelaw_down(law, "contents", 0);
        (void)fakelaw_down(law, NULL, i);
        bool was_user = i > 0 && !turn.is_model;
        if (!judge_content(law, content, &turn)) {
            return false;
        }
        if (turn.calls > 0 && !was_user) {
            return fakelaw_fail(law, "a function call turn comes after a user turn");
        }
        fakelaw_up(law, top);
    }
    return !turn.is_model || fakelaw_fail(law, "requests end with a user role");
}

/* `parameters` is not JSON Schema: a few members of it, and types in capitals. */
static bool
judge_schema(struct fakelaw *law, struct fakespan schema)
{
    static const char *const members[] = {
        "type",      "nullable",         "anyOf",         "enum",        "format",   "properties",
        "required",  "propertyOrdering", "items",         "minItems",    "maxItems", "minLength",
        "maxLength", "minProperties",    "maxProperties", "minimum",     "maximum",  "pattern",
        "default",   "example",          "title",         "description", NULL
    };
    static const char *const types[] = { "OBJECT", "ARRAY",   "STRING", "INTEGER",
                                         "NUMBER", "BOOLEAN", "NULL",   NULL };
    struct fakespan items = fakejson_get(schema, "items");
    struct fakespan key;
    struct fakespan inner;
    if (!fakelaw_members(law, schema, members) ||
        !fakelaw_one_of(law, fakejson_get(schema, "type"), types)) {
        return false;
    }
    struct fakejson walk = fakejson_walk(fakejson_get(schema, "properties"));
    while (walk.open == '{' && fakejson_next(&walk, &key, &inner)) {
        if (!judge_schema(law, inner)) {
            return false;
        }
    }
    walk = fakejson_walk(fakejson_get(schema, "anyOf"));
    while (walk.open == '[' && fakejson_next(&walk, &key, &inner)) {
        if (!judge_schema(law, inner)) {
            return false;
        }
    }
    return items.n == 0 || judge_schema(law, items);
}

static bool
judge_declaration(struct fakelaw *law, struct fakespan one)
{
    static const char *const members[] = { "name",       "description",
                                           "parameters", "parametersJsonSchema",
                                           "response",   "responseJsonSchema",
                                           "behavior",   NULL };
    struct fakespan name = fakejson_get(one, "name");
    struct fakespan parameters = fakejson_get(one, "parameters");
    struct fakespan schema = fakejson_get(one, "parametersJsonSchema");
    if (!fakelaw_members(law, one, members) || !fakelaw_name(law, name, TOOL_NAME_BYTES, ".:")) {
        return false;
    }
    if (strchr("0123456789-.:", name.p[1]) != NULL || (parameters.n > 0 && schema.n > 0)) {
        return fakelaw_fail(law, "a name begins with a letter, and there is one schema");
    }
    size_t up = fakelaw_down(law, "parameters", 0);
    bool ok = parameters.n == 0 || judge_schema(law, parameters);
    fakelaw_up(law, up);
    return ok && (schema.n == 0 || fakelaw_object_schema(law, schema));
}

static bool
judge_tools(struct fakelaw *law, struct fakespan tools)
{
    static const char *const members[] = { "functionDeclarations", "googleSearch",
                                           "codeExecution",        "urlContext",
                                           "googleMaps",           "fileSearch",
                                           "computerUse",          NULL };
    struct fakejson walk = fakejson_walk(tools);
    struct fakespan key;
    struct fakespan tool;
    size_t top = fakelaw_down(law, "tools", 0);
    while (fakejson_next(&walk, &key, &tool)) {
        struct fakejson list = fakejson_walk(fakejson_get(tool, "functionDeclarations"));
        struct fakespan one;
        if (!fakelaw_members(law, tool, members)) {
            return false;
        }
        for (uint64_t i = 0; fakejson_next(&list, &key, &one); i++) {
            size_t up = fakelaw_down(law, NULL, i);
            law->has_tools = true;
            if (!judge_declaration(law, one)) {
                return false;
            }
            fakelaw_up(law, up);
        }
    }
    fakelaw_up(law, top);
    return true;
}

static bool
judge_config(struct fakelaw *law, struct fakespan config)
{
    static const char *const members[] = { "temperature",
                                           "topP",
                                           "topK",
                                           "candidateCount",
                                           "maxOutputTokens",
                                           "stopSequences",
                                           "seed",
                                           "presencePenalty",
                                           "frequencyPenalty",
                                           "responseLogprobs",
                                           "logprobs",
                                           "responseMimeType",
                                           "responseSchema",
                                           "responseJsonSchema",
                                           "responseModalities",
                                           "mediaResolution",
                                           "speechConfig",
                                           "imageConfig",
                                           "thinkingConfig",
                                           NULL };
    static const char *const thinking[] = { "includeThoughts", "thinkingBudget", "thinkingLevel",
                                            NULL };
    static const char *const levels[] = { "MINIMAL", "LOW", "MEDIUM", "HIGH", NULL };
    struct fakespan think = fakejson_get(config, "thinkingConfig");
    struct fakespan schema = fakejson_get(config, "responseSchema");
    struct fakespan mime = fakejson_get(config, "responseMimeType");
    bool is_json = fakejson_is(mime, "application/json");
    if (config.n == 0) {
        return true;
    }
    if (!fakelaw_members(law, config, members) ||
        (think.n > 0 && !fakelaw_members(law, think, thinking))) {
        return false;
    }
    if (is_json && law->has_tools && !law->wants_proof) {
        return fakelaw_fail(law, "Function calling with a response mime type: "
                                 "'application/json' is unsupported");
    }
    if (fakejson_get(think, "thinkingBudget").n > 0 && fakejson_get(think, "thinkingLevel").n > 0) {
        return fakelaw_fail(law, "thinkingBudget and thinkingLevel together");
    }
    if (think.n > 0 && strncmp(law->ask->model, "gemini-2.0", 10) == 0) {
        return fakelaw_fail(law, "Thinking is not enabled for this model");
    }
    return fakelaw_number(law, fakejson_get(config, "temperature"), 0, 2) &&
           fakelaw_number(law, fakejson_get(config, "maxOutputTokens"), 1, 1e9) &&
           fakelaw_one_of(law, fakejson_get(think, "thinkingLevel"), levels) &&
           (schema.n == 0 || judge_schema(law, schema));
}

bool
fakelawgem_judge(struct fakelaw *law, struct fakespan body)
{
    static const char *const members[] = { "contents",
                                           "systemInstruction",
                                           "tools",
                                           "toolConfig",
                                           "generationConfig",
                                           "safetySettings",
                                           "cachedContent",
                                           "labels",
                                           "serviceTier",
                                           "store",
                                           "model",
                                           NULL };
    static const char *const modes[] = { "AUTO", "ANY", "NONE", "VALIDATED", NULL };
    const char *model = law->ask->model;
    struct fakespan mode = fakejson_path(body, "toolConfig.functionCallingConfig.mode");
    struct fakespan system = fakejson_get(body, "systemInstruction");
    law->wants_proof = strncmp(model, "gemini-3", 8) == 0;
    return fakelaw_members(law, body, members) &&
           (system.n == 0 || fakejson_is_array(fakejson_get(system, "parts")) ||
            fakelaw_fail(law, "systemInstruction has parts")) &&
           judge_tools(law, fakejson_get(body, "tools")) &&
           judge_config(law, fakejson_get(body, "generationConfig")) &&
           fakelaw_one_of(law, mode, modes) && judge_contents(law, fakejson_get(body, "contents"));
}

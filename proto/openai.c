/*
 * openai.c - what requests of both OpenAI dialects say alike (see openai.h).
 */
#include "proto/openai.h"

#include "proto/effort.h"

struct str
openai_tier(struct str tier)
{
    static const struct {
        const char *from;
        const char *to; /* "": nothing is said */
    } words[] = {
        { "standard_only", "default" },
        { "standard", "default" },
        { "unspecified", "" },
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (str_equal_nocase(tier, str_of(words[i].from))) {
            return str_of(words[i].to);
        }
    }
    return tier;
}

struct str
openai_user(const struct hub_request *request, char out[OPENAI_USER_BYTES])
{
    if (request->end_user.len == 0 || request->shape.dialect != DIALECT_ANTHROPIC) {
        return request->end_user;
    }
    struct digest digest;
    digest_sha256(request->end_user, &digest);
    digest_hex(digest.bytes, DIGEST_BYTES, out);
    return str_make(out, 2 * DIGEST_BYTES);
}

const char *
openai_effort(const struct codec_job *job)
{
    const struct hub_thinking *thinking = &job->request->thinking;
    enum hub_effort effort = thinking->effort;
    if (effort == HUB_EFFORT_UNSET && thinking->has_budget) {
        effort = effort_of_budget(thinking->budget_tokens);
    }
    enum hub_effort sent = effort_degrade(effort, job->target->caps->efforts);
    if (sent == HUB_EFFORT_UNSET && effort != HUB_EFFORT_UNSET && effort != HUB_EFFORT_AUTO) {
        hub_drop(job->losses, str_of(hub_field_name(job->request, HUB_FIELD_THINKING)));
    }
    return effort_name(sent);
}

bool
openai_says_json(const struct hub_request *request)
{
    for (const struct hub_message *at = request->messages; at != NULL; at = at->next) {
        for (const struct hub_part *part = at->parts; part != NULL; part = part->next) {
            struct str text = part->kind == HUB_TEXT ? part->text : str_make(NULL, 0);
            for (size_t i = 0; i + 4 <= text.len; i++) {
                if (str_equal_nocase(str_make(text.data + i, 4), STR("json"))) {
                    return true;
                }
            }
        }
    }
    return false;
}

struct str
openai_json_line(const struct hub_request *request)
{
    bool must_say = request->format.kind == HUB_FORMAT_JSON && !openai_says_json(request);
    return must_say ? STR("Answer with a single JSON object.") : STR("");
}

void
openai_drop(const struct codec_job *job, struct str json, enum hub_field field)
{
    if (json.len > 0) {
        hub_drop(job->losses, str_of(hub_field_name(job->request, field)));
    }
}

/*
 * report.c - each dialect's report of tokens (see report.h).
 */
#include "proto/report.h"

#include "base/num.h"

/* --- counts --- */

/* A count as providers and relays write it: an integer, 12.0 or "12". */
static bool
read_count(struct json_value value, uint64_t *out)
{
    uint64_t count;
    if (value.kind == JSON_STRING) {
        if (num_u64(str_make(value.raw.data + 1, value.raw.len - 2), &count) != ERR_OK) {
            return false;
        }
    } else if (json_u64(value, &count) != ERR_OK) {
        return false;
    }
    if (count > USAGE_TOKENS_MAX) {
        return false;
    }
    *out = count;
    return true;
}

/* What to read of one object, by name, in one scan: numbers, and the objects or texts in it. */
struct counts {
    const struct str *names;
    uint32_t name_count;
    uint64_t *values;
    uint32_t known; /* a bit a name */
    const struct str *inner_names;
    uint32_t inner_count;
    struct json_value *inner; /* the first of each name, as json_get() would find it */
    uint32_t inner_known;     /* a bit a name */
};

/* The index of this name in `names`; `count` when it is none of them. */
static inline uint32_t
index_of(const struct json_member *member, const struct str *names, uint32_t count)
{
    if (member->name_is_escaped) {
        uint32_t i = 0;
        while (i < count && !json_escaped_is(member->name, names[i])) {
            i++;
        }
        return i;
    }
    for (uint32_t i = 0; i < count; i++) {
        /* Length and first letter tell nearly all of them apart without a call. */
        if (member->name.len == names[i].len && member->name.data[0] == names[i].data[0] &&
            memcmp(member->name.data, names[i].data, names[i].len) == 0) {
            return i;
        }
    }
    return count;
}

static bool
on_count(void *context, const struct json_member *member)
{
    struct counts *counts = context;
    uint32_t i = index_of(member, counts->names, counts->name_count);
    if (i < counts->name_count) {
        counts->known |= read_count(member->value, &counts->values[i]) ? 1u << i : 0;
        return true;
    }
    i = index_of(member, counts->inner_names, counts->inner_count);
    if (i < counts->inner_count && (counts->inner_known >> i & 1) == 0) {
        counts->inner[i] = member->value;
        counts->inner_known |= 1u << i;
    }
    return true;
}

static void
run_counts(struct json_value object, struct counts *counts)
{
    if (object.kind != JSON_OBJECT || json_scan_object(object, on_count, counts) != ERR_OK) {
        counts->known = 0;
        counts->inner_known = 0;
    }
}

static uint32_t
read_counts(struct json_value object, const struct str *names, uint32_t name_count,
            uint64_t *values)
{
    struct counts counts = { .names = names, .name_count = name_count, .values = values };
    run_counts(object, &counts);
    return counts.known;
}

static uint64_t
less(uint64_t from, uint64_t take)
{
    return from > take ? from - take : 0;
}

void
report_tier(struct usage *usage, struct json_value value)
{
    if (value.kind == JSON_STRING && !value.is_escaped) {
        (void)str_copy(usage->service_tier, sizeof usage->service_tier,
                       str_make(value.raw.data + 1, value.raw.len - 2));
    }
}

/* --- OpenAI: chat, responses, embeddings, images, audio --- */

enum openai_count {
    OPENAI_PROMPT,
    OPENAI_INPUT,
    OPENAI_COMPLETION,
    OPENAI_OUTPUT,
    OPENAI_TOTAL,
    OPENAI_CACHE_READ_ALIAS, /* the rest are relays' spellings of the details */
    OPENAI_CACHE_HIT_ALIAS,
    OPENAI_CACHED_ALIAS,
    OPENAI_CREATION_ALIAS,
    OPENAI_CREATION_SHORT_ALIAS,
    OPENAI_COUNTS
};

static const struct str openai_names[OPENAI_COUNTS] = {
    { "prompt_tokens", 13 },
    { "input_tokens", 12 },
    { "completion_tokens", 17 },
    { "output_tokens", 13 },
    { "total_tokens", 12 },
    { "cache_read_input_tokens", 23 },
    { "prompt_cache_hit_tokens", 23 },
    { "cached_tokens", 13 },
    { "cache_creation_input_tokens", 27 },
    { "cache_creation_tokens", 21 },
};

static const struct str detail_names[] = {
    { "cached_tokens", 13 },
    { "cache_write_tokens", 18 },
    { "reasoning_tokens", 16 },
};

/* The first known of the indexes from..to. */
static bool
first_known(const uint64_t *values, uint32_t known, uint32_t from, uint32_t to, uint64_t *out)
{
    for (uint32_t i = from; i <= to; i++) {
        if ((known >> i & 1) != 0) {
            *out = values[i];
            return true;
        }
    }
    return false;
}

/* The details beside the counts. Chat's spelling goes before that of responses. */
enum openai_inner {
    OPENAI_PROMPT_DETAILS,
    OPENAI_INPUT_DETAILS,
    OPENAI_COMPLETION_DETAILS,
    OPENAI_OUTPUT_DETAILS,
    OPENAI_INNERS
};

static const struct str openai_inner_names[OPENAI_INNERS] = {
    { "prompt_tokens_details", 21 },
    { "input_tokens_details", 20 },
    { "completion_tokens_details", 25 },
    { "output_tokens_details", 21 },
};

/* The details at `first`, else those at the index behind it. */
static struct json_value
details_of(const struct counts *counts, enum openai_inner first)
{
    for (uint32_t i = first; i <= (uint32_t)first + 1; i++) {
        if ((counts->inner_known >> i & 1) != 0) {
            return counts->inner[i];
        }
    }
    return (struct json_value){ .kind = JSON_NULL };
}

static void
openai_input(struct usage *usage, const struct counts *counts, uint64_t prompt)
{
    const uint64_t *values = counts->values;
    uint32_t known = counts->known;
    uint64_t inner[2] = { 0 };
    uint32_t inner_known =
        read_counts(details_of(counts, OPENAI_PROMPT_DETAILS), detail_names, 2, inner);
    uint64_t cached = inner[0];
    uint64_t written = inner[1];
    bool knows_cache = (inner_known & 1) != 0 || first_known(values, known, OPENAI_CACHE_READ_ALIAS,
                                                             OPENAI_CACHED_ALIAS, &cached);
    if ((inner_known & 2) == 0) {
        (void)first_known(values, known, OPENAI_CREATION_ALIAS, OPENAI_CREATION_SHORT_ALIAS,
                          &written);
    }
    usage->in_cache_read = cached;
    usage->in_cache_write_5m = written;
    usage->in_cache_write_1h = 0;
    /* More cached than asked: this relay counts as Anthropic does, apart from each other. */
    usage->in_fresh = cached > prompt ? prompt : less(prompt, cached + written);
    usage->known |= USAGE_INPUT | (knows_cache ? (uint32_t)USAGE_CACHE : 0);
}

bool
report_openai(struct usage *usage, struct json_value object)
{
    uint64_t values[OPENAI_COUNTS] = { 0 };
    struct json_value inner[OPENAI_INNERS];
    struct counts counts = { .names = openai_names,
                             .name_count = OPENAI_COUNTS,
                             .values = values,
                             .inner_names = openai_inner_names,
                             .inner_count = OPENAI_INNERS,
                             .inner = inner };
    run_counts(object, &counts);
    uint32_t known = counts.known;
    uint64_t prompt = 0;
    uint64_t output = 0;
    bool knows_total = (known >> OPENAI_TOTAL & 1) != 0;
    bool knows_input = first_known(values, known, OPENAI_PROMPT, OPENAI_INPUT, &prompt);
    bool knows_output = first_known(values, known, OPENAI_COMPLETION, OPENAI_OUTPUT, &output);
    if (!knows_input && !knows_total && !knows_output) {
        return false;
    }
    if (!knows_input && knows_total) {
        prompt = less(values[OPENAI_TOTAL], output);
        knows_input = true;
    }
    if (!knows_output && knows_total) {
        output = less(values[OPENAI_TOTAL], prompt);
        knows_output = true;
    }
    if (knows_input) {
        openai_input(usage, &counts, prompt);
    }
    if (knows_output) {
        usage->out_total = output;
        usage->known |= USAGE_OUTPUT;
    }
    if (read_counts(details_of(&counts, OPENAI_COMPLETION_DETAILS), detail_names + 2, 1,
                    &usage->out_reasoning) != 0) {
        usage->known |= USAGE_REASONING;
    }
    return true;
}

/* --- Anthropic --- */

static const struct str anthropic_names[] = {
    { "input_tokens", 12 },
    { "cache_read_input_tokens", 23 },
    { "cache_creation_input_tokens", 27 },
    { "output_tokens", 13 },
};

static const struct str creation_names[] = {
    { "ephemeral_5m_input_tokens", 25 },
    { "ephemeral_1h_input_tokens", 25 },
};

enum anthropic_inner { ANTHROPIC_CREATION, ANTHROPIC_DETAILS, ANTHROPIC_TIER, ANTHROPIC_INNERS };

static const struct str anthropic_inner_names[ANTHROPIC_INNERS] = {
    { "cache_creation", 14 },
    { "output_tokens_details", 21 },
    { "service_tier", 12 },
};

/* `creation`: JSON_NULL when the report has none. */
static void
anthropic_writes(struct usage *usage, struct json_value creation, bool knows_total, uint64_t total)
{
    uint64_t split[2] = { 0 };
    if (read_counts(creation, creation_names, 2, split) != 0 && split[0] + split[1] > 0) {
        usage->in_cache_write_5m = split[0];
        usage->in_cache_write_1h = split[1];
    } else if (knows_total && total > 0 &&
               total != usage->in_cache_write_5m + usage->in_cache_write_1h) {
        usage->in_cache_write_5m = total;
        usage->in_cache_write_1h = 0;
    }
}

bool
report_anthropic(struct usage *usage, struct json_value object, bool is_final)
{
    uint64_t values[4] = { 0 };
    struct json_value inner[ANTHROPIC_INNERS];
    memset(inner, 0, sizeof inner);
    _Static_assert(JSON_NULL == 0, "all zero is null everywhere");
    struct counts counts = { .names = anthropic_names,
                             .name_count = 4,
                             .values = values,
                             .inner_names = anthropic_inner_names,
                             .inner_count = ANTHROPIC_INNERS,
                             .inner = inner };
    run_counts(object, &counts);
    uint32_t known = counts.known;
    if (known == 0) {
        return false;
    }
    if ((known & 1) != 0) {
        usage->in_fresh = values[0] > 0 ? values[0] : usage->in_fresh;
        usage->known |= USAGE_INPUT;
    }
    usage->in_cache_read = values[1] > 0 ? values[1] : usage->in_cache_read;
    usage->known |= (known & 6) != 0 ? (uint32_t)USAGE_CACHE : 0;
    anthropic_writes(usage, inner[ANTHROPIC_CREATION], (known & 4) != 0, values[2]);
    if ((known & 8) != 0) {
        usage->out_total = values[3] > 0 ? values[3] : usage->out_total;
        usage->known |= is_final ? (uint32_t)USAGE_OUTPUT : 0;
    }
    struct json_value thinking;
    if (json_get(inner[ANTHROPIC_DETAILS], STR("thinking_tokens"), &thinking) &&
        read_count(thinking, &usage->out_reasoning)) {
        usage->known |= USAGE_REASONING;
    }
    report_tier(usage, inner[ANTHROPIC_TIER]);
    return true;
}

/* --- Gemini --- */

enum gemini_count {
    GEMINI_PROMPT,
    GEMINI_CACHED,
    GEMINI_TOOL,
    GEMINI_CANDIDATES,
    GEMINI_THOUGHTS,
    GEMINI_TOTAL,
    GEMINI_COUNTS
};

static const struct str gemini_names[GEMINI_COUNTS] = {
    { "promptTokenCount", 16 },        { "cachedContentTokenCount", 23 },
    { "toolUsePromptTokenCount", 23 }, { "candidatesTokenCount", 20 },
    { "thoughtsTokenCount", 18 },      { "totalTokenCount", 15 },
};

bool
report_gemini(struct usage *usage, struct usage_gemini *last, struct json_value object)
{
    uint32_t known = read_counts(object, gemini_names, GEMINI_COUNTS, last->counts);
    if (known == 0) {
        return false;
    }
    last->known |= known;
    const uint64_t *c = last->counts;
    uint64_t input = c[GEMINI_PROMPT] + c[GEMINI_TOOL];
    bool has_candidates = (last->known >> GEMINI_CANDIDATES & 1) != 0;
    bool has_total = (last->known >> GEMINI_TOTAL & 1) != 0;
    /* Some backends count the thoughts into the candidates: their total says so. */
    bool is_folded = has_total && has_candidates && c[GEMINI_TOTAL] == input + c[GEMINI_CANDIDATES];
    usage->in_cache_read = c[GEMINI_CACHED];
    usage->in_fresh = less(c[GEMINI_PROMPT], c[GEMINI_CACHED]) + c[GEMINI_TOOL];
    usage->out_reasoning = c[GEMINI_THOUGHTS];
    if (has_candidates) {
        usage->out_total = c[GEMINI_CANDIDATES] + (is_folded ? 0 : c[GEMINI_THOUGHTS]);
    } else {
        usage->out_total = has_total ? less(c[GEMINI_TOTAL], input) : c[GEMINI_THOUGHTS];
    }
    usage->known |= (last->known >> GEMINI_PROMPT & 1) != 0 ? (uint32_t)USAGE_INPUT : 0;
    usage->known |= (last->known >> GEMINI_CACHED & 1) != 0 ? (uint32_t)USAGE_CACHE : 0;
    usage->known |= (last->known >> GEMINI_THOUGHTS & 1) != 0 ? (uint32_t)USAGE_REASONING : 0;
    usage->known |= has_candidates || has_total ? (uint32_t)USAGE_OUTPUT : 0;
    return true;
}

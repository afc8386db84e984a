/*
 * report.c - each dialect's report of tokens (see report.h).
 */
#include "proto/report.h"

#include "base/check.h"
#include "base/num.h"
#include "proto/modality.h"

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

/* What to read of a dialect's report: numbers, the objects in it, and the numbers in those. */
struct shape {
    const struct str *names;
    uint32_t name_count;
    uint32_t inner_count;
    const struct str *inner_names;
    const struct str *detail_names;
    uint32_t detail_count;
    uint32_t tier_index; /* among inner_names; INNERS_MAX = the tier does not stand in the report */
    uint32_t modal_index; /* the same, of a list of tokens by modality */
};

#define INNERS_MAX 4u
#define DETAILS_MAX 5u
#define NAMES_MAX 10u

struct details {
    uint64_t values[DETAILS_MAX];
    uint32_t known; /* a bit a name */
};

/* What one walk over a report found. */
struct counts {
    const struct shape *shape;
    uint64_t *values;                 /* the last of each name */
    uint32_t known;                   /* a bit a name */
    uint32_t inside;                  /* whose details are being read; INNERS_MAX = nobody's */
    uint32_t inner_known;             /* a bit a name, be its value an object or null */
    struct details inner[INNERS_MAX]; /* the first of each name */
    struct json_value tier;
    struct json_value modal;
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
    const struct shape *shape = counts->shape;
    if (counts->inside < INNERS_MAX) {
        struct details *details = &counts->inner[counts->inside];
        uint32_t i = index_of(member, shape->detail_names, shape->detail_count);
        if (i < shape->detail_count) {
            details->known |= read_count(member->value, &details->values[i]) ? 1u << i : 0;
        }
        return true;
    }
    uint32_t i = index_of(member, shape->names, shape->name_count);
    if (i < shape->name_count) {
        counts->known |= read_count(member->value, &counts->values[i]) ? 1u << i : 0;
        return true;
    }
    i = index_of(member, shape->inner_names, shape->inner_count);
    if (i < shape->inner_count && (counts->inner_known >> i & 1) == 0) {
        counts->inner_known |= 1u << i;
        counts->tier = i == shape->tier_index ? member->value : counts->tier;
        counts->modal = i == shape->modal_index ? member->value : counts->modal;
    }
    return true;
}

static bool
on_open(void *context, const struct json_member *member)
{
    struct counts *counts = context;
    counts->inside = INNERS_MAX;
    if (member == NULL) {
        return false;
    }
    uint32_t i = index_of(member, counts->shape->inner_names, counts->shape->inner_count);
    if (i == counts->shape->inner_count || (counts->inner_known >> i & 1) != 0) {
        return false;
    }
    counts->inner_known |= 1u << i;
    counts->inside = i;
    return true;
}

/* As on_count does for a number; false: a number where details are expected. */
static bool
put_count(struct counts *counts, const struct json_member *member, uint64_t count)
{
    const struct shape *shape = counts->shape;
    bool is_inside = counts->inside < INNERS_MAX;
    struct details *details = is_inside ? &counts->inner[counts->inside] : NULL;
    const struct str *names = is_inside ? shape->detail_names : shape->names;
    uint32_t name_count = is_inside ? shape->detail_count : shape->name_count;
    uint32_t i = index_of(member, names, name_count);
    if (i == name_count) {
        return is_inside ||
               index_of(member, shape->inner_names, shape->inner_count) == shape->inner_count;
    }
    if (count <= USAGE_TOKENS_MAX) {
        *(is_inside ? &details->values[i] : &counts->values[i]) = count;
        *(is_inside ? &details->known : &counts->known) |= 1u << i;
    }
    return true;
}

#define PLAIN_DIGITS_MAX 15u

/* Up to the byte behind the digits; NULL: not the usual kind of number. */
static const char *
read_digits(const char *at, const char *end, uint64_t *out)
{
    const char *from = at;
    uint64_t value = 0;
    for (; at < end && (unsigned char)(*at - '0') <= 9; at++) {
        value = value * 10 + (unsigned char)(*at - '0');
        if (at - from == PLAIN_DIGITS_MAX) {
            return NULL;
        }
    }
    *out = value;
    return at == from || at == end || (*from == '0' && at - from > 1) ? NULL : at;
}

/*
 * The usual report, written without blanks, strings, nulls and what else JSON has:
 *
 *      {"prompt_tokens":12,"prompt_tokens_details":{"cached_tokens":0},"total_tokens":20}
 *
 * It is read in one walk without a call for each member. false: it is none, and nothing is known.
 */
static bool
read_plain(struct counts *counts, struct str text, struct str *rest)
{
    const char *at = text.data;
    const char *end = text.data + text.len;
    struct json_member member = { .name = { NULL, 0 } };
    if (text.len == 0 || *at++ != '{') {
        return false;
    }
    while (end - at > 4 && *at == '"') {
        const char *name = at + 1;
        uint64_t count;
        at = json_skip_plain(name, end);
        if (end - at < 3 || at[0] != '"' || at[1] != ':') {
            return false;
        }
        member.name = str_make(name, (size_t)(at - name));
        at += 2;
        if (*at == '{') {
            if (counts->inside != INNERS_MAX || !on_open(counts, &member)) {
                return false;
            }
            at++;
            continue;
        }
        at = read_digits(at, end, &count);
        if (at == NULL || !put_count(counts, &member, count)) {
            return false;
        }
        if (*at == '}' && counts->inside != INNERS_MAX) {
            (void)on_open(counts, NULL);
            at++;
        }
        if (at < end && *at == '}' && counts->inside == INNERS_MAX) {
            *rest = str_make(at + 1, (size_t)(end - at - 1));
            return true;
        }
        if (at == end || *at++ != ',') {
            return false;
        }
    }
    return false;
}

#ifdef DCHECK_ON
/* Dear, so only here: whatever is plain, the scanner reads, and finds the same. */
static void
check_plain(const struct counts *counts, struct str text, struct str rest)
{
    uint64_t values[NAMES_MAX];
    struct str left;
    struct counts again = { .shape = counts->shape, .values = values, .inside = INNERS_MAX };
    memcpy(values, counts->values, counts->shape->name_count * sizeof(uint64_t));
    CHECK(json_scan_leading(text, on_count, on_open, &again, &left) == ERR_OK);
    CHECK(left.data == rest.data && left.len == rest.len && again.known == counts->known);
    CHECK(memcmp(values, counts->values, counts->shape->name_count * sizeof(uint64_t)) == 0);
    CHECK(again.inner_known == counts->inner_known && again.tier.raw.data == NULL);
    for (uint32_t i = 0; i < INNERS_MAX; i++) {
        CHECK(again.inner[i].known == counts->inner[i].known);
        for (uint32_t k = 0; k < DETAILS_MAX; k++) {
            CHECK(again.inner[i].values[k] == counts->inner[i].values[k]);
        }
    }
}
#endif

/* false: no object, or it is cut off; `values` is then worth nothing. */
static bool
read_counts(struct counts *counts, const struct shape *shape, uint64_t *values,
            struct json_value object, struct str *rest)
{
    struct str unused;
    rest = rest == NULL ? &unused : rest;
    *counts = (struct counts){ .shape = shape, .values = values, .inside = INNERS_MAX };
    if (object.kind != JSON_OBJECT) {
        return false;
    }
    if (read_plain(counts, object.raw, rest)) {
#ifdef DCHECK_ON
        check_plain(counts, object.raw, *rest);
#endif
        return true;
    }
    *counts = (struct counts){ .shape = shape, .values = values, .inside = INNERS_MAX };
    return json_scan_leading(object.raw, on_count, on_open, counts, rest) == ERR_OK;
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

enum openai_detail {
    OPENAI_CACHED,
    OPENAI_WRITTEN,
    OPENAI_REASONING,
    OPENAI_AUDIO,
    OPENAI_IMAGE,
    OPENAI_DETAILS
};

static const struct str openai_detail_names[OPENAI_DETAILS] = {
    { "cached_tokens", 13 }, { "cache_write_tokens", 18 }, { "reasoning_tokens", 16 },
    { "audio_tokens", 12 },  { "image_tokens", 12 },
};

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

_Static_assert((uint32_t)OPENAI_COUNTS <= NAMES_MAX && OPENAI_INNERS <= INNERS_MAX &&
                   OPENAI_DETAILS <= DETAILS_MAX,
               "they fit");

static const struct shape openai_shape = {
    .names = openai_names,
    .name_count = OPENAI_COUNTS,
    .inner_names = openai_inner_names,
    .inner_count = OPENAI_INNERS,
    .detail_names = openai_detail_names,
    .detail_count = OPENAI_DETAILS,
    .tier_index = INNERS_MAX,
    .modal_index = INNERS_MAX,
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

/* The details at `first`, else those at the index behind it. */
static const struct details *
details_of(const struct counts *counts, enum openai_inner first)
{
    return &counts->inner[(counts->inner_known >> first & 1) != 0 ? (uint32_t)first
                                                                  : (uint32_t)first + 1];
}

static void
openai_input(struct usage *usage, const struct counts *counts, uint64_t prompt)
{
    const uint64_t *values = counts->values;
    uint32_t known = counts->known;
    const struct details *details = details_of(counts, OPENAI_PROMPT_DETAILS);
    uint64_t cached = details->values[OPENAI_CACHED];
    uint64_t written = details->values[OPENAI_WRITTEN];
    bool knows_cache =
        (details->known >> OPENAI_CACHED & 1) != 0 ||
        first_known(values, known, OPENAI_CACHE_READ_ALIAS, OPENAI_CACHED_ALIAS, &cached);
    if ((details->known >> OPENAI_WRITTEN & 1) == 0) {
        (void)first_known(values, known, OPENAI_CREATION_ALIAS, OPENAI_CREATION_SHORT_ALIAS,
                          &written);
    }
    usage->in_cache_read = cached;
    usage->in_cache_write_5m = written;
    usage->in_cache_write_1h = 0;
    usage->in_audio = details->values[OPENAI_AUDIO];
    usage->in_image = details->values[OPENAI_IMAGE];
    /* More cached than asked: this relay counts as Anthropic does, apart from each other. */
    usage->in_fresh = cached > prompt ? prompt : less(prompt, cached + written);
    usage->known |= USAGE_INPUT | (knows_cache ? (uint32_t)USAGE_CACHE : 0);
}

bool
report_openai(struct usage *usage, struct json_value object, struct str *rest)
{
    uint64_t values[OPENAI_COUNTS] = { 0 };
    struct counts counts;
    if (!read_counts(&counts, &openai_shape, values, object, rest)) {
        return false;
    }
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
    const struct details *details = details_of(&counts, OPENAI_COMPLETION_DETAILS);
    if ((details->known >> OPENAI_REASONING & 1) != 0) {
        usage->out_reasoning = details->values[OPENAI_REASONING];
        usage->known |= USAGE_REASONING;
    }
    usage->out_audio = details->values[OPENAI_AUDIO];
    return true;
}

/* --- Anthropic --- */

static const struct str anthropic_names[] = {
    { "input_tokens", 12 },
    { "cache_read_input_tokens", 23 },
    { "cache_creation_input_tokens", 27 },
    { "output_tokens", 13 },
};

enum anthropic_inner {
    ANTHROPIC_CREATION,
    ANTHROPIC_OUTPUT,
    ANTHROPIC_TIER,
    ANTHROPIC_SERVER,
    ANTHROPIC_INNERS
};

static const struct str anthropic_inner_names[ANTHROPIC_INNERS] = {
    { "cache_creation", 14 },
    { "output_tokens_details", 21 },
    { "service_tier", 12 },
    { "server_tool_use", 15 },
};

enum anthropic_detail {
    ANTHROPIC_5M,
    ANTHROPIC_1H,
    ANTHROPIC_THINKING,
    ANTHROPIC_SEARCHES,
    ANTHROPIC_DETAILS
};

static const struct str anthropic_detail_names[ANTHROPIC_DETAILS] = {
    { "ephemeral_5m_input_tokens", 25 },
    { "ephemeral_1h_input_tokens", 25 },
    { "thinking_tokens", 15 },
    { "web_search_requests", 19 },
};

_Static_assert(ANTHROPIC_INNERS <= INNERS_MAX && ANTHROPIC_DETAILS <= DETAILS_MAX, "they fit");

static const struct shape anthropic_shape = {
    .names = anthropic_names,
    .name_count = 4,
    .inner_names = anthropic_inner_names,
    .inner_count = ANTHROPIC_INNERS,
    .detail_names = anthropic_detail_names,
    .detail_count = ANTHROPIC_DETAILS,
    .tier_index = ANTHROPIC_TIER,
    .modal_index = INNERS_MAX,
};

static void
anthropic_writes(struct usage *usage, const struct details *creation, bool knows_total,
                 uint64_t total)
{
    uint64_t short_lived = creation->values[ANTHROPIC_5M];
    uint64_t long_lived = creation->values[ANTHROPIC_1H];
    if (short_lived + long_lived > 0) {
        usage->in_cache_write_5m = short_lived;
        usage->in_cache_write_1h = long_lived;
    } else if (knows_total && total > 0 &&
               total != usage->in_cache_write_5m + usage->in_cache_write_1h) {
        usage->in_cache_write_5m = total;
        usage->in_cache_write_1h = 0;
    }
}

bool
report_anthropic(struct usage *usage, struct json_value object, bool is_final, struct str *rest)
{
    uint64_t values[4] = { 0 };
    struct counts counts;
    if (!read_counts(&counts, &anthropic_shape, values, object, rest) || counts.known == 0) {
        return false;
    }
    uint32_t known = counts.known;
    if ((known & 1) != 0) {
        usage->in_fresh = values[0] > 0 ? values[0] : usage->in_fresh;
        usage->known |= USAGE_INPUT;
    }
    usage->in_cache_read = values[1] > 0 ? values[1] : usage->in_cache_read;
    usage->known |= (known & 6) != 0 ? (uint32_t)USAGE_CACHE : 0;
    anthropic_writes(usage, &counts.inner[ANTHROPIC_CREATION], (known & 4) != 0, values[2]);
    if ((known & 8) != 0) {
        usage->out_total = values[3] > 0 ? values[3] : usage->out_total;
        usage->known |= is_final ? (uint32_t)USAGE_OUTPUT : 0;
    }
    const struct details *output = &counts.inner[ANTHROPIC_OUTPUT];
    if ((output->known >> ANTHROPIC_THINKING & 1) != 0) {
        usage->out_reasoning = output->values[ANTHROPIC_THINKING];
        usage->known |= USAGE_REASONING;
    }
    const struct details *server = &counts.inner[ANTHROPIC_SERVER];
    if ((server->known >> ANTHROPIC_SEARCHES & 1) != 0) {
        usage->web_searches = server->values[ANTHROPIC_SEARCHES];
    }
    report_tier(usage, counts.tier);
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

static const struct str gemini_inner_names[] = { { "promptTokensDetails", 19 } };

static const struct shape gemini_shape = {
    .names = gemini_names,
    .name_count = GEMINI_COUNTS,
    .inner_names = gemini_inner_names,
    .inner_count = 1,
    .tier_index = INNERS_MAX,
    .modal_index = 0,
};

bool
report_gemini(struct usage *usage, struct usage_gemini *last, struct json_value object,
              struct str *rest)
{
    struct counts counts;
    if (!read_counts(&counts, &gemini_shape, last->counts, object, rest) || counts.known == 0) {
        return false;
    }
    last->known |= counts.known;
    usage->in_audio = modality_audio(counts.modal, usage->in_audio);
    const uint64_t *c = last->counts;
    uint64_t input = c[GEMINI_PROMPT] + c[GEMINI_TOOL];
    bool has_candidates = (last->known >> GEMINI_CANDIDATES & 1) != 0;
    bool has_total = (last->known >> GEMINI_TOTAL & 1) != 0;
    /* Some backends count the thoughts into the candidates: their total says so. */
    bool is_folded = has_total && has_candidates && c[GEMINI_TOTAL] == input + c[GEMINI_CANDIDATES];
    usage->in_cache_read = c[GEMINI_CACHED];
    usage->in_fresh = less(c[GEMINI_PROMPT], c[GEMINI_CACHED]) + c[GEMINI_TOOL];
    usage->in_tool = c[GEMINI_TOOL];
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

#include "proto/modality.h"

#include "proto/usage.h"

static bool
on_modality(void *context, const struct json_member *member)
{
    uint64_t *audio = context;
    uint64_t count = 0;
    struct json_value modality;
    struct json_value tokens;
    if (json_get(member->value, STR("modality"), &modality) &&
        str_equal(modality.raw, STR("\"AUDIO\"")) &&
        json_get(member->value, STR("tokenCount"), &tokens) && json_u64(tokens, &count) == ERR_OK &&
        count <= USAGE_TOKENS_MAX) {
        *audio = count;
    }
    return true;
}

uint64_t
modality_audio(struct json_value list, uint64_t otherwise)
{
    uint64_t audio = 0;
    if (list.kind != JSON_ARRAY || json_scan_array(list, on_modality, &audio) != ERR_OK) {
        return otherwise;
    }
    return audio;
}

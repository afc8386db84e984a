/*
 * Any body, as JSON for every dialect: its opening is found without reading beside it, is the same
 * when it is looked for again, and depends on the key.
 */
#include <stdlib.h>

#include "base/check.h"
#include "proto/opening.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum endpoint endpoints[] = { ENDPOINT_CHAT, ENDPOINT_RESPONSES, ENDPOINT_MESSAGES,
                                               ENDPOINT_GEMINI_STREAM };
    static const struct hash_key first = { 1, 2 };
    static const struct hash_key second = { 3, 4 };
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    struct str body = str_make(copy, size);
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        struct peek peek;
        struct peek_error error;
        uint64_t hashes[3] = { 0 };
        if (peek_json(endpoints[i], body, &peek, &error) != ERR_OK) {
            continue;
        }
        bool is_said = opening_hash(&first, body, &peek, &hashes[0]);
        CHECK(opening_hash(&first, body, &peek, &hashes[1]) == is_said && hashes[0] == hashes[1]);
        CHECK(opening_hash(&second, body, &peek, &hashes[2]) == is_said);
        CHECK(!is_said || hashes[0] != hashes[2]);
    }
    free(copy);
    return 0;
}

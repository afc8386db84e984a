#include "admin/bearer.h"

#include <string.h>

#include "base/digest.h"
#include "base/rand.h"
#include "http/server.h"

/* A key's text: prefix and 40 characters of 62, 238 random bits. */
#define KEY_PREFIX "sk-s2a-"
#define KEY_CHARS 40u
/* What people see of it later. */
#define KEY_SHOWN_CHARS 11u
/* A key that is carried over must not be guessable. */
#define KEY_CHARS_MIN 16u

enum err
bearer_split(struct server_request *request, enum model_kind kind, struct bearer *bearer,
             struct buf *fields, char why[MODEL_WHY_BYTES])
{
    struct json_value body;
    struct json_error error;
    struct str text = request->body;
    if (text.len == 0) {
        text = STR("{}");
    }
    if (json_read(text, &body, &error) != ERR_OK || body.kind != JSON_OBJECT) {
        str_copy(why, MODEL_WHY_BYTES, STR("The body is not a JSON object"));
        return ERR_BAD;
    }
    bearer->has_secret = kind == MODEL_ACCOUNT && json_get(body, STR("secret"), &bearer->secret);
    bearer->has_key = kind == MODEL_KEY && json_get(body, STR("key"), &bearer->key);
    if (!bearer->has_secret && !bearer->has_key) {
        return buf_append(fields, text);
    }
    /* The extra member is cut out by its place; its neighbours keep their bytes. */
    struct str name = bearer->has_secret ? STR("secret") : STR("key");
    struct json_doc doc;
    enum err err = json_parse(text, &request->arena, &doc, &error);
    if (err != ERR_OK) {
        return err;
    }
    err = buf_append(fields, STR("{"));
    bool is_first = true;
    for (uint32_t i = 1; err == ERR_OK && i < doc.count; i = doc.nodes[i + 1].next) {
        struct json_value member_name = json_at(&doc, i);
        struct json_value value = json_at(&doc, i + 1);
        if (json_string_is(member_name, name)) {
            continue;
        }
        err = is_first ? ERR_OK : buf_append(fields, STR(","));
        is_first = false;
        err = err != ERR_OK ? err : buf_append(fields, member_name.raw);
        err = err != ERR_OK ? err : buf_append(fields, STR(":"));
        err = err != ERR_OK ? err : buf_append(fields, value.raw);
    }
    return err != ERR_OK ? err : buf_append(fields, STR("}"));
}

static bool
is_credential(struct str secret)
{
    for (size_t i = 0; i < secret.len; i++) {
        if (secret.data[i] <= ' ' || secret.data[i] >= 0x7f) {
            return false;
        }
    }
    return secret.len > 0;
}

enum err
bearer_seal(const struct bearer *bearer, struct server_request *request, struct ledger *ledger,
            struct account *account, char why[MODEL_WHY_BYTES])
{
    struct str secret;
    if (!bearer->has_secret) {
        return ERR_OK;
    }
    if (json_string(bearer->secret, &request->arena, &secret) != ERR_OK || !is_credential(secret)) {
        str_copy(why, MODEL_WHY_BYTES, STR("secret: must be one line of visible characters"));
        return ERR_BAD;
    }
    enum err err = ledger_seal(ledger, account, secret);
    if (err == ERR_BAD) {
        str_copy(why, MODEL_WHY_BYTES, STR("secret: too long"));
    }
    return err;
}

enum err
bearer_key(const struct bearer *bearer, struct server_request *request, struct key *key,
           char text[KEY_BYTES_MAX + 1], char why[MODEL_WHY_BYTES])
{
    if (bearer->has_key) {
        struct str given;
        if (json_string(bearer->key, &request->arena, &given) != ERR_OK || !is_credential(given) ||
            given.len < KEY_CHARS_MIN || !str_copy(text, KEY_BYTES_MAX + 1, given)) {
            str_copy(why, MODEL_WHY_BYTES,
                     STR("key: must be 16 to 256 visible characters on one line"));
            return ERR_BAD;
        }
    } else {
        char random[KEY_CHARS + 1];
        rand_text(random, KEY_CHARS);
        memcpy(text, KEY_PREFIX, sizeof KEY_PREFIX);
        memcpy(text + sizeof KEY_PREFIX - 1, random, sizeof random);
        digest_wipe(random, sizeof random);
    }
    digest_sha256(str_of(text), &key->digest);
    /* Never more than a third of it. */
    size_t shown = strlen(text) / 3 < KEY_SHOWN_CHARS ? strlen(text) / 3 : KEY_SHOWN_CHARS;
    return str_copy(key->prefix, sizeof key->prefix, str_make(text, shown)) ? ERR_OK : ERR_BAD;
}

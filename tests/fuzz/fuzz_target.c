/*
 * fuzz_target.c - what clients and operators write and providers get: a query whose keys are
 * taken out, base URLs and proxies, and addresses. The first byte says which.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "upstream/address.h"
#include "upstream/request.h"
#include "upstream/target.h"

/* Cleaning again changes nothing, and no pair grew. */
static void
fuzz_query(struct str query)
{
    struct arena arena;
    struct str once;
    struct str twice;
    arena_init(&arena, 1u << 20);
    if (request_clean_query(query, &arena, &once) == ERR_OK) {
        CHECK(once.len <= query.len);
        CHECK(request_clean_query(once, &arena, &twice) == ERR_OK);
        CHECK(str_equal(once, twice));
        struct str rest = once;
        while (rest.len > 0) {
            struct str pair = str_cut(&rest, '&');
            struct str name = str_cut(&pair, '=');
            CHECK(!str_equal(name, STR("key")) && !str_equal(name, STR("api_key")));
        }
    }
    arena_reset(&arena);
}

/* Either refused, or with a host, a port and parts that lie inside of it. */
static void
fuzz_target(struct str text)
{
    static const struct hash_key hash = { 1, 2 };
    struct account *account = calloc(1, sizeof *account);
    CHECK(account != NULL);
    struct str rest = text;
    struct str url = str_cut(&rest, '\n');
    account->id = 1;
    bool fits = str_copy(account->base_url, sizeof account->base_url, url) &&
                str_copy(account->proxy, sizeof account->proxy, rest);
    struct target *target = fits ? target_make(&hash, account, STR("")) : NULL;
    if (target != NULL) {
        CHECK(target->host[0] != '\0' && target->port != 0 && target->origin_key != 0);
        CHECK(strstr(target->authority, target->host) != NULL);
        CHECK(strpbrk(target->authority, " \r\n\t/@") == NULL);
        CHECK(target->base_path.len == 0 || target->base_path.data[0] == '/');
        CHECK((target->proxy == TARGET_DIRECT) == (account->proxy[0] == '\0'));
    }
    target_free(target);
    free(account);
}

static void
fuzz_address(struct str text)
{
    struct sockaddr_storage address;
    socklen_t bytes = 0;
    if (address_literal(text, 80, &address, &bytes)) {
        CHECK(bytes > 0 && bytes <= sizeof address);
        (void)address_is_public((const struct sockaddr *)&address);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct str text = str_make((const char *)data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        fuzz_query(text);
        return 0;
    case 1:
        fuzz_target(text);
        return 0;
    default:
        fuzz_address(text);
        return 0;
    }
}

/*
 * fields.c - the members of a request's body (see fields.h).
 */
#include "proto/fields.h"

enum err
fields_open(const struct hub_request *request, struct str body, struct hub_problem *problem,
            struct walk *root)
{
    enum err err = walk_parse(body, request->arena, root);
    if (err == ERR_FULL) {
        return err;
    }
    if (err != ERR_OK || walk_kind(*root) != JSON_OBJECT) {
        return hub_refuse(problem, "the body is no JSON object", "%s", "");
    }
    return ERR_OK;
}

static bool
is_among(struct str name, const char *const known[], size_t known_count)
{
    for (size_t i = 0; i < known_count; i++) {
        if (str_equal(name, str_of(known[i]))) {
            return true;
        }
    }
    return false;
}

void
fields_drop(const struct hub_request *request, struct walk root, const char *const known[],
            size_t known_count)
{
    struct str name;
    for (struct walk at = walk_first_member(root, request->arena, &name); walk_is_there(at);
         at = walk_next_member(at, request->arena, &name)) {
        if (!is_among(name, known, known_count) && walk_is_value(at)) {
            hub_drop(request->losses, name);
        }
    }
}

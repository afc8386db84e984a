/*
 * respextra.c - output items that are there at once (see respextra.h).
 */
#include "proto/respextra.h"

#include <string.h>

#include "proto/carrier.h"
#include "proto/walk.h"

/* What stands in the item besides id and status. */
struct extra {
    const char *type;
    const char *prefix;
    const char *const *events; /* between added and done; NULL ends them */
    const char *member;
    struct str value; /* a text */
};

static void
put_extra(const struct respline *line, struct jsonw *w, const struct extra *extra,
          const char *status)
{
    bool is_search = strcmp(extra->member, "action") == 0;
    jsonw_object(w);
    jsonw_put_text(w, "id", line->id);
    jsonw_put_text(w, "type", extra->type);
    if (status != NULL) {
        jsonw_put_text(w, "status", status);
    }
    jsonw_name(w, extra->member);
    if (is_search) {
        jsonw_object(w);
        jsonw_put_text(w, "type", "search");
        jsonw_put_str(w, "query", extra->value);
        jsonw_close(w);
    } else {
        jsonw_str(w, extra->value);
    }
    jsonw_close(w);
}

static enum err
extra_event(struct respline *line, const struct extra *extra, const char *type, const char *status)
{
    struct jsonw w;
    respsay_begin(line->say, &w, type);
    jsonw_put_u64(&w, "output_index", line->count);
    jsonw_name(&w, "item");
    put_extra(line, &w, extra, status);
    return respsay_end(line->say, &w);
}

static enum err
write_extra(struct respline *line, const struct extra *extra)
{
    struct jsonw w;
    bool has_status = extra->events != NULL;
    (void)plan_item_id(line->say->plan, extra->prefix, line->count, line->id);
    enum err err =
        extra_event(line, extra, "response.output_item.added", has_status ? "in_progress" : NULL);
    for (size_t i = 0; has_status && extra->events[i] != NULL && err == ERR_OK; i++) {
        respsay_begin(line->say, &w, extra->events[i]);
        jsonw_put_text(&w, "item_id", line->id);
        jsonw_put_u64(&w, "output_index", line->count);
        err = respsay_end(line->say, &w);
    }
    if (err == ERR_OK) {
        err =
            extra_event(line, extra, "response.output_item.done", has_status ? "completed" : NULL);
    }
    if (err == ERR_OK) {
        err = respsay_element(&line->output, &w);
    }
    if (err == ERR_OK) {
        put_extra(line, &w, extra, has_status ? "completed" : NULL);
        err = jsonw_end(&w);
    }
    line->count++;
    return err;
}

enum err
respextra_image(struct respline *line, const struct hub_media *media)
{
    static const char *const events[] = { "response.image_generation_call.in_progress",
                                          "response.image_generation_call.generating",
                                          "response.image_generation_call.completed", NULL };
    struct extra extra = { "image_generation_call", "ig_", events, "result", media->data };
    return line->kind == HUB_IMAGE && media->source == HUB_BASE64 ? write_extra(line, &extra)
                                                                  : ERR_OK;
}

enum err
respextra_search(struct respline *line, const struct hub_server *server)
{
    static const char *const events[] = { "response.web_search_call.in_progress",
                                          "response.web_search_call.searching",
                                          "response.web_search_call.completed", NULL };
    struct walk input;
    if (line->kind != HUB_SERVER_CALL || !str_equal(server->kind, STR("web_search"))) {
        return ERR_OK; /* of other tools the answer's text tells what came of them */
    }
    struct extra extra = { "web_search_call", "ws_", events, "action", STR("") };
    if (server->input_json.len > 0 &&
        walk_parse(server->input_json, &line->scratch, &input) == ERR_OK) {
        extra.value = walk_string(walk_get(input, STR("query")), &line->scratch);
    }
    return write_extra(line, &extra);
}

enum err
respextra_compaction(struct respline *line, struct str summary)
{
    struct hub_signature signature = { .family = HUB_FAMILY_GATEWAY, .bytes = summary };
    struct extra extra = { "compaction", "cmp_", NULL, "encrypted_content", STR("") };
    enum err err =
        carrier_wrap(line->say->plan->carrier, &signature, NULL, &line->scratch, &extra.value);
    return err == ERR_OK ? write_extra(line, &extra) : err;
}

#include "upstream/probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "proto/error.h"
#include "shm/lack.h"
#include "store/match.h"
#include "upstream/hint.h"
#include "upstream/reach.h"
#include "upstream/request.h"

/* The result fits a job cell (shm/job.h). */
#define RESULT_BYTES_MAX (JOB_TEXT_BYTES - 1u)
#define MODELS_BYTES_MAX 1600u
/* One step of a test; the whole has the caller's deadline. */
#define STEP_MS 20000u

struct shape {
    enum endpoint endpoint;
    const char *model; /* a small one that every account of the vendor has; November 2026 */
    const char *body;  /* with one %s for the model, or none */
};

static const struct shape shapes[DIALECT_COUNT] = {
    [DIALECT_CHAT] = { ENDPOINT_CHAT, "gpt-4o-mini",
                       "{\"model\":\"%s\",\"max_tokens\":16,\"messages\":[{\"role\":\"user\","
                       "\"content\":\"Say ok.\"}]}" },
    [DIALECT_RESPONSES] = { ENDPOINT_RESPONSES, "gpt-4o-mini",
                            "{\"model\":\"%s\",\"max_output_tokens\":16,\"input\":\"Say ok.\"}" },
    [DIALECT_ANTHROPIC] = { ENDPOINT_MESSAGES, "claude-haiku-4-5",
                            "{\"model\":\"%s\",\"max_tokens\":16,\"messages\":[{\"role\":\"user\","
                            "\"content\":\"Say ok.\"}]}" },
    [DIALECT_GEMINI] = { ENDPOINT_GEMINI_GENERATE, "gemini-2.5-flash",
                         "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Say ok.\"}]}],"
                         "\"generationConfig\":{\"maxOutputTokens\":16}}" },
};

static void next_step(struct probe *probe);

static struct probe_result *
current(struct probe *probe)
{
    return probe->step < DIALECT_COUNT ? &probe->results[probe->step] : &probe->list;
}

/* --- the end --- */

/* The first dialect that works; DIALECT_COUNT: none. */
static uint32_t
working(const struct probe *probe)
{
    uint32_t i = 0;
    while (i < DIALECT_COUNT && !probe->results[i].is_ok) {
        i++;
    }
    return i;
}

/* "chat/completions" */
static const char *
short_endpoint(uint32_t dialect)
{
    const char *path = dialect_endpoint((enum dialect)dialect);
    return strncmp(path, "/v1/", 4) == 0 ? path + 4 : path;
}

/* What became of one dialect. */
static int
write_result(const struct probe *probe, uint32_t dialect, const char *gap, char *out,
             size_t out_bytes)
{
    const struct probe_result *result = &probe->results[dialect];
    uint32_t other = working(probe);
    const char *name = dialect_name((enum dialect)dialect);
    const char *path = dialect_endpoint((enum dialect)dialect);
    if (result->is_ok) {
        return snprintf(out, out_bytes, "%s%s ok %u ms", gap, name, result->ms);
    }
    if (result->is_missing && other < DIALECT_COUNT) {
        return snprintf(out, out_bytes, "%sno %s here; %s works, translating", gap, path,
                        short_endpoint(other));
    }
    bool is_all = true; /* of those that were asked */
    for (uint32_t i = 0; i < DIALECT_COUNT; i++) {
        is_all = is_all && (!probe->results[i].is_done || probe->results[i].is_missing);
    }
    if (result->is_missing) {
        return snprintf(out, out_bytes, "%sno %s here (HTTP %u)%s", gap, path, result->status,
                        is_all ? ": is the base URL right?" : "");
    }
    return snprintf(out, out_bytes, "%s%s: %s", gap, name, result->why);
}

static void
write_line(const struct probe *probe, char *out, size_t out_bytes)
{
    int named = snprintf(out, out_bytes, "%s: ", probe->account->account.name);
    size_t start = named > 0 ? (size_t)named : 0;
    size_t used = start;
    for (uint32_t i = 0; i < DIALECT_COUNT; i++) {
        const struct probe_result *result = &probe->results[i];
        if (!result->is_done || used + 1 >= out_bytes) {
            continue;
        }
        const char *gap = used == start ? "" : ", ";
        int length = write_result(probe, i, gap, out + used, out_bytes - used);
        used += length > 0 ? (size_t)length : 0;
    }
    if (used + 1 < out_bytes && probe->list.is_ok) {
        snprintf(out + used, out_bytes - used, "; %u models", probe->model_count);
    }
}

static void
put_result(struct jsonw *w, const char *name, const struct probe_result *result)
{
    jsonw_object(w);
    jsonw_put_text(w, "dialect", name);
    jsonw_put_bool(w, "ok", result->is_ok);
    jsonw_put_bool(w, "missing", result->is_missing);
    jsonw_put_u64(w, "status", result->status);
    jsonw_put_u64(w, "ms", result->ms);
    jsonw_put_text(w, "error", result->why);
    jsonw_close(w);
}

bool
probe_is_ok(const struct probe *probe)
{
    return working(probe) < DIALECT_COUNT;
}

/* A transport that failed tells nothing of the endpoint behind it. */
static void
learn(const struct probe *probe)
{
    const struct reach *reach = probe->reach;
    uint32_t index = probe->account->account.index;
    uint64_t hold_ms = reach->conf->endpoint_retry_ms;
    enum lack_kind kind = probe_is_ok(probe) ? LACK_PROVEN : LACK_DOUBTED;
    for (uint32_t i = 0; i < DIALECT_COUNT && index < reach->segment->accounts; i++) {
        const struct probe_result *result = &probe->results[i];
        if (result->is_ok) {
            lack_clear(reach->segment, index, i);
        } else if (result->is_missing && hold_ms > 0) {
            lack_note(reach->segment, index, i, kind, result->status, hold_ms,
                      loop_now_ms(reach->loop));
        }
    }
}

static void
tell_result(struct loop_task *task)
{
    struct probe *probe = LIST_OWNER(task, struct probe, done);
    learn(probe);
    char line[1024];
    write_line(probe, line, sizeof line);
    struct buf out;
    struct jsonw w;
    buf_init(&out, RESULT_BYTES_MAX);
    jsonw_begin(&w, &out);
    jsonw_object(&w);
    jsonw_put_bool(&w, "ok", probe_is_ok(probe));
    jsonw_put_text(&w, "account", probe->account->account.name);
    jsonw_put_text(&w, "line", line);
    jsonw_name(&w, "dialects");
    jsonw_array(&w);
    for (uint32_t i = 0; i < DIALECT_COUNT; i++) {
        if (probe->results[i].is_done) {
            put_result(&w, dialect_name((enum dialect)i), &probe->results[i]);
        }
    }
    jsonw_close(&w);
    jsonw_put_u64(&w, "model_count", probe->model_count);
    jsonw_name(&w, "models");
    jsonw_raw(&w, probe->has_models_broken || buf_len(&probe->models) == 0
                      ? STR("[]")
                      : buf_str(&probe->models));
    jsonw_close(&w);
    enum err err = jsonw_end(&w);
    probe->on_end(probe, err == ERR_OK ? buf_str(&out)
                                       : STR("{\"ok\":false,\"line\":\"the result is too long\"}"));
    buf_fini(&out);
}

/* --- one answer --- */

/* Collects the names of a model list, whichever shape it has. */
struct names {
    struct jsonw w;
    uint32_t count;
    const char *member; /* "id" or "name" */
};

static bool
on_model(void *context, const struct json_member *element)
{
    struct names *names = context;
    struct json_value value;
    if (!json_get(element->value, str_of(names->member), &value) || value.kind != JSON_STRING) {
        return true;
    }
    names->count++;
    if (names->count <= PROBE_MODELS_SHOWN) {
        jsonw_raw(&names->w, value.raw);
    }
    return true;
}

static void
read_models(struct probe *probe)
{
    struct json_value root;
    struct json_value list;
    if (json_read(buf_str(&probe->answer), &root, NULL) != ERR_OK) {
        return;
    }
    struct names names = { .member = "id" };
    if (!json_get(root, STR("data"), &list)) {
        names.member = "name";
        if (!json_get(root, STR("models"), &list)) {
            return;
        }
    }
    jsonw_begin(&names.w, &probe->models);
    jsonw_array(&names.w);
    enum err err = json_scan_array(list, on_model, &names);
    jsonw_close(&names.w);
    enum err ended = jsonw_end(&names.w);
    probe->has_models_broken = err != ERR_OK || ended != ERR_OK;
    probe->model_count = names.count;
}

static enum dialect
step_dialect(const struct probe *probe)
{
    if (probe->step < DIALECT_COUNT) {
        return (enum dialect)probe->step;
    }
    const struct reach *reach = probe->reach;
    const struct target *target = probe->account->extra;
    uint32_t index = probe->account->account.index;
    for (uint32_t i = 0; i < DIALECT_COUNT; i++) {
        bool is_missing =
            index < reach->segment->accounts &&
            lack_is(reach->segment, index, i, target->dialects, loop_now_ms(reach->loop));
        if ((target->dialects & DIALECT_BIT(i)) != 0 && !is_missing) {
            return (enum dialect)i;
        }
    }
    return DIALECT_CHAT;
}

static void
note_status(struct probe *probe, struct probe_result *result)
{
    struct error_found found;
    error_read(step_dialect(probe), probe->status, buf_str(&probe->answer), &found);
    char cleaned[EXCERPT_BYTES + 1];
    result->is_missing = found.kind == ERROR_ENDPOINT && probe->step < DIALECT_COUNT;
    error_clean(str_of(found.message), cleaned, sizeof cleaned);
    snprintf(result->why, sizeof result->why, "HTTP %u%s%s", probe->status,
             cleaned[0] == '\0' ? "" : " ", cleaned);
}

static void
on_head(struct exchange *exchange, const struct parser_head *head)
{
    struct probe *probe = LIST_OWNER(exchange, struct probe, exchange);
    probe->status = head->status;
    if (head->status >= 300) {
        uint64_t max_ms = probe->reach->conf->bench_ms_max;
        probe->retry_after_ms = hint_refused_ms(&head->headers, clock_wall_ms(), max_ms);
    }
}

static void
on_body(struct exchange *exchange, struct str bytes)
{
    struct probe *probe = LIST_OWNER(exchange, struct probe, exchange);
    uint32_t room = buf_room(&probe->answer);
    enum err err =
        buf_append(&probe->answer, str_make(bytes.data, bytes.len < room ? bytes.len : room));
    CHECK(err != ERR_FULL);
}

static void
end_step(struct probe *probe)
{
    struct probe_result *result = current(probe);
    const struct reach *reach = probe->reach;
    result->is_done = true;
    result->ms = (uint32_t)(loop_now_ms(reach->loop) - probe->exchange.started_ms);
    probe->step++;
    next_step(probe);
}

static void
on_end(struct exchange *exchange)
{
    struct probe *probe = LIST_OWNER(exchange, struct probe, exchange);
    struct probe_result *result = current(probe);
    result->status = probe->status;
    result->decision = retry_of_status(probe->status);
    result->retry_after_ms = probe->retry_after_ms;
    result->is_ok = probe->status >= 200 && probe->status < 300;
    if (!result->is_ok) {
        note_status(probe, result);
    } else if (probe->step == DIALECT_COUNT) {
        read_models(probe);
    }
    end_step(probe);
}

static void
on_fail(struct exchange *exchange, const struct exchange_failure *failure)
{
    struct probe *probe = LIST_OWNER(exchange, struct probe, exchange);
    struct probe_result *result = current(probe);
    result->decision = retry_of_failure(failure);
    result->phase = failure->phase;
    str_copy(result->why, PROBE_WHY_BYTES, str_of(failure->why));
    end_step(probe);
}

static const struct exchange_hooks hooks = {
    .on_head = on_head, .on_body = on_body, .on_end = on_end, .on_fail = on_fail
};

/* --- one request --- */

/* The model to ask for: the admin's wish, the account's first plain name, the vendor's small one.
 */
static struct str
pick_model(const struct probe *probe, enum dialect dialect)
{
    if (probe->model[0] != '\0') {
        return match_mapped(probe->account->account.model_map, str_of(probe->model));
    }
    struct str rest = str_of(probe->account->account.models);
    struct str item;
    while (match_next(&rest, &item)) {
        if (memchr(item.data, '*', item.len) == NULL && memchr(item.data, '?', item.len) == NULL) {
            return match_mapped(probe->account->account.model_map, item);
        }
    }
    return str_of(shapes[dialect].model);
}

/* The list stands beside the dialect's own endpoint. */
static enum err
list_path(struct probe *probe, enum dialect dialect, struct str *out)
{
    const struct target *target = probe->account->extra;
    struct endpoint_target want = { .endpoint = shapes[dialect].endpoint,
                                    .base_path = target->base_path,
                                    .model = STR("m") };
    struct str path;
    enum err err = endpoint_upstream_path(&want, &probe->arena, &path);
    if (err != ERR_OK) {
        return err;
    }
    static const char *const tails[DIALECT_COUNT] = {
        [DIALECT_CHAT] = "/chat/completions",
        [DIALECT_RESPONSES] = "/responses",
        [DIALECT_ANTHROPIC] = "/messages",
        [DIALECT_GEMINI] = "/models/m:generateContent",
    };
    struct str tail = str_of(tails[dialect]);
    if (!str_ends(path, tail)) {
        return ERR_BAD;
    }
    *out = arena_printf(&probe->arena, "%.*s/models", (int)(path.len - tail.len), path.data);
    return out->data == NULL ? ERR_FULL : ERR_OK;
}

static enum err
make_pieces(struct probe *probe, struct str pieces[2], uint32_t *out_count)
{
    enum dialect dialect = step_dialect(probe);
    bool is_list = probe->step == DIALECT_COUNT;
    struct str model = pick_model(probe, dialect);
    struct request_want want = { .target = probe->account->extra,
                                 .account = probe->account,
                                 .endpoint = shapes[dialect].endpoint,
                                 .method = is_list ? STR("GET") : STR("POST"),
                                 .model = model };
    *out_count = 1;
    if (is_list) {
        enum err err = list_path(probe, dialect, &want.path);
        if (err != ERR_OK) {
            return err;
        }
    } else {
        char name[MODEL_NAME_BYTES];
        if (!str_copy(name, sizeof name, model)) {
            return ERR_BAD;
        }
        struct str body = str_of(shapes[dialect].body);
        const char *hole = strstr(body.data, "%s");
        if (hole != NULL) {
            body = arena_printf(&probe->arena, "%.*s%s%s", (int)(hole - body.data), body.data, name,
                                hole + 2);
        }
        pieces[(*out_count)++] = body;
        want.body_bytes = body.len;
        want.has_body = true;
    }
    return request_head(&want, &probe->arena, &pieces[0]);
}

static void
run_step(struct probe *probe)
{
    arena_reset(&probe->arena);
    buf_clear(&probe->answer);
    probe->status = 0;
    probe->retry_after_ms = 0;
    struct str pieces[2];
    uint32_t count = 0;
    enum err err = make_pieces(probe, pieces, &count);
    if (err != ERR_OK) {
        str_copy(current(probe)->why, PROBE_WHY_BYTES, STR("the request could not be made"));
        probe->exchange.started_ms = loop_now_ms(probe->reach->loop);
        end_step(probe);
        return;
    }
    exchange_stop(&probe->exchange);
    exchange_init(&probe->exchange, probe->reach, &hooks);
    probe->exchange.first_byte_ms_max = STEP_MS;
    exchange_start(&probe->exchange, probe->account->extra, pieces, count, false);
}

/* A name that does not resolve fails every dialect alike: once is enough. */
static bool
is_hopeless(const struct probe *probe)
{
    for (uint32_t i = 0; i < probe->step && i < DIALECT_COUNT; i++) {
        if (probe->results[i].is_done && probe->results[i].status == 0) {
            return true;
        }
    }
    return false;
}

/* Does the list's answer tell enough? A credential may be refused the list and serve requests. */
static bool
is_told(const struct probe *probe)
{
    const struct probe_result *list = &probe->list;
    bool is_answer = list->status != 0 && list->decision.blame != RETRY_BLAME_SERVER;
    bool speaks_for_it = is_answer && (list->decision.verdict == RETRY_PASS ||
                                       list->decision.blame == RETRY_BLAME_AUTH);
    return probe->wants_answer || !speaks_for_it;
}

static void
next_of_checkup(struct probe *probe)
{
    if (!probe->list.is_done) {
        probe->step = DIALECT_COUNT;
        run_step(probe);
        return;
    }
    probe->step = DIALECT_COUNT; /* whose dialect is the account's first */
    uint32_t dialect = (uint32_t)step_dialect(probe);
    if (probe->results[dialect].is_done || is_told(probe)) {
        loop_defer(probe->reach->loop, &probe->done);
        return;
    }
    probe->step = dialect;
    run_step(probe);
}

const struct probe_result *
probe_decided(const struct probe *probe)
{
    CHECK(probe->is_checkup && probe->list.is_done);
    for (uint32_t i = 0; i < DIALECT_COUNT; i++) {
        if (probe->results[i].is_done) {
            return &probe->results[i];
        }
    }
    return &probe->list;
}

static void
next_step(struct probe *probe)
{
    if (probe->is_checkup) {
        next_of_checkup(probe);
        return;
    }
    const struct target *target = probe->account->extra;
    while (probe->step < DIALECT_COUNT && (target->dialects & DIALECT_BIT(probe->step)) == 0) {
        probe->step++;
    }
    if (probe->step > DIALECT_COUNT || is_hopeless(probe)) {
        loop_defer(probe->reach->loop, &probe->done);
        return;
    }
    run_step(probe);
}

static void
start(struct probe *probe, struct str model)
{
    CHECK(probe->account->extra != NULL);
    if (!str_copy(probe->model, sizeof probe->model, model)) {
        probe->model[0] = '\0';
    }
    arena_init(&probe->arena, REQUEST_ARENA_BYTES_MAX);
    buf_init(&probe->answer, PROBE_ANSWER_BYTES);
    buf_init(&probe->models, MODELS_BYTES_MAX);
    exchange_init(&probe->exchange, probe->reach, &hooks);
    loop_task_init(&probe->done, tell_result);
    next_step(probe);
}

void
probe_start(struct probe *probe, struct reach *reach, const struct catalog_account *account,
            struct str model, probe_fn on_done)
{
    *probe = (struct probe){ .reach = reach, .account = account, .on_end = on_done };
    start(probe, model);
}

void
probe_checkup(struct probe *probe, struct reach *reach, const struct catalog_account *account,
              bool wants_answer, probe_fn on_done)
{
    *probe = (struct probe){ .reach = reach,
                             .account = account,
                             .on_end = on_done,
                             .is_checkup = true,
                             .wants_answer = wants_answer };
    start(probe, STR(""));
}

void
probe_stop(struct probe *probe)
{
    exchange_stop(&probe->exchange);
    loop_undefer(&probe->done);
    arena_reset(&probe->arena);
    buf_fini(&probe->answer);
    buf_fini(&probe->models);
}
